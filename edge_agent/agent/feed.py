"""From the journal to LIVE: every committed row is published once, in order, and long polls are woken.

The bell only hastens: the feed looks into the journal each second anyway, so a lost ring delays a row and never loses it.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from edge_agent.agent.ports import UNARMED, FaultPoint, JournalStore, Point
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq
from edge_agent.ledger.records import Backlog
from edge_agent.wire.chain import JournalHead, JournalRow
from edge_agent.wire.heartbeat import INTERVAL_S, Heartbeat, SiteState

_PAGE_ROWS = 100
_PAGE_BYTES = 1 << 20


class RowPublisher(Protocol):
    """Where rows and heartbeats go (``transport.live.LivePublisher``)."""

    async def publish(self, rows: Sequence[JournalRow]) -> None:
        """Send rows in their order."""

    async def beat(self, content: Callable[[], Heartbeat]) -> None:
        """Send heartbeats until cancelled."""


class Doorbell:
    """Wakes everybody who waits, once a ring. Take the ``turn`` first, look second, wait third: then no ring is missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake all who hold the present turn. To be called on the loop's thread."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    def turn(self) -> asyncio.Event:
        """Give the event that the next ring sets."""
        return self._event


async def rung(turn: asyncio.Event, within_s: float) -> bool:
    """Wait for a ring at most ``within_s`` seconds; tell whether it came."""
    try:
        async with asyncio.timeout(max(within_s, 0.0)):
            await turn.wait()
    except TimeoutError:
        return False
    return True


class Feed:
    """Follows the journal and publishes what is new."""

    def __init__(
        self,
        store: JournalStore,
        publisher: RowPublisher,
        clock: Clock,
        state: Callable[[], SiteState],
        faults: FaultPoint = UNARMED,
        durable: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """Take the journal, the socket, and where the site's own state and its durable consumers are asked for each heartbeat."""
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._state = state
        self._faults = faults
        self._durable = durable
        self._backlog: Backlog | None = None
        self._bell = Doorbell()
        self._news = Doorbell()

    @property
    def news(self) -> Doorbell:
        """Rings when rows were published: for long polls."""
        return self._news

    def ring(self) -> None:
        """Say that something was committed. To be called on the loop's thread."""
        self._bell.ring()

    async def run(self) -> None:
        """Publish and beat until cancelled. Rows committed before the start are left to PULL."""
        head = await self._store.head()
        place = _Place(head, await self._store.topic_heads(), self._clock.now())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(place))
            tasks.create_task(self._publisher.beat(lambda: self._heartbeat(place)))
            tasks.create_task(self._measure(place))

    async def _follow(self, place: "_Place") -> None:
        while True:
            turn = self._bell.turn()
            rows = await self._store.rows(place.seq, _PAGE_ROWS, _PAGE_BYTES)
            if rows:
                self._faults.reached(Point.PUBLISH_BEFORE)
                await self._publisher.publish(rows)
                self._faults.reached(Point.PUBLISH_AFTER)
                place.move(rows)
                self._news.ring()
            else:
                await rung(turn, INTERVAL_S)

    async def _measure(self, place: "_Place") -> None:
        """Ask each second where the journal begins by now, and how far the durable consumers are behind."""
        while True:
            place.first = (await self._store.head()).first
            durable = self._durable()
            self._backlog = await self._store.backlog(durable) if durable else None
            await asyncio.sleep(INTERVAL_S)

    def status(self) -> SiteState:
        """Give the site's state as of now, with how far the durable consumers are behind."""
        state = self._state()
        if self._backlog is None:
            return state
        oldest = self._backlog.oldest_at
        waited_s = 0.0 if oldest is None else max(0.0, round((self._clock.now() - oldest).total_seconds(), 1))
        return state.model_copy(update={"backlog_unacked": self._backlog.rows, "oldest_unacked_s": waited_s})

    def _heartbeat(self, place: "_Place") -> Heartbeat:
        return Heartbeat(
            **dict(self.status()),
            epoch=place.head.epoch.hex(),
            head=place.seq,
            first=place.first,
            heads=dict(place.heads),
            clock=self._clock.now(),
            started=place.started,
        )


class _Place:
    """How far the feed has published. Heartbeats tell this place, so a reader that is level with LIVE is never told to pull."""

    def __init__(self, head: JournalHead, heads: dict[str, Seq], started: datetime) -> None:
        self.started = started
        self.head = head
        self.first = head.first
        self.seq = head.seq
        self.heads = heads

    def move(self, rows: Sequence[JournalRow]) -> None:
        """Note rows as published."""
        self.seq = rows[-1].seq
        self.heads.update({row.topic: row.seq for row in rows})
