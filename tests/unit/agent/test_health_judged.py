"""Health is a pure function: each cause has its reason, no cause hides another, and coming and going fills no journal."""

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.agent.health import (
    CALM_S,
    FAILING,
    LONGEST_CALM_S,
    Health,
    HealthFacts,
    Told,
    amounting_to,
    codes,
    has_news,
    judge,
    next_told,
)
from edge_agent.agent.space import Level
from edge_agent.domain.assessment import Reason

WELL = HealthFacts(lost_folders=(), disk_free=0.5, expired_consumers=(), sandbox="full")
LIED = Reason("self-test-failed", {"why": "self-test-failed", "passed_at": "2026-03-02T12:00:00+00:00"})
WORSE: dict[str, list[object]] = {
    "lost_folders": [("portal-1",), ("portal-1", "portal-2")],
    "disk_free": [0.0],
    "expired_consumers": [("hq",)],
    "sandbox": ["partial", "none"],
    "declarations_problem": ["config-invalid"],
    "sandbox_why": ["no-landlock"],
    "model_problems": [(Reason("certificate-expired", {"subject": "cargo"}),)],
    "cpu_why": ["no-device"],
    "self_test": [LIED],
    "space": [Level.LOW, Level.SPARING, Level.STOPPED],
    "allow_list_problem": ["config-invalid"],
    "outbound_problem": ["peer-silent", "not-allowed"],
    "intake_problems": [(Reason("drop-overdue", {"scanner": "s1", "drops": 1}),)],
    "ledger_problem": [Reason("ledger-damaged", {"why": "chain"})],
}
"""Values worse than well for each fact; a fact that is missing here fails a test."""
RANK = {"healthy": 0, "degraded": 1, "failing": 2}
STEP_S = 2.0


def test_a_site_without_trouble_is_healthy_without_reasons() -> None:
    health = judge(WELL)
    assert (health.state, health.reasons) == ("healthy", ())


@pytest.mark.parametrize(
    ("change", "state", "code", "params"),
    [
        ({"cpu_why": "device-errors"}, "degraded", "running-on-cpu", {"why": "device-errors"}),
        ({"lost_folders": ("portal-1",)}, "degraded", "folder-lost", {"scanner": "portal-1"}),
        ({"expired_consumers": ("hq",)}, "degraded", "consumer-expired", {"consumer": "hq"}),
        ({"sandbox": "partial", "sandbox_why": "no-landlock"}, "degraded", "sandbox-partial", {"level": "partial", "why": "no-landlock"}),
        ({"sandbox": "none"}, "degraded", "sandbox-partial", {"level": "none", "why": ""}),
        ({"declarations_problem": "config-invalid"}, "degraded", "declarations-unreadable", {"why": "config-invalid"}),
        ({"self_test": LIED}, "failing", "self-test-failed", dict(LIED.params)),
        ({"space": Level.LOW, "disk_free": 0.09999}, "degraded", "disk-low", {"free": 0.1}),
        ({"space": Level.STOPPED, "disk_free": 0.01}, "failing", "disk-full", {"free": 0.01}),
    ],
)
def test_each_trouble_has_its_own_reason(change: dict, state: str, code: str, params: dict) -> None:
    health = judge(replace(WELL, **change))
    assert health.state == state
    assert [(code, params)] == [(reason.code, dict(reason.params)) for reason in health.reasons]


def test_the_laws_below_know_every_fact() -> None:
    assert set(WORSE) == {field.name for field in fields(HealthFacts)}


bad_facts = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in WORSE.items()})


@given(bad=bad_facts, one=st.sampled_from(sorted(WORSE)), data=st.data())
def test_one_more_bad_fact_never_makes_a_better_state(bad: dict, one: str, data: st.DataObject) -> None:
    without = {name: value for name, value in bad.items() if name != one}
    fewer = judge(replace(WELL, **without))
    more = judge(replace(WELL, **without, **{one: data.draw(st.sampled_from(WORSE[one]))}))
    assert RANK[fewer.state] <= RANK[more.state]
    assert set(codes(fewer.reasons)) <= set(codes(more.reasons)), "no trouble hides another"


reasons = st.builds(Reason, st.sampled_from(["a", "b", "self-test-failed"]), st.fixed_dictionaries({"free": st.floats(0, 1)}))
looks = st.lists(st.lists(reasons, max_size=3, unique_by=lambda reason: reason.code).map(amounting_to), max_size=40)


def history(seen: list[Health]) -> list[Told]:
    told = [Told()]
    for number, health in enumerate(seen):
        told.append(next_told(told[-1], health, 100.0 + number * STEP_S))
    return told[1:]


@given(looks)
def test_what_is_wrong_now_is_told_at_once_and_nothing_is_made_up(seen: list[Health]) -> None:
    for number, (health, told) in enumerate(zip(seen, history(seen), strict=True)):
        assert RANK[told.health.state] >= RANK[health.state]
        assert set(codes(health.reasons)) <= set(codes(told.health.reasons))
        assert set(codes(told.health.reasons)) <= {reason.code for earlier in seen[: number + 1] for reason in earlier.reasons}


@given(looks)
def test_a_site_that_stays_well_is_told_to_be_well(seen: list[Health]) -> None:
    told = history(seen)[-1] if seen else Told()
    assert next_told(told, amounting_to([]), 100.0 + len(seen) * STEP_S + LONGEST_CALM_S).health == Health("healthy", ())


def test_one_short_trouble_is_told_twice_and_ends_after_the_calm() -> None:
    lost = amounting_to([Reason("folder-lost", {"scanner": "s1"})])
    looks_after = int(CALM_S / STEP_S) + 1
    states = [told.health.state for told in history([lost] + [amounting_to([])] * looks_after)]
    assert states == ["degraded"] * int(CALM_S / STEP_S) + ["healthy"] * 2


@settings(max_examples=20)
@given(away=st.integers(1, 80), lost_for=st.integers(1, 80))
def test_a_trouble_that_comes_and_goes_all_day_is_told_some_twenty_times_and_twice_an_hour(away: int, lost_for: int) -> None:
    lost, well = amounting_to([Reason("folder-lost", {"scanner": "s1"})]), amounting_to([])
    step_s = 10 * STEP_S
    told, news = Told(), 0
    for number in range(int(86_400 / step_s)):
        seen = lost if number % (away + lost_for) < lost_for else well
        after = next_told(told, seen, number * step_s)
        news += has_news(told.health, after.health)
        told = after
    assert news <= 2 * (math.log2(LONGEST_CALM_S / CALM_S) + 2) + 2 * 24


def test_numbers_in_a_reason_are_no_news_but_another_scanner_is() -> None:
    low, lower = (amounting_to([Reason("disk-low", {"free": free})]) for free in (0.09, 0.08))
    first, other = (amounting_to([Reason("folder-lost", {"scanner": name})]) for name in ("s1", "s2"))
    assert not has_news(low, lower)
    assert has_news(first, other)


def test_what_fails_is_what_stands_in_the_list() -> None:
    each = [judge(replace(WELL, **{name: value})) for name, values in WORSE.items() for value in values]
    assert {code for health in each if health.state == "failing" for code in codes(health.reasons)} == FAILING
