"""How good a detector is: average precision as COCO defines it (101 recall points), and tile alarms at a fixed false-alarm rate.

Ignored boxes are handled much as COCO handles crowds: they are no targets, and a detection that hits no target and lies in one of them by
half of its area is no false alarm. Unlike there, half is enough at every IoU, and an ignored box stands for all labels.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from edge_agent.evaluation import curves
from edge_agent.imaging.boxes import Candidates, iou_matrix, voted
from edge_agent.kpi.intervals import wilson
from training.tiles import IGNORED

IOUS = tuple(0.5 + 0.05 * step for step in range(10))
_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Found:
    """Detections of one tile. ``boxes``: (n, 4) float32 xyxy; ``scores``: (n,); ``labels``: (n,) int; ``truth``: (g, 5) class, xyxy.

    ``ignored``: (i, 4) xyxy of what counts neither way.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.intp]
    truth: NDArray[np.float32]
    ignored: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Matched:
    """What became of the detections of one label in one tile, for each IoU. ``hits``: (ious, n); ``counts``: (ious, n) bool."""

    scores: NDArray[np.float32]
    hits: NDArray[np.bool_]
    counts: NDArray[np.bool_]
    targets: int


def tidy(boxes: NDArray[np.float32], scores: NDArray[np.float32], truth: NDArray[np.float32], floor: float = 0.01) -> Found:
    """Reduce raw outputs (A, 4) and (A, C) of a tile to detections, with the runtime's suppression and voting."""
    anchors, labels = np.nonzero(scores >= floor)
    values = scores[anchors, labels]
    found = voted(Candidates(boxes[anchors], values, labels))
    is_ignored = truth[:, 0] == IGNORED
    return Found(found.boxes, found.scores, found.labels, truth[truth[:, 0] >= 0], truth[is_ignored, 1:])


def under_any_label(tile: Found) -> Found:
    """Give the tile as if there were one label: what was found, whatever it was called."""
    found = voted(Candidates(tile.boxes, tile.scores, np.zeros_like(tile.labels)))
    return Found(found.boxes, found.scores, found.labels, tile.truth * np.array([0, 1, 1, 1, 1], dtype=np.float32), tile.ignored)


def average_precisions(matched: list[Matched]) -> NDArray[np.float64]:
    """Give AP for each of ``IOUS`` of one label over tiles; NaN where there is no such object."""
    total = sum(one.targets for one in matched)
    if total == 0:
        return np.full(len(IOUS), np.nan)
    scores = np.concatenate([one.scores for one in matched])
    order = np.argsort(-scores, kind="stable")
    hits = np.concatenate([one.hits for one in matched], axis=1)[:, order]
    counts = np.concatenate([one.counts for one in matched], axis=1)[:, order]
    return np.array([_average_precision(hit[count], total) for hit, count in zip(hits, counts, strict=True)])


def average_precision(tiles: list[Found], label: int, iou: float) -> float:
    """Give AP of one label at one of ``IOUS``; NaN where there is no such object."""
    return float(average_precisions([match(tile, label) for tile in tiles])[IOUS.index(iou)])


def match(tile: Found, label: int) -> Matched:
    """Tell which detections of a label hit a true box that no stronger one has hit, and which count at all."""
    mine = tile.labels == label
    boxes, scores = tile.boxes[mine], tile.scores[mine]
    truth = tile.truth[tile.truth[:, 0] == label, 1:]
    hits = np.stack([_hits(boxes, scores, truth, iou) for iou in IOUS])
    return Matched(scores, hits, hits | ~_covered(boxes, tile.ignored), len(truth))


def summary(tiles: list[Found], names: tuple[str, ...]) -> dict[str, float]:
    """Give mAP50, mAP75, mAP50-95, AP50 by label and under any label, and tile alarms at 1 % and 5 % false alarms; three places."""
    table = [[match(tile, place) for tile in tiles] for place in range(len(names))]
    by_label = np.array([average_precisions(column) for column in table])
    by_iou = _mean(by_label)
    result: dict[str, float] = {"map50": by_iou[0], "map75": by_iou[5], "map50_95": by_iou.mean()}
    result |= {f"ap50_{name}": value for name, value in zip(names, by_label[:, 0], strict=True) if np.isfinite(value)}
    if any(len(tile.truth) for tile in tiles):
        result["ap50_any_label"] = average_precision([under_any_label(tile) for tile in tiles], 0, IOUS[0])
    result |= _alarms(tiles)
    counted = {"tiles": len(tiles), "objects": sum(len(t.truth) for t in tiles), "ignored": sum(len(t.ignored) for t in tiles)}
    return {name: round(float(value), 3) for name, value in result.items()} | counted


