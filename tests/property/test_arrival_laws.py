"""Laws of the rule of identity over every combination of what is known and what arrives."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

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
from edge_agent.domain.ids import DropKey, ScanId, scan_id
from edge_agent.testing.factories import NOON, SCANNER, SITE

DIGESTS = st.sampled_from(["pixels-1", "pixels-2", None])
METADATA = st.sampled_from(["meta-1", "meta-2"])
WINDOW = timedelta(hours=1)
ARRIVALS = st.builds(Arrival, st.just(SITE), st.just(SCANNER), st.just(DropKey("drop")), DIGESTS, METADATA)
OWN_SCANS = st.sampled_from([scan_id(SITE, SCANNER, DropKey("drop"), digest) for digest in ("pixels-1", "pixels-2", "")])
DROPS = st.builds(KnownDrop, OWN_SCANS, st.integers(1, 9), st.integers(0, 9), DIGESTS, METADATA, st.just(NOON))
KNOWN = st.builds(Known, st.none() | DROPS, st.none() | st.just(ScanId("twin")), st.booleans())
AGES = st.timedeltas(timedelta(days=-1), timedelta(days=3))


@given(ARRIVALS, KNOWN, AGES)
def test_every_arrival_is_exactly_one_thing_and_the_same_when_asked_again(arrival: Arrival, known: Known, age: timedelta) -> None:
    decision = decide(arrival, known, NOON + age, WINDOW)
    assert isinstance(decision, NewScan | NewRevision | MetadataRevision | DuplicateOf | Unchanged)
    assert decision == decide(arrival, known, NOON + age, WINDOW)


@given(ARRIVALS, KNOWN, AGES)
def test_a_new_scan_never_takes_the_identity_of_the_drop_it_follows(arrival: Arrival, known: Known, age: timedelta) -> None:
    decision = decide(arrival, known, NOON + age, WINDOW)
    if isinstance(decision, NewScan) and known.drop is not None:
        assert decision.scan_id != known.drop.scan_id


@given(ARRIVALS, KNOWN, AGES)
def test_revisions_follow_the_newest_one_without_a_hole(arrival: Arrival, known: Known, age: timedelta) -> None:
    decision = decide(arrival, known, NOON + age, WINDOW)
    if isinstance(decision, NewRevision):
        assert known.drop is not None
        assert (decision.scan_id, decision.revision) == (known.drop.scan_id, known.drop.revision + 1)
    if isinstance(decision, MetadataRevision):
        assert known.drop is not None
        assert (decision.revision, decision.metadata_revision) == (known.drop.revision, known.drop.metadata_revision + 1)


@given(ARRIVALS, KNOWN, AGES)
def test_new_pixels_are_never_dropped_as_unchanged_or_as_metadata(arrival: Arrival, known: Known, age: timedelta) -> None:
    decision = decide(arrival, known, NOON + age, WINDOW)
    if arrival.content_digest is not None and known.drop is not None and arrival.content_digest != known.drop.content_digest:
        assert isinstance(decision, NewRevision | NewScan | DuplicateOf)


@given(ARRIVALS, KNOWN, AGES)
def test_only_known_pixels_of_the_same_subject_are_ever_a_duplicate(arrival: Arrival, known: Known, age: timedelta) -> None:
    if isinstance(decide(arrival, known, NOON + age, WINDOW), DuplicateOf):
        assert known.twin is not None
        assert known.twin_has_same_subject
