"""Strangers at the door of a whole site: refused, counted in the journal in a bounded number of rows, and nobody else disturbed."""

import asyncio

import pytest
import zmq

from edge_agent.agent.admissions import EVERY_S
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.gated_site import gated_site
from edge_agent.testing.loopback import ONE_TRY, Keyring, PatientLink, a_key_pair
from edge_agent.transport.keys import fingerprint
from edge_agent.transport.sockets import ClientSecurity, connect

KEYS = Keyring()


def live_of(site):
    return site.sockets._door._publisher.endpoint


def subscriber(site, security):
    socket = connect(site.context, zmq.SUB, live_of(site), security)
    socket.set(zmq.SUBSCRIBE, b"")
    return socket


def without_curve(site, kind):
    socket = site.context.socket(kind)
    socket.set(zmq.LINGER, 0)
    socket.connect(live_of(site) if kind == zmq.SUB else site.sockets.endpoint)
    if kind == zmq.SUB:
        socket.set(zmq.SUBSCRIBE, b"")
    return socket


async def is_served(site):
    link = PatientLink(site.context, site.sockets.endpoint, KEYS.client(KEYS.console), ONE_TRY)
    try:
        return (await link.request("PING", {})).verb == "PONG"
    finally:
        link.close()


@pytest.mark.parametrize(
    ("knock", "reason"),
    [
        (lambda site: subscriber(site, KEYS.client(KEYS.stranger)), "key-unknown"),
        (lambda site: subscriber(site, ClientSecurity(KEYS.console, KEYS.stranger.public)), "wrong-server-key"),
        (lambda site: without_curve(site, zmq.SUB), "no-curve"),
        (lambda site: without_curve(site, zmq.DEALER), "no-curve"),
    ],
    ids=["unknown key", "another server expected", "no encryption on LIVE", "no encryption on SYNC"],
)
def test_a_stranger_hears_nothing_and_is_counted_while_others_are_served(tmp_path, knock, reason):
    async def law():
        async with gated_site(tmp_path, KEYS) as site:
            known = subscriber(site, KEYS.client(KEYS.console))
            async with asyncio.timeout(40):
                await known.recv_multipart()
            stranger = knock(site)
            (body, *_) = await site.audited("peer-refused")
            # A client without encryption may see the mismatch first and hang up before the site does.
            assert body.event.params["reason"] in ((reason, "handshake-failed") if reason == "no-curve" else (reason,))
            assert body.event.params.get("key") == (fingerprint(KEYS.stranger.public) if reason == "key-unknown" else None)
            assert await is_served(site)
            assert not await stranger.poll(1200)
            assert await known.poll(40_000)
            stranger.close(0)

    asyncio.run(law())


def told_of(bodies):
    """How many refusals some rows tell of."""
    return sum(body.event.params["count"] for body in bodies)


def test_a_flood_of_unknown_keys_costs_a_bounded_number_of_rows_and_loses_no_count(tmp_path):
    async def law():
        clock = ManualClock()
        async with gated_site(tmp_path, KEYS, clock=clock) as site:
            knocks = 120
            for _ in range(knocks):
                site.gate.journal.refused("key-unknown", fingerprint(a_key_pair("x").public))
            await site.audited("peer-refused")
            await asyncio.sleep(0.6)
            clock.advance(EVERY_S)
            async with asyncio.timeout(40):
                while told_of(told := await site.audits("peer-refused")) < knocks:  # noqa: ASYNC110 - what is waited for is in the ledger
                    await asyncio.sleep(0.05)
            assert len(told) <= 10
            assert told_of(told) == knocks

    asyncio.run(law())


def test_whoever_is_let_in_is_journalled_once_a_day(tmp_path):
    async def law():
        clock = ManualClock()
        async with gated_site(tmp_path, KEYS, clock=clock) as site:
            for _ in range(3):
                assert await is_served(site)
            (body,) = await site.audited("peer-admitted")
            assert body.event.params == {"consumer": "console-1", "role": "console", "key": fingerprint(KEYS.console.public)}
            clock.advance(86_400)
            assert await is_served(site)
            assert len(await site.audited("peer-admitted", count=2)) == 2

    asyncio.run(law())


def test_no_address_of_a_peer_is_in_the_journal(tmp_path):
    async def law():
        async with gated_site(tmp_path, KEYS) as site:
            stranger = subscriber(site, KEYS.client(KEYS.stranger))
            assert await is_served(site)
            await site.audited("peer-refused")
            await site.audited("peer-admitted")
            assert all(b"127.0.0.1" not in row.body for row in await site.rows())
            stranger.close(0)

    asyncio.run(law())
