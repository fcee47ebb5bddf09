"""The scanner's folder as it is, against what the ledger has seen: the truth that events only hint at."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from edge_agent.domain.drop import Drop
from edge_agent.domain.ids import DropKey
from edge_agent.errors import DropUnavailable
from edge_agent.intake.grouping import FileEntry
from edge_agent.intake.settle import Fingerprint

Listing: TypeAlias = tuple[FileEntry, ...]

_MAX_DEPTH = 16


def read_folder(watch: Path, ignores: Callable[[str], bool]) -> Listing:
    """List all regular files below ``watch`` that ``ignores`` (given their relative name) does not leave out, sorted by name.

    Symbolic links are not followed and not listed; folders whose name begins with a dot are left out; what vanishes meanwhile is
    skipped. Names that are not UTF-8 are shown with backslash escapes, their paths stay as they are. About 4 us a file.

    Raises:
        DropUnavailable: the folder is away or cannot be read.
    """
    try:
        with os.scandir(watch) as top:
            entries = list(top)
    except OSError as error:
        raise DropUnavailable("the scanner's folder cannot be read", {"errno": error.errno or 0}) from error
    return tuple(sorted(_files(entries, "", ignores, 1), key=lambda file: file.name))


def unseen(drops: Iterable[Drop], seen: Mapping[DropKey, Fingerprint]) -> tuple[Drop, ...]:
    """Give the drops that are new or whose fingerprint differs from the one under which they were last taken."""
    return tuple(drop for drop in drops if seen.get(drop.key) != drop.fingerprint)


def _files(entries: Iterable[os.DirEntry[str]], above: str, ignores: Callable[[str], bool], depth: int) -> Iterator[FileEntry]:
    for entry in entries:
        name = above + os.fsencode(entry.name).decode("utf-8", "backslashreplace")
        try:
            if entry.is_dir(follow_symlinks=False):
                if depth < _MAX_DEPTH and not entry.name.startswith("."):
                    yield from _files(_inside(entry), f"{name}/", ignores, depth + 1)
            elif entry.is_file(follow_symlinks=False) and not ignores(name):
                found = entry.stat(follow_symlinks=False)
                yield FileEntry(name, Path(entry.path), found.st_size, found.st_mtime_ns)
        except FileNotFoundError:
            continue  # deleted or renamed since it was listed; the next look sees the new state
        except OSError as error:
            raise DropUnavailable("the scanner's folder cannot be read", {"errno": error.errno or 0}) from error


def _inside(folder: os.DirEntry[str]) -> list[os.DirEntry[str]]:
    with os.scandir(folder.path) as entries:
        return list(entries)
