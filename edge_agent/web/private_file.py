"""Small JSON files with secrets in them (users, tokens): mode 0600, replaced whole, refused when others could read them."""

import os
import stat
from pathlib import Path

from edge_agent.domain.clock import Clock
from edge_agent.errors import ConfigInvalid, ConfigUnreadable

_MOST_BYTES = 4 * 1024 * 1024
_LOOK_EVERY_S = 1.0


def read_private(path: Path) -> bytes | None:
    """Give the content, or None when there is no such file.

    Raises:
        ConfigUnreadable: it cannot be read, or is no regular file.
        ConfigInvalid: others than its owner may read or write it, or it is far too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}", {"file": str(path)}) from problem
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise ConfigUnreadable(f"{path}: not a regular file", {"file": str(path)})
        if stat.S_IMODE(state.st_mode) & 0o077:
            raise ConfigInvalid(f"{path}: readable by others; it must have mode 0600", {"file": str(path)})
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ConfigInvalid(f"{path}: too large", {"file": str(path)})
    return content


def write_private(path: Path, content: bytes) -> None:
    """Replace the file as a whole; a death leaves the old content or the new one, on the disk.

    Raises:
        ConfigUnreadable: the folder does not take it.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise ConfigUnreadable(f"{path}: {problem.strerror}", {"file": str(path)}) from problem


class ChangeWatch:
    """Tells whether a file was replaced, looking at it at most once a second."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._seen = fingerprint(path)
        self._looked = clock.monotonic()

    def has_changed(self) -> bool:
        """Say whether the file is another one than at the last look; False between looks."""
        now = self._clock.monotonic()
        if now - self._looked < _LOOK_EVERY_S:
            return False
        self._looked = now
        before, self._seen = self._seen, fingerprint(self._path)
        return self._seen != before


def fingerprint(path: Path) -> tuple[int, int, int]:
    """Give what changes whenever the file is replaced; zeros when there is none or it cannot be looked at."""
    try:
        state = path.stat()
    except OSError:
        return (0, 0, 0)
    return (state.st_ino, state.st_size, state.st_mtime_ns)
