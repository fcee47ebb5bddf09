"""A journal row taken apart into the values that the archive's query tables hold. Pure: bytes in, plain tuples out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from edge_agent.domain.assessment import BundleState
from edge_agent.domain.ids import SiteId
from edge_agent.errors import MalformedMessage
from edge_agent.kpi.eligible import UNKNOWN_KIND
from edge_agent.kpi.rates import Outcome
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.findings import DetectionPart, HeterogeneityPart
from edge_agent.wire.frames import NO_SCANNER
from edge_agent.wire.messages import AnyBody, AssessmentBody, CodeParams, ControlBody, SetAsideBody, VerdictBody, decode

Value: TypeAlias = str | int | float | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_MAX_REVISION = 1 << 31
_MAX_NAME = 200
_NUL = b"\\u0000"
"""How JSON writes the one character that PostgreSQL cannot store."""

LABELLED_REASON = "label"
"""The parameter by which a reason names the label it is about."""


@dataclass(frozen=True, slots=True)
class FactValues:
    """One fact. ``conclusion``: the assessor's word, None for facts that conclude nothing. ``produced_us``: microseconds since 1970 UTC."""

    fact_id: str
    kind: str
    scanner: str
    scan_id: str | None
    revision: int
    supersedes: str | None
    produced_us: int
    conclusion: str | None


@dataclass(frozen=True, slots=True)
class OutcomeValues:
    """What the machine's work on one revision of a scan came to. ``reason``: the code of a set-aside, else empty."""

    outcome: Outcome
    capture_kind: str
    selection: str
    reason: str


@dataclass(frozen=True, slots=True)
class AssessmentValues:
    """The parts of an assessment that reports ask for. ``is_advisory``: a bundle was not yet commissioned at the site.

    taken_us: microseconds since 1970 UTC, None when the scanner's clock was far off.
    findings: (type, label, score, view, bundle, 1 where its label put the scan on alert, else 0); reasons:
    (code, label); obstacles: (code, view, blocking as 0 or 1).
    """

    subject: str
    taken_us: int | None
    provider: str
    policy_digest: str
    is_advisory: bool
    findings: tuple[tuple[Value, ...], ...]
    reasons: tuple[tuple[Value, ...], ...]
    obstacles: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Exploded:
    """A row that was understood; ``body`` is what its bytes say."""

    body: AnyBody
    fact: FactValues
    outcome: OutcomeValues | None = None
    assessment: AssessmentValues | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A row whose body this version cannot read: kept byte for byte, in no figure, and shown with its reason."""

    why: str


def explode(row: JournalRow, site: SiteId) -> Exploded | Unread:
    """Take a row of ``site`` apart. Never raises: what a newer or broken site wrote must not stop the others from being read."""
    if _NUL in row.body:
        return Unread("a text with a NUL in it")
    try:
        body = decode(row.body)
        return Exploded(body, _fact(body, site), outcome_of(body), _assessment(body) if isinstance(body, AssessmentBody) else None)
    except MalformedMessage as problem:
        return Unread(problem.detail)


def _fact(body: AnyBody, site: SiteId) -> FactValues:
    if body.site != site:
        raise MalformedMessage("the body names another site")
    if not 0 <= body.revision < _MAX_REVISION:
        raise MalformedMessage("revision out of range")
    if any(len(name) > _MAX_NAME for name in (body.fact_id, body.scan_id or "", body.scanner or "")):
        raise MalformedMessage("a name longer than an index holds")
    return FactValues(
        fact_id=body.fact_id,
        kind=body.kind,
        scanner=body.scanner or NO_SCANNER,
        scan_id=body.scan_id,
        revision=body.revision,
        supersedes=body.supersedes,
        produced_us=microseconds(body.produced_at),
        conclusion=body.conclusion if isinstance(body, AssessmentBody | VerdictBody | ControlBody) else None,
    )


def outcome_of(body: AnyBody) -> OutcomeValues | None:
    """Give what the machine's work came to by this fact; None for a fact that is no outcome.

    Raises:
        MalformedMessage: an outcome that names no scan.
    """
    if isinstance(body, AssessmentBody | SetAsideBody) and body.scan_id is None:
        raise MalformedMessage("an outcome without a scan")
    match body:
        case AssessmentBody():
            return OutcomeValues(Outcome(body.conclusion), body.capture.kind, body.selection, "")
        case SetAsideBody():
            return OutcomeValues(Outcome.SET_ASIDE, body.capture_kind or UNKNOWN_KIND, body.selection or UNKNOWN_KIND, body.reason.code)
        case _:
            return None


def _assessment(body: AssessmentBody) -> AssessmentValues:
    alerting = {_label(reason) for reason in body.reasons} - {None}
    return AssessmentValues(
        subject=body.subject,
        taken_us=microseconds(taken_at) if _is_plausible(taken_at := body.capture.taken_at) else None,
        provider=body.provenance.provider,
        policy_digest=body.provenance.policy_digest,
        is_advisory=any(bundle.state != BundleState.COMMISSIONED for bundle in body.provenance.bundles),
        findings=tuple(_finding(part, alerting) for part in body.findings if isinstance(part, DetectionPart | HeterogeneityPart)),
        reasons=tuple((reason.code, _label(reason)) for reason in body.reasons),
        obstacles=tuple((obstacle.code, obstacle.view, int(obstacle.blocking)) for obstacle in body.obstacles),
    )


def _finding(part: DetectionPart | HeterogeneityPart, alerting: set[str | None]) -> tuple[Value, ...]:
    label = part.label if isinstance(part, DetectionPart) else None
    return (part.type, label, part.score, part.view, part.bundle, int(label in alerting))


def _label(reason: CodeParams) -> str | None:
    label = reason.params.get(LABELLED_REASON)
    return label if isinstance(label, str) else None


def microseconds(at: datetime) -> int:
    """Give microseconds since 1970 UTC.

    Raises:
        MalformedMessage: no zone, or a time that no clock of ours shows.
    """
    if not _is_plausible(at):
        raise MalformedMessage("a time without a zone or out of range")
    return (at - _EPOCH) // timedelta(microseconds=1)


def _is_plausible(at: datetime) -> bool:
    return at.tzinfo is not None and _EPOCH <= at <= _LATEST
