"""One sweep of retention: look, plan, note in the ledger, take off the disk. What went is one audit fact a transaction, with counts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from edge_agent.agent.keeping import RetentionSection
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import ScanId, Seq, SiteId, Token
from edge_agent.ledger import eviction
from edge_agent.ledger.audit import audit_entry
from edge_agent.ledger.eviction import Tally
from edge_agent.ledger.inventory import held_by_file, open_inventory
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry, JobId
from edge_agent.ledger.retention import Eviction, Holding, Kind, Row, Rules, counted_until, erasable, last_of_prefix, plan
from edge_agent.telemetry import events
from edge_agent.wire.messages import CodeParams

SWEPT = "retention-swept"
"""Code of the audit fact."""

_PAGE_SCANS = 100
_LEAST_REST_S = 0.02
_PAGE_ROWS = 1000
_PAGE_TOKENS = 500
_MOST_AT_ONCE = 5000
_FILES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Premises:
    """What is swept. ``durable``: names of the consumers whose acknowledgement counts; ``lane``: for all that reads or removes files."""

    site: SiteId
    state_dir: Path
    ledger: LedgerLane
    lane: Lane
    retention: RetentionSection
    durable: Sequence[str]
    clock: Clock


class Sweep:
    """Carries out retention; nothing is remembered from one sweep to the next but up to when ages are counted."""

    def __init__(self, premises: Premises, ring: Callable[[], None]) -> None:
        """``ring`` is called after each commit."""
        self._on = premises
        self._ring = ring

    async def rules(self, ran: timedelta) -> Rules:
        """Give the rules of a sweep, and note up to when ages are counted. ``ran``: for how long we have run since the last count."""
        ledger, clock = self._on.ledger, self._on.clock
        until = counted_until(await ledger.call(Ledger.transact, eviction.counted_until), clock.now(), ran)
        await ledger.call(Ledger.transact, partial(eviction.count_until, until=until))
        return Rules(self._on.retention.periods, until, await self._acknowledged())

    async def _acknowledged(self) -> Seq:
        """Give the row up to which all durable consumers have everything; the head when there is none."""
        head = await self._on.ledger.head()
        known = await self._on.ledger.acknowledged()
        places = [known[name].seq if name in known and known[name].epoch == head.epoch else Seq(0) for name in self._on.durable]
        return min(places, default=head.seq)

    async def finish_last(self) -> None:
        """Take off the disk what an earlier process had decided on and not removed any more."""
        await self._take_off()

    async def things(self, rules: Rules, need_bytes: int) -> Tally:
        """Let go of what is expired, and of as much more as is needed and may go."""
        total = Tally()
        batch: list[Eviction] = []
        holdings: dict[ScanId, Holding] = {}
        planned = 0
        async for page in self._pages():
            going = plan(page, rules, need_bytes - planned)
            planned += sum(one.item.bytes for one in going)
            batch += going
            holdings |= {holding.scan_id: holding for holding in page if going}
            if len(batch) >= _MOST_AT_ONCE:
                total.add(await self._let_go(batch, holdings))
                batch, holdings = [], {}
        if batch:
            total.add(await self._let_go(batch, holdings))
        return total

    async def _let_go(self, batch: Sequence[Eviction], holdings: dict[ScanId, Holding]) -> Tally:
        held = set(await self._on.lane.run(held_by_file, self._on.state_dir))
        kept = [one for one in batch if one.item.scan_id not in held]
        tally = await self._noted(partial(eviction.decide, evictions=kept, holdings=holdings))
        await self._take_off()
        return tally

    async def rows(self, rules: Rules) -> Tally:
        """Let the oldest rows of the journal go, as far as they may."""
        total = Tally()
        while True:
            rows, holdings = await self._on.lane.run(self._oldest)
            last = last_of_prefix(rows, holdings, rules)
            if last is None:
                return total
            cut = await self._noted(partial(eviction.cut, last=last, holdings=holdings))
            if cut.is_nothing:
                return total
            total.add(cut)

    async def identifiers(self, rules: Rules) -> Tally:
        """Forget the values of identifiers that nothing young or guarded names, and file names that made no scan of their own."""
        values = self._on.retention.values
        left = await self._on.lane.run(self._identities)
        left = {token: left[token] for token in erasable(left, (), rules, values)}
        if left:
            async for page in self._pages():
                left = {token: left[token] for token in erasable(left, page, rules, values)}
        tally = Tally()
        names = rules.periods.kept[Kind.NAMES]
        if names is not None:
            tally.add(await self._noted(partial(eviction.forget_unworked, before=rules.until - names)))
        if left:
            tally.add(await self._forgotten([(token, moment) for token, (_, moment) in sorted(left.items())]))
        return tally

    async def _forgotten(self, used: Sequence[tuple[Token, datetime]]) -> Tally:
        """Erase; a value that an arriving scan was given a token for meanwhile stays."""
        tally = Tally()
        for start in range(0, len(used), _PAGE_TOKENS):
            tally.identities += await self._on.ledger.call(Ledger.forget, dict(used[start : start + _PAGE_TOKENS]))
        return await self._noted(lambda _connection: tally)

    async def used_bytes(self) -> int:
        """Give about how many bytes all scans take on the disk."""
        used = 0
        async for page in self._pages():
            used += sum(item.bytes for holding in page for item in holding.items)
        return used

    async def _pages(self) -> AsyncIterator[list[Holding]]:
        """Read all scans, page by page, with a rest after each that is as long as its reading.

        Readers that follow each other without a gap would keep the writer from ever starting its log anew: it can only while nobody reads.
        """
        after: JobId | None = JobId(0)
        while after is not None:
            started = self._on.clock.monotonic()
            page, after = await self._on.lane.run(self._page, after)
            read_s = self._on.clock.monotonic() - started
            yield page
            if after is not None:
                await asyncio.sleep(max(_LEAST_REST_S, read_s))

    async def _noted(self, work: eviction.Work) -> Tally:
        """Do a piece of work in one transaction with the fact that counts it."""
        tally = await self._on.ledger.call(Ledger.transact, work, self._entry)
        if not tally.is_nothing:
            events.things_evicted(tally.counts())
            self._ring()
        return tally

    def _entry(self, tally: Tally) -> Entry | None:
        if tally.is_nothing:
            return None
        now = self._on.clock.now()
        return audit_entry(self._on.site, CodeParams(code=SWEPT, params=dict(tally.counts())), f"{SWEPT} {now.isoformat()}", now)

    async def _take_off(self) -> None:
        ledger = self._on.ledger
        paths = await ledger.call(Ledger.transact, eviction.pending)
        for start in range(0, len(paths), _FILES_AT_ONCE):
            some = paths[start : start + _FILES_AT_ONCE]
            await self._on.lane.run(self._remove, some)
            await ledger.call(Ledger.transact, partial(eviction.done, paths=some))

    # On the lane

    def _remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            eviction.take_off(self._on.state_dir, path)

    def _page(self, after: JobId) -> tuple[list[Holding], JobId | None]:
        with open_inventory(self._on.state_dir) as inventory:
            return inventory.page(after, _PAGE_SCANS)

    def _oldest(self) -> tuple[list[Row], dict[ScanId, Holding]]:
        with open_inventory(self._on.state_dir) as inventory:
            rows = inventory.oldest_rows(_PAGE_ROWS)
            return rows, inventory.of(row.scan_id for row in rows if row.scan_id is not None)

    def _identities(self) -> dict[Token, tuple[str, datetime]]:
        with open_inventory(self._on.state_dir) as inventory:
            return inventory.identities()
