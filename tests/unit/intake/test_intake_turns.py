"""What cannot be read now, what never ends, and who comes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.drop import Completeness, ProbeResult
from edge_agent.intake.settle import Action, Watched, in_turn, is_overdue, next_step, observe, postponed, probed
from edge_agent.testing.drops import cargo_profile, drop_of

PROFILE = cargo_profile(quiet_s=1.0, deadline_s=10.0)  # the last deadline is 20 s


def drop(key="7", size=10, at=1):
    return drop_of(key, (f"{key}_high.tif", "high", size, at))


def test_what_cannot_be_read_is_tried_again_after_ever_longer_waits_of_a_minute_at_most():
    watched, now = observe(None, drop(), 100.0), 101.0
    waits = []
    for _ in range(20):
        watched = postponed(watched, now)
        step = next_step(watched, PROFILE, now)
        assert Action.WAIT is step.action
        waits.append(step.again_at - now)
        now = step.again_at
        assert Action.WAIT is not next_step(watched, PROFILE, now).action
    assert [1.0, 2.0, 4.0, 8.0, 16.0, 32.0] == waits[:6]
    assert {60.0} == set(waits[6:])


def test_a_change_or_an_answer_forgives_what_failed_before():
    watched = postponed(postponed(observe(None, drop(), 100.0), 101.0), 102.0)
    assert (0, 0.0) == (observe(watched, drop(size=11), 103.0).failures, observe(watched, drop(size=11), 103.0).not_before)
    assert 0 == probed(watched, ProbeResult(Completeness.WAITING, (), None, None), 104.0).failures
    assert 2 == observe(watched, drop(), 103.0).failures


@pytest.mark.parametrize(
    ("watched", "now", "expected"),
    [
        (Watched(drop(), 0.0, 0.0), 10_000.0, False),  # a backlog that nobody had time for
        (Watched(drop(), 0.0, 319.0), 319.9, False),
        (Watched(drop(), 0.0, 319.0), 320.0, True),  # written to for five minutes beyond its deadline
        (Watched(drop(), 0.0, 19.0), 330.0, False),
        (Watched(drop(), 0.0, 0.0, failures=3), 319.0, False),
        (Watched(drop(), 0.0, 0.0, failures=3), 321.0, True),
    ],
)
def test_overdue_is_what_is_written_to_or_fails_long_after_its_deadline(watched, now, expected):
    assert expected == is_overdue(watched, PROFILE, now)


def test_those_at_the_gate_come_first_and_every_fourth_place_is_for_who_waited_longest():
    backlog = [Watched(drop(f"old-{k}", at=k), 0.0, 0.0) for k in range(6)]
    fresh = [Watched(drop(f"new-{k}", at=100 + k), 50.0, 50.0) for k in range(4)]
    order = [one.drop.key for one in in_turn([*backlog, *fresh], 100)]
    assert ["new-0", "new-1", "new-2", "old-0", "new-3", "old-1", "old-2"] == order[:7]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=60))
def test_every_drop_has_one_turn_and_the_one_that_waited_longest_is_among_the_first_four(seen):
    drops = [Watched(drop(f"k{place}", at=at), float(first), 0.0) for place, (first, at) in enumerate(seen)]
    order = in_turn(drops, 100)
    assert sorted(one.drop.key for one in drops) == sorted(one.drop.key for one in order)
    if drops:
        assert min(one.first_seen for one in drops) in [one.first_seen for one in order[:4]]
        assert max(one.first_seen for one in drops) == order[0].first_seen


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=60), st.integers(1, 20))
def test_a_part_of_the_order_is_its_beginning(seen, most):
    drops = [Watched(drop(f"k{place}", at=at), float(first), 0.0) for place, (first, at) in enumerate(seen)]
    assert in_turn(drops, 100)[:most] == in_turn(drops, most)


@given(st.lists(st.sampled_from([0.0, 5.0]), min_size=1, max_size=40), st.integers(1, 8))
def test_nobody_waits_for_ever_however_much_comes_anew(first_seen, per_look):
    """Each look takes a batch and as many new drops come; the oldest are all gone after four looks for each of them."""
    waiting = {f"old-{place}": Watched(drop(f"old-{place}"), 0.0, 0.0) for place in range(len(first_seen))}
    count = len(waiting)
    for look in range(4 * count + 4):
        waiting |= {f"new-{look}-{k}": Watched(drop(f"new-{look}-{k}"), 10.0 + look, 0.0) for k in range(4 * per_look)}
        for one in in_turn(list(waiting.values()), 4 * per_look):
            del waiting[one.drop.key]
    assert not [key for key in waiting if key.startswith("old")]
