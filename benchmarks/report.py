"""How long a report takes over many scans, and how much memory: the archive's cases read, all figures, the page and the JSON.

``python -m benchmarks.report`` fills a SQLite archive with invented scans (a few days of ``testing.hq_story``, their cases repeated under
new names until there are ``--scans``), makes the whole report in a process of its own, and writes benchmarks/results/report.json. Cases are
repeated, with their outcomes and one fact each; findings and obstacles are counted over the days that were told.
"""

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.collector.archive import sql
from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.archive.stories import case_text
from edge_agent.collector.report.build import build
from edge_agent.collector.report.files import write_json
from edge_agent.collector.report.page import page
from edge_agent.collector.report.sections import sections
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.kpi.case import Case
from edge_agent.kpi.figures import Question
from edge_agent.kpi.rates import Scope
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.hq_story import CLASSES, story

RESULTS = Path(__file__).parent / "results" / "report.json"
DAYS = 12
DAY_US = 86_400_000_000
ORIGINS = {"CN": "east", "VN": "east", "BR": "south", "CO": "south", "DE": "europe", "NL": "europe"}


def fill(archive: Archive, scans: int) -> None:
    """Tell the story, then repeat its cases, each time as many days later."""
    rows: dict[str, list[object]] = {}
    for site, row in story(1, days=DAYS):
        rows.setdefault(site, []).append(row)
    archive.commit([Batch(SiteId(s), Cursor(some[0].epoch, Seq(0), some[0].epoch), tuple(some)) for s, some in rows.items()])
    told = list(archive.cases())
    missing = scans - len(told)
    with archive.database.transaction():
        cases = []
        for number in range(missing):
            cases.append(later(told[number % len(told)], 1 + number // len(told)))
            if len(cases) == 5000 or number == missing - 1:
                archive.database.add("scan_case", sql.SCAN_CASE, [line(case) for case in cases])
                archive.database.add("outcome", sql.OUTCOME, [outcome(case) for case in cases])
                archive.database.add("fact", sql.FACT, [fact(case) for case in cases])
                cases = []


def later(case: Case, times: int) -> Case:
    """Give the same case under another name, so many stretches of days later."""
    shift = times * DAYS * DAY_US
    moved = {
        name: None if (at := getattr(case, name)) is None else at + shift for name in ("taken_us", "control_us", "stands_us", "analyst_us")
    }
    return replace(case, scan_id=f"{case.scan_id}-{times}", produced_us=case.produced_us + shift, **moved)


def line(case: Case) -> tuple[object, ...]:
    """Give the line of table ``scan_case``."""
    return (case.site, case.scan_id, case.produced_us, case.scanner, case.kind, case.outcome, case_text(case))


def outcome(case: Case) -> tuple[object, ...]:
    """Give the line of table ``outcome``."""
    about = (case.site, case.scan_id, case.revision, f"fact-{case.scan_id}", case.scanner, case.kind, case.selection)
    return (*about, case.outcome, case.reason, case.produced_us, case.produced_us)


def fact(case: Case) -> tuple[object, ...]:
    """Give the line of table ``fact``; the row behind it is not stored."""
    about = (case.site, f"fact-{case.scan_id}", "assessment", b"", 0, case.scanner, case.scan_id, case.revision, None)
    return (*about, case.produced_us, case.outcome, case.produced_us)


def peak_mb() -> float:
    """Give the most memory that this program has held; ``ru_maxrss`` would begin with what its parent held."""
    (found,) = (found for found in Path("/proc/self/status").read_text().splitlines() if found.startswith("VmHWM:"))
    return round(int(found.split()[1]) / 1024, 1)


def measure(path: Path) -> Iterator[tuple[str, float]]:
    """Give each step with its seconds of CPU time, and the peak of memory."""
    clock = SystemClock()
    now_us = int(datetime(2036, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    asked = Question(Scope(UTC, {}), now_us, {label: frozenset(finds) for label, finds in CLASSES.items()}, ORIGINS)
    with Archive.read(path, clock) as archive:
        yield "peak_mb_before", peak_mb()
        began = time.process_time()
        report = build(archive, asked)
        yield "figures_cpu_s", round(time.process_time() - began, 2)
    assert report.figures is not None
    yield "live_scans", report.figures.total.assessed + report.figures.total.set_aside
    began = time.process_time()
    html = page(report)
    yield "page_cpu_s", round(time.process_time() - began, 2)
    yield "page_kb", round(len(html) / 1024)
    began = time.process_time()
    write_json(sections(report), asked.scope, io.StringIO())
    yield "json_cpu_s", round(time.process_time() - began, 2)
    yield "peak_mb", peak_mb()


def main() -> None:
    """Fill, then measure in a new process, whose memory is the report's alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=500_000, help="scans in the archive that is filled for it (default: %(default)s)")
    parser.add_argument("--archive", type=Path, help="an archive that was filled before: measure only")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="where to write the result (default: %(default)s)")
    args = parser.parse_args()
    if args.archive is None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "archive.db"
            with Archive.open(path, SystemClock()) as archive:
                fill(archive, args.scans)
            again = [sys.executable, "-m", "benchmarks.report", "--archive", str(path), "--scans", str(args.scans), "--out", str(args.out)]
            subprocess.run(again, check=True)
        return
    about = {"scans": args.scans, "machine": platform.machine(), "load_before": round(os.getloadavg()[0], 2)}
    result = {**about, **dict(measure(args.archive))}
    print(json.dumps(result, indent=1))
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
