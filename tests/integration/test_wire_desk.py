"""The desk over real sockets with CURVE and a real ledger: who gets an answer, which one, and that no request ends the service."""

import asyncio
import time
import uuid
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import zmq

from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.errors import (
    DiskLow,
    Diverged,
    EpochChanged,
    FreeTextRefused,
    LedgerDamaged,
    MalformedMessage,
    NotAllowed,
    PeerError,
    PeerFailed,
    PeerSilent,
    ReasonRequired,
    TooLarge,
    UnknownScan,
    UnsupportedVersion,
)
from edge_agent.ledger.ledger import Ledger
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import a_scan_id, a_set_aside, an_assessment, an_audit
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.transport.keys import Consumer, Role
from edge_agent.transport.link import Retry, SyncLink
from edge_agent.transport.sockets import ClientSecurity, InsecureLoopback, connect
from edge_agent.wire.chain import first_break
from edge_agent.wire.frames import Envelope, decode_envelope, encode_envelope
from edge_agent.wire.messages import ReferralBody, VerdictBody, decode

SCAN = a_scan_id("a")


@asynccontextmanager
async def asking(folder, who="console", setting=None):
    async with loopback_site(folder, setting) as site:
        yield site, site.link(getattr(site.keys, who))


def in_loop(law):
    """Run an asynchronous test in a loop of its own."""

    def test(tmp_path):
        asyncio.run(law(tmp_path))

    test.__name__ = law.__name__
    return test


async def hello(link):
    return (await link.request("HELLO", {"client": "test", "build": "0"})).content


async def pull(link, **change):
    greeting = await hello(link)
    content = {"epoch": greeting["epoch"], "after": 0, "hash": greeting["epoch"], **change}
    return await link.request("PULL", content)


def verdict(**change):
    officer = {"officer": "Officer  7", "at": SystemClock().now().isoformat()}
    return {"verdict_id": str(uuid.uuid4()), "scan_id": SCAN, "revision": 1, "conclusion": "suspicious", **officer, **change}


async def refused_in(link, verb, content, expected):
    with pytest.raises(expected) as refused:
        await link.request(verb, content)
    return refused.value


# Who gets in


@in_loop
async def test_an_enrolled_console_is_told_who_and_where_it_is(folder):
    async with asking(folder) as (site, link):
        await site.add(an_assessment(SCAN))
        greeting = await hello(link)
        assert (greeting["site"], greeting["head"], greeting["first"], greeting["live"]) == ("harbour", 1, 1, site.live)
        assert greeting["you"] == {"name": "console-1", "role": "console", "durable": False, "supervisors": False, "controls": False}
        assert greeting["blob"] == site.blob
        assert greeting["first_hash"] == greeting["epoch"]


@in_loop
async def test_a_key_that_is_not_enrolled_is_refused_in_the_handshake(folder):
    async with asking(folder, "stranger") as (site, link):
        await refused_in(link, "PING", {}, NotAllowed)
        assert [(refusal.domain, refusal.reason) for refusal in site.refusals] == [("sync", "key-unknown")]


@in_loop
async def test_a_client_without_curve_gets_no_answer(folder):
    async with loopback_site(folder) as site:
        link = SyncLink(site.context, site.sync, InsecureLoopback(), Retry(attempts=1))
        with pytest.raises(PeerSilent):
            await link.request("PING", {}, timeout_s=0.4)


@in_loop
async def test_a_client_that_pinned_another_server_key_gets_no_answer(folder):
    async with loopback_site(folder) as site:
        security = ClientSecurity(site.keys.console, site.keys.stranger.public)
        link = SyncLink(site.context, site.sync, security, Retry(attempts=1))
        with pytest.raises(PeerSilent):
            await link.request("PING", {}, timeout_s=0.4)


@in_loop
async def test_without_a_zap_provider_nobody_gets_in(folder):
    async with asking(folder, setting=Setting(has_zap=False)) as (_, link):
        with pytest.raises((PeerSilent, NotAllowed)):
            await link.request("PING", {}, timeout_s=0.4)


@in_loop
async def test_a_key_that_expires_while_connected_is_refused_on_its_next_request(folder):
    clock, keys = ManualClock(), Keyring()
    end = clock.now() + timedelta(minutes=1)
    consumers = [Consumer("console-1", keys.console.public, Role.CONSOLE, not_after=end)]
    async with asking(folder, setting=Setting(keys, consumers, clock=clock)) as (_, link):
        await link.request("PING", {})
        clock.advance(61)
        await refused_in(link, "PING", {}, NotAllowed)


