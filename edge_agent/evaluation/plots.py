"""Pictures of an evaluation: precision over recall, ROC, reliability (PNG)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edge_agent.errors import ConfigInvalid
from edge_agent.evaluation.coco import Precisions
from edge_agent.evaluation.curves import Separation, auc, reliability, roc
from edge_agent.evaluation.report import Report

_SIDE_IN = 5.0


def draw(report: Report, folder: Path) -> None:
    """Write the pictures of what there is to draw."""
    if report.precisions is not None:
        draw_precision(report.precisions, folder / "precision.png")
    if report.questions:
        draw_roc(report.questions, folder / "roc.png")
        draw_reliability(report.questions, folder / "reliability.png")


def draw_precision(seen: Precisions, path: Path) -> None:
    """Draw precision over recall at IoU 0.5, one line a label.

    Raises:
        ConfigInvalid: the file cannot be written; so say all three.
    """
    axes = _axes(f"{seen.pictures} pictures, IoU 0.5")
    recall = np.linspace(0.0, 1.0, 101)
    for label, precision in seen.curves.items():
        axes.plot(recall, precision, label=f"{label}: AP50 {seen.ap50[label]:.2f}, {seen.objects[label]} labelled")
    axes.set(xlabel="recall", ylabel="precision")
    _save(axes, path)


def draw_roc(groups: Sequence[Separation], path: Path) -> None:
    """Draw how many guilty scans are found at which share of false alarms, one line a question."""
    axes = _axes("found at which share of false alarms")
    for each in groups:
        false, true = roc(each)
        words = f"{each.name}: AUC {auc(each):.3f}, {each.guilty.size} guilty, {each.clean.size} clean"
        axes.plot(false, true, label=words)
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1, zorder=0)
    axes.set(xlabel="share of clean scans that alarm", ylabel="share of guilty scans found")
    _save(axes, path)


def draw_reliability(groups: Sequence[Separation], path: Path) -> None:
    """Draw how often a score of about so much was right, with 95 % intervals; on the diagonal, scores are probabilities."""
    axes = _axes("is a score a probability?")
    for each in groups:
        bins = [one for one in reliability(each) if one.rate.value is not None]
        shares = [one.rate.hits / one.rate.n for one in bins]
        below = [share - one.rate.interval.low for share, one in zip(shares, bins, strict=True)]
        above = [one.rate.interval.high - share for share, one in zip(shares, bins, strict=True)]
        axes.errorbar([one.mean for one in bins], shares, yerr=[below, above], marker="o", capsize=3, label=each.name)
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1, zorder=0)
    axes.set(xlabel="mean score", ylabel="share of guilty scans")
    _save(axes, path)


def _axes(title: str) -> Axes:
    axes = Figure(figsize=(_SIDE_IN * 1.3, _SIDE_IN), layout="constrained").add_subplot()
    axes.set_title(title, fontsize=10)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    return axes


def _save(axes: Axes, path: Path) -> None:
    axes.legend(fontsize=8)
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 - axes are made in one
    try:
        figure.savefig(path, dpi=120)
    except OSError as problem:
        raise ConfigInvalid(f"{path}: {problem.strerror}") from problem
