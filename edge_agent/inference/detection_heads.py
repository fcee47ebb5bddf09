"""From the raw outputs of a detection graph to candidates in px of its input, by the head that the card names. Pure numpy.

Layouts are those of the published exporters: YOLOX ``export_onnx`` (grids left to the caller), YOLOv5 and YOLOv7 ``export`` (rows with
objectness), YOLOv8 and later (columns without), RT-DETR and D-FINE (queries), TensorFlow's detection zoo (suppression in the graph).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Size
from edge_agent.errors import InferenceFailed
from edge_agent.imaging.boxes import Boxes, Candidates
from edge_agent.inference.heads import MOST_CANDIDATES, boxes_scores
from edge_agent.inference.outputs import (
    Activation,
    AnomalyMapOutput,
    BoxForm,
    BoxUnit,
    ClassifierOutput,
    DetectionOutput,
    DetrOutput,
    LocatedOutput,
    SsdOutput,
    YoloColumnsOutput,
    YoloRowsOutput,
    YoloxOutput,
)

Values = NDArray[np.float32]
Shape = tuple[int | None, ...]

_SCORE_SLACK = 1e-3  # float16 sums and rounding lie a little above 1
_MOST_EXPONENT = 20.0  # exp of it is larger than any picture; keeps a wild value from becoming infinite


@dataclass(frozen=True, slots=True, eq=False)
class Readout:
    """How outputs are read. ``grid``: px of the input; ``floors``: (C,) least score a class."""

    grid: Size
    floors: Values


def tensors(output: LocatedOutput | AnomalyMapOutput) -> tuple[str, ...]:
    """Give the names of the output tensors that a head reads, in the order in which :func:`read` takes them."""
    match output:
        case DetectionOutput():
            return (output.boxes, output.scores)
        case DetrOutput():
            return tuple(name for name in (output.logits, output.boxes, output.labels, output.scores) if name is not None)
        case SsdOutput():
            return (output.boxes, output.scores, output.classes)
        case _:
            return (output.tensor,)


def expected_shapes(output: LocatedOutput | AnomalyMapOutput, classes: int, batch: int, grid: Size) -> Mapping[str, Sequence[Shape]]:
    """Give the shapes that each output tensor may have; None = any extent."""
    match output:
        case DetectionOutput():
            return {output.boxes: [(batch, None, 4)], output.scores: [(batch, None, classes)]}
        case DetrOutput():
            last = {output.logits: classes + (output.activation == "softmax"), output.boxes: 4}
            return {name: [(batch, None, last[name]) if name in last else (batch, None)] for name in tensors(output)}
        case SsdOutput():
            return {output.boxes: [(batch, None, 4)], output.scores: [(batch, None)], output.classes: [(batch, None)]}
        case ClassifierOutput():
            return {output.tensor: [(batch, classes)]}
        case AnomalyMapOutput():
            return {output.tensor: [(batch, 1, None, None), (batch, None, None)]}
        case _:
            return {output.tensor: [_yolo_shape(output, classes, batch, grid)]}


def _yolo_shape(output: YoloxOutput | YoloRowsOutput | YoloColumnsOutput, classes: int, batch: int, grid: Size) -> Shape:
    match output:
        case YoloxOutput():
            cells = None if output.decoded else sum((grid.width // s) * (grid.height // s) for s in output.strides)
            return (batch, cells, 5 + classes)
        case YoloRowsOutput():
            return (None, 7) if output.nms == "inside" else (batch, None, 4 + output.objectness + classes)
        case YoloColumnsOutput():
            return (batch, None, 6) if output.nms == "inside" else (batch, 4 + output.objectness + classes, None)


def read(output: LocatedOutput, arrays: Sequence[NDArray[Any]], at: int, how: Readout) -> Candidates:
    """Give the candidates of picture ``at`` of a call: boxes xyxy in px of the input, scores from their class's floor up.

    ``arrays``: the tensors of :func:`tensors`, of the shapes of :func:`expected_shapes`.

    Raises:
        InferenceFailed: a score is no probability, or a class has no label.
    """
    match output:
        case DetectionOutput():
            found = boxes_scores(_floats(arrays[0][at]), _floats(arrays[1][at]), how.floors)
        case YoloxOutput():
            found = _yolox(output, _floats(arrays[0][at]), how)
        case YoloRowsOutput():
            found = _yolo_rows(output, arrays[0], at, how)
        case YoloColumnsOutput():
            found = _yolo_columns(output, arrays[0][at], how)
        case DetrOutput():
            found = _detr(output, [array[at] for array in arrays], how)
        case SsdOutput():
            found = _ssd(output, [array[at] for array in arrays], how)
        case ClassifierOutput():
            scores = activated(_floats(arrays[0][at])[None], output.activation)
            found = _dense(np.array([[0, 0, how.grid.width, how.grid.height]], dtype=np.float32), scores, "xyxy", "px", how)
    return found


def anomaly_levels(output: AnomalyMapOutput, array: NDArray[Any], at: int) -> Values:
    """Give the (h, w) map of picture ``at`` in [0, 1]."""
    values = _floats(array[at])
    levels: Values = np.clip((values.reshape(values.shape[-2:]) - output.low) / (output.high - output.low), 0.0, 1.0)
    return levels.astype(np.float32, copy=False)


def corners(boxes: Values, form: BoxForm, unit: BoxUnit, grid: Size) -> Boxes:
    """Give (A, 4) boxes as xyxy in px. ``form``: the order of the four numbers; "normalised" ones are shares of the input's size."""
    first, second = boxes[:, :2], boxes[:, 2:]
    match form:
        case "xyxy":
            low, high = first, second
        case "yxyx":
            low, high = first[:, ::-1], second[:, ::-1]
        case "xywh":
            low, high = first, first + second
        case "cxcywh":
            half = second * np.float32(0.5)
            low, high = first - half, first + half
    corner = np.concatenate([low, high], axis=1)
    extent = (grid.width, grid.height) * 2 if unit == "normalised" else (1.0,) * 4
    return np.asarray(corner * np.array(extent, dtype=np.float32), dtype=np.float32)


