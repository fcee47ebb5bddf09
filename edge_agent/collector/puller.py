"""Follows one site: HELLO, then PULL after PULL from the stored cursor. Each page is verified and on disk before the next PULL says so.

The next PULL *is* the acknowledgement: ``after`` = n with ``durable`` means that everything up to n lies in the archive. So a crash at
any point loses nothing and stores nothing twice.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NoReturn, Protocol

from edge_agent import __version__
from edge_agent.collector.archive import Batch, Cursor
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import (
    Diverged,
    EdgeAgentError,
    EpochChanged,
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
from edge_agent.wire.frames import ROOT, Envelope
from edge_agent.wire.heads import SignedHead, SignedHeadPart
from edge_agent.wire.verbs import BatchReply, HelloReply, HelloRequest, PullRequest, Verb


class Phase(StrEnum):
    """How it stands between headquarters and a site."""

    CONNECTING = "connecting"
    DRAINING = "draining"
    CURRENT = "current"
    SILENT = "silent"
    """No answer; tried again."""
    REFUSED = "refused"
    """The site refused, or answered what cannot be used; tried again."""
    HELD_UP = "held-up"
    """Headquarters itself cannot store now (disk full); tried again."""
    DIVERGED = "diverged"
    """Stopped: the site's journal is not the one whose rows are here. A person must look."""


@dataclass(frozen=True, slots=True)
class SiteState:
    """``durable``: last number on our disk; ``head``: last number of the site's journal as it last said; ``rows``: stored since start.

    ``signed``: last number on our disk that the site's own signature vouches for.
    """

    site: SiteId
    phase: Phase = Phase.CONNECTING
    epoch: str = ""
    durable: int = 0
    head: int = 0
    rows: int = 0
    signed: int = 0
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much to ask for at once, how long to wait for it, and how long to pause after a failure (doubling, with jitter).

    ``wait_ms`` bounds how long a cut that nobody reported stays unseen: an answer is due ``reply_s`` after it.
    """

    max_rows: int = verbs.MAX_ROWS
    max_bytes: int = verbs.MAX_BATCH_BYTES
    wait_ms: int = 2_000
    reply_s: float = 3.0
    pause_first_s: float = 0.2
    pause_last_s: float = 30.0


class Link(Protocol):
    """A way to ask a site."""

    async def request(self, verb: str, content: dict[str, Any], timeout_s: float) -> Envelope:
        """Give the reply, or raise the ``PeerError`` that the site answered or that its silence is."""


class Store(Protocol):
    """Where rows go: the archive's lane."""

    async def cursor(self, site: SiteId, epoch: bytes) -> Cursor | None: ...
    async def newest(self, site: SiteId) -> Cursor | None: ...
    async def commit(self, batch: Batch) -> None: ...
    async def unfit_head(self, site: SiteId, epoch: bytes, after: Seq) -> Seq | None: ...
    async def signed_to(self, site: SiteId, epoch: bytes) -> Seq: ...


def pause_s(pace: Pace, failures: int, jitter: float) -> float:
    """Give the pause in seconds after so many failures in a row; ``jitter`` in [0, 1) spreads sites that failed together."""
    longest = min(pace.pause_last_s, pace.pause_first_s * 2.0 ** min(failures - 1, 30))
    return longest * (0.5 + jitter / 2.0)


