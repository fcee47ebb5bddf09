"""The one thread that touches the archive while the collector runs; batches that wait together are committed together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from edge_agent.collector.archive import Archive, Batch, Cursor
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import TryLater

_MOST_BATCHES = 32
"""Bounds one transaction to 16,000 rows: 32 sites that drain at once share one fsync."""

_T = TypeVar("_T")


class ArchiveLane:
    """Asks the archive from the event loop. ``run`` must be a running task while anything waits for ``commit``."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive")
        self._waiting: list[tuple[Batch, asyncio.Future[None]]] = []
        self._bell = asyncio.Event()

    async def cursor(self, site: SiteId, epoch: bytes) -> Cursor | None:
        return await self._on_thread(lambda: self._archive.cursor(site, epoch))

    async def newest(self, site: SiteId) -> Cursor | None:
        return await self._on_thread(lambda: self._archive.newest(site))

    async def unfit_head(self, site: SiteId, epoch: bytes, after: Seq) -> Seq | None:
        return await self._on_thread(lambda: self._archive.unfit_head(site, epoch, after))

    async def signed_to(self, site: SiteId, epoch: bytes) -> Seq:
        return await self._on_thread(lambda: self._archive.signed_to(site, epoch))

    async def commit(self, batch: Batch) -> None:
        """Return when the batch is on disk.

        Raises:
            TryLater: it is not, and may be tried again as it is.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, done))
        self._bell.set()
        await done

    async def run(self) -> None:
        """Commit what waits, until cancelled. Any error but ``TryLater`` ends this, and with it the collector."""
        while True:
            await self._bell.wait()
            taken, self._waiting = self._waiting[:_MOST_BATCHES], self._waiting[_MOST_BATCHES:]
            if not self._waiting:
                self._bell.clear()
            await self._commit(taken)

    async def _commit(self, taken: list[tuple[Batch, asyncio.Future[None]]]) -> None:
        problem: TryLater | None = None
        try:
            await self._on_thread(lambda: self._archive.commit([batch for batch, _ in taken]))
        except TryLater as trouble:
            problem = trouble
        for _, done in taken:
            if done.done():
                continue  # the puller that waited was cancelled; its rows are stored all the same
            if problem is None:
                done.set_result(None)
            else:
                done.set_exception(problem)

    def close(self) -> None:
        """Wait for the commit under way, then let the thread go."""
        self._thread.shutdown(wait=True)

    async def _on_thread(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