def on_grids(rows: Values, strides: Sequence[int], grid: Size) -> Values:
    """Give YOLOX rows (A, 5 + C) with cxcywh in px: centre = (offset + cell) * stride, extent = exp(value) * stride.

    Cells are numbered row by row, the grid of the first stride first (Ge et al. 2021, arXiv 2107.08430).
    """
    cells, scale = [], []
    for stride in strides:
        down, across = grid.height // stride, grid.width // stride
        y, x = np.divmod(np.arange(down * across, dtype=np.float32), np.float32(across))
        cells.append(np.stack([x, y], axis=1))
        scale.append(np.full((down * across, 1), stride, dtype=np.float32))
    steps = np.concatenate(scale)
    centres = (rows[:, :2] + np.concatenate(cells)) * steps
    extents = np.exp(np.minimum(rows[:, 2:4], _MOST_EXPONENT)) * steps
    decoded: Values = np.concatenate([centres, extents, rows[:, 4:]], axis=1, dtype=np.float32)
    return decoded


def activated(values: Values, activation: Activation) -> Values:
    """Give probabilities along the last axis."""
    if activation == "sigmoid":
        return (1.0 / (1.0 + np.exp(-np.clip(values, -80.0, 80.0)))).astype(np.float32)
    if activation == "softmax":
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)
    return values


def _yolox(output: YoloxOutput, rows: Values, how: Readout) -> Candidates:
    rows = rows if output.decoded else on_grids(rows, output.strides, how.grid)
    return _dense(rows[:, :4], rows[:, 4:5] * rows[:, 5:], "cxcywh", "px", how)


def _yolo_rows(output: YoloRowsOutput, array: NDArray[Any], at: int, how: Readout) -> Candidates:
    if output.nms == "inside":
        rows = _floats(array[array[:, 0].astype(np.int64) == at])
        return _listed(corners(rows[:, 1:5], "xyxy", output.unit, how.grid), rows[:, 6], rows[:, 5], how)
    return _scored(_floats(array[at]), output, how)


def _yolo_columns(output: YoloColumnsOutput, array: NDArray[Any], how: Readout) -> Candidates:
    if output.nms == "inside":
        rows = _floats(array)
        return _listed(corners(rows[:, :4], "xyxy", output.unit, how.grid), rows[:, 4], rows[:, 5], how)
    return _scored(np.ascontiguousarray(_floats(array).T), output, how)


def _scored(rows: Values, output: YoloRowsOutput | YoloColumnsOutput, how: Readout) -> Candidates:
    """Read (A, 4 + objectness + C) rows."""
    marks = activated(rows[:, 4:], output.activation)
    scores = marks[:, :1] * marks[:, 1:] if output.objectness else marks
    return _dense(rows[:, :4], scores, output.box, output.unit, how)


def _detr(output: DetrOutput, arrays: Sequence[NDArray[Any]], how: Readout) -> Candidates:
    if output.logits is not None:
        logits, boxes = (_floats(array) for array in arrays)
        scores = activated(logits, output.activation)[:, : len(how.floors)]
        return _dense(boxes, scores, output.box, output.unit, how)
    boxes, labels, scores = arrays
    return _listed(corners(_floats(boxes), output.box, output.unit, how.grid), _floats(scores), labels - output.first_class, how)


def _ssd(output: SsdOutput, arrays: Sequence[NDArray[Any]], how: Readout) -> Candidates:
    boxes, scores, classes = arrays
    return _listed(corners(_floats(boxes), output.box, output.unit, how.grid), _floats(scores), classes - output.first_class, how)


def _dense(boxes: Values, scores: Values, form: BoxForm, unit: BoxUnit, how: Readout) -> Candidates:
    """Read boxes (A, 4) with a score for each class (A, C); only boxes that reach a floor are converted."""
    _probable(scores)
    kept = boxes_scores(boxes, np.ascontiguousarray(scores), how.floors)
    return Candidates(corners(kept.boxes, form, unit, how.grid), np.minimum(kept.scores, np.float32(1.0)), kept.labels)


def _listed(boxes: Boxes, scores: Values, classes: NDArray[Any], how: Readout) -> Candidates:
    """Read boxes (A, 4) with one score and class each (A,). Rows of score 0 fill up a list of fixed length."""
    _probable(scores)
    labels = np.rint(classes.astype(np.float64)).astype(np.intp)
    real = scores > 0.0
    strangers = labels[real][(labels[real] < 0) | (labels[real] >= len(how.floors))]
    if len(strangers):
        raise InferenceFailed(f"the model gave class {int(strangers[0])}, counted from the first label; the card has {len(how.floors)}")
    rows = np.flatnonzero(real)
    rows = rows[scores[rows] >= how.floors[labels[rows]]]
    rows = rows[np.argsort(-scores[rows], kind="stable")[:MOST_CANDIDATES]]
    return Candidates(boxes[rows], np.minimum(scores[rows], np.float32(1.0)), labels[rows])


def _probable(scores: Values) -> None:
    if scores.size and (scores.max() > 1.0 + _SCORE_SLACK or scores.min() < -_SCORE_SLACK):
        worst = float(scores.max()) if scores.max() > 1.0 else float(scores.min())
        raise InferenceFailed(f"a score of {worst:.4g} is no probability; the card's activation may be wrong")


def _floats(values: NDArray[Any]) -> Values:
    return np.asarray(values, dtype=np.float32)
