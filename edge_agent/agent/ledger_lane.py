"""The ledger behind its lane: every call runs on the one thread that owns the connection."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

from edge_agent.agent.lanes import Lane
from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import FactId, ScanId, Seq, Token
from edge_agent.ledger.bearers import Bearer
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.queries import Budget, Queries
from edge_agent.ledger.records import (
    Acknowledged,
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

Args = ParamSpec("Args")
Outcome = TypeVar("Outcome")


class LedgerLane:
    """Asynchronous access to the ledger; satisfies ``agent.ports.JournalStore``."""

    def __init__(self, ledger: Ledger, lane: Lane) -> None:
        self._ledger = ledger
        self.lane = lane

    async def call(self, method: Callable[Concatenate[Ledger, Args], Outcome], *args: Args.args, **kwargs: Args.kwargs) -> Outcome:
        """Run a method of ``Ledger`` on the lane, for example ``await lane.call(Ledger.claim, now)``."""
        return await self.lane.run(method, self._ledger, *args, **kwargs)

    async def query(self, method: Callable[Concatenate[Queries, Args], Outcome], *args: Args.args, **kwargs: Args.kwargs) -> Outcome:
        """Run a method of ``Queries`` on the lane."""
        return await self.lane.run(method, self._ledger.queries, *args, **kwargs)

    async def head(self) -> JournalHead:
        return await self.call(Ledger.head)

    async def rows(self, after: Seq, max_rows: int, max_bytes: int) -> list[JournalRow]:
        return await self.call(Ledger.rows, after, max_rows, max_bytes)

    async def hash_at(self, seq: Seq) -> bytes | None:
        return await self.call(Ledger.hash_at, seq)

    async def topic_heads(self) -> dict[str, Seq]:
        return await self.call(Ledger.topic_heads)

    async def acknowledge(self, consumer: str, seq: Seq, digest: bytes, at: datetime) -> None:
        await self.call(Ledger.acknowledge, consumer, seq, digest, at)

    async def acknowledged(self) -> dict[str, Acknowledged]:
        return await self.call(Ledger.acknowledged)

    async def signed_head(self) -> SignedHead | None:
        return await self.call(Ledger.signed_head)

    async def has_fact(self, fact_id: FactId) -> Seq | None:
        return await self.call(Ledger.has_fact, fact_id)

    async def latest_assessment(self, scan_id: ScanId) -> LatestAssessment | None:
        return await self.call(Ledger.latest_assessment, scan_id)

    async def append(self, entry: Entry) -> Appended:
        return await self.call(Ledger.append, entry)

    async def tokenise(self, values: Sequence[IdentityValue]) -> tuple[IdentityRow, ...]:
        return await self.call(Ledger.tokenise, values)

    async def identities(self, tokens: Sequence[Token]) -> tuple[IdentityRow, ...]:
        return await self.call(Ledger.identities, tokens)

    async def snapshot(self, starts: Sequence[str], last: int, budget: Budget) -> Snapshot:
        return await self.query(Queries.snapshot, starts, last, budget)

    async def undecided(self, before: Seq, starts: Sequence[str], most: int, budget: Budget) -> Undecided:
        return await self.query(Queries.undecided, before, starts, most, budget)

    async def filtered_rows(self, after: Seq, starts: Sequence[str], budget: Budget) -> FilteredRows:
        return await self.query(Queries.filtered_rows, after, starts, budget)

    async def latest_set_aside(self, scan_id: ScanId) -> bytes | None:
        return await self.query(Queries.latest_set_aside, scan_id)

    async def bearers(self, number: IdentityValue, since: datetime, until: datetime) -> list[Bearer]:
        return await self.query(Queries.bearers, number, since, until)

    async def control_of(self, scan_id: ScanId, cause: str) -> tuple[Seq, FactId] | None:
        return await self.query(Queries.control_of, scan_id, cause)

    async def named_blob(self, sha256: str) -> NamedBlob | None:
        return await self.query(Queries.named_blob, sha256)

    async def package_of(self, scan_id: ScanId, revision: int) -> Packed | None:
        return await self.query(Queries.package_of, scan_id, revision)

    async def backlog(self, consumers: Sequence[str]) -> Backlog:
        return await self.query(Queries.backlog, consumers)
