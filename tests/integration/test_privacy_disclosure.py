"""Identifiers in clear over real sockets: by role and class, on request, with a row in the journal for each view."""

import asyncio
import functools

import pytest
import zmq

from edge_agent.domain.assessment import FactKind
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.errors import MalformedMessage, PeerError
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import a_scan_id, an_assessment
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.transport.keys import Consumer, Role
from edge_agent.transport.sockets import connect
from edge_agent.wire.identities import decode_identities
from edge_agent.wire.messages import AssessmentBody, IdentityPart, decode, encode
from edge_agent.wire.redaction import officer_identity

SCAN = a_scan_id("a")
CONTAINER = IdentityValue(IdentityClass.CONTAINER, "CANU1234560")
TRADER = IdentityValue(IdentityClass.TRADER, "Canary Trading Ltd")
VALUES = (CONTAINER, TRADER)
KEYS = Keyring()
WITH_ADMIN = [*KEYS.consumers(), Consumer("admin", KEYS.stranger.public, Role.ADMIN)]


def in_loop(test):
    @functools.wraps(test)
    def run(folder):
        asyncio.run(test(folder))

    return run


@pytest.fixture
def folder(tmp_path):
    return tmp_path


async def with_identities(site, scan=SCAN):
    """Journal an assessment that names two identifiers by token; give their tokens."""
    rows = await site.ledger.tokenise(VALUES)
    entry = an_assessment(scan)
    body = decode(entry.body)
    assert isinstance(body, AssessmentBody)
    parts = [IdentityPart(kind=row.kind.value, token=row.token, commitment=row.commitment) for row in rows]
    named = encode(body.model_copy(update={"identities": parts}))
    await site.add(Entry(entry.fact_id, entry.scan_id, FactKind.ASSESSMENT, entry.topic, named))
    return [row.token for row in rows]


async def pulled(site, pair, **more):
    link = site.link(pair)
    head = await site.ledger.head()
    reply = await link.request("PULL", {"epoch": head.epoch.hex(), "after": 0, **more})
    link.close()
    return reply


async def views(site):
    rows = await site.ledger.rows(0, 500, 1 << 24)
    bodies = [decode(row.body) for row in rows]
    return [body for body in bodies if body.kind == "audit" and body.event.code == "identities-viewed"]


@in_loop
async def test_a_console_is_shown_what_it_needs_and_no_name(folder):
    async with loopback_site(folder) as site:
        container, _ = await with_identities(site)
        reply = await pulled(site, site.keys.console, identities=True)
        (shown,) = decode_identities(reply.attachment)
        assert (shown.token, shown.kind, shown.value) == (container, "container", CONTAINER.value)
        assert all(value.value.encode() not in row.body for row in reply.rows for value in VALUES)


@in_loop
async def test_a_snapshot_shows_the_same(folder):
    async with loopback_site(folder) as site:
        await with_identities(site)
        reply = await site.link(site.keys.console).request("SNAP", {"identities": True})
        assert [shown.value for shown in decode_identities(reply.attachment)] == [CONTAINER.value]
        assert len(reply.rows) == 1


@in_loop
async def test_nothing_is_shown_that_was_not_asked_for(folder):
    async with loopback_site(folder) as site:
        await with_identities(site)
        assert (await pulled(site, site.keys.console)).attachment is None
        assert await views(site) == []


@in_loop
async def test_headquarters_and_administrators_are_shown_nothing_and_no_view_is_journalled(folder):
    async with loopback_site(folder, Setting(KEYS, WITH_ADMIN)) as site:
        await with_identities(site)
        for pair in (KEYS.collector, KEYS.stranger):
            assert decode_identities((await pulled(site, pair, identities=True)).attachment) == ()
        assert await views(site) == []


