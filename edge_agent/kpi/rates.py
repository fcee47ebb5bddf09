"""Roll-ups over counted facts: outcomes, detections, obstacles and set-asides by site, scanner and site-local day.

An archive counts facts by quarter of an hour in UTC; here the quarters become days. Every zone in use since 1973 differs from UTC by
a multiple of 15 minutes, so no quarter lies in two days.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Protocol, TypeVar

from edge_agent.kpi.eligible import UNKNOWN_KIND, KindFilter, is_counted, is_unbiased
from edge_agent.kpi.intervals import Interval, wilson

QUARTER_S = 900
MINIMUM_N = 30
"""Below this many scans a rate is shown as "too few": its interval is wider than anything one could decide by."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Outcome(StrEnum):
    """How the machine's work on a scan ended."""

    ALERT = "alert"
    NO_ALERT = "no-alert"
    UNASSESSABLE = "unassessable"
    SET_ASIDE = "set-aside"


@dataclass(frozen=True, slots=True)
class Rate:
    """A proportion that never travels without its n."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]; None over nothing."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> Interval:
        """The 95 % Wilson interval."""
        return wilson(self.hits, self.n)

    @property
    def is_too_few(self) -> bool:
        return self.n < MINIMUM_N


@dataclass(frozen=True, slots=True)
class Period:
    """Site-local days, both ends included; None is open."""

    first: date | None = None
    last: date | None = None

    def __post_init__(self) -> None:
        if self.first and self.last and self.last < self.first:
            raise ValueError("a period does not end before it begins")

    def contains(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a report covers. ``zones``: zone by site; ``zone``: for a site that is not in it."""

    zone: tzinfo
    zones: Mapping[str, tzinfo]
    period: Period = Period()
    wanted: KindFilter = KindFilter.LIVE

    def day(self, tally: "Counted") -> date:
        """Give the site's local day of a tally."""
        return local_day(tally.quarter, self.zones.get(tally.site, self.zone))

    def kind(self, tally: "Counted") -> str:
        """Give the kind to show a tally under: where a report is about one kind, scans of unknown kind lower its coverage."""
        return self.wanted.value if tally.kind == UNKNOWN_KIND and self.wanted is not KindFilter.ALL else tally.kind

    def covers(self, tally: "Counted") -> bool:
        return is_counted(tally.kind, self.wanted) and self.period.contains(self.day(tally))


