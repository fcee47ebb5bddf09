"""Bad pictures through the shipped models: an obstacle with its name or a proper result, never a crash and never a silent no-alert."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.analysis.conclude import conclude
from edge_agent.analysis.deadline import Deadline
from edge_agent.analysis.policy import parse_policy
from edge_agent.analysis.ports import one_by_one
from edge_agent.analysis.run import examine
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.inference.load import load_models
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import load_picture
from edge_agent.testing.factories import NOON

ROOT = Path(__file__).parents[2]
POLICY = parse_policy((ROOT / "config/policy.example.toml").read_bytes())
RNG = np.random.default_rng(0)
GOOD = load_picture(120, 200, seed=1)


@pytest.fixture(scope="module")
def loaded():
    return load_models(ROOT / "exported_models", DevicePolicy.CPU, WORKSHOP)


BAD = {
    "black": (np.zeros((120, 200), np.uint16), "constant"),
    "white": (np.full((120, 200), 65535, np.uint16), "constant"),
    "grey": (np.full((120, 200), 128, np.uint8), "constant"),
    "white in colour": (np.full((120, 200, 3), 255, np.uint8), "constant"),
    "air": (RNG.normal(60000, 300, (120, 200)).astype(np.uint16), "all-air"),
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
