"""The newest rows of a site whose backlog drains: shown at once, proved later.

A page is asked near the head, without ``durable`` and ``hash``: it acknowledges nothing and proves nothing. The archive keeps its rows as
provisional until the verified prefix reaches them.
"""

from collections.abc import Sequence
from typing import Protocol

from edge_agent.collector.archive.port import Cursor
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import EpochChanged, MalformedMessage, WrongSite
from edge_agent.wire import verbs
from edge_agent.wire.chain import JournalRow, first_break
from edge_agent.wire.frames import ROOT, Envelope
from edge_agent.wire.verbs import BatchReply, PullRequest

FIRST_ROWS = 100
"""So many of the newest rows come ahead when a drain begins; from there on every new one does."""
EVERY_S = 1.0
"""How often the head is looked at while a page of the backlog waits to be stored."""


class Shelf(Protocol):
    """Where provisional rows go: the archive's lane."""

    async def live(self, site: SiteId, rows: Sequence[JournalRow]) -> None: ...


def batch_of(reply: Envelope, epoch: str) -> BatchReply:
    """Read a BATCH that answers a question about ``epoch``.

    Raises:
        EpochChanged, MalformedMessage: it is no answer to that question.
    """
    batch = verbs.read(BatchReply, reply.content)
    if batch.epoch != epoch:
        raise EpochChanged("the answer is of another epoch")
    if batch.n != len(reply.rows):
        raise MalformedMessage("a batch has as many rows as it says", {"said": batch.n, "rows": len(reply.rows)})
    return batch


def refuse_foreign(rows: Sequence[JournalRow], site: SiteId, epoch: bytes) -> None:
    """Refuse rows that another site or another epoch of this one must have written.

    Raises:
        WrongSite: there is such a row.
    """
    if not all(row.epoch == epoch and row.topic.startswith(f"{ROOT}/{site}/") for row in rows):
        raise WrongSite("a row of another site or epoch in a batch")


class LiveLane:
    """How far the newest rows of one site are shown already, in one epoch."""

    def __init__(self, site: SiteId, epoch: bytes, shelf: Shelf) -> None:
        self._site = site
        self._epoch = epoch
        self._shelf = shelf
        self._upto = Seq(0)

    @property
    def upto(self) -> Seq:
        """Number of the last row that came ahead, 0 before the first."""
        return self._upto

    def question(self, cursor: Cursor, head: int, max_bytes: int = verbs.MAX_BATCH_BYTES) -> PullRequest:
        """Give what to ask next, when the prefix stands at ``cursor`` and the journal at ``head``; ``max_bytes``: of the answer."""
        return PullRequest(epoch=self._epoch.hex(), after=max(self._upto or head - FIRST_ROWS, cursor.seq), max_bytes=max_bytes)

    async def take(self, asked: PullRequest, reply: Envelope) -> int:
        """Show the rows of an answer; give the head that it tells.

        Raises:
            EpochChanged, MalformedMessage, WrongSite: it is no page of this journal.
            TryLater: they cannot be stored now.
        """
        batch = batch_of(reply, self._epoch.hex())
        refuse_foreign(reply.rows, self._site, self._epoch)
        if reply.rows:
            first, *others = reply.rows
            if first.seq != asked.after + 1 or first_break(others, first.hash, first.seq) is not None:
                raise MalformedMessage("the newest rows do not follow each other", {"after": asked.after})
            await self._shelf.live(self._site, reply.rows)
            self._upto = reply.rows[-1].seq
        return batch.head
