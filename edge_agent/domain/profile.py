"""A scanner profile as a value: how one scanner model names, completes and writes its files. Loaded from ``config/scanners/*.toml``."""

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import translate
from functools import lru_cache
from typing import Literal

from edge_agent.domain.attachment import AttachmentKind
from edge_agent.domain.geometry import Orientation
from edge_agent.domain.layout import RawLayout
from edge_agent.domain.scan import Energy, Quantity
from edge_agent.domain.sidecar_map import SidecarMap

UNFINISHED_NAMES = ("*.tmp", "*.part", "*.crdownload", "~*", ".*")
"""Names under which programs write what is not finished: never members, whatever the profile says."""


class Need(StrEnum):
    """Whether a drop is complete without a member."""

    REQUIRED = "required"
    EXPECTED = "expected"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class PlaneRule:
    """Where a member's pixels go."""

    view: str
    quantity: Quantity
    energy: Energy


@dataclass(frozen=True, slots=True)
class MemberRule:
    """One kind of file. ``pattern``: regular expression over the name (full match, case ignored) with a group ``key``.

    ``deadline_s``: an EXPECTED or REQUIRED member that has not come this long after the drop was first seen is given up (the scan
    becomes partial). ``plane`` is None for files without pixels that count (side-car, stamp). ``further``: the planes after the first
    in the same file. ``layout``: for files without a format of their own. ``attachment``: what a file without planes is, if kept.
    ``package``: a scan package of ours, whose planes and metadata are those it says.
    """

    role: str
    pattern: str
    need: Need
    deadline_s: float
    plane: PlaneRule | None = None
    further: tuple[PlaneRule, ...] = ()
    layout: RawLayout | None = None
    attachment: AttachmentKind | None = None
    package: bool = False

    @property
    def has_pixels(self) -> bool:
        """Say whether the file's content counts for the identity of a scan."""
        return self.plane is not None or self.package

    @property
    def planes(self) -> tuple[PlaneRule, ...]:
        """Give the rules of all planes in the file, in the file's order."""
        return (self.plane, *self.further) if self.plane is not None else ()


@dataclass(frozen=True, slots=True)
class Normalise:
    """What is done to transmission, raw and display planes of a scanner that does not do it itself; as it stands here: nothing.

    ``polarity``: how air looks in the file; ``detect`` turns a picture round when its borders say so. ``white`` and ``black``: levels of
    full transmission and of none in the file, stretched to 16 bits. ``air_columns``, ``dark_columns``: half-open ranges of columns
    (canonical frame, negative from the end) in which every row sees air, or no beam; they give each detector's own white and black.
    ``repair``: dead and noisy lines become what lies between their neighbours. ``crop``: to the load, with ``crop_margin_px`` around.
    """

    polarity: Literal["bright-air", "dark-air", "detect"] = "bright-air"
    white: int | None = None
    black: int = 0
    air_columns: tuple[int, int] | None = None
    dark_columns: tuple[int, int] | None = None
    repair: bool = False
    crop: bool = False
    crop_margin_px: int = 16

    @property
    def gives_transmission(self) -> bool:
        """Say whether raw samples come out as transmission."""
        return self.white is not None or self.air_columns is not None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a decoder may be asked to do: pixels a plane, planes a scan, bytes a file, seconds a scan, bytes of memory."""

    max_pixels: int = 1 << 26
    max_planes: int = 8
    max_file_bytes: int = 1 << 30
    max_sidecar_bytes: int = 1 << 20
    deadline_s: float = 30.0
    max_memory_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Profile:
    """How to read one scanner model.

    ``sidecar``: name of the side-car reader (``json``, ``dataform``, ``map``) or empty; ``map``: the rules of the last. ``clock``: IANA
    zone of the scanner's clock when its times carry none. ``quiet_s``: a drop is settled when nothing changed for this long.
    ``unknown_after_s``: a file that no rule knows is accepted alone after this long, and set aside. ``required_views``: missing one is
    an obstacle.
    ``number``: regular expression with a group ``number``, searched in the group key: the scanner's own running number, empty = none.
    ``verified``: somebody compared what it reads with the vendor's own picture; else every scan says ``profile-unverified``.
    """

    name: str
    members: tuple[MemberRule, ...]
    sidecar: str
    clock: str
    quiet_s: float
    unknown_after_s: float
    required_views: tuple[str, ...]
    ignore: tuple[str, ...] = ()
    orientation: Orientation = Orientation()
    limits: Limits = Limits()
    map: SidecarMap | None = None
    normalise: Normalise = Normalise()
    verified: bool = True
    number: str = ""

    def running_number(self, key: str) -> int | None:
        """Give the scanner's own running number of a group key, None where there is none; one of more than 18 digits is none."""
        found = re.search(self.number, key) if self.number else None
        digits = found["number"] or "" if found is not None else ""
        return int(digits) if digits.isdecimal() and len(digits) <= 18 else None

    def ignores(self, name: str) -> bool:
        """Say whether a file is nobody's member: its base name (case ignored) fits ``ignore`` or the names of unfinished files."""
        return _any_of((*UNFINISHED_NAMES, *self.ignore)).fullmatch(name.rpartition("/")[2].lower()) is not None

    def match(self, name: str) -> tuple[MemberRule, str] | None:
        """Give the first rule whose pattern fits ``name`` (relative to the watched folder) and the group key; None if no rule knows it."""
        if self.ignores(name):
            return None
        for rule in self.members:
            found = re.fullmatch(rule.pattern, name, re.IGNORECASE)
            if found:
                return rule, found["key"]
        return None

    def rule(self, role: str) -> MemberRule | None:
        """Give the rule of a role, None for roles that this profile does not know."""
        return next((rule for rule in self.members if rule.role == role), None)


@lru_cache(maxsize=256)
def _any_of(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Give one expression for several globs: it is asked about every file of every look."""
    return re.compile("|".join(translate(glob.lower()) for glob in globs))
