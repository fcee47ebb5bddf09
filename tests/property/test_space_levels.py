"""Levels of space: a pure function of free and total bytes, with hysteresis, monotone both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_agent.agent.keeping import SpaceSection
from edge_agent.agent.space import UNLIMITED, Level, level_of, needed

PLAIN = SpaceSection()
TOTAL = 100_000_000_000
levels = st.sampled_from(Level)
free = st.integers(-(10**9), TOTAL)


@pytest.mark.parametrize(
    ("share", "level"),
    [(0.10, Level.AMPLE), (0.0999, Level.LOW), (0.05, Level.LOW), (0.0499, Level.SPARING), (0.02, Level.SPARING), (0.0199, Level.STOPPED)],
)
def test_each_threshold_belongs_to_the_better_level(share: float, level: Level) -> None:
    assert level_of(Level.AMPLE, round(share * TOTAL), TOTAL, PLAIN) is level


def test_on_a_small_disk_megabytes_count_too() -> None:
    assert level_of(Level.AMPLE, 63_000_000, 100_000_000, PLAIN) is Level.STOPPED


@given(levels, free, free)
def test_less_space_is_never_a_better_level(before: Level, one: int, other: int) -> None:
    assert level_of(before, min(one, other), TOTAL, PLAIN) >= level_of(before, max(one, other), TOTAL, PLAIN)


@given(levels, levels, free)
def test_a_worse_past_is_never_a_better_present(one: Level, other: Level, bytes_free: int) -> None:
    assert level_of(max(one, other), bytes_free, TOTAL, PLAIN) >= level_of(min(one, other), bytes_free, TOTAL, PLAIN)


@given(levels, free)
def test_the_same_space_decided_again_changes_nothing(before: Level, bytes_free: int) -> None:
    after = level_of(before, bytes_free, TOTAL, PLAIN)
    assert level_of(after, bytes_free, TOTAL, PLAIN) is after


@given(st.floats(0.02, 0.0219))
def test_acceptance_does_not_begin_again_just_above_the_threshold(share: float) -> None:
    assert level_of(Level.STOPPED, int(share * TOTAL), TOTAL, PLAIN) is Level.STOPPED


@given(levels, free)
def test_what_is_needed_when_freed_makes_space_ample(before: Level, bytes_free: int) -> None:
    assert level_of(before, bytes_free + needed(bytes_free, TOTAL, PLAIN), TOTAL, PLAIN) is Level.AMPLE


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="must not be above"):
        SpaceSection(stop_share=0.2)


def test_where_nothing_watches_the_disk_everything_is_admitted() -> None:
    UNLIMITED.ran_out()
    assert (UNLIMITED.keeps_extras, UNLIMITED.admits(10**15)) == (True, True)
