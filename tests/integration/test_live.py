"""LIVE over real sockets: committed rows in order, heartbeats, welcome, and who may listen."""

import asyncio
import resource
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import zmq

from edge_agent.domain.ids import Seq
from edge_agent.errors import ConfigInvalid
from edge_agent.ledger.eviction import cut
from edge_agent.testing.factories import SITE, a_scan_id, an_assessment, an_audit
from edge_agent.testing.loopback import Setting, loopback_site
from edge_agent.transport.context import open_context
from edge_agent.transport.link import LiveLink, Silence
from edge_agent.transport.live import LivePublisher
from edge_agent.transport.sockets import InsecureLoopback, ServerSecurity, bound_endpoint, connect
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import LiveMessage
from edge_agent.wire.heartbeat import Heartbeat

ROOT = "ei1/harbour/"
PATIENCE_S = 40.0


def resident_kib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


@asynccontextmanager
async def listening(folder, who="console", topics=(ROOT,), silence_s=3.0, setting=None):
    async with loopback_site(folder, setting) as site:
        link = LiveLink(site.context, site.live, site.keys.client(getattr(site.keys, who)), topics, silence_s)
        try:
            yield site, link
        finally:
            link.close()


async def take(link, kind, count=1):
    found = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            thing = await anext(link)
            found += [thing] if isinstance(thing, kind) else []
    return found


def test_heartbeats_tell_where_the_journal_begins_after_retention(tmp_path):
    async def law():
        async with listening(tmp_path) as (site, link):
            await site.add(*(an_audit(str(number)) for number in range(4)))
            await site.ledger.call(lambda ledger: cut(ledger._db, Seq(3), {}))
            async with asyncio.timeout(PATIENCE_S):
                while (await take(link, Heartbeat))[0].first != 4:
                    pass

    asyncio.run(law())


@pytest.mark.parametrize(("letters", "is_heard"), [(250, True), (5_000, False)])
def test_a_reader_that_subscribes_to_what_can_be_no_topic_is_cut_off(tmp_path, letters, is_heard):
    async def law():
        async with loopback_site(tmp_path) as site:
            reader = connect(site.context, zmq.SUB, site.live, site.keys.client(site.keys.collector))
            reader.set(zmq.SUBSCRIBE, b"x" * letters)  # kept by the site in a tree of some 50 bytes a letter
            reader.set(zmq.SUBSCRIBE, b"ei1/")
            assert bool(await reader.poll(1000 * PATIENCE_S if is_heard else 1_500)) is is_heard
            reader.close(0)

    asyncio.run(law())


def test_a_new_reader_is_welcomed_at_once_with_the_head(tmp_path, monkeypatch):
    monkeypatch.setattr("edge_agent.transport.live.INTERVAL_S", 600.0)  # no heartbeat but the welcome comes while we wait

    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(an_assessment(a_scan_id("a")), an_audit())
            await asyncio.sleep(0.1)
            for _ in range(3):  # every reader, not only the first one
                link = LiveLink(site.context, site.live, site.keys.client(site.keys.console), [ROOT])
                (beat,) = await take(link, Heartbeat)
                assert (beat.head, beat.first, beat.state) == (2, 1, "healthy")
                assert beat.heads == {"ei1/harbour/gate-1/assessment/": 1, "ei1/harbour/~/audit/": 2}
                link.close()

    asyncio.run(law())


def test_rows_arrive_in_order_with_the_bytes_of_the_journal(tmp_path):
    async def law():
        async with listening(tmp_path) as (site, link):
            await take(link, Heartbeat)
            await site.add(*(an_assessment(a_scan_id(str(number))) for number in range(30)))
            heard = await take(link, LiveMessage, 30)
            rows = await site.ledger.rows(0, 30, 1 << 20)
            assert [(m.seq, m.prev_seq, m.topic, m.body) for m in heard] == [(r.seq, r.prev_seq, r.topic, r.body) for r in rows]

    asyncio.run(law())


def test_a_row_is_published_even_if_nobody_rang(tmp_path):
    async def law():
        async with listening(tmp_path) as (site, link):
            await take(link, Heartbeat)
            await site.ledger.append(an_assessment(a_scan_id("a")))
            assert [message.seq for message in await take(link, LiveMessage)] == [1]

    asyncio.run(law())


