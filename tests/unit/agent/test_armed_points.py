"""Traps spring at the arrival they are set for, and the runtime's own fault points never."""

import pytest

from edge_agent.agent.ports import UNARMED, Point
from edge_agent.domain.ids import ScanId
from edge_agent.testing.faults import Armed, Deed, Sprung, Trap

SCAN, OTHER = ScanId("a"), ScanId("b")


def test_a_trap_springs_at_its_nth_arrival_and_at_each_one_after() -> None:
    armed = Armed([Trap(Point.COMMIT_AFTER, Deed.RAISE, 3)])
    armed.reached(Point.COMMIT_AFTER, SCAN)
    armed.reached(Point.COMMIT_BEFORE, SCAN)
    armed.reached(Point.COMMIT_AFTER, OTHER)
    for _ in range(2):
        with pytest.raises(Sprung):
            armed.reached(Point.COMMIT_AFTER)


def test_a_trap_for_one_scan_lets_the_others_pass() -> None:
    armed = Armed([Trap(Point.INFER_BEFORE, Deed.RAISE, 1, SCAN)])
    armed.reached(Point.INFER_BEFORE, OTHER)
    armed.reached(Point.INFER_BEFORE)
    with pytest.raises(Sprung):
        armed.reached(Point.INFER_BEFORE, SCAN)


@pytest.mark.parametrize("point", Point)
def test_without_traps_nothing_happens(point: Point) -> None:
    UNARMED.reached(point, SCAN)
    Armed([]).reached(point, SCAN)


@pytest.mark.parametrize("trap", [Trap(Point.INFER_BEFORE, Deed.HANG), Trap(Point.PUBLISH_AFTER, Deed.KILL, 7, SCAN)])
def test_a_trap_is_read_back_as_it_was_written(trap: Trap) -> None:
    assert trap == Trap.read(str(trap))


@pytest.mark.parametrize(
    "text", ["", "commit-after", "commit-after:sing", "nowhere:kill", "commit-after:kill:x", "commit-after:kill:1:a:b"]
)
def test_a_misspelt_trap_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each part has its own words
        Trap.read(text)
