"""Fault points that do something: what a test's launcher passes to ``run_agent`` in place of ``UNARMED``."""

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from edge_agent.agent.ports import FaultPoint, Point
from edge_agent.domain.ids import ScanId

_FOR_EVER_S = 1e6


class Deed(StrEnum):
    """What happens at an armed point: power cut, crash of native code, a call that never comes back, a fault of the program."""

    KILL = "kill"
    CRASH = "crash"
    HANG = "hang"
    RAISE = "raise"


class Sprung(Exception):
    """An armed point raised, as a fault of the program would."""


@dataclass(frozen=True, slots=True)
class Trap:
    """Do ``deed`` at the ``nth`` arrival at ``point`` (counted from 1), or at each from there; ``scan_id`` counts that scan only."""

    point: Point
    deed: Deed
    nth: int = 1
    scan_id: ScanId | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """Read ``POINT:DEED[:NTH[:SCAN]]``, as :meth:`__str__` writes it.

        Raises:
            ValueError.
        """
        point, deed, nth, scan_id, *rest = (*text.split(":"), "", "")
        if any(rest):
            raise ValueError(f"not POINT:DEED[:NTH[:SCAN]]: {text}")
        return cls(Point(point), Deed(deed), int(nth or 1), ScanId(scan_id) if scan_id else None)

    def __str__(self) -> str:
        return f"{self.point}:{self.deed}:{self.nth}:{self.scan_id or ''}"


class Armed:
    """Springs each trap at its arrival, after one line on standard output that says so. A point is reached on one thread only."""

    def __init__(self, traps: Sequence[Trap]) -> None:
        self._arrivals = dict.fromkeys(traps, 0)

    def reached(self, point: Point, scan_id: ScanId | None = None) -> None:
        """Satisfy ``agent.ports.FaultPoint``."""
        for trap in self._arrivals:
            if trap.point is point and trap.scan_id in (None, scan_id):
                self._arrivals[trap] += 1
                if self._arrivals[trap] >= trap.nth:
                    _spring(trap)


def _spring(trap: Trap) -> None:
    os.write(1, json.dumps({"event": "trap_sprung", "point": trap.point, "deed": trap.deed}).encode() + b"\n")
    match trap.deed:
        case Deed.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Deed.CRASH:
            os.kill(os.getpid(), signal.SIGSEGV)
        case Deed.HANG:
            time.sleep(_FOR_EVER_S)
        case Deed.RAISE:
            raise Sprung(f"armed at {trap.point}")


_FITS: FaultPoint = Armed(())
