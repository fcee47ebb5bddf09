"""What a console asks a site about its journal: the greeting, rows, a snapshot; and, from these, where its reading begins."""

from collections.abc import Sequence
from dataclasses import dataclass

import edge_agent
from edge_agent.console.events import Newest, Recent, Start
from edge_agent.domain.ids import Seq
from edge_agent.errors import Diverged, MalformedMessage
from edge_agent.transport.link import TIMEOUT_S, Retry, SyncLink
from edge_agent.transport.sockets import ClientSecurity, Context, InsecureLoopback
from edge_agent.wire.catchup import Cursor
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import Envelope
from edge_agent.wire.verbs import BatchReply, HelloReply, HelloRequest, PullRequest, SnapReply, SnapRequest, Verb, content, read

_ONCE = Retry(attempts=1)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a site answers (its SYNC endpoint) and how the link is secured."""

    endpoint: str
    security: ClientSecurity | InsecureLoopback


@dataclass(frozen=True, slots=True)
class Opening:
    """Where reading begins. ``head``: the site's last number; ``missed``: rows that retention deleted before they were read.

    ``rows``: those of a snapshot, to be handed out first.
    """

    cursor: Cursor
    head: int
    missed: int = 0
    rows: Sequence[JournalRow] = ()


class Questions:
    """Asks one site. Every method tries once and raises PeerError where there is no answer, or no good one."""

    def __init__(self, context: Context, site: Site) -> None:
        self._link = SyncLink(context, site.endpoint, site.security, _ONCE)

    def close(self) -> None:
        self._link.close()

    async def hello(self) -> HelloReply:
        request = HelloRequest(client="console", build=edge_agent.__version__)
        reply = await self._link.request(Verb.HELLO, content(request), TIMEOUT_S)
        return read(HelloReply, reply.content)

    async def pull(self, cursor: Cursor, topics: Sequence[str]) -> tuple[Sequence[JournalRow], BatchReply]:
        """Give the rows behind ``cursor``; ``topics``: beginnings of the wanted ones, none = all."""
        request = PullRequest(epoch=cursor.epoch.hex(), after=cursor.seq, hash=cursor.hash.hex(), topics=list(topics))
        reply = await self._link.request(Verb.PULL, content(request))
        batch = read(BatchReply, reply.content)
        _check_count(batch.n, reply)
        return reply.rows, batch

    async def opening(self, hello: HelloReply, start: Start, topics: Sequence[str]) -> Opening:
        """Find where to begin; ``topics``: as in ``pull``.

        Raises:
            Diverged: the site's journal has no row of the number after which to begin.
        """
        if isinstance(start, Newest):
            return await self._snapshot(start, topics)
        if isinstance(start, Cursor):
            return _again(hello, start)
        if isinstance(start, Recent):
            after = Seq(max(hello.head - start.rows, 0))
            return await self._after(hello, after if after >= hello.first else Seq(0))
        return await self._after(hello, start)

    async def _snapshot(self, start: Newest, topics: Sequence[str]) -> Opening:
        reply = await self._link.request(Verb.SNAP, content(SnapRequest(topics=list(topics), last=start.last)))
        snap = read(SnapReply, reply.content)
        _check_count(snap.n, reply)
        return Opening(Cursor(bytes.fromhex(snap.epoch), Seq(snap.head), bytes.fromhex(snap.hash)), snap.head, rows=reply.rows)

    async def _after(self, hello: HelloReply, after: Seq) -> Opening:
        """Begin before the oldest row, or at the row the caller has last, whose hash is pulled with it."""
        if after < hello.first:
            return Opening(_before_the_oldest(hello), hello.head, hello.first - 1 - after if after else 0)
        request = PullRequest(epoch=hello.epoch, after=after - 1, max=1)
        rows = (await self._link.request(Verb.PULL, content(request))).rows
        if not rows or rows[0].seq != after:
            raise Diverged("the site's journal has no such row", {"seq": after, "head": hello.head})
        return Opening(Cursor(bytes.fromhex(hello.epoch), rows[0].seq, rows[0].hash), hello.head)


def _again(hello: HelloReply, known: Cursor) -> Opening:
    """Begin at the row the caller has last, which the first PULL proves; in another epoch at the beginning: rows may have changed."""
    is_same = known.epoch == bytes.fromhex(hello.epoch)
    if is_same and known.seq >= hello.first - 1:
        return Opening(known, hello.head)
    return Opening(_before_the_oldest(hello), hello.head, hello.first - 1 - known.seq if is_same else 0)


def _before_the_oldest(hello: HelloReply) -> Cursor:
    return Cursor(bytes.fromhex(hello.epoch), Seq(hello.first - 1), bytes.fromhex(hello.first_hash))


def _check_count(told: int, reply: Envelope) -> None:
    if told != len(reply.rows):
        raise MalformedMessage("the answer holds another number of rows than it says", {"n": told, "rows": len(reply.rows)})
