"""Foreign graphs by card alone, through real onnxruntime: literal boxes in px of the scan, and every wrong card refused."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_agent.analysis.ports import DetectorEvidence, ObjectDetector, one_by_one
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.errors import BundleIncompatible, BundleRejected, EnergyMissing, InferenceFailed
from edge_agent.inference.load import load_models
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.testing import heads
from edge_agent.testing.heads import Fixture, Picture, write_fixture

Seen = set[tuple[str, float, tuple[float, float, float, float]]]

RED, BLUE = (255, 0, 0), (0, 0, 255)


def display(width: int, height: int, *marks: tuple[tuple[int, int, int], tuple[int, int, int, int]]) -> View:
    """A black picture with coloured rectangles (x0, y0, x1, y1)."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    for colour, (x0, y0, x1, y1) in marks:
        pixels[y0:y1, x0:x1] = colour
    return View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, pixels),), None)


def detector(root: Path, fixture: Fixture) -> ObjectDetector:
    write_fixture(root, fixture)
    (loaded,) = load_models(root, DevicePolicy.CPU, WORKSHOP).models.detectors
    return loaded


def evidence(found: ObjectDetector, view: View, at: float = 0.5) -> DetectorEvidence:
    return found.detect(view, SubjectKind.CARGO, dict.fromkeys(found.alert_levels, at), one_by_one)


def seen(found: DetectorEvidence) -> Seen:
    assert all(one.bundle == "fixture/1.0.0" and one.view == "side" for one in found.detections)
    return {(one.label, round(one.score, 2), (one.box.x0, one.box.y0, one.box.x1, one.box.y1)) for one in found.detections}


# 128 x 96 into 64 x 64: half the size, 8 px of padding above and below, so a mark at y = 16 lies at y = 16 of the input too.
LETTERBOXED = display(128, 96, (RED, (32, 16, 48, 32)), (BLUE, (96, 64, 112, 80)))
AT_THE_MARKS: Seen = {("red", 1.0, (32.0, 16.0, 48.0, 32.0)), ("blue", 1.0, (96.0, 64.0, 112.0, 80.0))}
WITH_OBJECTNESS: Seen = {(label, 0.75, box) for label, _, box in AT_THE_MARKS}

# 128 x 256 stretched to 64 x 64: half along x, a quarter along y, so a cell is 16 x 32 px.
STRETCHED = display(128, 256, (RED, (32, 64, 48, 96)), (BLUE, (96, 0, 112, 32)))
AT_STRETCHED: Seen = {("red", 1.0, (32.0, 64.0, 48.0, 96.0)), ("blue", 1.0, (96.0, 0.0, 112.0, 32.0))}


@pytest.mark.parametrize(
    ("name", "view", "expected"),
    [
        # In the corner there is no padding above, so the same cells lie elsewhere.
        ("yolox", display(128, 96, (RED, (32, 16, 48, 32)), (BLUE, (96, 80, 112, 96))), None),
        ("yolov5", LETTERBOXED, WITH_OBJECTNESS),
        ("yolov7", LETTERBOXED, AT_THE_MARKS),
        ("yolov8", LETTERBOXED, AT_THE_MARKS),
        ("yolov8-suppressed", LETTERBOXED, AT_THE_MARKS),
        ("detr", STRETCHED, AT_STRETCHED),
        ("detr-ready", STRETCHED, AT_STRETCHED),
        ("ssd-nms", STRETCHED, AT_STRETCHED),
    ],
)
def test_each_head_gives_the_boxes_that_the_picture_shows(tmp_path: Path, name: str, view: View, expected: Seen | None) -> None:
    if expected is None:
        expected = {("red", 0.75, (32.0, 16.0, 48.0, 32.0)), ("blue", 0.75, (96.0, 80.0, 112.0, 96.0))}
    assert expected == seen(evidence(detector(tmp_path, heads.FIXTURES[name]()), view))


