"""Bodies of journal rows, as JSON. Unknown fields are ignored when read and refused when written.

Codes and parameters, never sentences; tokens and salted commitments, never identifiers. A minor version adds optional fields only.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from edge_agent.errors import MalformedMessage
from edge_agent.wire.findings import FindingPart
from edge_agent.wire.handed_over import ConsignmentPart, DeclaredPart, ReadingPart, ThirdPartyPart
from edge_agent.wire.part import Part

Scalar = str | int | float | bool
MAX_BODY_BYTES = 64 * 1024


class CodeParams(Part):
    """A reason or the reason of a set-aside: rendered to words by the reader's catalogue."""

    code: str
    params: dict[str, Scalar] = {}


class ObstaclePart(CodeParams):
    """Why something could not be judged; ``blocking`` as the policy in force said."""

    view: str | None = None
    blocking: bool = False


class IdentityPart(Part):
    """A token and the salted commitment to the value behind it; the value itself never travels in a body."""

    kind: str
    token: str
    commitment: str


class CapturePart(Part):
    """When and as what the scan was taken."""

    kind: str
    taken_at: datetime
    as_written: str
    tz_assumed: bool


class BundlePart(Part):
    """Which bundle spoke and its state at the site."""

    name: str
    version: str
    sha256: str
    state: str

    @property
    def ref(self) -> str:
        """Give ``name/version``, as findings carry it."""
        return f"{self.name}/{self.version}"


class MemberPart(Part):
    """One accepted file. File names are left out: they often carry container numbers."""

    role: str
    sha256: str
    bytes: int


class ProvenancePart(Part):
    """Model, device and policy behind an assessment; ``provider`` is the one really used."""

    daemon: str
    runtime: str
    provider: str
    device: str
    bundles: list[BundlePart]
    members: list[MemberPart]
    config_digest: str
    policy_digest: str


class BlobPart(Part):
    """A picture or map that can be fetched by its SHA-256."""

    sha256: str
    bytes: int
    media_type: str
    role: str


class Body(Part):
    """What every row says: which fact, about which scan of which scanner, from which cause, when."""

    fact_id: str
    site: str
    scanner: str | None = None
    scan_id: str | None = None
    revision: int
    cause: str
    supersedes: str | None = None
    produced_at: datetime


class FramePart(Part):
    """How to get from a view's canonical pixels to the scanner's own picture; sizes in px.

    ``to_native``: a, b, c, d, e, f of X = a x + b y + c, Y = d x + e y + f.
    """

    view: str
    width: int
    height: int
    to_native: tuple[float, float, float, float, float, float]


class AssessmentBody(Body):
    """The machine's judgement. Times in milliseconds. ``decide_by``: when the site refers the scan if no officer has decided.

    A body is bounded, so the strongest findings and reasons are kept; ``*_left_out`` counts the others.
    """

    schema_: Literal["assessment/1.0"] = Field("assessment/1.0", alias="schema")
    kind: Literal["assessment"] = "assessment"
    capture: CapturePart
    selection: str
    subject: str
    identities: list[IdentityPart]
    declared: DeclaredPart | None = None
    conclusion: Literal["alert", "no-alert", "unassessable"]
    reasons: list[CodeParams]
    obstacles: list[ObstaclePart]
    findings: list[FindingPart]
    provenance: ProvenancePart
    timings_ms: dict[str, float]
    blobs: list[BlobPart] = []
    findings_left_out: int = 0
    reasons_left_out: int = 0
    readings: list[ReadingPart] = []
    consignment: ConsignmentPart | None = None
    third_party: list[ThirdPartyPart] = []
    frames: list[FramePart] = []
    decide_by: datetime | None = None


class FindingWordPart(Part):
    """Whether an officer agrees with finding ``id`` of the assessment that was shown."""

    id: int
    agrees: bool


class MissedPart(Part):
    """What an officer marked as missed by the machine; box [x0, y0, x1, y1] half-open px in the canonical frame of ``view``."""

    view: str
    box: tuple[float, float, float, float]
    label: str


class VerdictBody(Body):
    """An officer's judgement; ``officer`` is a token, ``workstation`` the name of the console's key.

    ``assessment``: fact_id of the machine's word that was shown. ``order``: ``assisted`` (the machine's word was shown from the start),
    ``blind-first`` (it was not shown yet), ``after-reveal`` (said again after it was); absent in rows of before this field.
    ``note``: the token of what the officer wrote.
    """

    schema_: Literal["verdict/1.0"] = Field("verdict/1.0", alias="schema")
    kind: Literal["verdict"] = "verdict"
    conclusion: Literal["suspicious", "not-suspicious", "rescan"]
    officer: str
    workstation: str
    is_supervisor: bool
    reasons: list[CodeParams]
    decided_at: datetime
    assessment: str | None = None
    order: str | None = None
    findings: list[FindingWordPart] = []
    missed: list[MissedPart] = []
    note: IdentityPart | None = None


