"""SNAP and filtered PULL over real sockets: a console that begins is told the newest outcomes of one moment, and a reader of some topics
ends with the same rows as a reader of all."""

import asyncio

import apsw
import pytest

from edge_agent.domain.ids import ScannerId, Seq
from edge_agent.errors import Diverged, EpochChanged, MalformedMessage, NotAllowed
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.queries import Budget, Queries
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import SITE, _entry, a_scan_id, a_set_aside, a_verdict, an_assessment, an_audit, assessment_body
from edge_agent.testing.loopback import Setting, loopback_site
from edge_agent.transport.keys import Consumer, Role
from edge_agent.wire.filtering import FilteredCursor, after_filtered_batch, is_behind, matches

GATE_2 = "ei1/harbour/gate-2/"
ROOMY = Budget(500, 1 << 20)


def at_gate(name, scanner="gate-2", **more):
    return _entry(assessment_body(a_scan_id(name), scanner=ScannerId(scanner), **more), "assessment")


def in_loop(law):
    def test(tmp_path):
        asyncio.run(law(tmp_path))

    test.__name__ = law.__name__
    return test


async def epoch_of(link):
    return (await link.request("PING", {})).content["epoch"]


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db", SITE, SystemClock())
    yield ledger
    ledger.close()


def add(ledger, *entries):
    return [ledger.append(entry).seq for entry in entries]


def snapped(ledger, starts=(), last=2, budget=ROOMY):
    return ledger.queries.snapshot(starts, last, budget)


# What a snapshot holds


def test_a_snapshot_holds_the_newest_outcomes_of_every_scanner_and_all_that_was_said_of_their_scans(ledger):
    scans = [a_scan_id(name) for name in "abc"]
    add(ledger, *(an_assessment(scan) for scan in scans))  # 1, 2, 3
    add(ledger, at_gate("d"), a_verdict(scans[0]), a_verdict(scans[2]), an_audit(), an_audit("look", "viewed", scans[2]))  # 4 .. 8
    found = snapped(ledger)
    assert [row.seq for row in found.rows] == [2, 3, 4, 6]
    assert (found.head, found.left_out) == (ledger.head(), 0)
    assert found.heads == ledger.topic_heads()


def test_a_scan_judged_again_counts_once_and_comes_with_its_whole_story(ledger):
    first, second = a_scan_id("a"), a_scan_id("b")
    add(ledger, an_assessment(first), an_assessment(second), an_assessment(first, 2), a_set_aside(second, 2))
    assert [row.seq for row in snapped(ledger, last=1).rows] == [2, 4]
    assert [row.seq for row in snapped(ledger, last=2).rows] == [1, 2, 3, 4]


def test_an_empty_journal_has_an_empty_snapshot(ledger):
    found = snapped(ledger)
    assert (found.rows, found.heads, found.head.seq) == ((), {}, 0)


def test_a_snapshot_of_some_topics_holds_no_others(ledger):
    add(ledger, an_assessment(a_scan_id("a")), at_gate("b"), a_verdict(a_scan_id("a")))
    found = snapped(ledger, [GATE_2])
    assert [row.seq for row in found.rows] == [2]
    assert set(found.heads) == {f"{GATE_2}assessment/"}


@pytest.mark.parametrize("budget", [Budget(3, 1 << 20), Budget(500, 4_000)], ids=["rows", "bytes"])
def test_what_does_not_fit_is_counted_and_the_oldest_is_left_out(ledger, budget):
    add(ledger, *(an_assessment(a_scan_id(name)) for name in "abcde"))
    found = snapped(ledger, last=5, budget=budget)
    assert [row.seq for row in found.rows] == list(range(6 - len(found.rows), 6))
    assert len(found.rows) + found.left_out == 5
    assert found.rows


def test_a_scan_that_is_talked_about_without_end_hides_neither_itself_nor_others(ledger):
    flooded, other = a_scan_id("a"), a_scan_id("b")
    add(ledger, an_assessment(other), an_assessment(flooded), *(a_verdict(flooded) for _ in range(600)))
    found = snapped(ledger, last=5)
    assert found.left_out == 0
    assert [row.seq for row in found.rows] == [1, 2, *range(503, 603)]


def test_a_long_history_does_not_slow_a_snapshot_down(ledger):
    add(ledger, *(an_assessment(a_scan_id(str(number))) for number in range(800)))
    looked_up = []
    ledger.queries._db.trace_v2(apsw.SQLITE_TRACE_STMT, looked_up.append)
    found = snapped(ledger, last=20)
    ledger.queries._db.trace_v2(0)
    assert [row.seq for row in found.rows] == list(range(781, 801))
    assert len(looked_up) < 20 * 6  # by the number asked for, whatever the length of the history


@in_loop
async def test_snap_answers_with_a_place_from_which_a_pull_goes_on(folder):
    async with loopback_site(folder) as site:
        await site.add(*(an_assessment(a_scan_id(name)) for name in "abcd"))
        link = site.link(site.keys.console)
        snap = await link.request("SNAP", {"last": 2})
        assert [row.seq for row in snap.rows] == [3, 4]
        assert (snap.content["n"], snap.content["head"], snap.content["first"]) == (2, 4, 1)
        await site.add(an_assessment(a_scan_id("e")))
        place = {"epoch": snap.content["epoch"], "after": snap.content["head"], "hash": snap.content["hash"]}
        assert [row.seq for row in (await link.request("PULL", place)).rows] == [5]


