"""Areas, intervals, rates at fixed false alarms: literal values."""

import numpy as np
import pytest

from edge_agent.evaluation.curves import auc, auc_interval, found_at, reliability, roc, separation
from edge_agent.kpi.rates import Rate


def test_an_area_is_how_often_a_guilty_score_is_above_a_clean_one() -> None:
    """Pairs: .9 beats both, .4 beats .1 and ties with .4: 3.5 of 4."""
    assert 3.5 / 4 == auc(separation("", [0.9, 0.4], [0.4, 0.1]))


@pytest.mark.parametrize(("guilty", "clean"), [([], [0.1]), ([0.1], [])])
def test_an_area_over_nothing_is_refused(guilty: list[float], clean: list[float]) -> None:
    with pytest.raises(ValueError, match="both groups"):
        auc(separation("", guilty, clean))


def test_an_interval_at_an_area_of_one_still_has_a_width() -> None:
    few, many = auc_interval(1.0, 9, 9), auc_interval(1.0, 100, 100)
    assert (1.0, 1.0) == (few.high, many.high)
    assert few.low < 0.85 < 0.95 < many.low < 1.0


def test_an_interval_agrees_with_the_simple_one_where_that_is_good() -> None:
    """Hanley and McNeil's own example: area .893 over 51 and 58 has a standard error of about .032."""
    found = auc_interval(0.893, 51, 58)
    assert (0.893 - 1.96 * 0.032, 0.893 + 1.96 * 0.032) == pytest.approx((found.low, found.high), abs=0.02)


def test_the_threshold_of_a_rate_is_the_lowest_that_keeps_it() -> None:
    clean = [place / 100 for place in range(100)]
    assert Rate(2, 3) == found_at(separation("", [0.975, 0.985, 0.995], clean), 0.01)
    assert Rate(3, 3) == found_at(separation("", [0.975, 0.985, 0.995], clean), 0.02)
    assert Rate(1, 3) == found_at(separation("", [0.975, 0.985, 0.995], clean), 0.0)


def test_a_score_equal_to_a_clean_one_that_must_not_alarm_is_not_found() -> None:
    assert Rate(0, 1) == found_at(separation("", [0.5], [0.5, 0.1]), 0.0)


def test_when_every_clean_scan_may_alarm_all_are_found() -> None:
    assert Rate(2, 2) == found_at(separation("", [0.0, 0.0], [0.5]), 1.0)


def test_a_curve_starts_at_nothing_and_ends_at_all() -> None:
    false, true = roc(separation("", [0.9, 0.4], [0.4, 0.1]))
    assert ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0]) == (false.tolist(), true.tolist())


def test_reliability_counts_guilty_scans_by_score() -> None:
    bins = reliability(separation("", [0.95, 1.0, 0.15], [0.1, 0.12, 0.9]))
    assert [(pytest.approx(0.37 / 3), Rate(1, 3)), (pytest.approx(2.85 / 3), Rate(2, 3))] == [(one.mean, one.rate) for one in bins]


def test_scores_may_be_any_numbers() -> None:
    assert 1.0 == auc(separation("", [-0.1], [-0.5]))
    assert np.isfinite(auc_interval(0.0, 1, 1).high)
