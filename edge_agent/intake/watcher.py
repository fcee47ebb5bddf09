"""Hints that something happened in a scanner's folder. They ring a bell and carry nothing; the reconcile finds out what it was."""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchdog import events
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from edge_agent.errors import DropUnavailable

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


class Watcher:
    """Calls ``ring`` from a thread of its own, soon after any change below ``folder``.

    ``polling``: for network shares, whose remote writers cause no events; then it rings every ``poll_s`` seconds instead.
    ``ring`` must be quick and safe from any thread; the RuntimeError of a loop that has closed meanwhile is no error here.
    """

    def __init__(self, folder: Path, ring: Callable[[], None], *, polling: bool = False, poll_s: float = 2.0) -> None:
        self._hints: _Events | _Ticks = _Ticks(ring, poll_s) if polling else _Events(folder, ring)

    def start(self) -> None:
        """Start watching.

        Raises:
            DropUnavailable: the folder is away, or the system allows no more watches.
        """
        self._hints.start()

    def is_alive(self) -> bool:
        """Say whether hints still come: False after the folder was deleted or replaced, even while the observer's thread runs."""
        return self._hints.is_alive()

    def stop(self) -> None:
        """Stop watching; after this ``ring`` is not called any more. Stopping twice is fine."""
        self._hints.stop()


class _Bell(events.FileSystemEventHandler):
    """Rings, and never raises: an exception in a handler ends the observer's thread for good."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    def on_any_event(self, event: events.FileSystemEvent) -> None:  # noqa: ARG002 - what happened does not matter
        with contextlib.suppress(RuntimeError):
            self._ring()


class _Events:
    """The operating system's own events, by watchdog. Its observer runs a thread from its construction on, so it is made in ``start``."""

    def __init__(self, folder: Path, ring: Callable[[], None]) -> None:
        self._folder = folder
        self._bell = _Bell(ring)
        self._observer: BaseObserver | None = None
        self._inode = 0

    def start(self) -> None:
        try:
            self._inode = self._folder.stat().st_ino
            self._observer = Observer()
            self._observer.schedule(self._bell, str(self._folder), recursive=True, event_filter=_CHANGES)
            self._observer.start()
        except OSError as error:
            self.stop()
            raise DropUnavailable("the scanner's folder cannot be watched", {"errno": error.errno or 0}) from error

    def is_alive(self) -> bool:
        observer = self._observer
        if observer is None or not observer.is_alive() or not all(emitter.is_alive() for emitter in observer.emitters):
            return False
        try:
            return bool(observer.emitters) and self._folder.stat().st_ino == self._inode
        except OSError:
            return False

    def stop(self) -> None:
        observer, self._observer = self._observer, None
        if observer is None:
            return
        observer.stop()
        if observer.is_alive():
            observer.join(_STOP_S)


class _Ticks:
    """A bell at regular intervals."""

    def __init__(self, ring: Callable[[], None], every_s: float) -> None:
        self._bell = _Bell(ring)
        self._every_s = every_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="folder-ticks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _tick(self) -> None:
        tick = events.FileSystemEvent("")
        while not self._stopped.wait(self._every_s):
            self._bell.on_any_event(tick)
