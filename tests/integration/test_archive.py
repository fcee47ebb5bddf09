"""The archive on a real disk: one transaction for rows, figures and cursor; one writer; every failure clean."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, timedelta, timezone

import apsw
import pytest

from edge_agent.collector import schema
from edge_agent.collector.archive import Archive, Batch, Cursor
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import ArchiveBusy, ArchiveDamaged, ConfigInvalid, DiskLow
from edge_agent.kpi.rates import Outcome, Period, Scope, detections_by_day, summarise
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.site_journal import (
    NOON,
    SiteJournal,
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

NORTH = SiteId("north")
ANY_DAY = Scope(UTC, {})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.db"


@pytest.fixture
def archive(path):
    with Archive.open(path, ManualClock()) as opened:
        yield opened


def batch(journal, start=0, end=None):
    at = Cursor(journal.epoch, Seq(start), journal.hash_at(Seq(start)))
    return Batch(journal.site, at, tuple(journal.rows[start:end]))


def journal_of(*bodies, site="north", epoch=b"e" * 16):
    journal = SiteJournal(site, epoch)
    journal.add(*bodies)
    return journal


def outcomes(archive):
    return {t.outcome: t.scans for t in archive.outcomes()}


def test_rows_come_back_byte_for_byte_and_the_cursor_stands_at_their_end(archive):
    journal = journal_of(assessment("north", "a"), audit("north", "start"), set_aside("north", "b"))
    archive.commit([batch(journal)])
    assert list(archive.rows(NORTH, journal.epoch)) == journal.rows
    assert archive.cursor(NORTH, journal.epoch) == Cursor(journal.epoch, Seq(3), journal.rows[-1].hash)
    assert archive.newest(NORTH) == archive.cursor(NORTH, journal.epoch)


def test_what_was_committed_is_there_after_opening_again(path):
    journal = journal_of(assessment("north", "a", "alert"))
    with Archive.open(path, ManualClock()) as archive:
        archive.commit([batch(journal)])
    with Archive.open(path, ManualClock()) as archive:
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
    assert archive.detections() == []


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


def test_a_second_writer_is_refused_and_a_reader_is_not(path, archive):
    archive.commit([batch(journal_of(audit("north", "1")))])
    with pytest.raises(ArchiveBusy):
        Archive.open(path, ManualClock())
    with Archive.read(path, ManualClock()) as reader:
        assert reader.facts() == [("north", "audit", 1)]


def test_a_reader_cannot_write(path, archive):
    archive.commit([])
    with Archive.read(path, ManualClock()) as reader, pytest.raises(ConfigInvalid, match="readonly"):
        reader.commit([batch(journal_of(audit("north", "1")))])


def test_a_report_without_an_archive_says_so(path):
    with pytest.raises(ConfigInvalid, match="no archive yet"):
        Archive.read(path, ManualClock())


def test_an_archive_in_no_folder_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigInvalid, match="archive"):
        Archive.open(tmp_path / "nowhere" / "archive.db", ManualClock())


def test_a_foreign_or_newer_or_broken_file_is_refused_and_left_alone(path):
    def is_refused(open_=Archive.open):
        before = path.read_bytes()
        with pytest.raises(ArchiveDamaged):
            open_(path, ManualClock())
        assert path.read_bytes()[:4096] == before[:4096]

    path.write_bytes(b"this is not a database" * 400)
    is_refused()
    is_refused(Archive.read)
    path.unlink()
    with Archive.open(path, ManualClock()):
        pass
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    is_refused()
    path.unlink()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE somebody_elses (x)")
    connection.close()
    is_refused()


def test_the_archive_is_readable_by_its_owner_only(path, archive):
    archive.commit([])
    assert path.stat().st_mode & 0o777 == 0o600


def test_writing_survives_power_loss_by_its_settings(archive):
    """FULL and WAL are what the promise rests on: read back through the archive's own connection."""
    assert archive._db.pragma("journal_mode") == "wal"
    assert archive._db.pragma("synchronous") == 2


@contextmanager
def bounded_pages(archive, pages):
    archive._db.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        archive._db.execute("PRAGMA max_page_count = 1073741823")


def test_a_full_disk_stores_nothing_of_the_batch_and_the_same_batch_goes_in_later(archive):
    journal = journal_of(*(assessment("north", str(n)) for n in range(300)))
    archive.commit([batch(journal, 0, 10)])
    with bounded_pages(archive, archive._db.pragma("page_count") + 2), pytest.raises(DiskLow):
        archive.commit([batch(journal, 10)])
    assert len(list(archive.rows(NORTH, journal.epoch))) == 10
    assert archive.cursor(NORTH, journal.epoch).seq == 10
    archive.commit([batch(journal, 10)])
    assert list(archive.rows(NORTH, journal.epoch)) == journal.rows
    assert outcomes(archive) == {Outcome.NO_ALERT: 300}


