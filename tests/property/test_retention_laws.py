"""Retention against its laws: nothing protected ever goes, a larger need takes more, and a plan carried out leaves nothing to plan."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_agent.domain.assessment import ControlOutcome, FactKind, MachineConclusion, OfficerConclusion
from edge_agent.domain.ids import ScanId, Seq, Token
from edge_agent.ledger.retention import (
    Guard,
    Holding,
    Item,
    Kind,
    Periods,
    Row,
    Rules,
    Why,
    Word,
    counted_until,
    erasable,
    guard,
    is_enforcement,
    is_undecided,
    last_of_prefix,
    plan,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CLEAN, ALERT = Word(FactKind.ASSESSMENT, MachineConclusion.NO_ALERT), Word(FactKind.ASSESSMENT, MachineConclusion.ALERT)
UNASSESSABLE = Word(FactKind.ASSESSMENT, MachineConclusion.UNASSESSABLE)
SUSPICIOUS, RELEASED = (Word(FactKind.VERDICT, word) for word in (OfficerConclusion.SUSPICIOUS, OfficerConclusion.NOT_SUSPICIOUS))
FOUND, NOTHING, NOT_EXAMINED = (Word(FactKind.CONTROL, outcome) for outcome in ControlOutcome)
REFERRED, SET_ASIDE, VIEWED = Word(FactKind.REFERRAL), Word(FactKind.SET_ASIDE), Word(FactKind.AUDIT)
WORDS = [CLEAN, ALERT, UNASSESSABLE, SUSPICIOUS, RELEASED, FOUND, NOTHING, NOT_EXAMINED, REFERRED, SET_ASIDE, VIEWED]

days = st.integers(1, 400).map(lambda count: count * DAY)
periods = st.builds(
    Periods,
    st.fixed_dictionaries(dict.fromkeys(Kind, st.none() | days)),
    journal=st.none() | days,
    enforcement=st.none() | days,
    least=days,
)
rules = st.builds(Rules, periods, until=st.just(NOW), acknowledged=st.integers(0, 50).map(Seq))


@st.composite
def holdings(draw: st.DrawFn) -> list[Holding]:
    found = []
    for number in range(draw(st.integers(0, 8))):
        scan = ScanId(f"scan-{number}")
        kinds = draw(st.lists(st.sampled_from(Kind), unique=True))
        items = tuple(Item(kind, scan, 1, f"{kind}/{scan}", 0 if kind is Kind.NAMES else draw(st.integers(0, 9))) for kind in kinds)
        words = tuple(draw(st.lists(st.sampled_from(WORDS), max_size=4)))
        last_at = NOW - draw(st.integers(-10, 500)) * DAY
        found.append(Holding(scan, last_at, Seq(draw(st.integers(0, 60))), words, items, draw(st.booleans()), draw(st.booleans())))
    return found


@given(holdings(), rules, st.integers(0, 60))
def test_nothing_protected_ever_goes(scans: list[Holding], under: Rules, need: int) -> None:
    by_id = {scan.scan_id: scan for scan in scans}
    for eviction in plan(scans, under, need):
        scan = by_id[eviction.item.scan_id]
        assert eviction.item in scan.items
        assert (scan.is_open, scan.is_held, is_undecided(scan.words)) == (False, False, False)
        assert scan.last_seq <= under.acknowledged
        assert under.periods.enforcement is not None or not is_enforcement(scan.words)


@given(holdings(), rules, st.integers(0, 60))
def test_nothing_goes_before_its_time(scans: list[Holding], under: Rules, need: int) -> None:
    by_id = {scan.scan_id: scan for scan in scans}
    for eviction in plan(scans, under, need):
        scan = by_id[eviction.item.scan_id]
        kept = under.periods.enforcement if is_enforcement(scan.words) else under.periods.kept[eviction.item.kind]
        if eviction.why is Why.SPACE:
            kept = under.periods.least
            assert not is_enforcement(scan.words)
        assert kept is not None
        assert NOW - scan.last_at >= kept


@given(holdings(), rules, st.integers(0, 60), st.integers(0, 60))
def test_a_larger_need_takes_all_that_a_smaller_one_takes(scans: list[Holding], under: Rules, one: int, other: int) -> None:
    smaller, larger = plan(scans, under, min(one, other)), plan(scans, under, max(one, other))
    assert smaller == larger[: len(smaller)]


@given(holdings(), rules, st.integers(0, 60))
def test_no_more_goes_for_space_than_is_needed(scans: list[Holding], under: Rules, need: int) -> None:
    going = plan(scans, under, need)
    if going and going[-1].why is Why.SPACE:
        assert sum(eviction.item.bytes for eviction in going[:-1]) < need


@given(holdings(), rules, st.integers(0, 60))
def test_a_plan_that_was_carried_out_leaves_nothing_to_plan(scans: list[Holding], under: Rules, need: int) -> None:
    going = plan(scans, under, need)
    gone = {eviction.item for eviction in going}
    left = [replace(scan, items=tuple(item for item in scan.items if item not in gone)) for scan in scans]
    freed = sum(item.bytes for item in gone)
    again = plan(left, under, max(0, need - freed))
    # file names wait for the files that bear them, so they alone may follow
    assert [eviction for eviction in again if eviction.item.kind is not Kind.NAMES] == []


@given(holdings(), rules, st.integers(0, 60), st.randoms())
def test_the_order_of_the_scans_does_not_matter(scans: list[Holding], under: Rules, need: int, random: st.DataObject) -> None:
    shuffled = list(scans)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert plan(scans, under, need) == plan(shuffled, under, need)


@given(holdings(), rules, st.integers(1, 60))
def test_what_is_least_valuable_goes_first_for_space(scans: list[Holding], under: Rules, need: int) -> None:
    for_space = [eviction.item.kind for eviction in plan(scans, under, need) if eviction.why is Why.SPACE]
    assert for_space == sorted(for_space)


@given(holdings(), rules)
def test_names_stay_as_long_as_a_file_bears_them(scans: list[Holding], under: Rules) -> None:
    by_id = {scan.scan_id: scan for scan in scans}
    for eviction in plan(scans, under, 10**6):
        if eviction.item.kind is Kind.NAMES:
            assert not {Kind.ORIGINALS, Kind.QUARANTINE} & {item.kind for item in by_id[eviction.item.scan_id].items}


@pytest.mark.parametrize(
    ("words", "undecided"),
    [
        ((), False),
        ((CLEAN,), False),
        ((ALERT,), True),
        ((UNASSESSABLE,), True),
        ((ALERT, RELEASED), False),
        ((ALERT, RELEASED, ALERT), True),
        ((ALERT, CLEAN), False),
        ((CLEAN, REFERRED), True),
        ((CLEAN, REFERRED, CLEAN), True),
        ((CLEAN, REFERRED, RELEASED), False),
        ((ALERT, NOT_EXAMINED), True),
        ((ALERT, NOTHING), False),
        ((SET_ASIDE,), False),
        ((ALERT, VIEWED), True),
    ],
)
def test_a_scan_waits_for_a_person_until_one_has_spoken(words: tuple[Word, ...], undecided: bool) -> None:
    assert is_undecided(words) is undecided


@pytest.mark.parametrize("word", [ALERT, REFERRED, SUSPICIOUS, FOUND])
def test_what_was_ever_more_than_ordinary_stays_an_enforcement_scan(word: Word) -> None:
    assert is_enforcement((word, RELEASED, CLEAN, NOTHING))


@pytest.mark.parametrize("word", [CLEAN, UNASSESSABLE, RELEASED, NOTHING, NOT_EXAMINED, SET_ASIDE, VIEWED])
def test_everything_else_is_ordinary(word: Word) -> None:
    assert not is_enforcement((word,))


def rows_of(scans: list[Holding], length: int) -> list[Row]:
    """A journal in which scans and the site itself take turns."""
    names = [None, *(scan.scan_id for scan in scans)]
    return [Row(Seq(number), names[number % len(names)], NOW - (500 - number) * DAY) for number in range(1, length + 1)]


@given(holdings(), rules, st.integers(0, 40))
def test_rows_go_as_a_prefix_without_a_row_that_must_stay(scans: list[Holding], under: Rules, length: int) -> None:
    rows, by_id = rows_of(scans, length), {scan.scan_id: scan for scan in scans}
    last = last_of_prefix(rows, by_id, under)
    for row in rows[: last or 0]:
        assert row.seq <= under.acknowledged
        if row.scan_id is not None:
            scan = by_id[row.scan_id]
            assert guard(scan, under) is None
            assert {item.kind for item in scan.items} <= {Kind.NAMES}
    if last is not None and last < length:
        assert last_of_prefix(rows[last:], by_id, under) is None


def test_without_a_period_no_row_goes() -> None:
    under = Rules(Periods({}, journal=None, enforcement=None, least=DAY), NOW, Seq(100))
    assert last_of_prefix(rows_of([], 10), {}, under) is None


@given(st.lists(st.integers(-400, 400), max_size=10), st.integers(1, 10**5))
def test_a_clock_that_jumps_ahead_makes_things_old_two_days_a_day_at_most(jumps: list[int], seconds: int) -> None:
    ran = timedelta(seconds=seconds)
    until, now = counted_until(None, NOW, ran), NOW
    for jump in jumps:
        now += jump * DAY
        after = counted_until(until, now, ran)
        assert after <= now
        assert after <= until + 2 * ran
        until = after
    assert counted_until(until, until - DAY, ran) == until - DAY


TOKENS = [Token(f"{number:032x}") for number in range(6)]


@given(
    holdings(),
    rules,
    st.dictionaries(
        st.sampled_from(TOKENS), st.tuples(st.sampled_from(["container", "officer"]), days.map(lambda ago: NOW - ago)), min_size=1
    ),
    st.data(),
)
def test_a_value_is_kept_while_anything_young_or_guarded_names_it(
    scans: list[Holding], under: Rules, born: dict[Token, tuple[str, datetime]], data: st.DataObject
) -> None:
    kept = {"container": 100 * DAY, "officer": None}
    scans = [replace(scan, tokens=data.draw(st.frozensets(st.sampled_from(TOKENS)))) for scan in scans]
    gone = erasable(born, scans, under, kept)
    for token in gone:
        kind, since = born[token]
        assert kind == "container"
        assert since + 100 * DAY <= NOW
        for scan in scans:
            if token in scan.tokens:
                assert guard(scan, under) is None
                assert scan.last_at + 100 * DAY <= NOW
    # page by page is the same as at once
    left = {token: born[token] for token in erasable(born, (), under, kept)}
    for scan in scans:
        left = {token: born[token] for token in erasable(left, [scan], under, kept)}
    assert gone == sorted(left)


def test_each_guard_has_its_reason() -> None:
    under = Rules(Periods({}, journal=None, enforcement=None, least=DAY), NOW, Seq(5))
    plain = Holding(ScanId("a"), NOW, Seq(5), (CLEAN,), ())
    assert guard(plain, under) is None
    assert guard(replace(plain, is_open=True), under) is Guard.IN_WORK
    assert guard(replace(plain, is_held=True), under) is Guard.HELD
    assert guard(replace(plain, words=(ALERT,)), under) is Guard.UNDECIDED
    assert guard(replace(plain, words=(ALERT, RELEASED)), under) is Guard.EVIDENCE
    assert guard(replace(plain, last_seq=Seq(6)), under) is Guard.UNACKNOWLEDGED


@given(holdings(), rules)
def test_a_hold_protects_whatever_it_is_placed_on(scans: list[Holding], under: Rules) -> None:
    assume(scans)
    held = [replace(scan, is_held=True) for scan in scans]
    assert plan(held, under, 10**9) == []
