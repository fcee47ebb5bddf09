"""Lanes and fault points that misbehave while a file is there; ``benchmarks.armed_daemon`` puts them into a daemon."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edge_agent.agent.lanes import Lane, LaneMaker
from edge_agent.agent.ports import Point
from edge_agent.domain.ids import ScanId
from edge_agent.errors import DeviceLost

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class HangingLane(Lane):
    """One thread of it never comes back from the first piece of work that it is given when ``when`` is there; says so in the log."""

    def __init__(self, when: Path, name: str, threads: int, niceness: int) -> None:
        super().__init__(name, threads, niceness)
        self._when = when

    async def run(self, work: Callable[..., Outcome], *args: Any, **kwargs: Any) -> Outcome:  # noqa: ANN401 - as the lane has it
        return await super().run(partial(self._hanging, work), *args, **kwargs)

    def fan(self, work: Callable[[Item], Outcome], items: Sequence[Item]) -> list[Outcome]:
        return super().fan(partial(self._hanging, work), items)

    def _hanging(self, work: Callable[..., Outcome], *args: Any, **kwargs: Any) -> Outcome:  # noqa: ANN401 - as the lane has it
        if self._when.exists():
            sys.stdout.write('{"event": "lane_hangs"}\n')
            sys.stdout.flush()
        while self._when.exists():
            time.sleep(0.1)
        return work(*args, **kwargs)


class LyingLane(Lane):
    """Answers quickly and wrongly while ``when`` is there: a device that sees nothing in any tile."""

    def __init__(self, when: Path, name: str, threads: int, niceness: int) -> None:
        super().__init__(name, threads, niceness)
        self._when = when

    def fan(self, work: Callable[[Item], Outcome], items: Sequence[Item]) -> list[Outcome]:
        return super().fan(partial(self._blind, work), items)

    def _blind(self, work: Callable[[Item], Any], item: Item) -> Any:  # noqa: ANN401
        seen = work(item)
        return [found.take(np.zeros(len(found.scores), bool)) for found in seen] if self._when.exists() else seen


class DeviceBreaks:
    """The device is lost at each scan while ``when`` is there."""

    def __init__(self, when: Path) -> None:
        self._when = when

    def reached(self, point: Point, scan_id: ScanId | None = None) -> None:  # noqa: ARG002
        if point is Point.INFER_BEFORE and self._when.exists():
            raise DeviceLost("CUDA failure 700: an illegal memory access was encountered")


class FrozenDecoders:
    """Stops every decode child just before the next scan is decoded, once."""

    def __init__(self, when: Path) -> None:
        self._when = when

    def reached(self, point: Point, scan_id: ScanId | None = None) -> None:  # noqa: ARG002
        if point is Point.DECODE_BEFORE and self._when.exists():
            self._when.unlink()
            for children in Path("/proc/self/task").glob("*/children"):
                for pid in children.read_text().split():
                    if b"child_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(int(pid), signal.SIGSTOP)


def lane_maker(when: Path | None, *, hang: str | None, lie: str | None) -> LaneMaker:
    """Give what makes lanes of which those named ``hang`` and ``lie`` misbehave."""

    def make(name: str, threads: int, niceness: int) -> Lane:
        if when is not None and name == hang:
            return HangingLane(when, name, threads, niceness)
        if when is not None and name == lie:
            return LyingLane(when, name, threads, niceness)
        return Lane(name, threads, niceness)

    return make
