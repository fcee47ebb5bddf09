"""The benchmark's picture: where the time of one scan goes, and each round's ratio to bare onnxruntime."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure


def draw(results: Mapping[str, float | str], rounds: Mapping[str, Sequence[Mapping[str, float]]], out: Path) -> None:
    """Write a PNG with two panels to ``out``."""
    mpl.use("Agg")
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    stages = {key[6:-3]: float(value) for key, value in results.items() if key.startswith("stage_")}
    bars = left.barh(list(stages), list(stages.values()), color="#2f6db3")
    left.bar_label(bars, fmt="%.1f", padding=3)
    left.invert_yaxis()
    left.set_xscale("log")
    left.set_xlabel("ms (logarithmic), median")
    left.set_title("One 2000 x 8000 16-bit scan, file to package")
    left.margins(x=0.15)
    ratios = [bare["ms"] / whole["ms"] for bare, whole in zip(rounds["bare"], rounds["whole"], strict=True)]
    right.plot(range(1, len(ratios) + 1), ratios, "o-", color="#2f6db3")
    right.axhline(0.95, color="#b33a2f", linestyle="--", label="floor 0.95")
    right.axhline(0.97, color="#3a8f4a", linestyle=":", label="goal 0.97")
    right.set_ylim(min(0.9, *ratios) - 0.02, max(1.02, *ratios) + 0.01)
    right.set_xlabel("round")
    right.set_title("Whole path over bare onnxruntime")
    right.legend(loc="lower right")
    figure.savefig(out, dpi=110)
