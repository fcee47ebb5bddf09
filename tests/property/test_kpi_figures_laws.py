"""Laws of the figures: order counts for nothing, parts add up to the whole, and only live scans are counted."""

from dataclasses import replace
from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.capture import CaptureKind
from edge_agent.kpi.case import Case
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.figures import By, Question, figures
from edge_agent.kpi.grouping import merge_small
from edge_agent.kpi.rates import Period, Scope
from edge_agent.kpi.spread import Spread
from edge_agent.testing.cases import DAY_US, LATER_US, NOON_US

WORDS = ["", "handgun", "knife", "handgun|knife"]
CASES = st.builds(
    Case,
    site=st.sampled_from(["north", "south"]),
    scanner=st.sampled_from(["g1", "g2"]),
    scan_id=st.uuids().map(str),
    revision=st.just(1),
    kind=st.sampled_from(["live", "live", "live", "tip", "synthetic", "staged", "test", "calibration", "unknown"]),
    selection=st.sampled_from(["random", "scan-all", "targeted", "unknown"]),
    subject=st.just("cargo"),
    outcome=st.sampled_from(["alert", "no-alert", "unassessable", "set-aside"]),
    produced_us=st.integers(NOON_US - 3 * DAY_US, NOON_US + 3 * DAY_US),
    taken_us=st.none() | st.integers(NOON_US - 4 * DAY_US, NOON_US + 3 * DAY_US),
    alerted=st.sampled_from(WORDS),
    models=st.sampled_from(["detector/1", "detector/2"]),
    commodity=st.sampled_from(["", "0202", "64"]),
    origin=st.sampled_from(["", "CN", "BR"]),
    latency_ms=st.none() | st.floats(0, 1e6),
    first_conclusion=st.sampled_from(["", "suspicious"]),
    first_officer=st.sampled_from("abcdefgh"),
    decision_s=st.none() | st.floats(0, 1e5),
    analyst=st.sampled_from(["", "suspicious", "not-suspicious", "rescan"]),
    analyst_on=st.sampled_from(["alert", "no-alert", "unassessable"]),
    officer=st.sampled_from("abcdefgh"),
    control=st.sampled_from(["", "found", "nothing-found", "not-examined"]),
    is_disputed=st.booleans(),
    control_us=st.integers(NOON_US, NOON_US + 9 * DAY_US),
    found=st.sampled_from(WORDS),
)
SCOPE = Scope(UTC, {"south": ZoneInfo("Asia/Kolkata")}, Period(date(2026, 3, 1), date(2026, 3, 4)))
QUESTION = Question(SCOPE, LATER_US, {"knife": frozenset({"handgun"})}, {"CN": "east"}, asker="a")


def told(counted):
    """All counts, as values that can be compared."""
    lines = {by: dict(group) for by, group in counted.lines.items()}
    return (lines, dict(counted.days), dict(counted.origins), counted.classes, counted.officers, dict(counted.flow))


@given(st.lists(CASES, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_cases_counts_for_nothing(cases, chance):
    shuffled = list(cases)
    chance.shuffle(shuffled)
    assert told(figures(cases, QUESTION)) == told(figures(shuffled, QUESTION))


@given(st.lists(CASES, max_size=20), st.lists(CASES, max_size=20))
def test_two_parts_add_up_to_the_whole(some, others):
    both = figures(some, QUESTION)
    both.merge(figures(others, QUESTION))
    assert told(both) == told(figures([*some, *others], QUESTION))


@given(st.lists(CASES, max_size=20), st.lists(CASES, max_size=20), st.sampled_from(sorted(set(CaptureKind) - {CaptureKind.LIVE})))
def test_scans_of_no_real_traffic_change_nothing(live, others, kind):
    strangers = [replace(one, kind=kind.value) for one in others]
    assert told(figures([*live, *strangers], QUESTION)) == told(figures(live, QUESTION))


@given(st.lists(CASES, max_size=30))
def test_every_grouping_counts_every_scan_once(cases):
    counted = figures(cases, QUESTION)
    total = counted.total
    for by in By:
        lines = counted.lines[by].values()
        if by is By.MODEL:  # what was set aside met no model, but these cases name one all the same
            assert sum(line.assessed for line in lines) == total.assessed
        assert sum(line.hits.alerted for line in lines) == total.hits.alerted
        assert sum(line.set_aside for line in lines) == total.set_aside
    assert sum(line.hits.alerted for line in counted.days.values()) == total.hits.alerted
    assert sum(line.assessed for line in counted.origins.values()) == total.assessed
    hits = total.hits
    assert hits.alerted == hits.examined + hits.pending + hits.called_off + hits.disputed


@given(st.lists(CASES, max_size=30))
def test_no_rate_leaves_its_bounds(cases):
    for line in figures(cases, QUESTION).lines[By.SITE].values():
        for truth in (line.unbiased, line.biased):
            if truth is not None:
                assert truth.detection.hits + truth.misses.hits == truth.found
                for rate in (truth.detection, truth.false_alarms, truth.prevalence, truth.followed_up):
                    assert 0 <= rate.hits <= rate.n


@given(st.lists(st.floats(0, 1e9), min_size=1), st.floats(0.001, 1.0))
def test_a_percentile_is_within_a_hundredth_of_a_value_that_was_there(values, share):
    spread = Spread()
    for value in values:
        spread.add(value)
    found = spread.quantile(share)
    assert found is not None
    assert any(abs(found - value) <= 0.0101 * value or (value < 1e-3 and found == 0.0) for value in values)


def test_a_mixture_of_kinds_has_no_figures():
    with pytest.raises(ValueError, match="one kind"):
        figures([], Question(Scope(UTC, {}, wanted=KindFilter.ALL), 0))


def test_answers_to_different_questions_do_not_add_up():
    with pytest.raises(ValueError, match="questions"):
        figures([], QUESTION).merge(figures([], replace(QUESTION, asker="b")))


@given(st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.integers(0, 40)), st.integers(1, 12))
def test_no_group_that_is_shown_is_small_and_nobody_is_left_out(sizes, minimum):
    groups = merge_small(sizes, lambda size: size, minimum, lambda one, other: one + other)
    assert all(group.counts >= minimum for group in groups)
    members = [name for group in groups for name in group.members]
    if sum(sizes.values()) >= minimum:
        assert sorted(members) == sorted(sizes)
        assert sum(group.counts for group in groups) == sum(sizes.values())
    else:
        assert groups == []
    alone = {group.members[0] for group in groups if len(group.members) == 1}
    assert all(sizes[name] >= minimum for name in alone)
