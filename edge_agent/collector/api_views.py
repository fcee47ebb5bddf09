"""What headquarters' read API gives: models with their meaning, which become its OpenAPI description.

Nothing here names a person: no officer, not even by token, no workstation, no note. Consignments appear as the sites' own tokens only.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.collector.archive.port import StoredFact
from edge_agent.collector.states import AlarmCode, Phase, SiteNow, States
from edge_agent.kpi.case import Case, words
from edge_agent.kpi.rates import Summary
from edge_agent.wire.messages import decode

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PERSONAL = frozenset({"officer", "workstation", "submitted_by"})
_COMMITMENT = "commitment"
"""Every part of a body that stands for an identifier or a text of a person holds one."""

_SITE = "nhava-sheva"
_SCAN = "6f1c2f0e-5d0f-5a43-9a59-0d4b8f6c2a11"
_AT = "2026-03-02T12:00:00Z"


class View(BaseModel):
    """Base of what the API gives."""

    model_config = ConfigDict(frozen=True)


class HealthView(View):
    """Whether headquarters works. ``collector``: running, dead (it stopped writing) or absent (none has run here)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": "0.1.0", "collector": "running", "sites": 3, "alarms": 0}]})

    version: str
    collector: Annotated[str, Field(pattern="^(running|dead|absent)$")]
    sites: int
    alarms: int


class AlarmView(View):
    """One thing that somebody must look at."""

    code: AlarmCode
    since: datetime
    detail: str


class SiteStateView(View):
    """How one site stands. ``lag``: rows that it has and headquarters has not verified yet. Empty or null: not known (yet)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"site": _SITE, "phase": "current", "since": _AT, "lag": 0, "health": "healthy", "alarms": []}]}
    )

    site: str
    group: str = ""
    phase: Phase
    since: datetime
    lag: int
    last_heard: datetime | None = None
    clock_skew_s: float | None = None
    health: str = ""
    health_reasons: tuple[str, ...] = ()
    disk_free: float | None = None
    oldest_unpulled_s: float | None = None
    version: str = ""
    policy_digest: str = ""
    bundles: tuple[str, ...] = ()
    alarms: tuple[AlarmView, ...] = ()


class SitesView(View):
    """All sites, as the collector said ``age_s`` seconds ago. ``is_dead``: it says nothing any more; nothing here is known to be so."""

    written_at: datetime
    age_s: float
    is_dead: bool
    sites: tuple[SiteStateView, ...]


class ScanView(View):
    """One scan as figures count it, by its newest revision. Times are UTC. ``conclusion``: what holds now, by whom (``concluded_by``).

    ``outcome``: the machine's: alert, no-alert, unassessable, set-aside. ``alerted``: what put it on alert. ``commodity``: HS heading of
    the first declared good. ``control``: found, nothing-found, not-examined; empty while no result has come.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "site": _SITE,
                    "scanner": "gate-1",
                    "scan_id": _SCAN,
                    "revision": 1,
                    "kind": "live",
                    "selection": "random",
                    "subject": "cargo",
                    "outcome": "alert",
                    "produced_at": _AT,
                    "alerted": ["handgun"],
                    "conclusion": "alert",
                    "concluded_by": "machine",
                }
            ]
        }
    )

    site: str
    scanner: str
    scan_id: str
    revision: int
    kind: str
    selection: str
    subject: str
    outcome: str
    reason: str = ""
    produced_at: datetime
    taken_at: datetime | None = None
    tz_assumed: bool = False
    alerted: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    provider: str = ""
    policy_digest: str = ""
    is_advisory: bool = False
    commodity: str = ""
    origin: str = ""
    latency_ms: float | None = None
    analyst: str = ""
    analyst_at: datetime | None = None
    supervisor: str = ""
    supervisor_at: datetime | None = None
    referred_by_clock: bool = False
    referred_by_officer: bool = False
    control: str = ""
    is_disputed: bool = False
    control_at: datetime | None = None
    found: tuple[str, ...] = ()
    conclusion: str = ""
    concluded_by: str = ""
    concluded_at: datetime | None = None


class ScansView(View):
    """A page of scans, newest first. ``next``: what to give as ``cursor`` for the page behind it; null at the end."""

    scans: tuple[ScanView, ...]
    next: str | None


