"""The load is weighed once, from the first view that tells its mass, and held against what was declared."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge_agent.analysis.conclude import conclude, declared_mass_kg, mismatch
from edge_agent.analysis.deadline import Deadline
from edge_agent.analysis.policy import Check, parse_policy
from edge_agent.analysis.ports import Models, one_by_one
from edge_agent.analysis.run import Examination, examine
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration, DeclaredItem, Link, LinkBasis
from edge_agent.domain.finding import WeightEstimate
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import load_picture
from edge_agent.testing.models import ToldScale

POLICY = parse_policy((Path(__file__).parents[3] / "config/policy.example.toml").read_bytes())
TWENTY_TONNES = WeightEstimate(20_000.0, 18_000.0, 22_000.0, "told/1")


def declared(*masses: float | None, heading: str = "0202", link: Link | None = None) -> Declaration:
    return Declaration(tuple(DeclaredItem(heading, gross_kg=mass) for mass in masses), "sidecar", link=link or Link())


def weighed(declaration: Declaration | None, scale: ToldScale, views: tuple[str, ...] = ("side",)) -> Examination:
    planes = (Plane(Quantity.TRANSMISSION, Energy.HIGH, load_picture(80, 100)),)
    capture = Capture(Stamp(datetime(2026, 3, 2, tzinfo=UTC), "", tz_assumed=True), CaptureKind.LIVE, Selection.UNKNOWN)
    shown = tuple(View(name, planes, (5.0, 5.0)) for name in views)
    scan = Scan(ScanId("s"), 1, ScannerRef(ScannerId("x"), "p"), capture, Subject(SubjectKind.CARGO), shown, declaration, ())
    return examine(scan, (), Models((), None, scale), POLICY, one_by_one, Deadline(ManualClock()))


def reasons(examination: Examination) -> list[str]:
    return [reason.code for reason in conclude(examination.evidence, POLICY.cargo.model_copy(update={"required": ()})).reasons]


@pytest.mark.parametrize(("declared_kg", "expected"), [(20_000.0, 0.0), (22_000.0, 0.9), (18_000.0, 0.9), (26_000.0, 1.0), (0.0, 1.0)])
def test_the_edge_of_the_interval_is_ninety_percent_sure(declared_kg: float, expected: float) -> None:
    assert expected == pytest.approx(mismatch(TWENTY_TONNES, declared_kg), abs=1e-3)


def test_an_interval_without_width_is_no_division_by_zero() -> None:
    assert 1.0 == pytest.approx(mismatch(WeightEstimate(10.0, 10.0, 10.0, "told/1"), 20.0))


def test_a_mass_that_one_line_leaves_out_is_not_compared() -> None:
    assert declared_mass_kg(declared(100.0, None)) is None
    assert 300.0 == declared_mass_kg(declared(100.0, 200.0))
    assert 0.0 == declared_mass_kg(declared(None, heading="0000"))
    assert declared_mass_kg(None) is None


@pytest.mark.parametrize(("mass", "expected"), [(20_500.0, []), (35_000.0, ["weight-mismatch"]), (5_000.0, ["weight-mismatch"])])
def test_too_much_and_too_little_alert_and_about_right_does_not(mass: float, expected: list[str]) -> None:
    assert expected == reasons(weighed(declared(mass), ToldScale()))


def test_a_declaration_that_may_be_another_scans_is_not_held_against_the_mass() -> None:
    assert [] == reasons(weighed(declared(35_000.0, link=Link(0.3, LinkBasis.ORDER)), ToldScale()))


def test_the_first_view_that_tells_the_mass_is_taken_and_no_other_is_asked() -> None:
    scale = ToldScale(views=("top", "bottom"))
    examination = weighed(declared(20_000.0), scale, ("side", "top", "bottom"))
    assert ["side", "top"] == scale.asked
    assert 1 == sum(isinstance(finding, WeightEstimate) for finding in examination.evidence.findings)
    assert Check.WEIGHT in examination.evidence.done
    assert "not-weighable" not in [obstacle.code for obstacle in examination.evidence.obstacles]


def test_a_scan_that_cannot_be_weighed_says_so_once_and_why() -> None:
    examination = weighed(declared(20_000.0), ToldScale(views=()), ("side", "top"))
    told = [obstacle for obstacle in examination.evidence.obstacles if obstacle.code == "not-weighable"]
    assert [("side", "display")] == [(obstacle.view, obstacle.params["why"]) for obstacle in told]
    assert Check.WEIGHT not in examination.evidence.done


def test_a_scan_that_must_be_weighed_and_cannot_is_unassessable() -> None:
    examination = weighed(declared(20_000.0), ToldScale(views=()))
    rules = POLICY.cargo.model_copy(update={"required": (Check.WEIGHT,)})
    assert "unassessable" == conclude(examination.evidence, rules).word


def test_the_picture_of_the_test_lets_light_through() -> None:
    assert 0 < int(np.median(load_picture(80, 100))) < 65535
