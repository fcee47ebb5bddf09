"""One file of a scan: as seen in the scanner's folder, and as accepted."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DropMember:
    """One file of a drop as seen in the scanner's folder. ``role`` is the profile's word; ``name`` is relative to the watched folder."""

    name: str
    role: str
    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class MemberDigest:
    """One accepted file: SHA-256 (hex) of the spool copy. ``is_pixels``: whether it counts for the content digest."""

    name: str
    role: str
    size: int
    sha256: str
    is_pixels: bool
