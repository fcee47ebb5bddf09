"""The console's middle: one link to each site, the queue they fill, and what the handlers of the web server need from both."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from edge_agent.console.client import ConsoleClient, Phase, SeenFact, Submission
from edge_agent.console.older import take_older
from edge_agent.console.outbox import Outbox
from edge_agent.console.owed import Looked, OwedViews
from edge_agent.console.queue import Queue
from edge_agent.console.record import ScanRecord
from edge_agent.console.views import BundleView, SiteView, StateEvent
from edge_agent.domain.assessment import BundleState
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import FactId, Seq
from edge_agent.domain.usual import most
from edge_agent.errors import Diverged, PeerError, PeerSilent, UnknownScan
from edge_agent.telemetry import events
from edge_agent.wire.heartbeat import SiteState
from edge_agent.wire.messages import CodeParams

_FACTS_AT_ONCE = 20
"""Facts taken before others get their turn: some ms."""
_STATE_FRESH_S = 0.25
_TOKEN_WITHIN_S = 2.0
_PICTURE_WITHIN_S = 5.0
_DEAD = frozenset({Phase.CONNECTING, Phase.STALE, Phase.REFUSED})
_COVERS_EVERY_S = 1.0
_CERTIFICATE = "certificate-"


Picture = TypeVar("Picture")


@dataclass(slots=True)
class SiteLink:
    """One site: what the configuration calls it, the console at it, and why it is not followed any more (None while it is).

    ``first``: the first row that was read; ``begun`` is set once all from there to now is read. ``is_whole``: what waited for somebody
    before that row was asked for, too. ``broken``: facts that could not be taken, through a fault of this console.
    """

    name: str
    client: ConsoleClient
    problem: PeerError | None = None
    first: Seq | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    is_whole: bool = False
    broken: int = 0


class Desk:
    """Follows the sites and answers questions about them. To be used from one event loop."""

    def __init__(self, sites: Sequence[SiteLink], queue: Queue, clock: Clock, views: OwedViews) -> None:
        self._sites = {link.name: link for link in sites}
        self._clock = clock
        self._tokens: dict[tuple[str, str], str] = {}
        self._views = views
        self._state: tuple[float, StateEvent] | None = None
        self.queue = queue

    @property
    def sites(self) -> Sequence[SiteLink]:
        return tuple(self._sites.values())

    async def run(self, outbox: Outbox) -> None:
        """Follow every site, send what waits, and journal views until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for link in self.sites:
                tasks.create_task(self._follow(link))
                tasks.create_task(self._look_back(link))
            tasks.create_task(self._lift_covers())
            tasks.create_task(outbox.run())
            tasks.create_task(self._views.run({name: link.client for name, link in self._sites.items()}))

    def at(self, site: str) -> SiteLink:
        """Give the link to a site.

        Raises:
            UnknownScan: the configuration names no such site.
        """
        link = self._sites.get(site)
        if link is None:
            raise UnknownScan("this console has no such site")
        return link

    def record(self, site: str, scan_id: str) -> ScanRecord:
        """Give what is known of a scan.

        Raises:
            UnknownScan: it is not among the newest of this console.
        """
        record = self.queue.find(self.at(site).name, scan_id)
        if record is None:
            raise UnknownScan("this console holds no such scan; it may be older than what it holds", {"scan_id": scan_id})
        return record

    def site_time(self, site: str) -> datetime:
        """Give the time by the site's clock, as far as its heartbeats tell it."""
        return self._clock.now() + self.at(site).client.state.clock_offset

    async def send(self, site: str, request: Submission) -> tuple[Seq, FactId]:
        """Send something to a site of the configuration.

        Raises:
            PeerSilent: it does not answer, or the configuration has it no more. PeerError: it refuses.
        """
        link = self._sites.get(site)
        if link is None:
            raise PeerSilent(f"the configuration has no site {site} any more")
        return await link.client.submit(request)

    async def picture(self, site: str, asking: Callable[[ConsoleClient], Awaitable[Picture]]) -> Picture:
        """Give what a site answers to a question about pictures, or say soon that it does not.

        A browser has six connections: requests that hang on a dead site would keep its officer's decision waiting behind them.

        Raises:
            PeerSilent: no answer within five seconds, or the link is known to be dead. PeerError: refused.
        """
        link = self.at(site)
        if link.problem is not None or link.client.state.phase in _DEAD:
            raise PeerSilent("the site does not answer now")
        try:
            async with asyncio.timeout(_PICTURE_WITHIN_S):
                return await asking(link.client)
        except TimeoutError:
            raise PeerSilent("the site did not answer in time") from None

    async def token(self, site: str, officer: str) -> str | None:
        """Give an officer's token at a site; None while the site does not tell it."""
        known = self._tokens.get((site, officer))
        link = self.at(site)
        if known is not None or link.problem is not None or not link.client.state.is_current:
            return known
        try:
            async with asyncio.timeout(_TOKEN_WITHIN_S):
                self._tokens[site, officer] = await link.client.token_of(officer)
        except (PeerError, TimeoutError) as problem:
            events.console_question_failed(site, getattr(problem, "code", "timed-out"))
        return self._tokens.get((site, officer))

    async def note_view(self, looked: Looked) -> None:
        """Have the site's journal keep a view, at once or as soon as the site answers; within an hour it keeps one of the same."""
        await self._views.note(looked)

    async def identities(self, officer: str, records: Sequence[ScanRecord], rows: Callable[[ScanRecord], Sequence[Seq]]) -> dict[str, str]:
        """Ask for the identifiers in ``rows`` of some scans; give values by token, as far as this workstation may see them.

        The site journals that ``officer`` looked.

        Raises:
            NotAllowed, PeerSilent, PeerError.
        """
        values: dict[str, str] = {}
        for record in records:
            for seq in rows(record):  # what the site gives now, not what it gave once: it may have been erased since
                values.update(await self.at(record.site).client.identify(seq, officer))
        return values

    def state(self) -> StateEvent:
        """Give the sites now; the same answer serves all who ask within a quarter of a second."""
        now = self._clock.monotonic()
        if self._state is None or now - self._state[0] >= _STATE_FRESH_S:
            self._state = (now, StateEvent(now=self._clock.now(), sites=[self.site_view(link) for link in self.sites]))
        return self._state[1]

    def site_view(self, link: SiteLink) -> SiteView:
        """Give everything about one site."""
        state, beat, you = link.client.state, link.client.heartbeat, link.client.you
        scans, waiting = self.queue.counts(link.name)
        bundles = [BundleView(name=one.name, version=one.version, state=one.state) for one in beat.bundles] if beat is not None else []
        phase = _ended(link.problem) if link.problem is not None else state.phase
        return SiteView(
            name=link.name,
            site_id=state.site,
            phase=phase.value,
            is_current=phase is Phase.LIVE,
            detail=link.problem.detail if link.problem is not None else state.detail,
            health=state.health,
            reasons=list(state.reasons),
            durable=state.durable,
            lag=state.lag,
            missed=state.missed,
            malformed=state.malformed,
            now=self._clock.now() + state.clock_offset,
            clock_offset_s=state.clock_offset.total_seconds(),
            is_commissioned=_commissioned(bundles, state.reasons),
            bundles=bundles,
            drift=self._drift(link),
            certificates=beat.certificates if beat is not None else [],
            labels=beat.labels if beat is not None else [],
            backlog_unacked=beat.backlog_unacked if beat is not None else None,
            oldest_unacked_s=beat.oldest_unacked_s if beat is not None else None,
            disk_free=beat.disk_free if beat is not None else None,
            in_flight=beat.in_flight if beat is not None else None,
            scans=scans,
            open=waiting,
            unshown=self.queue.unshown(link.name) if link.is_whole else None,
            broken=link.broken,
            policies=self.queue.policies(link.name),
            workstation=you.name if you is not None else "",
            supervisors=you.supervisors if you is not None else False,
            controls=you.controls if you is not None else False,
        )

    def _drift(self, link: SiteLink) -> list[str]:
        """Say what is in force at a site and not at most of the sites that tell."""
        here = link.client.heartbeat
        told = [beat for each in self.sites if (beat := each.client.heartbeat) is not None]
        if here is None:
            return []
        policy = most(beat.policy_digest for beat in told if beat.policy_digest)
        bundles = most(_bundles(beat) for beat in told)
        words = ["policy-drifted"] if policy is not None and here.policy_digest not in (None, policy) else []
        return [*words, *(["bundles-drifted"] if bundles not in (None, _bundles(here)) else [])]

    async def _follow(self, link: SiteLink) -> None:
        taken = 0
        try:
            async with aclosing(link.client.events()) as told:
                async for event in told:
                    if isinstance(event, SeenFact):
                        link.first = event.seq if link.first is None else link.first
                        self._take(link, event.seq, partial(self.queue.apply, link.name, event))
                        taken += 1
                        if taken % _FACTS_AT_ONCE == 0:
                            await asyncio.sleep(0)
                    else:
                        events.console_link(link.name, event.phase.value)
                        if event.phase is Phase.LIVE:
                            link.begun.set()
                        self._state = None
                        self.queue.ring()
        except PeerError as problem:  # the others go on; the officer sees this one as refused or diverged
            link.problem = problem
            events.console_link(link.name, _ended(problem).value)
            self._state = None
            self.queue.ring()

    def _take(self, link: SiteLink, seq: Seq, into_queue: Callable[[], None]) -> None:
        """Take facts, or time, into the queue; what our own code breaks on is counted and shown with the site, and costs nobody else."""
        try:
            into_queue()
        except Exception as problem:  # noqa: BLE001 - the guard around one fact: it must not end the links to this site and all others
            link.broken += 1
            events.console_fact_broken(link.name, seq, problem)

    async def _lift_covers(self) -> None:
        """Uncover scans whose time to decide is over, by the clock of each site that has told it."""
        while True:
            for link in self.sites:
                if link.client.heartbeat is not None:
                    self._take(link, Seq(link.client.state.seq), partial(self.queue.lift_covers, link.name, self.site_time(link.name)))
            await asyncio.sleep(_COVERS_EVERY_S)

    async def _look_back(self, link: SiteLink) -> None:
        """Once the newest rows are read, ask for what waited for somebody before them."""
        await link.begun.wait()
        before = link.first if link.first is not None else Seq(link.client.state.head + 1)

        def take(scan_id: str, facts: Sequence[SeenFact]) -> None:
            self._take(link, facts[-1].seq, partial(self.queue.take_older, link.name, scan_id, facts))

        link.is_whole = await take_older(link.name, link.client, self.queue, before, take)


def _bundles(beat: SiteState) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((one.name, one.version) for one in beat.bundles))


def _ended(problem: PeerError) -> Phase:
    return Phase.DIVERGED if isinstance(problem, Diverged) else Phase.REFUSED


def _commissioned(bundles: Sequence[BundleView], reasons: Sequence[CodeParams]) -> bool | None:
    """Tell whether every model in force is commissioned here, by certificates that hold; None where the site names no model."""
    if not bundles:
        return None
    holds = not any(reason.code.startswith(_CERTIFICATE) for reason in reasons)
    return holds and all(bundle.state == BundleState.COMMISSIONED for bundle in bundles)
