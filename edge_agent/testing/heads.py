"""Small graphs of every head that a card can name, with weights chosen by hand, and the cards that go with them.

Each looks at 64 x 64 px in cells of 8 x 8: a cell whose red is bright on average is a ``red``, one whose blue is bright is a ``blue``;
its box is the cell, its score sigmoid(20 (mean - 0.5)). So every expected box can be read off the picture, and a card that is wrong
about colours, scale, layout or padding gives other boxes.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

SIDE_PX = 64
CELL_PX = 8
CELLS = (SIDE_PX // CELL_PX) ** 2
OBJECTNESS = 0.75
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


@dataclass(frozen=True)
class Picture:
    """The [input] table of a fixture: what its graph takes."""

    fit: str = "letterbox"
    colour: str = "rgb"
    layout: str = "nchw"
    dtype: str = "float32"
    scale: str = "0-1"
    more: str = ""
    batch: int | str = 1
    """First extent of the graph's input: a number, or a name for a dynamic one."""

    def toml(self) -> str:
        names = "\n".join(f'{name} = "{getattr(self, name)}"' for name in ("fit", "colour", "layout", "dtype", "scale"))
        sizes = f"width_px = {SIDE_PX}\nheight_px = {SIDE_PX}"
        return f'[input]\ntensor = "images"\nrendering = "display"\n{sizes}\n{names}\n{self.more}\n'


@dataclass(frozen=True)
class Fixture:
    """A graph and the tables of its card. ``labels``: of the graph's classes; all alert from 0.6."""

    head: str
    graph: bytes
    picture: Picture
    output: str
    labels: tuple[str, ...] = ("red", "blue")
    silent: tuple[str, ...] = ()

    def card(self, name: str = "fixture", *, files: str = "") -> str:
        thresholds = "".join(f"{label} = 0.6\n" for label in self.labels if label not in self.silent)
        return (
            f'format = "bundle/1"\nname = "{name}"\nversion = "1.0.0"\npurpose = "detection"\nhead = "{self.head}"\n'
            'state = "simulated"\nlicence = "Apache-2.0"\nresearch_only = false\nsubjects = ["cargo", "parcel"]\n'
            f'limits = "made by hand for tests"\n\n{self.picture.toml()}\n[output]\n{self.output}\n\n'
            f"[labels]\nnames = {json.dumps(self.labels)}\nids = {json.dumps([f'test.{label}' for label in self.labels])}\n"
            f"silent = {json.dumps(self.silent)}\n\n[thresholds]\n{thresholds}\n[training]\n\n[metrics]\n\n[files]\n{files}"
        )


