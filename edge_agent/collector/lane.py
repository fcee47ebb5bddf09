"""The one thread that touches the archive while the collector runs; what waits together is committed together, the newest rows first."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar

from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import FactId, Seq, SiteId
from edge_agent.errors import TryLater
from edge_agent.wire.chain import JournalRow

MOST_ROWS = 1_000
"""Rows of backlog in one transaction: whoever brings a new row meanwhile waits for one such transaction, a fraction of a second."""
MOST_DRAINING = 16
"""Pages of backlog in memory at a time, of 500 rows or 1 MiB each, however many sites come back at once."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Held:
    """What holds a site's own words against the rows that are stored.

    ``unfit``: first row that is not the one which the site signed, or had sent ahead; ``signed``: last row that its signature vouches for.
    """

    unfit: Seq | None
    signed: Seq


@dataclass(frozen=True, slots=True)
class _Waiting:
    batch: Batch
    done: asyncio.Future[None]


class ArchiveLane:
    """Asks the archive from the event loop. ``run`` must be a running task while anything waits for ``commit``."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive")
        self._fresh: deque[_Waiting] = deque()
        self._backlog: deque[_Waiting] = deque()
        self._bell = asyncio.Event()
        self._draining = asyncio.Semaphore(MOST_DRAINING)

    @property
    def draining(self) -> AbstractAsyncContextManager[None]:
        """To be held while a page of backlog is in memory."""
        return self._draining

    async def cursor(self, site: SiteId, epoch: bytes) -> Cursor | None:
        return await self._on_thread(lambda: self._archive.cursor(site, epoch))

    async def newest(self, site: SiteId) -> Cursor | None:
        return await self._on_thread(lambda: self._archive.newest(site))

    async def held(self, site: SiteId, epoch: bytes, after: Seq) -> Held:
        """Hold what the site signed and sent ahead against the rows behind ``after``."""

        def compare() -> Held:
            unfit = [self._archive.unfit_head(site, epoch, after), self._archive.unfit_live(site, epoch, after)]
            return Held(min((seq for seq in unfit if seq is not None), default=None), self._archive.signed_to(site, epoch))

        return await self._on_thread(compare)

    async def has_facts(self, site: SiteId, facts: Sequence[FactId]) -> frozenset[FactId]:
        """Give those of ``facts`` that lie in the verified prefix of a site."""
        return await self._on_thread(lambda: self._archive.has_facts(site, facts))

    async def live(self, site: SiteId, rows: Sequence[JournalRow]) -> None:
        """Return when rows that came ahead are on disk, after the transaction under way and before all that waits.

        Raises:
            TryLater: they are not.
        """
        await self._on_thread(lambda: self._archive.live(site, rows))

    async def commit(self, batch: Batch, *, is_backlog: bool = False) -> None:
        """Return when the batch is on disk; a page of ``is_backlog`` waits for all that is new.

        Raises:
            TryLater: it is not, and may be tried again as it is.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._backlog if is_backlog else self._fresh).append(_Waiting(batch, done))
        self._bell.set()
        await done

    async def run(self) -> None:
        """Commit what waits, until cancelled. Any error but ``TryLater`` ends this, and with it the collector."""
        while True:
            await self._bell.wait()
            taken = _some(self._fresh) + _some(self._backlog)
            if not (self._fresh or self._backlog):
                self._bell.clear()
            await self._commit(taken)

    async def _commit(self, taken: list[_Waiting]) -> None:
        problem: TryLater | None = None
        try:
            await self._on_thread(lambda: self._archive.commit([one.batch for one in taken]))
        except TryLater as trouble:
            problem = trouble
        for one in taken:
            if one.done.done():
                continue  # the puller that waited was cancelled; its rows are stored all the same
            if problem is None:
                one.done.set_result(None)
            else:
                one.done.set_exception(problem)

    def close(self) -> None:
        """Wait for the commit under way, then let the thread go."""
        self._thread.shutdown(wait=True)

    async def _on_thread(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _some(waiting: deque[_Waiting]) -> list[_Waiting]:
    """Take the oldest, as many as one transaction holds and one at least."""
    taken: list[_Waiting] = []
    rows = 0
    while waiting and (not taken or rows + len(waiting[0].batch.rows) <= MOST_ROWS):
        taken.append(waiting.popleft())
        rows += len(taken[-1].batch.rows)
    return taken
