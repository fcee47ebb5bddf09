"""Plots of a report as inline SVG: no script, no file, colours from the page's style so that they follow light, dark and print.

Every plot has a title and a description in words; whatever it shows stands in a table as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

from edge_agent.collector.report.cells import printable
from edge_agent.kpi.availability import AvailabilityLine, State
from edge_agent.kpi.rates import Rate

_WIDTH, _HEIGHT = 760.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 48.0, 14.0, 28.0
_ROW = 30.0
_NAME = 150.0


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day: its alerts, and the hit rate of the days up to it; None where these were too few."""

    day: date
    alerts: int
    hit_rate: Rate | None


@dataclass(frozen=True, slots=True)
class Range:
    """Three percentiles of one group, in one unit, rising."""

    name: str
    low: float
    middle: float
    high: float


def days_plot(bars: Sequence[DayBar]) -> str:
    """Give alerts a day as bars, and the hit rate as a line in the band of its interval."""
    most = max(4.0, _round_up(max(bar.alerts for bar in bars)))
    step = (_WIDTH - _LEFT - _RIGHT) / len(bars)
    height = _HEIGHT - _TOP - _BOTTOM
    base = _TOP + height
    parts = [_grid(most, base, height)]
    for number, bar in enumerate(bars):
        tall = height * bar.alerts / most
        title = f"<title>{bar.day.isoformat()}: {bar.alerts} alerts</title>"
        parts.append(_rect("alerts", _LEFT + number * step + step * 0.15, base - tall, step * 0.7, tall, title))
    parts += [_band(run, step, base, height) for run in _runs(bars)]
    parts += [_day_label(bars[number].day, _LEFT + (number + 0.5) * step) for number in _ticks(len(bars))]
    total = sum(bar.alerts for bar in bars)
    words = f"{total} alerts from {bars[0].day.isoformat()} to {bars[-1].day.isoformat()}; the line is the hit rate of the last seven days."
    return _svg("Alerts a day and hit rate", words, _HEIGHT, "".join(parts))


def _grid(most: float, base: float, height: float) -> str:
    lines = []
    for quarter in range(5):
        y = base - height * quarter / 4
        lines.append(f'<line class="grid" x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{y:g}" y2="{y:g}"/>')
        lines.append(f'<text class="end" x="{_LEFT - 6:g}" y="{y + 4:g}">{most * quarter / 4:g}</text>')
        lines.append(f'<text class="rate-text" x="{_WIDTH - _RIGHT + 6:g}" y="{y + 4:g}">{25 * quarter} %</text>')
    return "".join(lines)


def _runs(bars: Sequence[DayBar]) -> list[list[tuple[int, Rate]]]:
    """Give the unbroken runs of days that have a hit rate."""
    runs: list[list[tuple[int, Rate]]] = [[]]
    for number, bar in enumerate(bars):
        if bar.hit_rate is not None:
            runs[-1].append((number, bar.hit_rate))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _band(run: Sequence[tuple[int, Rate]], step: float, base: float, height: float) -> str:
    def point(number: int, share: float) -> str:
        return f"{_LEFT + (number + 0.5) * step:.1f},{base - height * share:.1f}"

    over = [point(number, rate.interval.high) for number, rate in run]
    under = [point(number, rate.interval.low) for number, rate in reversed(run)]
    line = [point(number, rate.value or 0.0) for number, rate in run]
    return f'<polygon class="band" points="{" ".join(over + under)}"/><polyline class="rate" points="{" ".join(line)}"/>'


