"""Bad pictures through the shipped models and every head: an obstacle or a proper result, never a crash and never a silent no-alert."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edge_agent.agent.at_hand import Outcome, Rules, find_drops, open_workbench
from edge_agent.analysis.conclude import Conclusion, conclude
from edge_agent.analysis.deadline import Deadline
from edge_agent.analysis.policy import Check, parse_policy
from edge_agent.analysis.ports import Models, one_by_one
from edge_agent.analysis.run import Examination, examine
from edge_agent.cli.profiles import named_profile
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.finding import Detection, WeightEstimate
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import BundleIncompatible
from edge_agent.formats.encode import png_bytes
from edge_agent.inference.load import load_models
from edge_agent.inference.session import DevicePolicy
from edge_agent.inference.store import Admission
from edge_agent.signing.detached import WORKSHOP
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.bundles import bright_cells_graph, write_detection_bundle
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import load_picture
from edge_agent.testing.factories import NOON
from edge_agent.testing.heads import FIXTURES, write_fixture
from edge_agent.testing.weight_bundle import write_weight_bundle

ROOT = Path(__file__).parents[2]
POLICY = parse_policy((ROOT / "config/policy.example.toml").read_bytes())
RNG = np.random.default_rng(0)
LARGE = (500, 1240)
GOOD = load_picture(120, 200, seed=1)


@pytest.fixture(scope="module")
def loaded():
    return load_models(ROOT / "exported_models", DevicePolicy.CPU, WORKSHOP)


def of_noise(values: np.ndarray, kind: type = np.uint16) -> np.ndarray:
    """What a picture of the kind makes of the values."""
    return np.clip(np.rint(values), 0, np.iinfo(kind).max).astype(kind)


def speckled(level: int, share: float) -> np.ndarray:
    """One level with salt and pepper on a share of its pixels."""
    return np.where(RNG.random(LARGE) < share, RNG.choice([0, 255], LARGE), level).astype(np.uint8)


HOT = np.zeros(LARGE, np.uint16)
HOT[250, 600] = 65535
LINES = of_noise(RNG.normal(20000, 300, LARGE))
LINES[248] = 65535
LINES[:, 400:402] = 0

BAD = {
    "black": (np.zeros((120, 200), np.uint16), "constant"),
    "white": (np.full((120, 200), 65535, np.uint16), "constant"),
    "grey": (np.full((120, 200), 128, np.uint8), "constant"),
    "white in colour": (np.full((120, 200, 3), 255, np.uint8), "constant"),
    "air": (RNG.normal(60000, 300, (120, 200)).astype(np.uint16), "all-air"),
    "grey with noise": (of_noise(RNG.integers(100, 103, LARGE), np.uint8), "constant"),
    "dark grey with noise": (of_noise(RNG.normal(20000, 300, LARGE)), "constant"),
    "black with noise": (of_noise(np.abs(RNG.normal(300, 150, LARGE))), "constant"),
    "black with a hot pixel": (HOT, "constant"),
    "grey with noise and lines": (LINES, "constant"),
    "salt and pepper": (speckled(90, 0.02), "constant"),
    "random": (of_noise(RNG.integers(0, 65536, LARGE)), "noise-only"),
    "random in colour": (of_noise(RNG.integers(0, 256, (*LARGE, 3)), np.uint8), "noise-only"),
    "much salt and pepper": (speckled(90, 0.4), "noise-only"),
    "air with noise": (of_noise(RNG.normal(60000, 1800, LARGE)), "all-air"),
    "slope": (of_noise(np.broadcast_to(np.linspace(0, 65535, 1240), LARGE)), "blurred"),
    "slope with noise": (of_noise(np.linspace(15000, 60000, 1240) + RNG.normal(0, 600, LARGE)), "blurred"),
    "saturated": (np.where(GOOD > 40000, 65535, 0).astype(np.uint16), "saturated"),
    "inverted": (np.invert(load_picture(120, 200, seed=2)), "polarity-doubtful"),
    "one pixel high": (GOOD[:1], "too-small"),
    "one pixel wide": (GOOD[:, :1], "too-small"),
    "one pixel": (GOOD[:1, :1], "too-small"),
    "blurred": (cv2.GaussianBlur(GOOD, (0, 0), 7), "blurred"),
    "opaque": (np.pad(np.full((100, 180), 3, np.uint16), 10, constant_values=64000), "dark"),
}


def scan_of(pixels, subject):
    quantity = Quantity.TRANSMISSION if pixels.dtype == np.uint16 else Quantity.DISPLAY
    view = View("side", (Plane(quantity, Energy.SINGLE, np.ascontiguousarray(pixels).copy()),), (5.0, 5.0))
    capture = Capture(Stamp(NOON, "", tz_assumed=True), CaptureKind.TEST, Selection.UNKNOWN)
    goods = Declaration((DeclaredItem("0202"),), "sidecar")
    return Scan(ScanId("s"), 1, ScannerRef(ScannerId("x"), "p"), capture, Subject(subject), (view,), goods, ())


@pytest.mark.parametrize("subject", [SubjectKind.CARGO, SubjectKind.PARCEL])
@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_picture_is_named_and_never_passes_as_no_alert(loaded, name, subject):
    pixels, code = BAD[name]
    examination = examine(scan_of(pixels, subject), (), loaded.models, POLICY, one_by_one, Deadline(ManualClock()))
    assert code in [obstacle.code for obstacle in examination.evidence.obstacles]
    assert conclude(examination.evidence, POLICY.of(subject)).word != "no-alert"


@pytest.mark.parametrize("subject", [SubjectKind.CARGO, SubjectKind.PARCEL])
@pytest.mark.parametrize("pixels", [GOOD, load_picture(120, 200, bits=8), load_picture(24, 24, seed=3), load_picture(17, 900)])
def test_a_small_but_good_picture_has_no_fault_of_its_own(loaded, pixels, subject):
    examination = examine(scan_of(pixels, subject), (), loaded.models, POLICY, one_by_one, Deadline(ManualClock()))
    faults = {code for _, code in BAD.values()} - {"dark", "polarity-doubtful", "blurred"}  # those depend on what the crop shows
    assert not faults & {obstacle.code for obstacle in examination.evidence.obstacles}


# --------------------------------------------------------------------------------------------------- from files, the whole path


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What the shipped bundles make of the bad pictures as files."""
    folder = tmp_path_factory.mktemp("bad")
    for name, (pixels, _) in BAD.items():
        (folder / f"{name}.png").write_bytes(png_bytes(pixels))
    rules, admission = Rules(SubjectKind.CARGO, (5.0, 5.0), ("0202",)), Admission(WORKSHOP)
    with open_workbench(POLICY, ROOT / "exported_models", DevicePolicy.CPU, rules, SystemClock(), admission) as bench:
        drops = find_drops([folder], [named_profile("plain-image")])
        found = [bench.assess(drop, profile) for drop, profile in drops]
    return {Path(outcome.drop.members[0].name).stem: outcome for outcome in found}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_file_is_judged_with_its_fault_named_and_never_cleared(outcomes: dict[str, Outcome], name: str) -> None:
    judgement = outcomes[name].judgement
    assert judgement is not None, outcomes[name].rejected
    assert BAD[name][1] in [obstacle.code for obstacle in judgement.conclusion.obstacles]
    assert judgement.conclusion.word != "no-alert"


