"""Latency, dwell and scans an hour, worked out by hand."""

import pytest

from edge_agent.kpi.flow import Flow
from edge_agent.kpi.spread import Spread
from edge_agent.testing.cases import NOON_US, case, examined

HOUR_US = 3_600_000_000


def flow(*cases):
    counted = Flow()
    for one in cases:
        counted.add(one)
    return counted


def test_scans_an_hour_count_the_hours_in_which_a_site_worked():
    # 3 scans from 12 to 13, 1 from 14 to 15; nothing between: 4 scans in 2 hours.
    counted = flow(*[case(produced_us=NOON_US + minute * 60_000_000) for minute in (0, 1, 59)], case(produced_us=NOON_US + 2 * HOUR_US))
    assert (counted.scans_an_hour, counted.busiest_hour) == (2.0, 3)


def test_two_sites_in_the_same_hour_are_two_hours_of_work():
    assert flow(case(), case(site="south")).scans_an_hour == 1.0
    assert Flow().scans_an_hour is None


def test_latency_is_in_seconds():
    assert flow(case(latency_ms=2500.0, queue_ms=100.0)).latency_s.quantile(0.5) == pytest.approx(2.5, rel=0.01)


def test_dwell_ends_with_the_examination_or_with_a_clear_verdict():
    taken = {"taken_us": NOON_US - HOUR_US}
    opened = examined("alert", "found", **taken)
    freed = case(stands="not-suspicious", stands_by="analyst", stands_us=NOON_US, **taken)
    waits = case(stands="suspicious", stands_by="analyst", stands_us=NOON_US, **taken)
    called_off = examined("alert", "not-examined", **taken)
    counted = flow(opened, freed, waits, case(**taken), called_off)
    assert counted.dwell_examined_s.quantile(1.0) == pytest.approx(25 * 3600, rel=0.01)
    assert counted.dwell_unexamined_s.quantile(0.5) == pytest.approx(3600, rel=0.01)
    assert (counted.dwell_examined_s.n, counted.dwell_unexamined_s.n) == (1, 2)


def test_dwell_needs_clocks_that_agree_and_marks_assumed_zones():
    late = {"stands": "not-suspicious", "stands_by": "analyst", "stands_us": NOON_US}
    counted = flow(case(taken_us=NOON_US + 1, **late), case(**late), case(taken_us=NOON_US - 1, tz_assumed=True, **late))
    assert (counted.dwell_unexamined_s.n, counted.dwell_assumed) == (1, 1)


def test_percentiles_are_nearest_ranks_within_a_hundredth():
    spread = Spread()
    for value in range(1, 101):
        spread.add(value)
    assert [spread.quantile(share) for share in (0.01, 0.5, 0.9, 0.99, 1.0)] == pytest.approx([1, 50, 90, 99, 100], rel=0.0101)


def test_no_time_at_all_is_nought_and_no_values_are_none():
    spread = Spread()
    assert spread.quantile(0.5) is None
    spread.add(0.0)
    assert spread.quantile(0.5) == 0.0


@pytest.mark.parametrize("share", [0.0, -1.0, 1.01])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        Spread().quantile(share)