def test_a_half_precision_graph_gives_the_same_boxes(tmp_path: Path) -> None:
    assert AT_THE_MARKS == seen(evidence(detector(tmp_path, heads.yolov8(dtype="float16")), LETTERBOXED))


def test_the_wrong_order_of_colours_swaps_what_is_seen(tmp_path: Path) -> None:
    fixture = heads.yolov8()
    swapped = replace(fixture, picture=replace(fixture.picture, colour="bgr"))
    expected = {("blue" if label == "red" else "red", score, box) for label, score, box in AT_THE_MARKS}
    assert expected == seen(evidence(detector(tmp_path, swapped), LETTERBOXED))


def test_tiles_find_what_a_letterbox_would_shrink_and_an_object_in_two_tiles_is_one(tmp_path: Path) -> None:
    marks = [(8, 8), (56, 16), (120, 72), (144, 88)]  # tiles start at 0, 48 and 96; (56, 16) lies in two of them
    view = display(160, 112, *((RED, (x, y, x + 8, y + 8)) for x, y in marks))
    found = evidence(detector(tmp_path, heads.yolov8(fit="tile", more="overlap_px = 16")), view)
    assert {("red", 1.0, (float(x), float(y), float(x + 8), float(y + 8))) for x, y in marks} == seen(found)


def test_tiles_of_a_set_pitch_are_taken_from_the_picture_at_that_pitch(tmp_path: Path) -> None:
    pixels = np.zeros((128, 128, 3), dtype=np.uint8)
    pixels[16:32, 32:48] = RED
    view = View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, pixels),), (5.0, 5.0))
    fixture = heads.yolov8(fit="tile", more="overlap_px = 16\npitch_mm = { cargo = 10.0 }")  # two px of the scan become one
    assert {("red", 1.0, (32.0, 16.0, 48.0, 32.0))} == seen(evidence(detector(tmp_path, fixture), view))


@pytest.mark.parametrize("batch", [3, "n"])
def test_a_batch_is_filled_up_and_what_fills_it_is_never_found(tmp_path: Path, batch: int | str) -> None:
    fixture = heads.yolov5(batch=batch)
    tiled = replace(fixture, picture=replace(fixture.picture, fit="tile", more="batch = 3\noverlap_px = 0\npad = 255"))
    view = display(256, 64, (RED, (8, 8, 16, 16)), (RED, (200, 40, 208, 48)))  # four tiles: a call of three and one of one
    expected = {("red", 0.75, (8.0, 8.0, 16.0, 16.0)), ("red", 0.75, (200.0, 40.0, 208.0, 48.0))}
    assert expected == seen(evidence(detector(tmp_path, tiled), view))


def test_what_a_model_sees_in_the_padding_is_no_finding(tmp_path: Path) -> None:
    fixture = heads.yolov8(more="pad = 255")  # white padding is bright in every colour
    assert AT_THE_MARKS == seen(evidence(detector(tmp_path, fixture), LETTERBOXED))


def test_a_classifier_speaks_of_the_whole_view_and_its_silent_class_gives_no_finding(tmp_path: Path) -> None:
    found = detector(tmp_path, heads.classifier())
    assert {"red": 0.6, "blue": 0.6} == found.alert_levels
    assert {("red", 1.0, (0.0, 0.0, 128.0, 96.0))} == seen(evidence(found, display(128, 96, (RED, (32, 16, 48, 32)))))
    assert seen(evidence(found, display(128, 96))) == set()


def test_a_classifier_of_tiles_says_in_which(tmp_path: Path) -> None:
    view = display(176, 64, (BLUE, (152, 8, 160, 16)))  # tiles start at 0, 56 and 112, by 64
    assert {("blue", 1.0, (112.0, 0.0, 176.0, 64.0))} == seen(evidence(detector(tmp_path, heads.classifier(fit="tile")), view))


