"""Power cuts at random moments of the ledger's life: how many facts that were said to be safe are gone afterwards?

``python -m tests.integration.power_loss --seeds 200`` prints the figures; ``test_power_loss.py`` runs a sample.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.domain.ids import FactId, Seq
from edge_agent.errors import LedgerDamaged
from edge_agent.ledger import connection
from edge_agent.ledger.ledger import Ledger
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, an_acceptance, an_arrival, an_assessment
from tests.integration.crash_disk import CrashDisk

_MOST_STEPS = 4000
_MEMORY = Path("/dev/shm")
"""The simulated disk lies in memory where it can: real syncs would only cost time."""
_SCANS = 60
_KEY = SigningKey.new("power-loss")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one power cut did. ``acknowledged``: facts and acceptances that were said to be safe; ``lost``: of these gone afterwards.

    ``is_damaged``: the file could not be used, or its journal does not verify.
    """

    acknowledged: int
    lost: int
    is_damaged: bool


@dataclass(slots=True)
class Said:
    """What the ledger had promised when the power failed."""

    scans: list[str]
    facts: list[FactId]

    def copy(self) -> "Said":
        return Said(list(self.scans), list(self.facts))


@contextmanager
def _settings(synchronous: str, checkpoint_every: int) -> Iterator[None]:
    """Run with other settings than the ledger's own: its code is the same."""
    kept = dict(connection._WRITER_PRAGMAS)
    level = {"NORMAL": 1, "FULL": 2}[synchronous]
    changed = {"synchronous": (synchronous, level), "wal_autocheckpoint": (checkpoint_every, checkpoint_every)}
    connection._WRITER_PRAGMAS.update(changed)
    try:
        yield
    finally:
        connection._WRITER_PRAGMAS.update(kept)


def power_cut(seed: int, synchronous: str = "FULL") -> Outcome:
    """Live, lose power at a random write or sync, and open what the disk kept."""
    dice = random.Random(seed)
    said = Said([], [])
    with (
        tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder,
        _settings(synchronous, dice.choice([10, 50, 1000])),
    ):
        before, after = Path(folder) / "before", Path(folder) / "after"
        before.mkdir()
        after.mkdir()
        promised: list[Said] = []

        def cut(disk: CrashDisk) -> None:
            disk.crash_into(after, dice)
            promised.append(said.copy())

        disk = CrashDisk(dice.randrange(1, _MOST_STEPS), cut)
        try:
            _live(before / "ledger.db", said, dice)
            if not promised:
                cut(disk)
        finally:
            disk.unregister()
        return _reckon(after / "ledger.db", promised[0])


def _live(path: Path, said: Said, dice: random.Random) -> None:
    clock = ManualClock()
    with closing(Ledger.open(path, SITE, clock)) as ledger:
        for number in range(_SCANS):
            name = f"scan-{number}"
            ledger.accept([an_acceptance(an_arrival(name))])
            said.scans.append(name)
            job = ledger.claim(clock.now())
            assert job is not None
            entry = an_assessment(job.scan_id, job.revision)
            ledger.complete(job.job_id, entry)
            said.facts.append(entry.fact_id)
            if dice.random() < 0.1:
                ledger.sign_head(_KEY)


def _reckon(path: Path, promised: Said) -> Outcome:
    acknowledged = len(promised.scans) + len(promised.facts)
    try:
        with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
            lost = sum(ledger.has_fact(fact) is None for fact in promised.facts)
            lost += max(0, len(promised.scans) - ledger.counts().accepted)
            holes = [row.seq for row in ledger.rows(Seq(0), 10**6, 1 << 40)] != list(range(1, ledger.head().seq + 1))
            return Outcome(acknowledged, lost, is_damaged=holes or ledger.verify() is not None)
    except LedgerDamaged:
        return Outcome(acknowledged, acknowledged, is_damaged=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Power cuts of the ledger on a simulated disk.")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    report = {}
    for synchronous in ("FULL", "NORMAL"):
        outcomes = [power_cut(seed, synchronous) for seed in range(args.first, args.first + args.seeds)]
        report[synchronous] = {
            "cuts": len(outcomes),
            "acknowledged": sum(one.acknowledged for one in outcomes),
            "lost": sum(one.lost for one in outcomes),
            "cuts_that_lost": sum(one.lost > 0 for one in outcomes),
            "damaged": sum(one.is_damaged for one in outcomes),
        }
        print(synchronous, json.dumps(report[synchronous]), flush=True)
    full, normal = report["FULL"], report["NORMAL"]
    return 0 if full["lost"] == full["damaged"] == 0 and normal["lost"] > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