@in_loop
async def test_an_insecure_site_answers_on_loopback_and_nobody_acknowledges(folder):
    async with loopback_site(folder, Setting(is_insecure=True)) as site:
        link = SyncLink(site.context, site.sync, InsecureLoopback())
        assert (await hello(link))["you"]["durable"] is False
        greeting = await hello(link)
        content = {"epoch": greeting["epoch"], "after": 0, "hash": greeting["epoch"], "durable": "insecure-loopback"}
        await refused_in(link, "PULL", content, NotAllowed)


# What is answered


@in_loop
async def test_a_pull_brings_the_rows_as_they_are_stored_with_a_chain_that_verifies(folder):
    async with asking(folder) as (site, link):
        await site.add(*(an_assessment(a_scan_id(name)) for name in "abcde"))
        batch = await pull(link, max=3)
        assert (batch.content["n"], batch.content["head"], len(batch.rows)) == (3, 5, 3)
        assert list(batch.rows) == await site.ledger.rows(0, 3, 1 << 20)
        assert first_break(batch.rows, batch.rows[0].epoch, 0) is None


@in_loop
async def test_a_pull_goes_on_from_a_cursor_and_ends_empty_at_the_head(folder):
    async with asking(folder) as (site, link):
        await site.add(an_assessment(SCAN), an_audit())
        first = (await pull(link, max=1)).rows[0]
        second = await pull(link, after=1, hash=first.hash.hex())
        assert [row.seq for row in second.rows] == [2]
        assert not (await pull(link, after=2, hash=second.rows[0].hash.hex())).rows


@in_loop
async def test_a_long_poll_returns_with_the_row_as_soon_as_it_is_committed(folder):
    async with asking(folder) as (site, link):
        waiting = asyncio.create_task(pull(link, wait_ms=25_000))
        await asyncio.sleep(0.15)
        assert not waiting.done()
        started = time.monotonic()
        await site.add(an_assessment(SCAN))
        assert [row.seq for row in (await waiting).rows] == [1]
        assert time.monotonic() - started < 20  # of the 25 that it would have waited


@in_loop
async def test_a_long_poll_ends_empty_after_its_time(folder):
    async with asking(folder) as (_, link):
        started = time.monotonic()
        assert not (await pull(link, wait_ms=200)).rows
        assert time.monotonic() - started >= 0.2


@in_loop
async def test_a_long_poll_holds_up_no_other_request(folder):
    async with asking(folder) as (site, link):
        waiting = asyncio.create_task(pull(link, wait_ms=25_000))
        await asyncio.sleep(0.1)
        await site.link(site.keys.collector).request("PING", {})
        assert not waiting.done()
        waiting.cancel()


@in_loop
async def test_a_cursor_of_another_epoch_or_of_other_rows_is_told_apart(folder):
    async with asking(folder) as (site, link):
        await site.add(an_assessment(SCAN))
        epoch = (await hello(link))["epoch"]
        changed = await refused_in(link, "PULL", {"epoch": "0" * 32, "after": 0}, EpochChanged)
        assert changed.fields["epoch"] == epoch
        await refused_in(link, "PULL", {"epoch": epoch, "after": 1, "hash": "0" * 64}, Diverged)
        await refused_in(link, "PULL", {"epoch": epoch, "after": 9, "hash": "0" * 64}, Diverged)


@in_loop
async def test_no_common_version_is_refused(folder):
    async with asking(folder) as (_, link):
        await refused_in(link, "HELLO", {"client": "test", "build": "9", "proto": [2, 3]}, UnsupportedVersion)


# Acknowledging


@in_loop
async def test_a_durable_pull_of_the_collector_acknowledges_under_its_enrolled_name(folder):
    async with asking(folder, "collector") as (site, link):
        await site.add(an_assessment(SCAN))
        row = (await pull(link)).rows[0]
        assert not await site.ledger.call(Ledger.acknowledged)
        await pull(link, after=1, hash=row.hash.hex(), durable="hq")
        acknowledged = await site.ledger.call(Ledger.acknowledged)
        assert {name: place.seq for name, place in acknowledged.items()} == {"hq": 1}


@in_loop
async def test_nobody_else_acknowledges(folder):
    async with asking(folder) as (site, link):
        await site.add(an_assessment(SCAN))
        place = {"epoch": (await hello(link))["epoch"], "after": 1, "hash": (await pull(link)).rows[0].hash.hex()}
        collector = site.link(site.keys.collector)
        await refused_in(link, "PULL", {**place, "durable": "hq"}, NotAllowed)
        await refused_in(link, "PULL", {**place, "durable": "console-1"}, NotAllowed)
        await refused_in(collector, "PULL", {**place, "durable": "console-1"}, NotAllowed)
        await refused_in(collector, "PULL", {"epoch": place["epoch"], "after": 1, "durable": "hq"}, MalformedMessage)
        await refused_in(collector, "PULL", {**place, "hash": "0" * 64, "durable": "hq"}, Diverged)
        assert not await site.ledger.call(Ledger.acknowledged)