class SitePuller:
    """Pulls one site until cancelled, or until the site's journal contradicts what is stored."""

    def __init__(
        self, site: SiteId, consumer: str, link: Link, store: Store, tell: Callable[[SiteState], None], believed: VerifyKey | None = None
    ) -> None:
        """Follow ``site`` as its consumer ``consumer``; ``tell`` hears every change of state. ``believed``: whose signed heads count."""
        self._believed = believed
        self._kept: SignedHead | None = None
        self._consumer = consumer
        self._link = link
        self._store = store
        self._tell = tell
        self._state = SiteState(site)

    async def run(self, pace: Pace, jitter: Callable[[], float]) -> None:
        """Pull. Returns only when the site has diverged."""
        failures = 0
        while True:
            stored = self._state.rows
            try:
                await self._follow(pace)
            except Diverged as problem:
                self._say(phase=Phase.DIVERGED, code=problem.code, detail=problem.detail)
                return
            except (PeerError, TryLater) as problem:
                failures = 1 if self._state.rows > stored else failures + 1
                self._say(phase=_phase(problem), code=problem.code, detail=problem.detail)
            await asyncio.sleep(pause_s(pace, failures, jitter()))

    async def _follow(self, pace: Pace) -> NoReturn:
        hello = await self._hello(pace)
        cursor = await self._start(hello)
        await self._check_heads(cursor, Seq(0))
        self._say(epoch=hello.epoch, durable=cursor.seq, head=hello.head, phase=_progress(cursor.seq, hello.head), code="", detail="")
        while True:
            cursor = await self._page(cursor, pace)

    async def _hello(self, pace: Pace) -> HelloReply:
        request = HelloRequest(client="collector", build=__version__)
        reply = await self._link.request(Verb.HELLO, verbs.content(request), pace.reply_s)
        hello = verbs.read(HelloReply, reply.content)
        if hello.site != self._state.site:
            raise WrongSite(f"this endpoint answers as {hello.site}", {"expected": self._state.site})
        if hello.first < 1:
            raise MalformedMessage("a journal begins at 1")
        return hello

    async def _start(self, hello: HelloReply) -> Cursor:
        """Give the place to go on from: the stored cursor of the site's epoch, or the beginning of an epoch not seen before."""
        epoch = bytes.fromhex(hello.epoch)
        newest = await self._store.newest(self._state.site)
        if newest is not None and newest.epoch == epoch:
            return newest
        if await self._store.cursor(self._state.site, epoch) is not None:
            raise Diverged("the site went back to an epoch that it had left", {"epoch": hello.epoch})
        return Cursor(epoch, Seq(hello.first - 1), bytes.fromhex(hello.first_hash))

    async def _page(self, cursor: Cursor, pace: Pace) -> Cursor:
        request = PullRequest(
            epoch=cursor.epoch.hex(),
            after=cursor.seq,
            hash=cursor.hash.hex(),
            max=pace.max_rows,
            max_bytes=pace.max_bytes,
            wait_ms=pace.wait_ms,
            durable=self._consumer,
        )
        reply = await self._link.request(Verb.PULL, verbs.content(request), pace.wait_ms / 1000 + pace.reply_s)
        head = verbs.read(BatchReply, reply.content)
        if head.epoch != request.epoch:
            raise EpochChanged("the answer is of another epoch")
        if head.n != len(reply.rows):
            raise MalformedMessage("a batch has as many rows as it says", {"said": head.n, "rows": len(reply.rows)})
        return await self._store_rows(cursor, reply.rows, head.head, self._new_head(head.signed_head))

    def _new_head(self, part: SignedHeadPart | None) -> SignedHead | None:
        """Give the signed head that came with a batch when it is new and well signed.

        Raises:
            MalformedMessage: the signature is not one of the site's.
        """
        signed = None if part is None else part.head(self._state.site)
        if signed is None or signed == self._kept:
            return None
        try:
            check_head(signed, self._believed)
        except (SignatureInvalid, SignerUnknown) as problem:
            raise MalformedMessage(f"the site's signed head is refused: {problem.detail}", {"why": problem.code}) from problem
        return signed

    async def _check_heads(self, cursor: Cursor, after: Seq) -> None:
        """Hold what the site signed against the rows that are stored behind ``after``."""
        unfit = await self._store.unfit_head(self._state.site, cursor.epoch, after)
        if unfit is not None:
            raise Diverged("the site signed another row than the one it sent", {"seq": unfit})
        self._say(signed=await self._store.signed_to(self._state.site, cursor.epoch))

    async def _store_rows(self, cursor: Cursor, rows: tuple[JournalRow, ...], head: int, signed: SignedHead | None) -> Cursor:
        """Store the rows that truly continue ``cursor``, and a new signed head; tell of the first row that does not fit."""
        if head < cursor.seq:
            raise Diverged("the site's journal is shorter than what it has sent", {"head": head, "durable": cursor.seq})
        if not all(self._is_ours(row, cursor) for row in rows):
            raise WrongSite("a row of another site or epoch in a batch")
        broken = first_break(rows, cursor.hash, cursor.seq)
        good = rows if broken is None else rows[: broken - cursor.seq - 1]
        start = cursor
        if good or signed is not None:
            batch = Batch(self._state.site, start, good, signed)
            await self._store.commit(batch)
            cursor = batch.end
        self._say(durable=cursor.seq, head=head, rows=self._state.rows + len(good), phase=_progress(cursor.seq, head), code="", detail="")
        if broken is not None:
            raise Diverged("the chain of the site's journal breaks", {"seq": broken})
        if good or signed is not None:
            self._kept = signed or self._kept
            await self._check_heads(cursor, start.seq if signed is None else Seq(min(start.seq, signed.seq - 1)))
        return cursor

    def _is_ours(self, row: JournalRow, cursor: Cursor) -> bool:
        return row.epoch == cursor.epoch and row.topic.startswith(f"{ROOT}/{self._state.site}/")

    def _say(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of SiteState, checked by replace
        state = replace(self._state, **changes)
        if state != self._state:
            self._state = state
            self._tell(state)


def _progress(durable: int, head: int) -> Phase:
    return Phase.CURRENT if durable >= head else Phase.DRAINING


def _phase(problem: EdgeAgentError) -> Phase:
    if isinstance(problem, TryLater):
        return Phase.HELD_UP
    return Phase.SILENT if isinstance(problem, PeerSilent) else Phase.REFUSED
