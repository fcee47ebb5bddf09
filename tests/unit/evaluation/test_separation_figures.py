"""Areas, intervals, rates at fixed false alarms: literal values."""

import numpy as np
import pytest

from edge_agent.evaluation.curves import auc, auc_interval, found_at, rate_at_false_alarms, reliability, roc, separation
from edge_agent.kpi.intervals import wilson
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


def drawn_again(clean: np.ndarray, guilty: np.ndarray, share: float, draws: int = 4000) -> tuple[float, float]:
    """The same interval the long way: draw the scores themselves, sort them, take the threshold, count."""
    rng = np.random.default_rng(7)
    rates = []
    for _ in range(draws):
        ours, theirs = rng.choice(clean, clean.size), rng.choice(guilty, guilty.size)
        rates.append(float((theirs > np.sort(ours)[::-1][int(share * clean.size + 1e-9)]).mean()))
    low, high = np.quantile(rates, (0.025, 0.975))
    return float(low), float(high)


@pytest.mark.parametrize(("n", "m", "share"), [(60, 40, 0.05), (200, 80, 0.01), (30, 200, 0.1)])
def test_the_interval_of_a_rate_is_that_of_drawing_clean_and_guilty_scores_together(n: int, m: int, share: float) -> None:
    rng = np.random.default_rng(n)
    clean, guilty = np.round(rng.normal(size=n), 1), np.round(rng.normal(1.8, 1.0, m), 1)  # rounded, so that there are ties
    rate, low, high = rate_at_false_alarms(clean, guilty, share)
    assert found_at(separation("", guilty.tolist(), clean.tolist()), share).value == rate
    assert drawn_again(clean, guilty, share) == pytest.approx((low, high), abs=0.026)


def test_the_interval_of_a_rate_holds_the_truth_where_that_of_a_known_threshold_does_not() -> None:
    """Normal scores 2 apart: at the true level of 5 % false alarms 63.9 % are found."""
    truth, n, trials = 0.6388, 80, 300
    rng = np.random.default_rng(11)
    held = held_by_wilson = 0
    for _ in range(trials):
        clean, guilty = rng.normal(size=n), rng.normal(2.0, 1.0, n)
        rate, low, high = rate_at_false_alarms(clean, guilty, 0.05)
        fixed = wilson(round(rate * n), n)
        held += low <= truth <= high
        held_by_wilson += fixed.low <= truth <= fixed.high
    assert held_by_wilson < 0.8 * trials < 0.9 * trials <= held


def test_a_rate_of_one_has_a_width_all_the_same() -> None:
    """Every draw of scores that lie wholly apart finds them all, which is no interval of no width."""
    clean, guilty = np.arange(200.0), np.arange(1000.0, 1020.0)
    rate, low, high = rate_at_false_alarms(clean, guilty, 0.01)
    assert (1.0, wilson(20, 20).low, 1.0) == (rate, low, high)


def test_a_rate_that_hangs_on_the_best_clean_scores_has_an_interval_that_says_so() -> None:
    """Two of 200 clean scores may alarm. Half of the guilty lie between the third and the second: a threshold there finds them or not."""
    clean = np.concatenate([np.zeros(197), [10.0, 20.0, 30.0]])
    guilty = np.concatenate([np.full(50, 15.0), np.full(50, 40.0)])
    rate, low, high = rate_at_false_alarms(clean, guilty, 0.01)
    assert 1.0 == rate
    assert low < 0.55 < 1.0 == high


def test_the_interval_of_a_rate_is_the_same_each_time() -> None:
    clean, guilty = np.linspace(0.0, 1.0, 150), np.linspace(0.5, 1.2, 70)
    assert rate_at_false_alarms(clean, guilty, 0.02) == rate_at_false_alarms(clean[::-1], guilty[::-1], 0.02)


@pytest.mark.parametrize(
    ("clean", "guilty", "share", "words"),
    [([], [0.5], 0.01, "both groups"), ([0.5], [], 0.01, "both groups"), ([0.5], [0.5], 1.1, "between 0 and 1")],
)
def test_a_rate_over_nothing_or_at_no_share_is_refused(clean: list[float], guilty: list[float], share: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rate_at_false_alarms(np.array(clean), np.array(guilty), share)


def test_a_curve_starts_at_nothing_and_ends_at_all() -> None:
    false, true = roc(separation("", [0.9, 0.4], [0.4, 0.1]))
    assert ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0]) == (false.tolist(), true.tolist())


def test_reliability_counts_guilty_scans_by_score() -> None:
    bins = reliability(separation("", [0.95, 1.0, 0.15], [0.1, 0.12, 0.9]))
    assert [(pytest.approx(0.37 / 3), Rate(1, 3)), (pytest.approx(2.85 / 3), Rate(2, 3))] == [(one.mean, one.rate) for one in bins]


def test_scores_may_be_any_numbers() -> None:
    assert 1.0 == auc(separation("", [-0.1], [-0.5]))
    assert np.isfinite(auc_interval(0.0, 1, 1).high)
