"""The puller against a journal in memory: what it asks, what it stores, and when it stops."""

import asyncio
from dataclasses import replace

import pytest

from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.lane import Held
from edge_agent.collector.puller import Followed, Pace, SitePuller, pause_s
from edge_agent.collector.states import Phase
from edge_agent.domain.ids import Seq
from edge_agent.errors import DiskLow, EpochChanged, NotAllowed, PeerSilent
from edge_agent.signing.heads import sign_head
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.site_journal import SiteJournal, assessment, audit
from edge_agent.wire import verbs
from edge_agent.wire.chain import JournalHead, first_break
from edge_agent.wire.verbs import BatchReply, PullRequest

PACE = Pace(max_rows=3, pause_first_s=0.0, pause_last_s=0.0)


class MemoryStore:
    """Satisfies ``Store``; ``troubles`` are raised by the next commits, before anything is stored."""

    def __init__(self):
        self.rows = []
        self.cursors = {}
        self.heads = []
        self.troubles = []
        self.ahead = []
        self.draining = asyncio.Semaphore(1)

    async def cursor(self, site, epoch):
        return self.cursors.get(epoch)

    async def newest(self, site):
        return list(self.cursors.values())[-1] if self.cursors else None

    async def live(self, site, rows):
        self.ahead += [row for row in rows if row not in self.ahead]

    async def commit(self, batch: Batch, *, is_backlog=False):
        if self.troubles:
            raise self.troubles.pop(0)
        assert self.cursors.get(batch.start.epoch, batch.start) == batch.start
        assert first_break(batch.rows, batch.start.hash, batch.start.seq) is None
        self.rows += batch.rows
        self.heads += [batch.head] if batch.head else []
        self.cursors[batch.start.epoch] = batch.end

    async def held(self, site, epoch, after):
        signed = [(head.seq, head.hash) for head in self._known(epoch)]
        sent = [(row.seq, row.hash) for row in self.ahead if row.epoch == epoch and self._hash(epoch, row.seq) is not None]
        unfit = min((seq for seq, digest in signed + sent if seq > after and digest != self._hash(epoch, seq)), default=None)
        return Held(unfit, max((seq for seq, digest in signed if digest == self._hash(epoch, seq)), default=0))

    def _known(self, epoch):
        return [head for head in self.heads if head.epoch == epoch and self._hash(epoch, head.seq) is not None]

    def _hash(self, epoch, seq):
        return next((row.hash for row in self.rows if (row.epoch, row.seq) == (epoch, seq)), None)


class Listener:
    """Satisfies ``puller.Listener``."""

    def __init__(self, post):
        self.post = post
        self.sounds = 0
        self.statuses = []

    def heard(self, site):
        self.sounds += 1

    def told(self, site, status):
        self.statuses.append(status)


class Bench:
    """One site, one store, one puller; ``pull`` runs until a state satisfies the test. ``believed``: the key that may sign heads."""

    def __init__(self, rows=7, believed=None, pace=PACE):
        self.believed = believed
        self.pace = pace
        self.site = SiteJournal("north")
        self.site.add(*(assessment("north", f"scan {n}") for n in range(rows)))
        self.store = MemoryStore()
        self.states = []

    def pull(self, until, link=None):
        asyncio.run(self._pull(until, link or self.site))
        return self.states

    async def _pull(self, until, link):
        reached = asyncio.Event()

        def tell(state):
            self.states.append(state)
            if until(state):
                reached.set()

        self.listener = Listener(tell)
        puller = SitePuller(Followed(self.site.site, link, self.believed), "hq", self.store, self.listener, self.pace)
        running = asyncio.create_task(puller.run(lambda: 0.0))
        done = asyncio.create_task(reached.wait())
        await asyncio.wait({running, done}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)  # lets the PULL after the last page, which acknowledges it, go out
        for task in (running, done):
            task.cancel()
        await asyncio.gather(running, done, return_exceptions=True)
        assert reached.is_set()


def current(state):
    return state.phase is Phase.CURRENT


def diverged(state):
    return state.phase is Phase.DIVERGED


def test_a_drained_journal_is_stored_byte_for_byte():
    bench = Bench()
    bench.pull(current)
    assert bench.store.rows == bench.site.rows


def test_a_row_is_acknowledged_only_after_its_commit():
    bench = Bench()
    seen = []
    bench.site.before_reply = lambda verb, content: seen.append((content["after"], len(bench.store.rows))) if "durable" in content else None
    bench.pull(current)
    assert seen[:3] == [(0, 0), (3, 3), (6, 6)]
    assert bench.site.acknowledged == 7


def test_new_rows_come_through_the_long_poll():
    bench = Bench(2)

    def add_once(state):
        if current(state) and len(bench.site.rows) == 2:
            bench.site.add(audit("north", "more"))
        return state.durable == 3

    bench.pull(add_once)
    assert len(bench.store.rows) == 3


