"""How and why a scan was taken, and of what."""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.domain.clock import Stamp
from edge_agent.domain.ids import Token
from edge_agent.domain.numbering import NumberCheck


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
    """When, why and as what a scan was taken. ``beam``, ``system``: the vendor's words for energy and scanner, empty if not given."""

    taken_at: Stamp
    kind: CaptureKind
    selection: Selection
    beam: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How well a container's or parcel's number was read: its token, its check digit's word, the reader's own confidence in [0, 1]."""

    token: Token
    check: NumberCheck
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What was scanned. Identifiers are tokens; their values live in the site's identity table only.

    ``identifiers`` tell the subject from others; ``related`` only travel with it (traders, officers, the vendor's number of the scan).
    """

    kind: SubjectKind
    identifiers: tuple[Token, ...] = ()
    readings: tuple[Reading, ...] = ()
    related: tuple[Token, ...] = ()
