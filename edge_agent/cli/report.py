"""``edge-agent report``: aggregated detections and counts over headquarters' archive."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from edge_agent.collector.archive import Archive
from edge_agent.collector.config import load
from edge_agent.kpi.eligible import SIMULATED, KindFilter, label
from edge_agent.kpi.rates import (
    MINIMUM_N,
    Period,
    Rate,
    Scope,
    Summary,
    detections_by_day,
    obstacles,
    set_aside_reasons,
    summarise,
    total,
)
from edge_agent.kpi.shadow import compare
from edge_agent.telemetry.clock import SystemClock

Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the report: the same columns and rows in every format. ``name`` is the key in JSON and CSV."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "report",
        help="headquarters: aggregated detections and counts",
        description="Counts every scan once, by the last outcome of its newest revision, on the day (by the site's own calendar) the "
        "site concluded it. Live scans only, unless --kind says otherwise; intervals are Wilson's at 95 %.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="collector.toml")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DAY", help="first day, as 2026-03-01")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DAY", help="last day, included")
    parser.add_argument("--kind", type=KindFilter, choices=list(KindFilter), default=KindFilter.LIVE, help="which scans (default: live)")
    parser.add_argument("--shadow", action="store_true", help="compare bundles on trial in shadow with the ones in force, and nothing else")
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table")
    parser.set_defaults(run=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Print the report."""
    if args.first and args.last and args.last < args.first:
        args.usage_error("--to lies before --from")
    config = load(args.config)
    scope = Scope(ZoneInfo(config.timezone), config.zones(), Period(args.first, args.last), args.kind)
    with Archive.read(config.archive, SystemClock()) as archive:
        sections = [shadow_section(archive, scope)] if args.shadow else report(archive, scope)
    _WRITERS[args.format](sections, scope)
    return 0


def report(archive: Archive, scope: Scope) -> list[Section]:
    """Count the archive's facts within ``scope``."""
    outcomes = archive.outcomes(scope.period)
    summaries = summarise(outcomes, scope)
    lines = [*summaries, total(summaries)] if len(summaries) > 1 else summaries
    return [
        Section("scans", "Scans by conclusion", _SCAN_COLUMNS, tuple(_scan_row(line) for line in lines)),
        Section(
            "detections",
            "Detections by site, scanner, class and day",
            ("site", "scanner", "kind", "class", "day", "detections", "scans", "alerts", "best_score"),
            tuple(
                (d.site, d.scanner, label(d.kind), d.label, d.day.isoformat(), d.detections, d.scans, d.alerts, round(d.best_score, 3))
                for d in detections_by_day(archive.detections(scope.period), scope)
            ),
        ),
        Section(
            "obstacles",
            "Obstacles: scans that could not be assessed because of them, and scans judged in spite of them",
            ("site", "scanner", "kind", "obstacle", "unassessable", "noted"),
            tuple(
                (o.site, o.scanner, label(o.kind), o.code, o.unassessable, o.noted)
                for o in obstacles(archive.obstacles(scope.period), scope)
            ),
        ),
        Section(
            "set_aside",
            "Set aside",
            ("site", "scanner", "reason", "scans"),
            tuple((s.site, s.scanner, s.reason, s.scans) for s in set_aside_reasons(outcomes, scope)),
        ),
        Section("facts", "Facts stored, all kinds of scan and all days", ("site", "fact", "stored"), tuple(archive.facts())),
        Section("unread", "Rows that this version cannot read: in no figure above", ("site", "why", "rows"), tuple(archive.unread())),
    ]


def shadow_section(archive: Archive, scope: Scope) -> Section:
    """Compare what bundles on trial would have alerted on with the alerts of those in force."""
    rows = tuple(
        (
            *(line.site, line.on_trial, line.instead_of, line.among.value, line.alerts.both, line.alerts.only_first),
            *(line.alerts.only_second, line.alerts.neither, *_rate_cells(line.alerts.first)[:3], *_rate_cells(line.alerts.second)),
            *(float(f"{line.alerts.p_value:.3g}"), f"too few (n < {MINIMUM_N})" if line.alerts.first.is_too_few else ""),
        )
        for line in compare(archive.shadowed(scope.period), scope)
    )
    return Section("shadow", "Bundles on trial in shadow: scans by who alerts", _SHADOW_COLUMNS, rows)


_SHADOW_COLUMNS = (
    *("site", "on_trial", "instead_of", "among", "both", "only_active", "only_shadow", "neither"),
    *("active_rate", "active_rate_low", "active_rate_high"),
    *("shadow_rate", "shadow_rate_low", "shadow_rate_high", "n", "p_value", "remark"),
)
_SCAN_COLUMNS = (
    *("site", "scanner", "kind", "alert", "no_alert", "unassessable", "set_aside", "coverage", "coverage_low", "coverage_high"),
    *("coverage_n", "alert_rate", "alert_rate_low", "alert_rate_high", "alert_rate_n", "remark"),
)


def _scan_row(line: Summary) -> tuple[Cell, ...]:
    return (
        *(line.site, line.scanner, label(line.kind), line.alert, line.no_alert, line.unassessable, line.set_aside),
        *_rate_cells(line.coverage),
        *_rate_cells(line.alert_rate),
        _remark(line),
    )


def _rate_cells(rate: Rate) -> tuple[Cell, ...]:
    if rate.value is None:
        return (None, None, None, 0)
    return (round(rate.value, 4), round(rate.interval.low, 4), round(rate.interval.high, 4), rate.n)


