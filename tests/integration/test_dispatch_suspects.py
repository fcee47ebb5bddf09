"""What is done beside the main job leaves a suspect alone: a death meanwhile would be charged to it."""

import asyncio
from contextlib import closing
from pathlib import Path

from edge_agent.agent.dispatch import Dispatch
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, an_acceptance, an_arrival, an_assessment


class SlowPipeline:
    """Finishes a job when it is told to."""

    def __init__(self, ledger: LedgerLane) -> None:
        self.ledger = ledger
        self.begun = asyncio.Event()
        self.finish = asyncio.Event()

    async def process(self, job, ring) -> None:
        self.begun.set()
        await self.finish.wait()
        await self.ledger.call(Ledger.complete, job.job_id, an_assessment(job.scan_id, job.revision), ())
        ring()


def test_nothing_goes_on_beside_a_suspect_whether_it_waits_or_runs(tmp_path: Path) -> None:
    async def main() -> None:
        clock = ManualClock()
        lane = Lane("ledger")
        with closing(lane), closing(Ledger.open(tmp_path / "ledger.db", SITE, clock)) as ledger:
            ledger.accept([an_acceptance(an_arrival("one"))])
            ledger.claim(clock.now())
            ledger.recover(charge=False)  # as after a death
            access = LedgerLane(ledger, lane)
            pipeline = SlowPipeline(access)
            dispatch = Dispatch(access, pipeline, clock, 2, lambda: None)
            stop = asyncio.Event()
            beside = asyncio.create_task(dispatch.without_suspects(stop))
            running = asyncio.create_task(dispatch.run(stop))
            await pipeline.begun.wait()
            await lane.run(lambda: None)
            assert not beside.done()
            pipeline.finish.set()
            async with asyncio.timeout(40):
                await beside
                stop.set()
                dispatch.ring()
                await running

    asyncio.run(main())


def test_a_stop_ends_the_waiting(tmp_path: Path) -> None:
    async def main() -> None:
        clock = ManualClock()
        lane = Lane("ledger")
        with closing(lane), closing(Ledger.open(tmp_path / "ledger.db", SITE, clock)) as ledger:
            ledger.accept([an_acceptance(an_arrival("one"))])
            ledger.claim(clock.now())
            ledger.recover(charge=False)
            access = LedgerLane(ledger, lane)
            dispatch = Dispatch(access, SlowPipeline(access), clock, 2, lambda: None)
            stop = asyncio.Event()
            beside = asyncio.create_task(dispatch.without_suspects(stop))
            await lane.run(lambda: None)
            stop.set()
            dispatch.ring()
            async with asyncio.timeout(40):
                await beside

    asyncio.run(main())