# Verdicts


@in_loop
async def test_a_verdict_is_answered_once_it_is_in_the_journal_with_a_token_for_the_officer(folder):
    async with asking(folder) as (site, link):
        await site.add(an_assessment(SCAN, conclusion="alert"))
        asked = verdict()
        reply = await link.request("VERDICT", asked)
        (row,) = await site.ledger.rows(1, 10, 1 << 20)
        body = decode(row.body)
        (token,) = await site.ledger.tokenise([IdentityValue(IdentityClass.OFFICER, "Officer 7")])
        assert isinstance(body, VerdictBody)
        assert (reply.verb, reply.content) == ("OK", {"seq": 2, "fact_id": body.fact_id})
        assert (body.cause, body.workstation, body.officer, body.scanner) == (asked["verdict_id"], "console-1", token.token, "gate-1")
        assert b"Officer" not in row.body
        assert row.topic == "ei1/harbour/gate-1/verdict/"


@in_loop
async def test_a_verdict_sent_again_is_one_fact_whatever_was_concluded_since(folder):
    async with asking(folder) as (site, link):
        await site.add(an_assessment(SCAN))
        asked = verdict(conclusion="not-suspicious")
        first = await link.request("VERDICT", asked)
        await site.add(an_assessment(SCAN, revision=2, conclusion="alert"))
        assert (await link.request("VERDICT", asked)).content == first.content
        both = await asyncio.gather(*(site.link(site.keys.console).request("VERDICT", asked) for _ in range(4)))
        assert [reply.content for reply in both] == [first.content] * 4
        assert (await site.ledger.head()).seq == 3


@in_loop
async def test_the_same_verdict_from_many_links_at_once_is_one_fact(folder):
    async with loopback_site(folder) as site:
        await site.add(an_assessment(SCAN))
        asked = verdict()
        replies = await asyncio.gather(*(site.link(site.keys.console).request("VERDICT", asked) for _ in range(6)))
        assert {reply.content["seq"] for reply in replies} == {2}


@in_loop
async def test_against_an_alert_a_reason_is_required_and_then_enough(folder):
    async with asking(folder) as (site, link):
        await site.add(an_assessment(SCAN, conclusion="alert"))
        asked = verdict(conclusion="not-suspicious")
        await refused_in(link, "VERDICT", asked, ReasonRequired)
        assert (await site.ledger.head()).seq == 1
        await link.request("VERDICT", {**asked, "reasons": [{"code": "documents-checked"}]})
        assert (await site.ledger.head()).seq == 2


@in_loop
async def test_only_assessed_scans_and_revisions_can_be_judged(folder):
    async with asking(folder) as (site, link):
        await site.add(an_assessment(SCAN), a_set_aside(a_scan_id("b")))
        for change in ({"scan_id": str(uuid.uuid4())}, {"revision": 2}, {"scan_id": a_scan_id("b")}):
            await refused_in(link, "VERDICT", verdict(**change), UnknownScan)
        assert (await site.ledger.head()).seq == 2


@in_loop
async def test_a_scan_passed_on_is_a_referral_and_no_verdict(folder):
    async with asking(folder) as (site, link):
        await site.add(an_assessment(SCAN, conclusion="alert"))
        asked = verdict(conclusion="refer")
        await link.request("VERDICT", asked)
        await link.request("VERDICT", asked)
        (row,) = await site.ledger.rows(1, 10, 1 << 20)
        body = decode(row.body)
        assert isinstance(body, ReferralBody)
        assert (body.reason.code, body.workstation, row.topic) == ("passed-on", "console-1", "ei1/harbour/gate-1/referral/")


@in_loop
async def test_free_text_never_enters_the_journal(folder):
    async with asking(folder) as (site, link):
        await site.add(an_assessment(SCAN))
        reasons = [{"code": "documents-checked", "params": {"note": "spoke with Mr Nobody"}}]
        problem = await refused_in(link, "VERDICT", verdict(reasons=reasons), FreeTextRefused)
        assert "Nobody" not in problem.detail
        assert (await site.ledger.head()).seq == 1


# Nothing ends the service


def hostile_frames():
    ping = encode_envelope(Envelope("PING", 7, {}))
    deep = b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    return [
        [b""],
        [b"PING"],
        [b"PING", b"\0" * 7, b"{}"],
        [b"PING", b"\0" * 8, b"{"],
        [b"PING", b"\0" * 8, b"[]"],
        [b"PING", b"\0" * 8, b"\xff\xfe"],
        [b"PING", b"\0" * 8, deep],
        [b"PING", b"\0" * 8, b'{"a":"' + b"x" * 300_000 + b'"}'],
        [b"\xff" * 4, b"\0" * 8, b"{}"],
        [b"P" * 5000, b"\0" * 8, b"{}"],
        [*ping, b"row of one frame"],
        [*ping, b"h" * 40, b"body", b"short"],
        [b"", *ping],
        [b"PULL", b"\0" * 8, b'{"epoch":"' + b"0" * 32 + b'","after":NaN}'],
        [b"BATCH", b"\0" * 8, b"{}"],
    ]


