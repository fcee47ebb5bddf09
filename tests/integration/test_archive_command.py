"""``edge-agent archive``: Parquet files of an archive, and an archive copied to another place."""

import json
import sys
from collections import Counter
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from edge_agent.cli.main import main
from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.parquet import CASE_COLUMNS, FINDING_COLUMNS
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.kpi.case import Case, words
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.archives import batch, journal_of
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.hq_story import story
from edge_agent.testing.site_journal import NOON, assessment, audit, detection, kind_of, with_findings
from edge_agent.wire.heads import SignedHead

NORTH = SiteId("north")
SITES = "".join(
    f'[[site]]\nid = "{site}"\nendpoint = "tcp://127.0.0.1:1"\ninsecure_loopback_only = true\n{zone}'
    for site, zone in (("north", 'timezone = "Asia/Kolkata"\n'), ("south", ""))
)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "collector.toml"
    path.write_text(f'archive = "archive.db"\ntimezone = "UTC"\n{SITES}')
    return path


@pytest.fixture
def archive(tmp_path):
    with Archive.open(tmp_path / "archive.db", ManualClock()) as opened:
        yield opened


def run(*words_):
    return main(["archive", *map(str, words_)])


def scans(site, *days, **more):
    found = [detection("knife", 0.9), detection("gun", 0.2)]
    return [
        with_findings(assessment(site, f"{site} {n}", "alert", NOON + timedelta(days=day), **more), found, ["knife"])
        for n, day in enumerate(days)
    ]


def read(folder):
    return ds.dataset(folder, partitioning=None).to_table().to_pylist()


def test_every_live_scan_is_a_row_in_the_file_of_its_site_and_month(archive, config, tmp_path, capsys):
    archive.commit([batch(journal_of(*scans("north", 0, 28, 30), *scans("north", 1, capture=kind_of("tip"), scan_id="tip")))])
    archive.commit([batch(journal_of(*scans("south", 30), site="south"))])
    assert 0 == run("export", "--config", config, "--out", tmp_path / "out", "--json")
    assert {"folder": str(tmp_path / "out"), "files": 6, "cases": 4, "findings": 8} == json.loads(capsys.readouterr().out)
    cases = read(tmp_path / "out/cases")
    assert {("north", "alert"): 3, ("south", "alert"): 1} == Counter((line["site"], line["outcome"]) for line in cases)
    files = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.parquet"))
    assert "cases/site=north/month=2026-03/part-0.parquet" in files
    assert "findings/site=south/month=2026-04/part-0.parquet" in files
    assert datetime(2026, 3, 2, 12, tzinfo=UTC) == min(line["produced_us"] for line in cases)
    assert {"knife"} == {word for line in cases for word in line["alerted"]}
    findings = read(tmp_path / "out/findings")
    assert {("knife", True): 4, ("gun", False): 4} == Counter((line["label"], line["is_alerting"]) for line in findings)
    assert {line["scan_id"] for line in findings} == {line["scan_id"] for line in cases}


def test_months_and_days_are_those_of_the_sites_own_calendar(archive, config, tmp_path):
    late = datetime(2026, 3, 31, 20, tzinfo=UTC)  # in Kolkata the first of April
    archive.commit(
        [batch(journal_of(assessment("north", "a", at=late))), batch(journal_of(assessment("south", "a", at=late), site="south"))]
    )
    run("export", "--config", config, "--out", tmp_path / "out")
    assert {"month=2026-04", "month=2026-03"} == {path.parent.name for path in (tmp_path / "out").rglob("*.parquet")}
    run("export", "--config", config, "--out", tmp_path / "april", "--from", "2026-04-01", "--to", "2026-04-30")
    assert ["north"] == [line["site"] for line in read(tmp_path / "april/cases")]


def test_no_officer_leaves_even_as_a_token(archive, config, tmp_path):
    tokens = set()
    for site, row in story(days=4):
        end = archive.newest(SiteId(site)) or Cursor(row.epoch, Seq(0), row.epoch)
        archive.commit([Batch(SiteId(site), end, (row,))])
        if row.seq > 150:
            break
    tokens = {case.officer for case in archive.cases()} - {""}
    assert tokens
    run("export", "--config", config, "--out", tmp_path / "out")
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*.parquet"))
    values = {str(value) for line in read(tmp_path / "out/cases") for value in line.values()}
    assert not tokens & values
    assert not [token for token in tokens if token.encode() in written]
    assert not [name for name, *_ in CASE_COLUMNS if "officer" in name and name != "referred_by_officer"]


