"""A report as one HTML page that needs nothing else: no script, no network, no font. Reads well on paper, in the dark and by ear."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from html import escape
from importlib import resources

from edge_agent.collector.report.build import Report
from edge_agent.collector.report.cells import Cell, Section, is_part_of_rate, is_rate, percent, printable, quantile, shown
from edge_agent.collector.report.plots import DayBar, Range, days_plot, health_plot, ranges_plot, rate_bar
from edge_agent.collector.report.sections import sections
from edge_agent.kpi.eligible import SIMULATED, KindFilter
from edge_agent.kpi.figures import Figures, all_flow
from edge_agent.kpi.hits import Hits, Line
from edge_agent.kpi.rates import MINIMUM_N, Rate, Scope
from edge_agent.kpi.spread import Spread

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEHIND_A_FOLD = frozenset({"days", "facts"})
_FILES_ONLY = frozenset({"detections"})
_WINDOW_DAYS = 7
_MOST_DAYS = 400
"""So many bars can be told apart; and one scan of a machine whose clock began in 1970 must not make a plot of twenty thousand."""
_STATES = ("healthy", "degraded", "failing", "unknown")


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure at the top of a page: what it is, the figure, and what to know about it."""

    name: str
    figure: str
    beside: str


def page(report: Report) -> str:
    """Give the report as a page."""
    parts = [] if report.figures is None else [tiles(report_tiles(report.figures)), *_plots(report, report.figures)]
    filled = [section for section in sections(report) if section.rows and section.name not in _FILES_ONLY]
    parts += [section_html(section, is_folded=section.name in _BEHIND_A_FOLD) for section in filled]
    parts.append("<p>Detections by day and class are in the CSV and JSON forms of this report.</p>")
    words = f"{_period(report.scope)}, days by each site's own calendar. Made {report.made_at:%Y-%m-%d %H:%M} UTC."
    return document("Scans and figures", words, _warning(report), [(section.name, section.title) for section in filled], parts)


def document(title: str, words: str, warning: str, links: Sequence[tuple[str, str]], parts: Iterable[str]) -> str:
    """Put a page together. ``links``: (name, title) of its tables; ``warning``: empty for none."""
    listed = "".join(f'<li><a href="#{name}">{escape(text.split(":")[0])}</a></li>' for name, text in links)
    flag = f'<p class="flag" role="note">{escape(warning)}</p>' if warning else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#content">To the figures</a>\n<header><h1>{escape(title)}</h1>\n<p class="soft">{escape(words)}</p>{flag}'
        f'<nav aria-label="Tables"><ul>{listed}</ul></nav></header>\n<main id="content">\n'
        + "\n".join(parts)
        + "\n</main>\n<footer><p>Intervals are Wilson's at 95 %. Percentiles are within 1 %. Figures over fewer than 30 scans are too few "
        "to say anything.</p></footer>\n</body>\n</html>\n"
    )


def _style() -> str:
    return (resources.files(__package__) / "page.css").read_text("utf-8")


def report_tiles(figures: Figures) -> list[Tile]:
    """Give the figures that everybody asks for first; the counts stand before the rates."""
    line, flow = figures.total, all_flow(figures)
    hits, truth = line.hits, line.unbiased
    detection = Tile("Detection", "too few to say", "no random or scan-all sample of which nine in ten were examined")
    if truth is not None:
        detection = rate_tile("Detection", truth.detection, "of scans in which something was found, random and scan-all only")
    return [
        Tile("Alerts", f"{hits.alerted:,}", f"of {line.assessed:,} assessed scans"),
        Tile("Examined", f"{hits.examined:,}", _pending_words(hits, figures.question.now_us)),
        Tile("Confirmed", f"{hits.confirmed:,}", f"{hits.disputed:,} more disputed"),
        rate_tile("Hit rate", hits.hit_rate, "confirmed of examined alerts"),
        detection,
        rate_tile("Assessed", line.coverage, f"of accepted scans; {line.unassessable:,} could not be judged"),
        Tile("Latency", _seconds(flow.latency_s, 0.5), f"median; 99 of 100 within {_seconds(flow.latency_s, 0.99)}"),
        Tile("Scans an hour", "-" if flow.scans_an_hour is None else f"{flow.scans_an_hour:.1f}", f"busiest hour {flow.busiest_hour:,}"),
    ]


def rate_tile(name: str, rate: Rate, beside: str) -> Tile:
    """Give a rate with its interval and n, or say that there are too few."""
    if rate.value is None or rate.is_too_few:
        return Tile(name, "too few to say", f"{beside}; n {rate.n}")
    low, high = 100 * rate.interval.low, 100 * rate.interval.high
    return Tile(name, f"{100 * rate.value:.1f} %", f"{low:.1f} to {high:.1f} %, n {rate.n:,}; {beside}")


def tiles(some: Iterable[Tile]) -> str:
    """Give the figures at the top."""
    inside = "".join(
        f'<div><dt>{escape(one.name)}</dt><dd>{escape(one.figure)}</dd><dd class="small">{escape(one.beside)}</dd></div>' for one in some
    )
    return f'<dl class="tiles">{inside}</dl>'


def section_html(section: Section, *, is_folded: bool = False) -> str:
    """Give a section's tables with its heading and note."""
    whole = tuple(name for name in section.columns if not is_part_of_rate(name, section.columns))
    inside = "".join(_table(section, title or section.title, columns) for title, columns in section.screens or (("", whole),))
    note = f'<p class="soft">{escape(section.note)}</p>' if section.note else ""
    folded = f"<details><summary>{len(section.rows)} rows</summary>{inside}</details>" if is_folded else inside
    return f'<section><h2 id="{section.name}">{escape(section.title)}</h2>{note}{folded}</section>'


def _table(section: Section, title: str, columns: Sequence[str]) -> str:
    names, records = shown(section, columns)
    head = "".join(f'<th scope="col"{_align(section, name)}>{escape(name.replace("_", " "))}</th>' for name in names)
    body = "".join(f"<tr>{''.join(_cells(section, record, names))}</tr>" for record in records)
    caption = "" if title == section.title else f"<caption>{escape(title)}</caption>"
    return (
        f'<div class="wide" role="region" aria-label="{escape(title, quote=True)}" tabindex="0">'
        f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(section: Section, record: dict[str, Cell], columns: Sequence[str]) -> Iterator[str]:
    for number, name in enumerate(columns):
        if number == 0:
            yield f'<th scope="row">{escape(_text(record[name]))}</th>'
        elif is_rate(name, section.columns):
            yield _rate_cell(record, name)
        elif name in section.shares:
            yield f"<td>{percent(record[name])}</td>"
        else:
            yield f"<td{_align(section, name)}>{escape(_text(record[name]))}</td>"


def _rate_cell(record: dict[str, Cell], name: str) -> str:
    value, low, high, n = (record[name + end] for end in ("", "_low", "_high", "_n"))
    if not isinstance(value, float) or not isinstance(low, float) or not isinstance(high, float):
        return f'<td class="share">-<small>n {_text(n)}</small></td>' if n is not None else '<td class="share">-</td>'
    if isinstance(n, int) and n < MINIMUM_N:
        return f'<td class="share">too few<small>n {n}</small></td>'
    words = f"{100 * low:.1f} to {100 * high:.1f}, n {_text(n)}"
    return f'<td class="share">{100 * value:.1f} %{rate_bar((value, low, high))}<small>{words}</small></td>'


def _align(section: Section, name: str) -> str:
    place = section.columns.index(name)
    return ' class="text"' if any(isinstance(row[place], str) for row in section.rows) else ""


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else printable(str(cell))


def _plots(report: Report, figures: Figures) -> Iterator[str]:
    bars = day_bars(figures)
    if bars:
        caption = (
            "Bars: alerts a day, left scale. Line and band: hit rate of the last seven days with its interval, right scale, where n ≥ 30. "
            "The last 400 days at most, and none to come."
        )
        yield _figure("Alerts and hit rate", days_plot(bars), caption)
    slow = [one for site, flow in sorted(figures.flow.items()) if (one := _latency(site, flow.latency_s)) is not None]
    if slow:
        caption = "Line: from median to 99th percentile; dot: 90th percentile; seconds from acceptance to the assessment."
        yield _figure("Latency", ranges_plot("Latency by site", "s", slow), caption)
    lines = [line for line in report.availability if line.spells]
    if lines:
        legend = "".join(
            f'<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{state}" width="10" height="10"/></svg>{state}</li>'
            for state in _STATES
        )
        yield _figure("Health", health_plot(lines) + f'<ul class="legend">{legend}</ul>', "What each site said of its own health.")


def day_bars(figures: Figures) -> list[DayBar]:
    """Give every day from the first to the last, those without scans included; hit rates over the seven days up to each.

    At most the last 400 days up to the report's, and none behind it: a day to come is some clock's error.
    """
    today = (_EPOCH + timedelta(microseconds=figures.question.now_us)).date() + timedelta(days=1)  # it may be tomorrow already at a site
    past = [day for day in figures.days if day <= today]
    if not past:
        return []
    last = max(past)
    first = min(day for day in past if (last - day).days < _MOST_DAYS)
    bars = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        alerts = figures.days[day].hits.alerted if day in figures.days else 0
        bars.append(DayBar(day, alerts, _recent(figures.days, day)))
    return bars


def _recent(days: dict[date, Line], day: date) -> Rate | None:
    window = [days[at].hits for back in range(_WINDOW_DAYS) if (at := day - timedelta(days=back)) in days]
    rate = Rate(sum(hits.confirmed for hits in window), sum(hits.examined for hits in window))
    return None if rate.is_too_few else rate


def _latency(site: str, spread: Spread) -> Range | None:
    low, middle, high = (quantile(spread, share) for share in (0.5, 0.9, 0.99))
    return None if low is None or middle is None or high is None else Range(site, low, middle, high)


def _figure(title: str, plot: str, caption: str) -> str:
    return (
        f"<section><h2>{escape(title)}</h2><figure>"
        f'<div class="wide" role="region" aria-label="{escape(title, quote=True)}, plot" tabindex="0">{plot}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure></section>"
    )


def _pending_words(hits: Hits, now_us: int) -> str:
    if hits.oldest_pending_us is None:
        return "no alert waits for its result"
    days = max(0, now_us - hits.oldest_pending_us) / 86_400_000_000
    return f"{hits.pending:,} pending, the oldest for {days:.0f} days; {hits.called_off:,} called off"


def _seconds(spread: Spread, share: float) -> str:
    value = quantile(spread, share)
    return "too few to say" if value is None else f"{value:g} s"


def _period(scope: Scope) -> str:
    first, last = scope.period.first, scope.period.last
    return f"{first.isoformat() if first else 'From the beginning'} to {last.isoformat() if last else 'now'}"


def _warning(report: Report) -> str:
    if not report.summaries and report.others:
        return "No such scans on these days; the stored ones are of other kinds, below"
    match report.scope.wanted:
        case KindFilter.SYNTHETIC:
            return f"{SIMULATED}: no figure here says anything about real traffic"
        case KindFilter.ALL:
            return "Scans of every kind: counts only, no figures"
        case KindFilter.LIVE:
            return ""
