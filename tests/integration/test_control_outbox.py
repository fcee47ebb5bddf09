"""Results entered at headquarters: each reaches its site once, whatever dies in between, and what it said is erased when it is settled."""

import asyncio
import uuid
from contextlib import closing

import pytest

from edge_agent.collector.archive.outbox import Entered, Entry, Outbox
from edge_agent.collector.submission import Committed, Failed, Returned, State
from edge_agent.collector.submit import OutboxLane, Outgoing, Submitter
from edge_agent.domain.ids import FactId, SiteId
from edge_agent.errors import ArchiveDamaged, ConfigInvalid, LedgerAbsent, PeerError, PeerSilent, UnknownScan
from edge_agent.testing.clock import ManualClock
from edge_agent.wire.frames import Envelope

NORTH = SiteId("north")
WAITING = (State.ENTERED, State.SENT)
NEVER = Failed("unknown-scan", "no such scan", is_final=True)


def an_entry(number=1, site=NORTH, says="MSCU1234565"):
    content = {"reference": {"kind": "container", "value": says}, "office": "port-north", "conclusion": "nothing-found"}
    return Entry(str(uuid.uuid5(uuid.NAMESPACE_OID, f"R-{number}")), site, f"R-{number}", content)


def opened(folder, clock=None):
    return Outbox.open(folder / "outbox.db", clock or ManualClock())


def test_a_thousand_results_entered_twice_are_a_thousand(tmp_path):
    entries = [an_entry(number) for number in range(1000)]
    with opened(tmp_path) as outbox:
        assert {Entered.NEW} == set(outbox.enter(entries).values())
    with opened(tmp_path) as outbox:
        assert {Entered.KNOWN} == set(outbox.enter(entries).values())
        assert {State.ENTERED: 1000, State.SENT: 0, State.AT_SITE: 0, State.REFUSED: 0} == outbox.counts()


def test_another_content_under_a_known_record_changes_nothing(tmp_path):
    with opened(tmp_path) as outbox:
        outbox.enter([an_entry()])
        for event in (None, Committed(FactId("f")), Returned()):
            if event is not None:
                outbox.note(an_entry().control_id, event)
            assert [Entered.CHANGED] == list(outbox.enter([an_entry(says="TGHU7654321")]).values())
            assert [Entered.CHANGED] == list(outbox.enter([an_entry(site=SiteId("south"))]).values())
            assert [Entered.KNOWN] == list(outbox.enter([an_entry()]).values())


def test_a_refused_result_entered_anew_is_tried_again_as_it_is_now(tmp_path):
    with opened(tmp_path) as outbox:
        outbox.enter([an_entry()])
        outbox.note(an_entry().control_id, NEVER)
        (refused,) = outbox.all([State.REFUSED])
        assert ("unknown-scan", "no such scan", {}, True) == (refused.code, refused.detail, refused.content, refused.is_settled)
        assert [] == outbox.all(WAITING)
        assert [Entered.AGAIN] == list(outbox.enter([an_entry(says="TGHU7654321")]).values())
        (again,) = outbox.all(WAITING)
        assert ("TGHU7654321", "") == (again.content["reference"]["value"], again.code)


@pytest.mark.parametrize("events", [[NEVER], [Committed(FactId("f")), Returned()]], ids=["refused", "at-site"])
def test_what_a_settled_result_said_is_nowhere_in_the_files(tmp_path, events):
    with opened(tmp_path) as outbox:
        outbox.enter([an_entry()])
        assert any(b"MSCU1234565" in file.read_bytes() for file in tmp_path.iterdir())
        assert "MSCU" not in repr(outbox.all(WAITING)) + repr(an_entry())
        for event in events:
            outbox.note(an_entry().control_id, event)
        outbox.fold()
        assert not any(b"MSCU1234565" in file.read_bytes() for file in tmp_path.iterdir())


def test_two_processes_may_have_the_file_open(tmp_path):
    with opened(tmp_path) as one, opened(tmp_path) as other:
        one.enter([an_entry(1)])
        other.enter([an_entry(2)])
        assert ["R-1", "R-2"] == [found.record for found in one.all(WAITING)]
        with closing(Outbox.read(tmp_path / "outbox.db", ManualClock())) as reader:
            assert 2 == len(reader.all())


def test_only_an_outbox_is_opened_as_one(tmp_path):
    (tmp_path / "outbox.db").write_bytes(b"")
    with pytest.raises(ArchiveDamaged):
        Outbox.read(tmp_path / "outbox.db", ManualClock())
    with pytest.raises(LedgerAbsent):
        Outbox.read(tmp_path / "nothing.db", ManualClock())
    with pytest.raises(ConfigInvalid):
        Outbox.open(tmp_path / "nowhere" / "outbox.db", ManualClock())
    with opened(tmp_path) as outbox:
        outbox._db.execute("PRAGMA user_version = 9")
    with pytest.raises(ArchiveDamaged):
        opened(tmp_path)
    assert 0o600 == (tmp_path / "outbox.db").stat().st_mode & 0o777


class Died(BaseException):
    """The process ends here."""


