"""The console's side of a site: every fact once and in order, whatever the link does; and verdicts.

Subscribe first, pull second, drop what came twice. The client follows the whole stream, so its chain hash covers every row, and
each PULL proves to both sides that they hold the same journal.
"""

import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

import edge_agent
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import FactId, ScanId, Seq, SiteId
from edge_agent.errors import Diverged, EpochChanged, MalformedMessage, NotAllowed, PeerError, UnsupportedVersion
from edge_agent.transport.endpoints import reachable
from edge_agent.transport.link import TIMEOUT_S, LiveLink, Retry, Silence, SyncLink
from edge_agent.transport.sockets import ClientSecurity, Context, InsecureLoopback
from edge_agent.wire.catchup import Arrival, Cursor, after_batch, after_live, arrival, must_pull
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import Envelope, LiveMessage, topic_root
from edge_agent.wire.heartbeat import Heartbeat
from edge_agent.wire.messages import AnyBody, CodeParams, decode
from edge_agent.wire.verbs import (
    BatchReply,
    HelloReply,
    HelloRequest,
    OkReply,
    PullRequest,
    Verb,
    VerdictRequest,
    content,
    read,
)

OfficerWord = Literal["suspicious", "not-suspicious", "rescan", "refer"]
BEGINNING = Seq(0)
_FATAL = (NotAllowed, UnsupportedVersion, Diverged)
_ONCE = Retry(attempts=1)


class Phase(StrEnum):
    """What an officer must know about the link."""

    CONNECTING = "connecting"
    CATCHING_UP = "catching-up"
    LIVE = "live"
    STALE = "stale"
    """Nothing from the site for three seconds, or it does not answer: what is shown may be old."""
    DIVERGED = "diverged"
    """The site's journal is not the one this console has read: an auditor's case."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """The link now. ``head``: the site's last number as far as known; ``seq``: the last one handed out; ``health``: the site's word."""

    phase: Phase
    site: str = ""
    head: int = 0
    seq: int = 0
    health: str = ""
    detail: str = ""

    @property
    def lag(self) -> int:
        """Rows that the site has and this console has not."""
        return max(self.head - self.seq, 0)


@dataclass(frozen=True, slots=True)
class SeenFact:
    """One row of the journal. ``body`` is None for a kind that a newer site invented. ``replayed``: pulled, not heard live."""

    seq: Seq
    topic: str
    body: AnyBody | None
    replayed: bool
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What an officer decided about one revision of a scan.

    ``officer``: plain reference, sent to the site only, whose journal holds a token. ``verdict_id`` is made once a decision, so that
    sending the same decision again changes nothing.
    """

    scan_id: ScanId
    revision: int
    conclusion: OfficerWord
    officer: str = field(repr=False)
    reasons: Sequence[CodeParams] = ()
    verdict_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Site:
    """Where a site answers (its SYNC endpoint) and how the link is secured."""

    endpoint: str
    security: ClientSecurity | InsecureLoopback


