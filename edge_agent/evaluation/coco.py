"""Average precision as COCO defines it, by COCO's own program (``pycocotools``, whose only home this is)."""

import contextlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edge_agent.domain.geometry import Box
from edge_agent.evaluation.dataset import TrueBox
from edge_agent.evaluation.record import Placed
from edge_agent.kpi.intervals import Interval

RESAMPLES = 200
_SEED = 1
_MOST_DETECTIONS = 100
_SAME = 1e-9
_IOU_75 = 5


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture's objects and what was found in it."""

    boxes: Sequence[TrueBox]
    found: Sequence[Placed]


@dataclass(frozen=True, slots=True, eq=False)
class Precisions:
    """Average precisions, with 95 % intervals by drawing the pictures anew (bootstrap).

    An interval is None where every draw gives the same figure, as with a handful of objects that are all found: how far off the figure
    may be is then not told. ``ap50``, ``ap``: by label that occurs; ``curves``: precision at 101 recalls from 0 to 1 for IoU 0.5.
    ``objects``: how many count, by label that occurs.
    """

    map50: float
    map75: float
    map50_95: float
    map50_interval: Interval | None
    map50_95_interval: Interval | None
    ap50: Mapping[str, float]
    ap: Mapping[str, float]
    curves: Mapping[str, NDArray[np.float64]]
    pictures: int
    objects: Mapping[str, int]


def average_precisions(
    pictures: Sequence[Picture], labels: Sequence[str], resamples: int = RESAMPLES, groups: Sequence[int] | None = None
) -> Precisions | None:
    """Give the precisions over all pictures; None where no object of ``labels`` counts.

    ``groups``: what each picture is of, where several show the same scene; intervals are then drawn from scenes, not from pictures.
    """
    objects = Counter(box.label for picture in pictures for box in picture.boxes if box.label in labels and not box.is_ignored)
    if not objects:
        return None
    with contextlib.redirect_stdout(io.StringIO()):  # the library reports its progress in print
        judge = _judge(pictures, labels)
        table = _accumulated(judge)
        drawn = _drawn_again(judge, range(len(pictures)) if groups is None else groups, resamples)
    map50, map50_95 = _means(table)
    occurring = [place for place in range(len(labels)) if (table[:, :, place] > -1).any()]
    return Precisions(
        map50,
        float(table[_IOU_75, :, occurring].mean()),
        map50_95,
        _spread(drawn[:, 0]),
        _spread(drawn[:, 1]),
        {labels[place]: float(table[0, :, place].mean()) for place in occurring},
        {labels[place]: float(table[:, :, place].mean()) for place in occurring},
        {labels[place]: table[0, :, place] for place in occurring},
        len(pictures),
        {labels[place]: objects[labels[place]] for place in occurring},
    )


def _judge(pictures: Sequence[Picture], labels: Sequence[str]) -> COCOeval:
    """Let the library match detections with objects."""
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    known = [(at, box) for at, picture in enumerate(pictures, start=1) for box in picture.boxes if box.label in numbers]
    truth = [_row(at, numbers[box.label], box.box) | {"iscrowd": int(box.is_ignored)} for at, box in known]
    found = [
        _row(at, numbers[one.label], one.box) | {"iscrowd": 0, "score": one.score}
        for at, picture in enumerate(pictures, start=1)
        for one in picture.found
        if one.label in numbers
    ]
    images = [{"id": at} for at in range(1, len(pictures) + 1)]
    categories = [{"id": number, "name": label} for label, number in numbers.items()]
    judge = COCOeval(_set(images, categories, truth), _set(images, categories, found), "bbox")
    judge.params.areaRng, judge.params.areaRngLbl = [[0.0, 1e12]], ["all"]
    judge.params.maxDets = [_MOST_DETECTIONS]
    judge.evaluate()
    return judge


def _row(at: int, number: int, box: Box) -> dict[str, Any]:
    return {"image_id": at, "category_id": number, "bbox": [box.x0, box.y0, box.width, box.height], "area": box.area}


def _set(images: list[dict[str, Any]], categories: list[dict[str, Any]], rows: list[dict[str, Any]]) -> COCO:
    made = COCO()
    made.dataset = {"images": images, "categories": categories, "annotations": [{"id": i, **row} for i, row in enumerate(rows, start=1)]}
    made.createIndex()
    return made


def _accumulated(judge: COCOeval) -> NDArray[np.float64]:
    """Give precision (10 IoUs, 101 recalls, labels); -1 for a label without an object."""
    judge.accumulate()
    table: NDArray[np.float64] = judge.eval["precision"][:, :, :, 0, 0]
    return table


def _means(table: NDArray[np.float64]) -> tuple[float, float]:
    """Give mAP50 and mAP50-95 over the labels that occur; NaN where none does."""
    occurring = table[:, :, (table[0] > -1).any(axis=0)]
    return (float(occurring[0].mean()), float(occurring.mean())) if occurring.size else (float("nan"), float("nan"))


def _drawn_again(judge: COCOeval, groups: Sequence[int], resamples: int) -> NDArray[np.float64]:
    """Give mAP50 and mAP50-95 (resamples, 2) of groups of pictures drawn with replacement, until there are as many pictures as before.

    The matching is done once, as it stays the same.
    """
    rng = default_rng(_SEED)
    flat = np.empty(len(judge.evalImgs), dtype=object)
    flat[:] = judge.evalImgs
    matched = flat.reshape(-1, len(groups))  # one row a label
    members = [np.flatnonzero(np.asarray(groups) == group) for group in dict.fromkeys(groups)]
    values = []
    for _ in range(resamples):
        order = [rng.integers(0, len(members), len(members)) for _ in range(2)]  # the second round where small groups were drawn
        rows = np.concatenate([members[place] for place in np.concatenate(order)])[: len(groups)]
        judge.evalImgs = list(matched[:, rows].ravel())
        values.append(_means(_accumulated(judge)))
    return np.array(values).reshape(-1, 2)


def _spread(values: NDArray[np.float64]) -> Interval | None:
    defined = values[np.isfinite(values)]
    if not defined.size or np.ptp(defined) < _SAME:
        return None
    low, high = np.quantile(defined, (0.025, 0.975))
    return Interval(float(low), float(high))