@in_loop
async def test_every_malformed_request_gets_its_refusal_and_the_desk_goes_on(folder):
    async with asking(folder) as (site, link):
        socket = connect(site.context, zmq.DEALER, site.sync, site.keys.client(site.keys.console))
        for frames in hostile_frames():
            await socket.send_multipart(frames)
            reply = decode_envelope(await asyncio.wait_for(socket.recv_multipart(), 40))
            assert reply.verb == "ERR"
            assert reply.content["code"] in ("malformed", "too-large", "epoch")
            await link.request("PING", {})
        assert len(site.troubles) == len(hostile_frames())
        assert not [trouble.problem for trouble in site.troubles if trouble.problem]


@in_loop
async def test_a_frame_over_the_limit_ends_that_connection_and_no_other(folder):
    async with asking(folder) as (site, link):
        await link.request("PING", {})
        socket = connect(site.context, zmq.DEALER, site.sync, site.keys.client(site.keys.collector))
        await socket.send_multipart([b"PING", b"\0" * 8, b"x" * ((1 << 20) + 4096)])
        assert not await socket.poll(400)
        await link.request("PING", {})


@in_loop
async def test_a_fault_of_ours_is_told_as_such_without_its_text_and_the_desk_goes_on(folder):
    async def answer(_peer, request):
        if request.verb == "PING":
            return Envelope("PONG", request.request_id, {})
        raise ZeroDivisionError("a secret path")

    async with asking(folder, setting=Setting(answer=answer)) as (site, link):
        problem = await refused_in(link, "HELLO", {}, PeerFailed)
        assert "secret" not in problem.detail
        assert [type(trouble.problem) for trouble in site.troubles] == [ZeroDivisionError]
        await link.request("PING", {})


@in_loop
async def test_a_ledger_that_is_damaged_ends_the_service_and_answers_nobody(folder):
    asked = asyncio.Event()

    async def answer(_peer, _request):
        asked.set()
        raise LedgerDamaged("a page does not verify")

    async def serve_and_ask():
        async with asking(folder, setting=Setting(answer=answer)) as (_, link):
            while not asked.is_set():
                with pytest.raises(PeerSilent):
                    await link.request("PING", {}, timeout_s=1.0)

    with pytest.raises(ExceptionGroup) as ended:
        await serve_and_ask()
    assert isinstance(ended.value.exceptions[0], LedgerDamaged)


@in_loop
async def test_a_full_disk_is_told_as_such_and_the_desk_goes_on(folder):
    async def answer(_peer, request):
        if request.verb == "PING":
            return Envelope("PONG", request.request_id, {})
        raise DiskLow("no space for a verdict")

    async with asking(folder, setting=Setting(answer=answer)) as (_, link):
        problem = await refused_in(link, "VERDICT", verdict(), PeerError)
        assert problem.fields["code"] == "disk-low"
        await link.request("PING", {})


@in_loop
async def test_a_peer_with_too_many_waiting_requests_is_refused_and_others_are_not(folder):
    async with asking(folder, "collector") as (site, link):
        epoch = (await hello(link))["epoch"]
        socket = connect(site.context, zmq.DEALER, site.sync, site.keys.client(site.keys.console))
        for number in range(12):
            content = {"epoch": epoch, "after": 0, "wait_ms": 30_000}
            await socket.send_multipart(encode_envelope(Envelope("PULL", number, content)))
        replies = [decode_envelope(await asyncio.wait_for(socket.recv_multipart(), 25)) for _ in range(4)]
        assert [reply.content["code"] for reply in replies] == [TooLarge.code] * 4
        await link.request("PING", {})


@in_loop
async def test_a_peer_that_leaves_before_its_answer_harms_nobody(folder):
    async with asking(folder) as (site, link):
        epoch = (await hello(link))["epoch"]
        async with asyncio.timeout(60):
            while not site.troubles:  # on a busy machine a request may not even be there before its peer leaves
                other = site.link(site.keys.collector)
                with pytest.raises(PeerSilent):
                    await other.request("PULL", {"epoch": epoch, "after": 0, "wait_ms": 3000}, timeout_s=1.5)
                other.close()
                await asyncio.sleep(3.0)
        await link.request("PING", {})
        assert {trouble.code for trouble in site.troubles} == {"peer-gone"}
