"""Every head once more: objects that overlap, half precision, batches and grey pictures, through real onnxruntime with literal boxes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_agent.analysis.ports import one_by_one
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.inference.load import load_models
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.testing import heads
from edge_agent.testing.heads import OBJECTNESS, Fixture, write_fixture

Mark = tuple[int, int, int, int]
Colour = tuple[int, int, int]
Seen = set[tuple[str, float, tuple[float, float, float, float]]]

RED, DARK_RED, GREEN = (255, 0, 0), (200, 0, 0), (0, 255, 0)


def seen(root: Path, fixture: Fixture, size: tuple[int, int], *marks: tuple[Colour, Mark]) -> Seen:
    """Give what a fixture finds in a black picture of ``size`` (width, height) with coloured rectangles."""
    write_fixture(root, fixture)
    (detector,) = load_models(root, DevicePolicy.CPU, WORKSHOP).models.detectors
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    for colour, (x0, y0, x1, y1) in marks:
        pixels[y0:y1, x0:x1] = colour
    view = View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, pixels),), None)
    found = detector.detect(view, SubjectKind.CARGO, dict.fromkeys(detector.alert_levels, 0.5), one_by_one).detections
    return {(one.label, round(one.score, 2), (one.box.x0, one.box.y0, one.box.x1, one.box.y1)) for one in found}


# ------------------------------------------------------------------------------------------------- suppressed in the graph already


@pytest.mark.parametrize("build", [heads.yolov7, heads.yolov8_suppressed], ids=["yolov7", "yolov8-suppressed"])
def test_two_objects_that_a_graph_tells_apart_stay_two_however_much_they_overlap(tmp_path: Path, build: Callable[..., Fixture]) -> None:
    marks = (RED, (48, 16, 64, 32)), (DARK_RED, (64, 16, 80, 32))  # letterboxed: half the size, 8 px of padding above
    expected = {("red", 1.0, (16.0, 16.0, 96.0, 32.0)), ("red", 1.0, (32.0, 16.0, 112.0, 32.0))}  # they share two thirds of both
    assert expected == seen(tmp_path, build(reach_px=16), (128, 96), *marks)


@pytest.mark.parametrize("build", [heads.detr, heads.detr_ready, heads.ssd], ids=["detr", "detr-ready", "ssd-nms"])
def test_two_objects_of_a_stretched_picture_stay_two_where_the_graph_says_so(tmp_path: Path, build: Callable[..., Fixture]) -> None:
    marks = (RED, (48, 64, 64, 96)), (DARK_RED, (64, 64, 80, 96))
    expected = {("red", 1.0, (16.0, 64.0, 96.0, 96.0)), ("red", 1.0, (32.0, 64.0, 112.0, 96.0))}
    assert expected == seen(tmp_path, build(reach_px=16), (128, 256), *marks)


def test_an_object_in_two_tiles_of_a_graph_that_suppresses_is_one(tmp_path: Path) -> None:
    fixture = heads.yolov8_suppressed()
    tiled = replace(fixture, picture=replace(fixture.picture, fit="tile", more="overlap_px = 16"))
    marks = [(8, 8), (56, 16), (120, 72), (144, 88)]  # tiles start at 0, 48 and 96; (56, 16) lies in two of them
    expected = {("red", 1.0, (float(x), float(y), float(x + 8), float(y + 8))) for x, y in marks}
    assert expected == seen(tmp_path, tiled, (160, 112), *((RED, (x, y, x + 8, y + 8)) for x, y in marks))


# ------------------------------------------------------------------------------------------------------------------- every head


def in_tiles(fixture: Fixture, more: str) -> Fixture:
    """Give a fixture that looks at tiles; of its own [input] it keeps the scale, not the padding and the overlap."""
    scale = [line for line in fixture.picture.more.splitlines() if line.startswith(("mean", "std"))]
    return replace(fixture, picture=replace(fixture.picture, fit="tile", more="\n".join([*scale, more])))


def batched(fixture: Fixture, batch: int | str) -> Fixture:
    """Give the same graph exported for ``batch`` pictures a call, a number or a name; the card calls it with three."""
    model = onnx.load_from_string(fixture.graph)
    for value in (*model.graph.input, *model.graph.output):
        first = value.type.tensor_type.shape.dim[0]
        if first.dim_value != 1:
            continue  # one list of all pictures, as long as it comes out
        if isinstance(batch, int):
            first.dim_value = batch
        else:
            first.dim_param = batch
    tiled = in_tiles(fixture, "batch = 3\noverlap_px = 0\npad = 255")
    return replace(tiled, graph=model.SerializeToString(), picture=replace(tiled.picture, batch=batch))


def halved(fixture: Fixture) -> Fixture:
    """Give the same graph with float16 at its ends wherever it has float32."""
    model = onnx.load_from_string(fixture.graph)
    casts = []
    for value, is_input in (*((one, True) for one in model.graph.input), *((one, False) for one in model.graph.output)):
        if value.type.tensor_type.elem_type != TensorProto.FLOAT:
            continue
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
        inner = f"{value.name}_full"
        for node in model.graph.node:
            names = node.input if is_input else node.output
            names[:] = [inner if name == value.name else name for name in names]
        kind, ends = (TensorProto.FLOAT, (value.name, inner)) if is_input else (TensorProto.FLOAT16, (inner, value.name))
        casts.append((helper.make_node("Cast", [ends[0]], [ends[1]], to=kind), is_input))
    nodes = [*(node for node, first in casts if first), *model.graph.node, *(node for node, first in casts if not first)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    dtype = "float16" if fixture.picture.dtype == "float32" else fixture.picture.dtype
    return replace(fixture, graph=model.SerializeToString(), picture=replace(fixture.picture, dtype=dtype))


def boxes_of(name: str, *marks: Mark) -> Seen:
    """Give what the fixture of a name says of red marks in tiles of 64 px without overlap."""
    if name == "classifier":
        return {("red", 1.0, (x0 // 64 * 64.0, 0.0, x0 // 64 * 64.0 + 64.0, 64.0)) for x0, _, _, _ in marks}
    label, score = ("odd" if name == "anomaly-map" else "red"), (OBJECTNESS if name in ("yolox", "yolov5") else 1.0)
    return {(label, score, (float(x0), float(y0), float(x1), float(y1))) for x0, y0, x1, y1 in marks}


MARKS: tuple[Mark, ...] = ((8, 8, 16, 16), (200, 40, 208, 48))


@pytest.mark.parametrize("name", heads.FIXTURES)
@pytest.mark.parametrize("batch", [3, "n"], ids=["fixed", "dynamic"])
def test_a_batch_of_any_head_finds_what_lies_in_each_picture_and_nothing_in_what_fills_it_up(
    tmp_path: Path, name: str, batch: int | str
) -> None:
    # Four tiles: a call of three, and one of a single tile that is filled up with two white pictures.
    fixture = batched(heads.FIXTURES[name](), batch)
    assert boxes_of(name, *MARKS) == seen(tmp_path, fixture, (256, 64), *((RED, mark) for mark in MARKS))


@pytest.mark.parametrize("name", heads.FIXTURES)
def test_a_half_precision_graph_of_any_head_gives_the_same_boxes(tmp_path: Path, name: str) -> None:
    fixture = in_tiles(halved(heads.FIXTURES[name]()), "overlap_px = 0")
    assert boxes_of(name, *MARKS) == seen(tmp_path, fixture, (256, 64), *((RED, mark) for mark in MARKS))


def test_a_grey_picture_is_as_bright_as_the_eye_has_it(tmp_path: Path) -> None:
    # Green counts 150 of 255 and is seen, red counts 76 and is not; a sum of equal parts would see neither.
    marks = (GREEN, (32, 16, 48, 32)), (RED, (96, 64, 112, 80))
    expected = {(label, 0.85, (32.0, 16.0, 48.0, 32.0)) for label in ("red", "blue")}
    assert expected == seen(tmp_path, heads.yolov8(colour="grey"), (128, 96), *marks)
