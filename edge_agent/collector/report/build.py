"""A report as values, counted over the archive. Nothing here knows how it will be shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from edge_agent.collector.archive.store import Archive
from edge_agent.collector.missing import told_missing
from edge_agent.collector.report.groups import by_country, meanings
from edge_agent.kpi.availability import AvailabilityLine, Heard, Window, availability
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.figures import Figures, Question
from edge_agent.kpi.missing import MissingLine, missing
from edge_agent.kpi.rates import (
    DetectionLine,
    ObstacleLine,
    Scope,
    SetAsideLine,
    Summary,
    detections_by_day,
    facts_told,
    obstacles,
    outcome_counts,
)
from edge_agent.kpi.shadow import ShadowLine, compare

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TOLD_EVERY = 1000


class Grouping(Protocol):
    """What the administrator says of groups; ``CollectorConfig`` satisfies it."""

    @property
    def origin_groups(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]: ...


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report says. ``made_at``: aware. ``figures``: None where kinds of scans are mixed, for then there are none.

    ``others``: scans of the same days that are of other kinds, (kind, scans); ``facts``: (site, kind, number), about scans of all kinds;
    ``unread``: (site, why, number of rows).
    """

    scope: Scope
    made_at: datetime
    figures: Figures | None
    summaries: tuple[Summary, ...]
    detections: tuple[DetectionLine, ...]
    obstacles: tuple[ObstacleLine, ...]
    set_aside: tuple[SetAsideLine, ...]
    others: tuple[tuple[str, int], ...]
    availability: tuple[AvailabilityLine, ...]
    missing: tuple[MissingLine, ...]
    facts: tuple[tuple[str, str, int], ...]
    unread: tuple[tuple[str, str, int], ...]


def question(scope: Scope, grouping: Grouping, now: datetime, asker: str = "") -> Question:
    """Give what to ask of the cases. ``now``: aware; ``asker``: token of the officer who asks for own figures, else empty."""
    return Question(scope, microseconds(now), meanings(grouping.classes), by_country(grouping.origin_groups), asker)


def build(archive: Archive, asked: Question, told: Callable[[int], None] = lambda _: None) -> Report:
    """Count the archive within the question's scope, as of one moment.

    ``told``: called with the number of cases read so far, now and then.
    """
    with archive.snapshot():
        return _built(archive, asked, told)


def _built(archive: Archive, asked: Question, told: Callable[[int], None]) -> Report:
    scope = asked.scope
    counts = outcome_counts(archive.outcomes(scope.period), scope)
    return Report(
        scope=scope,
        made_at=_EPOCH + asked.now_us * _MICROSECOND,
        figures=None if scope.wanted is KindFilter.ALL else _counted(archive, asked, told),
        summaries=tuple(counts.summaries()),
        detections=tuple(detections_by_day(archive.detections(scope.period), scope)),
        obstacles=tuple(obstacles(archive.obstacles(scope.period), scope)),
        set_aside=tuple(counts.set_aside()),
        others=tuple(counts.others()),
        availability=tuple(availability(archive.health(scope.period), windows(archive.heard(), scope, asked.now_us))),
        missing=tuple(missing(told_missing(archive.site_audits(scope.period)), scope)),
        facts=tuple(facts_told(archive.fact_tallies(scope.period), scope)),
        unread=tuple(archive.unread()),
    )


def count(archive: Archive, asked: Question, told: Callable[[int], None] = lambda _: None) -> Figures:
    """Count the cases alone, as of one moment; one pass, a page of them in memory at a time."""
    with archive.snapshot():
        return _counted(archive, asked, told)


def _counted(archive: Archive, asked: Question, told: Callable[[int], None]) -> Figures:
    counted = Figures(asked)
    for number, case in enumerate(archive.cases(asked.scope.period), 1):
        counted.add(case)
        if number % _TOLD_EVERY == 0:
            told(number)
    return counted


def shadows(archive: Archive, scope: Scope) -> tuple[ShadowLine, ...]:
    """Compare bundles on trial in shadow with the ones in force."""
    return tuple(compare(archive.shadowed(scope.period), scope))


def windows(heard: Mapping[str, Heard], scope: Scope, now_us: int) -> dict[str, Window]:
    """Give the span of time that each site's availability is over: the period's local days, from its first fact, up to now."""
    spans = {}
    for site, spoken in heard.items():
        zone = scope.zones.get(site, scope.zone)
        first, last = scope.period.first, scope.period.last
        begin_us = spoken.first_us if first is None else max(spoken.first_us, microseconds(datetime.combine(first, time(), zone)))
        end_us = (
            now_us
            if last is None or last == date.max
            else min(now_us, microseconds(datetime.combine(last + timedelta(days=1), time(), zone)))
        )
        spans[site] = Window(begin_us, max(begin_us, end_us), spoken.last_us, spoken.ahead_us)
    return spans


def microseconds(at: datetime) -> int:
    """Give an aware moment as microseconds since 1970 UTC."""
    return (at - _EPOCH) // _MICROSECOND
