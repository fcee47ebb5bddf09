"""The one hot reload, over real sockets with CURVE: who is put out hears nothing more, and nobody else loses a fact."""

import asyncio
import dataclasses
import functools
import itertools
import json
import threading
import time
from datetime import timedelta

import pytest
import zmq

from edge_agent.console.client import ConsoleClient, SeenFact, Site
from edge_agent.errors import NotAllowed, PeerSilent
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import a_scan_id, an_assessment
from edge_agent.testing.gated_site import gated_site
from edge_agent.testing.loopback import ONE_TRY, Keyring, PatientLink
from edge_agent.transport.keys import Consumer, Role
from edge_agent.transport.sockets import connect
from edge_agent.wire.frames import Envelope, decode_envelope, encode_envelope

KEYS = Keyring()
CONSOLE, HQ = KEYS.consumers()
PATIENCE_S = 40.0


class MovedClock(SystemClock):
    """The system's clock, ahead by as much as a test says."""

    ahead = timedelta()

    def now(self):
        return super().now() + self.ahead


def in_loop(test):
    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def live_of(site):
    return site.sockets._door._publisher.endpoint


def listening(site, pair):
    """A SUB socket on LIVE that hears everything."""
    socket = connect(site.context, zmq.SUB, live_of(site), KEYS.client(pair))
    socket.set(zmq.SUBSCRIBE, b"")
    return socket


async def hears(socket, within_s=PATIENCE_S):
    async with asyncio.timeout(within_s):
        return await socket.recv_multipart()


async def until(holds, within_s=PATIENCE_S):
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for is a file, or another task's value
            await asyncio.sleep(0.02)


async def falls_silent(socket):
    """Tell whether nothing more is heard for longer than a heartbeat takes, sooner or later."""
    async with asyncio.timeout(PATIENCE_S):
        while await socket.poll(1500):
            await socket.recv_multipart()
    return True


async def hears_facts_again(site, socket):
    """Tell whether facts are heard, sooner or later: those that are committed before it has connected anew are lost on LIVE."""
    async with asyncio.timeout(PATIENCE_S):
        for number in itertools.count():
            await site.add(an_assessment(a_scan_id(f"again {number}")))
            while await socket.poll(500):
                if (await socket.recv_multipart())[0].endswith(b"/assessment/"):
                    return True
    return False


def asking(site, pair):
    return PatientLink(site.context, site.sockets.endpoint, KEYS.client(pair), ONE_TRY)


@in_loop
async def test_a_revoked_console_hears_nothing_more_and_the_others_go_on(folder):
    async with gated_site(folder, KEYS) as site:
        revoked, kept = listening(site, KEYS.console), listening(site, KEYS.collector)
        await hears(revoked)
        await hears(kept)
        site.enrol([HQ])
        await site.audited("key-revoked")
        assert await falls_silent(revoked)
        assert await hears_facts_again(site, kept)
        assert not await revoked.poll(500)
        (body,) = await site.audits("key-revoked")
        assert (body.event.params["consumer"], body.event.params["role"]) == ("console-1", "console")


@in_loop
async def test_a_revoked_console_is_out_although_the_ledger_is_busy(folder):
    async with gated_site(folder, KEYS) as site:
        revoked, done = listening(site, KEYS.console), threading.Event()
        await hears(revoked)
        busy = asyncio.create_task(site.ledger.lane.run(done.wait, 50))
        try:
            site.gate.journal.refused("key-unknown", "")
            await until(lambda: site.gate.journal._waiting)  # a decision waits for the ledger
            site.enrol([HQ])
            await until(lambda: site.gate.admission.allowed.consumers == (HQ,))
            assert await falls_silent(revoked), "heartbeats still come"
        finally:
            done.set()
            await busy
        await site.audited("key-revoked")


@in_loop
async def test_whoever_stays_enrolled_is_handed_every_fact_once_and_in_order_through_the_kick(folder):
    async with gated_site(folder, KEYS) as site:
        client = ConsoleClient(site.context, Site(site.sockets.endpoint, KEYS.client(KEYS.collector)), SystemClock())
        seen = []

        async def watch():
            async for event in client.events():
                seen.extend([event.seq] if isinstance(event, SeenFact) else [])

        watching = asyncio.create_task(watch())
        other = listening(site, KEYS.console)
        await hears(other)
        for number in range(60):
            if number == 20:
                site.enrol([HQ])
            await site.add(an_assessment(a_scan_id(str(number))))
            await asyncio.sleep(0.02)
        await site.audited("key-revoked")
        head = (await site.ledger.head()).seq
        async with asyncio.timeout(PATIENCE_S):
            while not seen or seen[-1] < head:
                await asyncio.sleep(0.02)
                head = (await site.ledger.head()).seq
        assert seen == list(range(1, head + 1))
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        client.close()


