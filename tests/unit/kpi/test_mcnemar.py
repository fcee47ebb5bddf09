"""Two judges of the same scans: counts, rates, and the exact test of their difference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.kpi.paired import Paired, paired
from edge_agent.kpi.rates import Rate


def test_answers_are_counted_by_who_said_yes() -> None:
    seen = paired([(True, True), (True, False), (True, False), (False, True), (False, False)])
    assert seen == Paired(1, 2, 1, 1)
    assert (seen.n, seen.first, seen.second) == (5, Rate(3, 5), Rate(2, 5))


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 1, 1.0), (0, 5, 0.0625), (1, 9, 0.021484375), (9, 1, 0.021484375), (0, 10, 0.001953125)],
)
def test_p_values_are_those_of_the_binomial_table(only_first: int, only_second: int, p_value: float) -> None:
    assert Paired(100, only_first, only_second, 100).p_value == pytest.approx(p_value)


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 9), st.integers(0, 9))
def test_a_p_value_is_a_probability_blind_to_agreement_and_to_order(first: int, second: int, both: int, neither: int) -> None:
    value = Paired(both, first, second, neither).p_value
    assert 0.0 <= value <= 1.0
    assert value == Paired(0, second, first, 0).p_value


def test_nobody_asked_means_no_rate() -> None:
    assert paired([]).first.value is None
