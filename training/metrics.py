"""How good a detector is: average precision as COCO defines it (101 recall points), and tile alarms at a fixed false-alarm rate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.imaging.boxes import iou_matrix, suppress

IOUS = tuple(0.5 + 0.05 * step for step in range(10))


@dataclass(frozen=True, slots=True)
class Found:
    """Detections of one tile. ``boxes``: (n, 4) float32 xyxy; ``scores``: (n,); ``labels``: (n,) int; ``truth``: (g, 5) class, xyxy."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.intp]
    truth: NDArray[np.float32]


def tidy(boxes: NDArray[np.float32], scores: NDArray[np.float32], truth: NDArray[np.float32], floor: float = 0.01) -> Found:
    """Reduce raw outputs (A, 4) and (A, C) of a tile to detections, with the suppression of the runtime."""
    anchors, labels = np.nonzero(scores >= floor)
    values = scores[anchors, labels]
    kept = suppress(boxes[anchors], values, labels, 0.5)
    return Found(boxes[anchors][kept], values[kept], labels[kept], truth[truth[:, 0] >= 0])


def average_precision(tiles: list[Found], label: int, iou: float) -> float:
    """Give AP of one label at one IoU; NaN when there is no such object."""
    total = sum(int((tile.truth[:, 0] == label).sum()) for tile in tiles)
    if total == 0:
        return float("nan")
    scores, hits = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for tile in tiles:
        mine = tile.labels == label
        scores.append(tile.scores[mine])
        hits.append(_matches(tile.boxes[mine], tile.scores[mine], tile.truth[tile.truth[:, 0] == label, 1:], iou))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    is_hit = np.concatenate(hits)[order]
    recall = np.cumsum(is_hit) / total
    precision = np.cumsum(is_hit) / np.arange(1, is_hit.size + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.where(places < envelope.size, envelope[np.minimum(places, envelope.size - 1)] if envelope.size else 0.0, 0.0).mean())


def _matches(boxes: NDArray[np.float32], scores: NDArray[np.float32], truth: NDArray[np.float32], iou: float) -> NDArray[np.bool_]:
    """Tell which detections hit a true box that no stronger one has hit."""
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


def summary(tiles: list[Found], names: tuple[str, ...]) -> dict[str, float]:
    """Give mAP50, mAP75, mAP50-95, AP50 by label, and tile alarms at 1 % and 5 % false alarms, rounded to three places."""
    table = {name: [average_precision(tiles, place, iou) for iou in IOUS] for place, name in enumerate(names)}
    by_iou = np.nanmean(np.array(list(table.values())), axis=0)
    empty = np.array([tile.scores.max(initial=0.0) for tile in tiles if not len(tile.truth)])
    guilty = np.array([tile.scores.max(initial=0.0) for tile in tiles if len(tile.truth)])
    result = {"map50": by_iou[0], "map75": by_iou[5], "map50_95": by_iou.mean()}
    result |= {f"ap50_{name}": values[0] for name, values in table.items()}
    for share in (0.01, 0.05):
        result[f"tile_detection_at_{share:.0%}_false".replace("%", "pc")] = (guilty > np.quantile(empty, 1 - share)).mean()
    return {name: round(float(value), 3) for name, value in result.items()} | {
        "tiles": len(tiles),
        "objects": sum(len(t.truth) for t in tiles),
    }


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Give the 95 % Wilson interval of a share."""
    if total == 0:
        return (0.0, 1.0)
    z = 1.959964
    middle = (hits + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * np.sqrt(hits * (total - hits) / total + z * z / 4)
    return (round(float(middle - half), 3), round(float(middle + half), 3))
