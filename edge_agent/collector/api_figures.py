"""The read API's figures: the report's tables over a period, and what may be published. Counting takes seconds, so it is done once.

Whoever asks for what is being counted waits for the same count; an answer serves for a minute, public figures for an hour.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import Field

from edge_agent.collector.api_views import View
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.config import CollectorConfig
from edge_agent.collector.read_lane import ReadLane
from edge_agent.collector.report.build import build, count, question
from edge_agent.collector.report.cells import Cell, Section
from edge_agent.collector.report.sections import sections
from edge_agent.collector.report.transparency import transparency, transparency_sections
from edge_agent.domain.clock import Clock
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.rates import Period, Scope

_FRESH_S = 60.0
_PUBLIC_FRESH_S = 3600.0
_MOST_KEPT = 32
_PUBLIC_MONTHS = 12

Table = list[dict[str, Cell]]


class TablesView(View):
    """Tables of figures about live scans, as `edge-agent report --format json` names them. Days are site-local, both ends included.

    A rate `x` has the columns `x`, `x_low`, `x_high` (95 % interval) and `x_n`; `remark` says when it means little.
    """

    first: date | None
    last: date | None
    made_at: datetime
    tables: dict[str, Table] = Field(examples=[{"hits": [{"by": "all", "alerted": 12, "examined": 9, "confirmed": 4}]}])


@dataclass(slots=True)
class _Kept:
    """A count that is under way or done. ``until``: how long it serves, monotonic."""

    task: "asyncio.Task[TablesView]"
    until: float


class FigureDesk:
    """Answers questions about figures over its own connection, so that nobody waits behind a long count for a short answer."""

    def __init__(self, lane: ReadLane, config: CollectorConfig, clock: Clock) -> None:
        self._lane = lane
        self._config = config
        self._clock = clock
        self._kept: OrderedDict[tuple[str, Period], _Kept] = OrderedDict()

    async def kpis(self, period: Period) -> TablesView:
        """Give every table of the report."""
        scope = self._scope(period)

        def ask(archive: Archive) -> Sequence[Section]:
            return sections(build(archive, question(scope, self._config, self._clock.now())))

        return await self._once("kpis", period, ask, _FRESH_S)

    async def public(self) -> TablesView:
        """Give what may be published: the last twelve whole months, and no other period.

        Two periods of somebody's choice, one day apart, would tell the figures of that day.
        """
        period = whole_months(self._clock.now().astimezone(ZoneInfo(self._config.timezone)).date(), _PUBLIC_MONTHS)
        scope = self._scope(period)

        def ask(archive: Archive) -> Sequence[Section]:
            return transparency_sections(transparency(count(archive, question(scope, self._config, self._clock.now()))))

        return await self._once("public", period, ask, _PUBLIC_FRESH_S)

    def _scope(self, period: Period) -> Scope:
        return Scope(ZoneInfo(self._config.timezone), self._config.zones(), period, KindFilter.LIVE)

    async def _once(self, name: str, period: Period, ask: Callable[[Archive], Sequence[Section]], fresh_s: float) -> TablesView:
        now, key = self._clock.monotonic(), (name, period)
        kept = self._kept.get(key)
        if kept is None or (kept.task.done() and (now >= kept.until or kept.task.exception() is not None)):
            kept = _Kept(asyncio.create_task(self._count(period, ask)), now + fresh_s)
            self._kept[key] = kept
            self._forget_old()
        return await asyncio.shield(kept.task)

    async def _count(self, period: Period, ask: Callable[[Archive], Sequence[Section]]) -> TablesView:
        found = await self._lane.ask(ask)
        tables = {section.name: section.records() for section in found}
        return TablesView(first=period.first, last=period.last, made_at=self._clock.now(), tables=tables)

    def _forget_old(self) -> None:
        for key in [key for key, kept in self._kept.items() if kept.task.done()][: max(len(self._kept) - _MOST_KEPT, 0)]:
            del self._kept[key]


def whole_months(today: date, months: int) -> Period:
    """Give the last ``months`` calendar months that are over."""
    last = today.replace(day=1) - timedelta(days=1)
    number = last.year * 12 + last.month - months
    return Period(date(number // 12, number % 12 + 1, 1), last)