@dataclass
class _Graph:
    """Nodes and constants as they are added; every method gives the name of what it added."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)

    def constant(self, value: object, kind: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array(value, dtype=kind)
        return name

    def add(self, op: str, *inputs: str, result: str = "", **attributes: Any) -> str:  # noqa: ANN401 - as onnx takes them
        name = result or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def bytes(self, inputs: Sequence[ValueInfoProto], outputs: Sequence[tuple[str, int, Sequence[int | str]]]) -> bytes:
        shaped = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs]
        values = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "fixture", list(inputs), shaped, values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        onnx.checker.check_model(model)
        serialised: bytes = model.SerializeToString()
        return serialised


def _input(picture: Picture) -> ValueInfoProto:
    channels = 1 if picture.colour == "grey" else 3
    first = [picture.batch, channels, SIDE_PX, SIDE_PX]
    last = [picture.batch, SIDE_PX, SIDE_PX, channels]
    return helper.make_tensor_value_info("images", _TYPES[picture.dtype], first if picture.layout == "nchw" else last)


def _scores(graph: _Graph, picture: Picture) -> str:
    """Add the trunk; give the name of (N, 64, 2) scores of red and blue a cell."""
    return _scores_of(graph, "images", picture)


def _scores_of(graph: _Graph, images: str, picture: Picture) -> str:
    values = graph.add("Cast", images, to=TensorProto.FLOAT)
    if picture.layout == "nhwc":
        values = graph.add("Transpose", values, perm=[0, 3, 1, 2])
    if picture.scale == "0-255":
        values = graph.add("Div", values, graph.constant(255.0))
    chosen = {"rgb": [0, 2], "bgr": [2, 0], "grey": [0, 0]}[picture.colour]
    pair = graph.add("Gather", values, graph.constant(chosen, np.int64), axis=1)
    means = graph.add("AveragePool", pair, kernel_shape=[CELL_PX, CELL_PX], strides=[CELL_PX, CELL_PX])
    columns = graph.add("Reshape", means, graph.constant([0, 2, CELLS], np.int64))
    logits = graph.add("Mul", graph.add("Sub", columns, graph.constant(0.5)), graph.constant(20.0))
    return graph.add("Transpose", graph.add("Sigmoid", logits), perm=[0, 2, 1])


def _boxes(form: str, *, normalised: bool = False, reach_px: int = 0) -> NDArray[np.float32]:
    """Give (1, 64, 4) boxes of the cells, row by row, each ``reach_px`` longer to the left and to the right."""
    y0, x0 = (CELL_PX * part for part in np.divmod(np.arange(CELLS), SIDE_PX // CELL_PX))
    x0, x1, y1 = x0 - reach_px, x0 + CELL_PX + reach_px, y0 + CELL_PX
    orders = {
        "cxcywh": ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0),
        "xywh": (x0, y0, x1 - x0, y1 - y0),
        "xyxy": (x0, y0, x1, y1),
        "yxyx": (y0, x0, y1, x1),
    }
    boxes = np.stack(orders[form], axis=1)[None].astype(np.float32)
    return boxes / np.float32(SIDE_PX if normalised else 1)


def _along_batch(graph: _Graph, scores: str, rows: NDArray[np.float32]) -> str:
    """Repeat constant rows (1, 64, k) for every picture of the batch: added to a zero made from the scores."""
    zero = graph.add("Mul", graph.add("Gather", scores, graph.constant([0], np.int64), axis=2), graph.constant(0.0))
    return graph.add("Add", zero, graph.constant(rows))


def yolox() -> Fixture:
    """Grids left to the reader, pixels 0 to 255, BGR."""
    picture = Picture(colour="bgr", scale="0-255", more='pad_at = "corner"')
    graph = _Graph()
    scores = _scores(graph, picture)
    raw = np.tile(np.array([0.5, 0.5, 0.0, 0.0, OBJECTNESS], dtype=np.float32), (1, CELLS, 1))
    graph.add("Concat", _along_batch(graph, scores, raw), scores, result="output", axis=2)
    built = graph.bytes([_input(picture)], [("output", TensorProto.FLOAT, [1, CELLS, 7])])
    return Fixture("yolox", built, picture, 'tensor = "output"\ndecoded = false\nstrides = [8]')


def yolov5(batch: int | str = 1) -> Fixture:
    """Rows with objectness; ``batch`` may be a number or a name for a dynamic one."""
    picture = Picture(batch=batch, more="" if batch == 1 else "batch = 3")
    graph = _Graph()
    scores = _scores(graph, picture)
    marks = np.full((1, CELLS, 1), OBJECTNESS, dtype=np.float32)
    boxes = np.concatenate([_boxes("cxcywh"), marks], axis=2)
    graph.add("Concat", _along_batch(graph, scores, boxes), scores, result="output0", axis=2)
    return Fixture(
        "yolov5", graph.bytes([_input(picture)], [("output0", TensorProto.FLOAT, [batch, CELLS, 7])]), picture, 'tensor = "output0"'
    )


def yolov7(reach_px: int = 0) -> Fixture:
    """Suppression in the graph, above an overlap of 0.7; rows of all pictures in one list."""
    picture = Picture()
    graph = _Graph()
    scores = _scores(graph, picture)
    by_class = graph.add("Transpose", scores, perm=[0, 2, 1])
    boxes = _along_batch(graph, scores, _boxes("xyxy", reach_px=reach_px))
    limits = (graph.constant(100, np.int64), graph.constant(0.7), graph.constant(0.3))
    chosen = graph.add("NonMaxSuppression", boxes, by_class, *limits)  # (n, 3): picture, class, box
    score = graph.add("Unsqueeze", graph.add("GatherND", by_class, chosen), graph.constant([1], np.int64))
    columns = [graph.add("Gather", chosen, graph.constant([at], np.int64), axis=1) for at in range(3)]
    where = graph.add("GatherND", boxes, graph.add("Concat", columns[0], columns[2], axis=1))
    numbers = [graph.add("Cast", column, to=TensorProto.FLOAT) for column in columns[:2]]
    graph.add("Concat", numbers[0], where, numbers[1], score, result="output", axis=1)
    return Fixture(
        "yolov7",
        graph.bytes([_input(picture)], [("output", TensorProto.FLOAT, ["found", 7])]),
        picture,
        'tensor = "output"\nnms = "inside"',
    )


def yolov8(dtype: str = "float32", fit: str = "letterbox", more: str = "", colour: str = "rgb") -> Fixture:
    """Columns without objectness."""
    picture = Picture(dtype=dtype, fit=fit, more=more, colour=colour)
    graph = _Graph()
    scores = _scores(graph, picture)
    rows = graph.add("Concat", _along_batch(graph, scores, _boxes("cxcywh")), scores, axis=2)
    kind = _TYPES[dtype]
    graph.add("Cast", graph.add("Transpose", rows, perm=[0, 2, 1]), result="output0", to=kind)
    return Fixture("yolov8", graph.bytes([_input(picture)], [("output0", kind, [1, 6, CELLS])]), picture, 'tensor = "output0"')


def yolov8_suppressed(reach_px: int = 0) -> Fixture:
    """Suppression in the graph: the best ten cells, rows of box, score, class."""
    picture = Picture()
    graph = _Graph()
    where, best, kind = _best_ten(graph, _scores(graph, picture), _boxes("xyxy", reach_px=reach_px))
    columns = [graph.add("Unsqueeze", part, graph.constant([2], np.int64)) for part in (best, kind)]
    graph.add("Concat", where, *columns, result="output0", axis=2)
    return Fixture(
        "yolov8",
        graph.bytes([_input(picture)], [("output0", TensorProto.FLOAT, [1, 10, 6])]),
        picture,
        'tensor = "output0"\nnms = "inside"',
    )


def detr(reach_px: int = 0) -> Fixture:
    """Queries: logits, and boxes as shares of the input; the picture stretched, with mean and standard deviation."""
    picture = Picture(fit="whole", more="mean = [0.25, 0.25, 0.25]\nstd = [0.5, 0.5, 0.5]")
    graph = _Graph()
    undone = graph.add("Add", graph.add("Mul", "images", graph.constant(0.5)), graph.constant(0.25), result="plain")
    scores = _scores_of(graph, undone, picture)
    ratio = graph.add("Div", scores, graph.add("Sub", graph.constant(1.0), scores))
    graph.add("Log", ratio, result="logits")
    graph.add("Identity", _along_batch(graph, scores, _boxes("cxcywh", normalised=True, reach_px=reach_px)), result="boxes")
    outputs = [("logits", TensorProto.FLOAT, [1, CELLS, 2]), ("boxes", TensorProto.FLOAT, [1, CELLS, 4])]
    table = 'logits = "logits"\nboxes = "boxes"\nbox = "cxcywh"\nunit = "normalised"'
    return Fixture("detr", graph.bytes([_input(picture)], outputs), picture, table)


def detr_ready(reach_px: int = 0) -> Fixture:
    """Post-processed in the graph, which is told the size of its input."""
    picture = Picture(fit="whole")
    graph = _Graph()
    where, best, kind = _best_ten(graph, _scores(graph, picture), _boxes("xyxy", normalised=True, reach_px=reach_px))
    sizes = graph.add("Cast", "orig_target_sizes", to=TensorProto.FLOAT)
    twice = graph.add("Unsqueeze", graph.add("Concat", sizes, sizes, axis=1), graph.constant([1], np.int64))
    graph.add("Mul", where, twice, result="boxes")
    graph.add("Cast", kind, result="labels", to=TensorProto.INT64)
    graph.add("Identity", best, result="scores")
    told = helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2])
    outputs = [("labels", TensorProto.INT64, [1, 10]), ("boxes", TensorProto.FLOAT, [1, 10, 4]), ("scores", TensorProto.FLOAT, [1, 10])]
    table = 'labels = "labels"\nboxes = "boxes"\nscores = "scores"\nsizes = "orig_target_sizes"\nbox = "xyxy"\nunit = "px"'
    return Fixture("detr", graph.bytes([_input(picture), told], outputs), picture, table)


def ssd(reach_px: int = 0) -> Fixture:
    """As TensorFlow's zoo exports: NHWC uint8, boxes yxyx as shares, classes from 1."""
    picture = Picture(layout="nhwc", dtype="uint8", scale="0-255", fit="whole")
    graph = _Graph()
    where, best, kind = _best_ten(graph, _scores(graph, picture), _boxes("yxyx", normalised=True, reach_px=reach_px))
    graph.add("Identity", where, result="detection_boxes")
    graph.add("Identity", best, result="detection_scores")
    graph.add("Add", kind, graph.constant(1.0), result="detection_classes")
    sizes = {"detection_boxes": [1, 10, 4], "detection_scores": [1, 10], "detection_classes": [1, 10]}
    table = "".join(f'{name} = "detection_{name}"\n' for name in ("boxes", "scores", "classes"))
    built = graph.bytes([_input(picture)], [(name, TensorProto.FLOAT, shape) for name, shape in sizes.items()])
    return Fixture("ssd-nms", built, picture, table + 'box = "yxyx"\nunit = "normalised"\nfirst_class = 1')


