"""Newest first: while a backlog drains, what is new at the site is shown ahead, and proves and acknowledges nothing."""

import asyncio
from dataclasses import replace

import pytest

from edge_agent.collector.archive.port import Cursor
from edge_agent.collector.lane import Held
from edge_agent.collector.live_lane import FIRST_ROWS, LiveLane
from edge_agent.collector.puller import Followed, Pace, SitePuller
from edge_agent.collector.states import Phase
from edge_agent.domain.ids import Seq
from edge_agent.errors import EpochChanged, MalformedMessage, PeerSilent, WrongSite
from edge_agent.testing.site_journal import SiteJournal, audit
from edge_agent.wire import verbs
from edge_agent.wire.frames import Envelope
from edge_agent.wire.verbs import BatchReply, PullRequest

PACE = Pace(max_rows=100, pause_first_s=0.0, pause_last_s=0.0)


class SlowStore:
    """Satisfies ``puller.Store``; keeps a page of backlog until it is let through, as a busy archive does."""

    def __init__(self):
        self.rows, self.ahead, self.cursor_now = [], [], None
        self.draining = asyncio.Semaphore(1)
        self.let = asyncio.Semaphore(0)
        self.at_commit = asyncio.Event()

    async def cursor(self, site, epoch):
        return self.cursor_now

    async def newest(self, site):
        return self.cursor_now

    async def live(self, site, rows):
        self.ahead += rows

    async def held(self, site, epoch, after):
        sent = {row.seq: row.hash for row in self.ahead}
        return Held(next((row.seq for row in self.rows if row.seq > after and sent.get(row.seq, row.hash) != row.hash), None), Seq(0))

    async def commit(self, batch, *, is_backlog=False):
        self.at_commit.set()
        if is_backlog:
            await self.let.acquire()
        self.at_commit.clear()
        self.rows += batch.rows
        self.cursor_now = batch.end


class Scene:
    """A site with a backlog, a slow archive, a puller at work; ``asked`` holds every PULL's content."""

    def __init__(self, rows):
        self.site = SiteJournal("north")
        self.site.add(*(audit("north", str(n)) for n in range(rows)))
        self.store = SlowStore()
        self.asked, self.states, self.bell = [], [], asyncio.Event()
        self.fault = None
        self.site.before_reply = self._note

    def _note(self, verb, content):
        if verb == "PULL":
            self.asked.append(content)
            if self.fault is not None:
                raise self.fault
            self.bell.set()

    def post(self, state):
        self.states.append(state)
        self.bell.set()

    def heard(self, site):
        pass

    def told(self, site, status):
        pass

    async def until(self, holds):
        while not holds():
            self.bell.clear()
            await self.bell.wait()

    def play(self, script):
        async def run():
            puller = SitePuller(Followed(self.site.site, self.site), "hq", self.store, self, PACE)
            task = asyncio.create_task(puller.run(lambda: 0.0))
            try:
                async with asyncio.timeout(45):
                    await script(self)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(run())


def test_the_newest_rows_are_shown_while_the_first_page_of_the_backlog_still_waits():
    async def script(scene):
        await scene.until(lambda: scene.store.ahead)
        assert scene.store.rows == []
        assert scene.store.ahead == scene.site.rows[-FIRST_ROWS:]
        scene.site.add(audit("north", "new"))
        scene.store.let.release()
        await scene.until(lambda: scene.store.ahead[-1] == scene.site.rows[-1])
        assert len(scene.store.rows) == 100

    Scene(1000).play(script)


def test_a_new_row_is_looked_for_even_while_no_page_is_stored():
    async def script(scene):
        await scene.store.at_commit.wait()
        await scene.until(lambda: scene.store.ahead)
        scene.site.add(audit("north", "new"))
        await scene.until(lambda: scene.store.ahead[-1] == scene.site.rows[-1])
        assert scene.store.rows == []

    Scene(1000).play(script)


def test_a_look_ahead_acknowledges_nothing_and_the_prefix_stays_whole():
    async def script(scene):
        for _ in range(20):
            scene.store.let.release()
        await scene.until(lambda: scene.states and scene.states[-1].phase is Phase.CURRENT)
        assert scene.store.rows == scene.site.rows
        looks = [content for content in scene.asked if "durable" not in content]
        assert looks
        assert all("hash" not in content for content in looks)
        assert [content["after"] for content in scene.asked if "durable" in content][:4] == [0, 100, 200, 300]
        assert scene.states[-1].live == 0

    Scene(1000).play(script)


