"""The page about the archive lists the columns of the exported files as the program writes them."""

from pathlib import Path

import pytest

from edge_agent.collector.parquet import CASE_COLUMNS, FINDING_COLUMNS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "keep-the-archive.md").read_text("utf-8")


def kind(column):
    name = str(column[1])
    return "timestamp" if name.startswith("timestamp") else "list of string" if name.startswith("list") else name


def row(column):
    return f"| `{column[0]}` | {kind(column)} | {column[2]} |"


@pytest.mark.parametrize(("heading", "columns"), [("cases", CASE_COLUMNS), ("findings", FINDING_COLUMNS)])
def test_every_column_is_listed_in_its_order_and_no_other(heading, columns):
    section = PAGE.partition(f"### Columns of {heading}\n")[2].partition("\n### ")[0]
    assert [row(column) for column in columns] == [line for line in section.splitlines() if line.startswith("| `")]
