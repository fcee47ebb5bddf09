"""What the product made of one picture, beside what is known of it. Boxes and points: px of the stored picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.analysis.conclude import EMPTY_FAMILY, HETEROGENEITY
from edge_agent.analysis.run import ViewMaps
from edge_agent.domain.assessment import MachineConclusion
from edge_agent.domain.finding import Detection, Finding, Heterogeneity, ProductGuess, WeightEstimate
from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import Energy, Scan, View
from edge_agent.evaluation.dataset import Truth
from edge_agent.imaging.regions import peak_of
from edge_agent.imaging.render import to_grey

DARK_BELOW = 128
"""The dark-share baseline counts what is darker than the middle of the grey scale."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A detection in px of the stored picture."""

    label: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Brightness:
    """The two baselines, over the container where it was found and else the whole picture; both in [0, 1]."""

    mean_grey: float
    dark_share: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What came out. ``scores``: the highest over all views of ``heterogeneity`` and ``empty``, the latter whatever was declared.

    ``against``: families that the load was compared with. ``product``: the family that it looks most like. ``peak``: where the
    evidence map is highest.
    """

    has_alerted: bool
    detections: tuple[Placed, ...]
    scores: Mapping[str, float]
    against: tuple[str, ...]
    product: str | None
    weight: WeightEstimate | None
    peak: tuple[float, float] | None
    brightness: Brightness


@dataclass(frozen=True, slots=True)
class Record:
    """One picture that was judged."""

    truth: Truth
    seen: Seen


LIGHTNESS: Mapping[str, Callable[[Record], float]] = {
    "mean grey": lambda record: record.seen.brightness.mean_grey,
    "dark share": lambda record: -record.seen.brightness.dark_share,
}
"""The baselines: both are high for what lets much of the beam through, an empty container or a load lighter than others."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judgement holds that is measured here."""

    findings: Sequence[Finding]
    maps: Sequence[ViewMaps]
    word: MachineConclusion


def record(truth: Truth, scan: Scan, judged: Judged) -> Record:
    """Bring a judgement into the frame of the stored picture."""
    view = next((view for view in scan.views if view.name == truth.view), scan.views[0])
    detections = [one for one in judged.findings if isinstance(one, Detection) and one.view == view.name]
    compared = [one for one in judged.findings if isinstance(one, Heterogeneity) and one.view == view.name]
    guesses = [one for one in judged.findings if isinstance(one, ProductGuess) and one.view == view.name]
    seen = Seen(
        judged.word is MachineConclusion.ALERT,
        tuple(Placed(one.label, one.score, view.to_native(one.box)) for one in detections),
        _scores(judged.findings),
        compared[0].against if compared else (),
        guesses[0].ranked[0][0] if guesses and guesses[0].ranked else None,
        next((one for one in judged.findings if isinstance(one, WeightEstimate)), None),
        _peak(view, judged.maps),
        _brightness(view),
    )
    return Record(truth, seen)


def _scores(findings: Sequence[Finding]) -> dict[str, float]:
    unlike = [one.score for one in findings if isinstance(one, Heterogeneity)]
    empty = [dict(one.ranked).get(EMPTY_FAMILY, 0.0) for one in findings if isinstance(one, ProductGuess)]
    return {check: max(found) for check, found in ((HETEROGENEITY, unlike), (EMPTY_FAMILY, empty)) if found}


def _peak(view: View, maps: Sequence[ViewMaps]) -> tuple[float, float] | None:
    """Give the middle of the highest place of the contents map, or of another one where there is none."""
    mine = sorted((one for one in maps if one.view == view.name), key=lambda one: one.goods is None)
    if not mine:
        return None
    across, down = peak_of(mine[0].heat)
    x, y = across * view.size.width, down * view.size.height
    point = view.to_native(Box(x, y, x, y))
    return point.x0, point.y0


def _brightness(view: View) -> Brightness:
    grey = to_grey(view.plane(Energy.HIGH, Energy.SINGLE, Energy.LOW) or view.planes[0])
    if view.load is not None:
        inner = view.load.clipped(view.size)
        part = grey[int(inner.y0) : int(np.ceil(inner.y1)), int(inner.x0) : int(np.ceil(inner.x1))]
        grey = part if part.size else grey
    return Brightness(float(grey.mean()) / 255.0, float((grey < DARK_BELOW).mean()))
