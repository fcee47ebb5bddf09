"""Strangers and hostile peers at real sockets: refused, memory bounded, and allowed peers do not notice."""

import asyncio
import random
import resource
import socket
import struct
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import zmq

from edge_agent.errors import PeerSilent
from edge_agent.testing.factories import a_scan_id, an_assessment
from edge_agent.testing.loopback import loopback_site
from edge_agent.transport.link import Retry, SyncLink
from edge_agent.transport.sockets import ClientSecurity, InsecureLoopback, connect
from edge_agent.wire.frames import Envelope, decode_envelope, encode_envelope
from tests.hostile import frames as hostile

FUZZED = 20_000
HALF_OPEN = 1_000
MAX_GROWTH_MB = 50


def in_loop(law):
    def test(tmp_path):
        asyncio.run(law(tmp_path))

    test.__name__ = law.__name__
    return test


def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def address(endpoint):
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    return host, int(port)


@asynccontextmanager
async def allowed_peer(site):
    """An allowed console that asks again and again; gives a list with an element for each answer."""
    answers = []

    async def ask():
        link = site.link(site.keys.console)
        while True:
            answers.append(await link.request("PING", {}))
            await asyncio.sleep(0.01)

    task = asyncio.create_task(ask())
    await asyncio.sleep(0.3)
    answers.clear()
    try:
        yield answers
        assert not task.done(), "the allowed peer was not served to the end"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def served(answers):
    """Wait until there are some answers; that none took the client's time limit is seen at the end: it would have ended its task."""
    async with asyncio.timeout(40):
        while len(answers) <= 3:  # noqa: ASYNC110 - the list is the other task's
            await asyncio.sleep(0.02)


@pytest.mark.timeout(600)
def test_fuzzed_frames_of_an_enrolled_peer_are_refused_one_by_one_and_disturb_nobody(tmp_path):
    async def law():
        rng, good = random.Random(3), hostile.starts()
        messages = [hostile.hurt(rng.choice(good), rng) or [b""] for _ in range(FUZZED)]
        async with loopback_site(tmp_path) as site, allowed_peer(site) as answers:
            await site.add(an_assessment(a_scan_id("a")))
            lines = [connect(site.context, zmq.DEALER, at, site.keys.client(site.keys.collector)) for at in (site.sync, site.blob)]
            before, answered = resident_mb(), 0
            for number, message in enumerate(messages):
                line = lines[number % 2]
                await line.send_multipart(message)
                if number % 10 == 0:
                    await asyncio.sleep(0.001)  # site and allowed peer live in this process too
                if number % 8 > 5:
                    while await line.poll(0):
                        await line.recv_multipart()
                        answered += 1
            for line in lines:
                while await line.poll(3000):
                    reply = decode_envelope(await line.recv_multipart())
                    assert reply.verb in {"ERR", "HELLO", "BATCH", "SNAP", "PONG"}
                    answered += 1
                line.close(0)
            assert resident_mb() - before < MAX_GROWTH_MB
            await served(answers)
            assert answered > FUZZED / 4
            assert {trouble.code for trouble in site.troubles} >= {"malformed", "too-large", "unknown-scan", "unknown-blob"}
            assert "internal" not in {trouble.code for trouble in site.troubles}
            assert (await site.ledger.head()).seq == 1

    asyncio.run(law())


@pytest.mark.timeout(300)
def test_a_thousand_half_open_connections_keep_no_allowed_peer_out(tmp_path):
    async def law():
        async with AsyncExitStack() as stack:
            site = await stack.enter_async_context(loopback_site(tmp_path))
            answers = await stack.enter_async_context(allowed_peer(site))
            before = resident_mb()
            open_ones = []
            for number in range(HALF_OPEN):
                line = socket.create_connection(address((site.sync, site.live, site.blob)[number % 3]), timeout=40)
                line.sendall(b"\xff" if number % 2 else b"")
                open_ones.append(line)
                if number % 20 == 0:
                    await asyncio.sleep(0)
            newcomer = site.link(site.keys.collector)
            await newcomer.request("PING", {})
            await asyncio.sleep(0.3)
            assert resident_mb() - before < MAX_GROWTH_MB
            for line in open_ones:
                line.close()
            await served(answers)

    asyncio.run(law())


