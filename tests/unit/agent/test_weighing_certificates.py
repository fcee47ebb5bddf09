"""A scanner's correction of the weight estimate: refused where it means nothing, measured on unseen loads, gone when it expires."""

from datetime import timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from edge_agent.agent.weighing import (
    FitPart,
    LeftOut,
    Scale,
    Weighed,
    WeighedScans,
    Weighing,
    WeighingCertificate,
    certify_weighing,
    held_out_intervals,
)
from edge_agent.domain.assessment import BundleState, BundleUse
from edge_agent.domain.ids import ScannerId
from edge_agent.errors import WeighingRefused
from edge_agent.inference.weight import ScaleReading
from edge_agent.testing.factories import NOON

SCALE = Scale("north", ScannerId("portal-1"), BundleUse("scale", "1.0.0", "a" * 64, BundleState.SIMULATED))


def loads(count: int, factor: float = 1.2, constant_kg: float = 500.0, noise: float = 0.01) -> tuple[Weighed, ...]:
    rng = np.random.default_rng(count)
    found = []
    for seen_kg in rng.uniform(4_000.0, 25_000.0, count):
        true_kg = (factor * seen_kg + constant_kg) * rng.normal(1.0, noise)
        found.append(Weighed(ScaleReading((0.9 * seen_kg, seen_kg, 1.1 * seen_kg), 0.0), true_kg))
    return tuple(found)


def made(weighed: tuple[Weighed, ...], days: int = 90) -> WeighingCertificate:
    return certify_weighing(SCALE, WeighedScans(weighed, (LeftOut("x", "no-scan"),), ()), NOON, days)


def test_a_certificate_says_how_much_better_the_estimate_becomes_on_loads_that_had_no_part_in_it() -> None:
    certificate = made(loads(40))
    assert certificate.held_out is not None
    assert certificate.plain.median > 0.15
    assert certificate.held_out.median < 0.02
    assert certificate.held_out.inside >= 33
    assert 40 == certificate.n == certificate.plain.n == certificate.held_out.n
    assert (1, 0) == (certificate.unmatched, certificate.unweighable)
    assert ("north", "portal-1", "a" * 64) == (certificate.site, certificate.scanner, certificate.bundle.sha256)


def test_errors_of_a_right_estimate_are_zero_and_of_one_a_quarter_off_a_quarter() -> None:
    assert (0.0, 0.0, 12) == tuple(made(loads(12, 1.0, 0.0, 0.0)).plain.model_dump(include={"median", "p90", "inside"}).values())
    quarter = made(loads(12, 0.8, 0.0, 0.0)).plain
    assert (pytest.approx(0.25), 0) == (quarter.median, quarter.inside)


def test_nine_loads_are_refused_and_what_was_left_out_is_counted() -> None:
    with pytest.raises(WeighingRefused, match="9 weighed loads, 10 are needed; 1 rows had no scan, 0 scans"):
        made(loads(9))


def test_masses_in_tonnes_are_refused_before_they_make_a_correction() -> None:
    in_tonnes = tuple(Weighed(load.reading, load.true_kg / 1000.0) for load in loads(20))
    with pytest.raises(WeighingRefused, match="times what the pictures show"):
        made(in_tonnes)


@pytest.mark.parametrize(("count", "is_held_out"), [(10, False), (11, True), (23, True), (60, True)])
def test_held_out_errors_are_given_where_enough_loads_are_left_to_fit(count: int, is_held_out: bool) -> None:
    assert is_held_out == (made(loads(count)).held_out is not None)


@pytest.mark.parametrize("count", [11, 20, 21, 47])
def test_no_load_has_a_part_in_the_correction_it_is_judged_by(count: int) -> None:
    weighed = loads(count)
    for place in (0, count // 2, count - 1):
        wrong = (*weighed[:place], Weighed(weighed[place].reading, 3.0 * weighed[place].true_kg), *weighed[place + 1 :])
        before, after = held_out_intervals(weighed), held_out_intervals(wrong)
        assert before is not None
        assert after is not None
        assert list(before[place]) == list(after[place])


def test_a_correction_counts_for_its_scanner_until_it_expires_and_then_health_says_so() -> None:
    certificate = made(loads(20), days=30)
    weighing = Weighing((certificate,))
    last = NOON + timedelta(days=30)
    assert {ScannerId("portal-1"): certificate.fit.fit} == weighing.fits(last - timedelta(seconds=1))
    assert () == weighing.reasons(last - timedelta(seconds=1))
    assert {} == weighing.fits(last)
    assert [("weighing-expired", {"scanner": "portal-1"})] == [(reason.code, reason.params) for reason in weighing.reasons(last)]


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"scale": 3.0}, {"dark": "NaN"}, {"constant_kg": float("inf")}, {"widening": -1.0}])
def test_no_file_can_bring_a_correction_that_is_none(wrong: dict[str, object]) -> None:
    given = {"scale": 1.0, "dark": 0.0, "constant_kg": 0.0, "widening": 1.0, **wrong}
    with pytest.raises(ValidationError):
        FitPart.model_validate(given)
