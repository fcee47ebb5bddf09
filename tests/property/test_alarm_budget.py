"""Thresholds from clean scans keep the whole-scan budget, whatever the scores are and however the checks depend on each other."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import CommissionRefused
from edge_agent.kpi.budget import Checks, alarms_surely, allot, held_out, scans_needed
from edge_agent.kpi.rates import Rate

NAMES = ("a", "b", "c")
CHECKS = Checks(dict.fromkeys(NAMES, 0.05))
TOGETHER = Checks(dict.fromkeys(NAMES, 0.05), together=({"a": 0.4, "b": 0.8},))
CAPPED = Checks(dict.fromkeys(NAMES, 0.05), highest={"a": 0.70004, "c": 0.3})
UNCAPPED = st.sampled_from((CHECKS, TOGETHER))
EITHER = st.sampled_from((CHECKS, TOGETHER, CAPPED))
SCORES = st.floats(0.0, 0.99) | st.just(1.0)
UNSURE = st.lists(st.dictionaries(st.sampled_from(NAMES), st.floats(0.0, 0.99), max_size=3), min_size=1, max_size=80)
SCANS = st.lists(st.dictionaries(st.sampled_from(NAMES), SCORES, max_size=3), min_size=1, max_size=80)
BUDGETS = st.floats(0.02, 0.5)


def alarms(scans: list[dict[str, float]], thresholds: dict[str, float]) -> int:
    return sum(any(scan.get(check, -1.0) >= at for check, at in thresholds.items()) for scan in scans)


@given(SCANS, BUDGETS, EITHER)
def test_the_budget_holds_on_the_scans_themselves_with_one_alarm_to_spare(
    scans: list[dict[str, float]], budget: float, checks: Checks
) -> None:
    try:
        allotment = allot(scans, checks, budget)
    except CommissionRefused:
        return
    assert alarms(scans, dict(allotment.thresholds)) == allotment.whole_scan.hits
    assert (allotment.whole_scan.hits + 1) / (len(scans) + 1) <= budget + 1e-9
    assert all(0.05 <= at <= 1.0 for at in allotment.thresholds.values())


@given(SCANS, st.dictionaries(st.sampled_from(NAMES), SCORES, max_size=3), BUDGETS, EITHER)
def test_a_new_scan_alarms_only_when_its_own_rank_among_all_allows_it(
    scans: list[dict[str, float]], new: dict[str, float], budget: float, checks: Checks
) -> None:
    """The guarantee itself: of all n + 1 scans, put one after the other in the new one's place, at most the budget's share alarms."""
    everyone = [*scans, new]
    raised = 0
    for place in range(len(everyone)):
        others = everyone[:place] + everyone[place + 1 :]
        try:
            thresholds = dict(allot(others, checks, budget).thresholds)
        except CommissionRefused:
            continue
        raised += alarms([everyone[place]], thresholds)
    assert raised <= budget * len(everyone) + 1e-9


@given(SCANS, BUDGETS, st.floats(0.0, 0.4))
def test_a_larger_budget_never_raises_a_threshold(scans: list[dict[str, float]], budget: float, more: float) -> None:
    try:
        tight = allot(scans, CHECKS, budget).thresholds
    except CommissionRefused:
        return
    loose = allot(scans, CHECKS, budget + more).thresholds
    assert all(loose[check] <= tight[check] for check in NAMES)


@given(UNSURE, BUDGETS, UNCAPPED)
def test_enough_scans_of_which_no_check_is_sure_are_never_refused(scans: list[dict[str, float]], budget: float, checks: Checks) -> None:
    if len(scans) >= scans_needed(len(checks.parts), budget):
        allot(scans, checks, budget)


def test_labels_levelled_together_move_by_the_same_log_odds_and_keep_the_budget_with_fewer_scans() -> None:
    scans = drawn(random.Random(4), 60, 0.0)
    with pytest.raises(CommissionRefused):
        allot(scans, CHECKS, 0.05)
    thresholds = allot(scans, TOGETHER, 0.05).thresholds
    odds = thresholds["a"] / (1.0 - thresholds["a"]) * (0.8 / 0.2) / (0.4 / 0.6)
    assert thresholds["b"] == pytest.approx(odds / (1.0 + odds), abs=2e-4)
    assert thresholds["a"] > 0.5


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), st.floats(0.0, 0.99), max_size=3), min_size=79, max_size=99))
def test_where_the_scans_suffice_every_label_has_its_own_level(scans: list[dict[str, float]]) -> None:
    assert len(scans) >= scans_needed(len(NAMES), 0.051)
    assert allot(scans, TOGETHER, 0.051) == allot(scans, CHECKS, 0.051)


def test_a_label_that_is_always_sure_of_clean_scans_is_named() -> None:
    with pytest.raises(CommissionRefused, match="check b gives its highest score to 3 of 40"):
        allot([{"b": 1.0} if number < 3 else {"a": 0.1} for number in range(40)], TOGETHER, 0.08)


@pytest.mark.parametrize("checks", [CHECKS, TOGETHER], ids=["each", "together"])
def test_a_scan_that_a_check_is_sure_of_uses_the_budget_up_and_blocks_nothing(checks: Checks) -> None:
    scans = [{"a": 1.0}, *({"a": 0.1, "c": number / 100} for number in range(59))]
    allotment = allot(scans, checks, 0.1)
    assert allotment.whole_scan.hits == 1 + sum(number / 100 >= allotment.thresholds["c"] for number in range(59)) <= 5
    assert alarms_surely(scans[0], checks) == ["a"]
    assert alarms_surely(scans[1], checks) == []


@given(SCANS, BUDGETS)
def test_no_level_lies_where_a_check_cannot_reach_it(scans: list[dict[str, float]], budget: float) -> None:
    within = [{check: min(score, CAPPED.highest.get(check, 1.0)) for check, score in scan.items()} for scan in scans]
    try:
        thresholds = allot(within, CAPPED, budget).thresholds
    except CommissionRefused:
        return
    assert thresholds["a"] <= 0.7
    assert thresholds["c"] <= 0.3


def test_a_scan_at_the_highest_score_that_its_check_gives_uses_the_budget_up_though_that_is_below_one() -> None:
    checks = Checks({"a": 0.05, "c": 0.05}, highest={"a": 0.85404})
    scans = [{"a": 0.85404}, *({"a": 0.1, "c": number / 100} for number in range(59))]
    assert alarms_surely(scans[0], checks) == ["a"]
    assert allot(scans, checks, 0.1).whole_scan.hits <= 5
    with pytest.raises(CommissionRefused, match="check a gives its highest score to 6 of 65 clean scans"):
        allot([*scans, *({"a": 0.854} for _ in range(5))], checks, 0.08)


def test_a_lone_sure_scan_among_few_is_named_beside_the_number_that_suffices() -> None:
    words = r"199 certainly suffice \(check a gives its highest score to 1 of 34 clean scans\)"
    with pytest.raises(CommissionRefused, match=words) as caught:
        allot([{"a": 1.0}, *({"c": 0.5} for _ in range(33))], Checks(dict.fromkeys("abcd", 0.05)), 0.03)
    assert caught.value.fields["needed"] == scans_needed(5, 0.03)


def test_too_few_scans_are_refused_with_the_number_that_suffices() -> None:
    with pytest.raises(CommissionRefused, match="3 clean scans are too few") as caught:
        allot([{"a": 0.5}, {"b": 0.5}, {"c": 0.5}], CHECKS, 0.03)
    assert caught.value.fields["needed"] == scans_needed(3, 0.03) == 133


def test_one_check_of_ninety_nine_scans_gets_the_rank_of_the_budget() -> None:
    scans = [{"a": (number + 1) / 100 - 0.00005} for number in range(99)]
    allotment = allot(scans, Checks({"a": 0.0}), 0.05)
    assert allotment.thresholds["a"] == pytest.approx(0.9600)
    assert allotment.whole_scan == Rate(3, 99)


def test_a_check_that_sees_nothing_in_clean_scans_alarms_from_the_floor() -> None:
    assert allot([{"a": 0.5} for _ in range(200)] + [{}], CHECKS, 0.03).thresholds["b"] == 0.05


def test_levels_of_the_policy_use_the_budget_up_and_stay() -> None:
    scans = [{"a": number / 200, "b": number / 200} for number in range(200)]
    checks = Checks({"a": 0.05}, {"b": 0.98})
    allotment = allot(scans, checks, 0.05)
    assert allotment.thresholds["b"] == 0.98
    assert allotment.by_check["b"] == Rate(4, 200)
    with pytest.raises(CommissionRefused, match="the policy fixes alarm on 100 of 200"):
        allot(scans, Checks({"a": 0.05}, {"b": 0.5}), 0.05)


def test_a_check_that_is_always_sure_of_clean_scans_cannot_be_commissioned() -> None:
    with pytest.raises(CommissionRefused, match="check a gives its highest score"):
        allot([{"a": 1.0} if number < 3 else {"a": 0.1} for number in range(200)], Checks({"a": 0.05}), 0.014)


@pytest.mark.parametrize("budget", [0.0, 1.0, -0.1, 2.0])
def test_a_budget_is_a_share(budget: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        allot([{}], CHECKS, budget)


def test_dependent_and_independent_checks_keep_the_budget_on_scans_never_seen() -> None:
    chance = random.Random(5)
    for shared in (0.0, 1.0):
        rates = []
        for _ in range(60):
            thresholds = dict(allot(drawn(chance, 200, shared), CHECKS, 0.05).thresholds)
            rates.append(alarms(drawn(chance, 400, shared), thresholds) / 400)
        assert sum(rates) / len(rates) <= 0.05
        assert sum(rates) / len(rates) >= 0.015, "the budget is used, not wasted"


def drawn(chance: random.Random, count: int, shared: float) -> list[dict[str, float]]:
    scans = []
    for _ in range(count):
        common = chance.random()
        scans.append({name: min(0.99, shared * common + (1 - shared) * chance.random()) for name in NAMES})
    return scans


def test_held_out_scans_are_judged_by_thresholds_they_had_no_part_in() -> None:
    chance = random.Random(3)
    scans = drawn(chance, 400, 0.0)
    unseen = held_out(scans, CHECKS, 0.05)
    assert unseen is not None
    assert unseen.n == 400
    assert 0 < unseen.hits <= 0.08 * 400
    assert held_out(scans[:80], CHECKS, 0.05) is None
