"""What a console does when line, site, key or clock fail: real ZeroMQ and CURVE, measured by events."""

import asyncio
import os
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import zmq

from edge_agent.console.client import ConsoleClient, Phase, SeenFact, Site, Wish
from edge_agent.domain.ids import Seq
from edge_agent.errors import NotAllowed
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.console import Watch
from edge_agent.testing.factories import NOON, a_scan_id, an_assessment
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.testing.proxy import tcp_proxy
from edge_agent.transport.context import open_context
from edge_agent.transport.link import LiveLink
from edge_agent.transport.sockets import InsecureLoopback, bound_endpoint

SLACK_S = 60.0  # what a busy machine may add; how quick it is on a quiet one is measured by benchmarks.wire and benchmarks.chaos
NOWHERE = "tcp://127.0.0.1:1"


def entries(count, start=0):
    return [an_assessment(a_scan_id(str(number))) for number in range(start, start + count)]


def memory_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


class Line:
    """Proxies before SYNC and LIVE, and the client's context: what outlives a site that is killed and started again."""

    def __init__(self, sync, live, context):
        self.sync, self.live, self.context = sync, live, context

    def to(self, site):
        self.sync.target, self.live.target = site.sync, site.live
        site.context = self.context
        return site

    def swallow(self, yes=True):
        self.sync.is_open = self.live.is_open = not yes

    def break_off(self):
        self.sync.target = self.live.target = NOWHERE
        self.sync.cut()
        self.live.cut()


@asynccontextmanager
async def a_line():
    async with tcp_proxy() as sync, tcp_proxy() as live:
        with open_context() as context:
            yield Line(sync, live, context)


@pytest.mark.parametrize("silent_s", [3.3, 6.2])
def test_a_line_that_swallows_is_stale_and_repaired_after_it_returns(tmp_path, silent_s):
    async def law():
        async with a_line() as line, loopback_site(tmp_path, Setting(live_shown=line.live.endpoint)) as site:
            line.to(site)
            async with Watch(site, sync=line.sync.endpoint) as watch:
                await watch.live()
                line.swallow()
                since = time.monotonic()
                await site.add(*entries(3))
                await watch.turned(Phase.STALE)
                assert watch.facts == []
                await asyncio.sleep(max(silent_s - (time.monotonic() - since), 0))
                line.swallow(yes=False)
                await watch.live()
                await watch.seqs([1, 2, 3])

    asyncio.run(law())


@pytest.mark.parametrize("gone_s", [0.2, 3.5])
def test_a_site_that_was_killed_and_started_again_is_followed(tmp_path, gone_s):
    async def law():
        async with a_line() as line:
            setting = Setting(Keyring(), live_shown=line.live.endpoint)
            async with loopback_site(tmp_path, setting) as site:
                watch = Watch(line.to(site), sync=line.sync.endpoint)
                await watch.live()
                await site.add(*entries(3))
                await watch.seqs([1, 2, 3])
            line.break_off()
            await asyncio.sleep(gone_s)
            async with loopback_site(tmp_path, setting) as site:
                line.to(site)
                await site.add(*entries(2, 3))
                async with watch:
                    await watch.seqs(range(1, 6))
                    await watch.live()

    asyncio.run(law())


def test_a_console_that_is_enrolled_while_it_knocks_goes_live_by_itself(tmp_path):
    async def law():
        keys = Keyring()
        async with a_line() as line:
            nobody = Setting(keys, consumers=[], live_shown=line.live.endpoint)
            async with loopback_site(tmp_path, nobody) as site:
                watch = Watch(line.to(site), sync=line.sync.endpoint, wish=Wish(waits_for_key=True))
                await watch.turned(Phase.REFUSED)
                assert not watch.client.state.is_current
            async with loopback_site(tmp_path, Setting(keys, live_shown=line.live.endpoint)) as site, watch:
                line.to(site)
                await site.add(*entries(2))
                await watch.live()
                await watch.seqs([1, 2])

    asyncio.run(law())


def test_a_console_whose_key_is_taken_away_says_refused_and_loses_nothing_when_it_gets_it_back(tmp_path):
    async def law():
        keys = Keyring()
        async with a_line() as line:
            allowed, nobody = (Setting(keys, consumers=who, live_shown=line.live.endpoint) for who in (None, []))
            async with loopback_site(tmp_path, allowed) as site:
                watch = Watch(line.to(site), sync=line.sync.endpoint, wish=Wish(waits_for_key=True))
                await watch.live()
                await site.add(*entries(2))
                await watch.seqs([1, 2])
            async with loopback_site(tmp_path, nobody) as site:
                line.to(site)
                await site.add(*entries(2, 2))
                await watch.turned(Phase.REFUSED)
                assert len(watch.facts) == 2
            async with loopback_site(tmp_path, allowed) as site, watch:
                line.to(site)
                await watch.live()
                await watch.seqs(range(1, 5))

    asyncio.run(law())