def intervals(tiles: list[Found], names: tuple[str, ...], seed: int = 1) -> dict[str, list[float]]:
    """Give 95 % intervals of mAP50 and mAP50-95 by drawing tiles anew 200 times (bootstrap).

    Tiles of one scene are drawn as if they were independent, so the intervals are somewhat too narrow.
    """
    table = [[match(tile, place) for tile in tiles] for place in range(len(names))]
    rng = default_rng(seed)
    drawn = []
    for _ in range(_RESAMPLES):
        rows = rng.integers(0, len(tiles), len(tiles))
        by_iou = _mean(np.array([average_precisions([column[row] for row in rows]) for column in table]))
        drawn.append((by_iou[0], by_iou.mean()))
    low, high = np.quantile(np.array(drawn), (0.025, 0.975), axis=0)
    return {name: [round(float(low[i]), 3), round(float(high[i]), 3)] for i, name in enumerate(("map50", "map50_95"))}


def share(name: str, hits: int, total: int) -> dict[str, object]:
    """Give a share with its 95 % interval (Wilson) and its count, as a card shows it."""
    bounds = wilson(hits, total)
    return {name: round(hits / max(1, total), 3), f"{name}_n": total, f"{name}_interval_95": [round(bounds.low, 3), round(bounds.high, 3)]}


def auc(guilty: NDArray[np.float64], clean: NDArray[np.float64]) -> float:
    """Give the area under the ROC curve."""
    return curves.auc(curves.Separation("", guilty, clean))


def auc_with_interval(name: str, guilty: NDArray[np.float64], clean: NDArray[np.float64]) -> dict[str, object]:
    """Give an AUC with its 95 % interval (``evaluation.curves``) and both counts."""
    area = auc(guilty, clean)
    bounds = curves.auc_interval(area, len(guilty), len(clean))
    interval = [round(bounds.low, 3), round(bounds.high, 3)]
    return {name: round(area, 3), f"{name}_n": [len(guilty), len(clean)], f"{name}_interval_95": interval}


def _mean(by_label: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean over labels that occur, for each IoU."""
    occurs = np.isfinite(by_label[:, 0])
    return by_label[occurs].mean(axis=0) if occurs.any() else np.full(len(IOUS), np.nan)


def _average_precision(hits: NDArray[np.bool_], total: int) -> float:
    recall = np.cumsum(hits) / total
    precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.where(places < envelope.size, envelope[np.minimum(places, envelope.size - 1)] if envelope.size else 0.0, 0.0).mean())


def _hits(boxes: NDArray[np.float32], scores: NDArray[np.float32], truth: NDArray[np.float32], iou: float) -> NDArray[np.bool_]:
    hit = np.zeros(len(boxes), dtype=bool)
    if not len(boxes) or not len(truth):
        return hit
    overlaps = iou_matrix(boxes, truth)
    free = np.ones(len(truth), dtype=bool)
    for place in np.argsort(-scores, kind="stable"):
        candidates = np.where(free, overlaps[place], 0.0)
        best = int(candidates.argmax())
        if candidates[best] >= iou:
            hit[place], free[best] = True, False
    return hit


def _covered(boxes: NDArray[np.float32], ignored: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell which boxes lie in an ignored one by half of their own area."""
    if not len(boxes) or not len(ignored):
        return np.zeros(len(boxes), dtype=bool)
    low, high = np.maximum(boxes[:, None, :2], ignored[None, :, :2]), np.minimum(boxes[:, None, 2:], ignored[None, :, 2:])
    inner = np.clip(high - low, 0.0, None).prod(axis=2)
    area = np.clip(boxes[:, 2:] - boxes[:, :2], 1e-6, None).prod(axis=1)
    covered: NDArray[np.bool_] = (inner / area[:, None] >= 0.5).any(axis=1)
    return covered


def _alarms(tiles: list[Found]) -> dict[str, float]:
    """Give the share of tiles with targets whose best score beats what 1 % and 5 % of the tiles with nothing reach."""
    empty = np.array([tile.scores.max(initial=0.0) for tile in tiles if not len(tile.truth) and not len(tile.ignored)])
    guilty = np.array([tile.scores.max(initial=0.0) for tile in tiles if len(tile.truth)])
    if not empty.size or not guilty.size:
        return {}
    return {f"tile_detection_at_{level}pc_false": float((guilty > np.quantile(empty, 1 - level / 100)).mean()) for level in (1, 5)}