def test_the_polarity_that_a_file_shows_is_recorded_beside_its_pixels(outcomes: dict[str, Outcome]) -> None:
    scan = outcomes["inverted"].scan
    assert scan is not None
    (recorded,) = (step for plane in scan.views[0].planes for step in plane.operations if step.name == "polarity")
    assert (recorded.value("found"), recorded.value("inverted")) == ("dark-air", False)


# ------------------------------------------------------------------------------------------------ every head, and graphs gone mad


def judged(pixels: np.ndarray, models: Models, required: str) -> tuple[Examination, Conclusion]:
    """What is made of a cargo picture where the one check is required."""
    examination = examine(scan_of(pixels, SubjectKind.CARGO), (), models, POLICY, one_by_one, Deadline(ManualClock()))
    rules = POLICY.cargo.model_copy(update={"required": (Check(required),)})
    return examination, conclude(examination.evidence, rules)


@pytest.fixture(scope="module", params=sorted(FIXTURES))
def headed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Models:
    root = tmp_path_factory.mktemp(request.param)
    write_fixture(root, FIXTURES[request.param]())
    return load_models(root, DevicePolicy.CPU, WORKSHOP).models


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_picture_is_named_whatever_the_head_and_every_box_lies_in_it(headed: Models, name: str) -> None:
    pixels, code = BAD[name]
    examination, conclusion = judged(pixels, headed, "detection")
    assert code in [obstacle.code for obstacle in examination.evidence.obstacles]
    assert conclusion.word != "no-alert"
    for found in examination.evidence.findings:
        assert isinstance(found, Detection)
        assert 0.0 <= found.score <= 1.0
        assert 0.0 <= found.box.x0 <= found.box.x1 <= pixels.shape[1]
        assert 0.0 <= found.box.y0 <= found.box.y1 <= pixels.shape[0]


