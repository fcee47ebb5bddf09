"""What the ledger knows of drops, asked through the rule of identity as the agent does."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from edge_agent.domain.arrival import (
    Arrival,
    Decision,
    DuplicateOf,
    MetadataRevision,
    NewRevision,
    NewScan,
    Unchanged,
    decide,
)
from edge_agent.domain.ids import ScannerId, Token
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import (
    NOON,
    SCANNER,
    SITE,
    a_scan_id,
    a_set_aside,
    an_acceptance,
    an_arrival,
    an_assessment,
    an_audit,
    digest_of,
    particulars,
)

WINDOW = timedelta(hours=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.db", SITE, clock)) as opened:
        yield opened


def arrive(ledger: Ledger, clock: ManualClock, arrival: Arrival, subject: tuple[str, ...] = ()) -> Decision:
    """Decide an arrival and accept it as decided."""
    tokens = tuple(Token(token) for token in subject)
    known = ledger.known(arrival.scanner, arrival.drop_key, arrival.content_digest, tokens)
    decision = decide(arrival, known, clock.now(), WINDOW)
    ledger.accept([an_acceptance(arrival, decision, particulars(subject))])
    return decision


def test_a_drop_is_seen_under_its_newest_fingerprint_by_its_own_scanner_only(ledger: Ledger) -> None:
    first = an_acceptance(an_arrival("a"))
    ledger.accept([first])
    newer = (("a.png", 1001, 2**62), ("a.json", 3, 4))
    ledger.accept([replace(first, decision=Unchanged(a_scan_id("a")), fingerprint=newer)])
    assert ledger.seen(SCANNER) == {"a": newer}
    assert ledger.seen(ScannerId("gate-2")) == {}


def test_the_same_arrival_again_is_unchanged_and_makes_no_work(ledger: Ledger, clock: ManualClock) -> None:
    assert arrive(ledger, clock, an_arrival("a")) == NewScan(a_scan_id("a"), None)
    assert arrive(ledger, clock, an_arrival("a")) == Unchanged(a_scan_id("a"))
    assert ledger.counts().accepted == 1


def test_new_pixels_count_up_revisions_of_the_one_scan(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("a"))
    assert arrive(ledger, clock, an_arrival("a", content="second")) == NewRevision(a_scan_id("a"), 2)
    assert arrive(ledger, clock, an_arrival("a", content="third")) == NewRevision(a_scan_id("a"), 3)
    assert arrive(ledger, clock, an_arrival("a", content="third")) == Unchanged(a_scan_id("a"))
    assert ledger.counts().accepted == 3


def test_the_revision_window_runs_from_the_first_acceptance(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("a"))
    clock.advance(3000)
    arrive(ledger, clock, an_arrival("a", content="second"))
    clock.advance(3000)
    decision = arrive(ledger, clock, an_arrival("a", content="third"))
    assert isinstance(decision, NewScan)


def test_a_changed_side_car_counts_up_metadata_revisions_of_the_newest_revision(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("a"))
    assert arrive(ledger, clock, an_arrival("a", metadata="m1")) == MetadataRevision(a_scan_id("a"), 1, 1)
    assert arrive(ledger, clock, an_arrival("a", metadata="m2")) == MetadataRevision(a_scan_id("a"), 1, 2)
    assert arrive(ledger, clock, an_arrival("a", content="new", metadata="m2")) == NewRevision(a_scan_id("a"), 2)
    assert arrive(ledger, clock, an_arrival("a", content="new", metadata="m3")) == MetadataRevision(a_scan_id("a"), 2, 1)
    assert ledger.counts().accepted == 2


def test_a_side_car_that_comes_alone_does_not_make_the_pixels_forgotten(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("a"))
    assert arrive(ledger, clock, an_arrival("a", content=None, metadata="m1")) == MetadataRevision(a_scan_id("a"), 1, 1)
    assert arrive(ledger, clock, an_arrival("a", metadata="m1")) == Unchanged(a_scan_id("a"))


@pytest.mark.parametrize(("subject", "first"), [(("t1", "t2"), ("t2", "t1")), ((), ())], ids=["any order", "nobody named"])
def test_the_same_pixels_of_the_same_subject_under_another_name_are_a_duplicate(
    ledger: Ledger, clock: ManualClock, subject: tuple[str, ...], first: tuple[str, ...]
) -> None:
    arrive(ledger, clock, an_arrival("a"), first)
    assert arrive(ledger, clock, an_arrival("b", content="a"), subject) == DuplicateOf(a_scan_id("a"))
    assert arrive(ledger, clock, an_arrival("b", content="a"), subject) == DuplicateOf(a_scan_id("a"))
    assert ledger.counts().accepted == 1
    assert set(ledger.seen(SCANNER)) == {"a", "b"}


@pytest.mark.parametrize("subject", [("t2",), ("t1", "t2"), ()], ids=["another", "one more", "nobody named"])
def test_the_same_pixels_of_another_subject_are_a_new_scan_that_names_its_twin(
    ledger: Ledger, clock: ManualClock, subject: tuple[str, ...]
) -> None:
    arrive(ledger, clock, an_arrival("a"), ("t1",))
    decision = arrive(ledger, clock, an_arrival("b", content="a"), subject)
    assert isinstance(decision, NewScan)
    assert decision.twin == a_scan_id("a")
    assert ledger.counts().accepted == 2


def test_pixels_seen_at_another_scanner_of_the_site_count_as_seen(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("a"), ("t1",))
    elsewhere = an_arrival("a", scanner=ScannerId("gate-2"))
    assert arrive(ledger, clock, elsewhere, ("t1",)) == DuplicateOf(a_scan_id("a"))


def test_among_several_twins_the_one_of_the_same_subject_is_named(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("a"), ("t1",))
    second = arrive(ledger, clock, an_arrival("b", content="a"), ("t2",))
    assert isinstance(second, NewScan)
    assert arrive(ledger, clock, an_arrival("c", content="a"), ("t2",)) == DuplicateOf(second.scan_id)


def test_the_newest_side_car_says_whose_pixels_they_are(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("a"), ("wrong",))
    arrive(ledger, clock, an_arrival("a", metadata="corrected"), ("right",))
    assert arrive(ledger, clock, an_arrival("b", content="a"), ("right",)) == DuplicateOf(a_scan_id("a"))
    assert isinstance(arrive(ledger, clock, an_arrival("c", content="a"), ("wrong",)), NewScan)


def test_arrivals_without_pixels_are_nobodys_twin(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("a", content=None))
    decision = arrive(ledger, clock, an_arrival("b", content=None))
    assert isinstance(decision, NewScan)
    assert decision.twin is None


def test_a_copy_of_a_scan_that_was_set_aside_is_looked_at_for_nobody_saw_the_first(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("a"))
    job = ledger.claim(NOON)
    assert job is not None
    ledger.set_aside(job.job_id, a_set_aside(job.scan_id), "unreadable-scan")
    assert isinstance(arrive(ledger, clock, an_arrival("b", content="a")), NewScan)


def test_a_scanner_that_begins_its_names_again_makes_scans_of_their_own(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("0001", content="monday"))
    clock.advance(86400)
    tuesday = arrive(ledger, clock, an_arrival("0001", content="tuesday"))
    assert isinstance(tuesday, NewScan)
    assert arrive(ledger, clock, an_arrival("0001", content="tuesday", metadata="m1")) == MetadataRevision(tuesday.scan_id, 1, 1)


def test_first_pixels_that_come_back_under_a_name_begun_again_find_their_own_scan(ledger: Ledger, clock: ManualClock) -> None:
    monday = arrive(ledger, clock, an_arrival("0001", content="monday"))
    assert isinstance(monday, NewScan)
    clock.advance(86400)
    arrive(ledger, clock, an_arrival("0001", content="tuesday"))
    clock.advance(86400)
    assert arrive(ledger, clock, an_arrival("0001", content="monday")) == Unchanged(monday.scan_id)
    assert arrive(ledger, clock, an_arrival("0001", content="monday", metadata="m1")) == MetadataRevision(monday.scan_id, 1, 1)


def test_first_pixels_that_come_back_late_after_a_revision_are_one_more_revision(ledger: Ledger, clock: ManualClock) -> None:
    arrive(ledger, clock, an_arrival("a"))
    arrive(ledger, clock, an_arrival("a", content="second"))
    clock.advance(86400)
    assert arrive(ledger, clock, an_arrival("a")) == NewRevision(a_scan_id("a"), 3)


def test_a_duplicate_is_journalled_with_its_acceptance(ledger: Ledger) -> None:
    duplicate = an_acceptance(an_arrival("b", content="a"), DuplicateOf(a_scan_id("a")))
    ledger.accept([replace(duplicate, entries=(an_audit("duplicate-b", "duplicate-of", a_scan_id("a")),))])
    assert (ledger.head().seq, ledger.counts().accepted) == (1, 0)


def test_a_batch_is_accepted_whole_or_not_at_all(ledger: Ledger) -> None:
    good = an_acceptance(an_arrival("a"))
    twice = an_acceptance(an_arrival("b"), NewScan(a_scan_id("a"), None))
    with pytest.raises(apsw.ConstraintError):
        ledger.accept([good, twice])
    assert (ledger.counts().accepted, ledger.seen(SCANNER)) == (0, {})
    ledger.accept([good])
    assert ledger.counts().accepted == 1


def test_a_metadata_revision_of_a_scan_never_accepted_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="never accepted"):
        ledger.accept([an_acceptance(an_arrival("a"), MetadataRevision(a_scan_id("a"), 1, 1))])
    assert ledger.seen(SCANNER) == {}


def test_what_was_known_is_known_after_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "again.db"
    with closing(Ledger.open(path, SITE, clock)) as first:
        arrive(first, clock, an_arrival("a"), ("t1",))
        job = first.claim(NOON)
        assert job is not None
        first.complete(job.job_id, an_assessment(job.scan_id), [])
    with closing(Ledger.open(path, SITE, clock)) as second:
        assert arrive(second, clock, an_arrival("a"), ("t1",)) == Unchanged(a_scan_id("a"))
        known = second.known(SCANNER, an_arrival("b").drop_key, digest_of("a"), (Token("t1"),))
        assert (known.twin, known.twin_has_same_subject) == (a_scan_id("a"), True)
        assert second.counts().assessed == 1
