"""A listing of the scanner's folder and its profile to drops. Pure; every file that is not ignored is in exactly one drop."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.domain.drop import Drop
from edge_agent.domain.ids import DropKey, ScannerId
from edge_agent.domain.member import DropMember
from edge_agent.domain.profile import Profile

UNKNOWN_ROLE: Final = "unknown"
_UNKNOWN_KEY = "//"  # relative names never hold it, so an unknown file can never fall into a drop of known ones


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the scanner's folder. ``name``: relative to the folder, parts joined by ``/``; ``path``: where it lies."""

    name: str
    path: Path
    size: int
    mtime_ns: int


def group(scanner: ScannerId, files: Iterable[FileEntry], profile: Profile) -> tuple[Drop, ...]:
    """Put files into drops by the profile's group key, sorted by key; members sorted by name.

    A file that no rule knows is a drop of its own with role ``unknown``: it will be accepted alone and set aside, never overlooked.
    """
    members: dict[DropKey, list[DropMember]] = {}
    for file in files:
        if profile.ignores(file.name):
            continue
        match = profile.match(file.name)
        role, key = (match[0].role, match[1]) if match is not None else (UNKNOWN_ROLE, _UNKNOWN_KEY + file.name)
        members.setdefault(DropKey(key), []).append(DropMember(file.name, role, file.path, file.size, file.mtime_ns))
    return tuple(Drop(scanner, key, tuple(sorted(group, key=lambda one: one.name))) for key, group in sorted(members.items()))


def is_unknown(drop: Drop) -> bool:
    """Say whether a drop is a file that no rule of the profile knows."""
    return drop.members[0].role == UNKNOWN_ROLE
