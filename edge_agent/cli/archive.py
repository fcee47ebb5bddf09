"""``edge-agent archive``: headquarters' archive as a whole: export it as Parquet, or copy it to another place."""

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from edge_agent.collector.archive.copying import Copied, copy
from edge_agent.collector.archive.place import is_server
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.config import load
from edge_agent.errors import ConfigInvalid
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.rates import Period, Scope
from edge_agent.telemetry.clock import SystemClock


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("archive", help="headquarters: export the archive as Parquet, or copy it to another place")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    exporting = actions.add_parser(
        "export",
        help="cases and findings as Parquet files, one a site and month",
        description="Writes DIR/cases/site=S/month=YYYY-MM/part-0.parquet, a row a scan, and DIR/findings/... likewise, a row a finding. "
        "No officer and no identity is in them. Months and days are by each site's own calendar. Needs the extra `report`.",
    )
    _common(exporting)
    exporting.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to make")
    exporting.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DAY", help="first day, as 2026-03-01")
    exporting.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DAY", help="last day, included")
    exporting.add_argument("--kind", type=KindFilter, choices=list(KindFilter), default=KindFilter.LIVE, help="which scans (default: live)")
    exporting.set_defaults(act=run_export, usage_error=exporting.error)
    copying = actions.add_parser(
        "copy",
        help="copy every row into another archive, as from SQLite to PostgreSQL",
        description="Copies all verified rows, signed heads and cursors into another archive and makes its tables anew from them. Stop the "
        "collector first, and set `archive` in collector.toml to PLACE afterwards. A copy that was interrupted goes on where it stopped.",
    )
    _common(copying)
    copying.add_argument("--to", required=True, metavar="PLACE", help="file, or postgresql://USER@HOST/DATABASE")
    copying.set_defaults(act=run_copy)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the chosen action."""
    return int(args.act(args))


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="collector.toml")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run_export(args: argparse.Namespace) -> int:
    """Write the files.

    Raises:
        ConfigInvalid: the extra is not installed, or the folder is there already.
    """
    if args.first and args.last and args.last < args.first:
        args.usage_error("--to lies before --from")
    try:
        from edge_agent.collector.parquet import Exported, export
    except ImportError as problem:
        raise ConfigInvalid("Parquet needs `pip install edge-agent[report]`", {"key": "report"}) from problem
    config = load(args.config)
    scope = Scope(ZoneInfo(config.timezone), config.zones(), Period(args.first, args.last), args.kind)
    with Archive.read(config.archive, SystemClock()) as archive, _bar() as bar:
        task = bar.add_task("exporting", total=None, words="")

        def tell(done: Exported) -> None:
            bar.update(task, words=f"{done.cases:,} scans in {done.files:,} files")

        done = export(archive, args.out, scope, archive.sites(), tell)
    if args.json:
        print(json.dumps({"folder": str(args.out), "files": done.files, "cases": done.cases, "findings": done.findings}))
    else:
        print(f"{args.out}: {done.cases} scans and {done.findings} findings in {done.files} files", file=sys.stderr)
    return 0


def run_copy(args: argparse.Namespace) -> int:
    """Copy every row.

    Raises:
        ArchiveBusy: a collector still writes one of the two.
    """
    config = load(args.config)
    target_place = args.to if is_server(args.to) else Path(args.to)
    if target_place == config.archive:
        raise ConfigInvalid("--to names the archive itself", {"key": "--to"})
    clock = SystemClock()
    with Archive.open(config.archive, clock) as source, Archive.open(target_place, clock) as target, _bar() as bar:
        task = bar.add_task("copying", total=None, words="")

        def tell(done: Copied) -> None:
            bar.update(task, completed=done.rows, total=done.of, words=f"{done.rows:,} of {done.of:,} rows")

        done = copy(source, target, tell)
    if args.json:
        print(json.dumps({"rows": done.rows, "of": done.of}))
    else:
        print(f"{done.rows} rows copied; now set `archive` in {args.config}", file=sys.stderr)
    return 0


def _bar() -> Progress:
    """Give a bar for a terminal; anywhere else it says nothing."""
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"), TimeElapsedColumn())
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
