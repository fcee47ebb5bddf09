"""The ledger behind its lane: every call runs on the one thread that owns the connection."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

from edge_agent.agent.lanes import Lane
from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import FactId, ScanId, Seq
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Acknowledged, Appended, Entry, IdentityRow, LatestAssessment
from edge_agent.wire.chain import JournalHead, JournalRow

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

    async def has_fact(self, fact_id: FactId) -> Seq | None:
        return await self.call(Ledger.has_fact, fact_id)

    async def latest_assessment(self, scan_id: ScanId) -> LatestAssessment | None:
        return await self.call(Ledger.latest_assessment, scan_id)

    async def append(self, entry: Entry) -> Appended:
        return await self.call(Ledger.append, entry)

    async def tokenise(self, values: Sequence[IdentityValue]) -> tuple[IdentityRow, ...]:
        return await self.call(Ledger.tokenise, values)
