"""The units as systemd itself reads them: no warning, little exposure, and nothing that would take the decode children's fences away."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
MOST_EXPOSED = {"edge-agent.service": 1.5, "edge-agent-collector.service": 1.3, "edge-agent-api.service": 1.3}
"""Of 10; with the present systemd the units score below these."""

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(("systemd-analyze", *arguments), capture_output=True, text=True, check=False, timeout=170)


def settings(name: str) -> list[tuple[str, str]]:
    lines = (UNITS / name).read_text().splitlines()
    return [(key, value) for key, _, value in (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_to_say_about_a_unit(unit: Path, tmp_path: Path) -> None:
    installed = tmp_path / unit.name  # the command lies elsewhere here
    installed.write_text(unit.read_text().replace("/usr/bin/edge-agent", sys.executable))
    for drop_in in UNITS.glob(f"{unit.stem}.*.conf"):
        place = tmp_path / f"{unit.name}.d" / drop_in.name
        place.parent.mkdir(exist_ok=True)
        place.write_text(drop_in.read_text())
    found = analyze("verify", str(installed))
    said = [line for line in (found.stdout + found.stderr).splitlines() if str(tmp_path) in line or unit.name in line]
    assert (found.returncode, said) == (0, [])


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_is_hardly_exposed(unit: Path) -> None:
    found = analyze("security", "--offline=true", "--no-pager", str(unit))
    if "exposure level" not in found.stdout:
        pytest.skip(f"this systemd-analyze cannot judge a unit offline: {found.stderr.strip()[:100]}")
    score = float(re.findall(r"exposure level for \S+: ([0-9.]+)", found.stdout)[0])
    assert score <= MOST_EXPOSED[unit.name], found.stdout


def allowed_calls(name: str) -> set[str]:
    """Replay the lines of SystemCallFilter= in their order, with the groups that this systemd knows."""
    calls: set[str] = set()
    for key, value in settings(name):
        if key == "SystemCallFilter":
            named = expanded(value.removeprefix("~").split())
            calls = calls - named if value.startswith("~") else calls | named
    return calls


def expanded(words: list[str]) -> set[str]:
    calls: set[str] = set()
    for word in words:
        if word.startswith("@"):
            lines = [line.strip() for line in analyze("syscall-filter", word).stdout.splitlines()[1:]]
            calls |= expanded([line for line in lines if line and not line.startswith("#")])
        else:
            calls.add(word)
    return calls


def test_the_filter_leaves_the_decode_children_what_they_fence_themselves_in_with() -> None:
    needed = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp", "prctl", "prlimit64", "memfd_create"}
    lanes = {"setpriority", "sched_getaffinity", "sched_setaffinity"}  # the shadow's lanes let all others go first
    assert (needed | lanes) - allowed_calls("edge-agent.service") == set()


def test_the_filter_takes_what_no_part_of_the_daemon_does() -> None:
    for_others = {"mount", "ptrace", "bpf", "reboot", "setuid", "chown", "init_module", "add_key", "swapon", "clock_settime"}
    assert for_others & allowed_calls("edge-agent.service") == set()


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_bounds_what_it_takes_from_the_machine(unit: Path) -> None:
    given = dict(settings(unit.name))
    assert {"MemoryHigh", "MemoryMax", "TasksMax", "LimitNOFILE", "LimitCORE", "TimeoutStopSec"} <= set(given)
    assert (given["KillMode"], given["RestartPreventExitStatus"], given["Restart"]) == ("control-group", "78", "on-failure")


def test_the_scanners_own_software_comes_first() -> None:
    given = dict(settings("edge-agent.service"))
    assert int(given["Nice"]) > 0
    assert int(given["CPUWeight"]) < 100
    assert int(given["IOWeight"]) < 100
    assert int(given["OOMScoreAdjust"]) > 0
    assert (given["Type"], given["NotifyAccess"], given["WatchdogSignal"]) == ("notify", "main", "SIGABRT")
    assert int(given["WatchdogSec"]) > 0


def test_the_drop_in_for_a_gpu_opens_its_devices_and_no_others() -> None:
    drop_in = settings("edge-agent.gpu.conf")
    assert ("DevicePolicy", "closed") in drop_in
    assert {value.split()[0] for key, value in drop_in if key == "DeviceAllow"} == {
        "char-nvidia",
        "char-nvidiactl",
        "char-nvidia-uvm",
        "char-nvidia-caps",
    }
