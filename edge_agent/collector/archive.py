"""Headquarters' memory: one SQLite file with the verified journals of all sites and the tables that reports count over.

A batch of rows, the query tables made from it and the site's cursor are one transaction, so after any crash the cursor says exactly
which rows are here. One process writes (a lock file beside the database says so); reports read beside it.
"""

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from edge_agent.collector import schema
from edge_agent.collector.explode import AssessmentValues, Exploded, FactValues, OutcomeValues, Unread, explode
from edge_agent.collector.shadows import shadow_tallies
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import ArchiveBusy, ArchiveDamaged, ConfigInvalid, DiskLow
from edge_agent.kpi.rates import DetectionTally, ObstacleTally, Outcome, OutcomeTally, Period
from edge_agent.kpi.shadow import ShadowTally
from edge_agent.ledger.connection import check_library, sync_folder
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.heads import SignedHead

_START = Seq(0)
_ALWAYS = Period()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ONE_DAY_US = 86_400_000_000
_NEVER_US = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """The end of a site's verified prefix in one epoch; ``hash`` is the epoch itself when ``seq`` is 0."""

    epoch: bytes
    seq: Seq
    hash: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Verified rows of one site that continue ``start``; ``end`` is where they lead. ``start`` may begin a new epoch.

    ``head``: a statement of the site about its journal, well signed, to be kept with them.
    """

    site: SiteId
    start: Cursor
    rows: tuple[JournalRow, ...]
    head: SignedHead | None = None

    @property
    def end(self) -> Cursor:
        if not self.rows:
            return self.start
        last = self.rows[-1]
        return Cursor(last.epoch, last.seq, last.hash)


class Archive:
    """The only writer, or one of many readers. All methods are synchronous; one thread at a time."""

    def __init__(self, connection: apsw.Connection, lock: int | None, clock: Clock) -> None:
        self._db = connection
        self._lock = lock
        self._clock = clock

    @classmethod
    def open(cls, path: Path, clock: Clock) -> Self:
        """Create or open the archive for writing.

        Raises:
            LibraryTooOld: this SQLite can corrupt it.
        ArchiveBusy: another collector holds it.
            ArchiveDamaged: it is no archive of ours, of a newer version, or fails its check.
            ConfigInvalid: the folder is absent or not writable.
        """
        check_library(apsw.sqlite_lib_version())
        try:
            lock = _locked(path.with_name(path.name + ".lock"))
        except OSError as problem:
            raise ConfigInvalid(f"archive: {path}: {problem.strerror}", {"key": "archive"}) from problem
        try:
            with _mapped(None):
                return cls(_for_writing(path), lock, clock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def read(cls, path: Path, clock: Clock) -> Self:
        """Open an existing archive for reading, beside a collector that writes.

        Raises:
            ArchiveDamaged: it is no archive of ours.
            ConfigInvalid: there is none yet.
        """
        check_library(apsw.sqlite_lib_version())
        if not path.is_file():
            raise ConfigInvalid(f"archive: {path}: no archive yet; `edge-agent collect` makes it", {"key": "archive"})
        with _mapped(None):
            connection = apsw.Connection(f"{path.as_uri()}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
            try:
                connection.execute("PRAGMA query_only = ON; PRAGMA busy_timeout = 5000")
                _check_version(connection, path)
            except BaseException:
                connection.close()
                raise
            return cls(connection, None, clock)

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def commit(self, batches: Sequence[Batch]) -> None:
        """Store rows, what they say, and the cursors behind them, of one or several sites: all or nothing, on disk on return.

        Raises:
            DiskLow: no space; nothing of the batches is stored.
            ValueError: a batch does not continue its site's cursor.
        """
        exploded = [[explode(row, batch.site) for row in batch.rows] for batch in batches]
        now_us = (self._clock.now() - _EPOCH) // timedelta(microseconds=1)
        with _mapped(self._db), self._transaction():
            for batch, values in zip(batches, exploded, strict=True):
                self._expect(batch)
                for row, value in zip(batch.rows, values, strict=True):
                    self._add(batch.site, row, value, now_us)
                if batch.head is not None:
                    self._keep(batch.site, batch.head, now_us)
                end = batch.end
                self._db.execute(schema.SET_CURSOR, (batch.site, end.epoch, end.seq, end.hash, now_us))

    def cursor(self, site: SiteId, epoch: bytes) -> Cursor | None:
        """Give the end of what is stored of a site's epoch, or None when nothing is."""
        with _mapped(self._db):
            row = self._db.execute("SELECT seq, hash FROM cursor WHERE site = ? AND epoch = ?", (site, epoch)).fetchone()
        return Cursor(epoch, Seq(row[0]), row[1]) if row else None

    def newest(self, site: SiteId) -> Cursor | None:
        """Give the cursor of the epoch that a site began last, or None for a site never heard."""
        sql = "SELECT epoch, seq, hash FROM cursor WHERE site = ? ORDER BY rowid DESC LIMIT 1"
        with _mapped(self._db):
            row = self._db.execute(sql, (site,)).fetchone()
        return Cursor(row[0], Seq(row[1]), row[2]) if row else None

    def unfit_head(self, site: SiteId, epoch: bytes, after: Seq = _START) -> Seq | None:
        """Give the first row behind ``after`` that is not what the site signed, or None when all kept heads fit the rows."""
        with _mapped(self._db):
            (found,) = next(self._db.execute(schema.UNFIT_HEAD, (site, epoch, after)))
        return None if found is None else Seq(found)

    def signed_to(self, site: SiteId, epoch: bytes) -> Seq:
        """Give the last stored row that the site's signature vouches for, 0 without one."""
        with _mapped(self._db):
            row = self._db.execute(schema.SIGNED_TO, (site, epoch)).fetchone()
        return Seq(0 if row is None else row[0])

    def rows(self, site: SiteId, epoch: bytes, after: Seq = _START) -> Iterator[JournalRow]:
        """Give the stored rows of an epoch in order, as they came."""
        sql = "SELECT epoch, seq, prev_seq, topic, body, hash FROM journal WHERE site = ? AND epoch = ? AND seq > ? ORDER BY seq"
        with _mapped(self._db):
            for row in self._db.execute(sql, (site, epoch, after)):
                yield JournalRow(*row)

    def outcomes(self, period: Period = _ALWAYS) -> list[OutcomeTally]:
        """Count scans by outcome. May reach a day beyond ``period`` on either side: only the caller knows the sites' zones."""
        rows = self._counted(schema.COUNT_OUTCOMES, period)
        return [OutcomeTally(site, scanner, kind, chosen, Outcome(outcome), *rest) for site, scanner, kind, chosen, outcome, *rest in rows]

    def detections(self, period: Period = _ALWAYS) -> list[DetectionTally]:
        """Count detections by label, over newest revisions; may reach a day beyond ``period``."""
        return [DetectionTally(*row) for row in self._counted(schema.COUNT_DETECTIONS, period)]

    def obstacles(self, period: Period = _ALWAYS) -> list[ObstacleTally]:
        """Count scans by obstacle, over newest revisions; may reach a day beyond ``period``."""
        rows = self._counted(schema.COUNT_OBSTACLES, period)
        return [
            ObstacleTally(site, scanner, kind, code, Outcome(outcome), bool(blocking), *rest)
            for site, scanner, kind, code, outcome, blocking, *rest in rows
        ]

    def shadowed(self, period: Period = _ALWAYS) -> list[ShadowTally]:
        """Give each scan that a bundle in shadow looked at; may reach a day beyond ``period``."""
        return list(shadow_tallies(self._counted(schema.SHADOWED, period)))

    def facts(self) -> list[tuple[str, str, int]]:
        """Count facts: (site, kind, number)."""
        with _mapped(self._db):
            return [tuple(row) for row in self._db.execute(schema.COUNT_FACTS)]

    def unread(self) -> list[tuple[str, str, int]]:
        """Count rows that this version could not read: (site, why, number)."""
        with _mapped(self._db):
            return [tuple(row) for row in self._db.execute(schema.COUNT_UNREAD)]

    def _counted(self, sql: str, period: Period) -> list[tuple[Any, ...]]:
        low = 0 if period.first is None else _midnight_us(period.first.toordinal()) - _ONE_DAY_US
        high = _NEVER_US if period.last is None else _midnight_us(period.last.toordinal()) + 2 * _ONE_DAY_US
        with _mapped(self._db):
            return list(self._db.execute(sql, (low, high)))

    def _expect(self, batch: Batch) -> None:
        stored = self.cursor(batch.site, batch.start.epoch)
        if stored not in (None, batch.start):
            raise ValueError(f"rows after {batch.start.seq} do not continue the cursor of {batch.site}")

    def _keep(self, site: SiteId, head: SignedHead, now_us: int) -> None:
        self._db.execute(schema.ADD_HEAD, (site, head.epoch, head.seq, head.hash, head.at_us, head.key, head.signature, now_us))

    def _add(self, site: SiteId, row: JournalRow, value: Exploded | Unread, now_us: int) -> None:
        add = self._db.execute
        add(schema.ADD_ROW, (site, row.epoch, row.seq, row.prev_seq, row.topic, row.body, row.hash, now_us))
        if isinstance(value, Unread):
            add(schema.ADD_UNREAD, (site, row.epoch, row.seq, value.why))
            return
        fact = value.fact
        add(
            schema.ADD_FACT,
            (
                *(site, fact.fact_id, fact.kind, row.epoch, row.seq, fact.scanner, fact.scan_id),
                *(fact.revision, fact.supersedes, fact.produced_us, fact.conclusion),
            ),
        )
        if not self._db.changes():
            return  # a restored site tells its story again under a new epoch: known facts count once
        if value.assessment is not None:
            self._add_assessment(site, fact.fact_id, value.assessment)
        if value.outcome is not None:
            self._set_outcome(site, fact, value.outcome)

    def _add_assessment(self, site: SiteId, fact_id: str, values: AssessmentValues) -> None:
        key = (site, fact_id)
        self._db.execute(
            schema.ADD_ASSESSMENT,
            (*key, values.subject, values.taken_us, values.provider, values.policy_digest, int(values.is_advisory)),
        )
        self._db.executemany(schema.ADD_FINDING, [(*key, *part) for part in values.findings])
        self._db.executemany(schema.ADD_REASON, [(*key, *part) for part in values.reasons])
        self._db.executemany(schema.ADD_OBSTACLE, [(*key, *part) for part in values.obstacles])

    def _set_outcome(self, site: SiteId, fact: FactValues, values: OutcomeValues) -> None:
        self._db.execute(
            schema.SET_OUTCOME,
            (
                *(site, fact.scan_id, fact.revision, fact.fact_id, fact.scanner),
                *(values.capture_kind, values.selection, values.outcome.value, values.reason, fact.produced_us),
            ),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # SQLite itself rolls back when the disk is full; a second ROLLBACK would hide that error.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def _midnight_us(ordinal: int) -> int:
    return (ordinal - _EPOCH.toordinal()) * _ONE_DAY_US


def _locked(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        os.close(lock)
        raise ArchiveBusy(f"{path}: held by another process") from problem
    return lock


def _for_writing(path: Path) -> apsw.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    sync_folder(path.parent)
    connection = apsw.Connection(str(path))
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: apsw.Connection, path: Path) -> None:
    is_new = not _has_tables(connection)
    if not is_new:
        _bring_up(connection, _known_version(connection, path))  # before any setting: somebody else's database is left as it is
    for name, value, expected in schema.PRAGMAS:
        connection.execute(f"PRAGMA {name} = {value}")
        found = connection.pragma(name)
        if found != expected:
            raise ArchiveDamaged(f"{path}: PRAGMA {name} reads back as {found}, not {expected}")
    if is_new:
        _bring_up(connection, 0)
    verdict = connection.pragma("quick_check")
    if verdict != "ok":
        raise ArchiveDamaged(f"{path}: {verdict}")


def _has_tables(connection: apsw.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None


def _bring_up(connection: apsw.Connection, version: int) -> None:
    """Take the steps from ``version`` to today's, all or none."""
    if version == schema.VERSION:
        return
    steps = "; ".join(schema.STEPS[version:])
    mark = f"PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = {schema.VERSION}"
    connection.execute(f"BEGIN IMMEDIATE; {steps}; {mark}; COMMIT")


def _known_version(connection: apsw.Connection, path: Path) -> int:
    """Give the version of an archive that this program can bring up to date."""
    application, version = connection.pragma("application_id"), int(connection.pragma("user_version"))
    if application != schema.APPLICATION_ID:
        raise ArchiveDamaged(f"{path}: not an archive of this program")
    if not 1 <= version <= schema.VERSION:
        raise ArchiveDamaged(f"{path}: archive of version {version}; this program knows up to {schema.VERSION}")
    return version


def _check_version(connection: apsw.Connection, path: Path) -> None:
    version = _known_version(connection, path)
    if version != schema.VERSION:
        raise ArchiveDamaged(f"{path}: archive of version {version}; `edge-agent collect` brings it to {schema.VERSION}")


@contextmanager
def _mapped(connection: apsw.Connection | None) -> Iterator[None]:
    """Give SQLite's errors the names of this program; everything else is a bug and goes on up."""
    try:
        yield
    except apsw.FullError as problem:
        raise DiskLow("no space left for the archive") from problem
    except apsw.IOError as problem:
        if connection is not None and connection.system_errno in _NO_SPACE:
            raise DiskLow("no space left for the archive") from problem
        raise
    except apsw.BusyError as problem:
        raise ArchiveBusy("the archive is locked") from problem
    except (apsw.CorruptError, apsw.NotADBError) as problem:
        raise ArchiveDamaged(str(problem)) from problem
    except (apsw.CantOpenError, apsw.PermissionsError, apsw.ReadOnlyError) as problem:
        raise ConfigInvalid(f"archive: {problem}", {"key": "archive"}) from problem
