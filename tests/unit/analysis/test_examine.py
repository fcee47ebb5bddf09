"""One scan through told models: every view is looked at, and what cannot be done becomes an obstacle, never silence."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge_agent.analysis.conclude import conclude
from edge_agent.analysis.deadline import Deadline
from edge_agent.analysis.policy import Check, parse_policy
from edge_agent.analysis.ports import DetectorEvidence, Fan, Models, one_by_one
from edge_agent.analysis.run import Examination, examine
from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration, DeclaredItem, Link, LinkBasis
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import DeviceLost, InferenceFailed
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import load_picture
from edge_agent.testing.models import ToldContents, ToldDetector

POLICY = parse_policy((Path(__file__).parents[3] / "config/policy.example.toml").read_bytes())
LIGHT = load_picture(80, 100)
DARK = np.pad(np.full((70, 90), 2, dtype=np.uint16), 5, constant_values=64000)


def view(name: str = "side", pixels: np.ndarray = LIGHT, pitch: tuple[float, float] | None = (5.0, 5.0), **more: bool) -> View:
    return View(name, (Plane(Quantity.TRANSMISSION, Energy.HIGH, pixels.copy()),), pitch, **more)


def scan(
    *views: View, headings: tuple[str, ...] = ("0202",), subject: SubjectKind = SubjectKind.CARGO, partial: tuple[str, ...] = ()
) -> Scan:
    declaration = Declaration(tuple(DeclaredItem(heading) for heading in headings), "sidecar") if headings else None
    capture = Capture(Stamp(datetime(2026, 3, 2, tzinfo=UTC), "", tz_assumed=True), CaptureKind.LIVE, Selection.UNKNOWN)
    return Scan(ScanId("s"), 1, ScannerRef(ScannerId("x"), "p"), capture, Subject(subject), views, declaration, (), partial)


def seen(subject: Scan, detector: ToldDetector | None = None, contents: ToldContents | None = None, *notes: Reason) -> Examination:
    models = Models((detector or ToldDetector(),), contents or ToldContents())
    return examine(subject, notes, models, POLICY, one_by_one, Deadline(ManualClock()))


def word(examination: Examination, subject: SubjectKind = SubjectKind.CARGO) -> str:
    return conclude(examination.evidence, POLICY.of(subject)).word


def codes(examination: Examination) -> list[str]:
    return [obstacle.code for obstacle in examination.evidence.obstacles]


def test_a_quiet_scan_as_declared_gives_no_alert_and_no_obstacle() -> None:
    examination = seen(scan(view()))
    assert (word(examination), codes(examination)) == ("no-alert", [])
    assert examination.evidence.done == frozenset({Check.DETECTION, Check.CONTENTS})


def test_every_transmission_view_is_looked_at_and_findings_carry_their_view() -> None:
    examination = seen(scan(view("side"), view("top")), ToldDetector(scores=(0.9,)))
    assert [f.view for f in examination.evidence.findings if hasattr(f, "label")] == ["side", "top"]
    assert word(examination) == "alert"


def test_a_failing_model_makes_the_scan_unassessable_with_the_check_named() -> None:
    examination = seen(scan(view()), ToldDetector(failure=InferenceFailed("broken")))
    assert [(o.code, o.params["check"]) for o in examination.evidence.obstacles] == [("inference-failed", "detection")]
    assert Check.DETECTION not in examination.evidence.done
    assert word(examination) == "unassessable"


def test_a_failure_in_one_view_does_not_hide_an_alert_of_the_other_check() -> None:
    examination = seen(scan(view(), headings=("4011",)), ToldDetector(failure=InferenceFailed("broken")))
    assert word(examination) == "alert"
    assert "inference-failed" in codes(examination)


def test_a_lost_device_is_not_turned_into_a_result() -> None:
    with pytest.raises(DeviceLost):
        seen(scan(view()), ToldDetector(failure=DeviceLost("gone")))


def test_an_error_nobody_expected_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        seen(scan(view()), ToldDetector(failure=ZeroDivisionError()))


def test_no_view_at_all_is_unassessable() -> None:
    examination = seen(scan())
    assert codes(examination) == ["view-missing"]
    assert (word(examination), examination.evidence.done) == ("unassessable", frozenset())


def test_a_backscatter_view_is_kept_and_named_as_not_checked() -> None:
    other = View("front", (Plane(Quantity.BACKSCATTER, Energy.SINGLE, LIGHT.copy()),), (5.0, 5.0))
    assert codes(seen(scan(view(), other))) == ["check-not-applicable"]


def test_an_opaque_scan_is_too_dark_to_judge() -> None:
    examination = seen(scan(view(pixels=DARK)))
    (obstacle,) = examination.evidence.obstacles
    assert (obstacle.code, obstacle.view) == ("dark", "side")
    assert obstacle.params["share"] > 0.9
    assert word(examination) == "unassessable"


def test_scale_that_is_unknown_or_assumed_is_said() -> None:
    assert codes(seen(scan(view(pitch=None)))) == ["pitch-unknown"]
    assert codes(seen(scan(view(pitch_assumed=True)))) == ["pitch-assumed"]


def test_nothing_declared_and_unknown_goods_are_said() -> None:
    assert codes(seen(scan(view(), headings=()))) == ["undeclared"]
    examination = seen(scan(view(), headings=("0202", "9999")))
    assert [dict(o.params) for o in examination.evidence.obstacles] == [{"headings": "9999"}]


def test_a_missing_member_is_an_obstacle_with_its_role() -> None:
    assert [dict(o.params) for o in seen(scan(view(), partial=("low",))).evidence.obstacles] == [{"role": "low"}]


def test_notes_that_alert_are_reasons_and_the_others_obstacles() -> None:
    examination = seen(scan(view()), None, None, Reason("sidecar-unreadable"), Reason("pixels-seen-before", {"twin": "t"}))
    assert codes(examination) == ["sidecar-unreadable"]
    assert word(examination) == "alert"


def test_a_parcel_needs_no_contents_check() -> None:
    contents = ToldContents()
    examination = seen(scan(view(), headings=(), subject=SubjectKind.PARCEL), None, contents)
    assert contents.asked == []
    assert (word(examination, SubjectKind.PARCEL), codes(examination)) == ("no-alert", [])


def test_a_check_without_a_model_is_missing_not_passed() -> None:
    examination = examine(scan(view()), (), Models((), None), POLICY, one_by_one, Deadline(ManualClock()))
    conclusion = conclude(examination.evidence, POLICY.cargo)
    assert (conclusion.word, [o.code for o in conclusion.obstacles]) == ("unassessable", ["check-missing", "check-missing"])


def test_the_detector_is_asked_from_the_level_where_findings_are_shown() -> None:
    detector = ToldDetector()
    seen(scan(view()), detector)
    assert detector.asked == [("side", {"handgun": 0.3})]


@pytest.mark.parametrize(("score", "expected"), [(1.0, "alert"), (0.7, "alert"), (0.5, "no-alert")])
def test_a_declaration_that_may_be_another_scans_is_not_compared_with_and_the_obstacle_says_so(score: float, expected: str) -> None:
    subject = scan(view(), headings=("4011",))
    assert subject.declaration is not None
    linked = replace(subject.declaration, link=Link(score, LinkBasis.CORRECTED))
    examination = seen(replace(subject, declaration=linked))
    assert expected == word(examination)
    assert [("link-weak", score)] * (expected == "no-alert") == [(o.code, o.params["link"]) for o in examination.evidence.obstacles]


def test_an_empty_declaration_of_another_scan_accuses_nobody() -> None:
    subject = scan(view(), headings=("0000",))
    assert subject.declaration is not None
    examination = seen(replace(subject, declaration=replace(subject.declaration, link=Link(0.3, LinkBasis.ORDER))))
    reasons = conclude(examination.evidence, POLICY.of(SubjectKind.CARGO)).reasons
    assert "declared-empty-but-loaded" not in [reason.code for reason in reasons]


def test_goods_declared_in_words_only_are_as_good_as_undeclared_for_the_comparison() -> None:
    subject = replace(scan(view()), declaration=Declaration((DeclaredItem("", "frozen beef"),), "sidecar"))
    assert codes(seen(subject)) == ["undeclared"]


@dataclass
class SlowDetector(ToldDetector):
    """Takes a second a tile, and has ten of them in a view."""

    clock: ManualClock = field(default_factory=ManualClock)

    def detect(self, view: View, subject: SubjectKind, show_at: Mapping[str, float], fan: Fan) -> DetectorEvidence:
        fan(lambda _: self.clock.advance(1.0), range(10))
        return super().detect(view, subject, show_at, fan)


def timed(slow: SlowDetector, allowed_s: float, contents: ToldContents) -> Examination:
    deadline = Deadline(slow.clock, slow.clock.monotonic() + allowed_s)
    return examine(scan(view("side"), view("top")), (), Models((slow,), contents), POLICY, one_by_one, deadline)


def test_a_scan_whose_time_is_over_is_unassessable_and_says_what_was_left_undone() -> None:
    contents = ToldContents()
    examination = timed(SlowDetector(), 5.0, contents)
    assert word(examination) == "unassessable"
    left = [(o.view, o.params["check"]) for o in examination.evidence.obstacles if o.code == "out-of-time"]
    assert left == [("side", "detection"), ("side", "contents"), ("top", "detection"), ("top", "contents")]
    assert contents.asked == [], "nothing is begun when the time is over"


def test_what_was_found_before_the_time_was_over_still_alerts() -> None:
    examination = timed(SlowDetector(scores=(0.9,)), 15.0, ToldContents(score=0.0))
    assert word(examination) == "alert"
    assert {o.view for o in examination.evidence.obstacles if o.code == "out-of-time"} == {"top"}


def test_a_scan_that_is_done_in_time_has_no_obstacle_of_time() -> None:
    assert "out-of-time" not in codes(timed(SlowDetector(), 60.0, ToldContents()))
