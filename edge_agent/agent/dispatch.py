"""From waiting jobs to running ones: as many at once as memory allows, suspects first and alone."""

import asyncio
from collections.abc import Callable

from edge_agent.agent.feed import Doorbell, rung
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.pipeline import Pipeline
from edge_agent.domain.clock import Clock
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
        self._running: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """Give how many jobs are running."""
        return len(self._running)

    def ring(self) -> None:
        """Say that there may be work. To be called on the loop's thread."""
        self._bell.ring()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and start jobs until ``stop``, then wait for those that run. An unexpected error of a job ends this loop."""
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                turn = self._bell.turn()
                await self._slots.acquire()
                job = None if stop.is_set() else await self._ledger.call(Ledger.claim, self._clock.now())
                if job is None:
                    self._slots.release()
                    await rung(turn, _LOOK_AGAIN_S)
                    continue
                task = tasks.create_task(self._one(job), name=f"job-{job.job_id}")
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _one(self, job: Job) -> None:
        try:
            await self._pipeline.process(job, self._committed)
        finally:
            self._slots.release()
            self._bell.ring()
