"""What is published: enough to judge the checks by, and nothing that names an officer, a scanner, a scan or a small site."""

import json
from dataclasses import replace
from datetime import UTC

import pytest

from edge_agent.collector.report.transparency import transparency, transparency_content, transparency_page
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.figures import Question, figures
from edge_agent.kpi.rates import Scope
from edge_agent.testing.cases import LATER_US, case, examined

QUESTION = Question(Scope(UTC, {}), LATER_US, {}, {"CN": "east"})


def published(cases):
    return transparency_content(transparency(figures(cases, QUESTION)))


def test_the_totals_and_the_miss_rate_of_the_random_sample():
    # 40 random scans held something, the machine alerted on 30 of them: misses 10/40. Targeted alerts count in the hit rate alone.
    cases = [examined("alert", "found")] * 30 + [examined("no-alert", "found")] * 10
    cases += [examined("alert", "nothing-found", selection="targeted")] * 20
    (total,) = published(cases)["total"]
    assert (total["alerted"], total["examined"], total["confirmed"], total["hit_rate"]) == (50, 50, 30, 0.6)
    assert (total["misses"], total["misses_n"]) == (0.25, 40)


def test_without_a_random_sample_nothing_is_said_of_misses():
    (total,) = published([examined("alert", "found", selection="targeted")] * 50)["total"]
    assert (total["misses"], total["misses_n"], total["hit_rate"]) == (None, None, 1.0)


def test_of_too_few_only_the_number_is_said():
    (total,) = published([examined("alert", "found")] * 29)["total"]
    assert (total["hit_rate"], total["hit_rate_low"], total["hit_rate_n"]) == (None, None, 29)


def test_small_sites_are_put_together_so_that_no_subtraction_gives_them_away():
    cases = [examined("alert", site=site) for site, n in (("big", 90), ("middle", 40), ("small", 3)) for _ in range(n)]
    rows = published(cases)["sites"]
    assert [(row["sites"], row["examined"]) for row in rows] == [("big", 90), ("middle, small", 43)]


def test_few_sites_in_all_show_no_line():
    assert published([examined("alert", site="small")] * 20)["sites"] == []


def test_classes_with_few_results_are_left_out():
    cases = [examined("alert", alerted="knife")] * 29 + [examined("alert", alerted="handgun")] * 30
    assert [row["class"] for row in published(cases)["classes"]] == ["handgun"]


def test_nothing_names_an_officer_a_scanner_a_scan_or_an_origin():
    secret = {"scanner": "gate-secret", "officer": "tok-secret", "first_officer": "tok-secret", "origin": "CN", "commodity": "9999"}
    cases = [examined("alert", scan_id=f"secret-{n}", analyst="suspicious", analyst_on="alert", **secret) for n in range(50)]
    public = transparency(figures(cases, QUESTION))
    everything = json.dumps(transparency_content(public)) + transparency_page(public)
    assert "north" in everything
    for word in ("secret", "east", "9999", "random, scan-all"):
        assert word not in everything


@pytest.mark.parametrize("kind", ["tip", "synthetic", "staged", "test", "calibration"])
def test_scans_of_no_real_traffic_are_not_published(kind):
    assert published([replace(examined("alert", "found"), kind=kind)] * 50) == published([])


def test_simulated_figures_cannot_be_published_at_all():
    simulated = replace(QUESTION, scope=Scope(UTC, {}, wanted=KindFilter.SYNTHETIC))
    with pytest.raises(ValueError, match="live"):
        transparency(figures([case(kind="synthetic")], simulated))