def test_an_anomaly_map_gives_heat_and_regions(tmp_path: Path) -> None:
    found = evidence(detector(tmp_path, heads.anomaly_map()), LETTERBOXED)
    assert {("odd", 1.0, (32.0, 16.0, 48.0, 32.0))} == seen(found)
    assert found.heat is not None
    assert (found.heat.shape, found.heat.dtype) == ((6, 8), np.float32)
    assert (1, 2) == tuple(int(at) for at in np.unravel_index(found.heat.argmax(), found.heat.shape))


def test_an_anomaly_map_of_tiles_is_one_map_of_the_view(tmp_path: Path) -> None:
    view = display(112, 160, (RED, (88, 136, 104, 152)), (RED, (0, 0, 8, 8)))
    found = evidence(detector(tmp_path, heads.anomaly_map(fit="tile")), view)
    assert {("odd", 1.0, (88.0, 136.0, 104.0, 152.0)), ("odd", 1.0, (0.0, 0.0, 8.0, 8.0))} == seen(found)
    assert found.heat is not None
    assert (20, 14) == found.heat.shape


def test_a_transmission_reaches_a_picture_model_as_grey(tmp_path: Path) -> None:
    pixels = np.zeros((96, 128), dtype=np.uint16)
    pixels[16:32, 32:48] = 65535
    view = View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, pixels),), None)
    expected = {("red", 1.0, (32.0, 16.0, 48.0, 32.0)), ("blue", 1.0, (32.0, 16.0, 48.0, 32.0))}
    assert expected == seen(evidence(detector(tmp_path, heads.yolov8()), view))


def test_a_view_that_shows_nothing_is_an_obstacle(tmp_path: Path) -> None:
    material = View("side", (Plane(Quantity.MATERIAL, Energy.SINGLE, np.zeros((8, 8), np.uint8)),), None)
    with pytest.raises(EnergyMissing):
        evidence(detector(tmp_path, heads.yolov8()), material)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 4000)])
def test_a_picture_of_any_shape_gives_boxes_inside_it(tmp_path: Path, shape: tuple[int, int]) -> None:
    view = View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, np.full((*shape, 3), 255, np.uint8)),), None)
    for one in evidence(detector(tmp_path, heads.yolov8()), view).detections:
        assert 0.0 <= one.box.x0 < one.box.x1 <= shape[1]
        assert 0.0 <= one.box.y0 < one.box.y1 <= shape[0]


def test_boxes_read_in_the_wrong_form_are_dropped_and_never_crash(tmp_path: Path) -> None:
    fixture = replace(heads.yolov8(), output='tensor = "output0"\nbox = "xyxy"')  # centre and extent taken for corners
    for one in evidence(detector(tmp_path, fixture), LETTERBOXED, 0.0).detections:
        assert one.box.area > 0.0


# ------------------------------------------------------------------------------------------------------------ refused at load


def told(head: str, output: str, **tensors: np.ndarray) -> Fixture:
    """A graph that gives the same whatever it sees; its tensors as keywords."""
    taken = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    values = {name: numpy_helper.from_array(value, f"{name}_value") for name, value in tensors.items()}
    nodes = [helper.make_node("Constant", [], [name], value=value) for name, value in values.items()]
    outputs = [helper.make_tensor_value_info(name, value.data_type, list(value.dims)) for name, value in values.items()]
    graph = helper.make_graph(nodes, "told", [taken], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return Fixture(head, model.SerializeToString(), Picture(), output)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.float32)


READY = 'boxes = "b"\nscores = "s"\nbox = "xyxy"\nunit = "px"\n'

