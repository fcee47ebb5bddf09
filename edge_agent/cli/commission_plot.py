"""Pictures of a commissioning: for each check, the share of clean scans at or above a score, and where the level lies; weights."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.agent.certificate import Certificate, CheckPart
from edge_agent.agent.weighing import Weighed, WeighingCertificate, held_out_intervals, intervals
from edge_agent.errors import ConfigInvalid
from edge_agent.inference.weight import SiteFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3


def check_drawable(path: Path | None) -> None:
    """Find out before the work whether the picture can be written; None = none is wanted.

    Raises:
        ConfigInvalid: matplotlib is not installed, it knows no such ending, or the folder is not there or not writable.
    """
    if path is None:
        return
    known = _figure(1.0, 1.0).canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        raise ConfigInvalid(f"--plot {path}: the ending says the format: .png, .svg or .pdf")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigInvalid(f"--plot {path}: its folder is not there, or may not be written to")


def draw(certificate: Certificate, scores: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write the picture; the ending of ``path`` says in which format.

    Raises:
        ConfigInvalid: matplotlib is not installed, or the file cannot be written.
    """
    figure = _figure(4 * _COLUMNS, 2.6 * -(-len(certificate.checks) // _COLUMNS))
    for place, part in enumerate(certificate.checks, start=1):
        axes = figure.add_subplot(-(-len(certificate.checks) // _COLUMNS), _COLUMNS, place)
        _draw_check(axes, part, [scan[part.check] for scan in scores if part.check in scan], len(scores))
    whole = certificate.whole_scan
    figure.suptitle(f"{certificate.subject.value} at {certificate.site}: {whole.alarms} of {whole.n} clean scans alarm over all checks")
    _save(figure, path)


def draw_weighing(certificate: WeighingCertificate, loads: Sequence[Weighed], path: Path) -> None:
    """Write estimates with their intervals over true masses, by the bundle alone and by corrections that the load had no part in.

    Raises:
        ConfigInvalid: matplotlib is not installed, or the file cannot be written.
    """
    figure = _figure(9.0, 4.6)
    true = np.array([load.true_kg for load in loads]) / 1000.0
    unseen = held_out_intervals(loads)
    shown = [("bundle alone", intervals(loads, SiteFit())), *([] if unseen is None else [("corrected, held out", unseen)])]
    end = 1.05 * max(float(true.max()), *(float(found[:, 2].max()) / 1000.0 for _, found in shown))
    for place, (title, found) in enumerate(shown, start=1):
        low, middle, high = found.T / 1000.0
        axes = figure.add_subplot(1, 2, place)
        axes.plot([0.0, end], [0.0, end], color="grey", linewidth=0.8)
        axes.errorbar(true, middle, yerr=[middle - low, high - middle], fmt="o", markersize=3, linewidth=0.8, color="tab:blue")
        axes.set(xlim=(0.0, end), ylim=(0.0, end), aspect="equal", xlabel="weighbridge, t", ylabel="estimate, t", title=title)
    figure.suptitle(f"{certificate.scanner} at {certificate.site}: {certificate.n} weighed loads, 90 % intervals")
    _save(figure, path)


def _figure(width: float, height: float) -> "Figure":
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise ConfigInvalid("--plot needs the package matplotlib, which is not installed") from problem
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: "Figure", path: Path) -> None:
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as problem:
        raise ConfigInvalid(f"--plot: {path}: {problem}") from problem


def _draw_check(axes: "Axes", part: CheckPart, seen: Sequence[float], scans: int) -> None:
    falling = sorted(seen, reverse=True)
    axes.step(falling, [rank / scans for rank in range(1, len(falling) + 1)], where="post", color="tab:blue")
    axes.axvline(part.threshold, color="tab:red", linewidth=1.0)
    axes.set(xlim=(0.0, 1.02), ylim=(0.5 / scans, 1.0), yscale="log", xlabel="score", ylabel="clean scans at or above")
    axes.set_title(f"{part.check}: alert from {part.threshold:.4f}{' (policy)' if part.is_fixed else ''}", fontsize=9)
