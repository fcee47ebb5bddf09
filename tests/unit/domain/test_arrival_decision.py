"""The rule of identity, case by case."""

from datetime import timedelta

import pytest

from edge_agent.domain.arrival import (
    Arrival,
    DuplicateOf,
    Known,
    KnownDrop,
    MetadataRevision,
    NewRevision,
    NewScan,
    Unchanged,
    decide,
)
from edge_agent.domain.ids import ScanId
from edge_agent.testing.factories import NOON, a_scan_id, an_arrival, digest_of

WINDOW = timedelta(hours=1)
NOTHING_KNOWN = Known(None, None, twin_has_same_subject=False)


def known_drop(arrival: Arrival, scan: str = "older", revision: int = 1, metadata: int = 0) -> Known:
    drop = KnownDrop(ScanId(scan), revision, metadata, arrival.content_digest, arrival.metadata_digest, NOON)
    return Known(drop, None, twin_has_same_subject=False)


def test_what_was_never_seen_is_a_new_scan_with_the_computed_identity() -> None:
    assert NewScan(a_scan_id("scan-1"), None) == decide(an_arrival("scan-1"), NOTHING_KNOWN, NOON, WINDOW)


def test_a_touched_drop_is_unchanged() -> None:
    arrival = an_arrival()
    assert Unchanged(ScanId("older")) == decide(arrival, known_drop(arrival), NOON, WINDOW)


@pytest.mark.parametrize("content", ["", None], ids=["same pixels", "no pixels in this arrival"])
def test_a_changed_side_car_alone_is_a_metadata_revision_of_the_newest_revision(content: str | None) -> None:
    known = known_drop(an_arrival(), revision=3, metadata=4)
    assert MetadataRevision(ScanId("older"), 3, 5) == decide(an_arrival(content=content, metadata="m1"), known, NOON, WINDOW)


def test_a_changed_side_car_counts_even_after_the_window() -> None:
    known = known_drop(an_arrival())
    assert MetadataRevision(ScanId("older"), 1, 1) == decide(an_arrival(metadata="m1"), known, NOON + 9 * WINDOW, WINDOW)


def test_new_pixels_within_the_window_are_the_next_revision() -> None:
    known = known_drop(an_arrival(), revision=2)
    assert NewRevision(ScanId("older"), 3) == decide(an_arrival(content="other"), known, NOON + WINDOW, WINDOW)


def test_new_pixels_after_the_window_are_a_scan_of_their_own() -> None:
    known = known_drop(an_arrival())
    result = decide(an_arrival(content="other"), known, NOON + WINDOW + timedelta(microseconds=1), WINDOW)
    assert isinstance(result, NewScan)
    assert a_scan_id() != result.scan_id


def test_the_scans_own_first_pixels_after_the_window_are_a_revision_for_its_identity_is_taken() -> None:
    now_showing_other_pixels = known_drop(an_arrival(content="other"), scan=a_scan_id("scan-1"), revision=2)
    assert NewRevision(a_scan_id("scan-1"), 3) == decide(an_arrival("scan-1"), now_showing_other_pixels, NOON + 9 * WINDOW, WINDOW)


def test_known_pixels_of_the_same_subject_under_another_name_are_a_duplicate() -> None:
    known = Known(None, ScanId("twin"), twin_has_same_subject=True)
    assert DuplicateOf(ScanId("twin")) == decide(an_arrival(), known, NOON, WINDOW)


def test_known_pixels_of_another_subject_are_a_new_scan_that_names_its_twin() -> None:
    known = Known(None, ScanId("twin"), twin_has_same_subject=False)
    assert NewScan(a_scan_id("scan-1"), ScanId("twin")) == decide(an_arrival("scan-1"), known, NOON, WINDOW)


def test_pixels_that_come_after_a_side_car_alone_are_a_revision() -> None:
    known = known_drop(an_arrival(content=None))
    arrival = an_arrival(content="late pixels")
    assert NewRevision(ScanId("older"), 2) == decide(arrival, known, NOON, WINDOW)
    assert digest_of("late pixels") == arrival.content_digest
