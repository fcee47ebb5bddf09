"""The networks that speed is measured with: random weights, so that no third party's are needed and every run has the same graph.

``bench-640`` has the size and the shape of a small published detector (convolutions with SiLU, split blocks, feature pyramid up and
down, decoupled head with box distributions, 8,400 anchors). It finds nothing in particular, but always the same. ``null-640`` has
the same inputs and outputs and does no work: what a scan costs with it is our own share.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_agent.analysis.ports import Fan, one_by_one
from edge_agent.inference.bundle import SIGNATURE, sign_bundle
from edge_agent.inference.load import load_models
from edge_agent.inference.selftest import golden_cases, observe
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.testing.bundles import TEST_KEY

SIDE_PX = 640
STRIDES = (8, 16, 32)
ANCHORS = sum((SIDE_PX // stride) ** 2 for stride in STRIDES)
LABELS = ("handgun", "rifle", "knife", "bottle", "bricks", "dense")

_WIDTHS = (16, 32, 64, 128, 256)
_BINS = 16
_OPSET = 18
_SEED = 640
_OBJECTS_A_TILE = 5
_CANDIDATES_AN_OBJECT = 5


class _Graph:
    """Collects nodes and weights; every method adds one operation and gives the name of its output."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(_SEED)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, values: NDArray[np.generic]) -> str:
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator: str, inputs: Sequence[str], **attributes: int | float | Sequence[int]) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def split(self, source: str, parts: int, each: int) -> list[str]:
        names = [f"t{len(self.nodes)}_{part}" for part in range(parts)]
        sizes = self.constant(np.full(parts, each, dtype=np.int64))
        self.nodes.append(helper.make_node("Split", [source, sizes], names, axis=1))
        return names

    def conv(self, source: str, shape: tuple[int, int, int], *, stride: int = 1, groups: int = 1, gain: float = 2.0) -> str:
        """Add a convolution with bias. ``shape``: (inputs, outputs, side of the kernel)."""
        inputs, outputs, side = shape
        fan_in = inputs // groups * side * side
        weights = self._random.normal(0.0, np.sqrt(gain / fan_in), (outputs, inputs // groups, side, side))
        names = [source, self.constant(weights.astype(np.float32)), self.constant(np.zeros(outputs, dtype=np.float32))]
        return self.add("Conv", names, kernel_shape=[side, side], strides=[stride, stride], pads=[side // 2] * 4, group=groups)

    def block(self, source: str, shape: tuple[int, int, int], *, stride: int = 1, groups: int = 1) -> str:
        """Add a convolution with SiLU."""
        linear = self.conv(source, shape, stride=stride, groups=groups, gain=2.8)  # SiLU passes on about a third of the variance
        return self.add("Mul", [linear, self.add("Sigmoid", [linear])])

    def split_block(self, source: str, inputs: int, outputs: int, depth: int) -> str:
        """Add a split block: one half goes through ``depth`` pairs of convolutions, every intermediate result is kept."""
        half = outputs // 2
        parts = self.split(self.block(source, (inputs, outputs, 1)), 2, half)
        for _ in range(depth):
            inner = self.block(self.block(parts[-1], (half, half, 3)), (half, half, 3))
            parts.append(self.add("Mul", [self.add("Add", [parts[-1], inner]), self.constant(np.float32(0.7).reshape(1))]))
        return self.block(self.add("Concat", parts, axis=1), (half * len(parts), outputs, 1))

    def pooled(self, source: str, channels: int) -> str:
        """Add pyramid pooling: three maxima over growing neighbourhoods beside the input."""
        parts = [self.block(source, (channels, channels // 2, 1))]
        for _ in range(3):
            parts.append(self.add("MaxPool", [parts[-1]], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1]))
        return self.block(self.add("Concat", parts, axis=1), (channels * 2, channels, 1))

    def enlarged(self, source: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], dtype=np.float32))
        return self.add("Resize", [source, "", scales], mode="nearest")


def bench_model() -> bytes:
    """Give ``bench-640``: image [N, 1, 640, 640] to boxes [N, 8400, 4] xyxy px and scores [N, 8400, 6]; 2.6 million parameters."""
    graph = _Graph()
    levels = _pyramid(graph)
    boxes, scores = zip(*(_head(graph, level, stride) for level, stride in zip(levels, STRIDES, strict=True)), strict=True)
    graph.nodes.append(helper.make_node("Concat", list(boxes), ["boxes"], axis=1))
    graph.nodes.append(helper.make_node("Concat", list(scores), ["scores"], axis=1))
    return _model(graph, "bench-640")


def null_model() -> bytes:
    """Give ``null-640``: the same shapes, constant outputs with a handful of objects, each with several candidates."""
    graph = _Graph()
    boxes, scores = _null_outputs(np.random.default_rng(_SEED))
    corner = graph.add("Slice", ["image", *(graph.constant(np.array(v, dtype=np.int64)) for v in ([0, 0], [1, 1], [2, 3]))])
    nothing = graph.add(
        "Mul", [graph.add("Squeeze", [corner, graph.constant(np.array([3]))]), graph.constant(np.zeros(1, dtype=np.float32))]
    )
    graph.nodes.append(helper.make_node("Add", [graph.constant(boxes), nothing], ["boxes"]))
    graph.nodes.append(helper.make_node("Add", [graph.constant(scores), nothing], ["scores"]))
    return _model(graph, "null-640")


def parameters(model: bytes) -> int:
    """Count the weights of a model, without its tables of integers."""
    tensors = onnx.load_from_string(model).graph.initializer
    return sum(int(np.prod(tensor.dims)) for tensor in tensors if tensor.data_type == TensorProto.FLOAT)


def write_bundle(root: Path, name: str, model: bytes, fan: Fan = one_by_one) -> Path:
    """Write a bundle ``root/<name>/1.0.0`` around ``model``, with a golden case of its own; give its folder."""
    folder = root / name / "1.0.0"
    (folder / "golden").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model)
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    rng = np.random.default_rng(_SEED)
    pixels = np.kron(rng.integers(200, 60000, (10, 10)), np.ones((64, 64))).astype(np.uint16)
    np.savez_compressed(folder / "golden" / "blocks.npz", high=pixels)
    why = "a speed test needs a self-test too"
    case = {"subject": "cargo", "pitch_mm": [4.0, 4.0], "declared": [], "why": why, "may_show_nothing": True}
    (folder / "golden" / "blocks.json").write_text(json.dumps(case))
    expectation = folder / "golden" / "blocks.expected.json"
    expectation.write_text("{}")
    _write_card(folder, name)
    loaded = load_models(root, DevicePolicy.CPU, WORKSHOP)
    bundle = next(bundle for bundle in loaded.bundles if bundle.folder == folder)
    (golden, view) = golden_cases(bundle)["blocks"]
    expectation.write_text(observe(loaded, bundle, golden, view, fan).model_dump_json())
    _write_card(folder, name)
    return folder


def _pyramid(graph: _Graph) -> tuple[str, str, str]:
    """Add backbone and the two ways through the pyramid; give the three levels of the head (64, 128, 256 channels)."""
    w1, w2, w3, w4, w5 = _WIDTHS
    step = graph.block(graph.add("Sub", ["image", graph.constant(np.float32(0.5).reshape(1))]), (1, w1, 3), stride=2)
    step = graph.split_block(graph.block(step, (w1, w2, 3), stride=2), w2, w2, 1)
    fine = graph.split_block(graph.block(step, (w2, w3, 3), stride=2), w3, w3, 1)
    middle = graph.split_block(graph.block(fine, (w3, w4, 3), stride=2), w4, w4, 1)
    coarse = graph.pooled(graph.split_block(graph.block(middle, (w4, w5, 3), stride=2), w5, w5, 1), w5)
    down4 = graph.split_block(graph.add("Concat", [graph.enlarged(coarse), middle], axis=1), w5 + w4, w4, 1)
    out3 = graph.split_block(graph.add("Concat", [graph.enlarged(down4), fine], axis=1), w4 + w3, w3, 1)
    up4 = graph.block(out3, (w3, w3, 3), stride=2)
    out4 = graph.split_block(graph.add("Concat", [up4, down4], axis=1), w3 + w4, w4, 1)
    up5 = graph.block(out4, (w4, w4, 3), stride=2)
    out5 = graph.split_block(graph.add("Concat", [up5, coarse], axis=1), w4 + w5, w5, 1)
    return out3, out4, out5


def _head(graph: _Graph, level: str, stride: int) -> tuple[str, str]:
    """Add one level's head; give its boxes (N, cells, 4) xyxy px and scores (N, cells, classes)."""
    cells = (SIDE_PX // stride) ** 2
    channels = dict(zip(STRIDES, _WIDTHS[2:], strict=True))[stride]
    box = graph.block(graph.block(level, (channels, 64, 3)), (64, 64, 3))
    sides = _distances(graph, graph.conv(box, (64, 4 * _BINS, 1)), cells, stride)
    kind = graph.block(graph.block(level, (channels, channels, 3), groups=channels), (channels, 64, 1))
    kind = graph.block(graph.block(kind, (64, 64, 3), groups=64), (64, 64, 1))
    flat = graph.add("Reshape", [graph.conv(kind, (64, len(LABELS), 1), gain=4.0), graph.constant(np.array([0, len(LABELS), cells]))])
    logits = graph.add("Add", [graph.add("Transpose", [flat], perm=[0, 2, 1]), graph.constant(np.float32(-3.0).reshape(1))])
    return sides, graph.add("Sigmoid", [logits])


def _distances(graph: _Graph, bins: str, cells: int, stride: int) -> str:
    """Turn distributions over distances to the four sides into corners."""
    shaped = graph.add("Reshape", [bins, graph.constant(np.array([0, 4, _BINS, cells]))])
    weights = graph.add("Softmax", [shaped], axis=2)
    places = graph.constant(np.arange(_BINS, dtype=np.float32).reshape(1, 1, _BINS, 1) * stride)
    means = graph.add("ReduceSum", [graph.add("Mul", [weights, places]), graph.constant(np.array([2]))], keepdims=0)
    signs = graph.constant(np.array([-1, -1, 1, 1], dtype=np.float32).reshape(1, 1, 4))
    centre = (np.arange(SIDE_PX // stride, dtype=np.float32) + 0.5) * stride
    x, y = (axis.ravel() for axis in np.meshgrid(centre, centre))
    centres = graph.constant(np.stack([x, y, x, y], axis=-1)[None])
    return graph.add("Add", [graph.add("Mul", [graph.add("Transpose", [means], perm=[0, 2, 1]), signs]), centres])


def _null_outputs(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    count = _OBJECTS_A_TILE * _CANDIDATES_AN_OBJECT
    boxes = np.tile(np.array([10, 10, 30, 30], dtype=np.float32), (1, ANCHORS, 1))
    scores = np.full((1, ANCHORS, len(LABELS)), 0.01, dtype=np.float32)
    rows = rng.choice(ANCHORS, count, replace=False)
    corners = rng.uniform(10, 540, (_OBJECTS_A_TILE, 2)).repeat(_CANDIDATES_AN_OBJECT, axis=0) + rng.normal(0, 1.5, (count, 2))
    extents = rng.uniform(20, 80, (_OBJECTS_A_TILE, 2)).repeat(_CANDIDATES_AN_OBJECT, axis=0)
    boxes[0, rows] = np.hstack([corners, corners + extents])
    scores[0, rows, np.arange(count) // _CANDIDATES_AN_OBJECT % len(LABELS)] = rng.uniform(0.5, 0.9, count)
    return boxes, scores


def _model(graph: _Graph, name: str) -> bytes:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, SIDE_PX, SIDE_PX])
    boxes = helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", ANCHORS, 4])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", ANCHORS, len(LABELS)])
    body = helper.make_graph(graph.nodes, name, [image], [boxes, scores], graph.weights)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10, producer_name="edge-agent benchmarks")
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _write_card(folder: Path, name: str) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in ("card.toml", SIGNATURE))
    hashes = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    (folder / "card.toml").write_text(_card(name, hashes))
    sign_bundle(folder, TEST_KEY)


def _card(name: str, hashes: Mapping[str, str]) -> str:
    labels = ", ".join(f'"{label}"' for label in LABELS)
    ids = ", ".join(f'"bench.{label}"' for label in LABELS)
    levels = "\n".join(f"{label} = 0.5" for label in LABELS)
    files = "\n".join(f'"{path}" = "{digest}"' for path, digest in hashes.items())
    return f"""format = "bundle/1"
name = "{name}"
version = "1.0.0"
purpose = "detection"
head = "boxes-scores"
state = "simulated"
licence = "Apache-2.0"
research_only = false
subjects = ["cargo", "parcel", "vehicle"]
limits = "random weights: for measuring speed only"
[input]
tensor = "image"
channels = ["high"]
scale = "linear"
multiple = 32
tile_px = {SIDE_PX}
overlap_px = 128
[output]
boxes = "boxes"
scores = "scores"
[labels]
names = [{labels}]
ids = [{ids}]
[thresholds]
{levels}
[training]
[metrics]
[files]
{files}
"""
