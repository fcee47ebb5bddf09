"""Scanner profiles from TOML: strict, every problem named with its key."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge_agent.domain.geometry import Orientation
from edge_agent.domain.profile import Limits, MemberRule, Need, PlaneRule, Profile
from edge_agent.domain.scan import Energy, Quantity
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.formats.inspection import SIDECAR_ROLE
from edge_agent.formats.sidecar import READERS

_Seconds = Annotated[float, Field(gt=0, le=7 * 86400, allow_inf_nan=False)]
_Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
_USUAL = Limits()
_Count = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _PlaneSection(_Section):
    view: _Word
    quantity: Quantity
    energy: Energy


class _MemberSection(_Section):
    role: _Word
    pattern: str
    need: Need
    deadline_s: _Seconds
    plane: _PlaneSection | None = None

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


class _OrientationSection(_Section):
    transposed: bool = False
    flipped_x: bool = False
    flipped_y: bool = False


class _LimitsSection(_Section):
    max_pixels: _Count = _USUAL.max_pixels
    max_planes: _Count = _USUAL.max_planes
    max_file_bytes: _Count = _USUAL.max_file_bytes
    max_sidecar_bytes: _Count = _USUAL.max_sidecar_bytes
    deadline_s: _Seconds = _USUAL.deadline_s
    max_memory_bytes: _Count = _USUAL.max_memory_bytes


class _ProfileSection(_Section):
    name: _Word
    sidecar: str
    clock: str
    quiet_s: _Seconds
    unknown_after_s: _Seconds
    required_views: tuple[_Word, ...]
    ignore: tuple[str, ...] = ()
    orientation: _OrientationSection = _OrientationSection()
    limits: _LimitsSection = _LimitsSection()
    member: Annotated[tuple[_MemberSection, ...], Field(min_length=1)]

    @field_validator("clock")
    @classmethod
    def _is_zone(cls, clock: str) -> str:
        try:
            ZoneInfo(clock)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("not an IANA time zone") from error
        return clock

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        roles = [member.role for member in self.member]
        views = {member.plane.view for member in self.member if member.plane is not None}
        if len(set(roles)) != len(roles):
            raise ValueError("member: a role twice")
        if self.sidecar not in READERS:
            raise ValueError(f"sidecar: one of {', '.join(repr(word) for word in sorted(READERS))}")
        if bool(self.sidecar) != (SIDECAR_ROLE in roles):
            raise ValueError(f"sidecar: a reader and a member with role {SIDECAR_ROLE} belong together")
        if not any(member.need is Need.REQUIRED and member.plane is not None for member in self.member):
            raise ValueError("member: at least one with a plane must be required")
        if not set(self.required_views) <= views:
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
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigUnreadable(f"{path}: {error}") from error
    try:
        section = _ProfileSection.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors(include_url=False))
        raise ConfigInvalid(f"{path}: {problems}", {"file": path.name}) from error
    return _profile(section)


def _profile(section: _ProfileSection) -> Profile:
    return Profile(
        name=section.name,
        members=tuple(_rule(member) for member in section.member),
        sidecar=section.sidecar,
        clock=section.clock,
        quiet_s=section.quiet_s,
        unknown_after_s=section.unknown_after_s,
        required_views=section.required_views,
        ignore=section.ignore,
        orientation=Orientation(**section.orientation.model_dump()),
        limits=Limits(**section.limits.model_dump()),
    )


def _rule(member: _MemberSection) -> MemberRule:
    plane = member.plane
    rule = PlaneRule(plane.view, plane.quantity, plane.energy) if plane is not None else None
    return MemberRule(member.role, member.pattern, member.need, member.deadline_s, rule)
