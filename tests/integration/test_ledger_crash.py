"""Death and want: SIGKILL at any moment and a full disk lose nothing that was said to be done."""

import itertools
import json
import random
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from edge_agent.domain.ids import FactId, ScanId, Seq
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import NOON, SITE
from edge_agent.wire.chain import first_break

GENERATIONS, LEAST_CLOSED = 12, 10
"""Lives of the worker, more where it closed fewer scans than that: else this proves nothing."""

WORKER = """
import json, sys
from pathlib import Path
from edge_agent.ledger.ledger import Ledger
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import SITE, a_set_aside, an_acceptance, an_arrival, an_assessment

def say(*words):
    print(json.dumps(words), flush=True)

clock = SystemClock()
ledger = Ledger.open(Path(sys.argv[1]), SITE, clock)
say("recovered", ledger.recover(False))
for number in range(10**9):
    batch = [an_acceptance(an_arrival(f"{sys.argv[2]}-{number}-{part}")) for part in range(2)]
    ledger.accept(batch)
    say("accepted", [acceptance.decision.scan_id for acceptance in batch])
    for closing in range(2):
        job = ledger.claim(clock.now())
        if job is None:
            break
        if (number + closing) % 5 == 4:
            entry = a_set_aside(job.scan_id, job.revision)
            done = ledger.set_aside(job.job_id, entry, "unreadable-scan")
        else:
            entry = an_assessment(job.scan_id, job.revision)
            done = ledger.complete(job.job_id, entry, [])
        say("closed", job.scan_id, entry.fact_id, done.seq)
"""

FULL_DISK = """
import json, resource, sys
from pathlib import Path
from edge_agent.errors import DiskLow
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import NOON, SITE, an_acceptance, an_arrival, an_assessment

ledger = Ledger.open(Path(sys.argv[1]), SITE, ManualClock())
committed, refused = 0, 0
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
for number in range(400):
    try:
        ledger.accept([an_acceptance(an_arrival(f"scan-{number}"))])
        job = ledger.claim(NOON)
        if job is not None:
            ledger.complete(job.job_id, an_assessment(job.scan_id), [])
            committed += 1
    except DiskLow:
        refused += 1
        if refused > 20:
            break
head_when_full, counts_when_full = ledger.head().seq, ledger.counts()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
ledger.recover(False)
while (job := ledger.claim(NOON)) is not None:
    ledger.complete(job.job_id, an_assessment(job.scan_id), [])
ledger.accept([an_acceptance(an_arrival("after"))])
after = ledger.counts()
broken = ledger.verify()
ledger.close()
print(json.dumps([committed, refused, head_when_full, counts_when_full.accepted, after.accepted, after.in_flight, broken]))
"""


def run_and_kill(path: Path, generation: int, after_s: float) -> list[list[object]]:
    """Let a worker do its best for a while after its first words, then SIGKILL it; give what it had said."""
    command = [sys.executable, "-c", WORKER, str(path), str(generation)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        first = worker.stdout.readline()
        # The moment of the kill must not follow from what the worker does; only this test waits on purpose.
        time.sleep(after_s)
        worker.kill()
        lines = (first + worker.stdout.read()).splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def test_sigkill_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    moments = random.Random(20260302)
    accepted: list[str] = []
    closed: dict[str, tuple[str, int]] = {}
    for generation in itertools.count():
        if generation >= GENERATIONS and len(closed) > LEAST_CLOSED:
            break
        most_s = 0.15 * (1 + generation // GENERATIONS)  # longer on a machine on which the worker gets nowhere
        for word in run_and_kill(path, generation, moments.uniform(0.0, most_s)):
            match word:
                case ["accepted", list(scans)]:
                    accepted.extend(scans)
                case ["closed", str(scan), str(fact), int(seq)]:
                    assert scan not in closed, "a scan was closed twice"
                    closed[scan] = (fact, seq)
        with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
            counts = ledger.counts()
            assert counts.accepted == counts.assessed + counts.set_aside + counts.in_flight
            # The last commit may have been made and not yet said.
            assert 0 <= counts.accepted - len(accepted) <= 2 * (generation + 1)
            assert 0 <= counts.assessed + counts.set_aside - len(closed) <= generation + 1
            assert ledger.verify() is None
            for fact, seq in closed.values():
                assert ledger.has_fact(FactId(fact)) == seq
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        rows = ledger.rows(Seq(0), 10**6, 1 << 40)
        facts = [json.loads(row.body)["scan_id"] for row in rows]
        assert len(facts) == len(set(facts)), "a scan has two outcomes"
        assert first_break(rows, ledger.epoch, Seq(0)) is None


def test_a_job_in_hand_at_death_is_the_next_to_run_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    worker = (
        WORKER.split("for number in range", maxsplit=1)[0]
        + """
ledger.accept([an_acceptance(an_arrival(f"scan-{number}")) for number in range(3)])
say("claimed", [ledger.claim(clock.now()).scan_id for _ in range(2)])
sys.stdin.readline()
"""
    )
    with subprocess.Popen([sys.executable, "-c", worker, str(path), "x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == ["recovered", 0]
        _, in_hand = json.loads(process.stdout.readline())
        process.kill()
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        assert ledger.recover(charge=True) == 2
        later = NOON + timedelta(days=3650)
        suspect = ledger.claim(later)
        assert suspect is not None
        assert (suspect.scan_id, suspect.is_suspect, suspect.charges) == (ScanId(in_hand[0]), True, 0)
        assert ledger.claim(later) is None


@pytest.mark.parametrize("limit", [250_000, 350_000, 600_000])
def test_a_full_disk_is_said_cleanly_and_everything_goes_on_once_there_is_space(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "ledger.db"
    command = [sys.executable, "-c", FULL_DISK, str(path), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stderr
    committed, refused, head_when_full, accepted_when_full, accepted, in_flight, broken = json.loads(done.stdout)
    assert refused > 20, "the disk never was full"
    assert committed > 0
    assert head_when_full == committed, "a fact was refused and yet journalled, or journalled and lost"
    assert accepted_when_full >= committed
    assert (accepted, in_flight, broken) == (accepted_when_full + 1, 1, None)
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        assert ledger.head().seq == accepted_when_full
        assert ledger.verify() is None
