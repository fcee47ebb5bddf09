"""How fast headquarters' archive takes rows in, on one thread: SQLite and a real PostgreSQL server, batches of 50 and 400 rows.

``python -m benchmarks.archive`` prints rows a second for each and writes benchmarks/results/archive.json. A row in seven is a verdict or a
control result on a scan that is in the archive already; assessments carry ``--detections`` findings each.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from edge_agent.collector.archive.port import Batch
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import fact_id
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.archives import batch, journal_of
from edge_agent.testing.postgres_server import PostgresServer
from edge_agent.testing.site_journal import NOON, assessment, detection, scan_named, with_findings
from edge_agent.wire.messages import AnyBody, AssessmentBody, VerdictBody

RESULTS = Path(__file__).parent / "results" / "archive.json"
SIZES = (50, 400)
LABELS = ("knife", "gun", "cigarettes", "bottle", "electronics")


def body(n: int, detections: int) -> AssessmentBody:
    """Give the assessment of scan ``n``, one in ten an alert."""
    found = [detection(LABELS[(n + k) % len(LABELS)], 0.2 + 0.7 * ((n + k) % 10) / 10) for k in range(detections)]
    alerting = [LABELS[n % len(LABELS)]] if n % 10 == 0 else []
    plain = assessment("north", str(n), "alert" if alerting else "no-alert", NOON + timedelta(seconds=30 * n))
    return with_findings(plain, found, alerting)


def verdict(n: int, about: AssessmentBody) -> VerdictBody:
    """Give an officer's word on a scan."""
    scan, at = scan_named("north", str(n)), about.produced_at + timedelta(minutes=3)
    return VerdictBody(
        fact_id=fact_id(scan, "verdict", 1, "v"),
        site="north",
        scanner=about.scanner,
        scan_id=scan,
        revision=1,
        cause="v",
        produced_at=at,
        conclusion="not-suspicious",
        officer="token",
        workstation="desk",
        is_supervisor=False,
        reasons=[],
        decided_at=at,
    )


def story(rows: int, detections: int) -> list[AnyBody]:
    """Give so many facts of one site, in the order of its journal."""
    told: list[AnyBody] = []
    for n in range(rows):
        told.append(body(n, detections))
        if n % 6 == 5 and n > 60:
            about = body(n - 60, detections)
            told.append(verdict(n - 60, about))
    return told[:rows]


@contextmanager
def place(kind: str, folder: Path) -> Iterator[Path | str]:
    """Give where an empty archive of a kind may lie."""
    if kind == "sqlite":
        yield folder / f"{time.monotonic_ns()}.db"
        return
    server = PostgresServer.start()
    try:
        yield server.address()
    finally:
        server.stop()


@dataclass(frozen=True)
class Speed:
    """Rows a second by the wall clock, and rows a second of CPU: ours and the server's together, as if they took turns on one core."""

    wall: float
    cpu: float


def measured(where: Path | str, batches: list[Batch]) -> Speed:
    """Commit everything."""
    with Archive.open(where, SystemClock()) as archive:
        pid = archive.database.execute("SELECT pg_backend_pid()")[0][0] if isinstance(where, str) else None
        began, busy = time.perf_counter(), busy_s(pid)
        for one in batches:
            archive.commit([one])
        rows = sum(len(one.rows) for one in batches)
        return Speed(rows / (time.perf_counter() - began), rows / (busy_s(pid) - busy))


def busy_s(server: int | None) -> float:
    """Give the CPU seconds that we, and the server's process for us, have used."""
    if server is None:
        return time.process_time()
    ticks = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[11:13]
    return time.process_time() + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=12_000, help="rows that go in (default: %(default)s)")
    parser.add_argument("--detections", type=int, default=5, help="findings of each assessment (default: %(default)s)")
    parser.add_argument("--archive", choices=("sqlite", "postgres"), action="append", help="which; may be given twice (default: both)")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/archive.json")
    args = parser.parse_args()
    journal = journal_of(*story(args.rows, args.detections))
    mean = sum(len(row.body) for row in journal.rows) // len(journal.rows)
    print(f"{args.rows} rows of {mean} bytes in the mean, {args.detections} detections an assessment, {os.cpu_count()} cores")
    result: dict[str, object] = {"rows": args.rows, "body_bytes": mean, "detections": args.detections, "machine": platform.machine()}
    for kind in args.archive or ("sqlite", "postgres"):
        for size in SIZES:
            batches = [batch(journal, start, start + size) for start in range(0, args.rows, size)]
            with tempfile.TemporaryDirectory() as folder, place(kind, Path(folder)) as where:
                speed = measured(where, batches)
            print(f"{kind:9} batches of {size:3}: {speed.wall:7.0f} rows/s, {speed.cpu:7.0f} rows a second of CPU")
            result |= {f"{kind}_{size}_rows_s": round(speed.wall), f"{kind}_{size}_rows_cpu_s": round(speed.cpu)}
    if args.write:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
