"""``edge-agent report`` over an archive of invented sites: what it writes, where, and what it refuses."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.cli.main import main
from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.fold import fold
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.kpi.case import Case
from edge_agent.kpi.rates import Period
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.hq_story import SITES, story
from edge_agent.wire.chain import JournalRow, first_break
from edge_agent.wire.messages import AnyBody, HealthBody, decode

DAYS = 3
CONFIG = """
archive = "archive.db"
secret_key = "hq.key_secret"
timezone = "UTC"
[origin_groups]
east = ["CN", "VN"]
[classes]
bricks = ["cocaine"]
[[site]]
id = "harbour"
endpoint = "tcp://127.0.0.1:5571"
server_key = "0000000000000000000000000000000000000000"
"""


@pytest.fixture(scope="module")
def rows() -> dict[str, list[JournalRow]]:
    told: dict[str, list[JournalRow]] = {}
    for site, row in story(7, days=DAYS):
        told.setdefault(site, []).append(row)
    return told


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, rows: dict[str, list[JournalRow]]) -> Path:
    folder = tmp_path_factory.mktemp("hq")
    with Archive.open(folder / "archive.db", ManualClock()) as archive:
        archive.commit([Batch(SiteId(s), Cursor(some[0].epoch, Seq(0), some[0].epoch), tuple(some)) for s, some in rows.items()])
    (folder / "collector.toml").write_text(CONFIG)
    return folder


def bodies(rows: dict[str, list[JournalRow]]) -> list[AnyBody]:
    return [decode(row.body) for some in rows.values() for row in some]


def cases(rows: dict[str, list[JournalRow]]) -> list[Case]:
    scans: dict[tuple[str, str], list[AnyBody]] = {}
    for body in bodies(rows):
        if body.scan_id is not None:
            scans.setdefault((body.site, body.scan_id), []).append(body)
    return [case for story_of in scans.values() if (case := fold(story_of)) is not None]


def said(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> str:
    assert main(["report", "--config", str(home / "collector.toml"), *arguments]) == 0
    return capsys.readouterr().out


def test_the_invented_journals_are_chains_and_the_same_every_time(rows: dict[str, list[JournalRow]]) -> None:
    assert set(rows) == {site.name for site in SITES}
    assert [first_break(some, some[0].epoch, Seq(0)) for some in rows.values()] == [None] * len(SITES)
    again: dict[str, list[JournalRow]] = {}
    for site, row in story(7, days=DAYS):
        again.setdefault(site, []).append(row)
    assert again == rows
    times = [decode(row.body).produced_at for row in rows["harbour"]]
    assert times == sorted(times)


def test_the_archive_gives_the_cases_that_its_facts_fold_to(home: Path, rows: dict[str, list[JournalRow]]) -> None:
    with Archive.read(home / "archive.db", ManualClock()) as archive:
        stored = list(archive.cases())
    assert sorted(stored, key=lambda case: case.scan_id) == sorted(cases(rows), key=lambda case: case.scan_id)


def test_the_archive_gives_the_health_of_a_period_and_the_word_before_it(home: Path, rows: dict[str, list[JournalRow]]) -> None:
    told = [body for body in bodies(rows) if isinstance(body, HealthBody)]
    with Archive.read(home / "archive.db", ManualClock()) as archive:
        every = archive.health()
        late = archive.health(Period(datetime(2027, 1, 1, tzinfo=UTC).date()))
        heard = archive.heard()
    assert sorted((change.site, change.state) for change in every) == sorted((body.site, body.state) for body in told)
    assert {change.site: change.at_us for change in late} == {change.site: change.at_us for change in every}, "the last word of each"
    assert set(heard) == set(rows)
    assert all(spoken.first_us <= spoken.last_us for spoken in heard.values())


def test_the_counts_are_those_of_the_journals(capsys: pytest.CaptureFixture[str], home: Path, rows: dict[str, list[JournalRow]]) -> None:
    live = [case for case in cases(rows) if case.kind == "live" and case.is_alert]
    content = json.loads(said(capsys, home, "--format", "json"))
    (total,) = [row for row in content["hits"] if row["by"] == "all"]
    assert total["alerted"] == len(live)
    assert total["examined"] == sum(case.is_examined for case in live)
    assert total["confirmed"] == sum(case.is_confirmed for case in live)
    assert total["pending"] == sum(case.is_pending for case in live)
    assert content["schema"] == "report/2.0"
    assert {row["origin"] for row in content["disparity"]} == {"east", "other origin"}


def test_a_period_counts_its_days_only(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    days = json.loads(said(capsys, home, "--from", "2026-03-03", "--to", "2026-03-04", "--format", "json"))["days"]
    assert [row["day"] for row in days] == ["2026-03-03", "2026-03-04"]


def test_every_format_says_the_same(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    content = json.loads(said(capsys, home, "--format", "json"))
    lines = list(csv.reader(said(capsys, home, "--format", "csv").splitlines()))
    heading = next(line for line in lines if line[:3] == ["table", "by", "group"])
    written = [dict(zip(heading[1:], line[1:], strict=True)) for line in lines if line[0] == "hits"]
    assert [row["alerted"] for row in written] == [str(row["alerted"]) for row in content["hits"]]
    screen = said(capsys, home)
    assert "What became of alerts" in screen
    assert max(len(line) for line in screen.splitlines()) <= 120


def test_the_page_is_written_whole_and_replaces_the_last(capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("old")
    assert said(capsys, home, "--format", "html", "--out", str(out)) == ""
    text = out.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert list(tmp_path.iterdir()) == [out]


def test_the_public_report_in_every_format(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    content = json.loads(said(capsys, home, "--transparency", "--format", "json"))
    assert content["schema"] == "transparency/1.0"
    assert set(content) == {"schema", "from", "to", "total", "sites", "classes"}
    page = said(capsys, home, "--transparency", "--format", "html")
    for text in (page, said(capsys, home, "--transparency"), said(capsys, home, "--transparency", "--format", "csv")):
        assert "officer-" not in text
        assert "gate-1" not in text


def test_an_officer_sees_own_decisions_and_a_stranger_none(
    capsys: pytest.CaptureFixture[str], home: Path, rows: dict[str, list[JournalRow]]
) -> None:
    live = [case for case in cases(rows) if case.kind == "live"]
    mine = sum(case.first_officer == "officer-border-1" and case.decision_s is not None for case in live)
    own = json.loads(said(capsys, home, "--officer", "officer-border-1", "--format", "json"))
    assert own["own_decisions"][0]["decided"] == mine > 0
    stranger = json.loads(said(capsys, home, "--officer", "nobody", "--format", "json"))
    assert stranger["own_decisions"][0]["decided"] == 0
    everybodys = said(capsys, home, "--format", "json") + said(capsys, home, "--format", "csv")
    assert "officer-border" not in everybodys


@pytest.mark.parametrize(
    "arguments",
    [
        ("--from", "2026-03-04", "--to", "2026-03-03"),
        ("--transparency", "--kind", "synthetic"),
        ("--transparency", "--officer", "a"),
        ("--officer", "a", "--kind", "all"),
        ("--officer", "a", "--format", "html"),
        ("--shadow", "--format", "html"),
    ],
)
def test_what_makes_no_sense_is_refused(home: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["report", "--config", str(home / "collector.toml"), *arguments])
    assert refused.value.code == 2


def test_a_folder_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path) -> None:
    assert main(["report", "--config", str(home / "collector.toml"), "--out", str(tmp_path / "none" / "x.txt")]) == 78
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["CN", "VN"]', '["China"]', "two capital letters"),
        ('["CN", "VN"]', '["CN"]\nsouth = ["CN"]', "one group only"),
        ('east = ["CN", "VN"]', '"other origin" = ["CN"]', "names of our own"),
        ('["CN", "VN"]', "[]", "origin_groups"),
        ('bricks = ["cocaine"]', "bricks = []", "classes"),
    ],
)
def test_groups_that_make_no_sense_are_refused(
    capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    config = tmp_path / "collector.toml"
    config.write_text(CONFIG.replace(old, new).replace('"archive.db"', f'"{home / "archive.db"}"'))
    assert main(["report", "--config", str(config)]) == 78
    assert words in capsys.readouterr().err
