"""Lanes under watch: work that is slow is left alone, one piece that never ends is found, on whichever thread of the lane."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge_agent.agent.lanes import Lane, Lanes, LaneWatch

PATIENCE_S = 10.0


@contextmanager
def held(lane: Lane, pieces: int = 1) -> Iterator[None]:
    """Keep ``pieces`` threads of a lane at work."""
    gate, begun = threading.Event(), threading.Semaphore(0)

    def piece(_: int) -> None:
        begun.release()
        gate.wait(50.0)

    fan = threading.Thread(target=lane.fan, args=(piece, range(pieces)))
    fan.start()
    for _ in range(pieces):
        assert begun.acquire(timeout=50.0)
    try:
        yield
    finally:
        gate.set()
        fan.join()


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    lanes = Lanes()
    yield lanes
    lanes.close()


def test_lanes_without_work_are_never_stuck(lanes: Lanes) -> None:
    lanes.open("cpu", 2)
    lanes.open("ledger")
    watch = LaneWatch(lanes, PATIENCE_S)
    assert [[], [], []] == [watch.stuck(now) for now in (0.0, PATIENCE_S, 10 * PATIENCE_S)]


def test_one_hung_thread_is_found_although_the_lane_has_others(lanes: Lanes) -> None:
    cpu = lanes.open("cpu", 2)
    watch = LaneWatch(lanes, PATIENCE_S)
    with held(cpu):
        assert [[], [], ["cpu"]] == [watch.stuck(now) for now in (0.0, PATIENCE_S - 0.1, PATIENCE_S)]
        asyncio.run(cpu.run(int))  # the other thread still works
        assert ["cpu"] == watch.stuck(PATIENCE_S + 1.0)
    assert [] == watch.stuck(PATIENCE_S + 2.0), "it was only slow"


def test_a_lane_that_is_busy_for_long_with_many_pieces_is_not_stuck(lanes: Lanes) -> None:
    cpu = lanes.open("cpu")
    watch = LaneWatch(lanes, PATIENCE_S)
    for now in range(0, 100, 5):
        with held(cpu):
            assert [] == watch.stuck(float(now))


def test_each_stuck_lane_is_named_once(lanes: Lanes) -> None:
    cpu, device = lanes.open("cpu", 3), lanes.open("device", 2)
    lanes.open("ledger")
    watch = LaneWatch(lanes, PATIENCE_S)
    with held(cpu, 3), held(device, 2):
        watch.stuck(0.0)
        assert ["cpu", "device"] == watch.stuck(PATIENCE_S)


def test_a_lane_opened_later_is_watched_too(lanes: Lanes) -> None:
    watch = LaneWatch(lanes, PATIENCE_S)
    watch.stuck(0.0)
    late = lanes.open("results")
    with held(late):
        watch.stuck(1.0)
        assert ["results"] == watch.stuck(1.0 + PATIENCE_S)


def test_a_lane_whose_threads_take_no_work_is_stuck() -> None:
    class Deaf(Lane):
        """Its no-op never begins."""

        def in_hand(self) -> frozenset[int]:
            with held(self):  # one thread, and it is taken: the no-op waits
                super().in_hand()
                self._running.clear()
                return super().in_hand()

    lane = Deaf("spool")
    try:
        watch = LaneWatch([lane], 0.0)
        assert ["spool"] == watch.stuck(0.0)
    finally:
        lane.close()


def test_work_that_fails_is_over() -> None:
    lane = Lane("cpu")
    try:
        with pytest.raises(ZeroDivisionError):
            asyncio.run(lane.run(lambda: 1 // 0))
        lane.in_hand()
        lane.finish(int)
        assert frozenset() == lane.in_hand()
    finally:
        lane.close()