@in_loop
async def test_a_view_is_journalled_once_for_each_console_scan_and_hour_before_the_value_leaves(folder):
    clock = ManualClock()
    async with loopback_site(folder, Setting(clock=clock)) as site:
        await with_identities(site)
        await with_identities(site, a_scan_id("b"))
        for _ in range(3):
            await pulled(site, site.keys.console, identities=True)
        told = [(body.scan_id, body.event.params["consumer"], body.event.params["classes"]) for body in await views(site)]
        assert sorted(told) == sorted((scan, "console-1", "container") for scan in (SCAN, a_scan_id("b")))
        clock.advance(3600)
        await pulled(site, site.keys.console, identities=True)
        assert len(await views(site)) == 4


@in_loop
async def test_a_view_names_the_officer_by_the_token_that_decisions_carry(folder):
    async with loopback_site(folder, Setting(clock=ManualClock())) as site:
        await with_identities(site)
        for officer in ("amara", "chidi", "amara"):
            await pulled(site, site.keys.console, identities=True, officer=officer)
        await pulled(site, site.keys.console, identities=True)
        tokens = [row.token for row in await site.ledger.tokenise([officer_identity(name) for name in ("amara", "chidi")])]
        told = await views(site)
        assert [body.event.params.get("officer") for body in told] == [*tokens, None]
        assert all(name not in encode(body).decode() for body in told for name in ("amara", "chidi"))


@in_loop
async def test_an_officer_s_reference_that_is_none_is_refused_and_nothing_is_shown(folder):
    async with loopback_site(folder) as site:
        await with_identities(site)
        with pytest.raises(MalformedMessage):
            await pulled(site, site.keys.console, identities=True, officer="a\x00b")
        assert await views(site) == []


@in_loop
async def test_a_view_in_the_same_hour_is_one_fact_across_a_restart(folder):
    clock, keys = ManualClock(), Keyring()
    for _ in range(2):
        async with loopback_site(folder, Setting(keys, clock=clock)) as site:
            if not await views(site):
                await with_identities(site)
            await pulled(site, keys.console, identities=True)
            assert len(await views(site)) == 1


@in_loop
async def test_an_erased_value_is_shown_to_nobody_and_the_chain_verifies(folder):
    async with loopback_site(folder) as site:
        tokens = await with_identities(site)
        await site.ledger.call(Ledger.erase, tokens)
        reply = await pulled(site, site.keys.console, identities=True)
        assert decode_identities(reply.attachment) == ()
        assert await site.ledger.call(Ledger.verify) is None
        left = [path.name for path in folder.iterdir() if path.is_file() for value in VALUES if value.value.encode() in path.read_bytes()]
        assert left == []


@in_loop
async def test_the_officer_of_a_verdict_is_never_shown_to_a_console(folder):
    async with loopback_site(folder) as site:
        await with_identities(site)
        link = site.link(site.keys.console)
        asked = {"verdict_id": SCAN, "scan_id": SCAN, "revision": 1, "officer": "Officer Canary", "conclusion": "rescan"}
        await link.request("VERDICT", {**asked, "at": "2026-03-02T12:00:00Z"})
        reply = await pulled(site, site.keys.console, identities=True)
        assert [shown.kind for shown in decode_identities(reply.attachment)] == ["container"]
        assert all(b"Canary" not in row.body for row in reply.rows)


@in_loop
async def test_live_never_carries_a_value(folder):
    async with loopback_site(folder) as site:
        socket = connect(site.context, zmq.SUB, site.live, site.keys.client(site.keys.console))
        socket.set(zmq.SUBSCRIBE, b"")
        await socket.recv_multipart()
        await with_identities(site)
        await pulled(site, site.keys.console, identities=True)
        heard = []
        async with asyncio.timeout(40):
            while sum(frames[0].endswith(b"/") for frames in heard) < 2:  # the assessment, and the row about the view
                heard.append(await socket.recv_multipart())
        assert all(value.value.encode() not in b"".join(frames) for frames in heard for value in VALUES)


@in_loop
async def test_a_request_may_not_carry_values(folder):
    async with loopback_site(folder) as site:
        with pytest.raises(PeerError):
            await site.link(site.keys.console).request("PULL", {"epoch": "0" * 32, "after": 0, "identities": ["container"]})
