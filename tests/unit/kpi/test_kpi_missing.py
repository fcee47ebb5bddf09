"""Selected and never scanned, and gaps in the numbering: counted by hand."""

from datetime import UTC, date

from edge_agent.collector.missing import told_missing
from edge_agent.kpi.missing import Expected, MissingLine, Told, missing
from edge_agent.kpi.rates import Period, Scope
from edge_agent.testing.cases import DAY_US, NOON_US
from edge_agent.testing.site_journal import NOON, audit
from edge_agent.wire.messages import CodeParams

SCOPE = Scope(UTC, {})
FIRST_DAY = Scope(UTC, {}, Period(last=date(2026, 3, 2)))


def told(key, day=0, *, found=False, expected=Expected.SELECTED, site="north"):
    return Told(site, expected, key, NOON_US + day * DAY_US, found)


def test_what_came_late_is_no_longer_open():
    # a, b, c fell due; b came a day later. Two are open, the older of them since the first day.
    facts = [told("a"), told("b"), told("c", 1), told("b", 2, found=True)]
    assert missing(facts, SCOPE) == [MissingLine("north", Expected.SELECTED, 3, 1, NOON_US)]
    assert missing(facts, SCOPE)[0].still_open == 2


def test_order_does_not_matter_and_what_is_told_twice_counts_once():
    assert missing([told("a", 1, found=True), told("a"), told("a", 1)], SCOPE) == [MissingLine("north", Expected.SELECTED, 1, 1, None)]


def test_the_period_is_that_in_which_it_fell_due():
    facts = [told("a"), told("b", 1), told("a", 9, found=True), told("z", 0, found=True)]
    assert missing(facts, FIRST_DAY) == [MissingLine("north", Expected.SELECTED, 1, 1, None)]


def test_sites_and_kinds_stand_apart():
    lines = missing([told("7", expected=Expected.NUMBERED), told("7"), told("7", site="south"), told("7", found=True)], SCOPE)
    assert [(line.site, line.expected, line.still_open) for line in lines] == [
        ("north", Expected.NUMBERED, 1),
        ("north", Expected.SELECTED, 0),
        ("south", Expected.SELECTED, 1),
    ]


def says(code, rest, scanner=None):
    return audit("north", f"{code}-{rest}", NOON).model_copy(update={"event": CodeParams(code=code), "scanner": scanner})


def test_facts_of_one_missing_scan_have_one_name():
    bodies = [says("selected-not-scanned", "tok-x"), says("selected-found-late", "tok-x"), says("bundles-in-force", "x")]
    bodies += [says("numbering-gap", "4-9", "g1"), says("numbering-gap-closed", "4-9", "g1"), says("numbering-gap", "4-9", "g2")]
    lines = missing(told_missing(bodies), SCOPE)
    assert [(line.expected, line.missing, line.still_open) for line in lines] == [(Expected.NUMBERED, 2, 1), (Expected.SELECTED, 1, 0)]


def test_a_gap_that_closed_is_not_taken_for_a_gap():
    (one,) = told_missing([says("numbering-gap-closed", "4-9", "g1")])
    assert one.is_found


def test_a_fact_whose_cause_is_another_is_passed_over():
    assert list(told_missing([audit("north", "x").model_copy(update={"event": CodeParams(code="numbering-gap")})])) == []
