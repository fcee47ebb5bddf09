"""Shares of time by state of health, worked out by hand; hours since 1970 keep the numbers small."""

from itertools import pairwise

import pytest

from edge_agent.kpi.availability import HealthChange, Window, availability

HOUR = 3_600_000_000


def told(*marks, window=(0, 100), heard=100):
    changes = [HealthChange("north", at * HOUR, state) for at, state in marks]
    (line,) = availability(changes, {"north": Window(window[0] * HOUR, window[1] * HOUR, heard * HOUR)})
    return line


def test_shares_by_hand():
    # Healthy 0-60, degraded 60-80, failing 80-85, healthy 85-100: 75, 20 and 5 of 100 hours.
    line = told((0, "healthy"), (60, "degraded"), (80, "failing"), (85, "healthy"))
    assert [line.share(state) for state in ("healthy", "degraded", "failing", "unknown")] == [0.75, 0.20, 0.05, 0.0]
    assert line.seconds("failing") == 5 * 3600


def test_the_last_word_before_the_window_says_how_it_begins():
    line = told((10, "failing"), (50, "healthy"), window=(40, 60))
    assert [(spell.state, spell.begin_us // HOUR, spell.end_us // HOUR) for spell in line.spells] == [
        ("failing", 40, 50),
        ("healthy", 50, 60),
    ]


def test_before_the_first_word_and_after_the_last_nobody_knows():
    line = told((20, "healthy"), heard=70)
    assert [spell.state for spell in line.spells] == ["unknown", "healthy", "unknown"]
    assert line.share("unknown") == 0.5
    assert line.share("healthy") == 1.0, "of the time that is known"


def test_a_word_from_after_the_last_fact_is_heard_itself():
    assert told((0, "healthy"), (90, "failing"), heard=50).seconds("healthy") == 90 * 3600


def test_a_site_that_says_nothing_is_unknown_throughout():
    line = told()
    assert line.share("unknown") == 1.0
    assert line.share("healthy") is None


def test_an_empty_window_has_no_shares():
    assert told((0, "healthy"), window=(50, 50)).share("healthy") is None


def test_order_does_not_matter_and_strangers_are_left_out():
    window = {"north": Window(0, 10 * HOUR, 10 * HOUR)}
    changes = [HealthChange("north", 5 * HOUR, "failing"), HealthChange("south", 0, "failing"), HealthChange("north", 0, "healthy")]
    (line,) = availability(changes, window)
    assert line.share("failing") == pytest.approx(0.5)


def test_words_of_one_moment_hold_as_they_were_said():
    """A site whose clock was ahead is taken to have said at once all that came in one batch."""
    assert [spell.state for spell in told((10, "healthy"), (10, "failing"), (10, "degraded")).spells] == ["unknown", "degraded"]


def test_a_line_says_by_how_much_a_clock_was_ahead_at_most():
    changes = [HealthChange("north", 0, "healthy", 3 * HOUR), HealthChange("north", HOUR, "failing")]
    assert availability(changes, {"north": Window(0, HOUR, HOUR, 2 * HOUR)})[0].ahead_us == 3 * HOUR
    assert availability(changes, {"north": Window(0, HOUR, HOUR, 5 * HOUR)})[0].ahead_us == 5 * HOUR
    assert told((0, "healthy")).ahead_us == 0


def test_spells_fill_the_window_without_gaps():
    line = told((3, "healthy"), (3, "degraded"), (30, "degraded"), (99, "failing"), window=(1, 90), heard=40)
    edges = [(spell.begin_us, spell.end_us) for spell in line.spells]
    assert edges[0][0] == 1 * HOUR
    assert edges[-1][1] == 90 * HOUR
    assert all(end == begin for (_, end), (begin, _) in pairwise(edges))
