"""What each scan still holds on the disk and in the ledger, for retention to judge. Only reads; long lists come in pages."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw

from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import ScanId, Seq, Token
from edge_agent.ledger.connection import open_reader, reading
from edge_agent.ledger.moments import from_us
from edge_agent.ledger.records import JobId, JobKind
from edge_agent.ledger.retention import Holding, Item, Kind, Row, Word

_TOKEN = re.compile(r"\b[0-9a-f]{32}\b")
_HAPPENINGS = frozenset({FactKind.ASSESSMENT, FactKind.VERDICT, FactKind.CONTROL, FactKind.SET_ASIDE, FactKind.REFERRAL})
_SCANS = "SELECT job_id, scan_id FROM job WHERE kind = 'assess' AND revision = 1 AND job_id > ? ORDER BY job_id LIMIT ?"
_JOBS = (
    "SELECT revision, kind, state, accepted_us, closed_us, spool, package_path, evicted, identifiers || ' ' || particulars"
    " FROM job WHERE scan_id = ? ORDER BY job_id"
)
# Bodies are text in a column of bytes; SQLite would take such bytes for its own binary JSON.
_FACTS = """
SELECT seq, kind, created_us,
    CASE WHEN kind IN ('assessment', 'verdict', 'control') THEN CAST(body AS TEXT) ->> 'conclusion' END,
    CASE WHEN kind IN ('verdict', 'referral', 'control') THEN
        concat_ws(' ', CAST(body AS TEXT) ->> 'officer', CAST(body AS TEXT) ->> '$.remarks.token', CAST(body AS TEXT) ->> '$.note.token')
    WHEN kind = 'audit' THEN
        concat_ws(' ', CAST(body AS TEXT) ->> '$.event.params.officer', CAST(body AS TEXT) ->> '$.event.params.note')
    END
