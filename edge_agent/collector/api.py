"""Headquarters' read API: what it answers, as plain functions that ``web`` serves. It only reads; a process of its own runs it.

Every answer is over the archive as it is now, provisional rows included, except for how the sites stand: that the collector says.
"""

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from edge_agent import __version__
from edge_agent.collector.api_figures import FigureDesk, TablesView
from edge_agent.collector.api_views import (
    DaysView,
    DayView,
    HealthView,
    ScansView,
    SiteStateView,
    SitesView,
    StoryView,
    day_view,
    fact_view,
    scan_view,
    site_view,
    sites_view,
)
from edge_agent.collector.archive.port import CasePage, ScanKey
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.config import CollectorConfig
from edge_agent.collector.metrics import site_metrics
from edge_agent.collector.read_lane import ReadLane
from edge_agent.collector.states import read_states
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import ScanId, SiteId
from edge_agent.errors import AddressUnknown, ArchiveAway, ArchiveBusy, ArchiveDamaged, RequestInvalid, StatesUnreadable, UnknownScan
from edge_agent.kpi.case import Case
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.rates import Outcome, OutcomeCounts, OutcomeTally, Period, Scope, total
from edge_agent.telemetry.metrics import CONTENT_TYPE, exposition
from edge_agent.web.answers import Blob
from edge_agent.web.routes import Route
from edge_agent.web.tokens import Scope as TokenScope

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DEFAULT_DAYS = 30
_MOST_DAYS = 400
_LATEST_US = (1 << 63) - 1
_COUNT_WITHIN_S = 120.0
_ARCHIVE = (ArchiveBusy, ArchiveAway, ArchiveDamaged)


def _written_out(day: object) -> object:
    """Refuse what is no day as the description says, though pydantic would take it: seconds since 1970, or a moment at midnight."""
    if isinstance(day, str) and _DAY.fullmatch(day) is None:
        raise ValueError("a day is written as 2026-03-01")
    return day


Limit = Annotated[int, Field(ge=1, le=500, description="scans on a page")]
FactLimit = Annotated[int, Field(ge=1, le=500, description="facts on a page")]
PassedOver = Annotated[int, Field(ge=0, le=1_000_000_000, description="`next` of the page before; 0 = the first page")]
SiteName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9._-]+$", description="the site's id")]
ScanUuid = Annotated[UUID, Field(description="as the site numbered it")]
Word = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9._-]*$", description="only these; empty = all")]
Day = Annotated[date | None, BeforeValidator(_written_out), Field(description="site-local day, included")]
PageCursor = Annotated[
    str, Field(max_length=300, pattern=r"^[A-Za-z0-9_-]*$", description="`next` of the page before; empty = the first page")
]
WantedOutcome = Annotated[Outcome | None, Field(description="only these")]


