"""Overrides, decision times, and who may see them."""

import pytest

from edge_agent.kpi.decisions import MINIMUM_OFFICERS, Officers
from edge_agent.kpi.grouping import merge_small
from edge_agent.kpi.rates import Rate
from edge_agent.testing.cases import case, examined


def decided(word, on, officer="a", took_s=30.0, control=None, **more):
    said = {"first_conclusion": word, "first_officer": officer, "decision_s": took_s, "analyst": word, "analyst_on": on, "officer": officer}
    return (case if control is None else examined)(on, **({"control": control} if control else {}), **said, **more)


def desk(*cases, asker=""):
    officers = Officers(asker)
    for one in cases:
        officers.add(one)
    return officers


def test_overrides_both_ways_by_hand():
    # On 4 alerts: 3 followed, 1 cleared, and that one held nothing. On 5 scans without alert: 2 raised, one found, one pending.
    cases = [decided("suspicious", "alert")] * 3 + [decided("not-suspicious", "alert", control="nothing-found")]
    cases += [decided("not-suspicious", "no-alert")] * 3
    cases += [decided("suspicious", "no-alert", control="found"), decided("suspicious", "no-alert")]
    site = desk(*cases).by_site["north"]
    assert (site.cleared.rate, site.cleared.found) == (Rate(1, 4), Rate(0, 1))
    assert (site.raised.rate, site.raised.found) == (Rate(2, 5), Rate(1, 1))


def test_a_word_before_the_machines_was_shown_goes_against_nothing():
    site = desk(decided("not-suspicious", "alert", analyst_order="blind-first")).by_site["north"]
    assert (site.blind, site.cleared.decided, site.took_s.n) == (1, 0, 1)
    site = desk(decided("not-suspicious", "alert", analyst_order="after-reveal")).by_site["north"]
    assert site.cleared.rate == Rate(1, 1)


@pytest.mark.parametrize("word", ["rescan", "refer"])
def test_a_word_that_decides_nothing_is_no_override(word):
    site = desk(decided(word, "alert")).by_site["north"]
    assert site.cleared.decided == 0


def test_nobody_overrides_a_machine_that_could_not_judge():
    site = desk(decided("not-suspicious", "unassessable"), decided("suspicious", "")).by_site["north"]
    assert (site.cleared.decided, site.raised.decided) == (0, 0)


def test_referrals_stand_apart_from_decision_times():
    site = desk(case(referred_by_clock=True), case(referred_by_officer=True), decided("suspicious", "alert")).by_site["north"]
    assert (site.referred_by_clock, site.referred_by_officer, site.took_s.n) == (1, 1, 1)


def test_clocks_that_contradict_give_no_time_but_a_decision():
    site = desk(decided("suspicious", "alert", took_s=None)).by_site["north"]
    assert (site.took_s.n, site.cleared.decided) == (0, 1)


def test_own_figures_are_of_the_asker_alone():
    cases = [decided("suspicious", "alert", "me"), decided("not-suspicious", "alert", "you"), decided("suspicious", "alert", "")]
    own = desk(*cases, asker="me").own
    assert (own.cleared.rate, own.took_s.n, own.officers) == (Rate(0, 1), 1, {"me"})
    assert desk(*cases).own.took_s.n == 0, "a manager has no own figures"


def test_a_verdict_that_another_officer_changed_counts_for_each_in_what_they_did():
    first_word = {"first_conclusion": "not-suspicious", "first_officer": "first", "decision_s": 9.0}
    one = case("alert", **first_word, analyst="suspicious", analyst_on="alert", officer="second")
    first, second = desk(one, asker="first").own, desk(one, asker="second").own
    assert (first.took_s.n, first.cleared.decided) == (1, 0)
    assert (second.took_s.n, second.cleared.decided) == (0, 1)


def crowd(site, officers):
    return [decided("suspicious", "alert", f"{site}-{number}", site=site) for number in range(officers)]


def test_small_sites_are_put_together():
    groups = desk(*crowd("a", 2), *crowd("b", 3), *crowd("c", 9)).groups()
    assert [(group.members, len(group.counts.officers)) for group in groups] == [(("a", "b"), 5), (("c",), 9)]


def test_one_small_site_takes_the_smallest_large_one_along():
    # Shown alone, "b" and "c" beside the total would give "a" away.
    groups = desk(*crowd("a", 2), *crowd("b", 6), *crowd("c", 9)).groups()
    assert [group.members for group in groups] == [("a", "b"), ("c",)]


def test_too_few_officers_in_all_show_nothing():
    assert desk(*crowd("a", 2), *crowd("b", MINIMUM_OFFICERS - 3)).groups() == []


def test_an_officer_of_two_sites_is_one_officer():
    cases = [decided("suspicious", "alert", f"o{number}", site=site) for number in range(4) for site in ("a", "b")]
    assert desk(*cases).groups() == []


def test_putting_together_changes_nothing_that_was_counted():
    officers = desk(*crowd("a", 2), *crowd("b", 3))
    officers.groups()
    assert len(officers.by_site["a"].officers) == 2


def test_figures_of_different_askers_do_not_mix():
    with pytest.raises(ValueError, match="askers"):
        Officers("me").merge(Officers("you"))


def test_every_member_is_in_one_group_and_none_is_small():
    sizes = {"a": 1, "b": 1, "c": 1, "d": 4, "e": 30}
    groups = merge_small(sizes, lambda n: n, 5, lambda one, other: one + other)
    assert [(group.members, group.counts) for group in groups] == [(("a", "b", "c", "d"), 7), (("e",), 30)]
