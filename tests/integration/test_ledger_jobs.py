"""Jobs: who runs next, who runs alone, and that no accepted scan is ever lost from the books."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from edge_agent.domain.arrival import MetadataRevision, NewRevision
from edge_agent.domain.assessment import BlobRef
from edge_agent.errors import NotQuarantined
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Counts, Job, JobKind
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import (
    NOON,
    SITE,
    a_scan_id,
    a_set_aside,
    an_acceptance,
    an_arrival,
    an_assessment,
    an_audit,
    digest_of,
    members,
    particulars,
)

HOUR = timedelta(hours=1)
BEGIN_CLAIMED = """
INSERT INTO job (scan_id, revision, metadata_revision, kind, state, scanner, drop_key, metadata_digest, identifiers, priority,
                 accepted_us, spool, members, particulars)
VALUES ('s', 1, 0, 'assess', 'claimed', 'g', 'k', '', '', 0, 0, '', '', '')
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.db", SITE, clock)) as opened:
        yield opened


def accept(ledger: Ledger, *names: str, priority: int = 0) -> None:
    ledger.accept([an_acceptance(an_arrival(name), priority=priority) for name in names])


def claim(ledger: Ledger) -> Job:
    job = ledger.claim(NOON)
    assert job is not None
    return job


def claimed_names(ledger: Ledger) -> list[str]:
    names = []
    while (job := ledger.claim(NOON)) is not None:
        names.append(job.drop_key)
    return names


def die_and_come_back(ledger: Ledger, *, charge: bool = False) -> int:
    """What a restart does to the jobs; the restart itself is tested with real processes."""
    return ledger.recover(charge)


def test_a_job_carries_everything_that_was_accepted(ledger: Ledger) -> None:
    about = particulars(identifiers=("tok-b", "tok-a"), declared=("0202", "8703"))
    ledger.accept([an_acceptance(an_arrival("scan-1"), about=about, priority=3)])
    job = claim(ledger)
    assert (job.scan_id, job.revision, job.metadata_revision, job.kind) == (a_scan_id(), 1, 0, JobKind.ASSESS)
    assert (job.scanner, job.drop_key, job.priority, job.spool) == ("gate-1", "scan-1", 3, "spool/scan-1")
    assert (job.particulars, job.members, job.accepted_at) == (about, members("scan-1"), NOON)
    assert (job.is_suspect, job.attempts, job.charges) == (False, 0, 0)


def test_higher_priority_goes_first_and_then_the_earliest_accepted(ledger: Ledger) -> None:
    accept(ledger, "a", "b")
    accept(ledger, "urgent", priority=5)
    accept(ledger, "c")
    assert claimed_names(ledger) == ["urgent", "a", "b", "c"]


def test_order_of_acceptance_holds_when_the_wall_clock_jumps_back(ledger: Ledger, clock: ManualClock) -> None:
    accept(ledger, "first")
    clock.jump(-365 * 86400)
    accept(ledger, "second")
    assert claimed_names(ledger) == ["first", "second"]


def test_an_empty_ledger_has_nothing_to_claim(ledger: Ledger) -> None:
    assert ledger.claim(NOON) is None


def test_no_job_is_claimed_twice(ledger: Ledger) -> None:
    accept(ledger, "a")
    claim(ledger)
    assert ledger.claim(NOON) is None


def test_jobs_of_one_scan_run_one_after_the_other(ledger: Ledger) -> None:
    accept(ledger, "a")
    ledger.accept([an_acceptance(an_arrival("a", content="new"), NewRevision(a_scan_id("a"), 2))])
    ledger.accept([an_acceptance(an_arrival("a", content="new", metadata="m1"), MetadataRevision(a_scan_id("a"), 2, 1))])
    accept(ledger, "b")
    first = claim(ledger)
    assert claimed_names(ledger) == ["b"]
    ledger.complete(first.job_id, an_assessment(first.scan_id))
    second = claim(ledger)
    assert (second.revision, second.kind) == (2, JobKind.ASSESS)
    ledger.complete(second.job_id, an_assessment(second.scan_id, revision=2))
    third = claim(ledger)
    assert (third.revision, third.metadata_revision, third.kind) == (2, 1, JobKind.RECONCLUDE)


