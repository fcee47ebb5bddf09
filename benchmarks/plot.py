"""The benchmarks' pictures: where the time of one scan goes with each round's ratio to bare onnxruntime; and the soak's curves."""

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


def draw_soak(samples: Sequence[Mapping[str, float]], verdict: str, out: Path) -> None:
    """Write a PNG with four curves over the scans assessed: resident memory, descriptors, threads, write-ahead log."""
    mpl.use("Agg")
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    figure.suptitle(verdict)
    scans = [sample["scans"] for sample in samples]
    panels = {
        "daemon, resident MiB": ("rss_mib", "anonymous_mib"),
        "decode children, resident MiB": ("children_mib",),
        "descriptors and threads": ("descriptors", "threads"),
        "write-ahead log, MiB": ("wal_mib",),
    }
    for axes, (title, keys) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        for key in keys:
            axes.plot(scans, [sample[key] for sample in samples], label=key.removesuffix("_mib").replace("rss", "all"))
        axes.axvspan(0, scans[-1] * 0.2, color="#dddddd", alpha=0.5, lw=0)
        axes.set_title(title)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("scans assessed (grey: not judged)")
        if len(keys) > 1:
            axes.legend(loc="lower right")
    figure.savefig(out, dpi=110)
