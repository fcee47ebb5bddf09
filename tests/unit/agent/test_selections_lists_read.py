"""A list of selected consignments: what its lines mean, and how a wrong one is named without its content."""

from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.agent.selection_lists import parse_selections
from edge_agent.domain.capture import Selection
from edge_agent.domain.identity import IdentityClass
from edge_agent.errors import ConfigInvalid

DAY = timedelta(hours=24)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HEAD = "container,ref,scanner,reason,campaign,selected_at,due\n"


def parsed(line: str, head: str = HEAD):
    return parse_selections(head + line, "list.csv", DAY)


def test_a_line_says_what_is_awaited_from_when_to_when():
    (one,) = parsed(" csqu 305438-3,,gate,targeted,R-7,2026-03-02T17:30:00+05:30,2026-03-02T20:00:00Z\n")
    assert ("CSQU3054383", IdentityClass.CONTAINER, "gate", Selection.TARGETED, "R-7") == (
        one.number,
        one.kind,
        one.scanner,
        one.reason,
        one.campaign,
    )
    assert (NOON, NOON + timedelta(hours=8)) == (one.since, one.due)


def test_one_of_the_two_times_is_enough():
    (begun,), (ending,) = parsed("A1,,,random,,2026-03-02T12:00:00Z,\n"), parsed("A1,,,random,,,2026-03-03T12:00:00Z\n")
    assert (NOON, NOON + DAY) == (begun.since, begun.due) == (ending.since, ending.due)


def test_a_parcel_and_a_declaration_are_known_for_what_they_are():
    (parcel,), (declaration,) = (
        parsed("RR473124829GB,,,scan-all,,,2026-03-03T12:00:00Z\n"),
        parsed(",26-118,,campaign,,,2026-03-03T12:00:00Z\n"),
    )
    assert (IdentityClass.PARCEL, IdentityClass.DECLARATION) == (parcel.kind, declaration.kind)
    assert declaration.number == "26118"


def test_columns_may_stand_in_any_order_and_others_are_ignored():
    (one,) = parsed("random,blue,A1,2026-03-02T12:00:00Z\n", "reason,colour,container,selected_at\n")
    assert one.number == "A1"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("SECRET1,,,guess,,2026-03-02T12:00:00Z,\n", "line 2: reason"),
        ("SECRET1,,,unknown,,2026-03-02T12:00:00Z,\n", "line 2: reason"),
        ("SECRET1,,,,,2026-03-02T12:00:00Z,\n", "line 2: reason"),
        (",,,random,,2026-03-02T12:00:00Z,\n", "line 2: container or ref"),
        ("SECRET1,,,random,,,\n", "line 2: selected_at or due"),
        ("SECRET1,,,random,,2026-03-02T12:00:00,\n", "line 2: selected_at"),
        ("SECRET1,,,random,,2026-03-02T12:00:00Z,2026-03-01T12:00:00Z\n", "line 2: due is before"),
        ("SECRET1,,,random,,0001-01-01T00:00:00+14:00,\n", "line 2"),
        ("A1,,,random,,2026-03-02T12:00:00Z,\nSECRET1,,,random,,soon,\n", "line 3: selected_at"),
    ],
)
def test_a_wrong_line_is_named_and_its_content_is_not(line, told):
    with pytest.raises(ConfigInvalid, match=told) as problem:
        parsed(line)
    assert "SECRET1" not in problem.value.detail


@pytest.mark.parametrize("head", ["", "container,selected_at\n", "reason,scanner\n"])
def test_a_list_without_its_columns_is_refused(head):
    with pytest.raises(ConfigInvalid, match="columns"):
        parse_selections(head, "list.csv", DAY)


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest():
    with pytest.raises(ConfigInvalid):
        parsed('"' + "x" * 200_000)