def test_a_released_job_waits_until_its_time_and_keeps_its_place(ledger: Ledger) -> None:
    accept(ledger, "a", "b")
    ledger.release(claim(ledger).job_id, NOON + timedelta(seconds=30))
    assert claimed_names(ledger) == ["b"]
    later = ledger.claim(NOON + timedelta(seconds=30))
    assert later is not None
    assert later.drop_key == "a"


def test_a_job_released_without_a_time_is_next_again(ledger: Ledger) -> None:
    accept(ledger, "a", "b")
    ledger.release(claim(ledger).job_id, None)
    assert claimed_names(ledger) == ["a", "b"]


def test_no_job_waits_longer_than_an_hour_whatever_was_asked(ledger: Ledger) -> None:
    accept(ledger, "a")
    ledger.release(claim(ledger).job_id, NOON + 500 * HOUR)
    assert ledger.claim(NOON + HOUR / 2) is None
    assert ledger.claim(NOON + HOUR) is not None


def test_a_wall_clock_set_back_does_not_leave_a_job_waiting_for_years(ledger: Ledger, clock: ManualClock) -> None:
    clock.jump(365 * 86400)
    accept(ledger, "a")
    first = ledger.claim(clock.now())
    assert first is not None
    ledger.release(first.job_id, clock.now() + timedelta(seconds=30))
    clock.jump(-365 * 86400)
    assert ledger.claim(clock.now()) is not None


def test_what_a_death_left_claimed_becomes_suspect(ledger: Ledger) -> None:
    accept(ledger, "a", "b", "c")
    claim(ledger)
    claim(ledger)
    assert die_and_come_back(ledger) == 2
    suspects = ledger.suspects_over(charges=9, attempts=1)
    assert [(job.drop_key, job.is_suspect, job.attempts, job.charges) for job in suspects] == [("a", True, 1, 0), ("b", True, 1, 0)]


def test_a_second_recovery_finds_nothing_to_recover(ledger: Ledger) -> None:
    accept(ledger, "a")
    claim(ledger)
    assert (die_and_come_back(ledger), die_and_come_back(ledger)) == (1, 0)
    assert ledger.suspects_over(charges=9, attempts=2) == []


def test_suspects_run_first_and_alone(ledger: Ledger) -> None:
    accept(ledger, "a", "b")
    accept(ledger, "urgent", priority=9)
    for _ in range(2):
        claim(ledger)
    die_and_come_back(ledger)
    first = claim(ledger)
    assert (first.drop_key, first.is_suspect) == ("urgent", True)
    assert ledger.claim(NOON) is None
    ledger.complete(first.job_id, an_assessment(first.scan_id))
    second = claim(ledger)
    assert (second.drop_key, second.is_suspect) == ("a", True)
    ledger.complete(second.job_id, an_assessment(second.scan_id))
    assert claimed_names(ledger) == ["b"]


def test_a_suspect_waits_until_nothing_else_runs(ledger: Ledger) -> None:
    accept(ledger, "poison", "innocent")
    claim(ledger)
    die_and_come_back(ledger)
    suspect = claim(ledger)
    ledger.release(suspect.job_id, NOON + timedelta(seconds=30))
    innocent = claim(ledger)
    assert innocent.drop_key == "innocent"
    due = NOON + timedelta(seconds=30)
    assert ledger.claim(due) is None
    ledger.complete(innocent.job_id, an_assessment(innocent.scan_id))
    again = ledger.claim(due)
    assert again is not None
    assert again.is_suspect


def test_only_a_death_of_a_suspect_alone_is_charged(ledger: Ledger) -> None:
    accept(ledger, "poison", "bystander")
    claim(ledger)
    claim(ledger)
    die_and_come_back(ledger, charge=True)
    assert [(job.attempts, job.charges) for job in ledger.suspects_over(0, 0)] == [(1, 0), (1, 0)]
    claim(ledger)
    die_and_come_back(ledger, charge=True)
    assert [(job.drop_key, job.attempts, job.charges) for job in ledger.suspects_over(0, 0)] == [("poison", 1, 1), ("bystander", 1, 0)]


def test_a_first_death_alone_is_not_charged_for_the_job_was_no_suspect_yet(ledger: Ledger) -> None:
    accept(ledger, "a")
    claim(ledger)
    die_and_come_back(ledger, charge=True)
    assert [(job.attempts, job.charges) for job in ledger.suspects_over(0, 0)] == [(1, 0)]


