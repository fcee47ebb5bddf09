"""Why a model said what it said, without looking inside it.

*Saliency* of a detection: parts of the view are taken out of the beam at random, again and again; where hiding costs the detection its
score, the model looked (RISE, Petsiuk et al. 2018, arXiv 1806.07421; for detectors D-RISE, Petsiuk et al. 2021, arXiv 2006.03204).
*Other declarations*: the stored shares of goods are judged against each family in turn, without inference. The score comes from the worst
places alone, and is the same whether a tenth of the load differs or all of it; so families are ranked by how much they leave unexplained.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from edge_agent.analysis.conclude import EMPTY_FAMILY
from edge_agent.analysis.ports import ContentsModel, Fan, ObjectDetector, one_by_one
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection, Heterogeneity, ProductGuess
from edge_agent.domain.geometry import Box, Size
from edge_agent.domain.scan import Plane, Quantity, View
from edge_agent.imaging.resample import resampled

FAINT = 0.01
"""Under a mask a detection counts from this score up, far below what is ever shown."""

MOST_ADDED = 3
"""Families that may be added to a declaration until it explains the image."""

CLEARLY = 0.25
"""A family counts as missing when it explains more than this share of what is unexplained: one of a few goods, not a trace of many."""

_ELSE_AT = 0.5  # evidence of a cell that looks more like other goods than like all that are declared
_VISIBLE = 0.5  # share of the cells that stay
_GRID_PX = 256  # the map is computed on at most so many px a side


@dataclass(frozen=True, slots=True)
class MaskPlan:
    """How masks are drawn: how many, ``cells`` along the longer side, and the seed that makes them the same every time."""

    count: int = 400
    cells: int = 12
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """Where a detection's score comes from.

    ``region``: the part of the view that was masked, px of the view. ``drop``: (h, w) float32 on a grid that spans the region: mean score
    where the place is visible minus mean score where it is hidden. ``unmasked``: the score with nothing hidden, as it is compared.
    """

    target: Detection
    region: Box
    drop: NDArray[np.float32]
    unmasked: float

    @property
    def heat(self) -> NDArray[np.float32]:
        """Give the drop in [0, 1], 1 where hiding costs most; all 0 where hiding never costs anything."""
        most = max(float(self.drop.max()), 1e-9)
        heat: NDArray[np.float32] = np.clip(self.drop / most, 0.0, 1.0).astype(np.float32)
        return heat

    @property
    def peak(self) -> tuple[float, float]:
        """Give (x, y) of the place that counts most, px of the view."""
        row, column = np.unravel_index(int(self.drop.argmax()), self.drop.shape)
        height, width = self.drop.shape
        x = self.region.x0 + (int(column) + 0.5) * self.region.width / width
        return x, self.region.y0 + (int(row) + 0.5) * self.region.height / height

    def over(self, view: Size) -> NDArray[np.float32]:
        """Give the heat on a grid that spans the whole view, 0 outside the region."""
        ratio = max(self.drop.shape[1] / self.region.width, self.drop.shape[0] / self.region.height)
        whole = np.zeros((max(1, round(view.height * ratio)), max(1, round(view.width * ratio))), dtype=np.float32)
        y0, x0 = (
            min(round(start * ratio), extent - 1) for start, extent in zip((self.region.y0, self.region.x0), whole.shape, strict=True)
        )
        inner = Size(max(1, round(self.region.width * ratio)), max(1, round(self.region.height * ratio)))
        target = whole[y0 : y0 + inner.height, x0 : x0 + inner.width]
        target[...] = resampled(self.heat, inner)[: target.shape[0], : target.shape[1]]
        return whole


@dataclass(frozen=True, slots=True)
class Question:
    """One detection of a view, and how the masks for it are drawn."""

    detector: ObjectDetector
    view: View
    subject: SubjectKind
    target: Detection
    plan: MaskPlan

    @property
    def region(self) -> Box:
        """Give what is masked and looked at: as much as one look of the detector takes in, around the target; else the whole view."""
        reach = self.detector.reach(self.view, self.subject)
        if reach is None:
            return Box(0, 0, self.view.size.width, self.view.size.height)
        box = self.target.box
        columns = _span((box.x0, box.x1), reach.width, self.view.size.width)
        rows = _span((box.y0, box.y1), reach.height, self.view.size.height)
        return Box(columns[0], rows[0], columns[1], rows[1])

    @property
    def grid(self) -> Size:
        """Give the px of the masks; they span the region."""
        ratio = min(1.0, _GRID_PX / max(self.region.width, self.region.height))
        return Size(max(1, round(self.region.width * ratio)), max(1, round(self.region.height * ratio)))

    def unmasked_score(self) -> float:
        """Give how much of the target is left when only the region is shown, in [0, 1]."""
        return self._score(cropped(self.view, self.region))

    def masked_score(self, number: int) -> float:
        """Give how much of the target is left under mask ``number``, in [0, 1]: one look of the detector."""
        return self._score(hidden(cropped(self.view, self.region), draw_mask(self.plan, number, self.grid)))

    def _score(self, seen: View) -> float:
        """Give the best overlap times score of the label's detections."""
        found = self.detector.detect(seen, self.subject, {self.target.label: FAINT}, one_by_one).detections
        here = self.target.box.moved(-self.region.x0, -self.region.y0)
        return max((overlap(one.box, here) * one.score for one in found), default=0.0)