class ASite:
    """Commits each control_id once, and may be silent, refuse, or see its caller die before or after its commit."""

    def __init__(self):
        self.facts = {}
        self.asked = []
        self.moods = []

    async def request(self, _verb, content, _timeout_s):
        self.asked.append(content["control_id"])
        mood = self.moods.pop(0) if self.moods else None
        if mood == "dies-before":
            raise Died
        if mood == "silent":
            raise PeerSilent("no answer")
        if mood == "full":
            raise PeerError("disk-low: no space left", {"code": "disk-low"})
        if mood == "refuses":
            raise UnknownScan("no such scan")
        fact = self.facts.setdefault(content["control_id"], FactId(str(uuid.uuid4())))
        if mood == "dies-after":
            raise Died
        if mood == "lost":
            raise PeerSilent("the answer was lost")
        return Envelope("OK", 1, {"seq": len(self.facts), "fact_id": fact})


class Archived:
    """The archive: has what came back so far."""

    def __init__(self):
        self.facts = frozenset()

    async def has_facts(self, _site, facts):
        return self.facts & frozenset(facts)


class Headquarters:
    """A submitter that can be killed and started again, over the same file."""

    def __init__(self, folder, sites):
        self.folder = folder
        self.sites = sites
        self.archive = Archived()
        self.clock = ManualClock()
        self.start()

    def start(self):
        self.lane = OutboxLane(self.folder / "outbox.db", self.clock)
        self.submitter = Submitter(Outgoing(self.lane, self.sites, self.clock), self.archive)

    def step(self):
        """Look once; a death starts everything anew."""
        try:
            asyncio.run(self.submitter.step())
        except* Died:
            self.lane.close()
            self.start()
        self.clock.advance(61)

    def counts(self):
        with opened(self.folder) as outbox:
            return {state: count for state, count in outbox.counts().items() if count}


@pytest.fixture
def hq(tmp_path):
    with opened(tmp_path) as outbox:
        outbox.enter([an_entry(number) for number in range(3)])
    found = Headquarters(tmp_path, {NORTH: ASite()})
    yield found
    found.lane.close()


def test_a_result_is_at_the_site_only_when_its_fact_came_back(hq):
    hq.step()
    assert {State.SENT: 3} == hq.counts()
    hq.step()
    assert {State.SENT: 3} == hq.counts()
    hq.archive.facts = frozenset(hq.sites[NORTH].facts.values())
    hq.step()
    assert {State.AT_SITE: 3} == hq.counts()
    assert 3 == len(hq.sites[NORTH].asked)


def test_what_a_restored_site_has_lost_is_sent_again(hq):
    """The site took three results, and lost them with its journal before headquarters pulled that far."""
    hq.step()
    lost = frozenset(hq.sites[NORTH].facts.values())
    hq.sites[NORTH].facts.clear()
    for _ in range(58):
        hq.step()
    assert 3 == len(hq.sites[NORTH].asked), "not before an hour"
    for _ in range(4):
        hq.step()
    assert 6 == len(hq.sites[NORTH].asked)
    facts = frozenset(hq.sites[NORTH].facts.values())
    assert not facts & lost
    hq.archive.facts = facts
    hq.step()
    assert {State.AT_SITE: 3} == hq.counts()


def test_a_site_that_refuses_what_it_had_taken_is_seen_to_and_asked_again(hq):
    hq.step()
    hq.sites[NORTH].moods = ["refuses", "silent"]
    for _ in range(62):
        hq.step()
    with opened(hq.folder) as outbox:
        assert [("sent", "unknown-scan"), ("sent", "peer-silent"), ("sent", "")] == [(one.state.value, one.code) for one in outbox.all()]
    hq.archive.facts = frozenset(hq.sites[NORTH].facts.values())
    hq.step()
    assert {State.AT_SITE: 3} == hq.counts()


def test_very_many_that_stay_away_hide_none_that_came_back(tmp_path):
    """A page of results that never come back stands before the others."""
    with opened(tmp_path) as outbox:
        outbox.enter([an_entry(number) for number in range(450)])
    hq = Headquarters(tmp_path, {NORTH: ASite()})
    for _ in range(4):
        asyncio.run(hq.submitter.step())
    assert {State.SENT: 450} == hq.counts()
    with opened(tmp_path) as outbox:
        hq.archive.facts = frozenset(one.fact_id for one in outbox.all()[-50:])
    for _ in range(4):
        asyncio.run(hq.submitter.step())
    assert {State.SENT: 400, State.AT_SITE: 50} == hq.counts()
    hq.lane.close()


@pytest.mark.parametrize("first", ["dies-before", "dies-after", "silent", "lost"])
@pytest.mark.parametrize("second", ["dies-before", "dies-after", "silent", "lost", None])
def test_whatever_dies_or_is_lost_each_result_becomes_one_fact(hq, first, second):
    hq.sites[NORTH].moods = [first, None, second]
    for _ in range(5):
        hq.step()
    assert 3 == len(hq.sites[NORTH].facts)
    assert {State.SENT: 3} == hq.counts()


