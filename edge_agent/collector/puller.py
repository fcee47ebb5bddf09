"""Follows one site: HELLO, then PULL after PULL from the stored cursor. Each page is verified and on disk before the next PULL says so.

The next PULL *is* the acknowledgement: ``after`` = n with ``durable`` means that everything up to n lies in the archive. So a crash at
any point loses nothing and stores nothing twice. While a backlog drains, the newest rows come ahead of it (``live_lane``).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Protocol

from edge_agent import __version__
from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.lane import Held
from edge_agent.collector.live_lane import EVERY_S, LiveLane, batch_of, refuse_foreign
from edge_agent.collector.page_size import PageSize
from edge_agent.collector.states import Phase, said
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import (
    Diverged,
    EdgeAgentError,
    MalformedMessage,
    PeerError,
    PeerSilent,
    SignatureInvalid,
    SignerUnknown,
    TryLater,
    WrongSite,
)
from edge_agent.signing.heads import check_head
from edge_agent.signing.keys import VerifyKey
from edge_agent.wire import verbs
from edge_agent.wire.chain import JournalRow, first_break
from edge_agent.wire.frames import Envelope
from edge_agent.wire.heads import SignedHead, SignedHeadPart
from edge_agent.wire.heartbeat import StatusReply
from edge_agent.wire.verbs import HelloReply, HelloRequest, PingRequest, PullRequest, Verb

_LEVEL_ROWS, _LEVEL_BYTES = 64, 128 * 1024
"""One page of a site that is level: so many of them may come at once, from all sites, without a turn to wait for."""


@dataclass(frozen=True, slots=True)
class SiteState:
    """``durable``: last number on our disk; ``head``: last number of the site's journal as it last said; ``rows``: stored since start.

    ``signed``: last number on our disk that the site's own signature vouches for. ``live``: last number that came ahead of ``durable``
    and is shown as provisional, 0 where none did.
    """

    site: SiteId
    phase: Phase = Phase.CONNECTING
    epoch: str = ""
    durable: int = 0
    head: int = 0
    rows: int = 0
    signed: int = 0
    live: int = 0
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much to ask for at once, how long to wait for it, and how long to pause after a failure (doubling, with jitter).

    ``wait_ms`` bounds how long a cut that nobody reported stays unseen: an answer is due ``reply_s`` after it. ``status_s``: how often
    the site is asked how it is.
    """

    max_rows: int = verbs.MAX_ROWS
    max_bytes: int = verbs.MAX_BATCH_BYTES
    wait_ms: int = 2_000
    reply_s: float = 3.0
    pause_first_s: float = 0.2
    pause_last_s: float = 30.0
    status_s: float = 10.0


class Link(Protocol):
    """A way to ask a site."""

    async def request(self, verb: str, content: dict[str, Any], timeout_s: float) -> Envelope:
        """Give the reply, or raise the ``PeerError`` that the site answered or that its silence is."""


class Store(Protocol):
    """Where rows go: the archive's lane."""

    @property
    def draining(self) -> AbstractAsyncContextManager[None]: ...
    async def cursor(self, site: SiteId, epoch: bytes) -> Cursor | None: ...
    async def newest(self, site: SiteId) -> Cursor | None: ...
    async def commit(self, batch: Batch, *, is_backlog: bool = False) -> None: ...
    async def live(self, site: SiteId, rows: Sequence[JournalRow]) -> None: ...
    async def held(self, site: SiteId, epoch: bytes, after: Seq) -> Held: ...


class Listener(Protocol):
    """Who hears how a site stands."""

    def post(self, state: SiteState) -> None:
        """Take a site's new state."""

    def heard(self, site: SiteId) -> None:
        """Note that a site answered, whatever it said."""

    def told(self, site: SiteId, status: StatusReply) -> None:
        """Take what a site says of itself."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A site, the way to ask it, and the only key that may sign its heads (None: any)."""

    site: SiteId
    link: Link
    believed: VerifyKey | None = None


def pause_s(pace: Pace, failures: int, jitter: float) -> float:
    """Give the pause in seconds after so many failures in a row; ``jitter`` in [0, 1) spreads sites that failed together."""
    longest = min(pace.pause_last_s, pace.pause_first_s * 2.0 ** min(failures - 1, 30))
    return longest * (0.5 + jitter / 2.0)


