"""Computed identities: the same input always gives the same name, and different inputs never share one by accident of spelling."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.ids import DropKey, ScanId, ScannerId, SiteId, content_digest, fact_id, scan_id

NAMES = st.text(min_size=0, max_size=12)
FOUR = st.tuples(NAMES, NAMES, NAMES, NAMES)
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=6)


def named(parts: tuple[str, str, str, str]) -> ScanId:
    return scan_id(SiteId(parts[0]), ScannerId(parts[1]), DropKey(parts[2]), parts[3])


@given(FOUR, FOUR)
def test_two_scans_share_an_identity_only_when_all_four_parts_agree(one: tuple[str, str, str, str], two: tuple[str, str, str, str]) -> None:
    assert (named(one) == named(two)) == (one == two)


def test_no_part_can_borrow_letters_from_its_neighbour() -> None:
    spellings = [("a", "b", "c", "d"), ("ab", "", "c", "d"), ("a", "bc", "", "d"), ('a","b', "", "c", "d"), ("a", "b", "cd", "")]
    assert len({named(parts) for parts in spellings}) == len(spellings)


@given(FOUR)
def test_an_identity_is_a_uuid_of_version_5(parts: tuple[str, str, str, str]) -> None:
    assert uuid.UUID(named(parts)).version == 5


@given(NAMES, st.sampled_from(["assessment", "verdict"]), st.integers(0, 99), NAMES)
def test_a_fact_differs_by_subject_kind_revision_and_cause(subject: str, kind: str, revision: int, cause: str) -> None:
    base = fact_id(ScanId(subject), kind, revision, cause)
    others = {
        fact_id(ScanId(subject + "x"), kind, revision, cause),
        fact_id(ScanId(subject), kind + "x", revision, cause),
        fact_id(ScanId(subject), kind, revision + 1, cause),
        fact_id(ScanId(subject), kind, revision, cause + "x"),
    }
    assert base == fact_id(ScanId(subject), kind, revision, cause)
    assert base not in others
    assert len(others) == 4


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_in_which_members_were_found_does_not_matter(pairs: list[tuple[str, str]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert content_digest(pairs) == content_digest(shuffled)


@given(PAIRS, PAIRS)
def test_other_members_or_roles_are_other_pixels(one: list[tuple[str, str]], two: list[tuple[str, str]]) -> None:
    assert (content_digest(one) == content_digest(two)) == (sorted(one) == sorted(two))