def test_the_state_says_how_far_ahead_is_shown():
    async def script(scene):
        await scene.until(lambda: scene.states and scene.states[-1].live == 1000)
        assert (scene.states[-1].durable, scene.states[-1].phase) == (0, Phase.DRAINING)

    Scene(1000).play(script)


def test_a_row_that_was_sent_ahead_and_then_otherwise_stops_the_site():
    async def script(scene):
        await scene.until(lambda: scene.store.ahead)
        scene.store.ahead[0] = replace(scene.store.ahead[0], hash=b"x" * 32)
        for _ in range(20):
            scene.store.let.release()
        await scene.until(lambda: scene.states[-1].phase is Phase.DIVERGED)

    Scene(1000).play(script)


def test_a_line_that_breaks_at_a_look_ahead_does_not_tear_the_page_that_is_being_stored():
    async def script(scene):
        await scene.store.at_commit.wait()
        scene.fault = PeerSilent("cut")
        await scene.until(lambda: len(scene.asked) >= 2)
        scene.fault = None
        for _ in range(20):
            scene.store.let.release()
        await scene.until(lambda: scene.states[-1].phase is Phase.CURRENT)
        assert scene.store.rows == scene.site.rows

    Scene(1000).play(script)


def test_stopping_while_a_page_waits_does_not_hang():
    async def script(scene):
        await scene.store.at_commit.wait()

    Scene(1000).play(script)


EPOCH = b"e" * 16


def page(journal, after, count, **changes):
    rows = tuple(journal.rows[after : after + count])
    content = {"epoch": journal.epoch.hex(), "head": len(journal.rows), "n": len(rows)} | changes
    return Envelope("BATCH", 1, verbs.content(BatchReply(**content)), rows)


def take(journal, reply, after):
    store = SlowStore()
    lane = LiveLane(journal.site, EPOCH, store)
    asyncio.run(lane.take(PullRequest(epoch=EPOCH.hex(), after=after), reply))
    return store.ahead


def journal_of(rows):
    journal = SiteJournal("north", EPOCH)
    journal.add(*(audit("north", str(n)) for n in range(rows)))
    return journal


def test_a_page_that_does_not_hold_together_is_refused():
    journal = journal_of(9)
    journal.tamper(7, b"{}")
    with pytest.raises(MalformedMessage):
        take(journal, page(journal, 4, 5), 4)


def test_a_page_that_begins_elsewhere_is_refused():
    journal = journal_of(9)
    with pytest.raises(MalformedMessage):
        take(journal, page(journal, 5, 4), 4)


def test_a_page_of_another_site_is_refused():
    journal = journal_of(3)
    journal.add_raw("ei1/south/~/audit/", b"{}")
    with pytest.raises(WrongSite):
        take(journal, page(journal, 0, 4), 0)


def test_a_page_of_another_epoch_is_refused():
    journal = journal_of(3)
    with pytest.raises(EpochChanged):
        take(journal, page(journal, 0, 3, epoch=(b"f" * 16).hex()), 0)


def test_a_page_with_another_number_of_rows_than_it_says_is_refused():
    journal = journal_of(3)
    with pytest.raises(MalformedMessage):
        take(journal, page(journal, 0, 3, n=2), 0)


@pytest.mark.parametrize(("cursor", "head", "after"), [(0, 30_000, 29_900), (29_950, 30_000, 29_950), (0, 40, 0)])
def test_the_first_look_is_at_the_newest_rows_and_never_behind_the_prefix(cursor, head, after):
    lane = LiveLane("north", EPOCH, SlowStore())
    assert lane.question(Cursor(EPOCH, Seq(cursor), b"h" * 32), head).after == after


def test_later_looks_go_on_where_the_last_one_ended():
    journal, store = journal_of(150), SlowStore()
    lane = LiveLane("north", EPOCH, store)
    start = Cursor(EPOCH, Seq(0), EPOCH)
    asked = lane.question(start, 150)
    asyncio.run(lane.take(asked, page(journal, asked.after, 500)))
    journal.add(*(audit("north", f"new {n}") for n in range(300)))
    assert (lane.upto, lane.question(start, 450).after) == (150, 150)
