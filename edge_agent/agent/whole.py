"""Files that are whole or not there."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file, over an earlier one, so that a death leaves the old or the new content. ``mode``: what the umask may take from.

    The content is on the disk afterwards; its name is once the folder is synced too, which is the caller's to do, once for many files.

    Raises:
        OSError: the disk refuses; nothing of the attempt is left.
    """
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
