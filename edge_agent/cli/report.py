"""``edge-agent report``: figures, aggregated detections and counts over headquarters' archive."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from edge_agent.cli.report_screen import write_screen
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.config import load
from edge_agent.collector.report.build import build, count, question, shadows
from edge_agent.collector.report.cells import Section
from edge_agent.collector.report.files import write_csv, write_json
from edge_agent.collector.report.kpi_sections import own_section
from edge_agent.collector.report.page import page
from edge_agent.collector.report.sections import sections, shadow_section
from edge_agent.collector.report.transparency import transparency, transparency_content, transparency_page, transparency_sections
from edge_agent.errors import ConfigInvalid
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.figures import Question
from edge_agent.kpi.rates import Period, Scope
from edge_agent.telemetry.clock import SystemClock


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "report",
        help="headquarters: figures, detections and counts; as tables, files or a page",
        description="Counts every scan once, by the last outcome of its newest revision, on the day (by the site's own calendar) the "
        "site concluded it. Live scans only, unless --kind says otherwise; intervals are Wilson's at 95 %. Results of examinations come "
        "days later and count on the scan's day, so a report of the same days grows truer with time.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="collector.toml")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DAY", help="first day, as 2026-03-01")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DAY", help="last day, included")
    parser.add_argument("--kind", type=KindFilter, choices=list(KindFilter), default=KindFilter.LIVE, help="which scans (default: live)")
    about = parser.add_mutually_exclusive_group()
    about.add_argument("--shadow", action="store_true", help="compare bundles on trial in shadow with the ones in force, and nothing else")
    about.add_argument("--transparency", action="store_true", help="only what may be published: no officer, no scanner, no small site")
    about.add_argument("--officer", metavar="TOKEN", help="one officer's own decisions, for that officer only")
    parser.add_argument("--format", choices=("table", "csv", "json", "html"), default="table", help="html: one page with plots")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of on the screen")
    parser.set_defaults(run=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Write the report."""
    if args.first and args.last and args.last < args.first:
        args.usage_error("--to lies before --from")
    if args.transparency and args.kind is not KindFilter.LIVE:
        args.usage_error("only live scans are published: --transparency goes without --kind")
    if args.officer is not None and args.kind is KindFilter.ALL:
        args.usage_error("figures are about one kind of scan: --officer goes without --kind all")
    if args.format == "html" and (args.shadow or args.officer is not None):
        args.usage_error("there is a page for the whole report and for --transparency only")
    config, clock = load(args.config), SystemClock()
    scope = Scope(ZoneInfo(config.timezone), config.zones(), Period(args.first, args.last), args.kind)
    with Archive.read(config.archive, clock) as archive:
        asked = question(scope, config, clock.now(), args.officer or "")
        write = _writer(args, archive, asked)
    with _output(args.out) as out:
        write(out)
    return 0


def _writer(args: argparse.Namespace, archive: Archive, asked: Question) -> Callable[[TextIO], None]:
    """Count what is asked for, and give what writes it."""
    if args.shadow:
        return _tables([shadow_section(shadows(archive, asked.scope))], args.format, asked.scope)
    with _progress() as told:
        if args.officer is not None:
            return _tables(own_section(count(archive, asked, told).officers.own), args.format, asked.scope)
        if args.transparency:
            public = transparency(count(archive, asked, told))
            if args.format == "html":
                return _text(transparency_page(public))
            if args.format == "json":
                return _text(json.dumps(transparency_content(public), indent=1) + "\n")
            return _tables(transparency_sections(public), args.format, asked.scope)
        report = build(archive, asked, told)
    return _text(page(report)) if args.format == "html" else _tables(sections(report), args.format, asked.scope)


def _tables(tables: Sequence[Section], form: str, scope: Scope) -> Callable[[TextIO], None]:
    if form == "json":
        return lambda out: write_json(tables, scope, out)
    if form == "csv":
        return lambda out: write_csv(tables, out)
    return lambda out: write_screen(tables, scope, out)


def _text(text: str) -> Callable[[TextIO], None]:
    return lambda out: print(text, end="", file=out)


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Show on the error channel how many scans were read, where somebody looks at it."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} scans read"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda number: progress.update(task, completed=number)


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """Give where to write: the file, which appears whole or not at all, or the screen."""
    if path is None:
        yield sys.stdout
        return
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        part.replace(path)
    except OSError as problem:
        raise ConfigInvalid(f"--out {path}: {problem.strerror}", {"key": "--out"}) from problem