def test_a_death_that_does_not_count_is_an_attempt(ledger: Ledger) -> None:
    accept(ledger, "a")
    for _ in range(2):
        claim(ledger)
        die_and_come_back(ledger, charge=False)
    assert [(job.attempts, job.charges) for job in ledger.suspects_over(0, 0)] == [(2, 0)]


def test_suspects_are_listed_once_either_limit_is_reached(ledger: Ledger) -> None:
    accept(ledger, "a")
    for charge in (False, True, True, True):
        claim(ledger)
        die_and_come_back(ledger, charge=charge)
    assert [job.charges for job in ledger.suspects_over(charges=3, attempts=10)] == [3]
    assert [job.attempts for job in ledger.suspects_over(charges=10, attempts=1)] == [1]
    assert ledger.suspects_over(charges=4, attempts=2) == []


def test_completion_writes_fact_and_outcome_together(ledger: Ledger) -> None:
    accept(ledger, "a")
    job = claim(ledger)
    appended = ledger.complete(job.job_id, an_assessment(job.scan_id), [BlobRef(digest_of("map"), 10, "image/png", "heatmap:top")])
    assert (appended.seq, appended.is_new) == (1, True)
    assert ledger.counts() == Counts(accepted=1, assessed=1, set_aside=0, in_flight=0)


def test_the_backlog_is_what_waits_or_runs(ledger: Ledger) -> None:
    for name in ("a", "b", "c"):
        accept(ledger, name)
    assert (ledger.backlog(), ledger.counts().in_flight) == (3, 3)
    job = claim(ledger)
    assert (ledger.backlog(), ledger.counts().in_flight) == (3, 3)
    ledger.complete(job.job_id, an_assessment(job.scan_id), [])
    job = claim(ledger)
    ledger.set_aside(job.job_id, a_set_aside(job.scan_id), "unreadable-scan")
    assert (ledger.backlog(), ledger.counts().in_flight) == (1, 1)


def test_a_job_whose_fact_is_there_already_is_closed_without_a_second_fact(ledger: Ledger) -> None:
    accept(ledger, "a")
    job = claim(ledger)
    entry = an_assessment(job.scan_id)
    ledger.append(entry)
    again = ledger.complete(job.job_id, entry, [])
    assert (again.seq, again.is_new, ledger.head().seq) == (1, False, 1)
    assert ledger.counts().assessed == 1


def test_closing_a_job_that_is_not_claimed_is_refused_and_journals_nothing(ledger: Ledger) -> None:
    accept(ledger, "a")
    job = claim(ledger)
    ledger.release(job.job_id, None)
    with pytest.raises(ValueError, match="waiting, not claimed"):
        ledger.complete(job.job_id, an_assessment(job.scan_id), [])
    assert (ledger.head().seq, ledger.counts().in_flight) == (0, 1)


def test_what_is_assessed_stays_assessed(ledger: Ledger) -> None:
    accept(ledger, "a")
    job = claim(ledger)
    ledger.complete(job.job_id, an_assessment(job.scan_id), [])
    with pytest.raises(ValueError, match="assessed"):
        ledger.set_aside(job.job_id, a_set_aside(job.scan_id), "unreadable-scan")
    with pytest.raises(ValueError, match="assessed"):
        ledger.release(job.job_id, None)
    assert (ledger.head().seq, ledger.counts().assessed) == (1, 1)


def test_a_scan_set_aside_is_listed_with_its_reason(ledger: Ledger, clock: ManualClock) -> None:
    accept(ledger, "a")
    job = claim(ledger)
    clock.advance(5)
    ledger.set_aside(job.job_id, a_set_aside(job.scan_id), "unreadable-scan")
    (row,) = ledger.quarantined()
    assert (row.scan_id, row.revision, row.reason, row.set_aside_at) == (job.scan_id, 1, "unreadable-scan", NOON + timedelta(seconds=5))
    assert ledger.counts() == Counts(accepted=1, assessed=0, set_aside=1, in_flight=0)


def test_a_suspect_that_crashed_too_often_is_set_aside_without_running_again(ledger: Ledger) -> None:
    accept(ledger, "poison")
    claim(ledger)
    die_and_come_back(ledger)
    (suspect,) = ledger.suspects_over(charges=3, attempts=1)
    ledger.set_aside(suspect.job_id, a_set_aside(suspect.scan_id, reason="crashed-too-often"), "crashed-too-often")
    assert ledger.claim(NOON) is None
    assert ledger.counts().set_aside == 1


