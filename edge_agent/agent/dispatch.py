"""From waiting jobs to running ones: as many at once as slots and memory allow, suspects first and alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from edge_agent.agent.feed import Doorbell, rung
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.pipeline import Pipeline
from edge_agent.domain.clock import Clock
from edge_agent.errors import DiskLow
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Job

_LOOK_AGAIN_S = 1.0


class Dispatch:
    """Claims jobs while slots are free. The ledger is the queue: what is not claimed stays there."""

    def __init__(self, ledger: LedgerLane, pipeline: Pipeline, clock: Clock, slots: int, committed: Callable[[], None]) -> None:
        """``slots``: jobs at once; ``committed`` is called after each commit, on the loop's thread."""
        self._ledger = ledger
        self._committed = committed
        self._pipeline = pipeline
        self._clock = clock
        self._slots = asyncio.Semaphore(slots)
        self._bell = Doorbell()
        self._running: dict[asyncio.Task[None], Job] = {}
        self._is_abandoned = False

    @property
    def in_flight(self) -> int:
        """Give how many jobs are running."""
        return len(self._running)

    def ring(self) -> None:
        """Say that there may be work. To be called on the loop's thread."""
        self._bell.ring()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold the place of a job, in turn with the jobs: something of that size is done between scans."""
        async with self._slots:
            yield
        self._bell.ring()

    async def without_suspects(self, stop: asyncio.Event) -> None:
        """Return once no suspect waits or runs, or at ``stop``: a death meanwhile would be charged to the suspect, so it is left alone."""
        while not stop.is_set():
            turn = self._bell.turn()
            waiting = await self._ledger.call(Ledger.suspects_over, 0, 0)
            if not waiting and not any(job.is_suspect for job in self._running.values()):
                return
            await rung(turn, _LOOK_AGAIN_S)

    def abandon(self) -> None:
        """Give up every job in hand and claim no other: what they would conclude cannot be believed.

        They stay claimed in the ledger and are taken up at the next start. To be called on the loop's thread.
        """
        self._is_abandoned = True
        for task in self._running:
            task.cancel()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and start jobs until ``stop``, then wait for those that run. An unexpected error of a job ends this loop."""
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                turn = self._bell.turn()
                await self._slots.acquire()
                job = None if stop.is_set() or self._is_abandoned else await self._claimed()
                if job is None or self._is_abandoned:
                    self._slots.release()
                    await rung(turn, _LOOK_AGAIN_S)
                    continue
                task = tasks.create_task(self._one(job), name=f"job-{job.job_id}")
                self._running[task] = job
                task.add_done_callback(self._running.pop)

    async def _claimed(self) -> Job | None:
        """Claim a job; none while the disk has no room for the note."""
        try:
            return await self._ledger.call(Ledger.claim, self._clock.now())
        except DiskLow:
            return None

    async def _one(self, job: Job) -> None:
        try:
            await self._pipeline.process(job, self._committed)
        finally:
            self._slots.release()
            self._bell.ring()
