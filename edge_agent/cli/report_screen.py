"""A report's tables on a terminal: narrow ones, each rate in one cell with its interval and n."""

from collections.abc import Iterator, Sequence
from typing import Literal, TextIO

from rich.console import Console
from rich.table import Table

from edge_agent.collector.report.cells import Cell, Section, is_part_of_rate, is_rate, percent, printable, shown
from edge_agent.collector.report.files import day_text
from edge_agent.kpi.eligible import SIMULATED, KindFilter
from edge_agent.kpi.rates import MINIMUM_N, Scope

_PAGE_COLUMNS = 120
_LEAST_COLUMNS = 10
"""Columns that a text gets at least, where it is so long."""
_MOST_ROWS = 60
"""Rows of one table; the rest is for ``--format csv``."""


def write_screen(sections: Sequence[Section], scope: Scope, out: TextIO) -> None:
    """Write the tables that have rows."""
    console = Console(file=out, width=None if out.isatty() else _PAGE_COLUMNS)
    period = f"{day_text(scope.period.first) or 'the beginning'} to {day_text(scope.period.last) or 'now'}"
    console.print(f"[bold]{heading(scope.wanted)}[/bold], {period}, days by each site's own calendar", highlight=False)
    for section in sections:
        for table in _tables(section) if section.rows else ():
            console.print()
            console.print(table)
        if section.rows and section.note:
            console.print(f"[dim]{section.note}[/dim]", highlight=False)
        if len(section.rows) > _MOST_ROWS:
            console.print(f"[dim]{len(section.rows) - _MOST_ROWS} more rows: --format csv[/dim]", highlight=False)
    if not sections[0].rows:
        console.print("No such scans in this period.")
        others = next((section for section in sections if section.name == "other_kinds" and section.rows), None)
        if others is not None:
            console.print("There are scans of other kinds: `--kind synthetic` counts simulated ones, `--kind all` every one.")


def heading(wanted: KindFilter) -> str:
    """Say which scans the report is about."""
    match wanted:
        case KindFilter.LIVE:
            return "Live scans"
        case KindFilter.SYNTHETIC:
            return f"{SIMULATED} scans: no figure here says anything about real traffic"
        case KindFilter.ALL:
            return "Scans of every kind: not KPIs"


def _tables(section: Section) -> Iterator[Table]:
    whole = tuple(name for name in section.columns if not is_part_of_rate(name, section.columns))
    for title, columns in section.screens or (("", whole),):
        yield _table(section, title or section.title, columns)


def _table(section: Section, title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", show_edge=False)
    names, records = shown(section, columns)
    rows = records[:_MOST_ROWS]
    for column in names:
        is_text = any(isinstance(row[column], str) for row in rows)
        justify: Literal["left", "right"] = "left" if is_text else "right"
        longest = max((len(str(row[column])) for row in rows), default=0)
        least = min(longest, _LEAST_COLUMNS) if is_text else None
        table.add_column(column.replace("_", "\n"), justify=justify, overflow="fold", no_wrap=not is_text, min_width=least)
    for row in rows:
        table.add_row(*(_cell(section, row, column) for column in names))
    return table


def _cell(section: Section, row: dict[str, Cell], column: str) -> str:
    if is_rate(column, section.columns):
        return _as_percent(row, column)
    return percent(row[column]) if column in section.shares else _plain(row[column])


def _as_percent(row: dict[str, Cell], name: str) -> str:
    value, low, high, n = (row[name + end] for end in ("", "_low", "_high", "_n"))
    if not isinstance(value, float) or not isinstance(low, float) or not isinstance(high, float):
        return "-" if n is None else f"- (n {n})"
    if isinstance(n, int) and n < MINIMUM_N:
        return f"too few (n {n})"
    return f"{percent(value)} [{100 * low:.1f}, {100 * high:.1f}] n {n}".replace("[", r"\[")


def _plain(cell: Cell) -> str:
    """Give text that the terminal shows as it is: a site's words are neither markup nor control codes."""
    return ("-" if cell is None else printable(str(cell))).replace("[", r"\[")
