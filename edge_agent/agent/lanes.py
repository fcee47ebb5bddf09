"""Lanes: named executors. A resource is touched on its own lane only, so nothing in this program needs a lock."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Args = ParamSpec("Args")
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Lane:
    """Threads for one kind of blocking work."""

    def __init__(self, name: str, threads: int = 1, niceness: int = 0) -> None:
        """``niceness`` above 0 lets every other thread of the machine go first (nice(2), which Linux keeps for each thread)."""
        self.name = name
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_yielding, initargs=(niceness,))

    async def run(self, work: Callable[Args, Outcome], *args: Args.args, **kwargs: Args.kwargs) -> Outcome:
        """Do ``work`` on this lane and give what it gives; its errors are raised here."""
        return await asyncio.wrap_future(self._pool.submit(work, *args, **kwargs))

    def fan(self, work: Callable[[Item], Outcome], items: Sequence[Item]) -> list[Outcome]:
        """Satisfy ``analysis.ports.Fan``: spread ``items`` over the lane's threads; called from another lane, never from the loop."""
        return list(self._pool.map(work, items))

    def finish(self, work: Callable[[], Outcome]) -> Outcome:
        """Do one last thing on the lane and wait for it, when the loop no longer runs its tasks."""
        return self._pool.submit(work).result()

    async def ping(self) -> None:
        """Return when a no-op has travelled through the lane: the watchdog's proof that it is not stuck."""
        await self.run(int)

    def close(self) -> None:
        """Let the thread in hand finish, refuse new work."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _yielding(niceness: int) -> None:
    if niceness:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
