"""Following one site: subscribe first, ask second, drop what came twice; pull whatever LIVE lost.

The application drives it: what it does not read waits in the socket, at most 1,000 messages; what does not fit there is dropped, which
shows as a gap, which is pulled. So a slow application costs no memory, and loses nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import edge_agent
from edge_agent.console.events import Event, LinkState, Newest, Only, Phase, Recent, SeenFact, Start
from edge_agent.console.place import Place, SomeTopics, WholeStream
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import Diverged, EpochChanged, MalformedMessage, NotAllowed, PeerError, UnsupportedVersion
from edge_agent.transport.endpoints import reachable
from edge_agent.transport.link import TIMEOUT_S, LiveLink, Retry, Silence, SyncLink
from edge_agent.transport.sockets import ClientSecurity, Context, InsecureLoopback
from edge_agent.wire.catchup import Arrival, Cursor
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import Envelope, LiveMessage, heartbeat_topic
from edge_agent.wire.heartbeat import SILENCE_S, Heartbeat
from edge_agent.wire.messages import decode
from edge_agent.wire.verbs import (
    BatchReply,
    HelloReply,
    HelloRequest,
    PullRequest,
    SnapReply,
    SnapRequest,
    Verb,
    content,
    read,
)

_ONCE = Retry(attempts=1)
_KNOCK_S = 2.0
"""Pause between two tries of a console that is not let in."""
_REMEMBERED = 500_000
"""Facts whose identity is kept, so that a new epoch does not hand them out again: about 50 MB when full."""
_CLOCKS = 16


@dataclass(frozen=True, slots=True)
class Site:
    """Where a site answers (its SYNC endpoint) and how the link is secured."""

    endpoint: str
    security: ClientSecurity | InsecureLoopback


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
        self._questions = SyncLink(context, site.endpoint, site.security, _ONCE)
        self._start = wish.start  # 0 once begun: the number was one of an epoch that may be gone
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
        request = HelloRequest(client="console", build=edge_agent.__version__)
        reply = await self._questions.request(Verb.HELLO, content(request), TIMEOUT_S)
        self.hello = read(HelloReply, reply.content)
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
            rows, reply = await self._pull(self._place)
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
        facts = [fact for row in new for fact in self._once(row, Cursor(row.epoch, row.seq, row.hash), replayed=True)]
        reached = self._place.cursor.seq
        return facts, reached >= reply.head or (reply.upto is None and not rows)

    async def _pull(self, place: Place) -> tuple[Sequence[JournalRow], BatchReply]:
        cursor = place.cursor
        topics = self._topics if isinstance(place, SomeTopics) else []
        request = PullRequest(epoch=cursor.epoch.hex(), after=cursor.seq, hash=cursor.hash.hex(), topics=topics)
        reply = await self._questions.request(Verb.PULL, content(request))
        batch = read(BatchReply, reply.content)
        _check_count(batch.n, reply)
        return reply.rows, batch

    async def _begin(self) -> tuple[list[SeenFact], bool]:
        """Find the first place; with it come the facts of a snapshot, if one was wished for."""
        hello = self.hello or await self._greet()
        if isinstance(self._start, Newest):
            return await self._snapshot(self._start)
        if isinstance(self._start, Cursor):
            cursor = self._again(hello, self._start)
        elif isinstance(self._start, Recent):
            after = Seq(max(hello.head - self._start.rows, 0))
            cursor = await self._anchor(hello, after if after >= hello.first else Seq(0))
        else:
            cursor = await self._anchor(hello, self._start)
        self._place, self._start = self._placed(cursor), Seq(0)
        return [], cursor.seq >= hello.head

    async def _snapshot(self, start: Newest) -> tuple[list[SeenFact], bool]:
        request = SnapRequest(topics=self._topics if self._wish.only.scanners else [], last=start.last)
        reply = await self._questions.request(Verb.SNAP, content(request))
        snap = read(SnapReply, reply.content)
        _check_count(snap.n, reply)
        self._place = self._placed(Cursor(bytes.fromhex(snap.epoch), Seq(snap.head), bytes.fromhex(snap.hash)))
        self._state = replace(self._state, head=snap.head)
        return [fact for row in reply.rows for fact in self._once(row, Cursor(row.epoch, row.seq, row.hash), replayed=True)], True

    def _again(self, hello: HelloReply, known: Cursor) -> Cursor:
        """Give the row the caller has last, to be proven by the first PULL; in another epoch the beginning, for rows may have changed."""
        epoch = bytes.fromhex(hello.epoch)
        if known.epoch == epoch and known.seq >= hello.first - 1:
            return known
        self._missed(hello.first - 1 - known.seq if known.epoch == epoch else 0)
        return Cursor(epoch, Seq(hello.first - 1), bytes.fromhex(hello.first_hash))

    async def _anchor(self, hello: HelloReply, after: Seq) -> Cursor:
        """Find the starting cursor: before the oldest row, or at the row the caller has last, whose hash is pulled with it."""
        epoch = bytes.fromhex(hello.epoch)
        if after < hello.first:
            self._missed(hello.first - 1 - after if after else 0)
            return Cursor(epoch, Seq(hello.first - 1), bytes.fromhex(hello.first_hash))
        request = PullRequest(epoch=hello.epoch, after=after - 1, max=1)
        rows = (await self._questions.request(Verb.PULL, content(request))).rows
        if not rows or rows[0].seq != after:
            raise Diverged("the site's journal has no such row", {"seq": after, "head": hello.head})
        return Cursor(epoch, rows[0].seq, rows[0].hash)

    def _placed(self, cursor: Cursor) -> Place:
        return SomeTopics(cursor, self._topics) if self._wish.only.scanners else WholeStream(cursor)

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


def _check_count(told: int, reply: Envelope) -> None:
    if told != len(reply.rows):
        raise MalformedMessage("the answer holds another number of rows than it says", {"n": told, "rows": len(reply.rows)})
