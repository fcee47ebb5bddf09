"""The feed publishes every committed row once and in order, with or without a bell; a taken turn never misses a ring."""

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest

from edge_agent.agent.feed import Doorbell, Feed, rung
from edge_agent.domain.ids import Seq
from edge_agent.ledger.records import Backlog
from edge_agent.testing.clock import ManualClock
from edge_agent.wire.chain import JournalHead, JournalRow, link
from edge_agent.wire.heartbeat import SiteState

EPOCH = b"e" * 16
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Rows:
    """A journal in memory, as much of it as a feed reads."""

    def __init__(self):
        self.kept = []
        self.was_asked = asyncio.Event()

    def add(self, count):
        for _ in range(count):
            seq = Seq(len(self.kept) + 1)
            before = self.kept[-1].hash if self.kept else EPOCH
            self.kept.append(JournalRow(EPOCH, seq, Seq(seq - 1), "ei1/s/~/audit/", b"{}", link(before, seq, b"{}")))

    async def head(self):
        return JournalHead(EPOCH, Seq(1), Seq(len(self.kept)), self.kept[-1].hash if self.kept else EPOCH)

    async def rows(self, after, max_rows, _max_bytes):
        return self.kept[after : after + max_rows]

    async def topic_heads(self):
        return {"ei1/s/~/audit/": Seq(len(self.kept))} if self.kept else {}

    async def backlog(self, consumers):
        self.asked = list(consumers)
        self.was_asked.set()
        return Backlog(len(self.kept), NOON)


class Publisher:
    """Collects what it is given; may fail."""

    def __init__(self, fails=False):
        self.sent, self.content, self.fails = [], None, fails
        self.news = asyncio.Event()
        self.is_beating = asyncio.Event()

    async def publish(self, rows):
        if self.fails:
            raise OSError("the socket is gone")
        self.sent += [row.seq for row in rows]
        self.news.set()

    async def beat(self, content):
        self.content = content
        self.is_beating.set()
        await asyncio.Event().wait()


async def feeding(law, before=0, fails=False):
    rows, publisher = Rows(), Publisher(fails)
    rows.add(before)
    feed = Feed(rows, publisher, ManualClock(), lambda: SiteState(state="degraded", in_flight=2))
    task = asyncio.create_task(feed.run())
    try:
        async with asyncio.timeout(40):
            await publisher.is_beating.wait()
            await law(feed, rows, publisher, task)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
            await task


def test_rows_after_the_start_are_published_once_in_order_and_older_ones_are_not():
    async def law(feed, rows, publisher, _):
        rows.add(250)
        feed.ring()
        while len(publisher.sent) < 250:
            publisher.news.clear()
            await publisher.news.wait()
        assert publisher.sent == list(range(4, 254))

    asyncio.run(feeding(law, before=3))


def test_long_polls_are_woken_only_after_the_rows_were_published():
    async def law(feed, rows, publisher, _):
        turn = feed.news.turn()
        rows.add(1)
        feed.ring()
        await turn.wait()
        assert publisher.sent == [1]

    asyncio.run(feeding(law))


def test_a_heartbeat_tells_the_published_place_and_the_site_s_own_state():
    async def law(feed, rows, publisher, _):
        turn = feed.news.turn()
        rows.add(2)
        before = publisher.content()
        feed.ring()
        await turn.wait()
        after = publisher.content()
        assert (before.head, after.head) == (0, 2)
        assert (after.heads, after.state, after.in_flight) == ({"ei1/s/~/audit/": 2}, "degraded", 2)

    asyncio.run(feeding(law))


def test_a_socket_that_fails_ends_the_feed():
    async def law(feed, rows, _publisher, task):
        rows.add(1)
        feed.ring()
        with pytest.raises(ExceptionGroup):
            await task

    asyncio.run(feeding(law, fails=True))


def test_a_ring_between_looking_and_waiting_is_not_missed():
    async def law():
        bell = Doorbell()
        turn = bell.turn()
        bell.ring()
        assert await rung(turn, 0.0) or turn.is_set()
        assert not await rung(bell.turn(), 0.0)

    asyncio.run(law())


def test_a_ring_wakes_everybody_who_waits():
    async def law():
        bell = Doorbell()
        waiting = [asyncio.create_task(rung(bell.turn(), 5)) for _ in range(3)]
        await asyncio.sleep(0)
        bell.ring()
        assert await asyncio.gather(*waiting) == [True] * 3

    asyncio.run(law())


def test_a_heartbeat_tells_how_far_durable_consumers_are_behind_and_when_publishing_began():
    async def law():
        rows, publisher, clock = Rows(), Publisher(), ManualClock()
        rows.add(7)
        begun = clock.now()
        feed = Feed(rows, publisher, clock, lambda: SiteState(state="healthy"), durable=lambda: ["hq"])
        task = asyncio.create_task(feed.run())
        async with asyncio.timeout(40):
            await publisher.is_beating.wait()
            await rows.was_asked.wait()
            await asyncio.sleep(0)
        clock.advance(30)
        beat = publisher.content()
        assert rows.asked == ["hq"]
        assert (beat.backlog_unacked, beat.oldest_unacked_s) == (7, max(0.0, (clock.now() - NOON).total_seconds()))
        assert (beat.started, beat.clock) == (begun, clock.now())
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
            await task

    asyncio.run(law())


def test_where_nobody_is_durable_a_heartbeat_says_nothing_of_a_backlog():
    async def law(_feed, rows, publisher, _):
        await asyncio.sleep(0)
        assert publisher.content().backlog_unacked is None
        assert not hasattr(rows, "asked")

    asyncio.run(feeding(law, before=3))
