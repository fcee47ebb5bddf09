"""What every archive must do, whatever it lies in: the same tests over SQLite and over a real PostgreSQL server."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, timedelta, timezone
from types import SimpleNamespace

import pytest

from edge_agent.collector.archive.port import CasePage, Cursor, ScanKey
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.fold import fold
from edge_agent.collector.report.build import build, question
from edge_agent.domain.ids import Seq, SiteId, fact_id
from edge_agent.errors import ArchiveBusy
from edge_agent.kpi.rates import Outcome, Period, Scope, detections_by_day, summarise
from edge_agent.testing.archives import batch, journal_of
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.site_journal import (
    NOON,
    assessment,
    audit,
    blocking,
    detection,
    kind_of,
    scan_named,
    set_aside,
    with_findings,
)
from edge_agent.wire.chain import first_break
from edge_agent.wire.heads import SignedHead
from edge_agent.wire.messages import CodeParams, VerdictBody, decode

NORTH = SiteId("north")
ANY_DAY = Scope(UTC, {})
NOTHING_GROUPED = SimpleNamespace(origin_groups={}, classes={})


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    return tmp_path / "archive.db" if request.param == "sqlite" else request.getfixturevalue("postgres_address")


@pytest.fixture
def archive(place):
    with Archive.open(place, ManualClock()) as opened:
        yield opened


def outcomes(archive):
    return {t.outcome: t.scans for t in archive.outcomes()}


def scan(name, site="north"):
    return ScanKey(SiteId(site), scan_named(site, name))


def test_rows_come_back_byte_for_byte_and_the_cursor_stands_at_their_end(archive):
    journal = journal_of(assessment("north", "a"), audit("north", "start"), set_aside("north", "b"))
    archive.commit([batch(journal)])
    assert list(archive.rows(NORTH, journal.epoch)) == journal.rows
    assert archive.cursor(NORTH, journal.epoch) == Cursor(journal.epoch, Seq(3), journal.rows[-1].hash)
    assert archive.newest(NORTH) == archive.cursor(NORTH, journal.epoch)


def test_what_was_committed_is_there_after_opening_again(place):
    journal = journal_of(assessment("north", "a", "alert"))
    with Archive.open(place, ManualClock()) as archive:
        archive.commit([batch(journal)])
    with Archive.open(place, ManualClock()) as archive:
        assert list(archive.rows(NORTH, journal.epoch)) == journal.rows
        assert outcomes(archive) == {Outcome.ALERT: 1}


def test_rows_that_do_not_continue_the_cursor_are_refused_whole(archive):
    journal = journal_of(*(audit("north", str(n)) for n in range(4)))
    archive.commit([batch(journal, 0, 2)])
    for wrong in (batch(journal, 0, 2), batch(journal, 3)):
        with pytest.raises(ValueError, match="continue"):
            archive.commit([wrong])
    assert len(list(archive.rows(NORTH, journal.epoch))) == 2


def test_one_bad_batch_undoes_the_whole_transaction(archive):
    good, other = journal_of(audit("north", "1")), journal_of(audit("south", "1"), site="south")
    archive.commit([batch(other)])
    with pytest.raises(ValueError, match="continue"):
        archive.commit([batch(good), batch(other)])
    assert archive.cursor(NORTH, good.epoch) is None
    assert archive.facts() == [("south", "audit", 1)]


def test_a_fact_told_again_under_a_new_epoch_counts_once_and_both_rows_stay(archive):
    bodies = [with_findings(assessment("north", "a", "alert"), [detection("knife")], ["knife"]), set_aside("north", "b")]
    first, restored = journal_of(*bodies), journal_of(*bodies, audit("north", "restored"), epoch=b"f" * 16)
    archive.commit([batch(first)])
    archive.commit([batch(restored)])
    assert list(archive.rows(NORTH, first.epoch)) == first.rows
    assert list(archive.rows(NORTH, restored.epoch)) == restored.rows
    assert archive.facts() == [("north", "assessment", 1), ("north", "audit", 1), ("north", "set-aside", 1)]
    assert [(t.detections, t.scans, t.alerts) for t in archive.detections()] == [(1, 1, 1)]
    assert archive.newest(NORTH).epoch == restored.epoch


def test_no_site_can_take_the_place_of_another_sites_fact(archive):
    stolen = assessment("north", "a", "alert")
    thief = journal_of(stolen.model_copy(update={"site": "south", "conclusion": "no-alert"}), site="south")
    archive.commit([batch(thief)])
    archive.commit([batch(journal_of(stolen))])
    assert {(t.site, t.outcome) for t in archive.outcomes()} == {("south", Outcome.NO_ALERT), ("north", Outcome.ALERT)}


def test_a_scan_counts_by_its_newest_revision(archive):
    first = with_findings(assessment("north", "a", "alert"), [detection("knife")], ["knife"])
    second = assessment("north", "a", "no-alert", revision=2, fact_id="second")
    late_word = assessment("north", "a", "unassessable", revision=1, fact_id="late word on revision 1")
    archive.commit([batch(journal_of(first, second, late_word))])
    assert outcomes(archive) == {Outcome.NO_ALERT: 1}
    assert list(archive.detections()) == []


def test_a_metadata_revision_of_the_same_pixels_replaces_the_conclusion(archive):
    archive.commit([batch(journal_of(assessment("north", "a", "no-alert"), assessment("north", "a", "alert", fact_id="again")))])
    assert outcomes(archive) == {Outcome.ALERT: 1}


def test_a_scan_retried_out_of_quarantine_is_assessed_and_no_longer_set_aside(archive):
    archive.commit([batch(journal_of(set_aside("north", "a"), assessment("north", "a")))])
    assert outcomes(archive) == {Outcome.NO_ALERT: 1}


def test_detections_obstacles_and_alerts_are_counted_by_hand(archive):
    later = NOON + timedelta(hours=13)
    two_knives = [detection("knife", 0.9), detection("knife", 0.6), detection("gun", 0.3)]
    bodies = [
        with_findings(assessment("north", "a", "alert"), two_knives, ["knife"]),
        with_findings(assessment("north", "b", "no-alert"), [detection("knife", 0.2)]),
        assessment("north", "c", "unassessable", obstacles=[blocking("dark"), blocking("dark")]),
        with_findings(assessment("north", "d", "alert", later), [detection("gun", 0.8)], ["gun"]),
    ]
    archive.commit([batch(journal_of(*bodies))])
    lines = detections_by_day(archive.detections(), ANY_DAY)
    assert [(d.label, d.day.isoformat(), d.detections, d.scans, d.alerts, d.best_score) for d in lines] == [
        ("gun", "2026-03-02", 1, 1, 0, 0.3),
        ("gun", "2026-03-03", 1, 1, 1, 0.8),
        ("knife", "2026-03-02", 3, 2, 1, 0.9),
    ]
    assert [(o.code, o.outcome, o.is_blocking, o.scans) for o in archive.obstacles()] == [("dark", Outcome.UNASSESSABLE, True, 1)]
    (line,) = summarise(archive.outcomes(), ANY_DAY)
    assert (line.alert, line.no_alert, line.unassessable, line.set_aside) == (2, 1, 1, 0)


def test_a_period_brings_all_of_its_days_whatever_the_zone(archive):
    moments = [NOON + timedelta(hours=12 * n) for n in range(-8, 9)]
    archive.commit([batch(journal_of(*(assessment("north", str(n), at=at) for n, at in enumerate(moments))))])
    day = date(2026, 3, 2)
    for hours in (-12, 0, 14):
        zone = timezone(timedelta(hours=hours))
        scope = Scope(zone, {}, Period(day, day))
        (line,) = summarise(archive.outcomes(scope.period), scope)
        assert line.assessed == sum(at.astimezone(zone).date() == day for at in moments)


def test_kinds_are_kept_apart(archive):
    archive.commit([batch(journal_of(assessment("north", "a"), assessment("north", "b", capture=kind_of("synthetic"))))])
    (line,) = summarise(archive.outcomes(), ANY_DAY)
    assert (line.kind, line.assessed) == ("live", 1)


def test_rows_that_cannot_be_read_are_kept_and_named(archive):
    journal = journal_of(audit("north", "1"))
    journal.add_raw("ei1/north/~/prophecy/", b'{"kind":"prophecy"}')
    archive.commit([batch(journal)])
    assert list(archive.rows(NORTH, journal.epoch)) == journal.rows
    assert archive.unread() == [("north", "not a journal body of a known kind", 1)]


def test_two_scans_of_the_same_name_at_two_sites_are_two_scans(archive):
    archive.commit([batch(journal_of(assessment("north", "a"))), batch(journal_of(assessment("south", "a"), site="south"))])
    assert scan_named("north", "a") != scan_named("south", "a")
    assert len(list(archive.outcomes())) == 2


def test_an_empty_batch_of_a_known_cursor_changes_nothing(archive):
    journal = journal_of(audit("north", "1"))
    archive.commit([batch(journal)])
    at = archive.cursor(NORTH, journal.epoch)
    archive.commit([replace(batch(journal, 1), rows=())])
    assert archive.cursor(NORTH, journal.epoch) == at


def test_a_second_writer_is_refused_and_a_reader_is_not(place, archive):
    archive.commit([batch(journal_of(audit("north", "1")))])
    with pytest.raises(ArchiveBusy):
        Archive.open(place, ManualClock())
    with Archive.read(place, ManualClock()) as reader:
        assert reader.facts() == [("north", "audit", 1)]


KILLED = """
import sys
import time
from pathlib import Path
from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import Seq
from edge_agent.errors import ArchiveBusy
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.site_journal import SiteJournal, assessment

