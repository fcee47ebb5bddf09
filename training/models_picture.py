"""The pictures of docs/reference/models.md: bars as SVG text, the same bytes for the same figures, legible on a light and a dark page."""

from collections.abc import Mapping, Sequence
from html import escape

_LEFT, _SCALE, _RIGHT, _BAR, _GAP, _TOP = 120, 420, 60, 11, 8, 34
_TEXT, _LINE = "#808080", "#80808055"
_COLOURS = ("#4c78a8", "#f58518", "#54a24b")


def bars(title: str, series: Mapping[str, Mapping[str, float]]) -> str:
    """Give a chart of shares in [0, 1]: a bar for each series and group, grouped; ``series``: values by group, by the series' name.

    Groups stand in the order of the first series; a series that lacks a group has no bar there.
    """
    groups = list(next(iter(series.values())))
    tall = len(series) * _BAR + _GAP
    height = _TOP + len(groups) * tall + 22
    parts = [_open(title, _LEFT + _SCALE + _RIGHT, height), *_axis(height), *_legend(list(series))]
    for place, group in enumerate(groups):
        y = _TOP + place * tall
        parts.append(_text(_LEFT - 8, y + (tall - _GAP) / 2 + 4, group, "end"))
        for turn, values in enumerate(series.values()):
            if group in values:
                parts += _bar(y + turn * _BAR, values[group], _COLOURS[turn % len(_COLOURS)])
    return "\n".join([*parts, "</svg>", ""])


def _open(title: str, width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="sans-serif" font-size="11"><title>{escape(title)}</title>'
    )


def _axis(height: int) -> list[str]:
    """Give lines and numbers at every quarter."""
    lines = []
    for quarter in range(5):
        x = _LEFT + _SCALE * quarter / 4
        lines.append(f'<line x1="{x:g}" y1="{_TOP - 4}" x2="{x:g}" y2="{height - 20}" stroke="{_LINE}"/>')
        lines.append(_text(x, height - 6, f"{quarter / 4:g}", "middle"))
    return lines


def _legend(names: Sequence[str]) -> list[str]:
    if len(names) == 1:
        return [_text(_LEFT, 16, names[0], "start")]
    step = _SCALE // len(names)
    places = [(_LEFT + place * step, _COLOURS[place % len(_COLOURS)], name) for place, name in enumerate(names)]
    squares = [f'<rect x="{x}" y="8" width="10" height="10" fill="{colour}"/>' for x, colour, _ in places]
    return squares + [_text(x + 15, 17, name, "start") for x, _, name in places]


def _bar(y: float, value: float, colour: str) -> list[str]:
    wide = _SCALE * min(max(value, 0.0), 1.0)
    bar = f'<rect x="{_LEFT}" y="{y:g}" width="{wide:.1f}" height="{_BAR - 2}" fill="{colour}"/>'
    return [bar, _text(_LEFT + wide + 5, y + _BAR - 2, f"{value:.2f}", "start")]


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_TEXT}">{escape(words)}</text>'
