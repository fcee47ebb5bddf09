from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from edge_agent.kpi.eligible import UNKNOWN_KIND, KindFilter, is_counted, is_unbiased, label
from edge_agent.kpi.rates import (
    DetectionTally,
    ObstacleTally,
    Outcome,
    OutcomeTally,
    Period,
    Rate,
    Scope,
    detections_by_day,
    local_day,
    obstacles,
    outcome_counts,
    quarter_of,
    summarise,
    total,
)

KOLKATA = ZoneInfo("Asia/Kolkata")
NOON = quarter_of(datetime(2026, 3, 2, 12, tzinfo=UTC))
EVENING = quarter_of(datetime(2026, 3, 2, 18, 30, tzinfo=UTC))  # midnight in Kolkata


def scope(wanted=KindFilter.LIVE, **period):
    return Scope(UTC, {"south": KOLKATA}, Period(**period), wanted)


def outcome(what, scans=1, **more):
    fields = {"site": "north", "scanner": "g1", "kind": "live", "selection": "random", "reason": "", "quarter": NOON} | more
    return OutcomeTally(outcome=what, scans=scans, **fields)


def found(label_, detections, scans, **more):
    fields = {"site": "north", "scanner": "g1", "kind": "live", "quarter": NOON, "alerts": 0, "best_score": 0.5} | more
    return DetectionTally(label=label_, detections=detections, scans=scans, **fields)


def obstacle(code, what, scans, **more):
    fields = {"site": "north", "scanner": "g1", "kind": "live", "quarter": NOON, "is_blocking": True} | more
    return ObstacleTally(code=code, outcome=what, scans=scans, **fields)


def test_counts_and_coverage_by_hand():
    tallies = [outcome(Outcome.ALERT, 3), outcome(Outcome.NO_ALERT, 80), outcome(Outcome.UNASSESSABLE, 7)]
    tallies += [outcome(Outcome.SET_ASIDE, 10, kind=UNKNOWN_KIND, selection=UNKNOWN_KIND, reason="unreadable-scan")]
    (line,) = summarise(tallies, scope())
    assert (line.alert, line.no_alert, line.unassessable, line.set_aside) == (3, 80, 7, 10)
    assert line.coverage == Rate(90, 100)
    assert line.coverage.value == pytest.approx(0.9)
    assert (round(line.coverage.interval.low, 4), round(line.coverage.interval.high, 4)) == (0.8256, 0.9448)
    assert line.alert_rate == Rate(3, 90)


def test_simulated_scans_never_enter_the_live_figures():
    tallies = [outcome(Outcome.ALERT, 5, kind="synthetic"), outcome(Outcome.NO_ALERT, 2)]
    (live,) = summarise(tallies, scope())
    assert (live.kind, live.assessed, live.alert) == ("live", 2, 0)
    (simulated,) = summarise(tallies, scope(KindFilter.SYNTHETIC))
    assert (simulated.kind, simulated.alert) == ("synthetic", 5)
    assert label(simulated.kind) == "SIMULATED"
    assert [line.kind for line in summarise(tallies, scope(KindFilter.ALL))] == ["live", "synthetic"]


@pytest.mark.parametrize("kind", ["tip", "calibration", "test", "synthetic", "staged", "something-new"])
def test_only_live_scans_count_for_kpis(kind):
    assert not is_counted(kind, KindFilter.LIVE)
    assert is_counted(kind, KindFilter.ALL)


@pytest.mark.parametrize("wanted", list(KindFilter))
def test_a_scan_set_aside_is_counted_in_every_report(wanted):
    assert is_counted(UNKNOWN_KIND, wanted)


def test_rates_are_unbiased_over_random_and_scan_all_only():
    assert is_unbiased(["random", "scan-all"])
    for selection in ("targeted", "campaign", "unknown", ""):
        assert not is_unbiased(["random", selection])


def test_a_set_aside_scan_without_selection_does_not_bias_the_rest():
    tallies = [outcome(Outcome.ALERT), outcome(Outcome.SET_ASIDE, kind=UNKNOWN_KIND, selection=UNKNOWN_KIND)]
    assert summarise(tallies, scope())[0].is_unbiased
    assert not summarise([*tallies, outcome(Outcome.ALERT, selection="targeted")], scope())[0].is_unbiased


def test_a_day_begins_at_the_sites_midnight():
    assert date(2026, 3, 2) == local_day(EVENING, UTC)
    assert date(2026, 3, 3) == local_day(EVENING, KOLKATA)
    assert date(2026, 3, 2) == local_day(EVENING - 1, KOLKATA)


def test_detections_are_added_up_by_site_local_day():
    tallies = [
        found("knife", 2, 1, quarter=NOON, best_score=0.4),
        found("knife", 3, 2, quarter=EVENING, alerts=1, best_score=0.8),
        found("knife", 7, 4, site="south", quarter=NOON),
        found("knife", 1, 1, site="south", quarter=EVENING),
    ]
    lines = detections_by_day(tallies, scope())
    by_day = [(line.site, line.day.isoformat(), line.detections, line.scans, line.alerts, line.best_score) for line in lines]
    assert by_day == [
        ("north", "2026-03-02", 5, 3, 1, 0.8),
        ("south", "2026-03-02", 7, 4, 0, 0.5),
        ("south", "2026-03-03", 1, 1, 0, 0.5),
    ]


def test_a_period_holds_both_its_ends_by_the_sites_calendar():
    tallies = [outcome(Outcome.ALERT, site="south", quarter=EVENING), outcome(Outcome.ALERT, site="north", quarter=EVENING)]
    third = date(2026, 3, 3)
    assert [line.site for line in summarise(tallies, scope(first=third, last=third))] == ["south"]
    assert [line.site for line in summarise(tallies, scope(last=date(2026, 3, 2)))] == ["north"]


def test_a_period_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="before"):
        Period(date(2026, 3, 3), date(2026, 3, 2))


def test_only_a_blocking_obstacle_of_an_unassessable_scan_is_its_cause():
    tallies = [
        obstacle("dark", Outcome.UNASSESSABLE, 4),
        obstacle("dark", Outcome.ALERT, 3),
        obstacle("pitch-assumed", Outcome.UNASSESSABLE, 2, is_blocking=False),
    ]
    lines = obstacles(tallies, scope())
    assert [(line.code, line.unassessable, line.noted) for line in lines] == [("dark", 4, 3), ("pitch-assumed", 0, 2)]


def test_set_aside_by_reason_and_the_total_over_sites():
    tallies = [
        outcome(Outcome.SET_ASIDE, 2, kind=UNKNOWN_KIND, reason="unreadable-scan"),
        outcome(Outcome.SET_ASIDE, 1, kind=UNKNOWN_KIND, reason="decoder-died"),
        outcome(Outcome.NO_ALERT, 7, site="south"),
    ]
    counts = outcome_counts(tallies, scope())
    assert [(line.reason, line.scans) for line in counts.set_aside()] == [
        ("decoder-died", 1),
        ("unreadable-scan", 2),
    ]
    assert Rate(7, 10) == total(summarise(tallies, scope())).coverage


def test_a_rate_over_nothing_has_no_value_and_is_too_few():
    assert Rate(0, 0).value is None
    assert Rate(29, 29).is_too_few
    assert not Rate(0, 30).is_too_few
