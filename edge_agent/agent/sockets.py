"""The site's side of the wire: guard, desks and live feed, bound together and served together."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from edge_agent.agent.allow_list import Bells, Gatekeeper
from edge_agent.agent.blob_desk import PictureDesk
from edge_agent.agent.desk import Answers, JournalDesk
from edge_agent.agent.feed import Feed
from edge_agent.agent.outbound import Headquarters, who_is
from edge_agent.agent.ports import UNARMED, FaultPoint, SiteStore
from edge_agent.agent.sections import AgentSections
from edge_agent.agent.shelf import Shelf
from edge_agent.agent.wire_section import WireSection
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import SiteId
from edge_agent.errors import LedgerDamaged
from edge_agent.telemetry import events
from edge_agent.transport.context import open_context
from edge_agent.transport.desk import RouterDesk, Trouble
from edge_agent.transport.handshakes import HandshakeMonitor
from edge_agent.transport.keys import load_secret
from edge_agent.transport.live import LivePublisher
from edge_agent.transport.outbound import DealerDesk
from edge_agent.transport.sockets import BLOB_DOMAIN, DOMAINS, Context, InsecureLoopback, ServerSecurity
from edge_agent.transport.zap import ZapProvider
from edge_agent.wire.heartbeat import SiteState


@dataclass(frozen=True, slots=True)
class Stock:
    """What the sockets answer from. ``damaged`` is told when a row that was asked for is not what was written."""

    ledger: SiteStore
    shelf: Shelf
    damaged: Callable[[LedgerDamaged], None] | None = None


@dataclass(frozen=True, slots=True)
class Desks:
    """The two answering sockets, each with what answers there."""

    sync: RouterDesk
    journal: JournalDesk
    blob: RouterDesk
    pictures: PictureDesk


class Sockets:
    """Everything bound; :meth:`serve` runs until cancelled."""

    def __init__(self, door: "Door", desks: Desks, feed: Feed, calls: Sequence[Callable[[], Coroutine[None, None, None]]] = ()) -> None:
        """``calls``: what keeps lines that this site opens itself."""
        self._door = door
        self._desks = desks
        self._calls = calls
        self.feed = feed

    @property
    def endpoint(self) -> str:
        """Give the address of SYNC, the only one that clients are told."""
        return self._desks.sync.endpoint

    async def serve(self) -> None:
        """Guard, answer and publish until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._door.serve(self.feed.ring))
            tasks.create_task(self._desks.sync.serve(self._desks.journal.answer))
            tasks.create_task(self._desks.blob.serve(self._desks.pictures.answer))
            tasks.create_task(self.feed.run())
            for call in self._calls:
                tasks.create_task(call())


class Door:
    """Everything that decides who comes in: the ZAP provider, the allow-list's keeper, and the watch on failed handshakes."""

    def __init__(self, gate: Gatekeeper, zap: ZapProvider, publisher: LivePublisher, monitors: Sequence[HandshakeMonitor]) -> None:
        self._gate = gate
        self._zap = zap
        self._publisher = publisher
        self._monitors = monitors

    async def serve(self, ring: Callable[[], None]) -> None:
        """Guard until cancelled; ``ring`` is called after a decision was journalled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._zap.serve())
            tasks.create_task(self._gate.run(Bells(self._publisher.kick, ring)))
            for monitor in self._monitors:
                tasks.create_task(self._watch(monitor))

    async def _watch(self, monitor: HandshakeMonitor) -> None:
        while True:
            self._gate.journal.refused(await monitor.failed(), "")


@contextmanager
def open_sockets(
    sections: AgentSections,
    gate: Gatekeeper,
    stock: Stock,
    clock: Clock,
    state: Callable[[], SiteState],
    faults: FaultPoint = UNARMED,
) -> Iterator[Sockets]:
    """Bind every socket of the site; they are closed on leaving.

    Raises:
        KeysMissing, ConfigInvalid: the key file, the allow-list or an address is not usable.
    """
    wire, site = sections.wire, SiteId(sections.site.id)
    security = InsecureLoopback() if wire.insecure_loopback_only or wire.key is None else ServerSecurity(load_secret(wire.key))
    host = f"[{wire.bind}]" if ":" in wire.bind else wire.bind
    with open_context() as context:
        zap = ZapProvider(context, gate.admission, DOMAINS, lambda refusal: gate.journal.refused(refusal.reason, refusal.fingerprint))
        publisher = LivePublisher(context, site, f"tcp://{host}:{wire.live_port}", security)
        trouble = partial(_report_trouble, gate)
        sync = RouterDesk(context, f"tcp://{host}:{wire.sync_port}", security, gate.admission, trouble)
        blob = RouterDesk(context, f"tcp://{host}:{wire.blob_port}", security, gate.admission, trouble, BLOB_DOMAIN)
        feed = Feed(stock.ledger, publisher, clock, state, faults, lambda: gate.admission.allowed.durable)
        next_key = load_secret(wire.next_key).public if wire.next_key else ""
        journal = JournalDesk(
            stock.ledger,
            Answers(site, publisher.endpoint, blob.endpoint, next_key, sections.privacy.allowed, feed.status),
            clock,
            feed.news,
            feed.ring,
            stock.damaged,
        )
        pictures = PictureDesk(stock.ledger, stock.shelf, site, clock, feed.ring)
        monitors = [socket.handshakes(context) for socket in (publisher, sync, blob)]
        desks = Desks(sync, journal, blob, pictures)
        yield Sockets(Door(gate, zap, publisher, monitors), desks, feed, _calls(context, wire, gate, desks, clock))


def _calls(
    context: Context, wire: WireSection, gate: Gatekeeper, desks: Desks, clock: Clock
) -> list[Callable[[], Coroutine[None, None, None]]]:
    """Give what keeps the line to headquarters, where there is to be one; health is told whether it stands."""
    if wire.outbound is None or wire.key is None:
        return []
    consumer = who_is(gate.admission, wire.outbound.consumer, clock)
    desk = DealerDesk(context, wire.outbound.endpoint, load_secret(wire.key), consumer, partial(_report_trouble, gate))
    return [partial(Headquarters(desk, desks.journal, desks.pictures, gate.admission).serve, gate.note_outbound)]


def _report_trouble(gate: Gatekeeper, trouble: Trouble) -> None:
    if trouble.consumer:
        events.peer_refused(trouble.code, trouble.consumer)
    else:
        gate.journal.refused(trouble.code, "")
    if trouble.problem is not None:
        events.request_failed(trouble.verb, trouble.problem)
