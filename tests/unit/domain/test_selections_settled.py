"""What becomes of a selected consignment, and which numbers of a scanner are missing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.capture import Selection
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import ScanId, ScannerId, Token
from edge_agent.domain.running_number import MOST_AT_ONCE, Gap, Numbers, came, fallen_due
from edge_agent.domain.selection import Listed, ScanSeen, Selected, SelectionState, by_number, numbers_of, overdue, reason_for, settled_by

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONE, OTHER = "CSQU3054383", "ZZZU6304941"
GATE, LANE = ScannerId("gate"), ScannerId("lane")
HOUR = timedelta(hours=1)


def listed(number=ONE, since=0, due=24, scanner=None, reason=Selection.TARGETED, state=SelectionState.PENDING):
    selected = Selected(number, IdentityClass.CONTAINER, scanner, reason, "", NOON + since * HOUR, NOON + due * HOUR)
    return Listed(selected, Token(f"token-{number}-{since}"), state)


def scan(*numbers, at=1.0, scanner=GATE):
    return ScanSeen(ScanId("scan-1"), scanner, numbers, NOON + at * HOUR)


def states(listing, seen):
    return [(one.selected.number, one.state.value) for one in settled_by(seen, by_number(listing))]


def test_a_scan_in_time_settles_the_selection_and_names_itself():
    (settled,) = settled_by(scan(ONE), by_number([listed(), listed(OTHER)]))
    assert (SelectionState.SCANNED, "scan-1", ONE) == (settled.state, settled.scan_id, settled.selected.number)


@pytest.mark.parametrize(
    ("one", "seen", "expected"),
    [
        (listed(), scan(ONE, at=25), [(ONE, "late")]),
        (listed(state=SelectionState.MISSED), scan(ONE, at=1), [(ONE, "late")]),
        (listed(), scan(ONE, at=-0.1), []),
        (listed(), scan(ONE, at=0), [(ONE, "scanned")]),
        (listed(scanner=LANE), scan(ONE), []),
        (listed(scanner=GATE), scan(ONE), [(ONE, "scanned")]),
        (listed(), scan(OTHER), []),
        (listed(), scan(), []),
        (listed(state=SelectionState.SCANNED), scan(ONE), []),
        (listed(state=SelectionState.LATE), scan(ONE), []),
        (listed(), scan("CSQU3O54383"), [(ONE, "scanned")]),  # an O read for a 0: the check digit tells
        (listed("T-17"), scan("T-71"), []),
    ],
)
def test_each_way_a_scan_meets_a_selection(one, seen, expected):
    assert expected == states([one], seen)


def test_a_consignment_selected_twice_is_settled_twice_by_a_scan_after_both():
    assert [(ONE, "scanned"), (ONE, "scanned")] == states([listed(), listed(since=2)], scan(ONE, at=3))
    assert [(ONE, "scanned")] == states([listed(), listed(since=2)], scan(ONE, at=1))


def test_two_containers_of_one_scan_settle_two_selections():
    assert {(ONE, "scanned"), (OTHER, "scanned")} == set(states([listed(), listed(OTHER)], scan(ONE, OTHER)))


def test_what_is_pending_after_its_due_time_is_missed_and_nothing_else_is():
    lines = [
        listed(due=1),
        listed(OTHER, due=3),
        listed("X", due=1, state=SelectionState.SCANNED),
        listed("Y", due=1, state=SelectionState.MISSED),
    ]
    assert [(ONE, SelectionState.MISSED)] == [(one.selected.number, one.state) for one in overdue(lines, NOON + 2 * HOUR)]
    assert () == overdue([listed(due=1)], NOON + HOUR)


def test_the_reason_is_that_of_the_last_selection_before_the_scan():
    register = by_number([listed(reason=Selection.RANDOM), listed(since=5, reason=Selection.CAMPAIGN), listed(since=2, scanner=LANE)])
    assert Selection.RANDOM is reason_for((ONE,), GATE, register, NOON + 4 * HOUR)
    assert Selection.TARGETED is reason_for((ONE,), LANE, register, NOON + 4 * HOUR)
    assert Selection.CAMPAIGN is reason_for((ONE,), GATE, register, NOON + 6 * HOUR)
    assert reason_for((ONE,), GATE, register, NOON - HOUR) is None
    assert reason_for((OTHER,), GATE, register, NOON + HOUR) is None


def test_only_numbers_of_consignments_count():
    kinds = (IdentityClass.CONTAINER, IdentityClass.DRIVER, IdentityClass.TRADER, IdentityClass.PARCEL, IdentityClass.SEAL)
    assert ("ABC1", "ABC1x".upper()) == numbers_of([IdentityValue(kind, "a-bc 1" if kind is kinds[0] else "ABC1x") for kind in kinds])


def test_a_selection_in_a_traceback_hides_its_number():
    assert ONE not in repr(listed().selected)
    assert ONE not in repr(listed())[: repr(listed()).index("token=")]


def take(numbers, *found, at=NOON):
    closed = []
    for place, number in enumerate(found):
        numbers, gap = came(numbers, number, ScanId(f"scan-{number}-{place}"), at)
        closed += [gap] if gap else []
    return numbers, closed


def test_a_number_that_was_passed_over_is_a_gap_once_it_was_awaited_long_enough():
    numbers, _ = take(Numbers(), 5, 6, 9)
    assert (numbers, ()) == fallen_due(numbers, NOON + HOUR, HOUR)
    numbers, gaps = fallen_due(numbers, NOON + 2 * HOUR, HOUR)
    assert (Gap(7, ScanId("scan-9-2")), Gap(8, ScanId("scan-9-2"))) == gaps
    assert () == fallen_due(numbers, NOON + 9 * HOUR, HOUR)[1]
    _, closed = take(numbers, 8)
    assert [Gap(8, ScanId("scan-9-2"), ScanId("scan-8-0"))] == closed


def test_a_number_that_comes_late_but_in_time_is_no_gap():
    numbers, closed = take(Numbers(), 5, 7, 6)
    assert ([], ()) == (closed, fallen_due(numbers, NOON + 9 * HOUR, HOUR)[1])


@pytest.mark.parametrize("restart", [1, 0, 400])
def test_a_numbering_that_begins_again_makes_no_gap(restart):
    numbers, _ = take(Numbers(), 998, 999, restart, restart + 1)
    assert (restart + 1, {}) == (numbers.highest, dict(numbers.awaited))


def test_a_jump_that_no_scanner_makes_is_a_new_beginning():
    numbers, _ = take(Numbers(), 5, 6 + MOST_AT_ONCE)
    assert {} == numbers.awaited


@given(st.integers(0, 10**6), st.sets(st.integers(1, 60), max_size=20), st.randoms())
def test_exactly_the_numbers_that_did_not_come_are_gaps(first, removed, random):
    """In whatever order near their place the others come: each is at most three places early or late."""
    start = first + 200
    given_out = [start + step for step in range(63) if step not in removed]
    order = sorted(given_out, key=lambda number: number + random.uniform(0, 3))
    order = [start, *(number for number in order if number != start), start + 62]
    numbers, _ = take(Numbers(), *order)
    _, gaps = fallen_due(numbers, NOON + 2 * HOUR, HOUR)
    assert sorted(start + step for step in removed) == [gap.number for gap in gaps]
