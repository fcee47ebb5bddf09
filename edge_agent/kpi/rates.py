"""Roll-ups over counted facts: outcomes, detections, obstacles and set-asides by site, scanner and site-local day.

An archive counts facts by quarter of an hour in UTC; here the quarters become days. Every zone in use since 1973 differs from UTC by
a multiple of 15 minutes, so no quarter lies in two days.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
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
class FactTally:
    """Facts of one kind (``fact``) that a site told, about scans of every kind or about itself."""

    site: str
    fact: str
    quarter: int
    facts: int


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


def _within(tallies: Iterable[_Tally], scope: Scope) -> Iterator[_Tally]:
    return (tally for tally in tallies if scope.covers(tally))


class OutcomeCounts:
    """Scans by outcome and kind, as far as the tallies that were added go; its size does not grow with the period."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._counts: defaultdict[tuple[str, str, str], Counter[Outcome]] = defaultdict(Counter)
        self._selections: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._reasons: Counter[tuple[str, str, str]] = Counter()
        self._others: Counter[str] = Counter()

    def add(self, tally: OutcomeTally) -> None:
        """Count a tally if it is of the wanted period; scans of other kinds by themselves."""
        if not self._scope.covers(tally):
            if self._scope.period.contains(self._scope.day(tally)):
                self._others[tally.kind] += tally.scans
            return
        key = (tally.site, tally.scanner, self._scope.kind(tally))
        self._counts[key][tally.outcome] += tally.scans
        if tally.outcome is Outcome.SET_ASIDE:
            self._reasons[tally.site, tally.scanner, tally.reason] += tally.scans
        else:
            self._selections[key].add(tally.selection)

    def summaries(self) -> list[Summary]:
        """Give the outcomes by site, scanner and kind, sorted."""
        return [self._summary(key) for key in sorted(self._counts)]

    def set_aside(self) -> list[SetAsideLine]:
        """Give how many scans were set aside, by reason."""
        return [SetAsideLine(*key, scans=self._reasons[key]) for key in sorted(self._reasons)]

    def others(self) -> list[tuple[str, int]]:
        """Give how many scans of the period are of kinds that are not wanted: (kind, scans)."""
        return sorted(self._others.items())

    def _summary(self, key: tuple[str, str, str]) -> Summary:
        counts = self._counts[key]
        return Summary(
            *key,
            alert=counts[Outcome.ALERT],
            no_alert=counts[Outcome.NO_ALERT],
            unassessable=counts[Outcome.UNASSESSABLE],
            set_aside=counts[Outcome.SET_ASIDE],
            is_unbiased=is_unbiased(self._selections[key]),
        )


def outcome_counts(tallies: Iterable[OutcomeTally], scope: Scope) -> OutcomeCounts:
    """Count ``tallies``."""
    counts = OutcomeCounts(scope)
    for tally in tallies:
        counts.add(tally)
    return counts


def summarise(tallies: Iterable[OutcomeTally], scope: Scope) -> list[Summary]:
    """Count outcomes by site, scanner and kind, sorted."""
    return outcome_counts(tallies, scope).summaries()


def facts_told(tallies: Iterable[FactTally], scope: Scope) -> list[tuple[str, str, int]]:
    """Count facts of the period: (site, kind of fact, number), sorted."""
    counts: Counter[tuple[str, str]] = Counter()
    for tally in tallies:
        if scope.period.contains(local_day(tally.quarter, scope.zones.get(tally.site, scope.zone))):
            counts[tally.site, tally.fact] += tally.facts
    return [(*key, counts[key]) for key in sorted(counts)]


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
    counts: dict[tuple[str, str, str, str, date], tuple[int, int, int, float]] = {}
    for tally in _within(tallies, scope):
        key = (tally.site, tally.scanner, tally.kind, tally.label, scope.day(tally))
        detections, scans, alerts, best = counts.get(key, (0, 0, 0, tally.best_score))
        counts[key] = (detections + tally.detections, scans + tally.scans, alerts + tally.alerts, max(best, tally.best_score))
    return [DetectionLine(*key, *counts[key]) for key in sorted(counts)]


def obstacles(tallies: Iterable[ObstacleTally], scope: Scope) -> list[ObstacleLine]:
    """Count scans by obstacle. Only a blocking obstacle of an unassessable scan is why it could not be assessed."""
    counts: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for tally in _within(tallies, scope):
        is_cause = tally.is_blocking and tally.outcome is Outcome.UNASSESSABLE
        counts[tally.site, tally.scanner, tally.kind, tally.code][0 if is_cause else 1] += tally.scans
    return [ObstacleLine(*key, unassessable=counts[key][0], noted=counts[key][1]) for key in sorted(counts)]
