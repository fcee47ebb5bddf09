"""What somebody else's algorithm said about a scan: the scanner's own recognition, or a report handed over with the files.

It is kept and shown as theirs. Nothing here concludes from it: it is no finding of ours and is in no rate of ours.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from edge_agent.domain.geometry import Box


class ThirdPartyConclusion(StrEnum):
    """Their conclusion in the machine's words. UNKNOWN: it failed, it gave information only, or we do not know its word."""

    ALERT = "alert"
    NO_ALERT = "no-alert"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ThirdPartyFinding:
    """One thing they point at. ``score``: as they scale it; ``box``: px in the canonical frame of ``view``. None where they do not say."""

    label: str
    score: float | None = None
    box: Box | None = None
    view: str | None = None


@dataclass(frozen=True, slots=True)
class ThirdPartyAssessment:
    """One algorithm's result. ``source``: how it came (``dataform``, ``sidecar``, ``dicos-tdr``). ``at``: aware, None if unknown."""

    source: str
    algorithm: str
    version: str
    conclusion: ThirdPartyConclusion
    findings: tuple[ThirdPartyFinding, ...] = ()
    at: datetime | None = None
