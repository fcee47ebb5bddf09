"""How and why a scan was taken, and of what."""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.domain.clock import Stamp
from edge_agent.domain.ids import Token


class CaptureKind(StrEnum):
    """What a scan is for. Only LIVE enters KPIs; TIP, SYNTHETIC and STAGED never leave as real."""

    LIVE = "live"
    TIP = "tip"
    CALIBRATION = "calibration"
    TEST = "test"
    SYNTHETIC = "synthetic"
    STAGED = "staged"


class Selection(StrEnum):
    """Why this subject was scanned. Rates are unbiased only over RANDOM and SCAN_ALL."""

    TARGETED = "targeted"
    RANDOM = "random"
    CAMPAIGN = "campaign"
    SCAN_ALL = "scan-all"
    UNKNOWN = "unknown"


class SubjectKind(StrEnum):
    """What passes through the scanner."""

    CARGO = "cargo"
    PARCEL = "parcel"
    VEHICLE = "vehicle"


@dataclass(frozen=True, slots=True)
class Capture:
    """When, why and as what a scan was taken. ``beam``: the vendor's words for its energy, empty when not given."""

    taken_at: Stamp
    kind: CaptureKind
    selection: Selection
    beam: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What was scanned. Identifiers are tokens; their values live in the site's identity table only."""

    kind: SubjectKind
    identifiers: tuple[Token, ...] = ()
