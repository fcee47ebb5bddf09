"""Outbound mode: the site connects to headquarters over CURVE, is asked there as on SYNC, and comes back after every kind of loss."""

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_agent.collector.archive.store import Archive
from edge_agent.collector.puller import Pace
from edge_agent.collector.serve import Board, Followed, follow
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import NotAllowed, PeerSilent, UnknownBlob
from edge_agent.ledger.ledger import Ledger
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import SITE, a_scan_id, an_assessment
from edge_agent.testing.loopback import ONE_TRY, Keyring, Setting, a_key_pair, loopback_site
from edge_agent.testing.proxy import tcp_proxy
from edge_agent.transport.context import open_context
from edge_agent.transport.keys import AllowList
from edge_agent.transport.link import SyncLink
from edge_agent.transport.reception import Reception
from edge_agent.wire.verbs import GREETING_ID, HelloRequest, Verb, content

ANY_PORT = "tcp://127.0.0.1:*"
OTHER = SiteId("other")
CLOCK = SystemClock()
HELLO = content(HelloRequest(client="collector", build="test"))
SOON_S = 40.0


def entries(count, start=0):
    return [an_assessment(a_scan_id(str(number))) for number in range(start, start + count)]


@dataclass
class Headquarters:
    """A reception in service. ``refusals``: of keys that are no site's."""

    reception: Reception
    refusals: list = field(default_factory=list)

    @property
    def endpoint(self):
        return self.reception.endpoint

    async def ask(self, verb=Verb.HELLO, body=HELLO, site=SITE, timeout_s=SOON_S):
        return (await self.reception.link(site).request(verb, body, timeout_s)).content


@asynccontextmanager
async def headquarters(keys, sites=None, endpoint=ANY_PORT):
    with open_context() as context:
        refusals = []
        sites = {keys.server.public: SITE} if sites is None else sites
        reception = Reception(context, endpoint, keys.collector, sites, refusals.append)
        serving = asyncio.create_task(reception.serve())
        try:
            yield Headquarters(reception, refusals)
            if serving.done():
                serving.result()
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            reception.close()


async def until(holds, within_s=SOON_S):
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for is a list that others append to
            await asyncio.sleep(0.02)


def run(law):
    asyncio.run(law())


@asynccontextmanager
async def collected(link, path, site=SITE):
    """Run the collector's own loop against a link until the block is left."""
    with Archive.open(path, CLOCK) as archive:
        board = Board([site], CLOCK, lambda _: None)
        pace = Pace(wait_ms=500, reply_s=1.0, pause_last_s=0.5)
        task = asyncio.create_task(follow([Followed(site, link)], archive, "hq", board, pace))
        try:
            yield board
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def is_level(site, board):
    head = (await site.ledger.head()).seq
    await until(lambda: board.states[0].durable >= head)


async def is_acknowledged(site):
    """The pull after the one that brought the last row acknowledges it."""
    head = (await site.ledger.head()).seq
    async with asyncio.timeout(SOON_S):
        while (held := (await site.ledger.call(Ledger.acknowledged)).get("hq")) is None or held.seq < head:  # noqa: ASYNC110 - in the ledger
            await asyncio.sleep(0.02)


async def assert_same_bytes(site, path):
    rows = await site.ledger.rows(Seq(0), 1000, 1 << 24)
    with Archive.read(path, CLOCK) as archive:
        assert list(archive.rows(SITE, rows[0].epoch)) == rows
    acknowledged = await site.ledger.call(Ledger.acknowledged)
    assert acknowledged["hq"].seq == rows[-1].seq
    return len(rows)


@pytest.mark.parametrize("mode", ["inbound", "outbound"])
def test_in_both_modes_the_archive_is_the_journal_byte_for_byte_and_acknowledged(tmp_path: Path, mode) -> None:
    async def law():
        keys = Keyring()
        async with headquarters(keys) as hq:
            outbound = hq.endpoint if mode == "outbound" else ""
            async with loopback_site(tmp_path, Setting(keys, outbound=outbound)) as site:
                link = hq.reception.link(SITE) if outbound else SyncLink(site.context, site.sync, keys.client(keys.collector), ONE_TRY)
                async with collected(link, tmp_path / "archive.db") as board:
                    await site.add(*entries(700))
                    await is_level(site, board)
                    await site.add(*entries(5, 700))
                    await is_level(site, board)
                    await is_acknowledged(site)
                assert 705 == await assert_same_bytes(site, tmp_path / "archive.db")
                if mode == "inbound":
                    link.close()

    run(law)


