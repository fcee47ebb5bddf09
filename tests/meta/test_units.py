"""The systemd units say what the daemon relies on, and systemd itself accepts them."""

import shlex
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_agent.agent.lifecycle import EXIT_CONFIG
from edge_agent.cli.main import COMMANDS, _parser

UNITS = Path(__file__).resolve().parents[2] / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))


def read(unit: Path) -> Mapping[str, list[str]]:
    """Settings as ``Section.Key`` with every value given, for a key may stand several times."""
    found: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in unit.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[f"{section}.{key}"].append(value)
    return found


DAEMON = read(UNITS / "edge-agent.service")


def test_there_is_a_unit_for_the_site_and_two_for_headquarters() -> None:
    assert ["edge-agent-api.service", "edge-agent-collector.service", "edge-agent.service"] == [unit.name for unit in SERVICES]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Service.Type", "notify"),  # READY=1 comes after the golden self-test
        ("Service.KillMode", "control-group"),  # a decode child must not outlive the daemon
        ("Service.Restart", "on-failure"),
        ("Service.LimitCORE", "0"),  # a core dump would hold personal data
        ("Service.StateDirectoryMode", "0700"),
        ("Service.UMask", "0077"),
    ],
)
def test_the_daemon_unit_says(key: str, value: str) -> None:
    assert [value] == DAEMON[key]


def test_the_watchdog_waits_longer_than_the_slowest_answer_and_the_stop_longer_than_the_grace() -> None:
    assert int(DAEMON["Service.WatchdogSec"][0]) >= 20
    assert int(DAEMON["Service.TimeoutStopSec"][0]) > 20


def test_the_previous_end_is_written_where_the_daemon_reads_it() -> None:
    (line,) = DAEMON["Service.ExecStopPost"]
    assert '"$SERVICE_RESULT $EXIT_STATUS"' in line
    assert "/var/lib/edge-agent/last-exit" in line


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_restarts_on_faults_but_not_on_a_wrong_configuration(unit: Path) -> None:
    settings = read(unit)
    assert [str(EXIT_CONFIG)] == settings["Service.RestartPreventExitStatus"]
    assert ["on-failure"] == settings["Service.Restart"]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_runs_without_rights(unit: Path) -> None:
    settings = read(unit)
    assert ["yes"] == settings["Service.NoNewPrivileges"]
    assert ["strict"] == settings["Service.ProtectSystem"]
    assert [""] == settings["Service.CapabilityBoundingSet"]
    assert settings["Service.User"] != ["root"]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_runs_commands_that_exist(unit: Path) -> None:
    settings = read(unit)
    for line in settings["Service.ExecStart"] + settings["Service.ExecStartPre"]:
        program, *arguments = shlex.split(line)
        assert program == "/usr/bin/edge-agent"
        assert arguments[0] in COMMANDS
        assert _parser(arguments).parse_args(arguments).config


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_user_of_a_unit_is_made_by_sysusers(unit: Path) -> None:
    (user,) = read(unit)["Service.User"]
    declared = [line.split()[1] for line in (UNITS / "edge-agent.sysusers").read_text("utf-8").splitlines() if line.startswith("u ")]
    assert user in declared


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    # The command and its user exist at an installed site only.
    copy.write_text(unit.read_text("utf-8").replace("/usr/bin/edge-agent ", "/bin/true "))
    done = subprocess.run(("systemd-analyze", "verify", "--man=no", str(copy)), capture_output=True, text=True, check=False, timeout=50)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if unit.name in line]
    assert complaints == []
