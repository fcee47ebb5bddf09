"""The collector's figures for a monitoring system, from what it last said of its sites."""

from collections.abc import Callable
from datetime import datetime, timedelta

from edge_agent.collector.states import AlarmCode, Phase, SiteNow, States
from edge_agent.telemetry.metrics import Metric, Sample


def site_metrics(states: States, now: datetime) -> list[Metric]:
    """Give all figures as of ``now``; ``edge_agent_collector_age_seconds`` grows when no collector writes any more."""
    sites = states.sites
    alarms = [alarm.code for site in sites for alarm in site.alarms]
    return [
        _single("collector_age_seconds", "seconds since the collector last said how its sites stand", states.age_s(now)),
        _counted("collector_sites", "sites by phase", "phase", {phase: sum(site.phase is phase for site in sites) for phase in Phase}),
        _counted("collector_alarms", "alarms by code", "code", {code: alarms.count(code) for code in AlarmCode}),
        _each("site_rows_total", "rows stored since the collector started", sites, lambda site: site.rows, "counter"),
        _each("site_lag_rows", "rows that the site has and headquarters has not verified", sites, lambda site: site.lag),
        _each("site_unsigned_rows", "stored rows that no signature of the site covers", sites, lambda site: site.durable - site.signed),
        _each("site_oldest_unpulled_seconds", "age of the oldest row not at every reader", sites, lambda site: site.oldest_unpulled_s),
        _each("site_clock_skew_seconds", "the site's clock minus headquarters'", sites, lambda site: site.clock_skew_s),
        _each("site_disk_free_ratio", "free share of the site's disk", sites, lambda site: site.disk_free),
        _each("site_silent_seconds", "seconds since the site was heard", sites, lambda site: _silent_s(site, now)),
    ]


def _single(name: str, meaning: str, value: float) -> Metric:
    return Metric(f"edge_agent_{name}", "gauge", meaning, (Sample(value),))


def _counted(name: str, meaning: str, label: str, counts: "dict[Phase, int] | dict[AlarmCode, int]") -> Metric:
    samples = tuple(Sample(count, {label: code.value}) for code, count in counts.items())
    return Metric(f"edge_agent_{name}", "gauge", meaning, samples)


def _each(name: str, meaning: str, sites: tuple[SiteNow, ...], value: Callable[[SiteNow], float | None], kind: str = "gauge") -> Metric:
    samples = tuple(Sample(found, {"site": site.site}) for site in sites if (found := value(site)) is not None)
    return Metric(f"edge_agent_{name}", "counter" if kind == "counter" else "gauge", meaning, samples)


def _silent_s(site: SiteNow, now: datetime) -> float | None:
    return None if site.last_heard is None else max((now - site.last_heard) / timedelta(seconds=1), 0.0)
