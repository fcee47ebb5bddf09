"""Seams between the parts of the agent: what its sockets need from the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import FactId, ScanId, Seq
from edge_agent.ledger.records import Appended, Entry, IdentityRow, LatestAssessment
from edge_agent.wire.chain import JournalHead, JournalRow


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
