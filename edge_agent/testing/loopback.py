"""A site's wire side in the test's own process: real ledger, real sockets with CURVE on free loopback ports, no models."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

from edge_agent.agent.blob_desk import PictureDesk
from edge_agent.agent.desk import Answers, JournalDesk
from edge_agent.agent.feed import Feed
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.outbound import Headquarters, who_is
from edge_agent.agent.shelf import Shelf
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import SITE
from edge_agent.transport.context import open_context
from edge_agent.transport.desk import Peer, RouterDesk, Trouble
from edge_agent.transport.keys import Admission, AllowList, Consumer, KeyPair, Role
from edge_agent.transport.link import Retry, SyncLink
from edge_agent.transport.live import LivePublisher
from edge_agent.transport.outbound import DealerDesk
from edge_agent.transport.sockets import BLOB_DOMAIN, DOMAINS, ClientSecurity, Context, InsecureLoopback, ServerSecurity
from edge_agent.transport.zap import Refusal, ZapProvider
from edge_agent.wire.frames import Envelope
from edge_agent.wire.heartbeat import SiteState

ONE_TRY = Retry(attempts=1)
_PATIENCE_S = 30.0
ANY_PORT = "tcp://127.0.0.1:*"


def a_key_pair(name: str) -> KeyPair:
    """Give a new key pair that lies in no file."""
    public, secret = (half.decode() for half in zmq.curve_keypair())
    return KeyPair(name, public, secret)


@dataclass(frozen=True)
class Keyring:
    """The keys of a site and of the clients enrolled there, and of a stranger."""

    server: KeyPair = field(default_factory=lambda: a_key_pair("site"))
    console: KeyPair = field(default_factory=lambda: a_key_pair("console-1"))
    collector: KeyPair = field(default_factory=lambda: a_key_pair("hq"))
    stranger: KeyPair = field(default_factory=lambda: a_key_pair("stranger"))

    def consumers(self) -> list[Consumer]:
        """Give the allow-list: one console, one durable collector."""
        return [
            Consumer("console-1", self.console.public, Role.CONSOLE),
            Consumer("hq", self.collector.public, Role.COLLECTOR, durable=True),
        ]

    def client(self, pair: KeyPair) -> ClientSecurity:
        """Give how a client with ``pair`` connects."""
        return ClientSecurity(pair, self.server.public)


class PatientLink(SyncLink):
    """A link that waits long where a test does not say how long: a busy machine is no silent site."""

    async def request(self, verb: str, content: dict[str, Any], timeout_s: float = _PATIENCE_S) -> Envelope:
        return await super().request(verb, content, timeout_s)


@dataclass
class LoopbackSite:
    """A running site. ``context``: of the clients, which share nothing with the site's own."""

    keys: Keyring
    ledger: LedgerLane
    feed: Feed
    sync: str
    live: str
    blob: str
    state_dir: Path
    context: Context
    troubles: list[Trouble]
    refusals: list[Refusal]
    admission: Admission
    outbound_told: list[str]
    """Why headquarters was not reached, and an empty text each time it was heard."""
    links: list[SyncLink] = field(default_factory=list)

    async def add(self, *entries: Entry) -> list[Seq]:
        """Commit facts and ring the feed."""
        seqs = [(await self.ledger.append(entry)).seq for entry in entries]
        self.feed.ring()
        return seqs

    def link(self, pair: KeyPair, retry: Retry = ONE_TRY, endpoint: str = "") -> SyncLink:
        """Give a client link to SYNC, or to another ``endpoint`` of the site; its socket ends with the site."""
        link = PatientLink(self.context, endpoint or self.sync, self.keys.client(pair), retry)
        self.links.append(link)
        return link


def _healthy() -> SiteState:
    return SiteState(state="healthy")


