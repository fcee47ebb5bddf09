"""An archive in a file of SQLite: its file, its settings, its disk, and files of earlier versions."""

import multiprocessing
import os
import resource
import signal
from contextlib import contextmanager

import apsw
import pytest

from edge_agent.collector.archive import schema_sqlite as schema
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import SiteId
from edge_agent.errors import ArchiveDamaged, ConfigInvalid, DiskLow
from edge_agent.kpi.rates import Outcome
from edge_agent.testing.archives import batch, journal_of
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.site_journal import assessment, audit, blocking, detection, set_aside, with_findings

NORTH = SiteId("north")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.db"


@pytest.fixture
def archive(path):
    with Archive.open(path, ManualClock()) as opened:
        yield opened


def outcomes(archive):
    return {t.outcome: t.scans for t in archive.outcomes()}


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
    assert archive.database._connection.pragma("journal_mode") == "wal"
    assert archive.database._connection.pragma("synchronous") == 2


@contextmanager
def bounded_pages(archive, pages):
    archive.database.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        archive.database.execute("PRAGMA max_page_count = 1073741823")


def test_a_full_disk_stores_nothing_of_the_batch_and_the_same_batch_goes_in_later(archive):
    journal = journal_of(*(assessment("north", str(n)) for n in range(300)))
    archive.commit([batch(journal, 0, 10)])
    with bounded_pages(archive, archive.database._connection.pragma("page_count") + 2), pytest.raises(DiskLow):
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
    child.join(170)
    assert child.exitcode == 0
    assert reached.get() == "recovered"
    with Archive.read(path, ManualClock()) as archive:
        assert len(list(archive.rows(NORTH, b"e" * 16))) == 400


def test_a_damaged_page_is_found_at_the_start(path):
    journal = journal_of(*(assessment("north", str(n)) for n in range(200)))
    with Archive.open(path, ManualClock()) as archive:
        archive.commit([batch(journal)])
    raw = bytearray(path.read_bytes())
    raw[4096 * 20 : 4096 * 21] = os.urandom(4096)
    path.write_bytes(raw)
    with pytest.raises(ArchiveDamaged):
        Archive.open(path, ManualClock())


def as_written_by(version, path, journals):
    """Make a file of an earlier version that holds the same journals: its own tables, filled from those of a new one."""
    with Archive.open(path.with_name("new.db"), ManualClock()) as new:
        for journal in journals:
            new.commit([batch(journal)])
    connection = apsw.Connection(str(path))
    steps = "; ".join(schema.STEPS[:version])
    connection.execute(f"BEGIN; {steps}; PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = {version}; COMMIT")
    connection.execute("ATTACH ? AS new", (str(path.with_name("new.db")),))
    for (table,) in list(connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")):
        columns = ", ".join(name for _, name, *_ in connection.execute(f"PRAGMA main.table_info({table})"))
        connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")  # noqa: S608 - our own names
    connection.close()


def everything(archive):
    counts = (archive.outcomes(), archive.detections(), archive.obstacles(), archive.facts(), archive.unread())
    return (*(sorted(count, key=repr) for count in counts), list(archive.cases()), archive.newest(NORTH))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_archive_of_an_earlier_version_tells_the_same_once_it_is_brought_up_to_date(path, version):
    alert = with_findings(assessment("north", "a", "alert"), [detection("knife"), detection("gun", 0.2)], ["knife"])
    first = journal_of(alert, set_aside("north", "b"), assessment("north", "c", "unassessable", obstacles=[blocking("dark")]))
    first.add_raw("ei1/north/~/prophecy/", b'{"kind":"prophecy"}')
    restored = journal_of(alert, assessment("north", "c", revision=2, fact_id="c again"), epoch=b"f" * 16)
    as_written_by(version, path, [first, restored])
    with pytest.raises(ArchiveDamaged, match="edge-agent collect"):
        Archive.read(path, ManualClock())
    with Archive.open(path, ManualClock()) as archive, Archive.read(path.with_name("new.db"), ManualClock()) as new:
        assert everything(archive) == everything(new)
        assert 3 == len(list(archive.cases()))
        archive.commit([batch(journal_of(assessment("north", "d"), epoch=b"g" * 16))])
        assert list(archive.rows(NORTH, b"e" * 16)) == first.rows
    with Archive.read(path, ManualClock()) as archive:
        assert 4 == len(list(archive.cases()))
        assert 0 == archive.signed_to(NORTH, b"e" * 16)


def test_cases_that_were_folded_by_other_rules_are_folded_anew(path):
    with Archive.open(path, ManualClock()) as archive:
        archive.commit([batch(journal_of(assessment("north", "a", "alert"), assessment("north", "b")))])
        told = list(archive.cases())
        archive.database.execute("UPDATE scan_case SET value = '{}'")
        archive.database.execute("UPDATE setting SET value = 'old' WHERE name = 'case'")
    with pytest.raises(ArchiveDamaged, match="edge-agent collect"):
        Archive.read(path, ManualClock())
    with Archive.open(path, ManualClock()) as archive:
        assert told == list(archive.cases())