def test_pulling_goes_on_from_the_stored_cursor():
    bench = Bench()
    bench.pull(lambda state: state.durable >= 3)
    stored = len(bench.store.rows)
    asked = []
    bench.site.before_reply = lambda verb, content: asked.append(content["after"]) if "durable" in content else None
    bench.pull(current)
    assert asked[0] == stored
    assert bench.store.rows == bench.site.rows


def test_silence_refusals_and_a_full_disk_are_waited_out():
    bench = Bench()
    failures = [PeerSilent("cut"), NotAllowed("not enrolled"), PeerSilent("cut again")]

    def fail(_verb, _content):
        if failures:
            raise failures.pop()

    bench.site.before_reply = fail
    bench.store.troubles = [DiskLow("full"), DiskLow("still full")]
    phases = [state.phase for state in bench.pull(current)]
    assert {Phase.SILENT, Phase.REFUSED, Phase.HELD_UP, Phase.CURRENT} <= set(phases)
    assert bench.store.rows == bench.site.rows


@pytest.mark.parametrize("rows_before", [0, 4])
def test_a_new_epoch_is_read_from_its_beginning_and_the_old_rows_stay(rows_before):
    bench = Bench(rows_before)
    bench.pull(lambda state: state.durable == rows_before and current(state))
    restored = SiteJournal("north", b"f" * 16)
    restored.add(*(assessment("north", f"scan {n}") for n in range(5)))
    bench.pull(lambda state: state.epoch == restored.epoch.hex() and current(state), restored)
    assert bench.store.rows == bench.site.rows + restored.rows


def test_an_epoch_that_changes_while_connected_is_followed():
    bench = Bench(3)
    restored = SiteJournal("north", b"f" * 16)
    restored.add(audit("north", "restored"))

    class Restoring:
        now = bench.site

        async def request(self, verb, content, timeout_s):
            return await self.now.request(verb, content, timeout_s)

    link = Restoring()

    def switch(verb, _content):
        if verb == "PULL" and len(bench.store.rows) == 3:
            link.now = restored
            raise EpochChanged("restored")

    bench.site.before_reply = switch
    bench.pull(lambda state: state.epoch == restored.epoch.hex() and current(state), link)
    assert bench.store.rows == bench.site.rows + restored.rows


def test_going_back_to_an_epoch_that_was_left_stops_the_site():
    bench = Bench(2)
    bench.pull(current)
    later = SiteJournal("north", b"f" * 16)
    later.add(audit("north", "restored"))
    bench.pull(lambda state: state.epoch == later.epoch.hex() and current(state), later)
    bench.pull(diverged)
    assert bench.states[-1].code == "diverged"


def test_a_site_that_lost_rows_we_hold_stops():
    bench = Bench(5)
    bench.pull(current)
    del bench.site.rows[3:]
    bench.pull(diverged)
    assert len(bench.store.rows) == 5


def test_a_site_that_rewrote_its_history_stops():
    bench = Bench(5)
    bench.pull(current)
    forged = SiteJournal("north")
    forged.add(*(assessment("north", f"other {n}") for n in range(6)))
    bench.pull(diverged, forged)


def test_a_broken_chain_stops_the_site_and_keeps_what_came_before_it():
    bench = Bench(7)
    bench.site.tamper(6, b"{}")
    bench.pull(diverged)
    assert bench.store.rows == bench.site.rows[:5]
    assert bench.states[-1].durable == 5


def test_rows_of_another_site_are_never_stored():
    bench = Bench(0)
    bench.site.add(audit("north", "1"))
    bench.site.add_raw("ei1/south/~/audit/", b"{}")
    states = bench.pull(lambda state: state.phase is Phase.REFUSED)
    assert states[-1].code == "wrong-site"
    assert bench.store.rows == []


def test_another_site_at_the_endpoint_is_not_pulled():
    bench = Bench(1)
    states = bench.pull(lambda state: state.phase is Phase.REFUSED, SiteJournal("south"))
    assert states[-1].code == "wrong-site"


def test_pauses_double_up_to_the_longest_and_are_spread():
    pace = Pace(pause_first_s=1.0, pause_last_s=8.0)
    assert [pause_s(pace, n, 0.999999) for n in (1, 2, 3, 4, 90)] == pytest.approx([1, 2, 4, 8, 8], rel=1e-3)
    assert pause_s(pace, 4, 0.0) == 4.0


def test_an_empty_batch_leads_nowhere():
    start = Cursor(b"e" * 16, Seq(4), b"h" * 32)
    assert Batch("north", start, ()).end == start


SITE_KEY, OTHER_KEY = SigningKey.new("north"), SigningKey.new("other")


