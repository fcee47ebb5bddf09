"""Small files in the console's state folder: in place whole and on the disk, readable by this user only."""

import os
from pathlib import Path

from edge_agent.errors import DiskLow
from edge_agent.telemetry import events


def put(folder: Path, name: str, content: bytes) -> None:
    """Put ``NAME.json`` in place, or another one in its place; a death leaves the old content or the new one.

    Raises:
        DiskLow: the disk does not take it; its field ``errno`` says why.
    """
    unfinished = folder / f"{name}.new"
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        unfinished.rename(folder / f"{name}.json")
        _sync(folder)
    except OSError as problem:
        raise DiskLow("the console's disk does not take it", {"errno": problem.errno or 0}) from problem


def drop(folder: Path, name: str) -> None:
    """Delete ``NAME.json``. Where it cannot be, the next start finds it and sends it again, which changes nothing at the site."""
    try:
        (folder / f"{name}.json").unlink(missing_ok=True)
    except OSError as problem:
        events.console_file_left(problem.errno or 0)


def read_all(folder: Path) -> list[bytes]:
    """Give every file's content, and make the folder if there is none.

    Raises:
        OSError: it cannot be used.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return [path.read_bytes() for path in sorted(folder.glob("*.json"))]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
