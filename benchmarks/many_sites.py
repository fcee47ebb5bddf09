"""Five hundred simulated sites on one collector: how fast they are connected, how many rows a second go in, and what a crash costs.

``python -m benchmarks.many_sites --sites 500 --archive sqlite|postgres`` prints one JSON object and writes it to
benchmarks/results/many_sites-ARCHIVE.json. The sites share one process with real CURVE desks; the collector is the shipped command. Rows
come at ``--rate`` for ``--seconds``; in the middle the collector is killed with SIGKILL and started again. In the end every site's rows in
the archive are compared with its journal. Exit code 1 when a row is missing, doubled or other, or the rate was not held.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.hq_stage import Stage, Talker, Use, connected_s, stage

RESULTS = Path(__file__).parent / "results"
LEVEL_WITHIN_S = 5.0
"""A rate is held when headquarters is level so soon after the last row."""


def measured(here: Stage, sites: int, rate: float, seconds: float) -> dict[str, Any]:
    """Connect, collect, crash, collect again; give the figures."""
    begun = time.monotonic()
    collector = here.collector()
    try:
        connected = connected_s(collector, sites, begun)
        first = _half(here, collector, rate, seconds / 2)
        here.fleet.tell(f"rate {rate}")
        time.sleep(2.0)  # rows are under way when it dies
        collector.kill()
        again = time.monotonic()
        collector = here.collector()
        back = connected_s(collector, sites, again)
        second = _half(here, collector, rate, seconds / 2)
    finally:
        collector.end()
    rows = second["rows"]
    return {
        "connected_s": round(connected, 2),
        "connected_again_after_kill_s": round(back, 2),
        "before_the_kill": first,
        "after_the_kill": second,
        "rows_in_all": rows,
        "wrong_sites": here.wrong_sites(),
    }


def _half(here: Stage, collector: Talker, rate: float, seconds: float) -> dict[str, Any]:
    """Let rows come for so long, then wait until headquarters has them all."""
    fleet, before, fleet_before = here.fleet, Use.of(collector.popen.pid), Use.of(here.fleet.popen.pid)
    start = fleet.ask("acknowledged", "acknowledged")
    fleet.ask(f"rate {rate}", "rate")
    time.sleep(seconds)
    stopped = fleet.ask("rate 0", "rate")
    at = time.monotonic()
    behind = stopped["rows"] - fleet.ask("acknowledged", "acknowledged")["acknowledged"]
    end = fleet.ask("level", "level")
    took_s = end["at"] - start["at"]
    after, fleet_after = Use.of(collector.popen.pid), Use.of(fleet.popen.pid)
    new = end["level"] - start["acknowledged"]
    return {
        "rows": end["level"],
        "new_rows": new,
        "rows_per_s": round(new / took_s),
        "behind_at_the_end_rows": behind,
        "level_after_s": round(end["at"] - at, 2),
        "collector_cpu_s": round(after.cpu_s - before.cpu_s, 1),
        "collector_cpu_ms_per_row": round(1000 * (after.cpu_s - before.cpu_s) / max(new, 1), 3),
        "fleet_cpu_s": round(fleet_after.cpu_s - fleet_before.cpu_s, 1),
        "collector_rss_mib": round(after.rss_mib),
        "collector_peak_mib": round(after.peak_mib),
        "collector_files": after.files,
    }


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=500, help="simulated sites (default: %(default)s)")
    parser.add_argument("--archive", choices=("sqlite", "postgres"), default="sqlite", help="where rows go (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=2000.0, help="rows a second over all sites (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=40.0, help="for so long (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="where to write the result; default benchmarks/results/many_sites-ARCHIVE.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="many-sites-") as folder, stage(Path(folder), args.sites, 0, args.archive) as here:
        figures = measured(here, args.sites, args.rate, args.seconds)
    load = os.getloadavg()
    about = {"sites": args.sites, "archive": args.archive, "rate": args.rate, "cores": os.cpu_count(), "load": [round(x, 1) for x in load]}
    result = {**about, "machine": platform.machine(), "python": platform.python_version(), **figures}
    text = json.dumps(result, indent=1)
    sys.stdout.write(text + "\n")
    (args.out or RESULTS / f"many_sites-{args.archive}.json").write_text(text + "\n")
    is_held = all(half["level_after_s"] <= LEVEL_WITHIN_S for half in (figures["before_the_kill"], figures["after_the_kill"]))
    return 0 if is_held and not figures["wrong_sites"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
