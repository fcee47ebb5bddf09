"""Alerts by declared origin: what is planted is found, and where nothing is, nothing is named."""

from random import Random

import pytest

from edge_agent.kpi.disparity import Finding, disparities, ratio_of
from edge_agent.kpi.hits import Line
from edge_agent.kpi.rates import Rate
from edge_agent.testing.cases import LATER_US, case, examined

ALERT, SILENT = case("alert"), case("no-alert")


def line(alerts, scans):
    counted = Line()
    for number in range(scans):
        counted.add(ALERT if number < alerts else SILENT, LATER_US)
    return counted


def findings(groups):
    return {one.group: one.finding for one in disparities(groups)}


def test_a_ratio_and_its_interval_by_hand():
    # 30 of 100 against 10 of 100: ratio 3. se = sqrt(1/30 - 1/100 + 1/10 - 1/100) = sqrt(0.113333) = 0.336650.
    # 1.959964 * 0.336650 = 0.659822; 3 / e^0.659822 = 1.5508, 3 * e^0.659822 = 5.8034.
    ratio, interval = ratio_of(Rate(30, 100), Rate(10, 100), 0.95)
    assert ratio == pytest.approx(3.0)
    assert (interval.low, interval.high) == pytest.approx((1.5508, 5.8034), abs=1e-3)


def test_a_side_without_alerts_still_has_a_ratio():
    ratio, interval = ratio_of(Rate(0, 200), Rate(20, 200), 0.95)
    assert 0 < interval.low < ratio < interval.high < 1


@pytest.mark.parametrize(
    ("one", "other", "confidence"), [(Rate(0, 0), Rate(1, 2), 0.95), (Rate(1, 2), Rate(0, 0), 0.95), (Rate(1, 2), Rate(1, 2), 1.0)]
)
def test_a_ratio_of_nothing_is_refused(one, other, confidence):
    with pytest.raises(ValueError, match="ratio"):
        ratio_of(one, other, confidence)


def test_a_planted_disparity_is_found_and_named_alone():
    groups = {"a": line(40, 1000), "b": line(38, 1000), "planted": line(110, 1000)}
    found = findings(groups)
    assert found["planted"] is Finding.MORE
    assert disparities({"a": line(5, 1000), "b": line(60, 1000)})[0].finding is Finding.LESS


def test_where_no_group_differs_hardly_any_report_names_one():
    # Five groups alike, 400 reports. By Bonferroni at most one report in twenty names any group; 3 standard errors of it are 3.3 %.
    chance, named = Random(7), 0
    for _ in range(400):
        groups = {name: line(sum(chance.random() < 0.08 for _ in range(500)), 500) for name in "abcde"}
        named += any(finding in (Finding.MORE, Finding.LESS) for finding in findings(groups).values())
    assert named / 400 <= 0.05 + 0.033


def test_more_groups_make_each_interval_wider():
    two = disparities({"a": line(60, 500), "b": line(40, 500)})[0].interval
    six = disparities({"a": line(60, 500), **{name: line(8, 100) for name in "bcdef"}})[0].interval
    assert two is not None
    assert six is not None
    assert six.high / six.low > two.high / two.low


@pytest.mark.parametrize(("alerts", "scans"), [(29, 29), (0, 40), (0, 0)])
def test_too_few_is_an_answer(alerts, scans):
    # 29 scans are under the minimum; of 40 at one alert in a hundred not even half an alert is expected.
    (one, _) = disparities({"few": line(alerts, scans), "many": line(20, 2000)})
    assert (one.finding, one.ratio, one.interval) == (Finding.TOO_FEW, None, None)


def test_a_single_group_has_nobody_to_be_compared_with():
    assert findings({"only": line(50, 500)}) == {"only": Finding.TOO_FEW}
    assert disparities({}) == []


def test_the_hit_rate_stands_beside_it():
    counted = Line()
    for _ in range(40):
        counted.add(examined("alert", "nothing-found"), LATER_US)
    (one, _) = disparities({"a": counted, "b": line(20, 100)})
    assert one.hit_rate == Rate(0, 40)
    assert one.false_alarms == Rate(40, 40)
