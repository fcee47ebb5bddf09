"""Values that go into the ledger and come out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType, TypeAlias

from edge_agent.domain.arrival import Arrival, Decision, Particulars
from edge_agent.domain.assessment import BlobRef, FactKind
from edge_agent.domain.identity import IdentityClass
from edge_agent.domain.ids import Commitment, DropKey, FactId, ScanId, ScannerId, Seq, Token
from edge_agent.domain.member import MemberDigest
from edge_agent.wire.chain import JournalHead, JournalRow

JobId = NewType("JobId", int)
Fingerprint: TypeAlias = tuple[tuple[str, int, int], ...]
"""Name, size in bytes and mtime in ns of each member of a drop."""


class JobKind(StrEnum):
    """What a job asks for."""

    ASSESS = "assess"
    """Decode, infer and conclude one revision of a scan."""
    RECONCLUDE = "reconclude"
    """Conclude again without inference: only the side-car or the declaration changed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact on its way into the journal. ``body``: from ``wire.messages.encode``, up to 64 KiB; ``topic``: from ``wire.frames.topic``."""

    fact_id: FactId
    scan_id: ScanId | None
    kind: FactKind
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a fact stands in the journal. ``is_new`` is False when it had been there before; then the first body was kept."""

    seq: Seq
    fact_id: FactId
    is_new: bool


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One decided arrival.

    ``members``, ``particulars``, ``spool`` (relative to the state directory) and ``priority`` (higher is served first) count for new
    work only. ``entries``: facts to journal in the same transaction: duplicate-of, what the side-car says of an examination.
    """

    decision: Decision
    arrival: Arrival
    fingerprint: Fingerprint
    members: tuple[MemberDigest, ...]
    particulars: Particulars
    spool: str
    priority: int = 0
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One scan's work. ``is_suspect``: it was running when the process died, so it runs alone.

    ``charges``: deaths while it ran alone, of a kind that counts against it; ``attempts``: all other deaths while it ran.
    ``retries``: how often somebody asked for it again after it was set aside; it belongs in the cause of the facts about the job,
    or a second set-aside would pass for the first. ``metadata_revision``: 0 until the side-car or the declaration changed.
    ``spool`` is relative to the state directory.
    """

    job_id: JobId
    scan_id: ScanId
    revision: int
    metadata_revision: int
    kind: JobKind
    scanner: ScannerId
    drop_key: DropKey
    priority: int
    accepted_at: datetime
    is_suspect: bool
    attempts: int
    charges: int
    spool: str
    members: tuple[MemberDigest, ...]
    particulars: Particulars
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Scan revisions by state, counted over job rows; metadata revisions are not counted."""

    accepted: int
    assessed: int
    set_aside: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A job that was set aside. ``reason`` is a code."""

    scan_id: ScanId
    revision: int
    metadata_revision: int
    scanner: ScannerId
    drop_key: DropKey
    reason: str
    set_aside_at: datetime
    spool: str


@dataclass(frozen=True, slots=True)
class Packed:
    """Where the package of a revision lies, relative to the state directory, and the SHA-256 of its ``scan.json``."""

    scan_id: ScanId
    revision: int
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a durable consumer last said it holds on its own disk: everything up to ``seq`` of ``epoch``."""

    epoch: bytes
    seq: Seq
    hash: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class LatestAssessment:
    """The machine's newest word on a scan: highest revision, then highest number. ``body``: the journalled bytes."""

    fact_id: FactId
    seq: Seq
    revision: int
    conclusion: str
    body: bytes


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """A token with its commitment. ``value`` is None once erased."""

    token: Token
    kind: IdentityClass
    commitment: Commitment
    value: str | None

    def __repr__(self) -> str:
        """Hide the value, so that a traceback or a log of this object carries no personal data."""
        return f"IdentityRow({self.token}, {self.kind}, hidden)"


@dataclass(frozen=True, slots=True)
class OpenedIdentity:
    """A value with the salt that ties it to the commitment in the journal: what an auditor needs to see that they belong together."""

    token: Token
    kind: IdentityClass
    value: str
    salt: bytes
    commitment: Commitment

    def __repr__(self) -> str:
        """Hide value and salt."""
        return f"OpenedIdentity({self.token}, {self.kind}, hidden)"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The journal's newest outcomes at one moment: its head, the last number of each topic asked for, and rows in their order.

    ``left_out``: outcomes that did not fit.
    """

    head: JournalHead
    heads: Mapping[str, Seq]
    rows: tuple[JournalRow, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Undecided:
    """Scans about which a person is still to speak, newest first: all whose last assessment lies behind number ``after``.

    ``rows``: those about them, in the journal's order.
    """

    head: JournalHead
    after: Seq
    scans: tuple[ScanId, ...]
    rows: tuple[JournalRow, ...]


@dataclass(frozen=True, slots=True)
class FilteredRows:
    """Rows of some topics: all there are up to number ``upto``, where the chain hash is ``hash``."""

    rows: tuple[JournalRow, ...]
    upto: Seq
    hash: bytes


@dataclass(frozen=True, slots=True)
class NamedBlob:
    """A blob that a fact about a revision of a scan names."""

    ref: BlobRef
    scan_id: ScanId
    revision: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Rows that a consumer has not acknowledged, and when the oldest of them was committed (None when there are none)."""

    rows: int
    oldest_at: datetime | None
