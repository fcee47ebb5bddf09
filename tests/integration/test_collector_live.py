"""Newest first in a real archive: what is new can be queried while the backlog has hardly begun, and is verified in the end."""

import asyncio
from contextlib import closing

from edge_agent.collector.archive.port import ScanKey
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.board import Board
from edge_agent.collector.lane import ArchiveLane
from edge_agent.collector.puller import Followed, Pace
from edge_agent.collector.serve import follow
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import DiskLow
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.site_journal import SiteJournal, assessment, scan_named

CLOCK = SystemClock()
PACE = Pace(max_rows=100, pause_first_s=0.0, pause_last_s=0.0)


class SlowBacklog:
    """A line to a site whose pages of backlog wait for ``let``, while everything else is answered at once."""

    def __init__(self, site, pages):
        self.site = site
        self.let = asyncio.Semaphore(pages)

    async def request(self, verb, content, timeout_s):
        if "durable" in content and content["after"] < len(self.site.rows):
            await self.let.acquire()
        return await self.site.request(verb, content, timeout_s)


def journal(name, rows):
    site = SiteJournal(name)
    site.add(*(assessment(name, f"old {n}") for n in range(rows)))
    return site


class Scene:
    """Two sites with a backlog of 600 rows each, a collector's loop, and a reader beside it."""

    def __init__(self, path, pages):
        self.sites = [journal("north", 600), journal("south", 600)]
        self.links = [SlowBacklog(site, pages) for site in self.sites]
        self.path = path
        self.moved = asyncio.Event()
        self.states = {}

    def tell(self, state):
        self.states[state.site] = state
        self.moved.set()

    async def until(self, holds):
        while not holds():
            self.moved.clear()
            await self.moved.wait()

    async def run(self, script):
        board = Board([site.site for site in self.sites], CLOCK, self.tell)
        with Archive.open(self.path, CLOCK) as archive:
            followed = [Followed(site.site, link) for site, link in zip(self.sites, self.links, strict=True)]
            task = asyncio.create_task(follow(followed, archive, "hq", board, PACE))
            try:
                async with asyncio.timeout(45):
                    await script(self)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def found(self, site, name):
        with closing(Archive.read(self.path, CLOCK)) as archive:
            return archive.facts_of(ScanKey(SiteId(site), scan_named(site, name)))


def test_a_new_assessment_can_be_queried_while_the_backlog_waits_and_is_verified_in_the_end(tmp_path):
    async def script(scene):
        await scene.until(lambda: all(scene.states.get(site.site) and scene.states[site.site].durable == 100 for site in scene.sites))
        for site in scene.sites:
            site.add(assessment(site.site, "new", "alert"))
        for link in scene.links:
            link.let.release()
        await scene.until(lambda: all(scene.states[site.site].live == 601 for site in scene.sites))
        for site in scene.sites:
            (fact,) = scene.found(site.site, "new")
            assert (fact.is_provisional, fact.row) == (True, site.rows[-1])
            assert scene.states[site.site].durable < 601
            assert site.acknowledged <= scene.states[site.site].durable
        for link in scene.links:
            for _ in range(20):
                link.let.release()
        await scene.until(lambda: all(scene.states[site.site].durable == 601 for site in scene.sites))
        await scene.until(lambda: all(scene.states[site.site].live == 0 for site in scene.sites))
        for site in scene.sites:
            (fact,) = scene.found(site.site, "new")
            assert not fact.is_provisional
        with closing(Archive.read(scene.path, CLOCK)) as archive:
            assert archive.provisional() == []
            assert [list(archive.rows(site.site, site.epoch)) for site in scene.sites] == [site.rows for site in scene.sites]

    async def law():
        await Scene(tmp_path / "archive.db", pages=1).run(script)

    asyncio.run(law())


def test_a_collector_that_starts_again_after_rows_came_ahead_verifies_them_all(tmp_path):
    async def part(scene):
        await scene.until(lambda: all(scene.states.get(site.site) and scene.states[site.site].live == 600 for site in scene.sites))

    async def rest(scene):
        await scene.until(lambda: all(scene.states.get(site.site) and scene.states[site.site].durable == 600 for site in scene.sites))
        await asyncio.sleep(0)

    async def law(script, pages):
        await Scene(tmp_path / "archive.db", pages).run(script)

    asyncio.run(law(part, 1))
    asyncio.run(law(rest, 100))
    with closing(Archive.read(tmp_path / "archive.db", CLOCK)) as archive:
        assert archive.provisional() == []
        assert list(archive.rows(SiteId("north"), b"e" * 16)) == journal("north", 600).rows


def test_rows_that_came_ahead_wait_out_a_full_disk(tmp_path):
    site = journal("north", 150)

    async def law():
        with Archive.open(tmp_path / "archive.db", CLOCK) as archive:
            lane = ArchiveLane(archive)
            real, archive.live = archive.live, _full_once(archive.live)
            try:
                try:
                    await lane.live(site.site, site.rows[-50:])
                except DiskLow:
                    await lane.live(site.site, site.rows[-50:])
                assert (await lane.newest(site.site), archive.provisional()) == (None, [("north", 50)])
                assert (await lane.held(site.site, site.epoch, Seq(0))).unfit is None
                await lane.live(site.site, site.rows[-50:])
                assert archive.provisional() == [("north", 50)]
            finally:
                archive.live = real
                lane.close()

    asyncio.run(law())


def _full_once(real):
    told = []

    def live(site, rows):
        if not told:
            told.append(True)
            raise DiskLow("full")
        return real(site, rows)

    return live