place = sys.argv[1] if "://" in sys.argv[1] else Path(sys.argv[1])
archive = None
while archive is None:
    try:
        archive = Archive.open(place, ManualClock())
    except ArchiveBusy:
        time.sleep(0.05)  # the server has not seen yet that the one before is dead
journal = SiteJournal("north")
newest = archive.newest(journal.site)
journal.add(*(assessment("north", str(n)) for n in range(newest.seq if newest else 0)))
while True:
    seq = Seq(len(journal.rows))
    journal.add(*(assessment("north", str(n)) for n in range(seq, seq + 3)))
    archive.commit([Batch(journal.site, Cursor(journal.epoch, seq, journal.hash_at(seq)), tuple(journal.rows[seq:]))])
    print(seq + 3, flush=True)
"""


def test_kill_minus_nine_loses_no_acknowledged_row_and_leaves_no_half_batch(place):
    for deaths in range(3):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(place)], stdout=subprocess.PIPE, text=True)
        with child, child.stdout:
            told = [child.stdout.readline() for _ in range(13 + 7 * deaths)]
            os.kill(child.pid, signal.SIGKILL)
            acknowledged = int([*told, *child.stdout][-1])
        assert child.returncode == -signal.SIGKILL
        with Archive.read(place, ManualClock()) as archive, archive.snapshot():  # a server may commit what a dead one had sent
            rows = list(archive.rows(NORTH, b"e" * 16))
            assert len(rows) >= acknowledged > 0
            assert first_break(rows, b"e" * 16, Seq(0)) is None
            assert archive.newest(NORTH).seq == rows[-1].seq
            assert outcomes(archive) == {Outcome.NO_ALERT: len(rows)}


def verdict(name, conclusion="suspicious", at=NOON + timedelta(minutes=5), **more):
    body = VerdictBody(
        fact_id=fact_id(scan_named("north", name), "verdict", 1, conclusion),
        site="north",
        scanner="gate-1",
        scan_id=scan_named("north", name),
        revision=1,
        cause=conclusion,
        produced_at=at,
        conclusion=conclusion,
        officer="token",
        workstation="desk-1",
        is_supervisor=False,
        reasons=[],
        decided_at=at,
    )
    return body.model_copy(update=more)


def told(archive):
    """All that reports are made of."""
    counts = (archive.outcomes(), archive.detections(), archive.obstacles(), archive.facts(), archive.unread(), archive.cases())
    return [sorted(count, key=repr) for count in counts]


def test_a_row_that_came_ahead_counts_at_once_and_is_seen_to_be_provisional(archive):
    journal = journal_of(*(assessment("north", str(n), "alert") for n in range(4)))
    archive.commit([batch(journal, 0, 1)])
    assert 1 == archive.live(NORTH, journal.rows[3:])
    assert outcomes(archive) == {Outcome.ALERT: 2}
    assert [(NORTH, 1)] == archive.provisional()
    assert [True] == [fact.is_provisional for fact in archive.facts_of(scan("3"))]
    assert journal.rows[3] == archive.facts_of(scan("3"))[0].row
    assert archive.case(scan("3")) is not None
    assert 1 == archive.newest(NORTH).seq, "no cursor moves"
    assert journal.rows[:1] == list(archive.rows(NORTH, journal.epoch)), "the verified prefix holds none of them"


def test_when_the_prefix_reaches_a_provisional_row_it_is_there_once_and_proved(archive):
    journal = journal_of(*(assessment("north", str(n), "alert") for n in range(4)), audit("north", "start"))
    journal.add_raw("ei1/north/~/prophecy/", b'{"kind":"prophecy"}')
    archive.live(NORTH, journal.rows[2:])
    archive.commit([batch(journal, 0, 3)])
    assert [(NORTH, 3)] == archive.provisional()
    archive.commit([batch(journal, 3)])
    assert [] == archive.provisional()
    assert outcomes(archive) == {Outcome.ALERT: 4}
    assert journal.rows == list(archive.rows(NORTH, journal.epoch))
    assert [False] == [fact.is_provisional for fact in archive.facts_of(scan("3"))]
    assert [("north", "not a journal body of a known kind", 1)] == archive.unread()
    assert archive.unfit_live(NORTH, journal.epoch) is None


def test_a_live_page_may_be_told_twice_and_behind_the_prefix(archive):
    journal = journal_of(*(assessment("north", str(n)) for n in range(6)))
    archive.commit([batch(journal, 0, 3)])
    assert 1 == archive.live(NORTH, journal.rows[1:4])
    assert 0 == archive.live(NORTH, journal.rows[1:4])
    assert 1 == archive.live(NORTH, [*journal.rows[3:5], journal.rows[4]])
    assert 0 == archive.live(NORTH, [])
    archive.commit([batch(journal, 3)])
    assert journal.rows == list(archive.rows(NORTH, journal.epoch))
    assert outcomes(archive) == {Outcome.NO_ALERT: 6}


def test_a_site_that_sent_another_row_ahead_than_it_journalled_is_found_out_and_the_journal_counts(archive):
    lie = journal_of(assessment("north", "a", "no-alert"), assessment("north", "invented", "alert"), verdict("a", "not-suspicious"))
    truth = journal_of(
        assessment("north", "a", "no-alert"), with_findings(assessment("north", "a", "alert", fact_id="x"), [detection("gun")], ["gun"])
    )
    truth.add(set_aside("north", "b"))
    archive.live(NORTH, lie.rows[1:])
    archive.commit([batch(truth)])
    assert 2 == archive.unfit_live(NORTH, truth.epoch)
    assert 3 == archive.unfit_live(NORTH, truth.epoch, Seq(2))
    assert outcomes(archive) == {Outcome.ALERT: 1, Outcome.SET_ASIDE: 1}
    assert archive.case(scan("invented")) is None
    assert "" == archive.case(scan("a")).analyst
    assert truth.rows == list(archive.rows(NORTH, truth.epoch))
    assert [(NORTH, 2)] == archive.provisional(), "the lies are kept, as evidence"


def test_a_verdict_that_comes_before_its_assessment_gives_the_same_case(archive, tmp_path):
    journal = journal_of(assessment("north", "a", "alert"), assessment("north", "b"), verdict("a"))
    archive.live(NORTH, journal.rows[2:])
    assert archive.case(scan("a")) is None, "the machine has said nothing yet"
    archive.commit([batch(journal)])
    with Archive.open(tmp_path / "in order.db", ManualClock()) as other:
        other.commit([batch(journal)])
        assert told(archive) == told(other)
    assert "suspicious" == archive.case(scan("a")).analyst


def test_an_older_word_of_the_machine_that_comes_later_does_not_take_the_newer_ones_place(archive):
    older, newer = assessment("north", "a", "alert"), assessment("north", "a", "no-alert", fact_id="declared anew")
    journal = journal_of(older, newer)
    archive.live(NORTH, journal.rows[1:])
    archive.commit([batch(journal, 0, 1)])
    assert outcomes(archive) == {Outcome.NO_ALERT: 1}
    assert Outcome.NO_ALERT == archive.case(scan("a")).outcome


def test_what_lies_ahead_is_known_after_a_restart(place):
    journal = journal_of(*(assessment("north", str(n)) for n in range(4)))
    with Archive.open(place, ManualClock()) as archive:
        archive.live(NORTH, journal.rows[2:])
    with Archive.open(place, ManualClock()) as archive:
        archive.commit([batch(journal)])
        assert [] == archive.provisional()
        assert outcomes(archive) == {Outcome.NO_ALERT: 4}


def test_the_facts_of_a_scan_over_a_restore_stand_in_the_order_of_the_journals(archive):
    first = journal_of(assessment("north", "a"), verdict("a"), epoch=b"z" * 16)
    restored = journal_of(assessment("north", "a"), verdict("a", "not-suspicious"), epoch=b"a" * 16)
    archive.commit([batch(first)])
    archive.live(NORTH, restored.rows[1:])
    assert ["assessment", "verdict", "verdict"] == [fact.kind for fact in archive.facts_of(scan("a"))]
    assert [first.epoch, first.epoch, restored.epoch] == [fact.row.epoch for fact in archive.facts_of(scan("a"))]
    assert "not-suspicious" == archive.case(scan("a")).analyst
    archive.commit([batch(restored)])
    assert "not-suspicious" == archive.case(scan("a")).analyst
    assert 4 == len(list(archive.rows(NORTH, first.epoch))) + len(list(archive.rows(NORTH, restored.epoch)))


def test_cases_come_by_time_and_site_however_many(archive):
    days = [NOON + timedelta(days=n % 40) for n in range(2_300)]
    journal = journal_of(*(assessment("north", str(n), at=at) for n, at in enumerate(days)))
    archive.commit([batch(journal), batch(journal_of(assessment("south", "a"), site="south"))])
    everything = list(archive.cases())
    assert 2_301 == len(everything)
    assert sorted(everything, key=lambda case: (case.produced_us, case.site, case.scan_id)) == everything
    assert ["south"] == [case.site for case in archive.cases(sites={"south"})]
    day = (NOON + timedelta(days=3)).date()
    within = [case for case in everything if abs(case.produced_us - 1_772_452_800_000_000 - 3 * 86_400_000_000) <= 36 * 3_600_000_000]
    assert within == list(archive.cases(Period(day, day)))


def test_a_signed_head_is_kept_and_held_against_the_rows(archive):
    journal = journal_of(*(audit("north", str(n)) for n in range(4)))
    head = SignedHead(NORTH, journal.epoch, Seq(3), journal.hash_at(Seq(3)), 5, b"k" * 32, b"s" * 64)
    archive.commit([replace(batch(journal, 0, 2), head=head)])
    assert 0 == archive.signed_to(NORTH, journal.epoch)
    archive.commit([replace(batch(journal, 2), head=head)])
    assert 3 == archive.signed_to(NORTH, journal.epoch)
    assert archive.unfit_head(NORTH, journal.epoch) is None
    other = replace(head, seq=Seq(2), hash=b"?" * 32)
    archive.commit([replace(batch(journal, 4), head=other)])
    assert 2 == archive.unfit_head(NORTH, journal.epoch)
    assert archive.unfit_head(NORTH, journal.epoch, Seq(2)) is None


@pytest.mark.parametrize(
    "hostile",
    [
        {"fact_id": "x" * 60_000},
        {"scan_id": "x" * 60_000},
        {"scanner": "x" * 60_000},
        {"selection": "ran\0dom"},
        {"fact_id": "'; DROP TABLE journal; --"},
        {"scan_id": "%s ? {keys}"},
        {"subject": "\U0001f4e6 \u202e ' \" \\"},
        {"selection": "y" * 60_000},
    ],
    ids=lambda hostile: str(hostile)[:30],
)
def test_what_a_hostile_site_writes_stops_nobody(archive, hostile):
    journal = journal_of(assessment("north", "a", **hostile), assessment("north", "b", "alert"))
    archive.live(NORTH, journal.rows[:1])
    archive.commit([batch(journal), batch(journal_of(assessment("south", "a"), site="south"))])
    assert journal.rows == list(archive.rows(NORTH, journal.epoch))
    assert 1 == outcomes(archive)[Outcome.ALERT]
    assert 3 == sum(number for *_, number in [*archive.facts(), *archive.unread()])


def test_what_came_ahead_and_was_lost_with_a_restore_is_proved_by_the_story_told_again(archive):
    first = journal_of(assessment("north", "a", "alert"), verdict("a"), verdict("a", "not-suspicious"))
    restored = journal_of(assessment("north", "a", "alert"), verdict("a", "not-suspicious"), epoch=b"a" * 16)
    archive.commit([batch(first, 0, 1)])
    archive.live(NORTH, first.rows[1:])
    archive.commit([batch(restored)])
    told = [(fact.row.epoch, fact.is_provisional) for fact in archive.facts_of(scan("a"))]
    assert [(first.epoch, False), (first.epoch, True), (restored.epoch, False)] == told
    assert "not-suspicious" == archive.case(scan("a")).analyst
    assert [(NORTH, 2)] == archive.provisional()


def test_a_page_of_cases_is_the_newest_ones_that_are_asked_for(archive):
    bodies = [assessment("north", str(n), "alert" if n % 3 == 0 else "no-alert", NOON + timedelta(hours=n // 2)) for n in range(30)]
    archive.commit([batch(journal_of(*bodies)), batch(journal_of(assessment("south", "a", at=NOON + timedelta(hours=99)), site="south"))])
    newest_first = list(archive.cases())[::-1]
    pages, before = [], (1 << 62, "", "")
    while page := archive.case_page(CasePage(limit=7, before=before)):
        pages += page
        before = (page[-1].produced_us, page[-1].site, page[-1].scan_id)
    assert newest_first == pages
    alerts = [case for case in newest_first if case.outcome == "alert" and case.site == "north"]
    assert alerts == archive.case_page(CasePage(limit=50, before=(1 << 62, "", ""), site="north", outcome="alert"))
    low = newest_first[10].produced_us
    assert [case for case in newest_first if case.produced_us >= low] == archive.case_page(
        CasePage(limit=50, before=(1 << 62, "", ""), low_us=low)
    )


def test_a_scan_with_very_many_facts_stops_nobody(archive):
    people = [
        verdict("a", ("suspicious", "not-suspicious")[n % 2], NOON + timedelta(seconds=n), fact_id=f"verdict {n}") for n in range(800)
    ]
    journal = journal_of(assessment("north", "a", "alert"), *people)
    archive.live(NORTH, journal.rows[700:])
    for start in range(0, 801, 400):
        archive.commit([batch(journal, start, start + 400)])
    assert ("north", "verdict", 800) in archive.facts()
    assert 801 == len(archive.facts_of(scan("a")))
    assert fold(decode(row.body) for row in journal.rows[:500]) == archive.case(scan("a"))


def opening(name, at, officer="token"):
    event = CodeParams(code="opened", params={"workstation": "desk-1", "officer": officer, "revision": 1})
    return audit("north", f"opened {at.isoformat()}", at).model_copy(update={"scan_id": scan_named("north", name), "event": event})


def test_how_long_an_officer_looked_is_known_whatever_came_first_and_however_often_others_looked(archive):
    looks = [opening("a", NOON + timedelta(seconds=n), f"other-{n}") for n in range(600)]
    said = [opening("a", NOON + timedelta(seconds=700)), verdict("a", "suspicious", NOON + timedelta(seconds=712))]
    journal = journal_of(assessment("north", "a", "alert"), opening("a", NOON), *looks[:400], *said, *looks[400:])
    archive.live(NORTH, journal.rows[401:])
    archive.commit([batch(journal, 0, 300)])
    archive.commit([batch(journal, 300)])
    case = archive.case(scan("a"))
    assert (case.stands, case.decision_s, case.look_s) == ("suspicious", 712.0, 12.0)


def test_facts_of_a_scan_are_given_a_page_at_a_time(archive):
    journal = journal_of(assessment("north", "a"), *(verdict("a", "suspicious", fact_id=f"verdict {n}") for n in range(9)))
    archive.commit([batch(journal)])
    pages = [archive.facts_of(scan("a"), passed, 4) for passed in (0, 4, 8, 12)]
    assert [4, 4, 2, 0] == [len(page) for page in pages]
    assert archive.facts_of(scan("a")) == [fact for page in pages for fact in page]


def test_facts_that_are_verified_are_told_apart_from_those_that_came_ahead(archive):
    journal = journal_of(assessment("north", "a"), audit("north", "1"), audit("north", "2"))
    facts = [decode(row.body).fact_id for row in journal.rows]
    archive.commit([batch(journal, 0, 2)])
    archive.live(NORTH, journal.rows[2:])
    assert set(facts[:2]) == archive.has_facts(NORTH, [*facts, "unknown"])
    assert frozenset() == archive.has_facts(NORTH, [])
    assert frozenset() == archive.has_facts(SiteId("south"), facts)


def test_a_report_is_of_one_moment_whatever_is_stored_meanwhile(place, archive):
    """A scan that is judged anew between two pages of cases would move behind the place that was read, and count twice."""
    journal = journal_of(*(assessment("north", str(n), at=NOON + timedelta(seconds=n)) for n in range(1_100)))
    archive.commit([batch(journal)])

    def judged_anew(_number):
        seq = len(journal.rows)
        at = NOON + timedelta(days=1)
        journal.add(assessment("north", "0", "alert", at, revision=2, fact_id="anew", cause="anew"))
        archive.commit([batch(journal, seq)])

    with Archive.read(place, ManualClock()) as reader:
        made = build(reader, question(ANY_DAY, NOTHING_GROUPED, NOON), judged_anew)
        assert (1_100, 0) == (made.figures.total.assessed, made.figures.total.hits.alerted)
        assert made.figures.total.assessed == sum(line.assessed for line in made.summaries)
        again = build(reader, question(ANY_DAY, NOTHING_GROUPED, NOON))
    assert (1_100, 1) == (again.figures.total.assessed, again.figures.total.hits.alerted)
