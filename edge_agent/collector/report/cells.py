"""Cells of a report's tables: rates with their intervals, times, and the words that are said about figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edge_agent.kpi.rates import MINIMUM_N, Rate
from edge_agent.kpi.spread import Spread

Cell: TypeAlias = str | int | float | None
TOO_FEW = f"too few (n < {MINIMUM_N})"
BIASED = "biased by selection"
NO_SAMPLE = "no unbiased sample"
_ENDS = ("", "_low", "_high", "_n")


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the report: the same columns and rows in every format. ``name`` is the key in JSON and CSV.

    A rate ``x`` has four columns: ``x``, ``x_low``, ``x_high`` and ``x_n``; a screen shows them as one. ``screens``: the columns of
    each table that a screen makes of it, with its title, where one is too wide; ``note``: what to know when reading it; ``shares``:
    columns that are shares without an interval. Every share is within [0, 1] in files; screens show all of them in per cent.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    screens: tuple[tuple[str, tuple[str, ...]], ...] = ()
    shares: tuple[str, ...] = ()

    def records(self) -> list[dict[str, Cell]]:
        """Give each row as a mapping from column to cell."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def rate_columns(*names: str) -> tuple[str, ...]:
    """Give the columns of rates."""
    return tuple(name + end for name in names for end in _ENDS)


def rate_cells(rate: Rate | None) -> tuple[Cell, ...]:
    """Give share, interval and n; nothing but n of no scans, and nothing at all where there can be no such rate."""
    if rate is None:
        return (None, None, None, None)
    if rate.value is None:
        return (None, None, None, 0)
    return (round(rate.value, 4), round(rate.interval.low, 4), round(rate.interval.high, 4), rate.n)


def is_rate(name: str, columns: Sequence[str]) -> bool:
    """Tell whether a column is the share of a rate."""
    return f"{name}_low" in columns and f"{name}_high" in columns and f"{name}_n" in columns


def is_part_of_rate(name: str, columns: Sequence[str]) -> bool:
    """Tell whether a column belongs to a rate that another column is the share of."""
    return any(name.endswith(end) and is_rate(name.removesuffix(end), columns) for end in _ENDS[1:])


def shown(section: Section, columns: Sequence[str]) -> tuple[list[str], list[dict[str, Cell]]]:
    """Give columns and rows of a table for eyes: no empty columns, and of a table that is about rates alone the rows with any."""
    rates = [name for name in columns if is_rate(name, section.columns)]
    records = section.records()
    if rates and "remark" not in columns:
        records = [record for record in records if any(record[f"{name}_n"] is not None for name in rates)]
    return [name for name in columns if any(record[name] not in (None, "") for record in records)], records


def percent(cell: Cell) -> str:
    """Give a share in per cent."""
    return f"{100 * cell:.1f} %" if isinstance(cell, float) else "-"


def too_few(rate: Rate) -> str:
    """Give the remark that a rate needs, empty when there are enough scans."""
    return TOO_FEW if rate.is_too_few else ""


def remarks(*words: str) -> str:
    """Put remarks together."""
    return ", ".join(word for word in dict.fromkeys(words) if word)


def quantile(spread: Spread, share: float) -> float | None:
    """Give a percentile of times in seconds, to three digits that count; None of fewer than the minimum n."""
    value = spread.quantile(share) if spread.n >= MINIMUM_N else None
    return None if value is None else float(f"{value:.3g}")


def rounded(value: float | None, digits: int) -> float | None:
    """Round a figure that may be missing."""
    return None if value is None else round(value, digits)


def printable(text: str) -> str:
    """Give text as it may be shown: a site's words hold no control codes and turn no direction of writing."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