class FoundPart(Part):
    """One thing an examination found. ``details``: what the form asks of this kind of thing besides, such as ``purity_percent``."""

    what: str
    where: str = ""
    hs: str = ""
    quantity: str = ""
    concealment: str = ""
    form: str = ""
    details: dict[str, Scalar] = {}


class ControlBody(Body):
    """The examination's result. ``submitted_by``: name of the sender's key, absent where the scanner's side-car reported it.

    ``form``: version of the form that was filled in (``domain.control_form``), absent in results of before it and of side-cars; the
    fields behind it are answers to it. ``officer``: token of who entered it at a console. ``remarks``: what was said in free text.
    """

    schema_: Literal["control/1.0"] = Field("control/1.0", alias="schema")
    kind: Literal["control"] = "control"
    conclusion: Literal["found", "nothing-found", "not-examined"]
    found: list[FoundPart]
    office: str
    submitted_by: str | None = None
    examined_at: datetime | None = None
    form: str | None = None
    methods: list[str] = []
    irregularity: str | None = None
    disposal: str | None = None
    why_not: str | None = None
    officer: str | None = None
    remarks: IdentityPart | None = None


class SetAsideBody(Body):
    """An accepted scan that cannot be assessed as it is; its spool copy lies in quarantine."""

    schema_: Literal["set-aside/1.0"] = Field("set-aside/1.0", alias="schema")
    kind: Literal["set-aside"] = "set-aside"
    reason: CodeParams
    members: list[MemberPart]
    capture_kind: str | None = None
    """As the side-car says, ``live`` without one; absent in rows of before this field."""
    selection: str | None = None


class ReferralBody(Body):
    """The decision clock ran out, or an officer passed the scan on."""

    schema_: Literal["referral/1.0"] = Field("referral/1.0", alias="schema")
    kind: Literal["referral"] = "referral"
    reason: CodeParams
    officer: str | None = None
    workstation: str | None = None
    note: IdentityPart | None = None


class HealthBody(Body):
    """A change of the site's health."""

    schema_: Literal["health/1.0"] = Field("health/1.0", alias="schema")
    kind: Literal["health"] = "health"
    state: Literal["healthy", "degraded", "failing"]
    reasons: list[CodeParams]


class AuditBody(Body):
    """Something an auditor wants to see: start, configuration, keys, duplicates, views and exports."""

    schema_: Literal["audit/1.0"] = Field("audit/1.0", alias="schema")
    kind: Literal["audit"] = "audit"
    event: CodeParams


class ShadowBody(Body):
    """What would have been said of a scan if the bundle in shadow had been in force. No voice in the standing, in no rate.

    ``beside``: fact_id of the assessment that counts; ``active``: its conclusion. ``bundles``: all that would have been in force, the
    ones on trial in state ``shadow``.
    """

    schema_: Literal["shadow/1.0"] = Field("shadow/1.0", alias="schema")
    kind: Literal["shadow"] = "shadow"
    beside: str
    active: Literal["alert", "no-alert", "unassessable"]
    capture_kind: str
    selection: str
    subject: str
    conclusion: Literal["alert", "no-alert", "unassessable"]
    reasons: list[CodeParams]
    obstacles: list[ObstaclePart]
    findings: list[FindingPart]
    bundles: list[BundlePart]
    policy_digest: str
    timings_ms: dict[str, float]
    findings_left_out: int = 0


AnyBody = AssessmentBody | VerdictBody | ControlBody | SetAsideBody | ReferralBody | HealthBody | AuditBody | ShadowBody
_ANY: TypeAdapter[AnyBody] = TypeAdapter(Annotated[AnyBody, Field(discriminator="kind")])


def encode(body: AnyBody) -> bytes:
    """Give the bytes that are stored, hashed and sent, once and unchanged."""
    return body.model_dump_json(by_alias=True, exclude_none=True).encode()


def decode(raw: bytes) -> AnyBody:
    """Read any bytes as a body.

    Raises:
        MalformedMessage: the bytes are not JSON of a known kind and schema.
    """
    try:
        return _ANY.validate_json(raw)
    except (ValidationError, RecursionError) as problem:
        raise MalformedMessage("not a journal body of a known kind") from problem