class SitePuller:
    """Pulls one site until cancelled, or until the site's journal contradicts what is stored."""

    def __init__(self, followed: Followed, consumer: str, store: Store, listener: Listener, pace: Pace) -> None:
        """Follow a site as its consumer ``consumer``; ``listener`` hears every change of state."""
        self._site = followed.site
        self._link = followed.link
        self._believed = followed.believed
        self._consumer = consumer
        self._store = store
        self._listener = listener
        self._pace = pace
        self._kept: SignedHead | None = None
        self._checked = Seq(0)
        self._must_check = True
        self._live = LiveLane(followed.site, b"", store)
        self._size = PageSize(pace.max_bytes, pace.reply_s)
        self._status_due = 0.0
        self._state = SiteState(followed.site)

    async def run(self, jitter: Callable[[], float]) -> None:
        """Pull. Returns only when the site has diverged."""
        failures = 0
        while True:
            stored = self._state.rows
            try:
                await self._follow()
            except Diverged as problem:
                self._say(phase=Phase.DIVERGED, code=said(problem.code, 64), detail=said(problem.detail))
                return
            except (PeerError, TryLater) as problem:
                failures = 1 if self._state.rows > stored else failures + 1
                self._say(phase=_phase(problem), code=said(problem.code, 64), detail=said(problem.detail))
            await asyncio.sleep(pause_s(self._pace, failures, jitter()))

    async def _follow(self) -> NoReturn:
        hello = await self._hello()
        cursor = await self._start(hello)
        self._live = LiveLane(self._site, cursor.epoch, self._store)
        self._must_check, self._checked, self._status_due = True, Seq(0), 0.0
        self._say(epoch=hello.epoch, head=hello.head, live=0)
        await self._check(cursor, Seq(0))
        self._stands(cursor, hello.head)
        while True:
            await self._ask_status()
            cursor = await self._page(cursor)

    async def _asked(self, verb: Verb, request: verbs.Request, wait_ms: int = 0) -> Envelope:
        try:
            reply = await self._link.request(verb, verbs.content(request), wait_ms / 1000 + self._pace.reply_s)
        except PeerSilent:
            raise
        except PeerError:
            self._listener.heard(self._site)
            raise
        self._listener.heard(self._site)
        return reply

    async def _hello(self) -> HelloReply:
        reply = await self._asked(Verb.HELLO, HelloRequest(client="collector", build=__version__))
        hello = verbs.read(HelloReply, reply.content)
        if hello.site != self._site:
            raise WrongSite(f"this endpoint answers as {hello.site}", {"expected": self._site})
        if hello.first < 1:
            raise MalformedMessage("a journal begins at 1")
        return hello

    async def _start(self, hello: HelloReply) -> Cursor:
        """Give the place to go on from: the stored cursor of the site's epoch, or the beginning of an epoch not seen before."""
        epoch = bytes.fromhex(hello.epoch)
        newest = await self._store.newest(self._site)
        if newest is not None and newest.epoch == epoch:
            return newest
        if await self._store.cursor(self._site, epoch) is not None:
            raise Diverged("the site went back to an epoch that it had left", {"epoch": hello.epoch})
        return Cursor(epoch, Seq(hello.first - 1), bytes.fromhex(hello.first_hash))

    async def _ask_status(self) -> None:
        """Ask the site how it is, when it is time to."""
        now = asyncio.get_running_loop().time()
        if now >= self._status_due:
            self._status_due = now + self._pace.status_s
            reply = await self._asked(Verb.PING, PingRequest())
            try:
                status = verbs.read(StatusReply, reply.content)
            except MalformedMessage:  # a word that we do not know is no reason to leave the site's rows there
                status = StatusReply(epoch=self._state.epoch, head=self._state.head)
            self._listener.told(self._site, status)

    async def _page(self, cursor: Cursor) -> Cursor:
        """Pull, verify and store one page. A page of backlog waits for its turn among the sites that drain."""
        is_backlog = self._state.head - cursor.seq > _LEVEL_ROWS
        request = self._question(cursor, is_backlog=is_backlog)
        async with AsyncExitStack() as turn:
            if is_backlog:
                await self._take_turn(turn, cursor)
            reply = await self._pulled(request)
            batch = batch_of(reply, request.epoch)
            self._say(head=batch.head)
            return await self._store_rows(cursor, reply.rows, self._new_head(batch.signed_head))

    async def _pulled(self, request: PullRequest) -> Envelope:
        """Ask for a page, and learn from the time that it takes how large the next one may be."""
        asked_s = asyncio.get_running_loop().time()
        try:
            reply = await self._asked(Verb.PULL, request, request.wait_ms)
        except PeerSilent:
            self._size.stayed_away()
            raise
        if not request.wait_ms:  # else it may have waited for rows
            self._size.came(asyncio.get_running_loop().time() - asked_s, sum(len(row.body) for row in reply.rows))
        return reply

    async def _take_turn(self, turn: AsyncExitStack, cursor: Cursor) -> None:
        task = asyncio.create_task(turn.enter_async_context(self._store.draining))
        try:
            await self._meanwhile(task, cursor, EVERY_S)
        finally:
            task.cancel()

    def _question(self, cursor: Cursor, *, is_backlog: bool) -> PullRequest:
        return PullRequest(
            epoch=cursor.epoch.hex(),
            after=cursor.seq,
            hash=cursor.hash.hex(),
            max=self._pace.max_rows if is_backlog else min(self._pace.max_rows, _LEVEL_ROWS),
            max_bytes=self._size.upto(self._pace.max_bytes if is_backlog else _LEVEL_BYTES),
            wait_ms=0 if is_backlog else self._pace.wait_ms,
            durable=self._consumer,
        )

    def _new_head(self, part: SignedHeadPart | None) -> SignedHead | None:
        """Give the signed head that came with a batch when it is new and well signed.

        Raises:
            MalformedMessage: the signature is not one of the site's.
        """
        signed = None if part is None else part.head(self._site)
        if signed is None or signed == self._kept:
            return None
        try:
            check_head(signed, self._believed)
        except (SignatureInvalid, SignerUnknown) as problem:
            raise MalformedMessage(f"the site's signed head is refused: {problem.detail}", {"why": problem.code}) from problem
        return signed

    async def _store_rows(self, cursor: Cursor, rows: tuple[JournalRow, ...], signed: SignedHead | None) -> Cursor:
        """Store the rows that truly continue ``cursor``, and a new signed head; tell of the first row that does not fit."""
        if self._state.head < cursor.seq:
            raise Diverged("the site's journal is shorter than what it has sent", {"head": self._state.head, "durable": cursor.seq})
        refuse_foreign(rows, self._site, cursor.epoch)
        broken = first_break(rows, cursor.hash, cursor.seq)
        good = rows if broken is None else rows[: broken - cursor.seq - 1]
        start = cursor
        if good or signed is not None:
            batch = Batch(self._site, start, good, signed)
            await self._commit(batch)
            cursor = batch.end
        self._say(rows=self._state.rows + len(good))
        self._stands(cursor, self._state.head)
        if broken is not None:
            raise Diverged("the chain of the site's journal breaks", {"seq": broken})
        if good or signed is not None:
            self._must_check = self._must_check or signed is not None
            self._kept = signed or self._kept
            await self._check(cursor, start.seq if signed is None else Seq(min(start.seq, signed.seq - 1)))
        return cursor

    async def _check(self, cursor: Cursor, after: Seq) -> None:
        """Hold what the site signed and sent ahead against the rows behind ``after``, where there may be something to hold."""
        if not self._must_check:
            return
        held = await self._store.held(self._site, cursor.epoch, min(after, self._checked))
        if held.unfit is not None:
            raise Diverged("the site signed or sent ahead another row than the one it sent", {"seq": held.unfit})
        self._say(signed=held.signed)
        self._checked = cursor.seq
        promised = max(self._state.head, self._live.upto, 0 if self._kept is None else self._kept.seq)
        self._must_check = cursor.seq < promised

    async def _commit(self, batch: Batch) -> None:
        """Return when the batch is on disk; show meanwhile what is new at the site."""
        task = asyncio.create_task(self._store.commit(batch, is_backlog=self._state.head > batch.end.seq))
        try:
            await self._meanwhile(task, batch.end, 0.0)
        except (PeerError, TryLater):
            await task  # never left behind: the next page would be asked for from a place that the archive is about to leave
            raise
        finally:
            task.cancel()

    async def _meanwhile(self, task: asyncio.Task[None], cursor: Cursor, pause_s: float) -> None:
        """Wait for ``task``; as long as rows are left behind ``cursor``, look after ``pause_s`` and then regularly for new ones."""
        if pause_s:
            await asyncio.wait({task}, timeout=pause_s)
        while not task.done():
            if self._state.head > cursor.seq:
                await self._look_ahead(cursor)
            await asyncio.wait({task}, timeout=EVERY_S)
        await task

    async def _look_ahead(self, cursor: Cursor) -> None:
        """Take one page of the newest rows."""
        asked = self._live.question(cursor, self._state.head, self._size.upto(self._pace.max_bytes))
        head = await self._live.take(asked, await self._pulled(asked))
        self._say(head=max(head, self._state.head), live=self._live.upto)

    def _stands(self, cursor: Cursor, head: int) -> None:
        phase = Phase.CURRENT if cursor.seq >= head else Phase.DRAINING
        live = self._live.upto if self._live.upto > cursor.seq else 0
        self._say(durable=cursor.seq, head=head, live=live, phase=phase, code="", detail="")

    def _say(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of SiteState, checked by replace
        state = replace(self._state, **changes)
        if state != self._state:
            self._state = state
            self._listener.post(state)


def _phase(problem: EdgeAgentError) -> Phase:
    if isinstance(problem, TryLater):
        return Phase.HELD_UP
    return Phase.SILENT if isinstance(problem, PeerSilent) else Phase.REFUSED