def test_columns_are_fields_of_a_case_and_come_back_as_they_are(archive, config, tmp_path):
    assert {name for name, *_ in CASE_COLUMNS} < {field.name for field in fields(Case)}
    archive.commit([batch(journal_of(*scans("north", 0)))])
    run("export", "--config", config, "--out", tmp_path / "out")
    (path,) = (tmp_path / "out/cases").rglob("*.parquet")
    assert [name for name, *_ in CASE_COLUMNS] == pq.read_schema(path).names
    (case,), (line,) = archive.cases(), read(tmp_path / "out/cases")
    for name, kind, _ in CASE_COLUMNS:
        value = getattr(case, name)
        if name.endswith("_us"):
            value = None if value is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
        assert line[name] == (list(words(value)) if str(kind).startswith("list") else value)
    assert [name for name, *_ in FINDING_COLUMNS] == list(read(tmp_path / "out/findings")[0])


def test_an_archive_without_live_scans_gives_an_empty_folder(archive, config, tmp_path, capsys):
    archive.commit([batch(journal_of(audit("north", "1")))])
    assert 0 == run("export", "--config", config, "--out", tmp_path / "out")
    assert [] == list((tmp_path / "out").rglob("*"))


def test_a_folder_that_is_there_is_left_alone_and_a_failure_leaves_none(archive, config, tmp_path, capsys, monkeypatch):
    archive.commit([batch(journal_of(*scans("north", 0)))])
    (tmp_path / "out").mkdir()
    assert 78 == run("export", "--config", config, "--out", tmp_path / "out")
    assert "is there already" in capsys.readouterr().err
    assert 78 == run("export", "--config", config, "--out", tmp_path / "nowhere" / "out")
    monkeypatch.setattr("edge_agent.collector.parquet.pq.ParquetWriter.write_table", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    assert 1 == run("export", "--config", config, "--out", tmp_path / "other")
    assert "disk-low" in capsys.readouterr().err
    assert {"archive.db", "archive.db-shm", "archive.db-wal", "archive.db.lock", "collector.toml", "out"} == {
        path.name for path in tmp_path.iterdir()
    }


def test_without_the_library_the_command_says_what_to_install(config, tmp_path, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "edge_agent.collector.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert 78 == run("export", "--config", config, "--out", tmp_path / "out")
    assert "edge-agent[report]" in capsys.readouterr().err


def told(archive):
    counts = (archive.outcomes(), archive.detections(), archive.obstacles(), archive.facts(), archive.unread(), archive.provisional())
    return [*(sorted(count, key=repr) for count in counts), list(archive.cases())]


@pytest.mark.parametrize("to", ["sqlite", "postgres"])
def test_a_copy_tells_the_same_as_the_archive_and_may_be_interrupted(config, tmp_path, request, capsys, to):
    first = journal_of(*scans("north", *range(4)), audit("north", "1"))
    first.add_raw("ei1/north/~/prophecy/", b'{"kind":"prophecy"}')
    restored = journal_of(*scans("north", *range(7)), epoch=b"a" * 16)
    clock = ManualClock()
    with Archive.open(tmp_path / "archive.db", clock) as source:
        head = SignedHead(NORTH, first.epoch, Seq(3), first.hash_at(Seq(3)), 5, b"k" * 32, b"s" * 64)
        source.commit([replace(batch(first), head=head), batch(journal_of(*scans("south", 3), site="south"))])
        clock.advance(90 * 86_400)
        source.live(NORTH, restored.rows[6:])
        source.commit([batch(restored, 0, 5)])
    place = tmp_path / "copy.db" if to == "sqlite" else request.getfixturevalue("postgres_address")
    with Archive.open(place, SystemClock()) as begun:
        begun.restore(batch(first, 0, 2), [1_772_452_800_000_000] * 2)
    for _ in range(2):
        assert 0 == run("copy", "--config", config, "--to", place, "--json")
        assert {"rows": 12, "of": 12} == json.loads(capsys.readouterr().out)
    with Archive.open(tmp_path / "archive.db", clock) as source, Archive.open(place, clock) as target:
        assert told(source) == told(target)
        for journal in (first, restored):
            assert list(source.rows(NORTH, journal.epoch)) == list(target.rows(NORTH, journal.epoch))
            assert source.cursor(NORTH, journal.epoch) == target.cursor(NORTH, journal.epoch)
        assert 3 == target.signed_to(NORTH, first.epoch)
        assert source.newest(NORTH) == target.newest(NORTH)
        moments = "SELECT site, epoch, seq, received_us FROM journal ORDER BY site, epoch, seq"
        assert source.database.execute(moments) == target.database.execute(moments)
        target.commit([batch(restored, 5)])
        assert [] == target.provisional()


def test_a_copy_finds_a_chain_that_breaks_and_refuses_itself_as_target(archive, config, tmp_path, capsys):
    journal = journal_of(*scans("north", 0, 1, 2))
    archive.commit([batch(journal)])
    archive.database.execute("UPDATE journal SET body = ? WHERE seq = 2", (b"{}",))
    archive.close()
    assert 78 == run("copy", "--config", config, "--to", tmp_path / "archive.db")
    assert 70 == run("copy", "--config", config, "--to", tmp_path / "copy.db")
    assert "chain" in capsys.readouterr().err
