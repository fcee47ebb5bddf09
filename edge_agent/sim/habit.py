"""How scanners put their files into a folder. Real ones have all of these habits, and intake must live with each."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from edge_agent.sim.scanner import File, Shot

Wait: TypeAlias = Callable[[float], None]
"""Sleeps for seconds; a test passes something quicker."""

_CHUNKS = 6
_PAUSE_S = 0.12
_LATE_S = 0.5


def atomic(shot: Shot, folder: Path, wait: Wait) -> None:  # noqa: ARG001 - a habit's signature
    """Write under a name that nobody looks at, then rename; the side-car last."""
    for file in (*shot.pictures, shot.sidecar):
        _renamed(file, folder)


def slow(shot: Shot, folder: Path, wait: Wait) -> None:
    """Let every file grow in place; the side-car comes before the last picture."""
    *first, last = shot.pictures
    for file in (*first, shot.sidecar, last):
        with (folder / file.name).open("wb") as out:
            step = max(1, -(-len(file.data) // _CHUNKS))
            for start in range(0, len(file.data), step):
                out.write(file.data[start : start + step])
                out.flush()
                wait(_PAUSE_S)


def sidecar_last(shot: Shot, folder: Path, wait: Wait) -> None:
    """Write the pictures at once; the side-car comes when the operator's station has finished."""
    for file in shot.pictures:
        (folder / file.name).write_bytes(file.data)
    wait(_LATE_S)
    (folder / shot.sidecar.name).write_bytes(shot.sidecar.data)


def rewrite(shot: Shot, folder: Path, wait: Wait) -> None:
    """Write everything, and the side-car again a little later, with what the station has added."""
    atomic(shot, folder, wait)
    wait(_LATE_S)
    _renamed(shot.rewritten, folder)


HABITS: Mapping[str, Callable[[Shot, Path, Wait], None]] = {
    "atomic": atomic,
    "slow": slow,
    "sidecar-last": sidecar_last,
    "rewrite": rewrite,
}
"""Habits by name."""

MIXED = "mixed"


def choose(habit: str, seed: int, number: int) -> Callable[[Shot, Path, Wait], None]:
    """Give the habit for a scan; ``mixed`` draws one, the same for the same seed and number.

    Raises:
        KeyError: there is no such habit.
    """
    if habit == MIXED:
        return HABITS[random.Random(f"{seed}/{number}").choice(sorted(HABITS))]
    return HABITS[habit]


def _renamed(file: File, folder: Path) -> None:
    part = folder / f".{file.name}.part"
    part.write_bytes(file.data)
    part.replace(folder / file.name)
