"""Scanner profiles from TOML: strict, every problem named with its key."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge_agent.domain.attachment import AttachmentKind
from edge_agent.domain.profile import Limits, MemberRule, Need, PlaneRule, Profile
from edge_agent.domain.scan import Energy, Quantity
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.formats.inspection import SIDECAR_ROLE
from edge_agent.formats.layout_section import LayoutOrientationSection, LayoutSection, NormaliseSection
from edge_agent.formats.map_section import MapSection
from edge_agent.formats.sidecar import READERS
from edge_agent.telemetry.zone import Zone

_Seconds = Annotated[float, Field(gt=0, le=7 * 86400, allow_inf_nan=False)]
_Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
_USUAL = Limits()
_Count = Annotated[int, Field(gt=0)]


def _running(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if pattern and "number" not in groups:
        raise ValueError("needs a group (?P<number>...)")
    return pattern


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlaneSection(_Section):
    """Where a member's pixels go; leave it out for files without pixels that count (side-car, stamp, sentinel)."""

    view: _Word = Field(description="name of the geometry; planes of one view have the same size", examples=['"side"'])
    quantity: Quantity = Field(description="what the pixels measure; transmission and display are decided by the file (16 or 8 bits)")
    energy: Energy = Field(description="which beam energy")


class MemberSection(_Section):
    """One kind of file; the first whose pattern fits a name takes it."""

    role: _Word = Field(description="our name for this kind of file; the side-car's must be `sidecar`", examples=['"high"'])
    pattern: str = Field(
        description="regular expression over the whole name relative to the watched folder (`/` between folders, case ignored) with"
        " a group `key`: files with the same key are one scan",
        examples=["'(?P<key>.+)_high\\.tif'"],
    )
    need: Need = Field(description="whether the scan waits for it; without it at its deadline the scan is accepted as partial")
    deadline_s: _Seconds = Field(description="seconds after the scan's first file from which a missing one is given up", examples=["30.0"])
    plane: PlaneSection | None = None
    planes: tuple[PlaneSection, ...] = Field((), description="instead of `plane`, for a file with several planes: all, in its order")
    layout: LayoutSection | None = None
    package: bool = Field(default=False, description="the file is a scan package of ours: planes, views and metadata are those it says")
    attachment: AttachmentKind | None = Field(
        None, description="keep a file without planes as it is: optical, ocr, stamp, vendor (erasable), radiation, preview"
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if self.plane is not None and self.planes:
            raise ValueError("plane and planes: one of them")
        if self.attachment is not None and (self.plane is not None or self.planes or self.role == SIDECAR_ROLE):
            raise ValueError("attachment: a file with planes, or a side-car, is none")
        if self.package and (self.plane is not None or self.planes or self.layout is not None or self.attachment is not None):
            raise ValueError("package: it says itself which planes it holds")
        if self.layout is not None and self.plane is None and not self.planes:
            raise ValueError("layout: needs plane or planes")
        return self

    @property
    def all_planes(self) -> tuple[PlaneSection, ...]:
        """Give all planes in the file, in its order."""
        return self.planes or ((self.plane,) if self.plane is not None else ())

    @field_validator("pattern")
    @classmethod
    def _has_key(cls, pattern: str) -> str:
        try:
            compiled = re.compile(pattern, re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if "key" not in compiled.groupindex:
            raise ValueError("the pattern needs a group (?P<key>...)")
        return pattern


class OrientationSection(LayoutOrientationSection):
    """How the file's picture is turned: row 0 must be the top of the load, column 0 its front. Transposing comes before the flips."""


class LimitsSection(_Section):
    """What a decoder may be asked to do; a file over a limit is refused by its header."""

    max_pixels: _Count = Field(_USUAL.max_pixels, description="pixels a plane")
    max_planes: _Count = Field(_USUAL.max_planes, description="planes a scan")
    max_file_bytes: _Count = Field(_USUAL.max_file_bytes, description="bytes a file")
    max_sidecar_bytes: _Count = Field(_USUAL.max_sidecar_bytes, description="bytes a side-car")
    deadline_s: _Seconds = Field(_USUAL.deadline_s, description="seconds for one look or one decoding")
    max_memory_bytes: _Count = Field(_USUAL.max_memory_bytes, description="bytes of memory of the decode process")


class ProfileSection(_Section):
    """The whole file."""

    name: _Word = Field(description="the file's name without .toml", examples=['"harbour-gate"'])
    sidecar: str = Field(
        description="how the side-car is read: `map` (the table [map]), `dataform` (Smiths), `json` (ours), or empty for none",
        examples=['"map"'],
    )
    clock: Zone = Field(description="IANA zone of times without one; [[scanner]] timezone in agent.toml counts more", examples=['"UTC"'])
    quiet_s: _Seconds = Field(description="seconds without a change before a scan is looked at", examples=["0.5"])
    unknown_after_s: _Seconds = Field(
        description="seconds after which a file that no member fits is accepted alone, and set aside", examples=["30.0"]
    )
    required_views: tuple[_Word, ...] = Field(description="views without which a scan cannot be assessed", examples=['["side"]'])
    number: Annotated[str, AfterValidator(_running)] = Field(
        "",
        description="regular expression with a group `number`, searched in the group key: the scanner's own running number; empty = none",
        examples=["'-(?P<number>[0-9]{1,9})$'"],
    )
    ignore: tuple[str, ...] = Field((), description="base names that are nobody's member (`*` any text)", examples=['["*_icon.jpg"]'])
    orientation: OrientationSection = OrientationSection()
    limits: LimitsSection = LimitsSection()
    normalise: NormaliseSection = NormaliseSection()
    verified: bool = Field(
        default=True, description="false until somebody has compared what the profile reads with the vendor's own picture"
    )
    map: MapSection | None = None
    member: Annotated[tuple[MemberSection, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        roles = [member.role for member in self.member]
        views = {plane.view for member in self.member for plane in member.all_planes}
        if len(set(roles)) != len(roles):
            raise ValueError("member: a role twice")
        if self.sidecar not in READERS:
            raise ValueError(f"sidecar: one of {', '.join(repr(word) for word in sorted(READERS))}")
        if (self.sidecar == "map") != (self.map is not None):
            raise ValueError('map: the table [map] and sidecar = "map" belong together')
        if bool(self.sidecar) != (SIDECAR_ROLE in roles):
            raise ValueError(f"sidecar: a reader and a member with role {SIDECAR_ROLE} belong together")
        if not any(member.need is Need.REQUIRED and (member.all_planes or member.package) for member in self.member):
            raise ValueError("member: at least one with a plane must be required")
        packages = [member for member in self.member if member.package]
        if packages and (len(self.member) > 1 or self.sidecar):
            raise ValueError("member: a package comes alone")
        if not packages and not set(self.required_views) <= views:
            raise ValueError("required_views: a view that no member has")
        return self


def load_profile(path: Path) -> Profile:
    """Read one scanner profile.

    Raises:
        ConfigUnreadable: absent, unreadable, or not TOML.
        ConfigInvalid: an unknown or missing key, or a value that makes no sense; the detail names file and key.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigUnreadable(f"{path}: {error}") from error
    try:
        section = ProfileSection.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors(include_url=False))
        raise ConfigInvalid(f"{path}: {problems}", {"file": path.name}) from error
    return _profile(section)


def _profile(section: ProfileSection) -> Profile:
    return Profile(
        name=section.name,
        members=tuple(_rule(member) for member in section.member),
        sidecar=section.sidecar,
        clock=section.clock,
        quiet_s=section.quiet_s,
        unknown_after_s=section.unknown_after_s,
        required_views=section.required_views,
        ignore=section.ignore,
        orientation=section.orientation.value(),
        limits=Limits(**section.limits.model_dump()),
        normalise=section.normalise.value(),
        verified=section.verified,
        number=section.number,
        map=section.map.value() if section.map is not None else None,
    )


def _rule(member: MemberSection) -> MemberRule:
    planes = tuple(PlaneRule(plane.view, plane.quantity, plane.energy) for plane in member.all_planes)
    return MemberRule(
        member.role,
        member.pattern,
        member.need,
        member.deadline_s,
        plane=planes[0] if planes else None,
        further=planes[1:],
        layout=member.layout.value() if member.layout is not None else None,
        attachment=member.attachment,
        package=member.package,
    )
