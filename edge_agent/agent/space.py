"""Room on the state directory's file system: how short it is, what is given up for it, and when no scan is accepted any more."""

import errno
import os
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from edge_agent.agent.keeping import SpaceSection
from edge_agent.errors import LedgerFailed
from edge_agent.ledger.connection import FILE_MODE, sync_folder
from edge_agent.telemetry import events

_MARGIN = 1.1
"""So much more than a threshold must be free before the level behind it is left again: levels do not flap."""
_LARGEST_BALLAST_SHARE = 0.01
_LEAST_TO_BEGIN = 1 << 18
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Level(IntEnum):
    """How short space is; each level includes what the one before gives up."""

    AMPLE = 0
    LOW = 1
    """Health is degraded."""
    SPARING = 2
    """No new pictures and packages; old ordinary ones go. Assessment goes on."""
    STOPPED = 3
    """No scan is accepted; the ballast is given up so that work in hand can be finished."""

    @property
    def code(self) -> str:
        """Give the level's name in reasons and log lines."""
        return self.name.lower()


class Room(Protocol):
    """What those who write ask, and tell."""

    @property
    def keeps_extras(self) -> bool:
        """Whether pictures and packages may be written."""

    def admits(self, size: int) -> bool:
        """Tell whether a scan of ``size`` bytes may be accepted."""

    def ran_out(self) -> None:
        """Say that the disk was full in spite of all: acceptance stops until the next look."""


class Unlimited:
    """Satisfies :class:`Room` where nothing watches the disk."""

    keeps_extras = True

    def admits(self, size: int) -> bool:  # noqa: ARG002 - the port's signature
        return True

    def ran_out(self) -> None:
        return


UNLIMITED = Unlimited()


def level_of(before: Level, free: int, total: int, section: SpaceSection) -> Level:
    """Give the level at ``free`` of ``total`` bytes. Getting worse counts at once, getting better only with a margin.

    ``before``: the level until now.
    """
    now = _level(free, total, section, 1.0)
    return now if now >= before else min(before, _level(free, total, section, _MARGIN))


def _level(free: int, total: int, section: SpaceSection, margin: float) -> Level:
    if free < section.stop_share * margin * total or free < section.stop_mb * 1e6 * margin:
        return Level.STOPPED
    if free < section.sparing_share * margin * total:
        return Level.SPARING
    return Level.LOW if free < section.warn_share * margin * total else Level.AMPLE


def needed(free: int, total: int, section: SpaceSection) -> int:
    """Give how many bytes must become free until nothing is given up any more."""
    return max(0, int(section.warn_share * _MARGIN * total) + 1 - free)


@dataclass(frozen=True, slots=True)
class Disk:
    """What the file system says. ``free``: bytes that this user may still write; ``total``: bytes in all."""

    free: int
    total: int
    is_read_only: bool = False


def disk_of(folder: Path) -> Disk:
    """Ask the file system of ``folder``. Where files (inodes) run out first, their share counts as the space's."""
    found = os.statvfs(folder)
    free, total = found.f_bavail * found.f_frsize, max(found.f_blocks * found.f_frsize, 1)
    if found.f_files:
        free = min(free, total * found.f_favail // found.f_files)
    return Disk(free, total)


def check_writable(folder: Path) -> None:
    """Write a time stamp: a file system that gave up after an error says read-only to writers alone, not to those who ask.

    Raises:
        LedgerFailed: it takes no changes.
    """
    try:
        os.utime(folder)
    except OSError as problem:
        if problem.errno not in _FULL:
            raise LedgerFailed(f"the state directory cannot be written: {problem.strerror}", {"errno": problem.errno or 0}) from problem


class Space:
    """Satisfies :class:`Room`. :meth:`look` blocks, for the house-keeping lane; everything else may be asked anywhere."""

    def __init__(self, state_dir: Path, section: SpaceSection) -> None:
        """Look at nothing yet: call :meth:`look` before the first question."""
        self._state_dir = state_dir
        self._section = section
        self._ballast = state_dir / "ballast"
        self._level = Level.AMPLE
        self._disk = Disk(0, 1)
        self.shortages = 0
        """How often something may have been left unwritten; grows only."""

    @property
    def level(self) -> Level:
        return self._level

    @property
    def free_share(self) -> float:
        """Give the share of the disk that is free, the ballast not counted."""
        return max(self._disk.free, 0) / self._disk.total

    @property
    def keeps_extras(self) -> bool:
        return self._level < Level.SPARING

    def admits(self, size: int) -> bool:
        after = self._disk.free - size
        return self._level < Level.STOPPED and (size == 0 or _level(after, self._disk.total, self._section, 1.0) < Level.STOPPED)

    def ran_out(self) -> None:
        self.shortages += 1
        self._enter(Level.STOPPED)

    @property
    def need_bytes(self) -> int:
        """Give how many bytes retention should free: none unless space is short."""
        return needed(self._disk.free, self._disk.total, self._section) if self._level >= Level.SPARING else 0

    @property
    def can_begin(self) -> bool:
        """Whether there is room for the few rows of a start, the ballast's own included."""
        return disk_of(self._state_dir).free >= _LEAST_TO_BEGIN

    def look(self) -> None:
        """Ask the file system, decide, give up the ballast or make it anew.

        Room for the ballast is not counted as free while it is missing, so giving it up ends no shortage.

        Raises:
            LedgerFailed: the file system became read-only, so nothing can be kept any more.
        """
        check_writable(self._state_dir)
        found = disk_of(self._state_dir)
        wanted = self._ballast_bytes(found.total)
        has_ballast = _size(self._ballast) >= wanted
        self._disk = found if has_ballast else Disk(found.free - wanted, found.total)
        self._enter(level_of(self._level, self._disk.free, self._disk.total, self._section))
        if not has_ballast and self._level < Level.STOPPED:
            self._make_ballast(wanted)

    def _enter(self, level: Level) -> None:
        changed, self._level = level is not self._level, level
        if changed:
            self.shortages += level >= Level.SPARING
            events.space_changed(level.code, max(self._disk.free, 0))
        if level is Level.STOPPED and self._ballast.exists():
            self._ballast.unlink(missing_ok=True)
            sync_folder(self._state_dir)
            events.ballast_given_up()

    def _ballast_bytes(self, total: int) -> int:
        return int(min(self._section.ballast_mb * 1e6, total * _LARGEST_BALLAST_SHARE))

    def _make_ballast(self, size: int) -> None:
        if size == 0:
            return
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
        try:
            os.posix_fallocate(descriptor, 0, size)
            os.fsync(descriptor)
        except OSError as problem:
            if problem.errno not in _FULL:
                raise
            self._ballast.unlink(missing_ok=True)  # somebody else was faster; the next look decides
        finally:
            os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
