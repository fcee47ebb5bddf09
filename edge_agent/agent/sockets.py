"""The site's side of the wire: guard, desk and live feed, bound together and served together."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge_agent.agent.config import AgentSections
from edge_agent.agent.desk import Answers, JournalDesk
from edge_agent.agent.feed import Feed
from edge_agent.agent.ports import JournalStore
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import SiteId
from edge_agent.telemetry import events
from edge_agent.transport.context import open_context
from edge_agent.transport.desk import RouterDesk, Trouble
from edge_agent.transport.keys import Admission, AllowList, Consumer, Role, load_secret
from edge_agent.transport.live import LivePublisher
from edge_agent.transport.sockets import LIVE_DOMAIN, SYNC_DOMAIN, InsecureLoopback, ServerSecurity
from edge_agent.transport.zap import Refusal, ZapProvider
from edge_agent.wire.heartbeat import SiteState


class Sockets:
    """Everything bound; :meth:`serve` runs until cancelled."""

    def __init__(self, zap: ZapProvider, desk: RouterDesk, feed: Feed, journal: JournalDesk) -> None:
        self._zap = zap
        self._desk = desk
        self._journal = journal
        self.feed = feed

    @property
    def endpoint(self) -> str:
        """Give the address of SYNC, the only one that clients are told."""
        return self._desk.endpoint

    async def serve(self) -> None:
        """Guard, answer and publish until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._zap.serve())
            tasks.create_task(self._desk.serve(self._journal.answer))
            tasks.create_task(self.feed.run())


@contextmanager
def open_sockets(sections: AgentSections, store: JournalStore, clock: Clock, state: Callable[[], SiteState]) -> Iterator[Sockets]:
    """Bind every socket of the site; they are closed on leaving.

    Raises:
        KeysMissing, ConfigInvalid: the key file, the allow-list or an address is not usable.
    """
    wire, site = sections.wire, SiteId(sections.site.id)
    admission = Admission(AllowList(_consumers(sections)), clock)
    security = InsecureLoopback() if wire.insecure_loopback_only or wire.key is None else ServerSecurity(load_secret(wire.key))
    host = f"[{wire.bind}]" if ":" in wire.bind else wire.bind
    with open_context() as context:
        zap = ZapProvider(context, admission, frozenset({LIVE_DOMAIN, SYNC_DOMAIN}), _report_refusal)
        publisher = LivePublisher(context, site, f"tcp://{host}:{wire.live_port}", security)
        desk = RouterDesk(context, f"tcp://{host}:{wire.sync_port}", security, admission, _report_trouble)
        feed = Feed(store, publisher, clock, state)
        journal = JournalDesk(store, Answers(site, publisher.endpoint), clock, feed.news, feed.ring)
        yield Sockets(zap, desk, feed, journal)


def _consumers(sections: AgentSections) -> list[Consumer]:
    return [Consumer(c.name, c.key, Role(c.role), c.durable, c.not_after) for c in sections.consumer]


def _report_refusal(refusal: Refusal) -> None:
    events.peer_refused(refusal.reason, "stranger")


def _report_trouble(trouble: Trouble) -> None:
    events.peer_refused(trouble.code, trouble.consumer or "stranger")
    if trouble.problem is not None:
        events.request_failed(trouble.verb, trouble.problem)
