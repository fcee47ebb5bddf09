"""A deadline is asked between pieces of work, and only then."""

import math

import pytest

from edge_agent.analysis.deadline import Deadline
from edge_agent.analysis.ports import one_by_one
from edge_agent.errors import OutOfTime
from edge_agent.testing.clock import ManualClock


def test_without_a_deadline_there_is_always_time() -> None:
    clock = ManualClock()
    clock.advance(1e9)
    deadline = Deadline(clock)
    deadline.check()
    assert math.inf == deadline.left_s


@pytest.mark.parametrize(("passed_s", "is_over"), [(0.0, False), (9.99, False), (10.0, True), (11.0, True)])
def test_it_is_over_when_the_clock_says_so(passed_s: float, is_over: bool) -> None:
    clock = ManualClock()
    deadline = Deadline(clock, clock.monotonic() + 10.0)
    clock.advance(passed_s)
    assert 10.0 - passed_s == pytest.approx(deadline.left_s)
    if is_over:
        with pytest.raises(OutOfTime):
            deadline.check()
    else:
        deadline.check()


def test_a_wall_clock_that_jumps_a_year_takes_no_time_from_a_scan() -> None:
    clock = ManualClock()
    deadline = Deadline(clock, clock.monotonic() + 10.0)
    clock.jump(365 * 86_400)
    deadline.check()


def test_a_fan_stops_at_the_first_item_after_the_deadline() -> None:
    clock, looked = ManualClock(), []

    def look(tile: int) -> int:
        looked.append(tile)
        clock.advance(4.0)
        return tile

    with pytest.raises(OutOfTime):
        Deadline(clock, clock.monotonic() + 10.0).fan(one_by_one)(look, range(100))
    assert [0, 1, 2] == looked