def _fill_under_a_file_limit(path, reached):
    """Body of a child process: a real EFBIG from the file system, not SQLite's own limit."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal = journal_of(*(assessment("north", str(n)) for n in range(400)))
    archive = Archive.open(path, ManualClock())
    archive.commit([batch(journal, 0, 5)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, resource.RLIM_INFINITY))
    try:
        archive.commit([batch(journal, 5)])
        reached.put("no error")
    except DiskLow:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        archive.commit([batch(journal, 5)])
        reached.put("recovered")
    archive.close()


def test_a_file_system_that_refuses_is_low_disk_and_is_recovered_from(path):
    spawn = multiprocessing.get_context("spawn")
    reached = spawn.SimpleQueue()
    child = spawn.Process(target=_fill_under_a_file_limit, args=(path, reached))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert reached.get() == "recovered"
    with Archive.read(path, ManualClock()) as archive:
        assert len(list(archive.rows(NORTH, b"e" * 16))) == 400


KILLED = """
import sys
from pathlib import Path
from edge_agent.collector import schema
from edge_agent.collector.archive import Archive, Batch, Cursor
from edge_agent.domain.ids import Seq
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.site_journal import SiteJournal, assessment

journal = SiteJournal("north")
journal.add(*(assessment("north", str(n)) for n in range(int(sys.argv[2]))))
archive = Archive.open(Path(sys.argv[1]), ManualClock())
newest = archive.newest(journal.site)
start = newest.seq if newest else 0
for seq in range(start, len(journal.rows), 3):
    rows = tuple(journal.rows[seq : seq + 3])
    archive.commit([Batch(journal.site, Cursor(journal.epoch, Seq(seq), journal.hash_at(Seq(seq))), rows)])
    print(rows[-1].seq, flush=True)
"""


def test_kill_minus_nine_loses_no_acknowledged_row_and_leaves_no_half_batch(path):
    total, acknowledged = 600, 0
    for deaths in range(6):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(path), str(total)], stdout=subprocess.PIPE, text=True)
        with child, child.stdout:
            for count, line in enumerate(child.stdout):
                acknowledged = int(line)
                if count >= 12 + 7 * deaths:
                    os.kill(child.pid, signal.SIGKILL)
                    break
            for line in child.stdout:
                acknowledged = int(line)
        with Archive.read(path, ManualClock()) as archive:
            rows = list(archive.rows(NORTH, b"e" * 16))
            assert len(rows) >= acknowledged
            assert first_break(rows, b"e" * 16, Seq(0)) is None
            assert archive.newest(NORTH).seq == rows[-1].seq
            assert outcomes(archive) == {Outcome.NO_ALERT: len(rows)}
    assert len(rows) < total


def test_a_damaged_page_is_found_at_the_start(path):
    journal = journal_of(*(assessment("north", str(n)) for n in range(200)))
    with Archive.open(path, ManualClock()) as archive:
        archive.commit([batch(journal)])
    raw = bytearray(path.read_bytes())
    raw[4096 * 20 : 4096 * 21] = os.urandom(4096)
    path.write_bytes(raw)
    with pytest.raises(ArchiveDamaged):
        Archive.open(path, ManualClock())


def test_two_scans_of_the_same_name_at_two_sites_are_two_scans(archive):
    archive.commit([batch(journal_of(assessment("north", "a"))), batch(journal_of(assessment("south", "a"), site="south"))])
    assert scan_named("north", "a") != scan_named("south", "a")
    assert len(archive.outcomes()) == 2


def test_an_empty_batch_of_a_known_cursor_changes_nothing(archive):
    journal = journal_of(audit("north", "1"))
    archive.commit([batch(journal)])
    at = archive.cursor(NORTH, journal.epoch)
    archive.commit([replace(batch(journal, 1), rows=())])
    assert archive.cursor(NORTH, journal.epoch) == at


def test_an_archive_of_the_first_version_is_brought_up_to_date_and_a_report_says_so_before(path):
    connection = apsw.Connection(str(path))
    connection.execute(f"BEGIN; {schema.TABLES}; PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = 1; COMMIT")
    connection.execute(schema.SET_CURSOR, ("north", b"e" * 16, 7, b"h" * 32, 0))
    connection.close()
    with pytest.raises(ArchiveDamaged, match="edge-agent collect"):
        Archive.read(path, ManualClock())
    with Archive.open(path, ManualClock()) as archive:
        assert archive.newest(SiteId("north")).seq == 7
        assert archive.unfit_head(SiteId("north"), b"e" * 16) is None
    with Archive.read(path, ManualClock()) as archive:
        assert archive.signed_to(SiteId("north"), b"e" * 16) == 0
