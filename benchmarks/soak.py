"""A soak: many small scans through one daemon, while its memory, descriptors, threads and write-ahead log are sampled.

``python -m benchmarks.soak --scans 10000``: packages are kept, headquarters' collector is attached, and the scanners remove their
files a while after the agent took them, as scanners do. Judged over the last four fifths: a straight line through resident memory rises by
at most 2 %, descriptors and threads do not grow, the write-ahead log stays bounded. Writes ``soak.json`` and ``soak.png``; exit code 1
when something grows.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import linear_regression, median

from benchmarks.plot import draw_soak
from benchmarks.service import ARMED
from benchmarks.site import ROOT, Process, running
from benchmarks.small_site import SmallSite
from benchmarks.storm_plan import good_scan
from edge_agent.ledger.connection import open_reader

MOST_RISE = 0.02
MOST_GROWN = 6
"""Descriptors, or threads, that may be more at the end: a pool that a busy machine fills later is no leak; one in fifty scans would be."""
MOST_WAL_MIB = 64.0
"""To which the ledger cuts its log (``journal_size_limit``); it lies near 4 MiB unless somebody reads the file for long."""
_MIB = 1 << 20
_AHEAD, _KEPT = 40, 100
_TICK_S, _SHOW_S = 0.05, 10.0
_STUCK_S = 120.0

Sample = dict[str, float]


class Soak:
    """One soak over a small site in ``folder``."""

    def __init__(self, folder: Path, scans: int, every: int, upkeep_after_s: float) -> None:
        """``every``: scans between two samples; ``upkeep_after_s``: from the start to the first sweep and check of the ledger."""
        self.small = SmallSite(folder)
        self._scans, self._every, self._upkeep_after_s = scans, every, upkeep_after_s
        self.samples: list[Sample] = []
        self._written: deque[Path] = deque()

    def run(self) -> list[Sample]:
        """Put all scans through and give the samples.

        Raises:
            SystemExit: a process ended, or nothing moves any more.
        """
        site = self.small.site
        armed = ("env", f"PYTHONPATH={ROOT}", *ARMED, "--config", str(site.agent_toml), "--upkeep-after", str(self._upkeep_after_s))
        daemon, hq = Process("daemon", armed, site.folder / "daemon.log"), site.collector()
        with running(daemon, hq):
            self.small.ready(daemon)
            self._feed(daemon, hq)
            if daemon.stop() != 0:
                raise SystemExit(f"the daemon did not stop cleanly; see {daemon.log}")
            hq.stop()
        return self.samples

    def _feed(self, daemon: Process, hq: Process) -> None:
        given = done = 0
        started = moved = shown = time.monotonic()
        while done < self._scans:
            for process in (daemon, hq):
                process.fail_if_ended()
            while given < min(done + _AHEAD, self._scans):
                self._deliver(given)
                given += 1
            time.sleep(_TICK_S)
            now, before = time.monotonic(), done
            done = outcomes(self.small.site.state_dir)
            moved = now if done > before else moved
            if done // self._every > before // self._every:
                self.samples.append({"scans": done, "seconds": round(now - started, 1), **sampled(daemon, self.small.site.state_dir)})
            if now - moved > _STUCK_S:
                raise SystemExit(f"nothing moves any more after {done} scans; see {daemon.log}")
            if now - shown > _SHOW_S:
                shown = now
                print(f"{done}/{self._scans} scans, {done / (now - started):.1f} a second, {self.samples[-1:]}", flush=True)

    def _deliver(self, number: int) -> None:
        """Write one scan, and remove those that are long taken."""
        one = good_scan(number)
        self.small.deliver_together(dict(one.files), one.scanner)
        self._written.extend(self.small.site.watched(one.scanner) / name for name, _ in one.files)
        while len(self._written) > 3 * _KEPT:
            self._written.popleft().unlink()


def outcomes(state_dir: Path) -> int:
    """Count the scans that are assessed or set aside."""
    with closing(open_reader(state_dir / "ledger.db")) as db:
        count: int = db.execute("SELECT count(*) FROM job WHERE kind = 'assess' AND state IN ('assessed', 'set-aside')").fetchone()[0]
        return count


def sampled(daemon: Process, state_dir: Path) -> Sample:
    """Read what the kernel says of the daemon and its children, and the size of the write-ahead log."""
    pid = daemon.popen.pid
    status = _status(pid)
    wal = state_dir / "ledger.db-wal"
    return {
        "rss_mib": status["VmRSS"] / 1024,
        "anonymous_mib": status["RssAnon"] / 1024,
        "children_mib": sum(_status(child)["VmRSS"] for child in _children(pid)) / 1024,
        "threads": status["Threads"],
        "descriptors": sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        "wal_mib": wal.stat().st_size / _MIB if wal.exists() else 0.0,
    }


def _status(pid: int) -> dict[str, int]:
    """Give the numbers of /proc/PID/status; memory in KiB (proc_pid_status(5))."""
    lines = (line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {key: int(value.split()[0]) for key, value in lines if key in ("VmRSS", "RssAnon", "Threads")}


def _children(pid: int) -> list[int]:
    return [int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]


def rise(samples: Sequence[Sample], key: str) -> float:
    """Give how much a straight line (least squares) through the last four fifths rises, as a share of its beginning."""
    tail = samples[len(samples) // 5 :]
    slope, start = linear_regression([one["scans"] for one in tail], [one[key] for one in tail])
    first = start + slope * tail[0]["scans"]
    return slope * (tail[-1]["scans"] - tail[0]["scans"]) / first


def growth(samples: Sequence[Sample], key: str) -> float:
    """Give the median of the last fifth less that of the second."""
    fifth = max(1, len(samples) // 5)
    return median(one[key] for one in samples[-fifth:]) - median(one[key] for one in samples[fifth : 2 * fifth])


def breaches(samples: Sequence[Sample]) -> list[str]:
    """Give what grew, in words. Memory is judged from 2,000 scans on: before that the caches of the allocator are still filling."""
    found = [f"{key} grew by {growth(samples, key):.0f}" for key in ("descriptors", "threads") if growth(samples, key) > MOST_GROWN]
    if max(one["wal_mib"] for one in samples) > MOST_WAL_MIB:
        found.append(f"the write-ahead log reached {max(one['wal_mib'] for one in samples):.1f} MiB")
    if samples[-1]["scans"] >= 2000 and rise(samples, "rss_mib") > MOST_RISE:
        found.append(f"resident memory rose by {rise(samples, 'rss_mib'):.1%} over the last four fifths")
    return found


def main() -> int:
    """Run a soak; 0 when nothing grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=10000, help="scans (default 10000, at most 65000)")
    parser.add_argument("--upkeep-after", type=float, default=600.0, metavar="S", help="first sweep and check of the ledger (default 600)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results", metavar="DIR", help="where soak.json and soak.png go")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        samples = Soak(Path(folder), args.scans, max(1, args.scans // 250), args.upkeep_after).run()
    wrong = breaches(samples)
    rises = {key: round(rise(samples, key), 4) for key in ("rss_mib", "anonymous_mib", "children_mib")}
    args.out.mkdir(parents=True, exist_ok=True)
    content = {"scans": args.scans, "seconds": samples[-1]["seconds"], "rise": rises, "breaches": wrong, "samples": samples}
    (args.out / "soak.json").write_text(json.dumps(content, indent=1) + "\n")
    last = f"{args.scans} scans in {samples[-1]['seconds']:.0f} s: resident memory {rises['rss_mib']:+.1%} over the last four fifths, "
    last += f"descriptors {growth(samples, 'descriptors'):+.0f}, log at most {max(one['wal_mib'] for one in samples):.1f} MiB"
    draw_soak(samples, last, args.out / "soak.png")
    for what in wrong:
        print(f"NOT TRUE: {what}")
    print(last)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
