"""Intervals against Newcombe, Statistics in Medicine 17 (1998) 857, table I: methods 3 (score) and 5 (Clopper-Pearson)."""

import pytest

from edge_agent.kpi.intervals import beta_cdf, clopper_pearson, wilson

NEWCOMBE = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]


@pytest.mark.parametrize(("hits", "n", "score", "_exact"), NEWCOMBE)
def test_wilson_gives_the_published_limits(hits, n, score, _exact):
    found = wilson(hits, n)
    assert score == (round(found.low, 4), round(found.high, 4))


@pytest.mark.parametrize(("hits", "n", "_score", "exact"), NEWCOMBE)
def test_clopper_pearson_gives_the_published_limits(hits, n, _score, exact):
    found = clopper_pearson(hits, n)
    assert exact == (round(found.low, 4), round(found.high, 4))


def test_no_hit_in_n_ends_where_the_power_of_the_miss_says():
    """With 0 of n the exact upper limit solves (1 - p)^n = 0.025."""
    assert clopper_pearson(0, 50).high == pytest.approx(1 - 0.025 ** (1 / 50), abs=1e-12)


def test_nothing_seen_says_nothing():
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    assert (clopper_pearson(0, 0).low, clopper_pearson(0, 0).high) == (0.0, 1.0)


def test_a_wider_confidence_gives_a_wider_interval():
    assert wilson(15, 148, 0.99).low < wilson(15, 148).low < wilson(15, 148).high < wilson(15, 148, 0.99).high


@pytest.mark.parametrize(("hits", "n", "confidence"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0)])
def test_impossible_counts_are_refused(hits, n, confidence):
    for interval in (wilson, clopper_pearson):
        with pytest.raises(ValueError, match="lie"):
            interval(hits, n, confidence)


def test_the_beta_function_of_one_one_is_the_diagonal():
    assert beta_cdf(0.3, 1, 1) == pytest.approx(0.3, abs=1e-14)
    assert (beta_cdf(0.0, 3, 4), beta_cdf(1.0, 3, 4)) == (0.0, 1.0)