def classifier(fit: str = "letterbox") -> Fixture:
    """Three classes: nothing bright, red, blue; the strongest cell counts."""
    more = f"overlap_px = {CELL_PX}" if fit == "tile" else "pad = 0"
    picture = Picture(fit=fit, more=more)
    graph = _Graph()
    strongest = graph.add("ReduceMax", _scores(graph, picture), graph.constant([1], np.int64), keepdims=0)
    either = graph.add("ReduceMax", strongest, graph.constant([1], np.int64), keepdims=1)
    graph.add("Concat", graph.add("Sub", graph.constant(1.0), either), strongest, result="probabilities", axis=1)
    built = graph.bytes([_input(picture)], [("probabilities", TensorProto.FLOAT, [1, 3])])
    table = 'tensor = "probabilities"\nactivation = "none"'
    return Fixture("classifier", built, picture, table, ("clean", "red", "blue"), ("clean",))


def anomaly_map(fit: str = "letterbox") -> Fixture:
    """How bright the red of each cell is, from 0 to 4."""
    more = f"overlap_px = {2 * CELL_PX}" if fit == "tile" else ""
    picture = Picture(fit=fit, more=more)
    graph = _Graph()
    red = graph.add("Gather", _scores(graph, picture), graph.constant(0, np.int64), axis=2)
    cells = graph.add("Reshape", red, graph.constant([0, 1, SIDE_PX // CELL_PX, SIDE_PX // CELL_PX], np.int64))
    graph.add("Mul", cells, graph.constant(4.0), result="anomaly_map")
    built = graph.bytes([_input(picture)], [("anomaly_map", TensorProto.FLOAT, [1, 1, SIDE_PX // CELL_PX, SIDE_PX // CELL_PX])])
    return Fixture("anomaly-map", built, picture, 'tensor = "anomaly_map"\nlow = 0.0\nhigh = 4.0\nregion_at = 0.5', ("odd",))


FIXTURES = {
    "yolox": yolox,
    "yolov5": yolov5,
    "yolov7": yolov7,
    "yolov8": yolov8,
    "yolov8-suppressed": yolov8_suppressed,
    "detr": detr,
    "detr-ready": detr_ready,
    "ssd-nms": ssd,
    "classifier": classifier,
    "anomaly-map": anomaly_map,
}


def _best_ten(graph: _Graph, scores: str, boxes: NDArray[np.float32]) -> tuple[str, str, str]:
    """Give names of boxes (1, 10, 4), scores (1, 10) and classes (1, 10) float of the ten best cells, each with its better class."""
    better = graph.add("ReduceMax", scores, graph.constant([2], np.int64), keepdims=0)
    kind = graph.add("Cast", graph.add("ArgMax", scores, axis=2, keepdims=0), to=TensorProto.FLOAT)
    graph.nodes.append(helper.make_node("TopK", [better, graph.constant([10], np.int64)], ["best", "rows"], axis=1))
    where = graph.add("Gather", graph.constant(boxes[0]), "rows", axis=0)
    return where, "best", graph.add("GatherElements", kind, "rows", axis=1)


def write_fixture(root: Path, fixture: Fixture, *, name: str = "fixture") -> Path:
    """Write ``root/<name>/1.0.0``, unsigned and without golden case, and give its folder."""
    folder = root / name / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(fixture.graph)
    digest = hashlib.sha256(fixture.graph).hexdigest()
    (folder / "card.toml").write_text(fixture.card(name, files=f'"model.onnx" = "{digest}"\n'))
    return folder


def dark_places(side_px: int = 640, cell_px: int = 16) -> bytes:
    """Give a graph laid out as YOLOv8's exporter does it, RGB 0 to 1: every cell that is dark on average is a ``dark``.

    It stands in for a real model where somebody wants to try the steps.
    """
    cells = side_px // cell_px
    y0, x0 = (cell_px * part for part in np.divmod(np.arange(cells * cells), cells))
    boxes = np.stack([x0 + cell_px / 2, y0 + cell_px / 2, *(np.full(cells * cells, cell_px),) * 2]).astype(np.float32)
    graph = _Graph()
    grey = graph.add("ReduceMean", "images", graph.constant([1], np.int64), keepdims=1)
    means = graph.add("AveragePool", grey, kernel_shape=[cell_px, cell_px], strides=[cell_px, cell_px])
    darkness = graph.add("Mul", graph.add("Sub", graph.constant(0.25), means), graph.constant(20.0))
    scores = graph.add("Reshape", graph.add("Sigmoid", darkness), graph.constant([1, 1, cells * cells], np.int64))
    graph.add("Concat", graph.constant(boxes[None]), scores, result="output0", axis=1)
    taken = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side_px, side_px])
    return graph.bytes([taken], [("output0", TensorProto.FLOAT, [1, 5, cells * cells])])


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(dark_places())
