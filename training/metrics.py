"""How good a detector is on tiles: average precision by COCO's own program (``evaluation.coco``), and alarms at a fixed false-alarm rate.

Ignored boxes are COCO's crowds, of every label: they are no targets, and a detection that hits no target and lies in one of them is no
false alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Box
from edge_agent.evaluation import curves
from edge_agent.evaluation.coco import Picture, average_precisions
from edge_agent.evaluation.dataset import TrueBox
from edge_agent.evaluation.record import Placed
from edge_agent.imaging.boxes import Candidates, voted
from edge_agent.kpi.intervals import wilson
from training.tiles import IGNORED

_ANY = "any label"


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


def tidy(boxes: NDArray[np.float32], scores: NDArray[np.float32], truth: NDArray[np.float32], floor: float = 0.01) -> Found:
    """Reduce raw outputs (A, 4) and (A, C) of a tile to detections, with the runtime's suppression and voting."""
    anchors, labels = np.nonzero(scores >= floor)
    values = scores[anchors, labels]
    found = voted(Candidates(boxes[anchors], values, labels))
    is_ignored = truth[:, 0] == IGNORED
    return Found(found.boxes, found.scores, found.labels, truth[truth[:, 0] >= 0], truth[is_ignored, 1:])


def summary(tiles: Sequence[Found], names: Sequence[str]) -> dict[str, float]:
    """Give mAP50, mAP75, mAP50-95, AP50 by label and under any label, and tile alarms at 1 % and 5 % false alarms; three places."""
    result: dict[str, float] = {}
    seen = average_precisions([_picture(tile, names) for tile in tiles], names, resamples=0)
    if seen is not None:
        any_label = average_precisions([_under_any_label(tile) for tile in tiles], (_ANY,), resamples=0)
        result = {"map50": seen.map50, "map75": seen.map75, "map50_95": seen.map50_95}
        result |= {f"ap50_{name}": value for name, value in seen.ap50.items()}
        result |= {"ap50_any_label": any_label.map50} if any_label is not None else {}
    result |= _alarms(tiles)
    counted = {"tiles": len(tiles), "objects": sum(len(t.truth) for t in tiles), "ignored": sum(len(t.ignored) for t in tiles)}
    return {name: round(float(value), 3) for name, value in result.items()} | counted


def intervals(tiles: Sequence[Found], names: Sequence[str], scenes: NDArray[np.int32]) -> dict[str, list[float]]:
    """Give 95 % intervals of mAP50 and mAP50-95 by drawing scenes anew (bootstrap); ``scenes``: (n,) the scene of each tile.

    There is none where every draw gives the same.
    """
    seen = average_precisions([_picture(tile, names) for tile in tiles], names, groups=scenes.tolist())
    both = {} if seen is None else {"map50": seen.map50_interval, "map50_95": seen.map50_95_interval}
    return {f"{name}_interval_95": [round(span.low, 3), round(span.high, 3)] for name, span in both.items() if span is not None}


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


def _picture(tile: Found, names: Sequence[str]) -> Picture:
    targets = [TrueBox(names[int(row[0])], _box(row[1:])) for row in tile.truth]
    neither = [TrueBox(name, _box(row), is_ignored=True) for row in tile.ignored for name in names]
    placed = [Placed(names[label], float(score), _box(row)) for row, score, label in zip(tile.boxes, tile.scores, tile.labels, strict=True)]
    return Picture([*targets, *neither], placed)


def _under_any_label(tile: Found) -> Picture:
    """Give the tile as if there were one label: what was found, whatever it was called, and once."""
    found = voted(Candidates(tile.boxes, tile.scores, np.zeros_like(tile.labels)))
    truth = tile.truth * np.array([0, 1, 1, 1, 1], dtype=np.float32)
    return _picture(Found(found.boxes, found.scores, found.labels, truth, tile.ignored), (_ANY,))


def _box(corners: NDArray[np.float32]) -> Box:
    x0, y0, x1, y1 = (float(value) for value in corners)
    return Box(x0, y0, x1, y1)


def _alarms(tiles: Sequence[Found]) -> dict[str, float]:
    """Give the share of tiles with targets whose best score beats what 1 % and 5 % of the tiles with nothing reach."""
    empty = np.array([tile.scores.max(initial=0.0) for tile in tiles if not len(tile.truth) and not len(tile.ignored)])
    guilty = np.array([tile.scores.max(initial=0.0) for tile in tiles if len(tile.truth)])
    if not empty.size or not guilty.size:
        return {}
    return {f"tile_detection_at_{level}pc_false": float((guilty > np.quantile(empty, 1 - level / 100)).mean()) for level in (1, 5)}