FROM journal WHERE scan_id = ? ORDER BY seq
"""
_BLOB_BYTES = "SELECT sum(bytes) FROM blob WHERE fact_id IN (SELECT fact_id FROM journal WHERE scan_id = ?)"
_HAS_SIDECAR = "SELECT 1 FROM sidecar WHERE scan_id = ? LIMIT 1"


@dataclass(frozen=True, slots=True)
class _Job:
    revision: int
    kind: str
    state: str
    accepted_us: int
    closed_us: int | None
    spool: str
    package: str | None
    evicted: str
    named: str


class Inventory:
    """Reads holdings through a connection of its own, beside the ledger's writer."""

    def __init__(self, connection: apsw.Connection, state_dir: Path) -> None:
        """``state_dir``: where the files lie; sizes are read from there."""
        self._db = connection
        self._state_dir = state_dir
        self._held = frozenset(name for (name,) in connection.execute("SELECT scan_id FROM hold")) | frozenset(held_by_file(state_dir))

    def page(self, after: JobId, limit: int) -> tuple[list[Holding], JobId | None]:
        """Give the next ``limit`` scans in the order of acceptance, and after which job the next page begins; None at the end."""
        with reading(self._db):
            scans = list(self._db.execute(_SCANS, (after, limit)))
            holdings = [self._holding(ScanId(scan)) for _, scan in scans]
        return holdings, JobId(scans[-1][0]) if len(scans) == limit else None

    def all(self, page_scans: int = 500) -> Iterator[Holding]:
        """Give every scan, page by page, so that no long read keeps the write-ahead log from shrinking."""
        after: JobId | None = JobId(0)
        while after is not None:
            holdings, after = self.page(after, page_scans)
            yield from holdings

    def of(self, scans: Iterable[ScanId]) -> dict[ScanId, Holding]:
        """Give the holdings of those ``scans`` that the list of work still knows."""
        with reading(self._db):
            return {scan: self._holding(scan) for scan in dict.fromkeys(scans) if self._jobs(scan)}

    def oldest_rows(self, limit: int) -> list[Row]:
        """Give the oldest rows of the journal, in order."""
        with reading(self._db):
            rows = list(self._db.execute("SELECT seq, scan_id, created_us FROM journal ORDER BY seq LIMIT ?", (limit,)))
        return [Row(Seq(seq), ScanId(scan) if scan else None, from_us(created)) for seq, scan, created in rows]

    def identities(self) -> dict[Token, tuple[str, datetime]]:
        """Give class and last use of every identifier whose value is still there."""
        with reading(self._db):
            rows = self._db.execute("SELECT token, class, created_us FROM identity WHERE value IS NOT NULL")
            return {Token(token): (kind, from_us(created)) for token, kind, created in rows}

    def _jobs(self, scan: ScanId) -> list[_Job]:
        return [_Job(*columns) for columns in self._db.execute(_JOBS, (scan,))]

    def _holding(self, scan: ScanId) -> Holding:
        jobs, facts = self._jobs(scan), list(self._db.execute(_FACTS, (scan,)))
        words = tuple(Word(FactKind(kind), conclusion or "") for _, kind, _, conclusion, _ in facts)
        moments = [job.accepted_us for job in jobs] + [job.closed_us for job in jobs if job.closed_us is not None]
        moments += [created for _, kind, created, _, _ in facts if kind in _HAPPENINGS]
        named = " ".join([job.named for job in jobs] + [tokens for *_, tokens in facts if tokens])
        return Holding(
            scan,
            from_us(max(moments)),
            Seq(facts[-1][0] if facts else 0),
            words,
            tuple(self._items(scan, jobs)),
            is_open=any(job.state in ("waiting", "claimed") for job in jobs),
            is_held=scan in self._held,
            tokens=frozenset(Token(token) for token in _TOKEN.findall(named)),
        )

    def _items(self, scan: ScanId, jobs: list[_Job]) -> Iterator[Item]:
        blob_bytes: int | None = self._one(_BLOB_BYTES, scan)
        if blob_bytes is not None or self._one(_HAS_SIDECAR, scan):
            yield Item(Kind.BLOBS, scan, bytes=blob_bytes or 0)
        for job in jobs:
            if job.kind == JobKind.ASSESS:
                yield from self._revision(scan, job)
        for revision in sorted({job.revision for job in jobs if job.state == "set-aside" and "quarantine" not in job.evicted}):
            yield from self._folder(Kind.QUARANTINE, scan, revision, f"quarantine/{scan}/r{revision}")
        if any("names" not in job.evicted for job in jobs):
            yield Item(Kind.NAMES, scan)

    def _revision(self, scan: ScanId, job: _Job) -> Iterator[Item]:
        if job.state == "assessed" and "originals" not in job.evicted:
            yield from self._folder(Kind.ORIGINALS, scan, job.revision, job.spool)
        if job.package is not None and "package" not in job.evicted:
            yield Item(Kind.PACKAGE, scan, job.revision, job.package, _size(self._state_dir / job.package))

    def _folder(self, kind: Kind, scan: ScanId, revision: int, path: str) -> Iterator[Item]:
        folder = self._state_dir / path
        if folder.is_dir():
            with os.scandir(folder) as entries:
                yield Item(kind, scan, revision, path, sum(entry.stat(follow_symlinks=False).st_size for entry in entries))

    def _one(self, query: str, scan: ScanId) -> Any:  # noqa: ANN401 - one column of one row
        row = self._db.execute(query, (scan,)).fetchone()
        return row[0] if row else None


@contextmanager
def open_inventory(state_dir: Path) -> Iterator[Inventory]:
    """Open the ledger below ``state_dir`` for reading.

    Raises:
        LedgerFailed, LedgerDamaged.
    """
    with closing(open_reader(state_dir / "ledger.db")) as connection:
        yield Inventory(connection, state_dir)


def hold_file(state_dir: Path, scan: ScanId) -> Path:
    """Give where the hold of a scan lies."""
    return state_dir / "holds" / scan


def held_by_file(state_dir: Path) -> list[str]:
    """Give the scans that somebody put on hold: each is a file ``holds/<scan>``."""
    folder = state_dir / "holds"
    return sorted(entry.name for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")) if folder.is_dir() else []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
