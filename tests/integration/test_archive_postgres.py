"""An archive in a PostgreSQL server: its partitions, its lock, a server that goes away, and databases that are not ours."""

import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from edge_agent.collector.archive import schema_postgres as schema
from edge_agent.collector.archive import sql
from edge_agent.collector.archive.port import ScanKey
from edge_agent.collector.archive.reading import keyed
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import SiteId
from edge_agent.errors import ArchiveAway, ArchiveBusy, ArchiveDamaged, ConfigInvalid
from edge_agent.testing.archives import batch, journal_of
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.postgres_server import PostgresServer
from edge_agent.testing.site_journal import NOON, assessment, audit, detection, scan_named, with_findings

NORTH = SiteId("north")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def archive(postgres_address):
    with Archive.open(postgres_address, ManualClock()) as opened:
        yield opened


def last_second_of_november():
    clock = ManualClock()
    clock.jump((datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC) - clock.now()).total_seconds())
    return clock


def ask(address, sql):
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def tables(address):
    return {name for (name,) in ask(address, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")}


def alerts(*names, at=NOON):
    return [with_findings(assessment("north", name, "alert", at), [detection("knife")], ["knife"]) for name in names]


def test_each_month_has_its_partition_before_it_begins_and_figures_reach_over_all(postgres_address):
    clock = last_second_of_november()
    journal = journal_of(*alerts("a", "b", "c"))
    with Archive.open(postgres_address, clock) as archive:
        archive.commit([batch(journal, 0, 1)])
        assert {"journal_202611", "journal_202612", "finding_202611", "finding_202612"} <= tables(postgres_address)
        clock.advance(2)
        archive.commit([batch(journal, 1, 2)])
        clock.advance(40 * 86_400)
        archive.commit([batch(journal, 2)])
        assert {"journal_202701", "journal_202702"} <= tables(postgres_address)
        assert [(3, 3, 3)] == [(tally.detections, tally.scans, tally.alerts) for tally in archive.detections()]
        assert journal.rows == list(archive.rows(NORTH, journal.epoch))
        lies_in = "SELECT tableoid::regclass::text FROM journal ORDER BY seq"
        assert [("journal_202611",), ("journal_202612",), ("journal_202701",)] == ask(postgres_address, lies_in)


@pytest.mark.parametrize(
    ("at", "month", "following"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2028, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_lies_in_one_month(at, month, following):
    found = schema.month_of((at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    assert (month, following) == (found, schema.next_month(found))


def test_a_row_that_came_ahead_last_month_keeps_its_moment_when_the_prefix_reaches_it(postgres_address):
    clock = last_second_of_november()
    journal = journal_of(*alerts("a", "b"))
    with Archive.open(postgres_address, clock) as archive:
        archive.live(NORTH, journal.rows[1:])
        clock.advance(86_400)
        archive.commit([batch(journal)])
        assert journal.rows == list(archive.rows(NORTH, journal.epoch))
        assert [(2, 2, 2)] == [(tally.detections, tally.scans, tally.alerts) for tally in archive.detections()]


def test_the_database_itself_refuses_a_row_number_twice(postgres_address, archive):
    archive.commit([batch(journal_of(*alerts("a")))])
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask(postgres_address, "INSERT INTO journal SELECT * FROM journal")


def test_an_archive_of_the_first_version_is_brought_up_to_date_and_folded_anew(postgres_address):
    with Archive.open(postgres_address, ManualClock()) as archive:
        archive.commit([batch(journal_of(*alerts("a", "b")))])
        told = list(archive.cases())
    now = set(ask(postgres_address, "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"))
    for name in ("fact_by_time", "health_of_site", "audit_of_site", "shadow_of_scan"):
        ask(postgres_address, f"DROP INDEX {name}")
    ask(postgres_address, "CREATE INDEX fact_of_trial ON fact (produced_us) WHERE kind = 'shadow'")
    ask(postgres_address, "UPDATE setting SET value = '1'")
    ask(postgres_address, "UPDATE scan_case SET value = '{}'")
    with pytest.raises(ArchiveDamaged, match="edge-agent collect"):
        Archive.read(postgres_address, ManualClock())
    with Archive.open(postgres_address, ManualClock()) as archive:
        assert told == list(archive.cases())
    assert now == set(ask(postgres_address, "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"))
    Archive.read(postgres_address, ManualClock()).close()


def test_a_writer_that_dies_lets_the_lock_go(postgres_address, archive):
    archive.commit([batch(journal_of(audit("north", "1")))])
    with pytest.raises(ArchiveBusy):
        Archive.open(postgres_address, ManualClock())
    archive.database._connection.pgconn.finish()
    with Archive.open(postgres_address, ManualClock()) as other:
        assert [("north", "audit", 1)] == other.facts()


def test_a_server_that_crashes_is_waited_for_and_nothing_is_lost():
    server = PostgresServer.start()
    journal = journal_of(*alerts("a", "b", "c"))
    try:
        with Archive.open(server.address(), ManualClock()) as archive:
            archive.commit([batch(journal, 0, 1)])
            server.halt()
            for _ in range(2):
                with pytest.raises(ArchiveAway):
                    archive.commit([batch(journal, 1)])
            with pytest.raises(ArchiveAway):
                archive.newest(NORTH)
            server.restart()
            assert 1 == archive.newest(NORTH).seq
            archive.commit([batch(journal, 1)])
            assert journal.rows == list(archive.rows(NORTH, journal.epoch))
            with pytest.raises(ArchiveBusy):
                Archive.open(server.address(), ManualClock())
    finally:
        server.stop()


def test_rows_that_another_collector_took_ahead_while_this_one_was_cut_off_are_reached_all_the_same(postgres_address, archive):
    journal = journal_of(*alerts("a", "b", "c"))
    archive.commit([batch(journal, 0, 1)])
    archive.database._connection.pgconn.finish()
    with Archive.open(postgres_address, ManualClock()) as other:
        other.live(NORTH, journal.rows[2:])
    archive.commit([batch(journal, 1)])
    assert [] == archive.provisional()
    assert [False] * 3 == [fact.is_provisional for name in "abc" for fact in archive.facts_of(ScanKey(NORTH, scan_named("north", name)))]


def test_a_connection_that_is_cut_in_the_middle_of_a_transaction_stores_nothing_of_it(postgres_address, archive, monkeypatch):
    journal = journal_of(*alerts("a", "b"))
    archive.commit([batch(journal, 0, 1)])
    add, cut = archive.database.add, []

    def cut_before_facts(table, columns, rows):
        if table == "fact" and not cut:
            cut.append(table)
            ask(postgres_address, f"SELECT pg_terminate_backend({archive.database._connection.info.backend_pid})")
        add(table, columns, rows)

    monkeypatch.setattr(archive.database, "add", cut_before_facts)
    with pytest.raises(ArchiveAway):
        archive.commit([batch(journal, 1)])
    assert journal.rows[:1] == list(archive.rows(NORTH, journal.epoch))
    archive.commit([batch(journal, 1)])
    assert journal.rows == list(archive.rows(NORTH, journal.epoch))


def test_a_server_that_is_not_there_may_come_later(tmp_path):
    with pytest.raises(ArchiveAway):
        Archive.open(f"postgresql://nobody@/postgres?host={tmp_path}", ManualClock())


def test_an_address_that_is_none_is_a_configuration_error_and_shows_no_password():
    with pytest.raises(ConfigInvalid) as told:
        Archive.open("postgresql://hq:s3cret@host/db?colour=blue", ManualClock())
    assert "s3cret" not in str(told.value)


def test_a_report_before_the_first_collect_says_so(postgres_address):
    with pytest.raises(ConfigInvalid, match="edge-agent collect"):
        Archive.read(postgres_address, ManualClock())


def test_a_reader_cannot_write(postgres_address, archive):
    with Archive.read(postgres_address, ManualClock()) as reader, pytest.raises(ConfigInvalid, match="read-only"):
        reader.commit([batch(journal_of(audit("north", "1")))])
    assert [] == archive.facts()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE journal (x int)",
        "CREATE TABLE setting (name text, value text)",
        "CREATE TABLE setting (x int)",
        "CREATE TABLE setting (name text, value text); INSERT INTO setting VALUES ('version', '99')",
        "CREATE TABLE setting (name text, value text); INSERT INTO setting VALUES ('version', 'ours')",
    ],
)
def test_a_foreign_or_newer_database_is_refused_and_left_alone(postgres_address, sql):
    ask(postgres_address, sql)
    before = tables(postgres_address)
    with pytest.raises(ArchiveDamaged):
        Archive.open(postgres_address, ManualClock())
    assert before == tables(postgres_address)


def test_without_the_driver_the_configuration_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigInvalid, match=r"edge-agent\[postgres\]"):
        Archive.open("postgresql://hq@/hq", ManualClock())


def test_two_archives_in_one_database_have_a_writer_each(postgres_server, archive):
    with postgres_server.schema("beside") as other, Archive.open(other, ManualClock()) as beside:
        beside.commit([batch(journal_of(*alerts("a")))])
        assert ([], 1) == (archive.facts(), len(beside.facts()))


def test_what_the_writer_looks_up_is_found_by_index_though_nobody_has_counted_the_table_yet(archive):
    class Asked(list):
        def execute(self, statement, values):
            self.append((statement, values))
            return []

    asked = Asked()
    assert [] == list(keyed(asked, sql.KNOWN, [("north", f"unknown {n}") for n in range(100)]))
    ((statement, values),) = asked
    for _ in range(8):
        archive.database.execute(statement, values)  # a driver and a server that keep a plan keep one for an empty table
    many = "SELECT 'north', 'fact ' || n, 'audit', ''::bytea, n, '~', NULL, 1, NULL, 0, NULL, 0 FROM generate_series(1, 20000) AS n"
    archive.database.execute(f"INSERT INTO fact {many}")
    plan = "\n".join(line for (line,) in archive.database.execute(f"EXPLAIN {statement}", values))
    assert "Index" in plan
    assert "Seq Scan on fact" not in plan
    assert ("force_custom_plan",) in archive.database.execute("SHOW plan_cache_mode")
