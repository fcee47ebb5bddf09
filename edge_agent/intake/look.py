"""One look at a scanner's folder: what lies there, what became of what was seen before, and what is to be done now.

All of it is one call, for a lane: a folder of a hundred thousand files costs seconds that the loop must not lose.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.domain.ids import DropKey, ScannerId
from edge_agent.domain.profile import Profile
from edge_agent.intake.grouping import group
from edge_agent.intake.reconcile import read_folder, unseen
from edge_agent.intake.settle import Action, Fingerprint, Watched, in_turn, is_overdue, next_step, survey

MOST_DUE: Final = 2048
"""Drops that one look hands on; the next look finds the others again."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A scanner's folder and how to read it."""

    scanner: ScannerId
    watch: Path
    profile: Profile


@dataclass(frozen=True, slots=True)
class Look:
    """What a look gave. ``watched``: all drops that are not taken yet; ``due``: those to act on now, in order, at most ``MOST_DUE``.

    ``again_at``: when the next of the others is due (monotonic seconds), None when there is none. ``vanished``: drops that went away
    before they were taken; ``overdue``: drops that are still written to, or cannot be read, long after their deadlines; ``gone``: taken
    drops that lie here no more, whose fingerprints only the ledger need keep.
    """

    watched: dict[DropKey, Watched]
    due: tuple[Watched, ...]
    again_at: float | None
    vanished: int
    overdue: int
    gone: tuple[DropKey, ...]


def look(folder: Folder, seen: Mapping[DropKey, Fingerprint], before: Mapping[DropKey, Watched], monotonic: Callable[[], float]) -> Look:
    """Look once. ``seen``: fingerprints under which drops were taken; ``before``: what the last look left.

    Raises:
        DropUnavailable: the folder is away or cannot be read.
    """
    profile = folder.profile
    present = group(folder.scanner, read_folder(folder.watch, profile.ignores), profile)
    drops = unseen(present, seen)
    now = monotonic()
    found = survey(before, drops, now)
    steps = [(watched, next_step(watched, profile, now)) for watched in found.watched.values()]
    waiting = [step.again_at for _, step in steps if step.action is Action.WAIT]
    return Look(
        dict(found.watched),
        tuple(in_turn([watched for watched, step in steps if step.action is not Action.WAIT], MOST_DUE)),
        min(waiting, default=None),
        sum(key not in seen for key in found.vanished),
        sum(is_overdue(watched, profile, now) for watched in found.watched.values()),
        tuple(seen.keys() - {drop.key for drop in present}),
    )
