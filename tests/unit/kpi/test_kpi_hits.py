"""Hit rate, detection, misses and false alarms, worked out by hand."""

import pytest

from edge_agent.kpi.hits import Hits, Line, Sample, Truth
from edge_agent.kpi.rates import Rate
from edge_agent.testing.cases import DAY_US, LATER_US, NOON_US, case, examined


def line_of(*cases, now_us=LATER_US):
    line = Line()
    for one in cases:
        line.add(one, now_us)
    return line


def test_the_hit_rate_is_confirmed_among_examined_alerts():
    # 10 alerts: 3 found, 2 nothing found -> 3/5. 2 pending, 1 called off and 2 disputed stand beside it. 4 without alert do not count.
    cases = [examined("alert", "found")] * 3 + [examined("alert")] * 2 + [case("alert")] * 2 + [examined("alert", "not-examined")]
    cases += [examined("alert", "found", is_disputed=True), examined("alert", is_disputed=True)] + [examined("no-alert", "found")] * 4
    hits = line_of(*cases).hits
    assert (hits.alerted, hits.examined, hits.confirmed) == (10, 5, 3)
    assert (hits.pending, hits.called_off, hits.disputed) == (2, 1, 2)
    assert hits.hit_rate == Rate(3, 5)
    assert hits.alerted == hits.examined + hits.pending + hits.called_off + hits.disputed


def test_pending_alerts_have_an_age():
    # Concluded 10 and 4 days before the report: the oldest waits since the first, and by nearest rank the median is the smaller.
    old, new = case("alert"), case("alert", produced_us=NOON_US + 6 * DAY_US)
    hits = line_of(old, new, now_us=NOON_US + 10 * DAY_US).hits
    assert hits.oldest_pending_us == NOON_US
    assert hits.pending_days.quantile(0.5) == pytest.approx(4, rel=0.01)
    assert hits.pending_days.quantile(1.0) == pytest.approx(10, rel=0.01)


def test_detection_misses_and_false_alarms_by_hand():
    # Random, all examined. Found in 4: alerted on 3 of them, silent on 1. Nothing in 16: alerted on 2 of them.
    # detection 3/4, misses 1/4, false alarms 2/16, prevalence 4/20.
    cases = [examined("alert", "found")] * 3 + [examined("no-alert", "found")] + [examined("alert")] * 2 + [examined("no-alert")] * 14
    truth = line_of(*cases).unbiased
    assert truth is not None
    assert (truth.detection, truth.misses, truth.false_alarms) == (Rate(3, 4), Rate(1, 4), Rate(2, 16))
    assert truth.prevalence == Rate(4, 20)


def test_what_the_machine_could_not_judge_and_held_something_was_missed():
    truth = line_of(examined("unassessable", "found"), examined("set-aside", "found"), examined("alert", "found")).unbiased
    assert truth is not None
    assert (truth.detection, truth.found_unjudged) == (Rate(1, 3), 2)


def test_disputed_and_called_off_examinations_say_nothing_of_the_machine():
    cases = [examined("alert", "found")] * 18 + [examined("alert", "found", is_disputed=True), examined("no-alert", "not-examined")]
    truth = line_of(*cases).unbiased
    assert truth is not None
    assert (truth.prevalence, truth.followed_up) == (Rate(18, 18), Rate(18, 20))


@pytest.mark.parametrize("selection", ["targeted", "campaign", "unknown", "something-new"])
def test_chosen_scans_are_never_an_unbiased_sample(selection):
    line = line_of(*[examined("alert", "found", selection=selection)] * 50)
    assert line.unbiased is None
    assert line.biased.detection == Rate(50, 50)


def test_a_random_sample_of_which_too_few_were_examined_is_biased_like_any_other():
    # 89 of 100 examined: somebody chose which. 90 of 100: taken as a sample.
    part = line_of(*[examined("no-alert")] * 89, *[case("no-alert")] * 11)
    assert part.unbiased is None
    assert part.biased.false_alarms.n == 89
    whole = line_of(*[examined("no-alert")] * 90, *[case("no-alert")] * 10)
    assert whole.trusted == (Sample.RANDOM,)
    assert whole.unbiased is not None


def test_one_bad_sample_does_not_spoil_the_other():
    # scan-all examined only where suspected; random examined throughout: only random is trusted.
    cases = [examined("alert", "found", selection="scan-all")] * 5 + [case("no-alert", selection="scan-all")] * 95
    cases += [examined("no-alert", "found")] * 4 + [examined("no-alert")] * 6
    line = line_of(*cases)
    assert line.trusted == (Sample.RANDOM,)
    assert line.unbiased == line.truths[Sample.RANDOM]
    assert line.biased == line.truths[Sample.SCAN_ALL]


def test_new_scans_wait_before_they_say_anything_of_the_machine():
    # Alerts are examined first: of fresh scans the results that are in would show a machine that finds everything.
    fresh = [examined("alert", "found")] * 10 + [case("no-alert")]
    line = line_of(*fresh, now_us=NOON_US + 14 * DAY_US - 1)
    assert line.unbiased is None
    assert line.biased == Truth()
    assert line.hits.hit_rate == Rate(10, 10)
    assert line_of(*fresh, now_us=NOON_US + 14 * DAY_US).truths[Sample.RANDOM].followed_up == Rate(10, 11)


def test_coverage_counts_what_could_not_be_judged_as_assessed_and_set_asides_as_not():
    line = line_of(case("alert"), case("no-alert"), case("unassessable"), case("set-aside"))
    assert line.coverage == Rate(3, 4)
    assert line.alert_rate == Rate(1, 3)
    assert (line.unassessable, line.set_aside) == (1, 1)


def test_hits_of_nothing():
    assert Hits().hit_rate.value is None
    assert Hits().pending == 0