@in_loop
async def test_half_open_connections_are_ended_by_the_site(folder):
    async with loopback_site(folder) as site:
        line = socket.create_connection(address(site.sync), timeout=40)
        started = time.monotonic()

        def wait_for_the_end():
            while line.recv(4096):
                pass

        await asyncio.to_thread(wait_for_the_end)
        assert time.monotonic() - started > 3
        line.close()


def greeting(mechanism):
    """A ZMTP 3.1 greeting of 64 bytes."""
    return b"\xff" + bytes(8) + b"\x7f" + bytes([3, 1]) + mechanism.ljust(20, b"\0") + b"\0" + bytes(31)


@in_loop
async def test_a_frame_of_four_gibibytes_is_cut_off_at_once(folder):
    async with loopback_site(folder) as site, allowed_peer(site) as answers:
        before = resident_mb()
        for endpoint in (site.sync, site.live, site.blob):
            line = socket.create_connection(address(endpoint), timeout=40)
            line.sendall(greeting(b"CURVE") + b"\x06" + struct.pack(">Q", 4 << 30))

            def pour(line=line):
                sent = 0
                try:
                    while sent < 64 << 20:
                        sent += line.send(b"x" * 65536)
                except OSError:
                    return sent
                return sent

            assert await asyncio.to_thread(pour) < 32 << 20, "the site went on reading"
            line.close()
        await asyncio.sleep(0.3)
        assert resident_mb() - before < MAX_GROWTH_MB
        await served(answers)


@in_loop
async def test_a_peer_without_curve_or_with_another_server_s_key_gets_nothing_and_disturbs_nobody(folder):
    async with loopback_site(folder) as site, allowed_peer(site) as answers:
        for security in (InsecureLoopback(), ClientSecurity(site.keys.console, site.keys.stranger.public)):
            for endpoint in (site.sync, site.blob):
                link = SyncLink(site.context, endpoint, security, Retry(attempts=1))
                with pytest.raises(PeerSilent):
                    await link.request("PING", {}, timeout_s=0.3)
            listener = connect(site.context, zmq.SUB, site.live, security)
            listener.set(zmq.SUBSCRIBE, b"")
            await site.add(an_assessment(a_scan_id(str(type(security)))))
            assert not await listener.poll(300)
            listener.close(0)
        await served(answers)


def deaf_client(site):
    """A client whose own queue holds one message, so that answers pile up at the site if anywhere."""
    deaf = site.context.socket(zmq.DEALER)
    deaf.set(zmq.LINGER, 0)
    deaf.set(zmq.RCVHWM, 1)
    deaf.set(zmq.RCVBUF, 65536)
    deaf.set(zmq.CURVE_SERVERKEY, site.keys.server.public.encode())
    deaf.set(zmq.CURVE_PUBLICKEY, site.keys.collector.public.encode())
    deaf.set(zmq.CURVE_SECRETKEY, site.keys.collector.secret.encode())
    deaf.connect(site.sync)
    return deaf


@in_loop
async def test_a_peer_that_asks_and_never_reads_costs_bounded_memory(folder):
    async with loopback_site(folder) as site, allowed_peer(site) as answers:
        for number in range(400):
            await site.ledger.append(an_assessment(a_scan_id(str(number))))
        epoch = (await site.ledger.head()).epoch.hex()
        deaf = deaf_client(site)
        before = resident_mb()
        pull = {"epoch": epoch, "after": 0}
        for number in range(600):
            await deaf.send_multipart([b"PULL", struct.pack(">Q", number), str(pull).replace("'", '"').encode()])
            if number % 6 == 5:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.5)
        grown = resident_mb() - before
        deaf.close(0)
        assert grown < MAX_GROWTH_MB  # of some 250 MB that were asked for
        async with asyncio.timeout(40):
            while "peer-gone" not in {trouble.code for trouble in site.troubles}:  # noqa: ASYNC110 - the desk appends to that list
                await asyncio.sleep(0.05)
        await served(answers)


@in_loop
async def test_a_message_of_many_parts_is_refused(folder):
    async with loopback_site(folder) as site:
        line = connect(site.context, zmq.DEALER, site.sync, site.keys.client(site.keys.console))
        await line.send_multipart([*encode_envelope(Envelope("PING", 1, {})), *[b"x"] * 5000])
        assert decode_envelope(await asyncio.wait_for(line.recv_multipart(), 40)).content["code"] == "malformed"
        line.close(0)
