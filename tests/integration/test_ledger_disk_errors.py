"""A disk that refuses under the ledger's own file: every answer is typed, what was acknowledged is there afterwards, nothing is half done.

The refusals come from a layer between SQLite and the file (an apsw VFS), at the n-th write, sync or truncation.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from edge_agent.errors import DiskLow, EdgeAgentError, LedgerFailed
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, a_scan_id, an_acceptance, an_arrival, an_assessment, an_audit

ROUNDS = 12


class Refusals:
    """Which call refuses, and how; -1 = none. ``calls`` counts them since the last reset."""

    def __init__(self) -> None:
        self.at = -1
        self.lasts = False
        self.calls = 0
        self.kind: type[Exception] = apsw.IOError

    def meet(self) -> None:
        self.calls += 1
        if self.at >= 0 and (self.calls == self.at or (self.lasts and self.calls > self.at)):
            raise self.kind("refused")


class SoreFile(apsw.VFSFile):
    """A file that refuses to be changed when told to."""

    def __init__(self, name: object, flags: list[int], refusals: Refusals) -> None:
        super().__init__("unix", name, flags)
        self._refusals = refusals

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's own name
        self._refusals.meet()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._refusals.meet()
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._refusals.meet()
        super().xTruncate(size)


class SoreDisk(apsw.VFS):
    """Files that refuse together."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals
        super().__init__("sore", "unix", makedefault=True)

    def xOpen(self, name: object, flags: list[int]) -> SoreFile:  # noqa: N802
        return SoreFile(name, flags, self._refusals)


@contextmanager
def sore_disk() -> Iterator[Refusals]:
    refusals = Refusals()
    default = apsw.vfs_names()[0]
    disk = SoreDisk(refusals)
    try:
        yield refusals
    finally:
        disk.unregister()
        assert apsw.vfs_names()[0] == default


def work(ledger: Ledger, number: int) -> None:
    """Accept and assess one scan, and journal a fact about the site."""
    name = f"scan-{number}"
    ledger.accept([an_acceptance(an_arrival(name))])
    job = ledger.claim(ManualClock().now())
    assert job is not None
    ledger.complete(job.job_id, an_assessment(job.scan_id, job.revision))
    ledger.append(an_audit(f"fact-{number}"))


def facts_there(ledger: Ledger) -> int:
    return sum(ledger.has_fact(an_assessment(a_scan_id(f"scan-{number}")).fact_id) is not None for number in range(ROUNDS))


def look_at(path: Path) -> tuple[int, int]:
    """Open the ledger on a sound disk, as the next start does; give accepted scans and facts, after the law was held against them."""
    ledger = Ledger.open(path, SITE, ManualClock())
    try:
        ledger.recover(charge=False)
        counts = ledger.counts()
        assert counts.accepted == counts.assessed + counts.set_aside + counts.in_flight
        assert ledger.verify() is None
        facts = facts_there(ledger)
        assert facts == counts.assessed
        return counts.accepted, facts
    finally:
        ledger.close()


@pytest.mark.parametrize("at", [*range(1, 40, 3), *range(40, 120, 13)])
@pytest.mark.parametrize("lasts", [True, False])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_input_output_error_ends_the_ledger_and_costs_nothing_that_was_acknowledged(tmp_path: Path, at: int, lasts: bool) -> None:
    path = tmp_path / "ledger.db"
    done = 0
    with sore_disk() as refusals:
        ledger = Ledger.open(path, SITE, ManualClock())
        refusals.calls, refusals.at, refusals.lasts = 0, at, lasts
        problem: EdgeAgentError | None = None
        try:
            for number in range(ROUNDS):
                work(ledger, number)
                done += 1
        except EdgeAgentError as refused:
            problem = refused
        assert isinstance(problem, LedgerFailed)
        refusals.at = -1
        ledger.close()
    accepted, facts = look_at(path)
    assert accepted >= done
    assert facts >= done


@pytest.mark.parametrize("at", range(1, 30, 2))
def test_a_full_disk_is_never_hidden_by_the_end_of_the_transaction(tmp_path: Path, at: int) -> None:
    path = tmp_path / "ledger.db"
    with sore_disk() as refusals:
        ledger = Ledger.open(path, SITE, ManualClock())
        work(ledger, 0)
        refusals.calls, refusals.at, refusals.lasts, refusals.kind = 0, at, True, apsw.FullError
        done = 1
        problem: EdgeAgentError | None = None
        try:
            for number in range(1, ROUNDS):
                work(ledger, number)
                done += 1
        except EdgeAgentError as refused:
            problem = refused
        assert isinstance(problem, DiskLow)
        assert not ledger._db.in_transaction
        refusals.at = -1
        ledger.append(an_audit("there is space again"))
        assert facts_there(ledger) in (done, done + 1)
        ledger.close()
    accepted, _ = look_at(path)
    assert accepted >= done


def test_the_meaning_of_an_error_is_told_by_its_number(tmp_path: Path) -> None:
    from edge_agent.ledger.connection import _NO_SPACE

    assert {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} == set(_NO_SPACE)
    assert errno.EIO not in _NO_SPACE