@pytest.fixture(scope="module")
def weighing(tmp_path_factory: pytest.TempPathFactory) -> Models:
    root = tmp_path_factory.mktemp("weighing")
    write_weight_bundle(root)
    return load_models(root, DevicePolicy.CPU, WORKSHOP).models


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_picture_is_weighed_with_a_number_or_named(weighing: Models, name: str) -> None:
    pixels, code = BAD[name]
    examination, conclusion = judged(pixels, weighing, "weight")
    codes = [obstacle.code for obstacle in examination.evidence.obstacles]
    weights = [found for found in examination.evidence.findings if isinstance(found, WeightEstimate)]
    assert code in codes
    assert len(weights) + codes.count("not-weighable") == 1
    assert all(0.0 <= found.low_kg <= found.mass_kg <= found.high_kg < np.inf for found in weights)
    assert conclusion.word != "no-alert"


@pytest.mark.parametrize("name", ["yolox", "yolov8", "detr", "classifier", "anomaly-map"])
def test_a_graph_whose_answers_are_no_numbers_is_refused_when_it_is_loaded(tmp_path: Path, name: str) -> None:
    fixture = FIXTURES[name]()
    write_fixture(tmp_path, replace(fixture, graph=without_numbers(fixture.graph)))
    with pytest.raises(BundleIncompatible, match="not numbers"):
        load_models(tmp_path, DevicePolicy.CPU, WORKSHOP)


def test_a_graph_that_goes_mad_on_this_picture_alone_does_not_clear_it(tmp_path: Path) -> None:
    write_detection_bundle(tmp_path, graph=mad_in_light())
    examination, conclusion = judged(GOOD, load_models(tmp_path, DevicePolicy.CPU, WORKSHOP).models, "detection")
    (failed,) = (obstacle for obstacle in examination.evidence.obstacles if obstacle.code == "inference-failed")
    assert failed.params["check"] == "detection"
    assert examination.evidence.findings == ()
    assert conclusion.word == "unassessable"


def without_numbers(graph: bytes) -> bytes:
    """The same graph with every weight that is a float replaced by what is not a number."""
    model = onnx.load_from_string(graph)
    for part in model.graph.initializer:
        values = numpy_helper.to_array(part)
        if values.dtype.kind == "f":
            part.CopyFrom(numpy_helper.from_array(np.full_like(values, np.nan), part.name))
    return bytes(model.SerializeToString())


def mad_in_light() -> bytes:
    """The graph of bright cells, its scores plus the root of minus the brightest pixel: sane where all is black."""
    model = onnx.load_from_string(bright_cells_graph())
    (last,) = (node for node in model.graph.node if node.output[0] == "scores")
    last.output[0] = "sane"
    model.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["image"], ["most"], keepdims=0),
            helper.make_node("Neg", ["most"], ["below"]),
            helper.make_node("Sqrt", ["below"], ["mad"]),
            helper.make_node("Add", ["sane", "mad"], ["scores"]),
        ]
    )
    return bytes(model.SerializeToString())
