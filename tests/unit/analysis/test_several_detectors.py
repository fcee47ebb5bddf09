"""Detectors side by side: each is asked by itself, one that fails hides nothing of another, and a heat map keeps its maker's name."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge_agent.analysis.conclude import conclude
from edge_agent.analysis.deadline import Deadline
from edge_agent.analysis.policy import Check, parse_policy
from edge_agent.analysis.ports import Models, one_by_one
from edge_agent.analysis.run import Examination, examine
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.finding import Detection
from edge_agent.domain.geometry import Box
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import InferenceFailed
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.models import USE, ToldDetector

POLICY = parse_policy((Path(__file__).parents[3] / "config/policy.example.toml").read_bytes())
OTHER = replace(USE, name="other")
LOAD = np.full((80, 100), 64000, np.uint16)
LOAD[20:60, 20:80] = np.random.default_rng(0).integers(20000, 40000, (40, 60))
VIEW = View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, LOAD),), (5.0, 5.0))
PARCEL = Scan(
    ScanId("s"),
    1,
    ScannerRef(ScannerId("x"), "p"),
    Capture(Stamp(datetime(2026, 3, 2, tzinfo=UTC), "", tz_assumed=True), CaptureKind.LIVE, Selection.UNKNOWN),
    Subject(SubjectKind.PARCEL),
    (VIEW,),
    None,
    (),
)


def seen(*detectors: ToldDetector) -> Examination:
    return examine(PARCEL, (), Models(detectors, None), POLICY, one_by_one, Deadline(ManualClock()))


def word(examination: Examination) -> str:
    return conclude(examination.evidence, POLICY.parcel).word


def test_findings_name_the_bundle_that_made_them_and_alert_by_its_level() -> None:
    examination = seen(ToldDetector(scores=(0.4,)), ToldDetector(scores=(0.9,), label="battery", bundle=OTHER))
    found = [one for one in examination.evidence.findings if isinstance(one, Detection)]
    assert [("handgun", "told/1"), ("battery", "other/1")] == [(one.label, one.bundle) for one in found]
    assert ["battery"] == [reason.params["label"] for reason in conclude(examination.evidence, POLICY.parcel).reasons]


def test_a_detector_that_fails_hides_nothing_of_another_and_no_silence_is_called_quiet() -> None:
    broken = ToldDetector(failure=InferenceFailed("broken"))
    assert "alert" == word(seen(broken, ToldDetector(scores=(0.9,), label="battery", bundle=OTHER)))
    quiet = seen(broken, ToldDetector(label="battery", bundle=OTHER))
    assert ("unassessable", False) == (word(quiet), Check.DETECTION in quiet.evidence.done)


def test_a_detector_for_another_subject_is_not_asked_and_its_labels_are_free() -> None:
    cargo_only = ToldDetector(scores=(0.9,), subjects=frozenset({SubjectKind.CARGO}))
    examination = seen(cargo_only, ToldDetector(bundle=OTHER))
    assert ([], "no-alert") == (cargo_only.asked, word(examination))
    assert {"handgun": 0.6} == examination.evidence.alert_levels


def test_a_heat_map_of_a_detector_has_no_goods_and_the_name_of_its_bundle() -> None:
    heat = np.ones((2, 3), dtype=np.float32)
    (maps,) = seen(ToldDetector(heat=heat, bundle=OTHER)).maps
    assert ("side", "other/1", None) == (maps.view, maps.bundle, maps.goods)


def test_an_earlier_finding_of_a_bundle_that_left_is_still_judged() -> None:
    gone = Detection("gone", 0.7, Box(0, 0, 1, 1), "side", "left/1")
    evidence = replace(seen(ToldDetector()).evidence, findings=(gone,))
    assert "alert" == conclude(evidence, POLICY.parcel).word
    assert "no-alert" == conclude(replace(evidence, findings=(replace(gone, score=0.4),)), POLICY.parcel).word