def explain_detection(question: Question, fan: Fan, tick: Callable[[], None]) -> Saliency:
    """Give the saliency of a detection: one look of the detector a mask; ``tick`` is called after each, from any thread.

    Raises:
        InferenceFailed, EnergyMissing, DeviceFailed.
    """
    grid = question.grid

    def look(number: int) -> float:
        left = question.masked_score(number)
        tick()
        return left

    scores = fan(look, range(question.plan.count))
    seen, unseen = np.zeros((2, grid.height, grid.width)), np.zeros((2, grid.height, grid.width))
    for number, score in enumerate(scores):
        mask = draw_mask(question.plan, number, grid)
        seen += np.stack([mask * score, mask])
        unseen += np.stack([(1.0 - mask) * score, 1.0 - mask])
    drop = seen[0] / np.maximum(seen[1], 1e-6) - unseen[0] / np.maximum(unseen[1], 1e-6)
    return Saliency(question.target, question.region, drop.astype(np.float32), question.unmasked_score())


def draw_mask(plan: MaskPlan, number: int, size: Size) -> NDArray[np.float32]:
    """Give mask ``number``: (h, w) float32 in [0, 1], 1 = visible.

    Random cells, half of them visible, enlarged smoothly and shifted by a random part of a cell, so that no place lies at an edge more
    often than another.
    """
    rng = default_rng((plan.seed, number))
    cell = max(1.0, max(size.width, size.height) / plan.cells)
    across, down = (int(np.ceil(side / cell)) + 2 for side in (size.width, size.height))
    coarse = (rng.random((down, across)) < _VISIBLE).astype(np.float32)
    whole = resampled(coarse, Size(round(across * cell), round(down * cell)))
    x, y = (int(rng.integers(0, max(1, int(cell)))) for _ in range(2))
    mask: NDArray[np.float32] = whole[y + int(cell / 2) :, x + int(cell / 2) :][: size.height, : size.width]
    return mask


def hidden(view: View, mask: NDArray[np.float32]) -> View:
    """Give ``view`` with what ``mask`` (any grid that spans it; 0 = hide) hides taken out of the beam, as if there were air.

    Transmission: the attenuation is multiplied by the mask. Display: the darkness is. Other planes stay.
    """
    visible = resampled(mask, view.size)
    return View(view.name, tuple(_hidden(plane, visible) for plane in view.planes), view.pitch_mm, view.pitch_assumed)


def cropped(view: View, region: Box) -> View:
    """Give the part of a view inside ``region`` (whole px)."""
    rows, columns = slice(int(region.y0), int(region.y1)), slice(int(region.x0), int(region.x1))
    planes = tuple(Plane(plane.quantity, plane.energy, plane.pixels[rows, columns].copy()) for plane in view.planes)
    return View(view.name, planes, view.pitch_mm, view.pitch_assumed)


def overlap(first: Box, second: Box) -> float:
    """Give the intersection over union of two boxes."""
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    shared = max(width, 0.0) * max(height, 0.0)
    union = first.area + second.area - shared
    return shared / union if union > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class Fit:
    """How a declaration fits a load.

    ``score``: heterogeneity in [0, 1]. ``unexplained``: share of the load, in [0, 1], that lies in cells which look more like other goods
    than like all that are declared.
    """

    score: float
    unexplained: float


@dataclass(frozen=True, slots=True)
class Alternative:
    """What would be concluded of a view under another declaration.

    ``headings``: of the Harmonized System, four digits, that the family stands for. ``instead``: heterogeneity if this family were
    declared alone; ``besides``: if it were declared in addition to what is; ``unexplained_instead``, ``unexplained_besides``: how much of
    the load is then unexplained, as in :class:`Fit`. ``share``: of the load that looks like it, 0 when it is not among the first guesses.
    """

    family: str
    headings: tuple[str, ...]
    instead: float
    besides: float
    unexplained_instead: float
    unexplained_besides: float
    share: float
    is_declared: bool


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """What the contents model left of a view. ``goods``: (k, h, w) uint8, shares of its classes; ``declared``: families, may be none."""

    verdict: Heterogeneity
    guess: ProductGuess | None
    goods: NDArray[np.uint8]
    size: Size
    declared: tuple[str, ...]


