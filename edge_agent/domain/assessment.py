"""Three voices, one shape: the machine, the analyst and the examination each judge the same scan in words of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from edge_agent.domain.finding import Finding
from edge_agent.domain.ids import FactId, ScanId, Token
from edge_agent.errors import Scalar


class FactKind(StrEnum):
    """Kinds of journal rows; each is the last part of a topic."""

    ASSESSMENT = "assessment"
    VERDICT = "verdict"
    CONTROL = "control"
    SET_ASIDE = "set-aside"
    REFERRAL = "referral"
    HEALTH = "health"
    AUDIT = "audit"
    SHADOW = "shadow"


class MachineConclusion(StrEnum):
    """The machine's words. It never says "not suspicious": that is the officer's."""

    ALERT = "alert"
    NO_ALERT = "no-alert"
    UNASSESSABLE = "unassessable"


class OfficerConclusion(StrEnum):
    """The analyst's words."""

    SUSPICIOUS = "suspicious"
    NOT_SUSPICIOUS = "not-suspicious"
    RESCAN = "rescan"
    REFER = "refer"


class ControlOutcome(StrEnum):
    """The examination's words."""

    FOUND = "found"
    NOTHING_FOUND = "nothing-found"
    NOT_EXAMINED = "not-examined"


class BundleState(StrEnum):
    """How far a bundle has come at this site. Anything before COMMISSIONED is advisory."""

    SIMULATED = "simulated"
    SHADOW = "shadow"
    COMMISSIONED = "commissioned"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a conclusion was reached: a code and its parameters, never a sentence. Consoles render it from their catalogue."""

    code: str
    params: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a scan, or a part of it, could not be judged. Whether it blocks is the policy's word, recorded in ``blocking``."""

    code: str
    params: Mapping[str, Scalar] = field(default_factory=dict)
    view: str | None = None
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """The frame of every journal row. ``cause`` makes a repeated submission of the same thing a no-op."""

    fact_id: FactId
    scan_id: ScanId
    revision: int
    cause: str
    at: datetime
    supersedes: FactId | None = None


@dataclass(frozen=True, slots=True)
class BundleUse:
    """Which bundle spoke: digest of its manifest of hashes, and its state at this site."""

    name: str
    version: str
    sha256: str
    state: BundleState

    @property
    def ref(self) -> str:
        """Give ``name/version``, as findings carry it."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that an auditor needs to repeat a machine assessment. ``provider``: the one really used, read from the session."""

    daemon: str
    runtime: str
    provider: str
    device: str
    bundles: tuple[BundleUse, ...]
    config_digest: str
    policy_digest: str


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A picture or map kept outside the journal by its SHA-256. ``role``: ``heatmap:<view>``, ``goods-map:<view>``, ``preview:<view>``.

    A detector's own heat map is ``heatmap:<view>:<bundle>``.
    """

    sha256: str
    bytes: int
    media_type: str
    role: str


@dataclass(frozen=True, slots=True)
class MachineAssessment:
    """The machine's judgement of one revision of a scan. ``timings_ms``: milliseconds a stage, in the order they ran."""

    fact: Fact
    conclusion: MachineConclusion
    reasons: tuple[Reason, ...]
    obstacles: tuple[Obstacle, ...]
    findings: tuple[Finding, ...]
    provenance: Provenance
    timings_ms: Mapping[str, float]
    blobs: tuple[BlobRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """An analyst's judgement. ``officer`` is a token, ``workstation`` the name its CURVE key is enrolled under."""

    fact: Fact
    conclusion: OfficerConclusion
    officer: Token
    workstation: str
    is_supervisor: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class FoundItem:
    """One thing the examination found."""

    what: str
    where: str = ""
    hs: str = ""
    quantity: str = ""
    concealment: str = ""
    form: str = ""
    details: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ControlResult:
    """The examination's judgement, often days later."""

    fact: Fact
    outcome: ControlOutcome
    items: tuple[FoundItem, ...]
    office: str


@dataclass(frozen=True, slots=True)
class Referral:
    """The decision clock ran out, or the officer passed the scan on. In no PPV."""

    fact: Fact
    reason: Reason


Assessment: TypeAlias = MachineAssessment | Verdict | ControlResult