@dataclass(frozen=True)
class Setting:
    """What a test may choose.

    ``answer`` replaces the journal's desk, ``consumers`` the allow-list, ``live_shown`` and ``blob_shown`` what HELLO tells.
    ``outbound``: where headquarters, the consumer ``hq``, listens for the site. ``state``: what heartbeats tell of the site's health.
    """

    keys: Keyring = field(default_factory=Keyring)
    consumers: Sequence[Consumer] | None = None
    site: SiteId = SITE
    sync: str = ANY_PORT
    live: str = ANY_PORT
    blob: str = ANY_PORT
    live_shown: str = ""
    blob_shown: str = ""
    next_key: str = ""
    is_insecure: bool = False
    has_zap: bool = True
    outbound: str = ""
    clock: Clock = field(default_factory=SystemClock)
    answer: Callable[[Peer, Envelope], Awaitable[Envelope]] | None = None
    state: Callable[[], SiteState] = _healthy


@asynccontextmanager
async def loopback_site(folder: Path, setting: Setting | None = None) -> AsyncIterator[LoopbackSite]:
    """Run a site over the ledger in ``folder``; everything is closed on leaving, and a failure of a loop is raised."""
    setting = setting or Setting()
    lane = Lane("ledger")
    ledger = await lane.run(Ledger.open, folder / "ledger.db", setting.site, setting.clock)
    try:
        with ExitStack() as stack:
            server, clients = stack.enter_context(open_context()), stack.enter_context(open_context())
            pictures = Lane("pictures")
            stack.callback(pictures.close)
            shelf = Shelf(BlobStore(folder / "blobs"), folder, pictures)
            stack.callback(shelf.close)
            stock = _Stock(LedgerLane(ledger, lane), shelf, folder)
            site, jobs = _built(setting, stock, server, clients)
            tasks = [asyncio.create_task(job) for job in jobs]
            try:
                yield site
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for link in site.links:
                    link.close()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await lane.run(ledger.close)
        lane.close()


@dataclass(frozen=True)
class _Stock:
    ledger: LedgerLane
    shelf: Shelf
    state_dir: Path


def _built(setting: Setting, stock: _Stock, server: Context, clients: Context) -> tuple[LoopbackSite, list[Coroutine[None, None, None]]]:
    troubles: list[Trouble] = []
    refusals: list[Refusal] = []
    keys = setting.keys
    admission = Admission(AllowList(keys.consumers() if setting.consumers is None else setting.consumers), setting.clock)
    security = InsecureLoopback() if setting.is_insecure else ServerSecurity(keys.server)
    jobs: list[Coroutine[None, None, None]] = []
    if setting.has_zap:
        jobs.append(ZapProvider(server, admission, DOMAINS, refusals.append).serve())
    publisher = LivePublisher(server, setting.site, setting.live, security)
    desk = RouterDesk(server, setting.sync, security, admission, troubles.append)
    blob = RouterDesk(server, setting.blob, security, admission, troubles.append, BLOB_DOMAIN)
    feed = Feed(stock.ledger, publisher, setting.clock, setting.state, durable=lambda: admission.allowed.durable)
    answers = Answers(setting.site, setting.live_shown or publisher.endpoint, setting.blob_shown or blob.endpoint, setting.next_key)
    journal = JournalDesk(stock.ledger, answers, setting.clock, feed.news, feed.ring)
    pictures = PictureDesk(stock.ledger, stock.shelf, setting.site, setting.clock, feed.ring)
    jobs += [desk.serve(setting.answer or journal.answer), blob.serve(pictures.answer), feed.run()]
    outbound_told: list[str] = []
    if setting.outbound:
        dealer = DealerDesk(server, setting.outbound, keys.server, who_is(admission, "hq", setting.clock), troubles.append)
        jobs.append(Headquarters(dealer, journal, pictures, admission).serve(outbound_told.append))
    endpoints = (desk.endpoint, publisher.endpoint, blob.endpoint)
    site = LoopbackSite(keys, stock.ledger, feed, *endpoints, stock.state_dir, clients, troubles, refusals, admission, outbound_told)
    return site, jobs
