"""A bundle on trial against the one in force, from journalled rows to the report: paired scans, what people found, and no other rate."""

import json
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from edge_agent.cli.main import main
from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.report.build import build, shadows
from edge_agent.collector.report.sections import scans_section, shadow_section
from edge_agent.domain.ids import Seq, SiteId, fact_id
from edge_agent.kpi.figures import Question
from edge_agent.kpi.rates import Period, Scope
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.site_journal import A_SCANNER, NOON, SiteJournal, assessment, kind_of
from edge_agent.wire.messages import AssessmentBody, BundlePart, ShadowBody, VerdictBody

TRIAL = BundlePart(name="detector", version="0.2.0", sha256="2" * 64, state="shadow")
SCOPE = Scope(UTC, {})


def beside(active: AssessmentBody, conclusion: str, *obstacles: str) -> ShadowBody:
    return ShadowBody.model_validate(
        {
            "fact_id": fact_id(active.scan_id, "shadow", active.revision, TRIAL.version),
            "site": active.site,
            "scanner": A_SCANNER,
            "scan_id": active.scan_id,
            "revision": active.revision,
            "cause": "shadow",
            "produced_at": active.produced_at,
            "beside": active.fact_id,
            "active": active.conclusion,
            "capture_kind": active.capture.kind,
            "selection": active.selection,
            "subject": active.subject,
            "conclusion": conclusion,
            "reasons": [],
            "obstacles": [{"code": code, "params": {}, "blocking": True} for code in obstacles],
            "findings": [],
            "bundles": [TRIAL],
            "policy_digest": "0" * 64,
            "timings_ms": {},
        }
    )


def verdict(active: AssessmentBody, conclusion: str) -> VerdictBody:
    return VerdictBody.model_validate(
        {
            "fact_id": fact_id(active.scan_id, "verdict", 1, conclusion),
            "site": active.site,
            "scanner": A_SCANNER,
            "scan_id": active.scan_id,
            "revision": 1,
            "cause": conclusion,
            "produced_at": NOON + timedelta(minutes=5),
            "conclusion": conclusion,
            "officer": "token",
            "workstation": "console-1",
            "is_supervisor": False,
            "reasons": [],
            "decided_at": NOON + timedelta(minutes=5),
        }
    )


@pytest.fixture
def archive(tmp_path: Path):
    journal = SiteJournal("north", b"e" * 16)
    plan = (("a", "alert", "alert", "suspicious"), ("b", "alert", "no-alert", "not-suspicious"), ("c", "no-alert", "alert", None))
    for name, active, trial, word in plan:
        body = assessment("north", name, active)
        journal.add(body, beside(body, trial))
        if word:
            journal.add(verdict(body, word))
    for name, trial, obstacle in (("f", "unassessable", "out-of-time"), ("g", "alert", "out-of-time"), ("h", "unassessable", "dark")):
        body = assessment("north", name, "no-alert")
        journal.add(body, beside(body, trial, obstacle))
    simulated = assessment("north", "d", "alert", capture=kind_of("synthetic"))
    journal.add(simulated, beside(simulated, "no-alert"), assessment("north", "e", "alert"))
    with Archive.open(tmp_path / "archive.db", ManualClock()) as opened:
        start = Cursor(journal.epoch, Seq(0), journal.hash_at(Seq(0)))
        opened.commit([Batch(SiteId("north"), start, tuple(journal.rows))])
        yield opened


def lines(archive: Archive, scope: Scope = SCOPE) -> dict[str, dict[str, object]]:
    section = shadow_section(shadows(archive, scope))
    rows = [dict(zip(section.columns, row, strict=True)) for row in section.rows]
    return {str(row["among"]): row for row in rows}


def test_only_live_scans_that_both_looked_at_are_compared(archive: Archive) -> None:
    row = lines(archive)["all"]
    assert (row["both"], row["only_active"], row["only_shadow"], row["neither"], row["n"]) == (1, 1, 2, 1, 5)
    assert (row["on_trial"], row["site"], row["p_value"], row["remark"]) == ("detector/0.2.0", "north", 1.0, "too few (n < 30)")
    assert row["instead_of"] != ""


def test_a_look_that_was_cut_off_before_it_alerted_is_counted_beside_the_pairs(archive: Archive) -> None:
    found = lines(archive)
    assert {among: row["unfinished"] for among, row in found.items()} == {"all": 1, "found or suspicious": 0, "found clean": 0}


def test_what_people_found_splits_the_comparison(archive: Archive) -> None:
    found = lines(archive)
    guilty, clean = found["found or suspicious"], found["found clean"]
    assert (guilty["both"], guilty["n"]) == (1, 1)
    assert (clean["only_active"], clean["n"]) == (1, 1)


def test_a_period_without_a_trial_is_empty(archive: Archive) -> None:
    assert lines(archive, Scope(UTC, {}, Period(last=(NOON - timedelta(days=9)).date()))) == {}


def test_no_rate_of_the_report_counts_a_shadow(archive: Archive) -> None:
    counted = build(archive, Question(SCOPE, 0))
    (cells,) = scans_section(counted).records()
    assert (cells["alert"], cells["no_alert"], cells["coverage_n"]) == (3, 4, 7)
    assert counted.unread == ()
    assert counted.figures is not None
    assert counted.figures.total.hits.alerted == 3


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_the_command_prints_it_in_every_form(archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    config = tmp_path / "collector.toml"
    config.write_text('archive = "archive.db"\nsecret_key = "hq.key_secret"\nname = "hq"\ntimezone = "UTC"\n' + SITE_TABLE)
    assert main(["report", "--config", str(config), "--shadow", "--format", form]) == 0
    shown = capsys.readouterr().out
    assert "detector/0.2.0" in shown
    if form == "json":
        assert [row["among"] for row in json.loads(shown)["shadow"]] == ["all", "found or suspicious", "found clean"]


SITE_TABLE = f'[[site]]\nid = "north"\nendpoint = "tcp://127.0.0.1:5571"\nserver_key = "{"0" * 40}"\n'
