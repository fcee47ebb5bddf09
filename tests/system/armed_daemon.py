"""The very daemon, with lanes or fault points that misbehave when a file appears: the shipped command has no such switch.

``python -m tests.system.armed_daemon --config FILE --hang LANE --when FILE`` and so on; see ``main``.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edge_agent.agent.build import run_agent
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ports import UNARMED, Point
from edge_agent.cli.main import exit_code
from edge_agent.cli.run import serve
from edge_agent.domain.ids import ScanId
from edge_agent.errors import DeviceLost, EdgeAgentError

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class HangingLane(Lane):
    """One thread of it never comes back from the first piece of work that it is given when ``when`` is there."""

    def __init__(self, when: Path, name: str, threads: int, niceness: int) -> None:
        super().__init__(name, threads, niceness)
        self._when = when

    async def run(self, work: Callable[..., Outcome], *args: Any, **kwargs: Any) -> Outcome:
        return await super().run(partial(self._hanging, work), *args, **kwargs)

    def fan(self, work: Callable[[Item], Outcome], items: Sequence[Item]) -> list[Outcome]:
        return super().fan(partial(self._hanging, work), items)

    def _hanging(self, work: Callable[..., Outcome], *args: Any, **kwargs: Any) -> Outcome:
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

    def _blind(self, work: Callable[[Item], Any], item: Item) -> Any:
        seen = work(item)
        return [found.take(np.zeros(len(found.scores), bool)) for found in seen] if self._when.exists() else seen


class DeviceBreaks:
    """The device is lost at each scan while ``when`` is there."""

    def __init__(self, when: Path) -> None:
        self._when = when

    def reached(self, point: Point, scan_id: ScanId | None = None) -> None:
        if point is Point.INFER_BEFORE and self._when.exists():
            raise DeviceLost("CUDA failure 700: an illegal memory access was encountered")


class FrozenDecoders:
    """Stops every decode child just before the next scan is decoded, once."""

    def __init__(self, when: Path) -> None:
        self._when = when

    def reached(self, point: Point, scan_id: ScanId | None = None) -> None:
        if point is Point.DECODE_BEFORE and self._when.exists():
            self._when.unlink()
            for children in Path("/proc/self/task").glob("*/children"):
                for pid in children.read_text().split():
                    if b"child_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(int(pid), signal.SIGSTOP)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--when", type=Path, required=True)
    parser.add_argument("--hang")
    parser.add_argument("--lie")
    parser.add_argument("--break-device", dest="faults", action="store_const", const=DeviceBreaks)
    parser.add_argument("--freeze-decoders", dest="faults", action="store_const", const=FrozenDecoders)
    args = parser.parse_args()

    def make_lane(name: str, threads: int, niceness: int) -> Lane:
        if name == args.hang:
            return HangingLane(args.when, name, threads, niceness)
        if name == args.lie:
            return LyingLane(args.when, name, threads, niceness)
        return Lane(name, threads, niceness)

    faults = args.faults(args.when) if args.faults else UNARMED
    try:
        return serve(args.config, partial(run_agent, faults=faults, make_lane=make_lane))
    except EdgeAgentError as problem:
        return exit_code(problem)


if __name__ == "__main__":
    sys.exit(main())
