"""The archive's lane: batches that wait together share a transaction, and every waiter hears what became of its own."""

import asyncio
import threading

import pytest

from edge_agent.cli.collect import Progress
from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.board import Board
from edge_agent.collector.lane import MOST_DRAINING, MOST_ROWS, ArchiveLane, Held
from edge_agent.collector.puller import SiteState
from edge_agent.collector.serve import _allow_files, line, pace_for
from edge_agent.collector.states import Phase
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import ConfigInvalid, DiskLow
from edge_agent.testing.clock import ManualClock
from edge_agent.wire.chain import JournalRow


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
        self.go_on.wait(50)
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
    await asyncio.get_running_loop().run_in_executor(None, archive.entered.wait, 50)


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
    board.post(SiteState(south, Phase.CURRENT))
    clock.advance(2)
    board.post(SiteState(south, Phase.CURRENT, detail="a word"))
    assert board.idle_s == 2
    assert board.is_complete
    assert [state.site for state in told] == [north, north, south, south]


@pytest.mark.parametrize("end", [Phase.CURRENT, Phase.SILENT, Phase.REFUSED])
def test_the_board_is_not_idle_while_a_site_is_reached_or_drained_however_slowly(end):
    clock = ManualClock()
    north, south = SiteId("north"), SiteId("south")
    board = Board([north, south], clock, lambda _: None)
    board.post(SiteState(north, Phase.CURRENT))
    clock.advance(100)
    assert (board.idle_s, board.is_complete) == (0, False)
    board.post(SiteState(south, Phase.DRAINING))
    clock.advance(100)
    assert (board.idle_s, board.is_complete) == (0, False)
    board.post(SiteState(south, end))
    assert board.idle_s == 0
    clock.advance(3)
    assert (board.idle_s, board.is_complete) == (3, end is Phase.CURRENT)


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


def rows_of(n, rows):
    """A batch of so many rows; what they are does not matter here."""
    return Batch(
        SiteId(f"site-{n}"), Cursor(b"e" * 16, Seq(0), b"e" * 16), (JournalRow(b"e" * 16, Seq(1), Seq(0), "t", b"", b"h" * 32),) * rows
    )


def test_new_rows_go_before_backlog_that_waited_longer_and_a_transaction_is_bounded():
    archive = SlowArchive()

    async def scene(lane, _task):
        work = [asyncio.create_task(lane.commit(rows_of(0, 1)))]
        await begun(archive)
        work += [asyncio.create_task(lane.commit(rows_of(n, 500), is_backlog=True)) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        work += [asyncio.create_task(lane.commit(rows_of(n, 1))) for n in (8, 9)]
        await asyncio.sleep(0)
        archive.go_on.set()
        await asyncio.gather(*work)

    on_lane(archive, scene)
    assert MOST_ROWS == 1_000
    assert archive.commits == [["site-0"], ["site-8", "site-9", "site-1", "site-2"], ["site-3"]]


def test_one_page_larger_than_a_transaction_goes_alone():
    archive = SlowArchive()
    archive.go_on.set()

    async def scene(lane, _task):
        await asyncio.gather(*(lane.commit(rows_of(n, MOST_ROWS + 1), is_backlog=True) for n in (1, 2)))

    on_lane(archive, scene)
    assert archive.commits == [["site-1"], ["site-2"]]


def test_backlog_is_never_starved_by_new_rows():
    archive = SlowArchive()

    async def scene(lane, _task):
        first = asyncio.create_task(lane.commit(rows_of(0, 1)))
        await begun(archive)
        late = asyncio.create_task(lane.commit(rows_of(1, 500), is_backlog=True))
        fresh = [asyncio.create_task(lane.commit(rows_of(n, 600))) for n in (2, 3)]
        await asyncio.sleep(0)
        archive.go_on.set()
        await asyncio.gather(first, late, *fresh)

    on_lane(archive, scene)
    assert archive.commits == [["site-0"], ["site-2", "site-1"], ["site-3"]]


def test_only_so_many_pages_of_backlog_are_in_memory_at_a_time():
    archive = SlowArchive()

    async def scene(lane, _task):
        inside = 0

        async def drain():
            nonlocal inside
            async with lane.draining:
                inside += 1
                await asyncio.sleep(3600)

        tasks = [asyncio.create_task(drain()) for _ in range(MOST_DRAINING + 5)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert inside == MOST_DRAINING
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    on_lane(archive, scene)


def test_what_is_held_against_the_rows_is_what_was_signed_and_what_was_sent_ahead():
    class Books:
        def __init__(self, head, live):
            self.head, self.live = head, live

        def unfit_head(self, site, epoch, after):
            return self.head

        def unfit_live(self, site, epoch, after):
            return self.live

        def signed_to(self, site, epoch):
            return Seq(7)

    async def found(head, live):
        lane = ArchiveLane(Books(head, live))
        try:
            return await lane.held(SiteId("north"), b"e" * 16, Seq(0))
        finally:
            lane.close()

    for head, live, unfit in ((None, None, None), (3, None, 3), (None, 4, 4), (5, 4, 4)):
        assert asyncio.run(found(head, live)) == Held(unfit, 7)


# --------------------------------------------------------------------------------------------------------------- the process around it


def test_every_change_of_phase_is_told_and_of_mere_numbers_a_few_a_second():
    clock = ManualClock()
    progress = Progress(clock)
    site = SiteId("north")
    assert progress.is_worth_telling(SiteState(site, Phase.DRAINING))
    told = [progress.is_worth_telling(SiteState(site, Phase.DRAINING, durable=n)) for n in range(50)]
    assert told == [True] * 20 + [False] * 30
    assert progress.is_worth_telling(SiteState(site, Phase.CURRENT))
    assert progress.is_worth_telling(SiteState(SiteId("south"), Phase.CURRENT))
    assert not progress.is_worth_telling(SiteState(site, Phase.CURRENT, durable=60))
    clock.advance(1)
    assert progress.is_worth_telling(SiteState(site, Phase.CURRENT, durable=61))


@pytest.mark.parametrize(
    ("limits", "sites", "set_to"),
    [((1024, 4096), 10, None), ((1024, 8192), 500, (4256, 8192)), ((1024, -1), 500, (4256, -1)), ((-1, -1), 500, None)],
)
def test_the_process_allows_itself_the_files_that_its_sites_need(monkeypatch, limits, sites, set_to):
    wanted = []
    monkeypatch.setattr("resource.getrlimit", lambda _which: limits)
    monkeypatch.setattr("resource.setrlimit", lambda _which, pair: wanted.append(pair))
    _allow_files(sites)
    assert wanted == ([] if set_to is None else [set_to])


def test_a_system_that_does_not_allow_so_many_files_is_named(monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda _which: (1024, 4096))
    with pytest.raises(ConfigInvalid, match="500 sites need 4256 open files"):
        _allow_files(500)


def test_many_sites_are_asked_less_often_whether_they_are_there():
    assert (pace_for(3).wait_ms, pace_for(500).wait_ms) == (2_000, 10_000)