class FactView(View):
    """One fact about a scan, in the order of the site's journal. ``is_provisional``: it came ahead; its chain is not verified yet.

    ``body``: as docs/reference/wire.md describes it, without what stands for persons. Its hash in the journal is over the whole body.
    """

    kind: str
    epoch: str
    seq: int
    hash: str
    received_at: datetime
    is_provisional: bool
    body: dict[str, Any]


class StoryView(View):
    """One scan with a page of its facts. ``next``: what to give as ``after`` for the page behind it; null at the end."""

    scan: ScanView
    facts: tuple[FactView, ...]
    next: int | None


class DayView(View):
    """One site-local day of one site. ``is_unbiased``: its rates hold for all traffic (random and scan-all selections only)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"site": _SITE, "day": "2026-03-02", "alert": 3, "no_alert": 90, "unassessable": 2, "set_aside": 0, "is_unbiased": False}
            ]
        }
    )

    site: str
    day: date
    alert: int
    no_alert: int
    unassessable: int
    set_aside: int
    is_unbiased: bool


class DaysView(View):
    """The daily series. Live scans only."""

    days: tuple[DayView, ...]


def sites_view(states: States, now: datetime) -> SitesView:
    """Give the states as the API tells them."""
    return SitesView(
        written_at=states.written_at,
        age_s=round(states.age_s(now), 1),
        is_dead=states.is_dead(now),
        sites=tuple(site_view(site) for site in states.sites),
    )


def site_view(site: SiteNow) -> SiteStateView:
    """Give one site's state."""
    return SiteStateView(
        **site.model_dump(
            include={"site", "group", "phase", "last_heard", "clock_skew_s", "health", "health_reasons", "disk_free"}
            | {"oldest_unpulled_s", "policy_digest", "bundles"}
        ),
        since=site.phase_since,
        lag=site.lag,
        version=site.daemon,
        alarms=tuple(AlarmView(code=alarm.code, since=alarm.since, detail=alarm.detail) for alarm in site.alarms),
    )


def scan_view(case: Case) -> ScanView:
    """Give a case without what is closely held."""
    return ScanView(
        **{name: getattr(case, name) for name in _PLAIN},
        produced_at=_moment(case.produced_us) or _EPOCH,
        taken_at=_moment(case.taken_us),
        alerted=case.alerted_labels,
        models=words(case.models),
        analyst_at=_moment(case.analyst_us),
        supervisor_at=_moment(case.supervisor_us),
        control_at=_moment(case.control_us),
        found=case.found_labels,
        conclusion=case.stands,
        concluded_by=case.stands_by,
        concluded_at=_moment(case.stands_us),
    )


_PLAIN = (
    *("site", "scanner", "scan_id", "revision", "kind", "selection", "subject", "outcome", "reason", "tz_assumed", "provider"),
    *("policy_digest", "is_advisory", "commodity", "origin", "latency_ms", "analyst", "supervisor", "referred_by_clock"),
    *("referred_by_officer", "control", "is_disputed"),
)
"""Fields of a case that the API gives as they are."""


def fact_view(fact: StoredFact) -> FactView:
    """Give a stored fact without what stands for persons."""
    body = json.loads(decode(fact.row.body).model_dump_json(by_alias=True, exclude_defaults=True))
    return FactView(
        kind=fact.kind,
        epoch=fact.row.epoch.hex(),
        seq=fact.row.seq,
        hash=fact.row.hash.hex(),
        received_at=_EPOCH + timedelta(microseconds=fact.received_us),
        is_provisional=fact.is_provisional,
        body=impersonal(body),
    )


def impersonal(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give a body without the tokens of persons, and without every part that stands for an identifier or a text of one."""
    return {name: _pruned(value) for name, value in body.items() if name not in _PERSONAL and not _stands_for_somebody(value)}


def _pruned(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return impersonal(value)
    if isinstance(value, list):
        return [_pruned(each) for each in value if not _stands_for_somebody(each)]
    return value


def _stands_for_somebody(value: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(value, dict) and _COMMITMENT in value


def day_view(site: str, day: date, counts: Summary) -> DayView:
    """Give one day's counts."""
    outcomes = {"alert": counts.alert, "no_alert": counts.no_alert, "unassessable": counts.unassessable, "set_aside": counts.set_aside}
    return DayView(site=site, day=day, is_unbiased=counts.is_unbiased, **outcomes)


def _moment(us: int | None) -> datetime | None:
    return None if us is None else _EPOCH + timedelta(microseconds=us)
