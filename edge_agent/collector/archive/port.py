"""What goes into the archive and comes out of it, and what a database must do to hold one."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from edge_agent.domain.ids import ScanId, Seq, SiteId
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.heads import SignedHead

Value: TypeAlias = str | int | float | bytes | None


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


@dataclass(frozen=True, slots=True)
class StoredFact:
    """One fact of a scan as it is kept. ``is_provisional``: it came ahead of the verified prefix, which has not reached it yet.

    ``received_us``: when headquarters first had it, microseconds since 1970 UTC.
    """

    kind: str
    row: JournalRow
    received_us: int
    is_provisional: bool


@dataclass(frozen=True, slots=True)
class ScanKey:
    """Names a scan among all sites."""

    site: SiteId
    scan_id: ScanId


@dataclass(frozen=True, slots=True)
class FindingLine:
    """One thing the machine found in a scan. ``label``: None where it names no class. ``is_alerting``: its label put the scan on alert."""

    scan: ScanKey
    type: str
    label: str | None
    score: float
    view: str
    bundle: str
    is_alerting: bool


@dataclass(frozen=True, slots=True)
class CasePage:
    """A page of cases, newest first. ``low_us``: not concluded before, in microseconds since 1970 UTC.

    ``before``: moment, site and scan id of the last case on the page before, or a moment from which to begin. Empty words are no condition.
    """

    limit: int
    before: tuple[int, str, str]
    low_us: int = 0
    site: str = ""
    scanner: str = ""
    kind: str = ""
    outcome: str = ""


class Database(Protocol):
    """Where an archive lies. One thread at a time. SQL has ``?`` for values, and means the same in every back end.

    Every method may raise ``DiskLow``, ``ArchiveBusy``, ``ArchiveAway`` (all may be tried again), ``ArchiveDamaged`` or ``ConfigInvalid``.
    """

    @property
    def session(self) -> int:
        """Number of the connection, from 1. Before a new one another process may have written."""

    def execute(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and give its rows."""

    def run_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement once for each of ``rows``."""

    def add(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """Insert rows that are known to be new, the fastest way there is."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; on disk when it is left without an error."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Everything that is read inside is of one moment, whatever another process stores meanwhile; nothing is written inside."""

    def make_room(self, at_us: int) -> None:
        """Make ready to store what is received at ``at_us`` (microseconds since 1970 UTC); outside a transaction."""

    def close(self) -> None: ...
