"""Whatever breaks, and whenever rows come: headquarters ends with the site's journal, and acknowledges nothing that it does not have."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.collector.lane import Held
from edge_agent.collector.puller import Followed, Pace, SitePuller
from edge_agent.collector.states import Phase
from edge_agent.domain.ids import Seq
from edge_agent.errors import DiskLow, MalformedMessage, NotAllowed, PeerSilent
from edge_agent.testing.site_journal import SiteJournal, audit
from edge_agent.wire.chain import first_break

FAULTS = {"silent": PeerSilent("cut"), "refused": NotAllowed("key"), "broken": MalformedMessage("noise")}


class Store:
    """Satisfies ``puller.Store``; fails where the plan says so, before anything is stored."""

    def __init__(self, plan):
        self.rows, self.ahead, self.cursor_now = [], [], None
        self.plan = plan
        self.draining = asyncio.Semaphore(1)

    async def cursor(self, site, epoch):
        return self.cursor_now

    async def newest(self, site):
        return self.cursor_now

    async def _work(self):
        step = next(self.plan, "")
        for _ in range(3 if step == "slow" else 1):
            await asyncio.sleep(0)
        if step == "full":
            raise DiskLow("full")

    async def live(self, site, rows):
        await self._work()
        self.ahead += rows

    async def held(self, site, epoch, after):
        return Held(None, Seq(0))

    async def commit(self, batch, *, is_backlog=False):
        await self._work()
        assert self.cursor_now in (None, batch.start)
        assert first_break(batch.rows, batch.start.hash, batch.start.seq) is None
        self.rows += batch.rows
        self.cursor_now = batch.end


class Run:
    def __init__(self, backlog, page, line, disk):
        self.site = SiteJournal("north")
        self.site.add(*(audit("north", str(n)) for n in range(backlog)))
        self.store = Store(iter(disk))
        self.line = iter(line)
        self.pace = Pace(max_rows=page, pause_first_s=0.0, pause_last_s=0.0)
        self.is_level = asyncio.Event()
        self.site.before_reply = self._before
        self.planned = 0

    def _before(self, verb, content):
        if "durable" in content:
            assert content["after"] == len(self.store.rows), "what is acknowledged is stored"
        step = next(self.line, "")
        if step in FAULTS:
            raise FAULTS[step]
        if step:
            self.planned += 1
            self.site.add(*(audit("north", f"new {self.planned} {n}") for n in range(int(step))))

    def post(self, state):
        if state.phase is Phase.CURRENT and len(self.store.rows) == len(self.site.rows):
            self.is_level.set()

    def heard(self, site):
        pass

    def told(self, site, status):
        pass

    async def play(self):
        puller = SitePuller(Followed(self.site.site, self.site), "hq", self.store, self, self.pace)
        task = asyncio.create_task(puller.run(lambda: 0.0))
        try:
            async with asyncio.timeout(60):
                await self.is_level.wait()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


STEPS = st.lists(st.sampled_from(["", "", "silent", "refused", "broken", "1", "90"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([0, 1, 65, 200]), st.sampled_from([1, 40, 100]), STEPS, st.lists(st.sampled_from(["", "slow", "full"]), max_size=12))
def test_the_journal_arrives_whole_and_once(backlog, page, line, disk):
    async def law():
        run = Run(backlog, max(page, backlog // 20), line, disk)
        await run.play()
        stored = run.store.rows
        assert stored == run.site.rows[: len(stored)], "more may have come after headquarters was level"
        assert len(stored) >= backlog
        assert {row.seq for row in run.store.ahead} <= {row.seq for row in run.site.rows}

    asyncio.run(law())
