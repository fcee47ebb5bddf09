"""``edge-agent retention``: the dry run tells the truth and removes nothing; holds are placed for known scans only."""

import json
import re
import stat
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from benchmarks.site import ROOT
from edge_agent.cli.main import main
from edge_agent.ledger.ledger import Ledger
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, a_scan_id, an_acceptance, an_arrival, an_assessment

SCAN, EVIDENCE = a_scan_id("plain"), a_scan_id("evidence")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with an ordinary scan and an alert, both some years old."""
    state = tmp_path / "state"
    state.mkdir()
    clock = ManualClock()
    clock.jump(-4 * 365 * 86_400)
    with closing(Ledger.open(state / "ledger.db", SITE, clock)) as ledger:
        for name, conclusion in (("plain", "no-alert"), ("evidence", "alert")):
            ledger.accept([an_acceptance(an_arrival(name))])
            job = ledger.claim(clock.now())
            assert job is not None
            ledger.complete(job.job_id, an_assessment(job.scan_id, 1, conclusion))
            folder = state / "spool" / name
            folder.mkdir(parents=True)
            (folder / "a.png").write_bytes(b"p" * 2000)
    text = (ROOT / "config/agent.example.toml").read_text("utf-8")
    text = re.sub(r'state_dir = "[^"]*"', 'state_dir = "state"', text).replace("durable = true", "durable = false")
    text = text.replace('id = "nhava-sheva-1"', f'id = "{SITE}"')
    (tmp_path / "agent.toml").write_text(text)
    (tmp_path / "policy.toml").write_bytes((ROOT / "config/policy.example.toml").read_bytes())
    (tmp_path / "scanners").symlink_to(ROOT / "config/scanners")
    return tmp_path


def run(site: Path, action: str, *words: str) -> int:
    where = ["--config", str(site / "agent.toml")] if action == "plan" else ["--state-dir", str(site / "state")]
    return main(["retention", action, *words, *where])


def test_the_plan_names_what_would_go_and_why_the_rest_stays(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(site, "plan", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["scan"], one["kind"], one["bytes"], one["why"]) for one in told["going"]] == [(SCAN, "originals", 2000, "expired")]
    assert (told["bytes"], told["staying"]) == (2000, {"undecided": 1})
    assert (site / "state/spool/plain/a.png").exists()
    assert run(site, "plan", "--need-mb", "5") == 0
    out = capsys.readouterr().out
    assert "1 would go" in out
    assert "1 scan stays: undecided" in out


def test_a_hold_keeps_a_scan_until_it_is_released(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = SystemClock().now().replace(microsecond=0)
    assert run(site, "hold", SCAN, "--reason", "court-order") == 0
    file = site / "state/holds" / SCAN
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [SCAN]
    capsys.readouterr()
    assert run(site, "list", "--json") == 0
    (hold,) = json.loads(capsys.readouterr().out)
    assert (hold["scan"], hold["reason"]) == (SCAN, "court-order")
    assert before <= datetime.fromisoformat(hold["placed_at"]) <= SystemClock().now()
    assert run(site, "plan", "--json") == 0
    assert json.loads(capsys.readouterr().out)["staying"] == {"held": 1, "undecided": 1}
    assert run(site, "release", SCAN) == 0
    assert run(site, "list") == 0
    assert "0 on hold" in capsys.readouterr().out


def test_nothing_is_held_when_one_scan_is_unknown(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(site, "hold", SCAN, "../../agent.toml", "--reason", "court-order") == 1
    assert "does not know ../../agent.toml" in capsys.readouterr().err
    assert not (site / "state/holds").exists()


def test_what_is_not_on_hold_cannot_be_released(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(site, "hold", SCAN, "--reason", "court-order")
    assert run(site, "release", SCAN, "../ledger.db") == 1
    assert (site / "state/holds" / SCAN).exists()
    assert "not on hold: ../ledger.db" in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["John Smith", "MSKU1234565", "", "a" * 64, "-x", "x--y"])
def test_a_reason_is_a_code(site: Path, reason: str) -> None:
    with pytest.raises(SystemExit) as refused:
        run(site, "hold", SCAN, "--reason", reason)
    assert refused.value.code == 2
