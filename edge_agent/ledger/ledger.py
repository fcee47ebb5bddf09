"""The ledger: one file, one process, one thread, one transaction a method.

Whatever a method has returned from is on the disk. Every method may raise, besides what it names: DiskLow (nothing was changed; try
again when there is space), LedgerFailed and LedgerDamaged (end the process).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar

import apsw

from edge_agent.domain.arrival import Known
from edge_agent.domain.assessment import BlobRef
from edge_agent.domain.clock import Clock
from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import DropKey, ScanId, ScannerId, Seq, SiteId, Token
from edge_agent.errors import TryLater
from edge_agent.ledger import epochs, eviction, schema
from edge_agent.ledger.arrivals import Arrivals
from edge_agent.ledger.backup import finish_restore
from edge_agent.ledger.connection import ProcessLock, check_library, create_file, open_writer, reading, shrink_log, writing
from edge_agent.ledger.jobs import LONGEST_BACK_OFF
from edge_agent.ledger.log_check import check_log
from edge_agent.ledger.moments import to_us
from edge_agent.ledger.queries import Queries
from edge_agent.ledger.reads import LedgerReads
from edge_agent.ledger.records import (
    Acceptance,
    Appended,
    Entry,
    Fingerprint,
    IdentityRow,
    Job,
    JobId,
)
from edge_agent.signing.keys import SigningKey
from edge_agent.wire.heads import SignedHead

Outcome = TypeVar("Outcome")
CHECK_WITHIN_S = 30.0
"""How long the opening may read pages, which is some ten gigabytes of them; scans wait meanwhile."""


def _no_entry(_outcome: object) -> Entry | None:
    return None


class Ledger(LedgerReads):
    """Durable memory of a site: what was accepted, what became of it, and the journal of facts."""

    def __init__(self, lock: ProcessLock, connection: apsw.Connection, clock: Clock) -> None:
        """Take over a locked and prepared file; :meth:`open` is the way in."""
        super().__init__(connection)
        self._lock = lock
        self._clock = clock
        self.is_checked = False
        """Whether all pages were read at the opening; a very large file is checked later."""
        self._arrivals = Arrivals(connection, self._site)
        self.queries = Queries(connection, self._journal, self._epoch)

    @classmethod
    def open(cls, path: Path, site: SiteId, clock: Clock) -> Self:
        """Open the file, made with mode 0600 if absent and brought up to date if older; reads all of it once.

        Reading takes no longer than :data:`CHECK_WITHIN_S`. A copy of a ledger begins a new epoch.
        A restore that was cut short takes effect first.

        Raises:
            LedgerBusy: another process holds it.
            LedgerDamaged: it fails its integrity check, or its last journal row does not fit the chain.
            LedgerForeign, LibraryTooOld, LedgerFailed, DiskLow.
        """
        check_library(apsw.sqlite_lib_version())
        lock = ProcessLock(path.with_name(f"{path.name}.lock"))
        try:
            finish_restore(path)
            create_file(path)
            check_log(path)
            connection = open_writer(path)
            try:
                until = clock.monotonic() + CHECK_WITHIN_S
                is_checked = schema.prepare(connection, site, to_us(clock.now()), lambda: clock.monotonic() > until)
                with suppress(TryLater):  # or the torn end of one power cut, behind that of the next, would pass for damage
                    shrink_log(connection)
                with writing(connection):
                    epochs.settle(connection, site, epochs.Place.of(path), clock.now())
                ledger = cls(lock, connection, clock)
                ledger.is_checked = is_checked
                ledger.check_head()
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.close()
            raise
        return ledger

    def close(self) -> None:
        """Fold the write-ahead log into the file and let another process have it."""
        try:
            self._db.close()
        finally:
            self._lock.close()

    def cut_log(self) -> None:
        """Move the whole write-ahead log into the file and cut it to nothing.

        Raises:
            LedgerBusy: a reader still needs it; ask again.
        """
        shrink_log(self._db)

    # Intake

    def seen(self, scanner: ScannerId) -> dict[DropKey, Fingerprint]:
        """Give the fingerprint under which each drop of a scanner was last decided."""
        with reading(self._db):
            return self._arrivals.seen(scanner)

    def known(self, scanner: ScannerId, drop_key: DropKey, content_digest: str | None, identities: tuple[Token, ...]) -> Known:
        """Give what ``domain.arrival.decide`` needs. ``identities``: tokens of the subject of the arrival.

        Ask after the arrival before was accepted: two drops with the same pixels in one batch would not know of each other.
        """
        with reading(self._db):
            return self._arrivals.known(scanner, drop_key, content_digest, identities)

    def accept(self, batch: Sequence[Acceptance]) -> None:
        """Take decided arrivals, all or none. From here we answer for these scans, so their spool copies must be synced before."""
        at = self._clock.now()
        with writing(self._db):
            for acceptance in batch:
                self._arrivals.accept(acceptance, at)
                for entry in acceptance.entries:
                    self._journal.append(entry, at)

    # Identities

    def tokenise(self, values: Sequence[IdentityValue]) -> tuple[IdentityRow, ...]:
        """Give a row for each value, in order; the same value keeps its token until it is erased."""
        at = self._clock.now()
        with writing(self._db):
            return self._identities.tokenise(values, at)

    def erase(self, tokens: Sequence[Token]) -> int:
        """Forget the values behind tokens, in the log too; give how many there were. Asking again is harmless.

        Raises:
            LedgerBusy: erased, but a reader keeps the old pages of the log for now; ask again.
        """
        with writing(self._db):
            erased = self._identities.erase(tokens, self._clock.now())
        shrink_log(self._db)
        return erased

    def forget(self, used: Mapping[Token, datetime]) -> int:
        """Erase as above, but nothing that was used since these moments, which ``Inventory.identities`` gave."""
        with writing(self._db):
            forgotten = self._identities.forget(used, self._clock.now())
        shrink_log(self._db)
        return forgotten

    def fold_log(self) -> None:
        """Move the write-ahead log into the file and cut it to nothing: what was forgotten is in neither any more.

        Raises:
            LedgerBusy: a reader still needs the log; ask again.
        """
        shrink_log(self._db)

    # Jobs

    def claim(self, now: datetime) -> Job | None:
        """Take the next job: a suspect, alone; else the highest priority, then the earliest accepted; in each fifth place the earliest.

        None when there is none to run now.

        Jobs of one scan run one after the other. A job backing off is passed over, unless it was told to wait more than an hour.
        """
        with writing(self._db):
            return self._jobs.claim(now)

    def release(self, job: JobId, not_before: datetime | None) -> None:
        """Put a claimed job back, to be claimed at ``not_before`` or later (at most an hour ahead)."""
        limit = self._clock.now() + LONGEST_BACK_OFF
        with writing(self._db):
            self._jobs.release(job, None if not_before is None else to_us(min(not_before, limit)))

    def recover(self, charge: bool) -> int:  # noqa: FBT001 - the caller names it
        """Make suspects of the jobs that a death left claimed; give how many. To be called once, at the start.

        ``charge``: the death was of a kind that counts; it is charged only to a suspect that ran alone, else it is an attempt.
        """
        with writing(self._db):
            return self._jobs.recover(charge=charge)

    def suspects_over(self, charges: int, attempts: int) -> list[Job]:
        """Give waiting suspects with at least so many charges or at least so many attempts: to be set aside."""
        with reading(self._db):
            return self._jobs.suspects_over(charges, attempts)

    def complete(self, job: JobId, entry: Entry, blobs: Sequence[BlobRef] = ()) -> Appended:
        """Journal the assessment and close the claimed job, both or neither. A fact that is there already closes the job too."""
        at = self._clock.now()
        with writing(self._db):
            appended = self._journal.append(entry, at)
            self._jobs.assessed(job, entry.fact_id, at)
            self._jobs.refer_blobs(entry.fact_id, blobs)
            return appended

    def set_aside(self, job: JobId, entry: Entry, reason: str) -> Appended:
        """Journal that a scan was set aside and close its job (claimed, or waiting). ``reason``: a code."""
        at = self._clock.now()
        with writing(self._db):
            appended = self._journal.append(entry, at)
            self._jobs.set_aside(job, entry.fact_id, reason, at)
            return appended

    def newest_since(self, since: datetime) -> list[Job]:
        """Give the newest job of each scan that was accepted at or after ``since``, earliest first; none of those set aside."""
        with reading(self._db):
            return self._jobs.newest_since(since)

    def unpacked(self, limit: int = 100) -> list[Job]:
        """Give assessed revisions without a package, earliest first, at most ``limit``."""
        with reading(self._db):
            return self._jobs.unpacked(limit)

    def mark_packed(self, job: JobId, path: str, sha256: str) -> None:
        """Note where an assessed job's package lies, relative to the state directory."""
        with writing(self._db):
            self._jobs.mark_packed(job, path, sha256)

    def retry(self, scan_id: ScanId, revision: int, entry: Entry) -> Appended:
        """Let what was set aside of a revision wait again; ``entry`` is the audit fact that says who asked.

        The spool copy must be back in its place before.

        Raises:
            NotQuarantined.
        """
        at = self._clock.now()
        with writing(self._db):
            self._jobs.retry(scan_id, revision)
            return self._journal.append(entry, at)

    # Journal

    def append(self, entry: Entry) -> Appended:
        """Journal a fact about no job (verdict, control result, referral, health, audit); one that is there already is found.

        Raises:
            TooLarge, ValueError.
        """
        at = self._clock.now()
        with writing(self._db):
            return self._journal.append(entry, at)

    def sign_head(self, key: SigningKey) -> SignedHead | None:
        """State and keep what the last row is, signed; None when there is nothing new to state."""
        at_us = to_us(self._clock.now())
        with writing(self._db):
            return self._heads.sign(self._journal.head(), key, at_us)

    def acknowledge(self, consumer: str, seq: Seq, hash: bytes, at: datetime) -> None:
        """Note that a durable consumer holds everything up to ``seq`` on its own disk.

        Raises:
            Diverged: this journal has no row ``seq`` with that hash.
        """
        with writing(self._db):
            self._journal.acknowledge(consumer, seq, hash, at)

    def forgotten(self, scanner: ScannerId, drops: Sequence[tuple[DropKey, Fingerprint]]) -> list[DropKey]:
        """Give those of ``drops`` that were dealt with, unchanged, whether or not retention has forgotten their names."""
        with reading(self._db):
            return [*self._arrivals.taken(scanner, drops), *eviction.forgotten(self._db, scanner, drops)]

    def transact(self, work: Callable[[apsw.Connection], Outcome], entry: Callable[[Outcome], Entry | None] = _no_entry) -> Outcome:
        """Run ``work``, a function of this package, as one durable transaction, with the fact that ``entry`` makes of its outcome."""
        at = self._clock.now()
        with writing(self._db):
            outcome = work(self._db)
            fact = entry(outcome)
            if fact is not None:
                self._journal.append(fact, at)
            return outcome

    def check_head(self) -> None:
        """Recompute the last link only.

        Raises:
            LedgerDamaged.
        """
        with reading(self._db):
            self._journal.check_head()