def test_a_console_that_does_not_wait_for_its_key_ends_with_the_refusal(tmp_path):
    async def law():
        async with loopback_site(tmp_path, Setting(consumers=[])) as site, Watch(site) as watch:
            with pytest.raises(NotAllowed):
                await watch.until(lambda _: False)

    asyncio.run(law())


def test_times_are_compared_by_the_site_s_clock_however_wrong_it_is(tmp_path):
    async def law():
        clock = ManualClock()
        async with loopback_site(tmp_path, Setting(clock=clock)) as site, Watch(site) as watch:
            await watch.live()
            await site.add(*entries(1))
            await watch.seqs([1])
            state = watch.client.state
            assert abs(SystemClock().now() + state.clock_offset - clock.now()) < timedelta(seconds=SLACK_S)
            assert abs(watch.facts[0].seen_at - NOON) < timedelta(seconds=SLACK_S)

    asyncio.run(law())


def test_garbage_on_live_is_counted_and_never_makes_the_console_live(tmp_path):
    async def law():
        with open_context() as context:
            raw = context.socket(zmq.XPUB)
            raw.bind("tcp://127.0.0.1:*")
            async with loopback_site(tmp_path, Setting(is_insecure=True, live_shown=bound_endpoint(raw))) as site:
                await site.add(*entries(2))
                client = ConsoleClient(context, Site(site.sync, InsecureLoopback()), SystemClock())
                events = client.events()
                seen = [await anext(events) for _ in range(4)]
                assert [event.seq for event in seen if isinstance(event, SeenFact)] == [1, 2]
                for frames in ([b"ei1/harbour/"], [b"ei1/harbour/~hb", b"{"], [b"ei1/harbour/x", b"short", b"{}"]):
                    await raw.send_multipart(frames)
                assert (await anext(events)).phase is Phase.STALE
                reading = asyncio.create_task(anext(events))  # on a busy machine the silence may be told before the last of them is read
                async with asyncio.timeout(40):
                    while client.state.malformed < 3:  # noqa: ASYNC110 - a count is no event
                        await asyncio.sleep(0.02)
                assert (client.state.malformed, reading.done()) == (3, False)
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                await events.aclose()
                client.close()

    asyncio.run(law())


def test_an_application_that_stops_reading_is_told_that_what_it_shows_is_old(tmp_path):
    async def law():
        clock = ManualClock()
        async with loopback_site(tmp_path) as site:
            where = Site(site.sync, site.keys.client(site.keys.console))
            client = ConsoleClient(site.context, where, clock)
            events = client.events()
            while (await anext(events)).phase is not Phase.LIVE:
                pass
            assert client.state.is_current
            clock.advance(3.5)
            assert (client.state.phase, client.state.is_current) == (Phase.STALE, False)
            await events.aclose()
            client.close()

    asyncio.run(law())


def test_what_an_application_does_not_read_costs_no_memory():
    """60 MB are sent to a console that does not read; sender and reader, both in this process, keep a few of them.

    The process is the tests' own, and a page of it that the kernel had taken away comes back meanwhile: of three times the least counts.
    """

    async def grown_mb():
        with open_context() as context:
            raw = context.socket(zmq.XPUB)
            raw.bind("tcp://127.0.0.1:*")
            link = LiveLink(context, bound_endpoint(raw), InsecureLoopback(), [""])
            await raw.recv_multipart()
            before = memory_mb()
            for number in range(20_000):
                await raw.send_multipart([b"ei1/harbour/~/audit/", number.to_bytes(32, "big"), bytes(3000)])
            grown = memory_mb() - before
            link.close()
            return grown

    assert any(asyncio.run(grown_mb()) < 30 for _ in range(3))


def test_a_second_reader_of_the_same_console_is_not_needed_to_know_its_state(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site, Watch(site) as watch:
            await watch.live()
            assert watch.client.you is not None
            assert (watch.client.you.name, watch.client.you.role) == ("console-1", "console")
            assert watch.client.state.lag == 0
            await site.add(*entries(1))
            await watch.seqs([1])
            assert watch.client.state.seq == Seq(1)

    asyncio.run(law())
