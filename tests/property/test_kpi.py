"""Laws of the figures: intervals hold their share, roll-ups lose and double nothing, no quarter of an hour lies in two days."""

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.intervals import beta_cdf, clopper_pearson, wilson
from edge_agent.kpi.rates import (
    DetectionTally,
    Outcome,
    OutcomeTally,
    Scope,
    detections_by_day,
    local_day,
    quarter_of,
    summarise,
    total,
)

PROPORTIONS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"}))
MOMENTS = st.integers(631_152_000, 2_114_380_800).map(lambda s: datetime.fromtimestamp(s, UTC))
QUARTERS = st.integers(0, 2_300_000)


@given(PROPORTIONS)
def test_an_interval_holds_the_share_and_mirrors(counts):
    hits, n = counts
    for interval in (wilson, clopper_pearson):
        limits, mirrored = interval(hits, n), interval(n - hits, n)
        assert 0.0 <= limits.low <= hits / n <= limits.high <= 1.0
        assert math.isclose(limits.low, 1.0 - mirrored.high, abs_tol=1e-9)


@given(PROPORTIONS)
def test_the_exact_limits_leave_a_fortieth_in_each_tail(counts):
    hits, n = counts
    limits = clopper_pearson(hits, n)
    if hits:
        assert math.isclose(0.025, beta_cdf(limits.low, hits, n - hits + 1), rel_tol=1e-6)
    if hits < n:
        assert math.isclose(0.975, beta_cdf(limits.high, hits + 1, n - hits), rel_tol=1e-6)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))), st.floats(0.001, 0.999))
def test_the_beta_function_is_the_binomial_tail(counts, p):
    hits, n = counts
    tail = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(hits, n + 1))
    assert math.isclose(tail, beta_cdf(p, hits, n - hits + 1), rel_tol=1e-9, abs_tol=1e-12)


@given(MOMENTS, ZONES)
def test_a_quarter_of_an_hour_lies_in_one_local_day(moment, name):
    zone = ZoneInfo(name)
    assert moment.astimezone(zone).date() == local_day(quarter_of(moment), zone)
    assert timedelta(0) <= moment - (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * quarter_of(moment))) < timedelta(minutes=15)


OUTCOMES = st.builds(
    OutcomeTally,
    site=st.sampled_from(["a", "b"]),
    scanner=st.sampled_from(["1", "2"]),
    kind=st.sampled_from(["live", "synthetic", "tip", "unknown"]),
    selection=st.sampled_from(["random", "targeted"]),
    outcome=st.sampled_from(Outcome),
    reason=st.just(""),
    quarter=QUARTERS,
    scans=st.integers(0, 9),
)
DETECTIONS = st.builds(
    DetectionTally,
    site=st.sampled_from(["a", "b"]),
    scanner=st.just("1"),
    kind=st.sampled_from(["live", "synthetic"]),
    label=st.sampled_from(["knife", "bottle"]),
    quarter=QUARTERS,
    detections=st.integers(0, 9),
    scans=st.integers(0, 9),
    alerts=st.integers(0, 9),
    best_score=st.floats(0, 1),
)


@given(st.lists(OUTCOMES), st.sampled_from(KindFilter))
def test_summaries_count_every_scan_of_the_report_once(tallies, wanted):
    line = total(summarise(tallies, Scope(UTC, {}, wanted=wanted)))
    counted = [t for t in tallies if wanted is KindFilter.ALL or t.kind in (wanted.value, "unknown")]
    assert sum(t.scans for t in counted) == line.assessed + line.set_aside
    assert sum(t.scans for t in counted if t.outcome is Outcome.ALERT) == line.alert


@given(st.lists(DETECTIONS), ZONES)
def test_days_share_out_the_detections_whatever_the_zone(tallies, name):
    lines = detections_by_day(tallies, Scope(ZoneInfo(name), {}, wanted=KindFilter.ALL))
    assert sum(t.detections for t in tallies) == sum(line.detections for line in lines)
    assert len(lines) == len({(line.site, line.kind, line.label, line.day) for line in lines})
