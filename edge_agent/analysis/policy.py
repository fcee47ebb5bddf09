"""Policy as a value: which checks a subject needs, at which scores they show and alert, and which obstacles block."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.domain.capture import SubjectKind
from edge_agent.errors import PolicyInvalid

Score = Annotated[float, Field(ge=0.0, le=1.0)]


class Check(StrEnum):
    """What a model can be asked to do with a view."""

    DETECTION = "detection"
    CONTENTS = "contents"
    WEIGHT = "weight"


OBSTACLES = frozenset(
    {
        "view-missing",
        "energy-missing",
        "check-missing",
        "check-not-applicable",
        "dark",
        "partial",
        "pitch-assumed",
        "pitch-unknown",
        "goods-unknown",
        "undeclared",
        "not-weighable",
        "link-weak",
        "sidecar-unreadable",
        "resource-missing",
        "inference-failed",
        "out-of-time",
        "member-undecodable",
        "profile-unverified",
        "from-package",
        "too-small",
        "constant",
        "noise-only",
        "all-air",
        "saturated",
        "dead-lines",
        "polarity-doubtful",
        "blurred",
    }
)
"""Every obstacle code there is; ``docs/reference/policy.md`` explains each one."""

ALWAYS_BLOCKING = frozenset(
    {"view-missing", "energy-missing", "check-missing", "inference-failed", "out-of-time", "too-small", "constant", "noise-only"}
)
"""Obstacles without which a check was not done at all: no policy can wave them through."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Levels(_Section):
    """Scores from which a finding is shown to the officer and from which it alerts."""

    show_at: Score
    alert_at: Score

    @model_validator(mode="after")
    def _show_before_alert(self) -> "Levels":
        if self.show_at > self.alert_at:
            raise ValueError("show_at must not be above alert_at")
        return self


class SubjectPolicy(_Section):
    """The rules for one kind of subject.

    ``labels``: levels per label (detection labels, ``heterogeneity``, ``empty``); a label without an entry uses its bundle's own alert
    level and shows from half of it.
    ``max_dark_share``: share of the load that may be too dark to judge before ``dark`` blocks. ``unknown_goods``: whether declared
    headings that the bundle cannot map block. ``alert_on``: notes of intake that alert by themselves. ``decision_clock_s``: seconds
    an officer has before the scan is referred.
    """

    required: tuple[Check, ...]
    blocking: frozenset[str]
    max_dark_share: Score
    unknown_goods: Literal["blocking", "noted"]
    decision_clock_s: Annotated[float, Field(gt=0)]
    alert_on: frozenset[str] = frozenset({"pixels-seen-before"})
    labels: Mapping[str, Levels] = {}

    @model_validator(mode="after")
    def _known_obstacles(self) -> "SubjectPolicy":
        unknown = self.blocking - OBSTACLES
        if unknown:
            raise ValueError(f"unknown obstacles {sorted(unknown)}; known are {sorted(OBSTACLES)}")
        return self

    def levels(self, label: str, bundle_alert_at: float) -> Levels:
        """Give the levels for a label."""
        return self.labels.get(label) or Levels(show_at=bundle_alert_at / 2, alert_at=bundle_alert_at)

    def blocks(self, obstacle: str) -> bool:
        """Tell whether an obstacle stands in the way of ``no-alert``; ``dark`` and ``goods-unknown`` are decided by their own keys."""
        return obstacle in ALWAYS_BLOCKING or obstacle in self.blocking


class _PolicyFile(_Section):
    cargo: SubjectPolicy
    parcel: SubjectPolicy
    vehicle: SubjectPolicy


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy in force. ``digest``: SHA-256 of the file's bytes, on every assessment."""

    cargo: SubjectPolicy
    parcel: SubjectPolicy
    vehicle: SubjectPolicy
    digest: str

    def of(self, subject: SubjectKind) -> SubjectPolicy:
        """Give the rules for a kind of subject."""
        match subject:
            case SubjectKind.CARGO:
                return self.cargo
            case SubjectKind.PARCEL:
                return self.parcel
            case SubjectKind.VEHICLE:
                return self.vehicle

    def with_levels(self, subject: SubjectKind, levels: Mapping[str, Levels]) -> "Policy":
        """Give the policy with another table of ``labels`` for one kind of subject; the digest stays that of the file."""
        rules = self.of(subject).model_copy(update={"labels": levels})
        match subject:
            case SubjectKind.CARGO:
                return replace(self, cargo=rules)
            case SubjectKind.PARCEL:
                return replace(self, parcel=rules)
            case SubjectKind.VEHICLE:
                return replace(self, vehicle=rules)


def parse_policy(raw: bytes) -> Policy:
    """Read the bytes of ``policy.toml``.

    Raises:
        PolicyInvalid: not TOML, an unknown key, check or obstacle, or a level outside [0, 1]; every problem is named.
    """
    try:
        # From JSON-like data, so that lists become tuples and sets while numbers and names stay strict.
        content = _PolicyFile.model_validate(tomllib.loads(raw.decode()), strict=False)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise PolicyInvalid(f"not TOML: {problem}") from problem
    except ValidationError as problem:
        lines = [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in problem.errors()]
        raise PolicyInvalid("; ".join(lines)) from problem
    return Policy(content.cargo, content.parcel, content.vehicle, hashlib.sha256(raw).hexdigest())
