"""Figures by class, worked out by hand."""

from edge_agent.kpi.classes import Classes
from edge_agent.kpi.hits import Sample
from edge_agent.kpi.rates import Rate
from edge_agent.testing.cases import LATER_US, NOON_US, case, examined

TRUSTED = (Sample.RANDOM,)


def lines(cases, means=None, trusted=TRUSTED, now_us=LATER_US):
    classes = Classes(means or {})
    for one in cases:
        classes.add(one, now_us)
    return {line.label: line for line in classes.lines(trusted)}


def test_a_class_is_judged_by_what_it_stands_for():
    # Random. "bricks" stands for cocaine or banknotes. Alerted as bricks: cocaine found, cigarettes found, nothing found.
    # Not alerted as bricks: banknotes found (missed), 6 clean. Hit rate 2/3 (anything found), as called 1/3.
    # Such a thing was there twice (cocaine, banknotes) and seen once: detection 1/2. Held none: cigarettes, nothing, 6 clean -> 2/8.
    cases = [
        examined("alert", "found", alerted="bricks", found="cocaine"),
        examined("alert", "found", alerted="bricks", found="cigarettes"),
        examined("alert", alerted="bricks"),
        examined("no-alert", "found", found="banknotes"),
        *[examined("no-alert")] * 6,
    ]
    line = lines(cases, {"bricks": frozenset({"cocaine", "banknotes"})})["bricks"]
    assert (line.hits.hit_rate, line.as_called) == (Rate(2, 3), Rate(1, 3))
    assert (line.detection, line.false_alarms) == (Rate(1, 2), Rate(2, 8))


def test_without_a_word_a_class_stands_for_the_find_of_its_name():
    line = lines([examined("alert", "found"), examined("no-alert", "found")])["handgun"]
    assert (line.detection, line.as_called) == (Rate(1, 2), Rate(1, 1))


def test_a_scan_that_alerts_twice_counts_under_both_classes():
    found = lines([examined("alert", "found", alerted="handgun|knife", found="knife")])
    assert (found["knife"].as_called, found["handgun"].as_called) == (Rate(1, 1), Rate(0, 1))
    assert (found["knife"].detection, found["handgun"].false_alarms) == (Rate(1, 1), Rate(1, 1))


def test_chosen_scans_stand_apart():
    cases = [examined("alert", "found"), *[examined("alert", "found", selection="targeted")] * 4]
    line = lines(cases)["handgun"]
    assert (line.detection, line.biased_detection) == (Rate(1, 1), Rate(4, 4))
    assert lines(cases, trusted=())["handgun"].biased_detection == Rate(5, 5)


def test_disputed_pending_and_fresh_scans_are_in_no_detection_rate():
    cases = [examined("alert", "found", is_disputed=True), case("alert")]
    line = lines(cases)["handgun"]
    assert (line.hits.disputed, line.hits.pending, line.as_called) == (1, 1, Rate(0, 0))
    assert line.detection == Rate(0, 0)
    fresh = lines([examined("alert", "found")], now_us=NOON_US + 1)["handgun"]
    assert (fresh.detection, fresh.hits.hit_rate, fresh.as_called) == (Rate(0, 0), Rate(1, 1), Rate(1, 1))


def test_a_class_that_never_alerted_has_no_line():
    assert lines([examined("no-alert", "found", found="knife")]) == {}