class ConsoleClient:
    """One console at one site."""

    def __init__(self, context: Context, site: Site, clock: Clock, after: Seq = BEGINNING) -> None:
        """Prepare; nothing is sent before ``events`` is iterated. ``after``: last number the caller has already, 0 for all rows."""
        self._context = context
        self._site = site
        self._clock = clock
        self._after = after
        self._questions = SyncLink(context, site.endpoint, site.security, _ONCE)
        self._decisions = SyncLink(context, site.endpoint, site.security)
        self._handed: set[str] = set()
        self._cursor = Cursor(b"", Seq(0), b"")
        self._state = LinkState(Phase.CONNECTING)

    @property
    def state(self) -> LinkState:
        return replace(self._state, seq=self._cursor.seq)

    async def events(self) -> AsyncGenerator[SeenFact | LinkState, None]:
        """Give every fact once, in the journal's order, and the link's state each time its phase changes; never ends by itself.

        Raises:
            NotAllowed, UnsupportedVersion: the site refuses this console.
            Diverged: the site's journal is another than before; told by a LinkState first.
        """
        yield self.state
        hello = await self._first_hello()
        while hello is None:
            yield self._turn(Phase.STALE, "the site does not answer")
            hello = await self._first_hello()
        endpoint = reachable(hello.live, self._site.endpoint)
        live = LiveLink(self._context, endpoint, self._site.security, [topic_root(SiteId(hello.site))])
        try:
            yield self._turn(Phase.CATCHING_UP)
            async for event in self._catch_up():
                yield event
            async for message in live:
                async for event in self._take(message):
                    yield event
        finally:
            live.close()

    async def decide(self, decision: Decision) -> tuple[Seq, FactId]:
        """Send a verdict; give its number once the site has committed it. Sending the same decision again is a no-op.

        Raises:
            PeerSilent: not known whether it was committed; the journal will show it if so.
            ReasonRequired, UnknownScan, FreeTextRefused, NotAllowed, PeerError: refused.
        """
        request = VerdictRequest(
            verdict_id=decision.verdict_id,
            scan_id=decision.scan_id,
            revision=decision.revision,
            officer=decision.officer,
            conclusion=decision.conclusion,
            reasons=list(decision.reasons),
            at=self._clock.now(),
        )
        reply = await self._decisions.request(Verb.VERDICT, content(request))
        done = read(OkReply, reply.content)
        return Seq(done.seq), FactId(done.fact_id)

    def close(self) -> None:
        """Close the sockets of both links."""
        self._questions.close()
        self._decisions.close()

    async def _first_hello(self) -> HelloReply | None:
        """Greet and find the starting place; None when the site does not answer yet."""
        try:
            hello = await self._hello()
            self._cursor = await self._anchor(hello)
        except _FATAL:
            raise
        except PeerError:
            return None
        return hello

    async def _hello(self) -> HelloReply:
        request = HelloRequest(client="console", build=edge_agent.__version__)
        reply = await self._questions.request(Verb.HELLO, content(request), TIMEOUT_S)
        hello = read(HelloReply, reply.content)
        self._state = replace(self._state, site=hello.site, head=hello.head)
        return hello

    async def _anchor(self, hello: HelloReply) -> Cursor:
        """Find the starting cursor: before the oldest row, or at the row the caller has last, whose hash is pulled with it."""
        epoch = bytes.fromhex(hello.epoch)
        if self._after < hello.first:
            return Cursor(epoch, Seq(hello.first - 1), bytes.fromhex(hello.first_hash))
        request = PullRequest(epoch=hello.epoch, after=self._after - 1, max=1)
        rows = (await self._questions.request(Verb.PULL, content(request))).rows
        if not rows or rows[0].seq != self._after:
            raise Diverged("the site's journal has no such row", {"seq": self._after, "head": hello.head})
        return Cursor(epoch, rows[0].seq, rows[0].hash)

    async def _take(self, message: LiveMessage | Heartbeat | Silence) -> AsyncGenerator[SeenFact | LinkState, None]:
        """Take one thing from LIVE; pull whatever it shows to be missing."""
        if isinstance(message, Silence):
            yield self._turn(Phase.STALE, "no heartbeat")
            must_ask = True  # the site may be there although LIVE is cut
        elif isinstance(message, Heartbeat):
            self._state = replace(self._state, head=message.head, health=message.state)
            must_ask = self._state.phase is not Phase.LIVE or must_pull(self._cursor, bytes.fromhex(message.epoch), Seq(message.head))
        else:
            kind = arrival(self._cursor, message)
            must_ask = kind in (Arrival.GAP, Arrival.OTHER_EPOCH)
            if kind is Arrival.NEXT:
                self._cursor = after_live(self._cursor, message)
                self._state = replace(self._state, head=max(self._state.head, message.seq))
                for fact in self._once(message.seq, message.topic, message.body, replayed=False):
                    yield fact
        if must_ask:
            async for event in self._catch_up(is_heard=not isinstance(message, Silence)):
                yield event

    async def _catch_up(self, *, is_heard: bool = False) -> AsyncGenerator[SeenFact | LinkState, None]:
        """Pull until level with the site. ``is_heard``: LIVE has spoken just now, so a success means the link is whole."""
        is_level = False
        while not is_level:
            try:
                facts, is_level = await self._advance()
            except Diverged as problem:
                yield self._turn(Phase.DIVERGED, problem.detail)
                raise
            except (NotAllowed, UnsupportedVersion):
                raise
            except PeerError as problem:
                yield self._turn(Phase.STALE, problem.detail)
                return
            for fact in facts:
                yield fact
        if is_heard and self._state.phase is not Phase.LIVE:
            yield self._turn(Phase.LIVE)

    async def _advance(self) -> tuple[list[SeenFact], bool]:
        """Pull one batch; give its new facts, and whether the console is level with the site now."""
        rows, head = await self._pull()
        self._cursor = after_batch(self._cursor, rows)
        self._state = replace(self._state, head=head)
        facts = [fact for row in rows for fact in self._once(row.seq, row.topic, row.body, replayed=True)]
        return facts, not rows or self._cursor.seq >= head

    async def _pull(self) -> tuple[Sequence[JournalRow], int]:
        try:
            reply = await self._questions.request(Verb.PULL, content(self._request()))
        except EpochChanged:
            # A restored journal: read the new epoch from its beginning; facts known by their identity are not handed out again.
            hello = await self._hello()
            self._cursor = Cursor(bytes.fromhex(hello.epoch), Seq(hello.first - 1), bytes.fromhex(hello.first_hash))
            reply = await self._questions.request(Verb.PULL, content(self._request()))
        return reply.rows, _batch(reply).head

    def _request(self) -> PullRequest:
        return PullRequest(epoch=self._cursor.epoch.hex(), after=self._cursor.seq, hash=self._cursor.hash.hex())

    def _once(self, seq: Seq, topic: str, raw: bytes, *, replayed: bool) -> list[SeenFact]:
        """Give the fact unless it was handed out before (only a new epoch repeats facts)."""
        try:
            body = decode(raw)
        except MalformedMessage:
            return [SeenFact(seq, topic, None, replayed, self._clock.now())]
        if body.fact_id in self._handed:
            return []
        self._handed.add(body.fact_id)
        return [SeenFact(seq, topic, body, replayed, self._clock.now())]

    def _turn(self, phase: Phase, detail: str = "") -> LinkState:
        self._state = replace(self._state, phase=phase, detail=detail)
        return self.state


def _batch(reply: Envelope) -> BatchReply:
    batch = read(BatchReply, reply.content)
    if batch.n != len(reply.rows):
        raise MalformedMessage("the batch holds another number of rows than it says", {"n": batch.n, "rows": len(reply.rows)})
    return batch
