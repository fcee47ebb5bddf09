"""Lanes: named executors. A resource is touched on its own lane only, so nothing in this program needs a lock."""

import asyncio
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeAlias, TypeVar

Args = ParamSpec("Args")
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Lane:
    """Threads for one kind of blocking work."""

    def __init__(self, name: str, threads: int = 1, niceness: int = 0) -> None:
        """``niceness`` above 0 lets every other thread of the machine go first (nice(2), which Linux keeps for each thread)."""
        self.name = name
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_yielding, initargs=(niceness,))
        self._numbers = itertools.count(1)
        self._running: set[int] = set()
        self._ping: tuple[int, Future[int]] | None = None

    async def run(self, work: Callable[Args, Outcome], *args: Args.args, **kwargs: Args.kwargs) -> Outcome:
        """Do ``work`` on this lane and give what it gives; its errors are raised here."""
        return await asyncio.wrap_future(self._pool.submit(self._numbered, partial(work, *args, **kwargs)))

    def fan(self, work: Callable[[Item], Outcome], items: Sequence[Item]) -> list[Outcome]:
        """Satisfy ``analysis.ports.Fan``: spread ``items`` over the lane's threads; called from another lane, never from the loop."""
        return list(self._pool.map(lambda item: self._numbered(partial(work, item)), items))

    def finish(self, work: Callable[[], Outcome]) -> Outcome:
        """Do one last thing on the lane and wait for it, when the loop no longer runs its tasks."""
        return self._pool.submit(work).result()

    def in_hand(self) -> frozenset[int]:
        """Give the numbers of the pieces of work that run now, and send a no-op on its way for the next look.

        A lane that runs nothing although a no-op waits for it gives the no-op's number: it does not work any more either. Numbers are
        never used again, so one that is seen for long is one piece of work that takes long, on whichever thread of the lane.
        """
        if self._ping is None or self._ping[1].done():
            self._ping = (next(self._numbers), self._pool.submit(int))
            return frozenset(self._running)
        return frozenset(self._running) or frozenset({self._ping[0]})

    def close(self) -> None:
        """Let the thread in hand finish, refuse new work."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _numbered(self, work: Callable[[], Outcome]) -> Outcome:
        """Do ``work`` under a number of its own. Adding to a set and copying one are single steps of the interpreter."""
        number = next(self._numbers)
        self._running.add(number)
        try:
            return work()
        finally:
            self._running.discard(number)


LaneMaker: TypeAlias = Callable[[str, int, int], Lane]
"""Makes a lane from its name, threads and niceness: ``Lane`` itself, or what the launcher of a test puts in its place."""


class Lanes:
    """Every lane of the daemon: opened here, watched, closed together."""

    def __init__(self, make: LaneMaker = Lane) -> None:
        self._make = make
        self._opened: list[Lane] = []
        self._watched: list[Lane] = []

    def open(self, name: str, threads: int = 1, niceness: int = 0, *, is_watched: bool = True) -> Lane:
        """Open a lane. The watchdog watches it from now on, unless a hang there must not end the daemon."""
        lane = self._make(name, threads, niceness)
        self._opened.append(lane)
        if is_watched:
            self._watched.append(lane)
        return lane

    def __iter__(self) -> Iterator[Lane]:
        """Give the lanes that are watched."""
        return iter(tuple(self._watched))

    def close(self) -> None:
        """Close every lane, the last opened first."""
        for lane in reversed(self._opened):
            lane.close()


class LaneWatch:
    """Finds lanes that are stuck: the watchdog's proof that work goes on everywhere, and not on the loop alone.

    A piece of work may take long, and then others of its lane wait; so what counts is how long one piece has been running.
    """

    def __init__(self, lanes: Iterable[Lane], patience_s: float) -> None:
        """``lanes`` is gone through at each look; ``patience_s``: seconds after which one piece of work is taken for hung."""
        self._lanes = lanes
        self._patience_s = patience_s
        self._since: dict[tuple[str, int], float] = {}

    def stuck(self, now_s: float) -> list[str]:
        """Give the names of the lanes that are stuck at ``now_s`` (monotonic); to be asked several times within the patience."""
        seen = {(lane.name, number): now_s for lane in self._lanes for number in lane.in_hand()}
        self._since = {work: self._since.get(work, began) for work, began in seen.items()}
        return sorted({name for (name, _), began in self._since.items() if now_s - began >= self._patience_s})


def _yielding(niceness: int) -> None:
    if niceness:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