def fit(contents: ContentsModel, load: Load, families: Sequence[str]) -> Fit:
    """Give how ``families``, at least one, would fit the load if they were declared; no inference."""
    return _fit(contents, load, families, _whole(contents, load))


def alternatives(contents: ContentsModel, load: Load) -> tuple[Alternative, ...]:
    """Give every family that can be declared, best explanation first; no inference, the stored map is judged twice a family.

    The best leaves the smallest part of the load unexplained; of equal ones, it has the lower score.
    """
    shares, whole = dict(load.guess.ranked) if load.guess is not None else {}, _whole(contents, load)
    rows = []
    for family, headings in contents.headings.items():
        instead = _fit(contents, load, (family,), whole)
        besides = _fit(contents, load, (*load.declared, family), whole) if load.declared else instead
        scores, left = (instead.score, besides.score), (instead.unexplained, besides.unexplained)
        rows.append(Alternative(family, headings, *scores, *left, shares.get(family, 0.0), family in load.declared))
    return tuple(sorted(rows, key=lambda row: (row.unexplained_instead, row.instead, -row.share, row.family)))


def missing_from_declaration(contents: ContentsModel, load: Load, alert_at: float) -> tuple[str, ...] | None:
    """Give the families that would have to be declared in addition for the view to stay below ``alert_at``, strongest first.

    One after the other, the family that explains most of what is unexplained. While there is an alert, a family must explain a clear share
    of what is left; afterwards one is named only if it explains as much of what was unexplained at first: an alert can end before the load
    is explained, when the score hardly reaches the level even without any likeness.

    Empty when the view stays below it as declared; None when three such families do not suffice, or nothing usable was declared.
    """
    if not load.declared:
        return None
    if load.verdict.score < alert_at:
        return ()
    added: tuple[str, ...] = ()
    before = left = _judged(contents, load, load.declared)[1]
    alerts = True
    while len(added) < MOST_ADDED:
        declared = (*load.declared, *added)
        tried = [(_judged(contents, load, (*declared, family))[1], family) for family in contents.headings if family not in declared]
        least, best = min(tried, default=(left, ""))
        if left - least <= CLEARLY * (left if alerts else before):
            break
        added, left = (*added, best), least
        alerts = _still_alerts(contents, load, (*declared, best), alert_at)
    return None if alerts else added


def _fit(contents: ContentsModel, load: Load, families: Sequence[str], whole: float) -> Fit:
    score, left = _judged(contents, load, families)
    return Fit(score, left / whole if whole > 0.0 else 0.0)


def _whole(contents: ContentsModel, load: Load) -> float:
    """Give the sum of the load over all cells: against an empty declaration all of it is evidence."""
    return _judged(contents, load, (EMPTY_FAMILY,))[1]


def _still_alerts(contents: ContentsModel, load: Load, families: Sequence[str], alert_at: float) -> bool:
    """Tell whether the view would alert, or may.

    The stored shares are rounded to 1/255, so a family may explain less than they say: it must be enough with every share a step lower too.
    """
    lower = replace(load, goods=load.goods - (load.goods > 0))
    return any(_judged(contents, one, families)[0] >= alert_at for one in (load, lower))


def _judged(contents: ContentsModel, load: Load, families: Sequence[str]) -> tuple[float, float]:
    """Give the score, and the sum of the evidence over all cells that look more like other goods, not only over the strongest few."""
    verdict, heat = contents.judge_again(load.verdict, load.goods, load.size, families)
    return verdict.score, float(heat[heat >= _ELSE_AT].sum(dtype=np.float64))


def _span(extent: tuple[float, float], reach: int, limit: int) -> tuple[int, int]:
    """Give where a stretch of ``reach`` px lies around ``extent`` inside [0, limit]; longer where the extent itself is longer."""
    length = min(limit, max(reach, int(np.ceil(1.2 * (extent[1] - extent[0])))))
    start = round((extent[0] + extent[1] - length) / 2)
    start = min(max(start, 0), limit - length)
    return start, start + length


def _hidden(plane: Plane, visible: NDArray[np.float32]) -> Plane:
    if plane.quantity is Quantity.TRANSMISSION:
        levels = np.log(np.maximum(plane.pixels, 1).astype(np.float32) / np.float32(65535.0))
        pixels: NDArray[np.uint16] | NDArray[np.uint8] = np.rint(np.exp(levels * visible) * np.float32(65535.0)).astype(np.uint16)
    elif plane.quantity is Quantity.DISPLAY:
        weight = visible if plane.pixels.ndim == 2 else visible[..., None]
        pixels = np.rint(255.0 - (255.0 - plane.pixels) * weight).astype(np.uint8)
    else:
        return plane
    return Plane(plane.quantity, plane.energy, pixels)
