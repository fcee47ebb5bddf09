"""Following one site: subscribe first, ask second, drop what came twice; pull whatever LIVE lost.

The application drives it: what it does not read waits in the socket, at most 1,000 messages; what does not fit there is dropped, which
shows as a gap, which is pulled. So a slow application costs no memory, and loses nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from edge_agent.console.asking import Questions, Site
from edge_agent.console.events import Event, LinkState, Newest, Only, Phase, SeenFact, Start
from edge_agent.console.place import Place, SomeTopics, WholeStream
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import Diverged, EpochChanged, MalformedMessage, NotAllowed, PeerError, UnsupportedVersion
from edge_agent.transport.endpoints import reachable
from edge_agent.transport.link import LiveLink, Silence
from edge_agent.transport.sockets import Context
from edge_agent.wire.catchup import Arrival, Cursor
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import LiveMessage, heartbeat_topic
from edge_agent.wire.heartbeat import SILENCE_S, Heartbeat
from edge_agent.wire.messages import decode
from edge_agent.wire.verbs import HelloReply

_KNOCK_S = 2.0
"""Pause between two tries of a console that is not let in."""
_REMEMBERED = 500_000
"""Facts whose identity is kept, so that a new epoch does not hand them out again: about 50 MB when full."""
_CLOCKS = 16


@dataclass(frozen=True, slots=True)
class Wish:
    """What a console wants. ``waits_for_key``: keep knocking while the site does not let this key in, instead of raising NotAllowed."""

    start: Start = Seq(0)
    only: Only = Only()
    waits_for_key: bool = False


EVERYTHING = Wish()


class Follower:
    """The journal of one site as events."""

    def __init__(self, context: Context, site: Site, clock: Clock, wish: Wish) -> None:
        self._context = context
        self._site = site
        self._clock = clock
        self._wish = wish
        self._questions = Questions(context, site)
        self._start = wish.start
        """After the beginning 0: the number was one of an epoch that may be gone."""
        self._place: Place | None = None
        self._topics: list[str] = []
        self._handed: dict[bytes, None] = {}
        self._offsets: deque[timedelta] = deque(maxlen=_CLOCKS)
        self._heard_at = clock.monotonic()
        self._started: datetime | None = None
        self._state = LinkState(Phase.CONNECTING)
        self.hello: HelloReply | None = None
        self.heartbeat: Heartbeat | None = None

    @property
    def state(self) -> LinkState:
        """Give the link's state now: also true while the application does not read its events."""
        seq = self._place.seq if self._place is not None else 0
        state = replace(self._state, seq=seq, head=max(self._state.head, seq))
        if state.phase is Phase.LIVE and self._clock.monotonic() - self._heard_at > SILENCE_S:
            return replace(state, phase=Phase.STALE, detail="nothing was read from the site for a while")
        return state

    @property
    def epoch(self) -> bytes | None:
        """Give the epoch of the journal that is being read; None before the first answer."""
        return self._place.cursor.epoch if self._place is not None else None

    async def events(self) -> AsyncGenerator[Event, None]:
        """Give every fact once and in order, and the link's state each time its phase changes; never ends by itself.

        Raises:
            NotAllowed: the site refuses this key, unless the console waits for it.
            UnsupportedVersion: no protocol version in common.
            Diverged: the site's journal is another than before; told by a LinkState first.
        """
        yield self.state
        hello, told = await self._greeted()
        while hello is None:
            for state in told:
                yield state
            await asyncio.sleep(_KNOCK_S if self._state.phase is Phase.REFUSED else 0)
            hello, told = await self._greeted()
        self._topics = self._wish.only.topics(hello.site)
        heard = [*self._topics, heartbeat_topic(SiteId(hello.site))]
        live = LiveLink(self._context, reachable(hello.live, self._site.endpoint), self._site.security, heard)
        try:
            for state in self._turn(Phase.CATCHING_UP):
                yield state
            async for event in self._catch_up():
                yield event
            async for message in live:
                self._state = replace(self._state, malformed=live.malformed)
                async for event in self._take(message):
                    yield event
        finally:
            live.close()

    def close(self) -> None:
        self._questions.close()

    async def _greeted(self) -> tuple[HelloReply | None, list[LinkState]]:
        """Greet; None with what to tell while the site does not answer, or does not let us in and we wait for it."""
        try:
            return await self._greet(), []
        except PeerError as problem:
            return None, self._trouble(problem)

    async def _greet(self) -> HelloReply:
        self.hello = await self._questions.hello()
        self._state = replace(self._state, site=self.hello.site, head=self.hello.head)
        return self.hello

    async def _take(self, message: LiveMessage | Heartbeat | Silence) -> AsyncGenerator[Event, None]:
        """Take one thing from LIVE; pull whatever it shows to be missing."""
        told, must_ask = self._noted(message)
        for event in told:
            yield event
        if must_ask:
            async for event in self._catch_up(is_heard=not isinstance(message, Silence)):
                yield event

    def _noted(self, message: LiveMessage | Heartbeat | Silence) -> tuple[Sequence[Event], bool]:
        """Give what a thing from LIVE tells, and whether rows may be missing."""
        if isinstance(message, Silence):  # the site may be there although LIVE is cut: ask
            return self._turn(Phase.STALE, "no heartbeat") if self._state.phase is not Phase.REFUSED else [], True
        self._heard_at = self._clock.monotonic()
        if isinstance(message, Heartbeat):
            is_restarted = self._note(message)
            is_behind = self._place is None or self._place.must_pull(message)
            return [], is_restarted or is_behind or self._state.phase is not Phase.LIVE
        kind = self._place.judge(message) if self._place is not None else Arrival.GAP
        if kind is Arrival.NEXT:
            proven = self._place.cursor if self._place is not None else None
            return self._once(message, proven if proven is not None and proven.seq == message.seq else None, replayed=False), False
        return [], kind is not Arrival.OLD

    async def _catch_up(self, *, is_heard: bool = False) -> AsyncGenerator[Event, None]:
        """Ask until level with the site. ``is_heard``: LIVE has spoken just now, so a success means the link is whole."""
        is_level = False
        while not is_level:
            try:
                told, is_level = await self._advance()
            except Diverged as problem:
                for state in self._turn(Phase.DIVERGED, problem.detail):
                    yield state
                raise
            except PeerError as problem:
                for state in self._trouble(problem):
                    yield state
                return
            for event in told:
                yield event
        for state in self._turn(Phase.LIVE) if is_heard else ():
            yield state

    async def _advance(self) -> tuple[list[SeenFact], bool]:
        """Ask once; give the new facts, and whether the console is level with the site now."""
        if self._place is None:
            return await self._begin()
        try:
            rows, reply = await self._questions.pull(self._place.cursor, self._asked)
        except EpochChanged:
            # A restored journal: read the new epoch from its beginning; facts known by their identity are not handed out again.
            await self._greet()
            self._place = None
            return [], False
        except Diverged as problem:
            first = problem.fields.get("first")
            if not isinstance(first, int) or first <= self._place.cursor.seq + 1:
                raise
            # Retention deleted rows behind the last proven one: no tampering, but a hole that has to be named if this console had not
            # read them. A reader of some topics may be far beyond its proof, and has missed nothing then.
            self._missed(max(first - 1 - self._place.seq, 0))
            self._place = None
            await self._greet()
            return [], False
        new = self._place.take(rows, reply)
        self._state = replace(self._state, head=max(reply.head, reply.upto or 0))
        return self._pulled(new), self._place.cursor.seq >= reply.head or (reply.upto is None and not rows)

    async def _begin(self) -> tuple[list[SeenFact], bool]:
        """Find the first place; with it come the facts of a snapshot, if one was wished for."""
        hello = self.hello or await self._greet()
        opening = await self._questions.opening(hello, self._start, self._asked)
        self._missed(opening.missed)
        self._place = SomeTopics(opening.cursor, self._topics) if self._asked else WholeStream(opening.cursor)
        self._state = replace(self._state, head=opening.head)
        if not isinstance(self._start, Newest):
            self._start = Seq(0)
        return self._pulled(opening.rows), opening.cursor.seq >= opening.head

    @property
    def _asked(self) -> list[str]:
        """Beginnings of the topics that the site is asked for; none = the whole stream."""
        return self._topics if self._wish.only.scanners else []

    def _pulled(self, rows: Sequence[JournalRow]) -> list[SeenFact]:
        return [fact for row in rows for fact in self._once(row, Cursor(row.epoch, row.seq, row.hash), replayed=True)]

    def _once(self, row: JournalRow | LiveMessage, at: Cursor | None, *, replayed: bool) -> list[SeenFact]:
        """Give the fact unless it is not wanted or was handed out before (only a new epoch or a snapshot repeats facts)."""
        if not self._wish.only.wants(row.topic):
            return []
        try:
            body = decode(row.body)
        except MalformedMessage:
            return [SeenFact(row.seq, row.topic, None, replayed, self._site_time(), at)]
        known = body.fact_id.encode()
        if known in self._handed:
            return []
        self._handed[known] = None
        if len(self._handed) > _REMEMBERED:
            del self._handed[next(iter(self._handed))]
        return [SeenFact(row.seq, row.topic, body, replayed, self._site_time(), at)]

    def _note(self, beat: Heartbeat) -> bool:
        """Note what a heartbeat says; tell whether the site was restarted, perhaps on another ledger.

        The way here only makes the site's clock look earlier, so the latest of some offsets is nearest.
        """
        self.heartbeat = beat
        is_restarted, self._started = beat.started != self._started, beat.started
        self._offsets.append(beat.clock - self._clock.now())
        self._state = replace(
            self._state,
            head=beat.head,
            health=beat.state,
            reasons=tuple(beat.reasons),
            durable=beat.durable,
            clock_offset=max(self._offsets),
        )
        return is_restarted

    def _site_time(self) -> datetime:
        return self._clock.now() + self._state.clock_offset

    def _missed(self, rows: int) -> None:
        self._state = replace(self._state, missed=self._state.missed + rows)

    def _trouble(self, problem: PeerError) -> list[LinkState]:
        """Turn to the phase that a failed request means; raise it again if the caller is to know."""
        if isinstance(problem, UnsupportedVersion) or (isinstance(problem, NotAllowed) and not self._wish.waits_for_key):
            raise problem
        if isinstance(problem, NotAllowed):
            return self._turn(Phase.REFUSED, problem.detail)
        return self._turn(Phase.STALE, problem.detail)

    def _turn(self, phase: Phase, detail: str = "") -> list[LinkState]:
        """Change the phase; give what to tell: nothing when it was so before."""
        is_new = phase is not self._state.phase
        self._state = replace(self._state, phase=phase, detail=detail)
        return [self.state] if is_new else []
