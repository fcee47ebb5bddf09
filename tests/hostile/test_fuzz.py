"""Fuzzing: a short run in every test run, and everything that was ever found, replayed against every parser."""

import contextlib
import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_agent.errors import ConfigError, PeerError, ScanRejected
from tests.hostile import targets

ROOT = Path(__file__).resolve().parents[2]
FINDINGS = sorted(path for path in (ROOT / "tests/hostile/findings").iterdir() if path.is_file())


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda path: path.name)
def test_what_was_once_found_is_refused_at_once_by_every_parser(finding):
    data = finding.read_bytes()
    for name, parse in targets.TARGETS.items():
        begun = time.process_time()
        with contextlib.suppress(ScanRejected, ConfigError, PeerError):
            parse(data)
        assert time.process_time() - begun < 2.0, name


def test_every_target_has_a_good_file_to_start_from(tmp_path):
    names = sorted(targets.TARGETS)
    started = {names[data[0]] for data in targets.seeds(tmp_path).values()}
    assert set(names) == started


def test_the_good_files_pass_their_targets(tmp_path):
    for data in targets.seeds(tmp_path).values():
        targets.one_input(data)


@pytest.mark.timeout(1200)
def test_the_same_twenty_thousand_inputs_find_nothing(tmp_path):
    """With a seed of its own, so that a change is judged by what it changed; ``make fuzz`` looks for what nobody knows yet."""
    done, found = _fuzz(tmp_path, "--seconds", "100", "--runs", "20000")
    assert (0, {}) == (done.returncode, found), done.stderr[-3000:]
    assert "stat::number_of_executed_units: " in done.stderr, done.stderr[-3000:]


def _fuzz(found: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: no coverage-guided fuzzing")
    command = [sys.executable, "-m", "tests.hostile.fuzz", "--seed", "1", "--found", str(found), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1100, check=False)
    return done, {path.name: path.read_bytes().hex()[:400] for path in found.iterdir() if path.is_file()}
