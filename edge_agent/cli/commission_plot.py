"""The picture of a commissioning: for each check, the share of clean scans at or above a score, and where the level lies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.agent.certificate import Certificate, CheckPart
from edge_agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3


def draw(certificate: Certificate, scores: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write the picture; the ending of ``path`` says in which format.

    Raises:
        ConfigInvalid: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise ConfigInvalid("--plot needs the package matplotlib, which is not installed") from problem
    figure = Figure(figsize=(4 * _COLUMNS, 2.6 * -(-len(certificate.checks) // _COLUMNS)), layout="constrained")
    for place, part in enumerate(certificate.checks, start=1):
        axes = figure.add_subplot(-(-len(certificate.checks) // _COLUMNS), _COLUMNS, place)
        _draw_check(axes, part, [scan[part.check] for scan in scores if part.check in scan], len(scores))
    whole = certificate.whole_scan
    figure.suptitle(f"{certificate.subject.value} at {certificate.site}: {whole.alarms} of {whole.n} clean scans alarm over all checks")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as problem:
        raise ConfigInvalid(f"--plot: {path}: {problem}") from problem


def _draw_check(axes: "Axes", part: CheckPart, seen: Sequence[float], scans: int) -> None:
    falling = sorted(seen, reverse=True)
    axes.step(falling, [rank / scans for rank in range(1, len(falling) + 1)], where="post", color="tab:blue")
    axes.axvline(part.threshold, color="tab:red", linewidth=1.0)
    axes.set(xlim=(0.0, 1.0), ylim=(0.5 / scans, 1.0), yscale="log", xlabel="score", ylabel="clean scans at or above")
    axes.set_title(f"{part.check}: alert from {part.threshold:.4f}{' (policy)' if part.is_fixed else ''}", fontsize=9)