WRONG: Sequence[tuple[str, Fixture, str]] = [
    (
        "raw boxes beside suppressed scores",
        told("ssd-nms", f'{READY}classes = "c"\nfirst_class = 1', b=zeros(1, 200, 4), s=zeros(1, 4), c=zeros(1, 4)),
        r"outputs b, s, c: expected as many boxes in each \(head ssd-nms\), the graph gives b \[1, 200, 4\], s \[1, 4\], c \[1, 4\]",
    ),
    (
        "fewer boxes than scores",
        told("detr", f'{READY}labels = "l"', b=zeros(1, 2, 4), s=zeros(1, 4), l=zeros(1, 4)),
        r"expected as many boxes in each \(head detr\), the graph gives b \[1, 2, 4\], l \[1, 4\], s \[1, 4\]",
    ),
    (
        "boxes of other queries",
        told("detr", 'logits = "l"\nboxes = "b"\nbox = "xyxy"\nunit = "px"', b=zeros(1, 2, 4), l=zeros(1, 4, 2)),
        r"the graph gives l \[1, 4, 2\], b \[1, 2, 4\]",
    ),
    (
        "boxes of other anchors",
        told("boxes-scores", 'boxes = "b"\nscores = "s"', b=zeros(1, 5, 4), s=zeros(1, 4, 2)),
        r"the graph gives b \[1, 5, 4\], s \[1, 4, 2\]",
    ),
    (
        "words for scores",
        told("classifier", 'tensor = "o"\nactivation = "none"', o=np.array([["red", "blue"]], dtype=object)),
        r"output o: expected a tensor of numbers, the graph gives tensor\(string\)",
    ),
    (
        "a level that is no number",
        replace(heads.anomaly_map(), output=heads.anomaly_map().output.replace("low = 0.0", "low = nan")),
        r"low: Input should be a finite number",
    ),
    ("an infinite mean", replace(heads.yolov8(), picture=Picture(more="mean = [inf, 0, 0]")), "mean.0: Input should be a finite number"),
    ("nothing to find", replace(heads.yolov8(), silent=("red", "blue")), "needs a label of which findings are made"),
    (
        "one label too many",
        replace(heads.yolov8(), labels=("red", "blue", "green")),
        r"output output0: expected \[1, 7, any\] \(head yolov8, 3 labels\), the graph gives \[1, 6, 64\]",
    ),
    (
        "rows taken for columns",
        replace(heads.yolov5(), head="yolov8"),
        r"expected \[1, 6, any\] \(head yolov8, 2 labels\), the graph gives \[1, 64, 7\]",
    ),
    (
        "objectness that is not there",
        replace(heads.yolov8(), output='tensor = "output0"\nobjectness = true'),
        r"expected \[1, 7, any\]",
    ),
    (
        "other strides",
        replace(heads.yolox(), output='tensor = "output"\ndecoded = false\nstrides = [8, 16]'),
        r"expected \[1, 80, 7\] .* gives \[1, 64, 7\]",
    ),
    (
        "another layout",
        replace(heads.yolov8(), picture=Picture(layout="nhwc")),
        r"input images: the card feeds \[1, 64, 64, 3\], the graph takes \[1, 3, 64, 64\]",
    ),
    (
        "grey for colours",
        replace(heads.yolov8(), picture=Picture(colour="grey")),
        r"feeds \[1, 1, 64, 64\], the graph takes \[1, 3, 64, 64\]",
    ),
    (
        "another number type",
        replace(heads.yolov8(), picture=Picture(dtype="float16")),
        r"feeds float16, the graph takes tensor\(float\)",
    ),
    (
        "a tensor that is not there",
        replace(heads.yolov8(), output='tensor = "output"'),
        r"card wants outputs \['output'\], graph has \['output0'\]",
    ),
    (
        "an input that is not fed",
        replace(heads.detr_ready(), output=heads.detr_ready().output.replace('sizes = "orig_target_sizes"\n', "")),
        r"also wants \['orig_target_sizes'\]",
    ),
    (
        "a larger batch",
        replace(heads.yolov5(), picture=Picture(more="batch = 2")),
        r"feeds \[2, 3, 64, 64\], the graph takes \[1, 3, 64, 64\]",
    ),
    ("a head nobody knows", replace(heads.yolov8(), head="yolov99"), "yolov99"),
    ("a key nobody knows", replace(heads.yolov8(), output='tensor = "output0"\nstride = 8'), "stride"),
    ("half a detr", replace(heads.detr(), output='logits = "logits"\nboxes = "boxes"\nscores = "s"\nbox = "xyxy"\nunit = "px"'), "either"),
    (
        "tiles that are not square",
        replace(heads.yolov8(), picture=Picture(fit="tile", more="overlap_px = 64")),
        "larger than their overlap",
    ),
    ("a reserved label", replace(heads.yolov8(), labels=("red", "heterogeneity")), "choose others"),
    ("an unheard silent label", replace(heads.yolov8(), silent=("green",)), "silent labels"),
    ("uint8 with a scale", replace(heads.ssd(), picture=Picture(layout="nhwc", dtype="uint8")), "scale 0-255"),
    ("two labels for a map", replace(heads.anomaly_map(), labels=("odd", "even")), "one label"),
    ("scores that are logits", replace(heads.detr(), output=heads.detr().output + '\nactivation = "none"'), "no probability"),
]


