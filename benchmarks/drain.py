"""Headquarters comes back after a month: how fast it drains, and how soon a new assessment can be queried meanwhile.

``python -m benchmarks.drain`` holds three simulated sites of 30,000 rows each (one process, real CURVE desks), starts the shipped collector
on an empty archive, and lets ``--rate`` new assessments a second come over all sites while it drains. For each of these the time from its
commit at the site until a reader of the archive finds it is taken. Prints one JSON object and writes it to
benchmarks/results/drain-ARCHIVE.json. Exit code 1 when a row is missing or other, or a new one took longer than two seconds.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.hq_stage import Stage, Use, stage
from edge_agent.collector.archive.port import ScanKey
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import ScanId, SiteId
from edge_agent.telemetry.clock import SystemClock

RESULTS = Path(__file__).parent / "results"
PROMISE_S = 2.0
_LOOK_EVERY_S = 0.05


def measured(here: Stage, rate: float) -> dict[str, Any]:
    """Drain while new rows come; give the figures."""
    fleet = here.fleet
    start = fleet.ask("acknowledged", "acknowledged")
    fleet.tell("say 1")
    collector = here.collector()
    try:
        begun = time.monotonic()
        while collector.next().get("phase") != "draining":
            pass
        draining = time.monotonic()
        fleet.ask(f"rate {rate}", "rate")
        waits = _watched(here, start["rows"])
        stopped = time.monotonic()
        end = fleet.ask("level", "level")
        use = Use.of(collector.popen.pid)
    finally:
        collector.end()
    return {
        "rows": end["level"],
        "until_draining_s": round(draining - begun, 2),
        "drain_s": round(stopped - draining, 2),
        "rows_per_s": round(start["rows"] / (stopped - draining)),
        "new_rows_during_it": len(waits),
        "queryable_after_s_p50": round(median(waits), 3) if waits else None,
        "queryable_after_s_max": round(max(waits), 3) if waits else None,
        "collector_cpu_s": round(use.cpu_s, 1),
        "collector_peak_mib": round(use.peak_mib),
        "wrong_sites": here.wrong_sites(),
    }


def _watched(here: Stage, backlog: int) -> list[float]:
    """Ask the archive for each new assessment until it is there; end when the backlog is in. Gives the seconds that each took."""
    waits: list[float] = []
    pending: dict[ScanKey, float] = {}
    with closing(_opened(here)) as archive:
        while True:
            here.fleet.tell("acknowledged")
            said = here.fleet.until("acknowledged")
            pending |= {ScanKey(SiteId(one["site"]), ScanId(one["made"])): one["at"] for one in said if "made" in one}
            found = [scan for scan in pending if archive.facts_of(scan)]
            now = time.monotonic()
            waits += [now - pending.pop(scan) for scan in found]
            if said[-1]["acknowledged"] >= backlog:
                here.fleet.tell("rate 0")
            if said[-1]["acknowledged"] >= said[-1]["rows"] and not pending:
                return waits
            time.sleep(_LOOK_EVERY_S)


def _opened(here: Stage) -> Archive:
    return Archive.read(here.place, SystemClock())


def main(words: Sequence[str] | None = None) -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=3, help="simulated sites (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=30_000, help="backlog of each site (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=10.0, help="new assessments a second over all sites (default: %(default)s)")
    parser.add_argument("--archive", choices=("sqlite", "postgres"), default="sqlite", help="where rows go (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="where to write the result; default benchmarks/results/drain-ARCHIVE.json")
    args = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="drain-") as folder, stage(Path(folder), args.sites, args.rows, args.archive) as here:
        figures = measured(here, args.rate)
    about = {"sites": args.sites, "backlog_of_each": args.rows, "archive": args.archive, "rate": args.rate}
    machine = {"cores": os.cpu_count(), "load": [round(x, 1) for x in os.getloadavg()], "machine": platform.machine()}
    text = json.dumps({**about, **machine, "python": platform.python_version(), **figures}, indent=1)
    sys.stdout.write(text + "\n")
    (args.out or RESULTS / f"drain-{args.archive}.json").write_text(text + "\n")
    is_kept = figures["queryable_after_s_max"] is None or figures["queryable_after_s_max"] <= PROMISE_S
    return 0 if is_kept and not figures["wrong_sites"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
