"""Hints that something happened in a scanner's folder. They ring a bell and carry nothing; the reconcile finds out what it was."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchdog import events
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from edge_agent.errors import DropUnavailable
from edge_agent.intake.mounts import UNKNOWN_KIND, kind_of, parse_mounts

_CHANGES: Final[list[type[events.FileSystemEvent]]] = [
    events.FileCreatedEvent,
    events.FileModifiedEvent,
    events.FileMovedEvent,
    events.FileDeletedEvent,
    events.FileClosedEvent,
    events.DirCreatedEvent,
    events.DirMovedEvent,
    events.DirDeletedEvent,
]
"""Not the events of opening and of closing without a write: our own look at the folder causes them, and would ring for ever."""

_STOP_S = 5.0
_MOUNTS: Final = Path("/proc/self/mountinfo")


class Watcher:
    """Calls ``ring`` from a thread of its own, soon after any change below ``folder`` that this machine's kernel sees.

    ``ring`` must be quick and safe from any thread; the RuntimeError of a loop that has closed meanwhile is no error here. The
    observer runs a thread from its construction on, so it is made in :meth:`start`.
    """

    def __init__(self, folder: Path, ring: Callable[[], None]) -> None:
        self._folder = folder
        self._bell = _Bell(ring)
        self._observer: BaseObserver | None = None
        self._identity = (0, 0)

    def start(self) -> None:
        """Start watching.

        Raises:
            DropUnavailable: the folder is away, or the system allows no more watches.
        """
        try:
            self._identity = _identity(self._folder)
            self._observer = Observer()
            self._observer.schedule(self._bell, str(self._folder), recursive=True, event_filter=_CHANGES)
            self._observer.start()
        except OSError as error:
            self.stop()
            raise DropUnavailable("the scanner's folder cannot be watched", {"errno": error.errno or 0}) from error

    def is_alive(self) -> bool:
        """Say whether hints still come: False after the folder was deleted, replaced or mounted over, even while the observer runs."""
        observer = self._observer
        if observer is None or not observer.is_alive() or not all(emitter.is_alive() for emitter in observer.emitters):
            return False
        try:
            return bool(observer.emitters) and _identity(self._folder) == self._identity
        except OSError:
            return False

    def stop(self) -> None:
        """Stop watching; after this ``ring`` is not called any more. Stopping twice is fine."""
        observer, self._observer = self._observer, None
        if observer is None:
            return
        observer.stop()
        if observer.is_alive():
            observer.join(_STOP_S)


def file_system_of(folder: Path) -> str:
    """Give the kind of file system that a folder lies on now, ``unknown`` where the kernel does not tell."""
    try:
        table = _MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return UNKNOWN_KIND
    return kind_of(parse_mounts(table), os.path.realpath(folder))


class _Bell(events.FileSystemEventHandler):
    """Rings, and never raises: an exception in a handler ends the observer's thread for good."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    def on_any_event(self, event: events.FileSystemEvent) -> None:  # noqa: ARG002 - what happened does not matter
        with contextlib.suppress(RuntimeError):
            self._ring()


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino
