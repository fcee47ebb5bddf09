"""What may be published about the checks: no officer, no scanner, no scan, no declared origin, and no site that too little is known of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from edge_agent.collector.report.cells import Cell, Section, rate_cells, rate_columns
from edge_agent.collector.report.files import day_text
from edge_agent.collector.report.page import Tile, document, rate_tile, section_html, tiles
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.figures import By, Figures
from edge_agent.kpi.grouping import Group, merge_small
from edge_agent.kpi.hits import Line
from edge_agent.kpi.rates import MINIMUM_N, Rate

SCHEMA = "transparency/1.0"
_COLUMNS = ("assessed", "could_not_be_judged", "alerted", "examined", "confirmed")


@dataclass(frozen=True, slots=True)
class Transparency:
    """Public figures. ``sites``: small ones put together, so that none can be told from the total; ``classes``: those with enough."""

    first: date | None
    last: date | None
    total: Line
    sites: tuple[Group[Line], ...]
    classes: tuple[tuple[str, Rate, Rate], ...]
    """(class, hit rate, false alarms in random and scan-all samples)."""


def transparency(figures: Figures) -> Transparency:
    """Give what may be published of the figures.

    Raises:
        ValueError: the figures are not about live scans.
    """
    scope = figures.question.scope
    if scope.wanted is not KindFilter.LIVE:
        raise ValueError("only live scans are published")
    classes = tuple(
        (line.label, line.hits.hit_rate, line.false_alarms)
        for line in figures.classes.lines(figures.total.trusted)
        if not line.hits.hit_rate.is_too_few
    )
    sites = merge_small(figures.lines[By.SITE], lambda line: line.hits.examined, MINIMUM_N, _sum)
    return Transparency(scope.period.first, scope.period.last, figures.total, tuple(sites), classes)


def transparency_sections(public: Transparency) -> list[Section]:
    """Give the tables."""
    return [
        Section(
            "total",
            "All sites",
            (*_COLUMNS, "pending", *rate_columns("hit_rate", "detection", "misses", "false_alarms")),
            (_total_row(public.total),),
            "Hit rate: confirmed among examined alerts. Detection, misses and false alarms: among scans chosen at random and examined.",
        ),
        Section(
            "sites",
            "By site",
            ("sites", *_COLUMNS, *rate_columns("hit_rate")),
            tuple((", ".join(group.members), *_counts(group.counts), *_public(group.counts.hits.hit_rate)) for group in public.sites),
            f"Sites with fewer than {MINIMUM_N} examined alerts are put together with others.",
        ),
        Section(
            "classes",
            "By what the machine alerted on",
            ("class", *rate_columns("hit_rate", "false_alarms")),
            tuple((label, *_public(hit_rate), *_public(false_alarms)) for label, hit_rate, false_alarms in public.classes),
        ),
    ]


def transparency_content(public: Transparency) -> dict[str, object]:
    """Give the figures as JSON says them."""
    about: dict[str, object] = {"schema": SCHEMA, "from": day_text(public.first), "to": day_text(public.last)}
    return about | {section.name: section.records() for section in transparency_sections(public)}


def transparency_page(public: Transparency) -> str:
    """Give the figures as one page that needs nothing else."""
    shown = [section for section in transparency_sections(public) if section.rows]
    words = f"Scans concluded from {day_text(public.first) or 'the beginning'} to {day_text(public.last) or 'now'}."
    parts = [tiles(_tiles(public.total)), *_explained(), *(section_html(section) for section in shown)]
    links = [(section.name, section.title) for section in shown]
    return document("Automated assessment of X-ray scans", words, "", links, parts)


def _explained() -> Iterable[str]:
    yield (
        "<p>A machine looks at every scan and may raise an alert. It decides nothing: an officer does, with the machine's word beside the "
        "picture. An alert that is examined either is confirmed, when something is found, or is not. Some scans are chosen at random and "
        "examined whatever the machine says; only these show how much it misses.</p>"
    )


def _tiles(line: Line) -> list[Tile]:
    truth = line.unbiased
    misses = Tile("Missed", "too few to say", "too few scans were chosen at random and examined")
    return [
        Tile("Scans assessed", f"{line.assessed:,}", f"{line.unassessable:,} of them could not be judged"),
        Tile("Alerts", f"{line.hits.alerted:,}", f"{line.hits.examined:,} examined, {line.hits.pending:,} pending"),
        rate_tile("Hit rate", line.hits.hit_rate, "something was found, of examined alerts"),
        misses if truth is None else rate_tile("Missed", truth.misses, "of what was found in random samples"),
    ]


def _total_row(line: Line) -> tuple[Cell, ...]:
    truth = line.unbiased
    rates = (None, None, None) if truth is None else (truth.detection, truth.misses, truth.false_alarms)
    return (
        *(*_counts(line), line.hits.pending, *_public(line.hits.hit_rate)),
        *(cell for rate in rates for cell in _public(rate)),
    )


def _counts(line: Line) -> tuple[Cell, ...]:
    return (line.assessed, line.unassessable, line.hits.alerted, line.hits.examined, line.hits.confirmed)


def _public(rate: Rate | None) -> tuple[Cell, ...]:
    """Give a rate, but of too few scans its n alone."""
    if rate is not None and rate.is_too_few:
        return (None, None, None, rate.n)
    return rate_cells(rate)


def _sum(one: Line, other: Line) -> Line:
    both = Line()
    both.merge(one)
    both.merge(other)
    return both
