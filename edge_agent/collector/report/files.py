"""A report's tables as JSON and CSV."""

import csv
import json
from collections.abc import Sequence
from datetime import date
from typing import TextIO

from edge_agent.collector.report.cells import Cell, Section
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.rates import Scope

SCHEMA = "report/2.0"


def content(sections: Sequence[Section], scope: Scope) -> dict[str, object]:
    """Give the report as JSON says it: each table a list of objects under its name."""
    about: dict[str, object] = {"schema": SCHEMA, "kind": scope.wanted.value, "simulated": scope.wanted is KindFilter.SYNTHETIC}
    about |= {"from": day_text(scope.period.first), "to": day_text(scope.period.last)}
    return about | {section.name: section.records() for section in sections}


def write_json(sections: Sequence[Section], scope: Scope, out: TextIO) -> None:
    """Write the report as one object."""
    json.dump(content(sections, scope), out, indent=1)
    out.write("\n")


def write_csv(sections: Sequence[Section], out: TextIO) -> None:
    """Write all tables below each other, each with its own heading line that begins with ``table``."""
    writer = csv.writer(out, lineterminator="\n")
    for section in sections:
        writer.writerow(["table", *section.columns])
        writer.writerows([section.name, *(_safe(cell) for cell in row)] for row in section.rows)


def _safe(cell: Cell) -> Cell:
    """Keep a text that a site sent from being run as a formula by a spreadsheet."""
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def day_text(day: date | None) -> str | None:
    """Give a day as ISO 8601 writes it."""
    return day.isoformat() if day else None
