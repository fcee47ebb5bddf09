"""``edge-agent doctor``: one line for each thing a person would look at, and an exit code that tells whether to worry."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.small_site import SmallSite
from edge_agent.agent.device_history import MOST_ERRORS, DeviceHistory
from edge_agent.agent.doctor import Finding, Verdict, examine
from edge_agent.cli.main import main
from edge_agent.telemetry.clock import SystemClock


@pytest.fixture
def small(tmp_path: Path) -> SmallSite:
    return SmallSite(tmp_path / "site")


def findings(small: SmallSite) -> list[Finding]:
    return list(examine(small.site.agent_toml, SystemClock()))


def of(topic: str, small: SmallSite) -> list[Finding]:
    return [finding for finding in findings(small) if finding.topic == topic]


def test_a_site_in_order_has_nothing_wrong_and_is_not_touched(small: SmallSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", str(small.site.agent_toml)]) == 0
    shown = capsys.readouterr().out
    for words in (
        "models run with CPUExecutionProvider",
        "bright/1.0.0: simulated",
        "GB free",
        "scanner s1: ",
        "2 consoles and collectors",
    ):
        assert words in shown
    assert "WRONG" not in shown
    assert not small.site.state_dir.exists()


def test_machines_read_the_same(small: SmallSite, capsys: pytest.CaptureFixture[str]) -> None:
    small.watched.rmdir()
    assert main(["doctor", "--config", str(small.site.agent_toml), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    wrong = [one for one in told if one["verdict"] == "wrong"]
    assert [(one["topic"], bool(one["hint"])) for one in wrong] == [("config", True)]
    assert str(small.watched) in wrong[0]["words"]


def test_without_a_configuration_the_machine_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "--config FILE" in capsys.readouterr().out


def test_a_configuration_that_cannot_be_read_is_wrong_and_not_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", str(tmp_path / "none.toml")]) == 1
    assert "config-unreadable" in capsys.readouterr().out


def test_every_finding_that_is_not_well_says_what_to_do(small: SmallSite) -> None:
    (small.site.folder / "keys/site.key_secret").chmod(0o644)
    assert [one for one in findings(small) if one.verdict is Verdict.WRONG and not one.hint] == []


def test_a_device_given_up_is_told_with_the_way_back(small: SmallSite, capsys: pytest.CaptureFixture[str]) -> None:
    small.site.state_dir.mkdir()
    history, now = DeviceHistory(small.site.state_dir), SystemClock().now()
    for number in range(MOST_ERRORS):
        history.note("device-lost", now - timedelta(minutes=number))
    (given_up, running) = of("device", small)
    assert (given_up.verdict, running.verdict) == (Verdict.WRONG, Verdict.WELL)
    assert "--retry-device" in given_up.hint
    assert main(["doctor", "--config", str(small.site.agent_toml), "--retry-device"]) == 0
    assert "3 device errors forgotten" in capsys.readouterr().out
    assert [one.verdict for one in of("device", small)] == [Verdict.WELL]


def test_a_clock_that_went_back_is_found_by_the_ledger(small: SmallSite) -> None:
    small.site.state_dir.mkdir()
    ledger = small.site.state_dir / "ledger.db"
    ledger.touch()
    os.utime(ledger, (4e9, 4e9))  # the year 2096
    assert Verdict.WRONG in [one.verdict for one in of("clock", small)]


def test_a_wanted_gpu_that_is_not_there_is_a_note(tmp_path: Path) -> None:
    if any(Path(node).exists() for node in ("/dev/nvidiactl", "/dev/dxg")):
        pytest.skip("this machine has a GPU")
    small = SmallSite(tmp_path / "gpu", device="prefer-gpu")
    assert [(one.verdict, "on the CPU" in one.words) for one in of("device", small)] == [(Verdict.NOTE, True)]


def test_a_key_that_ends_soon_is_a_note(small: SmallSite) -> None:
    soon = (SystemClock().now() + timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = small.site.agent_toml.read_text()
    small.site.agent_toml.write_text(text.replace('role = "console"\n', f'role = "console"\nnot_after = {soon}\n'))
    (keys,) = of("keys", small)
    assert (keys.verdict, keys.words) == (Verdict.NOTE, "expire within 30 days: console")