def _remark(line: Summary) -> str:
    remarks = []
    if line.alert_rate.is_too_few:
        remarks.append(f"too few (n < {MINIMUM_N})")
    if not line.is_unbiased:
        remarks.append("biased by selection")
    return ", ".join(remarks)


def _write_json(sections: Sequence[Section], scope: Scope) -> None:
    content: dict[str, object] = {"schema": "report/1.0", "kind": scope.wanted.value, "simulated": scope.wanted is KindFilter.SYNTHETIC}
    content |= {"from": _day(scope.period.first), "to": _day(scope.period.last)}
    for section in sections:
        content[section.name] = [dict(zip(section.columns, row, strict=True)) for row in section.rows]
    json.dump(content, sys.stdout, indent=1)
    sys.stdout.write("\n")


def _write_csv(sections: Sequence[Section], scope: Scope) -> None:  # noqa: ARG001 - every writer takes the same
    """Write all tables below each other, each with its own heading line that begins with ``table``."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for section in sections:
        writer.writerow(["table", *section.columns])
        writer.writerows([section.name, *(_safe(cell) for cell in row)] for row in section.rows)


def _safe(cell: Cell) -> Cell:
    """Keep a text that a site sent from being run as a formula by a spreadsheet."""
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _write_table(sections: Sequence[Section], scope: Scope) -> None:
    console = Console(width=None if sys.stdout.isatty() else _PAGE_COLUMNS)
    period = f"{_day(scope.period.first) or 'the beginning'} to {_day(scope.period.last) or 'now'}"
    console.print(f"[bold]{_heading(scope.wanted)}[/bold], {period}, days by each site's own calendar", highlight=False)
    for section in sections:
        for part in _screen_parts(section) if section.rows else ():
            console.print()
            console.print(_table(part))
    if not sections[0].rows:
        console.print("No such scans in this period.")


def _heading(wanted: KindFilter) -> str:
    match wanted:
        case KindFilter.LIVE:
            return "Live scans"
        case KindFilter.SYNTHETIC:
            return f"{SIMULATED} scans: no figure here says anything about real traffic"
        case KindFilter.ALL:
            return "Scans of every kind: not KPIs"


def _screen_parts(section: Section) -> tuple[Section, ...]:
    """Give what a screen shows of a table: the one with rates becomes two narrow ones."""
    if section.name == "shadow":
        return _shadow_parts(section)
    if section.name != "scans":
        return (section,)
    counts, rates = [], []
    for row in section.rows:
        cells = dict(zip(_SCAN_COLUMNS, row, strict=True))
        counts.append(tuple(cells[column] for column in _COUNT_COLUMNS))
        percents = (_as_percent(cells, "coverage"), _as_percent(cells, "alert_rate"))
        rates.append((cells["site"], cells["scanner"], cells["kind"], *percents, cells["remark"]))
    return (
        Section("scans", section.title, _COUNT_COLUMNS, tuple(counts)),
        Section("rates", "Rates per 100 scans, with 95 % interval and n", _RATE_COLUMNS, tuple(rates)),
    )


def _shadow_parts(section: Section) -> tuple[Section, ...]:
    counts, rates = [], []
    for row in section.rows:
        cells = dict(zip(_SHADOW_COLUMNS, row, strict=True))
        cells |= {"active_rate_n": cells["n"], "shadow_rate_n": cells["n"]}
        who = (cells["site"], cells["on_trial"], cells["among"])
        counts.append((*who, *(cells[name] for name in ("instead_of", "both", "only_active", "only_shadow", "neither"))))
        rates.append((*who, _as_percent(cells, "active_rate"), _as_percent(cells, "shadow_rate"), cells["p_value"], cells["remark"]))
    columns = ("site", "on_trial", "among")
    return (
        Section("shadow", section.title, (*columns, "instead_of", "both", "only_active", "only_shadow", "neither"), tuple(counts)),
        Section(
            "shadow_rates",
            "Alerts per 100 scans, with 95 % interval and n; p: exact McNemar test of the difference",
            (*columns, "in_force", "in_shadow", "p", "remark"),
            tuple(rates),
        ),
    )


def _table(section: Section) -> Table:
    table = Table(title=section.title, title_justify="left", show_edge=False)
    for column in section.columns:
        justify: Literal["left", "right"] = "left" if column in _TEXT_COLUMNS else "right"
        table.add_column(column.replace("_", " "), justify=justify, overflow="fold", no_wrap=column not in _TEXT_COLUMNS)
    for row in section.rows:
        table.add_row(*(_plain(cell) for cell in row))
    return table


_PAGE_COLUMNS = 120
_TEXT_COLUMNS = (
    *("site", "scanner", "kind", "class", "day", "obstacle", "reason", "fact", "why", "remark"),
    *("on_trial", "among", "instead_of"),
)
_COUNT_COLUMNS = ("site", "scanner", "kind", "alert", "no_alert", "unassessable", "set_aside")
_RATE_COLUMNS = ("site", "scanner", "kind", "assessed_of_accepted", "alerts_of_assessed", "remark")


def _as_percent(cells: dict[str, Cell], name: str) -> str:
    value, low, high, n = (cells[name + end] for end in ("", "_low", "_high", "_n"))
    if not isinstance(value, float) or not isinstance(low, float) or not isinstance(high, float):
        return f"- (n {n})"
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}] n {n}"


def _plain(cell: Cell) -> str:
    """Give text that the terminal shows as it is: a site's words are neither markup nor control codes."""
    text = "-" if cell is None else str(cell)
    return "".join(c if c.isprintable() else "?" for c in text).replace("[", r"\[")


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


_WRITERS = {"table": _write_table, "csv": _write_csv, "json": _write_json}
