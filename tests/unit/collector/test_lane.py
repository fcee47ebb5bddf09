"""The archive's lane: batches that wait together share a transaction, and every waiter hears what became of its own."""

import asyncio
import threading

import pytest

from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.board import Board
from edge_agent.collector.lane import ArchiveLane
from edge_agent.collector.puller import SiteState
from edge_agent.collector.serve import line
from edge_agent.collector.states import Phase
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import DiskLow
from edge_agent.testing.clock import ManualClock


def batch(n):
    return Batch(SiteId(f"site-{n}"), Cursor(b"e" * 16, Seq(0), b"e" * 16), ())


class SlowArchive:
    """Keeps the first commit until told to go on; remembers what was committed together and on which thread."""

    def __init__(self, problem=None):
        self.go_on = threading.Event()
        self.entered = threading.Event()
        self.commits = []
        self.threads = set()
        self.problem = problem

    def commit(self, batches):
        self.threads.add(threading.get_ident())
        self.entered.set()
        self.go_on.wait(10)
        if self.problem is not None:
            raise self.problem
        self.commits.append([item.site for item in batches])


def on_lane(archive, scene):
    async def run():
        lane = ArchiveLane(archive)
        task = asyncio.create_task(lane.run())
        try:
            await scene(lane, task)
        finally:
            archive.go_on.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            lane.close()

    asyncio.run(run())


async def begun(archive):
    await asyncio.get_running_loop().run_in_executor(None, archive.entered.wait, 10)


def test_batches_that_wait_during_a_commit_go_into_the_next_one_together():
    archive = SlowArchive()

    async def scene(lane, _task):
        first = asyncio.create_task(lane.commit(batch(0)))
        await begun(archive)
        others = [asyncio.create_task(lane.commit(batch(n))) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        assert not first.done()
        archive.go_on.set()
        await asyncio.gather(first, *others)

    on_lane(archive, scene)
    assert archive.commits == [["site-0"], ["site-1", "site-2", "site-3"]]
    assert len(archive.threads) == 1


def test_a_full_disk_is_told_to_everybody_who_waited_and_the_lane_lives_on():
    archive = SlowArchive(DiskLow("full"))
    archive.go_on.set()

    async def scene(lane, task):
        told = await asyncio.gather(lane.commit(batch(1)), lane.commit(batch(2)), return_exceptions=True)
        assert [type(problem) for problem in told] == [DiskLow, DiskLow]
        archive.problem = None
        await lane.commit(batch(3))
        assert not task.done()

    on_lane(archive, scene)
    assert archive.commits == [["site-3"]]


def test_a_waiter_that_was_cancelled_does_not_disturb_the_others():
    archive = SlowArchive()

    async def scene(lane, _task):
        leaving, staying = asyncio.create_task(lane.commit(batch(1))), asyncio.create_task(lane.commit(batch(2)))
        await begun(archive)
        leaving.cancel()
        archive.go_on.set()
        await staying
        assert leaving.cancelled()

    on_lane(archive, scene)
    assert archive.commits == [["site-1", "site-2"]]


def test_any_other_error_ends_the_lane():
    archive = SlowArchive(ValueError("a bug"))
    archive.go_on.set()

    async def scene(lane, task):
        waiter = asyncio.create_task(lane.commit(batch(1)))
        with pytest.raises(ValueError, match="a bug"):
            await task
        waiter.cancel()

    on_lane(archive, scene)


def test_the_board_is_idle_from_the_last_stored_row_not_from_the_last_word():
    clock, told = ManualClock(), []
    north, south = SiteId("north"), SiteId("south")
    board = Board([north, south], clock, told.append)
    clock.advance(5)
    board.post(SiteState(north, Phase.DRAINING, rows=3))
    clock.advance(2)
    board.post(SiteState(north, Phase.CURRENT, rows=3))
    assert board.idle_s == 2
    assert not board.is_complete
    board.post(SiteState(south, Phase.CURRENT))
    assert board.is_complete
    assert [state.site for state in told] == [north, north, south]


def test_a_line_leaves_out_what_is_empty_and_keeps_zeros():
    assert line(SiteState(SiteId("north"))) == {
        "site": "north",
        "phase": "connecting",
        "durable": 0,
        "head": 0,
        "rows": 0,
        "signed": 0,
        "live": 0,
    }