def _ticks(n: int) -> range:
    return range(0, n, max(1, -(-n // 8)))


def _day_label(day: date, x: float) -> str:
    return f'<text class="middle" x="{x:.1f}" y="{_HEIGHT - 8:g}">{day.day} {day:%b}</text>'


def ranges_plot(title: str, unit: str, ranges: Sequence[Range]) -> str:
    """Give each group's low to high percentile as a line with a dot at the middle one, on one scale from 0."""
    most = _round_up(max(one.high for one in ranges))
    width = _WIDTH - _NAME - _RIGHT
    height = _ROW * len(ranges) + _BOTTOM
    parts = []
    for quarter in range(5):
        x = _NAME + width * quarter / 4
        parts.append(f'<line class="grid" x1="{x:g}" x2="{x:g}" y1="4" y2="{height - _BOTTOM:g}"/>')
        parts.append(f'<text class="middle" x="{x:g}" y="{height - 8:g}">{most * quarter / 4:g} {escape(unit)}</text>')
    for number, one in enumerate(ranges):
        y = _ROW * (number + 0.5) + 2
        low, middle, high = (_NAME + width * value / most for value in (one.low, one.middle, one.high))
        parts.append(_name(one.name, y))
        parts.append(f'<line class="span" x1="{low:.1f}" x2="{high:.1f}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(f'<line class="mark" x1="{high:.1f}" x2="{high:.1f}" y1="{y - 6:g}" y2="{y + 6:g}"/>')
        parts.append(f'<circle class="dot" cx="{middle:.1f}" cy="{y:g}" r="5"/>')
    words = "; ".join(f"{one.name}: {one.low:g}, {one.middle:g} and {one.high:g} {unit}" for one in ranges)
    return _svg(title, words, height, "".join(parts))


_HEIGHTS: dict[State, float] = {"healthy": 8.0, "degraded": 14.0, "failing": 20.0, "unknown": 3.0}
"""Strips differ in height too, for those who cannot tell their colours apart."""


def health_plot(lines: Sequence[AvailabilityLine]) -> str:
    """Give each site's states of health over time, as strips on one scale."""
    spells = [spell for line in lines for spell in line.spells]
    begin, end = min(spell.begin_us for spell in spells), max(spell.end_us for spell in spells)
    width = _WIDTH - _NAME - 8.0
    parts = []
    for number, line in enumerate(lines):
        y = _ROW * (number + 0.5) + 2
        parts.append(_name(line.site, y))
        for spell in line.spells:
            tall = _HEIGHTS[spell.state]
            x = _NAME + width * (spell.begin_us - begin) / (end - begin)
            wide = max(0.6, width * (spell.end_us - spell.begin_us) / (end - begin))
            parts.append(_rect(spell.state, x, y + 10 - tall, wide, tall, f"<title>{spell.state}</title>"))
    words = "; ".join(f"{line.site}: healthy for {_percent(line.share('healthy'))} of the time known" for line in lines)
    return _svg("Health over time", words, _ROW * len(lines) + 8, "".join(parts))


def rate_bar(rate: tuple[float, float, float]) -> str:
    """Give a share (value, low, high in [0, 1]) as a small bar with its interval; for a table's cell, which says it in words."""
    value, low, high = (100.0 * share for share in rate)
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" x="0" y="4" width="100" height="2"/>'
        f'<rect class="band" x="{low:.1f}" y="1.5" width="{max(0.8, high - low):.1f}" height="7"/>'
        f'<rect class="value" x="{min(98.0, max(0.0, value - 1)):.1f}" y="0" width="2" height="10"/></svg>'
    )


def _name(name: str, y: float) -> str:
    shown = printable(name if len(name) <= 20 else name[:19] + "…")
    return f'<text class="end" x="{_NAME - 8:g}" y="{y + 4:g}">{escape(shown)}</text>'


def _rect(kind: str, x: float, y: float, width: float, height: float, inside: str = "") -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">{inside}</rect>'


def _svg(title: str, words: str, height: float, inside: str) -> str:
    label = escape(printable(f"{title}. {words}"), quote=True)
    return f'<svg class="plot" role="img" viewBox="0 0 {_WIDTH:g} {height:g}" aria-label="{label}">{inside}</svg>'


def _percent(share: float | None) -> str:
    return "an unknown share" if share is None else f"{100 * share:.1f} %"


def _round_up(value: float) -> float:
    """Give the next number that divides into four even steps: 4, 8, 12, 20, 40 and so on, times a power of ten."""
    scale = 1.0
    while value > 80 * scale:
        scale *= 10
    while value <= 2 * scale and scale > 1e-3:
        scale /= 10
    return next(step * scale for step in (2, 4, 8, 12, 16, 20, 40, 60, 80) if value <= step * scale + 1e-12)