class ReadApi:
    """The handlers. ``lane``: the archive for short questions, ``figures``: for those that take their time."""

    def __init__(self, lane: ReadLane, figures: FigureDesk, config: CollectorConfig, clock: Clock) -> None:
        self._lane = lane
        self._figures = figures
        self._is_open = config.api is not None and config.api.transparency
        self._states = config.states_file
        self._zone = ZoneInfo(config.timezone)
        self._zones = config.zones()
        self._clock = clock

    def routes(self) -> list[Route]:
        """Give what is served, below /api/v1, and /metrics."""
        read, base = TokenScope.READ, "/api/v1"
        return [
            Route("GET", f"{base}/health", self.health, is_public=True, tag="about"),
            Route("GET", f"{base}/sites", self.sites, scope=read, tag="sites", refusals=(StatesUnreadable,)),
            Route("GET", f"{base}/sites/{{site}}", self.site, scope=read, tag="sites", refusals=(StatesUnreadable, AddressUnknown)),
            Route("GET", f"{base}/scans", self.scans, scope=read, tag="scans", refusals=_ARCHIVE),
            Route("GET", f"{base}/scans/{{site}}/{{scan_id}}", self.scan, scope=read, tag="scans", refusals=(UnknownScan, *_ARCHIVE)),
            Route("GET", f"{base}/days", self.days, scope=read, tag="figures", refusals=_ARCHIVE),
            Route("GET", f"{base}/kpis", self.kpis, scope=read, tag="figures", refusals=_ARCHIVE, most_s=_COUNT_WITHIN_S),
            self._transparency_route(f"{base}/transparency"),
            Route("GET", "/metrics", self.metrics, scope=TokenScope.METRICS, tag="about", refusals=(StatesUnreadable,)),
        ]

    async def health(self) -> HealthView:
        """Whether headquarters works, for monitoring; needs no token and names no site."""
        try:
            states = read_states(self._states)
        except StatesUnreadable:
            return HealthView(version=__version__, collector="absent", sites=0, alarms=0)
        alarms = sum(len(site.alarms) for site in states.sites)
        word = "dead" if states.is_dead(self._clock.now()) else "running"
        return HealthView(version=__version__, collector=word, sites=len(states.sites), alarms=alarms)

    async def sites(self) -> SitesView:
        """How all sites stand."""
        return sites_view(read_states(self._states), self._clock.now())

    async def site(self, site: SiteName) -> SiteStateView:
        """How one site stands."""
        found = next((one for one in read_states(self._states).sites if one.site == site), None)
        if found is None:
            raise AddressUnknown("no such site")
        return site_view(found)

    async def scans(  # noqa: PLR0913, PLR0917 - query parameters, each optional
        self,
        site: Word = "",
        scanner: Word = "",
        kind: Word = "live",
        outcome: WantedOutcome = None,
        since: Day = None,
        cursor: PageCursor = "",
        limit: Limit = 100,
    ) -> ScansView:
        """Scans, newest first, a page at a time. Live ones only, unless `kind` says otherwise (`kind=` is all)."""
        before = (_LATEST_US, "", "") if not cursor else _read_cursor(cursor)
        low_us = 0 if since is None else max(_day_us(since), 0)
        page = CasePage(limit + 1, before, low_us, site, scanner, kind, "" if outcome is None else outcome.value)
        found = await self._lane.ask(lambda archive: archive.case_page(page))
        shown = found[:limit]
        return ScansView(scans=tuple(scan_view(case) for case in shown), next=_cursor(shown[-1]) if len(found) > limit else None)

    async def scan(self, site: SiteName, scan_id: ScanUuid, after: PassedOver = 0, limit: FactLimit = 100) -> StoryView:
        """One scan with its facts, in the order of the site's journal, a page at a time."""
        key = ScanKey(SiteId(site), ScanId(str(scan_id)))
        case, facts = await self._lane.ask(lambda archive: (archive.case(key), archive.facts_of(key, after, limit + 1)))
        if case is None:
            raise UnknownScan("headquarters knows no such scan")
        shown = tuple(fact_view(fact) for fact in facts[:limit])
        return StoryView(scan=scan_view(case), facts=shown, next=after + limit if len(facts) > limit else None)

    async def days(self, since: Day = None, until: Day = None, site: Word = "") -> DaysView:
        """Live scans by outcome, site and day; the last 30 days, unless said otherwise."""
        period = self._period(since, until)
        scope = Scope(self._zone, self._zones, period, KindFilter.LIVE)

        def ask(archive: Archive) -> list[DayView]:
            with archive.snapshot():
                return _days((tally for tally in archive.outcomes(period) if site in ("", tally.site)), scope)

        return DaysView(days=tuple(await self._lane.ask(ask)))

    async def kpis(self, since: Day = None, until: Day = None) -> TablesView:
        """Every figure of the report, live scans only; the last 30 days, unless said otherwise. Counted anew once a minute at most."""
        return await self._figures.kpis(self._period(since, until))

    async def transparency(self) -> TablesView:
        """What may be published: the last twelve whole months, no officer, no scanner, no scan, no site that too little is known of."""
        return await self._figures.public()

    def _transparency_route(self, path: str) -> Route:
        scope = None if self._is_open else TokenScope.READ
        is_public = self._is_open
        return Route(
            "GET", path, self.transparency, scope=scope, is_public=is_public, tag="figures", refusals=_ARCHIVE, most_s=_COUNT_WITHIN_S
        )

    async def metrics(self) -> Blob:
        """Figures for Prometheus. Asked from this very machine it needs no token."""
        now = self._clock.now()
        return Blob(exposition(site_metrics(read_states(self._states), now)).encode(), CONTENT_TYPE)

    def _period(self, since: date | None, until: date | None) -> Period:
        last = until or self._clock.now().astimezone(self._zone).date()
        first = since or max(last, date(1971, 1, 1)) - timedelta(days=_DEFAULT_DAYS - 1)
        if last < first:
            raise RequestInvalid("until lies before since")
        if (last - first).days >= _MOST_DAYS:
            raise RequestInvalid(f"at most {_MOST_DAYS} days at once")
        return Period(first, last)


def _days(tallies: Iterable[OutcomeTally], scope: Scope) -> list[DayView]:
    by_day: defaultdict[tuple[date, str], OutcomeCounts] = defaultdict(lambda: OutcomeCounts(scope))
    for tally in tallies:
        if scope.covers(tally):
            by_day[scope.day(tally), tally.site].add(tally)
    return [day_view(site, day, total(by_day[day, site].summaries())) for day, site in sorted(by_day)]


def _cursor(case: Case) -> str:
    text = json.dumps([case.produced_us, case.site, case.scan_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[int, str, str]:
    try:
        at, site, scan_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError) as problem:
        raise RequestInvalid("this cursor is none of ours") from problem
    if not (isinstance(at, int) and abs(at) <= _LATEST_US and _is_name(site) and _is_name(scan_id)):
        raise RequestInvalid("this cursor is none of ours")
    return (at, site, scan_id)


def _is_name(word: object) -> bool:
    """Tell whether a word may stand in the archive: text, without NUL and without half of a surrogate pair, which no database takes."""
    return isinstance(word, str) and "\0" not in word and not any("\ud800" <= sign <= "\udfff" for sign in word)


def _day_us(day: date) -> int:
    """Give the first moment of a day in any zone, microseconds since 1970 UTC."""
    return (day.toordinal() - _EPOCH.toordinal()) * 86_400_000_000 - 14 * 3_600_000_000