class Counted(Protocol):
    """What every tally has: where, what kind of scan, and the quarter of an hour (number since 1970 UTC) of its fact."""

    @property
    def site(self) -> str: ...
    @property
    def scanner(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def quarter(self) -> int: ...


@dataclass(frozen=True, slots=True)
class OutcomeTally:
    """Scans by the last outcome of their newest revision. ``reason``: the code of a set-aside, else empty."""

    site: str
    scanner: str
    kind: str
    selection: str
    outcome: Outcome
    reason: str
    quarter: int
    scans: int


@dataclass(frozen=True, slots=True)
class DetectionTally:
    """Detections of one label. ``scans``: scans with at least one; ``alerts``: of these, scans that the label itself put on alert."""

    site: str
    scanner: str
    kind: str
    label: str
    quarter: int
    detections: int
    scans: int
    alerts: int
    best_score: float


@dataclass(frozen=True, slots=True)
class ObstacleTally:
    """Scans with an obstacle. ``outcome``: what they came to nevertheless."""

    site: str
    scanner: str
    kind: str
    code: str
    outcome: Outcome
    is_blocking: bool
    quarter: int
    scans: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Scans of one scanner and kind by outcome; a scan counts once, by its newest revision."""

    site: str
    scanner: str
    kind: str
    alert: int
    no_alert: int
    unassessable: int
    set_aside: int
    is_unbiased: bool

    @property
    def assessed(self) -> int:
        return self.alert + self.no_alert + self.unassessable

    @property
    def coverage(self) -> Rate:
        """Assessed among accepted. Scans still in flight at the site are in neither: headquarters does not know them yet."""
        return Rate(self.assessed, self.assessed + self.set_aside)

    @property
    def alert_rate(self) -> Rate:
        return Rate(self.alert, self.assessed)


@dataclass(frozen=True, slots=True)
class DetectionLine:
    """Detections of one label on one site-local day."""

    site: str
    scanner: str
    kind: str
    label: str
    day: date
    detections: int
    scans: int
    alerts: int
    best_score: float


@dataclass(frozen=True, slots=True)
class ObstacleLine:
    """Scans with an obstacle: ``unassessable`` because of it, ``noted`` where the machine concluded in spite of it."""

    site: str
    scanner: str
    kind: str
    code: str
    unassessable: int
    noted: int


@dataclass(frozen=True, slots=True)
class SetAsideLine:
    """Scans set aside for one reason."""

    site: str
    scanner: str
    reason: str
    scans: int


def quarter_of(at: datetime) -> int:
    """Give the number of the quarter of an hour since 1970 UTC in which an aware moment lies."""
    return (at - _EPOCH) // timedelta(seconds=QUARTER_S)


def local_day(quarter: int, zone: tzinfo) -> date:
    """Give the day of a quarter of an hour by the calendar of ``zone``."""
    return (_EPOCH + timedelta(seconds=QUARTER_S * quarter)).astimezone(zone).date()


_Tally = TypeVar("_Tally", bound=Counted)


def _within(tallies: Iterable[_Tally], scope: Scope) -> list[_Tally]:
    return [tally for tally in tallies if scope.covers(tally)]


def summarise(tallies: Iterable[OutcomeTally], scope: Scope) -> list[Summary]:
    """Count outcomes by site, scanner and kind, sorted."""
    groups: dict[tuple[str, str, str], list[OutcomeTally]] = defaultdict(list)
    for tally in _within(tallies, scope):
        groups[tally.site, tally.scanner, scope.kind(tally)].append(tally)
    return [_summary(key, groups[key]) for key in sorted(groups)]


def _summary(key: tuple[str, str, str], group: list[OutcomeTally]) -> Summary:
    counts: dict[Outcome, int] = defaultdict(int)
    for tally in group:
        counts[tally.outcome] += tally.scans
    judged = [tally.selection for tally in group if tally.outcome is not Outcome.SET_ASIDE]
    return Summary(
        *key,
        alert=counts[Outcome.ALERT],
        no_alert=counts[Outcome.NO_ALERT],
        unassessable=counts[Outcome.UNASSESSABLE],
        set_aside=counts[Outcome.SET_ASIDE],
        is_unbiased=is_unbiased(judged),
    )


def total(lines: Iterable[Summary]) -> Summary:
    """Add summaries up over all sites, scanners and kinds."""
    lines = list(lines)
    return Summary(
        site="*",
        scanner="*",
        kind="*",
        alert=sum(line.alert for line in lines),
        no_alert=sum(line.no_alert for line in lines),
        unassessable=sum(line.unassessable for line in lines),
        set_aside=sum(line.set_aside for line in lines),
        is_unbiased=all(line.is_unbiased for line in lines),
    )


def detections_by_day(tallies: Iterable[DetectionTally], scope: Scope) -> list[DetectionLine]:
    """Add detections up by site, scanner, kind, label and site-local day, sorted."""
    groups: dict[tuple[str, str, str, str, date], list[DetectionTally]] = defaultdict(list)
    for tally in _within(tallies, scope):
        groups[tally.site, tally.scanner, tally.kind, tally.label, scope.day(tally)].append(tally)
    return [
        DetectionLine(
            *key,
            detections=sum(tally.detections for tally in groups[key]),
            scans=sum(tally.scans for tally in groups[key]),
            alerts=sum(tally.alerts for tally in groups[key]),
            best_score=max(tally.best_score for tally in groups[key]),
        )
        for key in sorted(groups)
    ]


def obstacles(tallies: Iterable[ObstacleTally], scope: Scope) -> list[ObstacleLine]:
    """Count scans by obstacle. Only a blocking obstacle of an unassessable scan is why it could not be assessed."""
    counts: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for tally in _within(tallies, scope):
        is_cause = tally.is_blocking and tally.outcome is Outcome.UNASSESSABLE
        counts[tally.site, tally.scanner, tally.kind, tally.code][0 if is_cause else 1] += tally.scans
    return [ObstacleLine(*key, unassessable=counts[key][0], noted=counts[key][1]) for key in sorted(counts)]


def set_aside_reasons(tallies: Iterable[OutcomeTally], scope: Scope) -> list[SetAsideLine]:
    """Count scans that were set aside by reason."""
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for tally in _within(tallies, scope):
        if tally.outcome is Outcome.SET_ASIDE:
            counts[tally.site, tally.scanner, tally.reason] += tally.scans
    return [SetAsideLine(*key, scans=counts[key]) for key in sorted(counts)]