@in_loop
async def test_an_admin_reads_and_neither_decides_nor_looks_at_pictures(folder):
    setting = Setting()
    consumers = [Consumer("desk", setting.keys.console.public, Role.ADMIN)]
    async with loopback_site(folder, Setting(setting.keys, consumers)) as site:
        await site.link(setting.keys.console).request("SNAP", {})
        for verb, endpoint in (("VERDICT", site.sync), ("CONTROL", site.sync), ("BLOB", site.blob), ("TILE", site.blob)):
            with pytest.raises(NotAllowed):
                await site.link(setting.keys.console, endpoint=endpoint).request(verb, {})


# Pulling some topics


@in_loop
async def test_a_filtered_reader_ends_with_the_same_rows_as_a_full_one_for_its_topics(folder):
    async with loopback_site(folder) as site:
        await site.add(*(at_gate(str(n), "gate-2" if n % 3 == 0 else "gate-1") for n in range(40)))
        link = site.link(site.keys.console)
        epoch = await epoch_of(link)
        everything = (await link.request("PULL", {"epoch": epoch, "after": 0})).rows
        cursor, taken = FilteredCursor(bytes.fromhex(epoch), Seq(0), bytes.fromhex(epoch)), []
        while is_behind(cursor, cursor.epoch, await site.ledger.topic_heads(), [GATE_2]):
            asked = {"epoch": epoch, "after": cursor.upto, "hash": cursor.hash.hex(), "topics": [GATE_2], "max": 4}
            batch = await link.request("PULL", asked)
            cursor, new = after_filtered_batch(cursor, batch.rows, Seq(batch.content["upto"]), bytes.fromhex(batch.content["hash"]))
            taken += new
        assert taken == [row for row in everything if matches(row.topic, [GATE_2])]
        assert len(taken) == 14


@in_loop
async def test_a_filtered_reader_s_place_is_checked_like_any_other(folder):
    async with loopback_site(folder) as site:
        await site.add(at_gate("a"), an_audit())
        link = site.link(site.keys.console)
        epoch = await epoch_of(link)
        for content, problem in (
            ({"epoch": epoch, "after": 1, "hash": "0" * 64}, Diverged),
            ({"epoch": epoch, "after": 9}, Diverged),
            ({"epoch": "0" * 32, "after": 0}, EpochChanged),
        ):
            with pytest.raises(problem):
                await link.request("PULL", {**content, "topics": [GATE_2]})
        with pytest.raises(MalformedMessage):
            await link.request("PULL", {"epoch": epoch, "after": 0, "topics": ["other/"]})


@in_loop
async def test_a_filtered_pull_acknowledges_nothing(folder):
    async with loopback_site(folder) as site:
        await site.add(at_gate("a"))
        link = site.link(site.keys.collector)
        epoch = await epoch_of(link)
        with pytest.raises(MalformedMessage):
            await link.request("PULL", {"epoch": epoch, "after": 0, "hash": epoch, "durable": "hq", "topics": [GATE_2]})
        assert not await site.ledger.acknowledged()


@in_loop
async def test_a_filtered_long_poll_sleeps_through_other_topics_and_wakes_for_its_own(folder):
    async with loopback_site(folder) as site:
        link = site.link(site.keys.console)
        epoch = await epoch_of(link)
        waiting = asyncio.create_task(link.request("PULL", {"epoch": epoch, "after": 0, "topics": [GATE_2], "wait_ms": 25_000}))
        await asyncio.sleep(0.1)
        await site.add(an_audit())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await site.add(at_gate("a"))
        batch = await waiting
        assert ([row.seq for row in batch.rows], batch.content["upto"]) == ([2], 2)


def test_a_filtered_read_looks_at_a_bounded_number_of_rows_and_says_how_far(ledger, monkeypatch):
    monkeypatch.setattr("edge_agent.ledger.queries._WINDOW", 5)
    add(ledger, *(an_audit(str(n)) for n in range(12)), at_gate("a"))
    places, rows, after = [], [], Seq(0)
    while after < 13:
        found = ledger.queries.filtered_rows(after, [GATE_2], ROOMY)
        after = found.upto
        places.append(found.upto)
        rows += found.rows
        assert ledger.hash_at(found.upto) == found.hash
    assert places == [5, 10, 13]
    assert [row.seq for row in rows] == [13]


# How far the collectors are behind


def test_the_backlog_is_that_of_the_slowest_durable_consumer(ledger):
    add(ledger, *(an_audit(str(n)) for n in range(5)))
    backlog = Queries.backlog
    assert backlog(ledger.queries, []).rows == 0
    assert backlog(ledger.queries, ["hq"]).rows == 5
    ledger.acknowledge("hq", Seq(4), ledger.hash_at(Seq(4)), SystemClock().now())
    assert backlog(ledger.queries, ["hq"]).rows == 1
    assert backlog(ledger.queries, ["hq", "second"]).rows == 5
    ledger.acknowledge("hq", Seq(5), ledger.hash_at(Seq(5)), SystemClock().now())
    assert backlog(ledger.queries, ["hq"]) == type(backlog(ledger.queries, ["hq"]))(0, None)