def test_a_refusal_of_one_result_does_not_hold_up_the_others(hq):
    hq.sites[NORTH].moods = ["refuses"]
    hq.step()
    assert {State.REFUSED: 1, State.SENT: 2} == hq.counts()


def test_what_is_refused_for_now_holds_up_nothing_behind_it(hq):
    hq.sites[NORTH].moods = ["full", None, None]
    hq.step()
    assert {State.ENTERED: 1, State.SENT: 2} == hq.counts()
    with opened(hq.folder) as outbox:
        assert ["disk-low"] == [one.code for one in outbox.all([State.ENTERED])]
    hq.step()
    assert {State.SENT: 3} == hq.counts()


def test_a_whole_page_that_is_refused_for_now_does_not_hide_the_next(tmp_path):
    with opened(tmp_path) as outbox:
        outbox.enter([an_entry(number) for number in range(250)])
    hq = Headquarters(tmp_path, {NORTH: ASite()})
    hq.sites[NORTH].moods = ["full"] * 200
    hq.step()
    assert {State.ENTERED: 250} == hq.counts()
    hq.step()
    assert {State.ENTERED: 200, State.SENT: 50} == hq.counts()
    hq.step()
    assert {State.SENT: 250} == hq.counts()
    hq.lane.close()


def test_an_amendment_does_not_overtake_what_it_amends(tmp_path):
    """The newest word of an office counts, so the order at the site must be the order in which they were entered."""
    first = an_entry(1)
    amended = Entry(an_entry(2).control_id, NORTH, first.record, an_entry(2).content)
    with opened(tmp_path) as outbox:
        outbox.enter([first, amended, an_entry(3)])
    hq = Headquarters(tmp_path, {NORTH: ASite()})
    hq.sites[NORTH].moods = ["full"]
    hq.step()
    assert [first.control_id, an_entry(3).control_id] == hq.sites[NORTH].asked
    hq.step()
    hq.step()
    assert [first.control_id, amended.control_id] == hq.sites[NORTH].asked[2:]
    hq.lane.close()


def test_what_was_at_a_site_is_sent_again_only_when_that_is_asked_for(hq):
    """The site was restored from a backup of before it had the results; what they said is erased here, so they are imported again."""
    hq.step()
    hq.archive.facts = frozenset(hq.sites[NORTH].facts.values())
    hq.step()
    assert {State.AT_SITE: 3} == hq.counts()
    hq.sites[NORTH].facts.clear()
    with opened(hq.folder) as outbox:
        assert {Entered.KNOWN} == set(outbox.enter([an_entry(0)]).values())
        assert {Entered.CHANGED} == set(outbox.enter([an_entry(0, says="TGHU7654321")], is_lost=True).values())
        assert {Entered.AGAIN} == set(outbox.enter([an_entry(0)], is_lost=True).values())
        assert {Entered.KNOWN} == set(outbox.enter([an_entry(0)], is_lost=True).values()), "it is on its way"
    hq.step()
    assert 4 == len(hq.sites[NORTH].asked)
    hq.archive.facts |= frozenset(hq.sites[NORTH].facts.values())
    hq.step()
    assert {State.AT_SITE: 3} == hq.counts()


def test_an_outbox_of_the_first_version_is_brought_up_to_date(tmp_path):
    with opened(tmp_path) as outbox:
        outbox.enter([an_entry()])
        outbox._db.execute("DROP INDEX submission_of_record; PRAGMA user_version = 1")
    with pytest.raises(ArchiveDamaged):
        Outbox.read(tmp_path / "outbox.db", ManualClock())
    with opened(tmp_path) as outbox:
        assert ["R-1"] == [one.record for one in outbox.due(NORTH, 10)]
    Outbox.read(tmp_path / "outbox.db", ManualClock()).close()


def test_a_silent_site_is_asked_again_later_and_holds_up_no_other(tmp_path):
    south = SiteId("south")
    with opened(tmp_path) as outbox:
        outbox.enter([an_entry(1), an_entry(2), an_entry(3, south)])
    hq = Headquarters(tmp_path, {NORTH: ASite(), south: ASite()})
    hq.sites[NORTH].moods = ["silent"] * 9
    asyncio.run(hq.submitter.step())
    asyncio.run(hq.submitter.step())
    assert (1, 1) == (len(hq.sites[NORTH].asked), len(hq.sites[south].asked))
    hq.clock.advance(3)
    asyncio.run(hq.submitter.step())
    hq.clock.advance(3)
    asyncio.run(hq.submitter.step())
    assert 2 == len(hq.sites[NORTH].asked)
    with opened(tmp_path) as outbox:
        waiting = [one for one in outbox.all(WAITING) if one.site == NORTH]
    assert [("peer-silent", 2), ("", 0)] == [(one.code, one.tries) for one in waiting]
    hq.lane.close()


def test_a_result_for_a_site_that_is_no_longer_configured_waits_and_says_so(tmp_path):
    with opened(tmp_path) as outbox:
        outbox.enter([an_entry(1, SiteId("gone"))])
    hq = Headquarters(tmp_path, {})
    hq.step()
    with opened(tmp_path) as outbox:
        assert ["unknown-site"] == [one.code for one in outbox.all(WAITING)]
    hq.lane.close()