def test_rows_of_an_earlier_life_are_left_to_pull(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(an_assessment(a_scan_id("a")))
        async with listening(tmp_path) as (site, link):
            (beat,) = await take(link, Heartbeat)
            assert beat.head == 1
            await site.add(an_assessment(a_scan_id("b")))
            assert [message.seq for message in await take(link, LiveMessage)] == [2]

    asyncio.run(law())


def test_a_reader_of_one_scanner_hears_that_scanner_only(tmp_path):
    async def law():
        async with listening(tmp_path, topics=(f"{ROOT}gate-1/", f"{ROOT}~hb")) as (site, link):
            await take(link, Heartbeat)
            await site.add(an_audit(), an_assessment(a_scan_id("a")))
            (message,) = await take(link, LiveMessage)
            assert (message.seq, message.prev_seq, message.topic) == (2, 0, "ei1/harbour/gate-1/assessment/")

    asyncio.run(law())


def test_heartbeats_come_each_second(tmp_path):
    async def law():
        async with listening(tmp_path) as (_, link):
            await take(link, Heartbeat)
            started = time.monotonic()
            await take(link, Heartbeat, 3)  # the first may be a second welcome
            assert time.monotonic() - started > 1.5

    asyncio.run(law())


def test_a_stranger_hears_nothing_and_the_link_says_so_again_and_again(tmp_path):
    async def law():
        async with listening(tmp_path, "stranger", silence_s=0.4) as (site, link):
            await site.add(an_assessment(a_scan_id("a")))
            assert [await anext(link) for _ in range(2)] == [Silence(0.4)] * 2
            async with asyncio.timeout(PATIENCE_S):
                while not site.refusals:
                    assert await anext(link) == Silence(0.4)
            assert {(refusal.domain, refusal.reason) for refusal in site.refusals} == {("live", "key-unknown")}

    asyncio.run(law())


def test_without_a_zap_provider_nobody_hears_anything(tmp_path):
    async def law():
        async with listening(tmp_path, silence_s=0.5, setting=Setting(has_zap=False)) as (_, link):
            assert isinstance(await anext(link), Silence)

    asyncio.run(law())


def test_a_reader_that_floods_subscriptions_does_not_silence_the_heartbeat_for_others(tmp_path):
    async def law():
        async with listening(tmp_path) as (site, link):
            await take(link, Heartbeat)
            flood = LiveLink(site.context, site.live, site.keys.client(site.keys.collector), [f"ei1/harbour/{n}" for n in range(3000)])
            await take(link, Heartbeat, 2)
            flood.close()

    asyncio.run(law())


def test_a_hung_reader_stalls_nobody_and_costs_bounded_memory(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            with open_context() as context:
                publisher = LivePublisher(context, SITE, "tcp://127.0.0.1:*", InsecureLoopback())
                hung, reading = (LiveLink(site.context, publisher.endpoint, InsecureLoopback(), [ROOT]) for _ in range(2))
                for _ in range(2):
                    await publisher._socket.recv_multipart()
                before = resident_kib()
                body = b"x" * 20_000
                for start in range(0, 6000, 100):
                    rows = [
                        JournalRow(bytes(16), Seq(n), Seq(n - 1), f"{ROOT}~/audit/", body, bytes(32)) for n in range(start + 1, start + 101)
                    ]
                    await publisher.publish(rows)
                    assert [message.seq for message in await take(reading, LiveMessage, 100)] == [row.seq for row in rows]
                assert resident_kib() - before < 70_000  # KiB; all of it would be 120,000
                hung.close()
                reading.close()
                publisher.close()

    asyncio.run(law())


def test_messages_that_are_none_are_counted_and_passed_over():
    async def law():
        with open_context() as context:
            raw = context.socket(zmq.XPUB)
            raw.bind("tcp://127.0.0.1:*")
            link = LiveLink(context, bound_endpoint(raw), InsecureLoopback(), [""], silence_s=0.3)
            await raw.recv_multipart()
            for frames in ([b"x"], [b"a/~hb", b"{"], [b"t", b"short", b"{}"], [b"t", bytes(32), b"x" * 70_000], [b"1", b"2", b"3", b"4"]):
                await raw.send_multipart(frames)
            async with asyncio.timeout(PATIENCE_S):
                while link.malformed < 5:
                    assert isinstance(await anext(link), Silence)
            assert link.malformed == 5

    asyncio.run(law())


def test_a_subscription_leaves_before_anybody_looks_at_the_socket():
    async def law():
        with open_context() as context:
            raw = context.socket(zmq.XPUB)
            raw.bind("tcp://127.0.0.1:*")
            link = LiveLink(context, bound_endpoint(raw), InsecureLoopback(), [ROOT])
            assert await asyncio.wait_for(raw.recv_multipart(), PATIENCE_S) == [b"\x01" + ROOT.encode()]
            link.close()

    asyncio.run(law())


def test_an_insecure_site_is_refused_on_any_other_address():
    async def law():
        with open_context() as context, pytest.raises(ConfigInvalid, match="insecure_loopback_only"):
            LivePublisher(context, "harbour", "tcp://0.0.0.0:*", InsecureLoopback())

    asyncio.run(law())


def test_an_address_in_use_is_refused_by_name(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            with open_context() as context, pytest.raises(ConfigInvalid, match="cannot bind"):
                LivePublisher(context, "harbour", site.live, ServerSecurity(site.keys.server))

    asyncio.run(law())
