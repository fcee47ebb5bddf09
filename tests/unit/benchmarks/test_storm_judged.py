"""The storm's judge must find what it is there to find: each kind of breach, put into books that agree otherwise."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from benchmarks.service import last_exit
from benchmarks.storm import schedule
from benchmarks.storm_books import Books, judge
from benchmarks.storm_plan import Outcome, Plan, State, make_plan
from edge_agent.agent.ports import Point
from edge_agent.domain.ids import DropKey, ScannerId, Seq
from edge_agent.ledger.records import Counts, Entry, Quarantined
from edge_agent.testing.factories import a_set_aside, an_assessment, an_audit
from edge_agent.wire import messages
from edge_agent.wire.chain import JournalRow

EPOCH = bytes(32)
PLAN = make_plan(60, 5)
MOMENT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def entry(outcome: Outcome) -> Entry:
    if outcome.word == "pixels" or outcome.word.startswith("metadata"):
        return an_assessment(outcome.scan_id, outcome.revision, cause=outcome.word)
    return a_set_aside(outcome.scan_id, outcome.revision, outcome.word)


def rows(entries: list[Entry]) -> list[JournalRow]:
    return [JournalRow(EPOCH, Seq(n), Seq(0), one.topic, one.body, bytes(32)) for n, one in enumerate(entries, 1)]


def books(entries: list[Entry]) -> Books:
    """Books in which everything agrees with a journal of these entries."""
    journal = rows(entries)
    outcomes = PLAN.outcomes
    whole = {(one.scan_id, one.revision) for one in outcomes}
    aside = [one for one in outcomes if one.scan_id in PLAN.set_aside]
    quarantined = [Quarantined(one.scan_id, 1, 0, ScannerId("s1"), DropKey("x"), one.word, MOMENT, "") for one in aside]
    console = [(row.seq, messages.decode(row.body).fact_id) for row in journal]
    assessed = len(whole) - len(aside)
    jobs = frozenset(State(scan, revision, 0) for scan, revision in whole)
    counts = Counts(len(whole), assessed, len(aside), 0)
    return Books(counts, None, journal, journal, console, quarantined, assessed, [], jobs)


def good() -> list[Entry]:
    again = [one.duplicate_of for one in PLAN.deliveries if one.duplicate_of is not None]
    duplicates = [an_audit(f"duplicate-{n}", "duplicate-of", scan) for n, scan in enumerate(again)]
    return [entry(one) for one in PLAN.outcomes] + duplicates


def test_books_that_agree_have_no_breach() -> None:
    verdict = judge(PLAN, books(good()))
    assert [] == list(verdict.breaches)
    assert (60, 0, 0, 7) == (verdict.journalled, verdict.lost, verdict.doubled, verdict.set_aside)


def test_a_lost_outcome_is_found_and_its_delivery_named() -> None:
    entries = good()
    del entries[3]
    name = list(PLAN.outcomes.values())[3]
    verdict = judge(PLAN, books(entries))
    assert (59, 1, 0) == (verdict.journalled, verdict.lost, verdict.doubled)
    assert any(name in breach for breach in verdict.breaches)


def test_an_outcome_that_came_twice_or_was_never_expected_is_found() -> None:
    outcome = next(iter(PLAN.outcomes))
    assert 1 == judge(PLAN, books([*good(), entry(outcome)])).doubled
    assert 1 == judge(PLAN, books([*good(), entry(outcome._replace(revision=9))])).doubled


def test_poison_with_the_reason_of_another_is_lost_and_unexpected() -> None:
    wrong = [one._replace(word="limit-exceeded") if one.word == "decoder-died" else one for one in PLAN.outcomes]
    duplicates = good()[len(PLAN.outcomes) :]
    verdict = judge(PLAN, books([entry(one) for one in wrong] + duplicates))
    assert (1, 1) == (verdict.lost, verdict.doubled)


def test_a_duplicate_that_was_told_twice_or_never_is_found() -> None:
    assert "again 0 times" in judge(PLAN, books(good()[:-1])).breaches[0]
    assert "again 2 times" in judge(PLAN, books([*good(), good()[-1]])).breaches[0]


def without_last(one: Books) -> Books:
    """Headquarters lacks the last outcome."""
    last = max(n for n, row in enumerate(one.archived) if messages.decode(row.body).kind == "assessment")
    return replace(one, archived=one.archived[:last])


BREACHES: dict[str, Callable[[Books], Books]] = {
    "chain is valid": lambda one: replace(one, first_broken=Seq(3)),
    "none in flight": lambda one: replace(one, counts=replace(one.counts, assessed=one.counts.assessed - 1, in_flight=1)),
    "revisions accepted": lambda one: replace(
        one, counts=replace(one.counts, accepted=one.counts.accepted + 1, assessed=one.counts.assessed + 1)
    ),
    "byte for byte": lambda one: replace(one, archived=[replace(one.archived[0], body=one.archived[0].body + b" "), *one.archived[1:]]),
    "headquarters holds every outcome": without_last,
    "once and in order": lambda one: replace(one, console=[one.console[0], *one.console]),
    "the console got every outcome": lambda one: replace(one, console=one.console[:5]),
    "has its package": lambda one: replace(one, packages=one.packages - 1),
    "no copy in the spool": lambda one: replace(one, spooled=[("0" * 8, "r1")]),
    "an innocent scan was set aside": lambda one: replace(
        one, quarantined=[*one.quarantined, replace(one.quarantined[0], scan_id=next(iter(innocent(PLAN))))]
    ),
}


def innocent(plan: Plan) -> set[str]:
    return {one.scan_id for one in plan.outcomes} - plan.set_aside


@pytest.mark.parametrize("words", BREACHES)
def test_each_law_that_does_not_hold_is_named(words: str) -> None:
    breaches = judge(PLAN, BREACHES[words](books(good()))).breaches
    assert any(words in breach for breach in breaches), breaches


def test_a_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert PLAN.deliveries == make_plan(60, 5).deliveries
    assert PLAN.deliveries != make_plan(60, 6).deliveries


@pytest.mark.parametrize("scans", [60, 300, 1000])
def test_a_plan_has_as_many_scans_as_asked_for_each_with_its_own_name_and_pixels(scans: int) -> None:
    plan = make_plan(scans, 1)
    assert scans == len({one.scan_id for one in plan.outcomes})
    contents = Counter(content for one in plan.deliveries for name, content in one.files if not name.endswith((".json", ".xml")))
    twice = sum(count > 1 for content, count in contents.items() if content)
    replays = sum("again as" in one.name for one in plan.deliveries)
    repeats = sum(one.duplicate_of is not None for one in plan.deliveries)
    assert 2 * replays + repeats == twice
    accepted = {State(one.outcome.scan_id, one.outcome.revision, 0) for one in plan.deliveries if one.outcome is not None}
    assert all(one.after in accepted for one in plan.deliveries if one.after is not None)


def test_half_of_the_kills_are_armed_and_every_point_has_its_turn_before_any_has_its_second() -> None:
    kills = schedule(52, random.Random(3))
    points = [kill.point for kill in kills if kill.point is not None]
    assert 26 == len(points)
    assert set(Point) == set(points[:13]) == set(points[13:])
    assert {1} == {kill.nth for kill in kills[:26] if kill.point is not None}


@pytest.mark.parametrize(
    ("code", "overdue", "word"),
    [
        (0, False, "success 0"),
        (70, False, "exit-code 70"),
        (-9, False, "signal KILL"),
        (-11, False, "signal SEGV"),
        (-6, True, "watchdog ABRT"),
    ],
)
def test_the_end_of_a_life_is_told_as_systemd_tells_it(code: int, overdue: bool, word: str) -> None:
    assert word == last_exit(code, overdue=overdue)