def test_a_retry_starts_afresh_and_a_former_suspect_still_runs_alone(ledger: Ledger) -> None:
    accept(ledger, "poison", "innocent")
    claim(ledger)
    die_and_come_back(ledger)
    (suspect,) = ledger.suspects_over(charges=3, attempts=1)
    ledger.set_aside(suspect.job_id, a_set_aside(suspect.scan_id), "crashed-too-often")
    audit = ledger.retry(suspect.scan_id, 1, an_audit("retry-1", "retried", suspect.scan_id))
    assert (audit.seq, audit.is_new) == (2, True)
    again = claim(ledger)
    assert (again.drop_key, again.is_suspect, again.attempts, again.charges, again.retries) == ("poison", True, 0, 0, 1)
    assert ledger.claim(NOON) is None
    assert ledger.counts() == Counts(accepted=2, assessed=0, set_aside=0, in_flight=2)


@pytest.mark.parametrize("revision", [1, 2], ids=["still waiting", "never accepted"])
def test_a_retry_of_what_is_not_set_aside_is_refused_and_journals_nothing(ledger: Ledger, revision: int) -> None:
    accept(ledger, "a")
    with pytest.raises(NotQuarantined):
        ledger.retry(a_scan_id("a"), revision, an_audit("retry-1"))
    assert ledger.head().seq == 0


def test_a_retried_older_revision_does_not_block_a_suspect_of_the_same_scan(ledger: Ledger) -> None:
    accept(ledger, "a")
    first = claim(ledger)
    ledger.set_aside(first.job_id, a_set_aside(first.scan_id), "unreadable-scan")
    ledger.accept([an_acceptance(an_arrival("a", content="new"), NewRevision(first.scan_id, 2))])
    claim(ledger)
    ledger.retry(first.scan_id, 1, an_audit("retry-1"))
    die_and_come_back(ledger)
    assert claim(ledger).revision == 2


def test_metadata_revisions_are_no_scans_in_the_counts(ledger: Ledger) -> None:
    accept(ledger, "a")
    ledger.accept([an_acceptance(an_arrival("a", metadata="m1"), MetadataRevision(a_scan_id("a"), 1, 1))])
    assert ledger.counts() == Counts(accepted=1, assessed=0, set_aside=0, in_flight=1)


def test_assessed_scans_are_packed_once(ledger: Ledger) -> None:
    accept(ledger, "a", "b")
    job = claim(ledger)
    assert ledger.unpacked() == []
    ledger.complete(job.job_id, an_assessment(job.scan_id), [])
    assert [waiting.drop_key for waiting in ledger.unpacked()] == ["a"]
    ledger.mark_packed(job.job_id, "packages/2026/03/02/a.scan.zip", digest_of("package"))
    assert ledger.unpacked() == []


def test_a_job_that_is_not_assessed_cannot_be_packed(ledger: Ledger) -> None:
    accept(ledger, "a")
    with pytest.raises(ValueError, match="claimed, not assessed"):
        ledger.mark_packed(claim(ledger).job_id, "packages/a.scan.zip", digest_of("package"))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM job",
        "UPDATE job SET state = 'assessed', fact_id = 'x', closed_us = 1",
        "UPDATE job SET state = 'set-aside'",
        "UPDATE job SET state = 'forgotten'",
        BEGIN_CLAIMED,
    ],
    ids=["forget", "assess unclaimed", "set aside without a fact", "invent a state", "begin claimed"],
)
def test_the_file_itself_refuses_to_break_the_law(ledger: Ledger, tmp_path: Path, statement: str) -> None:
    accept(ledger, "a")
    with closing(apsw.Connection(str(tmp_path / "ledger.db"))) as other, pytest.raises(apsw.ConstraintError):
        other.execute(statement)
    assert ledger.counts() == Counts(accepted=1, assessed=0, set_aside=0, in_flight=1)


def test_the_file_itself_refuses_to_change_an_outcome(ledger: Ledger, tmp_path: Path) -> None:
    accept(ledger, "a")
    job = claim(ledger)
    ledger.complete(job.job_id, an_assessment(job.scan_id), [])
    with closing(apsw.Connection(str(tmp_path / "ledger.db"))) as other, pytest.raises(apsw.ConstraintError, match="cannot take this step"):
        other.execute("UPDATE job SET state = 'waiting', fact_id = NULL, closed_us = NULL")