@in_loop
async def test_a_key_that_expires_while_it_is_connected_is_put_out_at_that_moment(folder):
    clock = MovedClock()
    end = clock.now() + timedelta(hours=1)
    async with gated_site(folder, KEYS, [dataclasses.replace(CONSOLE, not_after=end), HQ], clock) as site:
        leaving = listening(site, KEYS.console)
        await hears(leaving)
        clock.ahead = timedelta(hours=1)
        (body,) = await site.audited("key-expired")
        assert body.produced_at >= end
        assert await falls_silent(leaving)
        with pytest.raises((NotAllowed, PeerSilent)):
            await asking(site, KEYS.console).request("PING", {}, 0.5)
        assert site.gate.expired() == ["console-1"]


@in_loop
async def test_a_long_poll_that_waits_when_its_key_is_revoked_brings_no_row(folder):
    async with gated_site(folder, KEYS) as site:
        socket = connect(site.context, zmq.DEALER, site.sockets.endpoint, KEYS.client(KEYS.console))
        await site.audited("peer-admitted", count=0)
        head = await site.ledger.head()
        await socket.send_multipart(encode_envelope(Envelope("PING", 1, {})))
        assert decode_envelope(await hears(socket)).verb == "PONG"
        await site.audited("peer-admitted")
        head = await site.ledger.head()
        asked = {"epoch": head.epoch.hex(), "after": head.seq, "wait_ms": 20_000}
        await socket.send_multipart(encode_envelope(Envelope("PULL", 2, asked)))
        await asyncio.sleep(0.1)
        site.enrol([HQ])
        reply = decode_envelope(await hears(socket))  # the row about the revocation itself wakes the poll
        assert (reply.verb, reply.content["code"], reply.rows) == ("ERR", "not-allowed", ())


@in_loop
async def test_a_key_enrolled_while_the_daemon_runs_is_let_in_without_a_restart(folder):
    async with gated_site(folder, KEYS) as site:
        with pytest.raises((NotAllowed, PeerSilent)):
            await asking(site, KEYS.stranger).request("PING", {}, 0.5)
        site.enrol([CONSOLE, HQ, Consumer("console-2", KEYS.stranger.public, Role.ADMIN)])
        await site.audited("key-enrolled")
        link = asking(site, KEYS.stranger)
        assert (await link.request("PING", {})).verb == "PONG"
        with pytest.raises(NotAllowed, match="role"):
            await link.request("VERDICT", {})
        link.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2] + "[[[",
        lambda text: text.replace('role = "console"', 'role = "emperor"'),
        lambda text: text.replace(KEYS.console.public, "short"),
        lambda text: text.replace(KEYS.console.public, KEYS.collector.public),
        lambda text: text.replace("[site]", "[unknown-table]"),
        lambda _: "",
    ],
    ids=["no TOML", "unknown role", "no key", "key twice", "fault elsewhere", "empty"],
)
def test_a_faulty_file_leaves_the_old_list_in_force_and_says_so_until_it_is_mended(folder, damage):
    async def law():
        async with gated_site(folder, KEYS) as site:
            good = site.agent_toml.read_text()
            site.agent_toml.write_text(damage(good))
            (body,) = await site.audited("allow-list-unreadable")
            assert body.event.params["why"] == site.gate.problem in ("config-invalid", "config-unreadable")
            link = asking(site, KEYS.console)
            assert (await link.request("PING", {})).verb == "PONG"
            assert [one.name for one in site.gate.admission.allowed.consumers] == ["console-1", "hq"]
            site.agent_toml.write_text(good)
            await until(lambda: not site.gate.problem)
            link.close()

    asyncio.run(law())


@in_loop
async def test_a_file_that_vanishes_leaves_the_old_list_in_force(folder):
    async with gated_site(folder, KEYS) as site:
        site.agent_toml.unlink()
        await site.audited("allow-list-unreadable")
        assert site.gate.problem == "config-unreadable"
        link = asking(site, KEYS.console)
        assert (await link.request("PING", {})).verb == "PONG"
        link.close()


@in_loop
async def test_other_changes_wait_for_a_restart_and_the_daemon_says_which(folder):
    async with gated_site(folder, KEYS) as site:
        site.enrol([HQ], more="grace_s = 5.0\n")
        await site.audited("key-revoked")
        report = site.folder / "state/allow-list.json"
        await until(lambda: json.loads(report.read_text())["waits_for_restart"])
        told = json.loads(report.read_text())
        assert (told["waits_for_restart"], told["consumers"], told["problem"]) == (["grace_s"], ["hq"], "")


@in_loop
async def test_half_a_file_is_never_read(folder):
    async with gated_site(folder, KEYS) as site:
        good = site.agent_toml.read_text()
        until = time.monotonic() + 1.2
        while time.monotonic() < until:  # an editor that writes in place, slowly: every look sees another file
            site.agent_toml.write_text(good[: int(len(good) * 0.9)])
            await asyncio.sleep(0.03)
            site.agent_toml.write_text(good)
            await asyncio.sleep(0.03)
        await asyncio.sleep(0.6)
        assert await site.audits("key-revoked", "allow-list-unreadable") == []