@pytest.mark.parametrize(("fixture", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_card_is_refused_at_load_with_what_was_expected_and_found(tmp_path: Path, fixture: Fixture, said: str) -> None:
    with pytest.raises(BundleIncompatible, match=said):
        detector(tmp_path, fixture)


def test_a_graph_that_gives_other_shapes_for_another_picture_fails_that_picture_and_no_more(tmp_path: Path) -> None:
    taken = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    constants = {"box": zeros(1, 4, 4), "s": zeros(1, 4), "c": zeros(1, 4), "0": np.array([0]), "1": np.array([1]), "9": np.array([9])}
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["one"], to=TensorProto.INT64),  # 1 for a white picture, else 0
        helper.make_node("Sub", ["9", "one"], ["last"]),
        helper.make_node("Mul", ["one", "9"], ["first"]),
        helper.make_node("Slice", ["box", "first", "last", "1"], ["b"]),
        *(helper.make_node("Identity", [name], [f"{name}s"]) for name in ("s", "c")),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("b", "ss", "cs")]
    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    model = helper.make_model(helper.make_graph(nodes, "g", [taken], outputs, values), opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    table = 'boxes = "b"\nscores = "ss"\nclasses = "cs"\nbox = "xyxy"\nunit = "px"\nfirst_class = 0'
    found = detector(tmp_path, Fixture("ssd-nms", model.SerializeToString(), Picture(), table))
    assert seen(evidence(found, display(64, 64))) == set()
    with pytest.raises(InferenceFailed, match=r"the graph gives b \[1, 0, 4\], ss \[1, 4\], cs \[1, 4\]"):
        evidence(found, display(64, 64, ((255, 255, 255), (0, 0, 64, 64))))


# ------------------------------------------------------------------------------------------------------- several bundles at once


def test_bundles_of_other_labels_run_side_by_side(tmp_path: Path) -> None:
    write_fixture(tmp_path, heads.yolov8(), name="first")
    write_fixture(tmp_path, replace(heads.yolov5(), labels=("rot", "blau")), name="second")
    models = load_models(tmp_path, DevicePolicy.CPU, WORKSHOP).models
    assert ["first/1.0.0", "second/1.0.0"] == [one.bundle.ref for one in models.detectors]
    assert dict.fromkeys(("red", "blue", "rot", "blau"), 0.6) == models.alert_levels(SubjectKind.CARGO)
    assert {} == models.alert_levels(SubjectKind.VEHICLE)


def test_one_label_from_two_bundles_is_refused(tmp_path: Path) -> None:
    write_fixture(tmp_path, heads.yolov8(), name="first")
    write_fixture(tmp_path, heads.yolov5(), name="second")
    with pytest.raises(BundleRejected, match=r"first/1.0.0 and second/1.0.0 both give blue, red"):
        load_models(tmp_path, DevicePolicy.CPU, WORKSHOP)
