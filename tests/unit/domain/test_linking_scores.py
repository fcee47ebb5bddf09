"""Which declaration belongs to a scan, and how surely: every row of the table, and what makes a sure link weak."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.consignment import Consignment
from edge_agent.domain.declaration import Declaration, DeclaredItem, Link, LinkBasis, comparable
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.linking import DeclarationRecord, Register

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONE, OTHER = "CSQU3054383", "ZZZU6304941"
BEEF, TYRES = DeclaredItem("0202", "beef"), DeclaredItem("4011", "tyres")


def read(*numbers: str, kind: IdentityClass = IdentityClass.CONTAINER) -> list[IdentityValue]:
    return [IdentityValue(kind, number) for number in numbers]


def record(*numbers: str, item: DeclaredItem = BEEF, minutes: float | None = None, ref: str = "") -> DeclarationRecord:
    expected = None if minutes is None else NOON + timedelta(minutes=minutes)
    return DeclarationRecord(numbers, (item,), expected, tuple(read(ref, kind=IdentityClass.DECLARATION)) if ref else (), Consignment())


def link(register: Register, numbers: list[IdentityValue], at: datetime | None = NOON) -> tuple[float, str] | None:
    match = register.find(numbers, at)
    return None if match is None else (match.link.score, match.link.basis.value)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (read(ONE), (1.0, "number")),
        (read("csqu 305438-3"), (1.0, "number")),
        (read("CSQU30S4383"), (0.8, "corrected")),
        (read("CSQU?054383"), (0.8, "corrected")),
        (read(ONE, "ZZZU3307660"), (0.5, "number")),
        (read("ZZZU3307660"), None),
        (read("CSQU9999999"), None),
        (read("TST0039", kind=IdentityClass.PLATE), None),
        (read("A. Nobody", kind=IdentityClass.DRIVER), None),
    ],
)
def test_a_number_links_as_surely_as_it_was_read(numbers, expected):
    assert expected == link(Register([record(ONE)]), numbers)


def test_the_declarations_own_number_links_whatever_was_read_of_the_container():
    register = Register([record(ONE, ref="26IN-7"), record(OTHER, item=TYRES)])
    match = register.find([*read("26in 7", kind=IdentityClass.DECLARATION), *read("????")], NOON)
    assert match is not None
    assert ((BEEF,), Link(1.0, LinkBasis.NUMBER)) == (match.items, match.link)


def test_a_wrong_number_that_both_sides_wrote_alike_is_nearly_sure():
    assert link(Register([record("CSQU3054380")]), read("CSQU3054380")) == (0.9, "number")


def test_a_number_that_was_mistyped_in_the_declaration_is_corrected_too():
    assert link(Register([record("CSQU3O54383")]), read(ONE)) == (0.8, "corrected")


def test_a_misread_number_that_may_mean_two_declarations_is_weak():
    register = Register([record("CSQU3054383"), record("CSGU3054383", item=TYRES)])
    assert link(register, read("CS?U3054383")) == (0.4, "corrected")


def test_a_container_of_another_voyage_is_weak_and_the_present_voyage_is_taken_first():
    old = record(ONE, item=TYRES, minutes=-60 * 24 * 60)
    assert link(Register([old]), read(ONE)) == (0.5, "number")
    match = Register([old, record(ONE, minutes=30)]).find(read(ONE), NOON)
    assert match is not None
    assert ((BEEF,), 1.0) == (match.items, match.link.score)


def test_without_a_number_time_and_order_link_but_weakly():
    register = Register([record(ONE, minutes=-20)])
    assert link(register, []) == (0.5, "time")
    assert link(register, [], NOON + timedelta(hours=1)) is None
    assert link(register, [], None) is None
    both = Register([record(ONE, minutes=-20), record(OTHER, item=TYRES, minutes=5)])
    match = both.find([], NOON)
    assert match is not None
    assert ((TYRES,), Link(0.3, LinkBasis.ORDER)) == (match.items, match.link)


def test_a_number_that_was_read_and_is_not_declared_is_never_linked_by_time():
    assert link(Register([record(ONE, minutes=0)]), read(OTHER)) is None


def test_two_containers_bring_the_goods_of_both():
    match = Register([record(ONE), record(OTHER, item=TYRES)]).find(read(ONE, OTHER), NOON)
    assert match is not None
    assert ({BEEF, TYRES}, 1.0) == (set(match.items), match.link.score)


@pytest.mark.parametrize(("score", "is_compared"), [(1.0, True), (0.8, True), (0.7, True), (0.69, False), (0.3, False), (0.0, False)])
def test_the_load_is_compared_with_a_strong_link_only(score, is_compared):
    declaration = Declaration((BEEF,), "declarations", None, Link(score, LinkBasis.CORRECTED))
    assert is_compared == (comparable(declaration) is declaration)
    assert comparable(None) is None


numbers = st.sampled_from([ONE, OTHER, "CSQU30S4383", "ZZZU3307660", "CSQU?054383", "7", ""])
records = st.lists(st.builds(record, numbers, minutes=st.none() | st.floats(-1e5, 1e5)), max_size=6)


@given(records, st.lists(numbers, max_size=4))
def test_every_link_has_a_score_between_0_and_1_and_points_at_records_that_are_there(listed, seen):
    match = Register(listed).find(read(*seen), NOON)
    if match is not None:
        assert 0.0 < match.link.score <= 1.0
        assert set(match.records) <= set(listed)
