"""What the raw outputs of a graph mean, by the head that the card names. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.imaging.boxes import Candidates
from edge_agent.imaging.regions import mean_around
from edge_agent.inference.card import ContentsCard

EMPTY = "empty"
"""The family of an empty container: part of the labels, and free space wherever there is load."""

INSIDE_AT = 0.5
"""A cell with so much empty space lies inside the container, as every cell with load does."""

LEAST_EXPLAINED = 1.0 / 512.0
"""The least share of a cell that is taken for explained: half of the least that a stored goods map can tell from nothing."""

MOST_CANDIDATES = 1000
"""Candidates a tile that go on to the merging."""


def boxes_scores(boxes: NDArray[np.float32], scores: NDArray[np.float32], floors: NDArray[np.float32]) -> Candidates:
    """Read head ``boxes-scores``: every (anchor, class) whose score reaches its class's floor.

    At most the best 1,000 of a tile are kept, so that a model gone wild cannot stall the scan.

    ``boxes``: (A, 4) xyxy px of the tile; ``scores``: (A, C) in [0, 1]; ``floors``: (C,).
    """
    # One comparison with the lowest floor first: comparing along the short class axis costs fifteen times as much.
    cells = np.flatnonzero(scores.reshape(-1) >= floors.min())
    anchors, labels = np.divmod(cells, scores.shape[1])
    above = scores[anchors, labels] >= floors[labels]
    anchors, labels = anchors[above], labels[above]
    if len(anchors) > MOST_CANDIDATES:
        best = np.argpartition(-scores[anchors, labels], MOST_CANDIDATES)[:MOST_CANDIDATES]
        anchors, labels = anchors[best], labels[best]
    return Candidates(boxes[anchors], scores[anchors, labels], labels)


@dataclass(frozen=True, slots=True)
class GoodsClasses:
    """Classes of a goods map in their order: K families (one of them ``empty``), then the background classes."""

    families: tuple[str, ...]
    background: tuple[str, ...]

    def multi_hot(self, declared: Sequence[str]) -> NDArray[np.float32]:
        """Give the (1, K) mask of declared families."""
        return np.array([[1.0 if name in declared else 0.0 for name in self.families]], dtype=np.float32)

    def majority(self, goods: NDArray[np.uint8]) -> tuple[str, ...]:
        """Give the family that fills most of the load, none when there is no load. ``goods``: (K + B, h, w)."""
        totals = goods[: len(self.families)].sum(axis=(1, 2), dtype=np.int64)
        totals[self.families.index(EMPTY)] = 0
        return (self.families[int(totals.argmax())],) if totals.any() else ()


def judge_goods(
    goods: NDArray[np.uint8], classes: GoodsClasses, declared: Sequence[str], formula: ContentsCard
) -> tuple[float, NDArray[np.float32]]:
    """Give score and heat map (h, w) of a stored goods map against declared families: the formula of the graph, in numpy.

    Evidence is the share of everything that is neither declared nor background nor empty space; it counts where there is load. Of families
    that the bundle takes for a declared one (``look_alikes``) a part counts as declared. The strongest cells are a share of all cells
    inside the container, so that a speck in an empty one does not count as a whole load. Evidence is averaged over some cells first where
    the card says so: a lone high cell at an edge is mostly an error. No load gives 0: nothing could differ from the declaration.
    """
    shares = goods.astype(np.float32) / 255.0
    names = (*classes.families, *classes.background)
    free = shares[[i for i, name in enumerate(names) if name == EMPTY or name in classes.background]].sum(axis=0)
    explained = np.tensordot(_as_declared(classes, declared, formula), shares, axes=1) + free
    load = (1.0 - free) > formula.load_threshold
    evidence = (np.clip(1.0 - explained, 0.0, 1.0) * load).astype(np.float32)
    inside = load | (shares[names.index(EMPTY)] > INSIDE_AT)
    around = mean_around(_weighed(evidence, formula).astype(np.float32), formula.evidence_cells) * load
    return evidence_score(around, inside, formula) if load.any() else 0.0, evidence


def evidence_score(evidence: NDArray[np.float32], inside: NDArray[np.bool_], formula: ContentsCard) -> float:
    """Give the calibrated mean of the strongest share of the evidence inside the container: sigmoid(a * mean + b).

    ``evidence``: (h, w) in the card's unit; ``inside``: (h, w), at least one cell is inside.
    """
    values = evidence[inside]
    count = max(1, round(values.size * formula.top_share))
    top = np.partition(values, values.size - count)[-count:]
    return _calibrated(float(top.mean()), formula)


def highest_evidence_score(formula: ContentsCard) -> float:
    """Give the highest score there is: evidence is a share, so it ends at 1."""
    return _calibrated(float(_weighed(np.ones(1, dtype=np.float32), formula)[0]), formula)


def _as_declared(classes: GoodsClasses, declared: Sequence[str], formula: ContentsCard) -> NDArray[np.float32]:
    """Give how much of each class (K + B,) counts as declared; nothing of free space, which counts by itself."""
    alike = [{**formula.look_alikes.get(family, {}), family: 1.0} for family in declared if family != EMPTY]
    parts = [max((one.get(name, 0.0) for one in alike), default=0.0) for name in classes.families]
    return np.array([*parts, *(0.0 for _ in classes.background)], dtype=np.float32)


def _weighed(evidence: NDArray[np.float32], formula: ContentsCard) -> NDArray[np.float32]:
    """Give evidence in the card's unit: as the share it is, or in nats, -ln of the share that is explained, from 0 to ln(1 / LEAST)."""
    if formula.evidence_unit == "share":
        return evidence
    return np.asarray(-np.log((1.0 - evidence) * (1.0 - LEAST_EXPLAINED) + LEAST_EXPLAINED), dtype=np.float32)


def _calibrated(mean: float, formula: ContentsCard) -> float:
    return float(1.0 / (1.0 + np.exp(-(formula.a * mean + formula.b))))