def test_over_cuts_silence_and_restarts_of_either_side_the_archive_is_the_journal(tmp_path: Path) -> None:
    async def law():
        keys = Keyring()
        async with tcp_proxy() as line:
            setting = Setting(keys, outbound=line.endpoint)
            async with headquarters(keys) as hq, loopback_site(tmp_path, setting) as site:
                line.target = endpoint = hq.endpoint
                async with collected(hq.reception.link(SITE), tmp_path / "archive.db") as board:
                    await site.add(*entries(3))
                    await is_level(site, board)
                    line.cut()
                    await site.add(*entries(3, 3))
                    await is_level(site, board)
                    line.is_open = False
                    await site.add(*entries(3, 6))
                    await asyncio.sleep(1.0)
                    line.is_open = True
                    await is_level(site, board)
            line.cut()
            async with headquarters(keys, endpoint=endpoint) as hq, loopback_site(tmp_path, setting) as site:
                async with collected(hq.reception.link(SITE), tmp_path / "archive.db") as board:
                    await site.add(*entries(3, 9))
                    await is_level(site, board)
                    await is_acknowledged(site)
                assert 12 == await assert_same_bytes(site, tmp_path / "archive.db")

    run(law)


def test_a_site_outlives_a_restart_of_headquarters_and_is_asked_again(tmp_path: Path) -> None:
    async def law():
        keys = Keyring()
        async with tcp_proxy() as line, loopback_site(tmp_path, Setting(keys, outbound=line.endpoint)) as site:
            for _ in range(2):
                async with headquarters(keys) as hq:
                    line.target = hq.endpoint
                    assert (await hq.ask())["site"] == SITE
                    await until(lambda: site.outbound_told[-1:] == [""])
                line.cut()

    run(law)


def test_every_verb_of_both_sockets_is_answered_over_the_one_line_under_the_role_of_the_consumer(tmp_path: Path) -> None:
    async def law():
        keys = Keyring()
        async with headquarters(keys) as hq, loopback_site(tmp_path, Setting(keys, outbound=hq.endpoint)) as site:
            await site.add(*entries(2))
            hello = await hq.ask()
            assert (hello["you"]["name"], hello["you"]["role"], hello["you"]["durable"]) == ("hq", "collector", True)
            assert (await hq.ask(Verb.PING, {}))["head"] == 2
            assert (await hq.ask(Verb.SNAP, {"last": 5}))["n"] == 2
            with pytest.raises(UnknownBlob):
                await hq.ask(Verb.BLOB, {"sha256": "ab" * 32, "offset": 0, "length": 10})
            wait = {"epoch": hello["epoch"], "after": 2, "max": 5, "max_bytes": 1000, "wait_ms": 30_000}
            polling = asyncio.create_task(hq.ask(Verb.PULL, wait))
            assert (await hq.ask(Verb.PING, {}))["head"] == 2  # a long poll holds up nobody
            await site.add(*entries(1, 2))
            assert (await polling)["n"] == 1

    run(law)


def test_a_site_whose_key_headquarters_does_not_know_is_refused_and_says_why(tmp_path: Path) -> None:
    async def law():
        keys = Keyring()
        async with headquarters(keys, sites={}) as hq, loopback_site(tmp_path, Setting(keys, outbound=hq.endpoint)) as site:
            await until(lambda: site.outbound_told)
            assert site.outbound_told[0] == NotAllowed.code
            assert hq.refusals[0].reason == "key-unknown"
            with pytest.raises(PeerSilent):
                await hq.ask(timeout_s=0.2)

    run(law)


def test_a_site_speaks_to_nobody_but_the_key_of_its_consumer(tmp_path: Path) -> None:
    async def law():
        keys = Keyring()
        impostor = Keyring(server=keys.server, collector=a_key_pair("impostor"))
        async with headquarters(impostor) as hq, loopback_site(tmp_path, Setting(keys, outbound=hq.endpoint)) as site:
            await until(lambda: site.outbound_told)
            assert site.outbound_told[0] == PeerSilent.code
            with pytest.raises(PeerSilent):
                await hq.ask(timeout_s=0.2)

    run(law)


def test_a_site_cannot_speak_for_another(tmp_path: Path) -> None:
    async def law():
        keys = Keyring()
        others = {keys.server.public: OTHER}  # the site says that it is SITE
        async with headquarters(keys, others) as hq, loopback_site(tmp_path, Setting(keys, outbound=hq.endpoint)) as site:
            await until(lambda: site.outbound_told)
            assert site.outbound_told[0] == NotAllowed.code
            for name in (SITE, OTHER):
                with pytest.raises(PeerSilent):
                    await hq.ask(site=name, timeout_s=0.2)

    run(law)


def test_headquarters_that_is_revoked_at_the_site_is_answered_no_more(tmp_path: Path) -> None:
    async def law():
        keys = Keyring()
        async with headquarters(keys) as hq, loopback_site(tmp_path, Setting(keys, outbound=hq.endpoint)) as site:
            await hq.ask()
            site.admission.replace(AllowList(keys.consumers()[:1]))
            with pytest.raises((NotAllowed, PeerSilent)):
                await hq.ask(timeout_s=1.0)
            await until(lambda: site.outbound_told[-1] == NotAllowed.code)
            site.admission.replace(AllowList(keys.consumers()))
            assert (await hq.ask())["site"] == SITE

    run(law)


def test_the_greeting_has_a_number_that_no_request_has() -> None:
    with open_context() as context:
        reception = Reception(context, ANY_PORT, Keyring().collector, {}, lambda _: None)
        try:
            assert next(reception._numbers) > GREETING_ID
        finally:
            reception.close()