def signed(site, seq, key=SITE_KEY, digest=None, name=None):
    """The head of ``site`` at row ``seq``, signed."""
    head = JournalHead(site.epoch, Seq(1), Seq(seq), digest or site.hash_at(Seq(seq)))
    return sign_head(key, name or site.site, head, 1_700_000_000_000_000)


@pytest.mark.parametrize("believed", [SITE_KEY.public, None], ids=["pinned", "unpinned"])
@pytest.mark.parametrize("seq", [1, 4, 7])
def test_a_signed_head_is_kept_and_vouches_for_the_rows_up_to_it(seq, believed):
    bench = Bench(believed=believed)
    bench.site.signed = signed(bench.site, seq)
    states = bench.pull(lambda state: current(state) and state.signed == seq)
    assert bench.store.heads == [bench.site.signed]
    assert [state.signed for state in states if state.durable < seq] == [0] * sum(state.durable < seq for state in states)


@pytest.mark.parametrize("seq", [1, 4, 7])
def test_a_head_that_speaks_of_other_rows_stops_the_site_and_is_kept(seq):
    bench = Bench(believed=SITE_KEY.public)
    bench.site.signed = signed(bench.site, seq, digest=b"x" * 32)
    states = bench.pull(diverged)
    assert states[-1].code == "diverged"
    assert bench.store.heads == [bench.site.signed]


def test_a_contradiction_found_before_is_found_again_at_the_next_start():
    bench = Bench()
    bench.pull(current)
    bench.store.heads.append(signed(bench.site, 3, digest=b"x" * 32))
    assert bench.pull(diverged)[-1].phase is Phase.DIVERGED


@pytest.mark.parametrize(
    "forge",
    [
        lambda site: signed(site, 3, OTHER_KEY),
        lambda site: signed(site, 3, name="south"),
        lambda site: replace(signed(site, 3), seq=Seq(4)),
        lambda site: replace(signed(site, 3), at_us=0),
        lambda site: replace(signed(site, 3), key=OTHER_KEY.public.raw),
    ],
    ids=["other key", "other site", "other row", "other moment", "other key named"],
)
def test_a_head_that_the_site_did_not_sign_is_refused_and_nothing_is_acknowledged(forge):
    bench = Bench(believed=SITE_KEY.public)
    bench.site.signed = forge(bench.site)
    states = bench.pull(lambda state: state.phase is Phase.REFUSED)
    assert (bench.store.rows, bench.store.heads, bench.site.acknowledged) == ([], [], 0)
    assert "signed head" in states[-1].detail


def test_a_refusal_that_says_too_much_is_cut_and_made_printable():
    bench = Bench(1)

    def fail(_verb, _content):
        raise NotAllowed("\x1b]0;owned\x07" + "x" * 5000)

    bench.site.before_reply = fail
    state = bench.pull(lambda state: state.phase is Phase.REFUSED)[-1]
    assert (state.detail[:10], len(state.detail)) == ("?]0;owned?", 200)


def test_the_site_is_asked_how_it_is_and_a_word_that_is_not_known_does_not_keep_its_rows_away():
    bench = Bench(3)
    real = bench.site.request

    class Newer:
        async def request(self, verb, content, timeout_s):
            reply = await real(verb, content, timeout_s)
            return replace(reply, content={**reply.content, "state": {"state": "resting"}}) if verb == "PING" else reply

    bench.pull(current)
    assert [(status.clock, status.state) for status in bench.listener.statuses] == [(bench.site.clock, None)]
    bench.site.add(audit("north", "more"))
    bench.pull(lambda state: state.durable == 4, Newer())
    assert bench.store.rows == bench.site.rows
    assert [status.state for status in bench.listener.statuses] == [None]
    assert bench.listener.sounds > 2


class SlowLine:
    """A line to a site: an answer of more than ``carries`` bytes does not come in time. The site keeps to ``max_bytes``."""

    def __init__(self, site, carries):
        self.site, self.carries = site, carries

    async def request(self, verb, content, timeout_s):
        reply = await self.site.request(verb, content, timeout_s)
        if verb != "PULL":
            return reply
        rows, size = [], 0
        for row in reply.rows:
            size += len(row.body)
            if rows and size > verbs.read(PullRequest, content).max_bytes:
                break
            rows.append(row)
        if sum(len(row.body) for row in rows) > self.carries:
            raise PeerSilent("no answer in time")
        batch = verbs.read(BatchReply, reply.content).model_copy(update={"n": len(rows)})
        return replace(reply, content=verbs.content(batch), rows=tuple(rows))


def test_a_backlog_drains_over_a_line_that_is_too_slow_for_a_whole_page():
    bench = Bench(rows=600, pace=replace(PACE, max_rows=500))
    assert sum(len(row.body) for row in bench.site.rows[:500]) > 100_000, "or this shows nothing"
    bench.pull(lambda state: state.phase is Phase.CURRENT and state.durable == 600, SlowLine(bench.site, 40_000))
    assert bench.store.rows == bench.site.rows
