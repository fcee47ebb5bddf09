"""Seams between the parts of the agent: what its sockets need from the ledger, and where a test may make it die."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import FactId, ScanId, Seq, Token
from edge_agent.ledger.bearers import Bearer
from edge_agent.ledger.queries import Budget
from edge_agent.ledger.records import (
    Appended,
    Backlog,
    Entry,
    FilteredRows,
    IdentityRow,
    LatestAssessment,
    NamedBlob,
    Packed,
    Snapshot,
    Undecided,
)
from edge_agent.wire.chain import JournalHead, JournalRow
from edge_agent.wire.heads import SignedHead


class JournalStore(Protocol):
    """The journal as asyncio code sees it: the ledger's own methods, run on the ledger lane."""

    async def head(self) -> JournalHead:
        """Give the ends of the journal."""

    async def rows(self, after: Seq, max_rows: int, max_bytes: int) -> list[JournalRow]:
        """Give the committed rows after ``after``, at least one if there is any."""

    async def hash_at(self, seq: Seq) -> bytes | None:
        """Give the chain hash at ``seq`` (also before the oldest row), None when there is no such row."""

    async def topic_heads(self) -> dict[str, Seq]:
        """Give the last number of each topic."""

    async def signed_head(self) -> SignedHead | None:
        """Give the last head that the site signed in this epoch, None when it does not sign."""

    async def has_fact(self, fact_id: FactId) -> Seq | None:
        """Give the number of a fact, None when it is not journalled."""

    async def latest_assessment(self, scan_id: ScanId) -> LatestAssessment | None:
        """Give the machine's newest word on a scan, None when there is none."""

    async def acknowledge(self, consumer: str, seq: Seq, digest: bytes, at: datetime) -> None:
        """Note that a durable consumer has everything up to ``seq`` on its disk."""

    async def append(self, entry: Entry) -> Appended:
        """Commit a fact; a known fact_id is a no-op."""

    async def tokenise(self, values: Sequence[IdentityValue]) -> tuple[IdentityRow, ...]:
        """Give the site's token for each value."""

    async def identities(self, tokens: Sequence[Token]) -> tuple[IdentityRow, ...]:
        """Give the rows of the tokens that this site made; an erased one has no value."""

    async def snapshot(self, starts: Sequence[str], last: int, budget: Budget) -> Snapshot:
        """Give the newest outcomes of each scanner with every other row about their scans."""

    async def undecided(self, before: Seq, starts: Sequence[str], most: int, budget: Budget) -> Undecided:
        """Give the scans judged last before a row about which a person is still to speak."""

    async def filtered_rows(self, after: Seq, starts: Sequence[str], budget: Budget) -> FilteredRows:
        """Give the committed rows of some topics after ``after``, and how far was looked."""

    async def latest_set_aside(self, scan_id: ScanId) -> bytes | None:
        """Give the body of the last set-aside of a scan, None when it was never set aside."""

    async def bearers(self, number: IdentityValue, since: datetime, until: datetime) -> list[Bearer]:
        """Give the live scans taken from ``since`` to ``until`` that bear a number, earliest first."""

    async def control_of(self, scan_id: ScanId, cause: str) -> tuple[Seq, FactId] | None:
        """Give number and identity of the control result of a scan that has this cause, None when there is none."""

    async def backlog(self, consumers: Sequence[str]) -> Backlog:
        """Give what the slowest of ``consumers`` has not acknowledged."""


class PictureStore(Protocol):
    """What the desk for pictures needs from the ledger."""

    async def head(self) -> JournalHead:
        """Give the ends of the journal."""

    async def append(self, entry: Entry) -> Appended:
        """Commit a fact; a known fact_id is a no-op."""

    async def named_blob(self, sha256: str) -> NamedBlob | None:
        """Give the newest fact that names a blob, None when none does."""

    async def package_of(self, scan_id: ScanId, revision: int) -> Packed | None:
        """Give where the package of a revision lies, None when there is none."""


class SiteStore(JournalStore, PictureStore, Protocol):
    """What all sockets of a site need from the ledger."""


class Point(StrEnum):
    """Each step that leaves something behind, just before and just after it: where a death would show if it could lose or double."""

    SPOOL_BEFORE_COPY = "spool-before-copy"
    SPOOL_BEFORE_RENAME = "spool-before-rename"
    SPOOL_AFTER_RENAME = "spool-after-rename"
    REGISTER_BEFORE = "register-before"
    REGISTER_AFTER = "register-after"
    DECODE_BEFORE = "decode-before"
    DECODE_AFTER = "decode-after"
    INFER_BEFORE = "infer-before"
    INFER_AFTER = "infer-after"
    COMMIT_BEFORE = "commit-before"
    COMMIT_AFTER = "commit-after"
    PUBLISH_BEFORE = "publish-before"
    PUBLISH_AFTER = "publish-after"


class FaultPoint(Protocol):
    """Told of every point as it is reached. A test's launcher passes one that kills, hangs or raises there; nothing else does."""

    def reached(self, point: Point, scan_id: ScanId | None = None) -> None:
        """Go on, or not. ``scan_id``: the scan in hand, where there is one. Called on the loop's thread and on lanes."""


class Unarmed:
    """The runtime's fault points: nothing happens."""

    def reached(self, point: Point, scan_id: ScanId | None = None) -> None:
        """Go on."""


UNARMED = Unarmed()
