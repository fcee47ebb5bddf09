"""Domain values to journal bodies and back (no pixels)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from edge_agent.domain.arrival import Particulars
from edge_agent.domain.assessment import BlobRef, MachineAssessment, Obstacle, Provenance, Reason
from edge_agent.domain.finding import Detection, Finding, Heterogeneity, ProductGuess, WeightEstimate
from edge_agent.domain.geometry import Box, Frame, Size
from edge_agent.domain.ids import FactId, ScanId, ScannerId, SiteId
from edge_agent.domain.member import MemberDigest
from edge_agent.wire import handed_over
from edge_agent.wire.findings import DetectionPart, FindingPart, HeterogeneityPart, ProductPart, WeightPart
from edge_agent.wire.messages import (
    MAX_BODY_BYTES,
    AssessmentBody,
    BlobPart,
    BundlePart,
    CapturePart,
    CodeParams,
    FramePart,
    IdentityPart,
    MemberPart,
    ObstaclePart,
    ProvenancePart,
    SetAsideBody,
    ShadowBody,
    encode,
)

_Judging = TypeVar("_Judging", AssessmentBody, ShadowBody)

MOST_FINDINGS = 300
MOST_REASONS = 40
MOST_IDENTITIES = 25


@dataclass(frozen=True, slots=True)
class ScanContext:
    """What a body says of the scan besides the judgement. ``decide_by``: when its decision clock runs out; None = it has none."""

    site: SiteId
    scanner: ScannerId
    particulars: Particulars
    members: tuple[MemberDigest, ...]
    identities: tuple[IdentityPart, ...]
    frames: tuple[Frame, ...] = ()
    decide_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A scan set aside, as a fact."""

    fact_id: FactId
    scan_id: ScanId
    revision: int
    cause: str
    at: datetime
    reason: Reason


def assessment_body(context: ScanContext, assessment: MachineAssessment) -> AssessmentBody:
    """Give the body of a machine assessment; findings must be sorted strongest first within their kind."""
    fact, particulars = assessment.fact, context.particulars
    kept = _strongest(assessment.findings)
    body = AssessmentBody(
        schema="assessment/1.0",
        fact_id=fact.fact_id,
        site=context.site,
        scanner=context.scanner,
        scan_id=fact.scan_id,
        revision=fact.revision,
        cause=fact.cause,
        supersedes=fact.supersedes,
        produced_at=fact.at,
        capture=_capture(particulars),
        selection=particulars.capture.selection.value,
        subject=particulars.subject.kind.value,
        identities=list(context.identities[:MOST_IDENTITIES]),
        declared=handed_over.declared_part(particulars.declaration),
        conclusion=assessment.conclusion.value,
        reasons=_reasons(assessment),
        obstacles=_obstacles(assessment),
        findings=[_finding(number, finding) for number, finding in enumerate(kept, start=1)],
        provenance=_provenance(assessment.provenance, context.members),
        timings_ms=_timings(assessment),
        blobs=[BlobPart(sha256=blob.sha256, bytes=blob.bytes, media_type=blob.media_type, role=blob.role) for blob in assessment.blobs],
        findings_left_out=len(assessment.findings) - len(kept),
        reasons_left_out=max(0, len(assessment.reasons) - MOST_REASONS),
        readings=handed_over.reading_parts(particulars.subject.readings),
        consignment=handed_over.consignment_part(particulars.consignment),
        third_party=handed_over.third_party_parts(particulars.third_party),
        frames=[FramePart(view=f.view, width=f.size.width, height=f.size.height, to_native=f.matrix) for f in context.frames],
        decide_by=context.decide_by,
    )
    return _fitting(body)


def _fitting(body: _Judging) -> _Judging:
    """Leave out the weakest findings until the body is as small as the journal takes; everything else in it is bounded."""
    while len(body.findings) > 1 and len(encode(body)) > MAX_BODY_BYTES:
        kept = len(body.findings) // 2
        left_out = body.findings_left_out + len(body.findings) - kept
        body = body.model_copy(update={"findings": body.findings[:kept], "findings_left_out": left_out})
    return body


def set_aside_body(context: ScanContext, event: SetAside) -> SetAsideBody:
    """Give the body of a set-aside."""
    return SetAsideBody(
        schema="set-aside/1.0",
        fact_id=event.fact_id,
        site=context.site,
        scanner=context.scanner,
        scan_id=event.scan_id,
        revision=event.revision,
        cause=event.cause,
        produced_at=event.at,
        reason=CodeParams(code=event.reason.code, params=dict(event.reason.params)),
        members=_members(context.members),
        capture_kind=context.particulars.capture.kind.value,
        selection=context.particulars.capture.selection.value,
    )


def shadow_body(active: AssessmentBody, assessment: MachineAssessment) -> ShadowBody:
    """Give the body of what the bundle in shadow makes of the scan of ``active``."""
    fact, provenance = assessment.fact, assessment.provenance
    kept = _strongest(assessment.findings)
    body = ShadowBody(
        schema="shadow/1.0",
        fact_id=fact.fact_id,
        site=active.site,
        scanner=active.scanner,
        scan_id=fact.scan_id,
        revision=fact.revision,
        cause=fact.cause,
        produced_at=fact.at,
        beside=active.fact_id,
        active=active.conclusion,
        capture_kind=active.capture.kind,
        selection=active.selection,
        subject=active.subject,
        conclusion=assessment.conclusion.value,
        reasons=_reasons(assessment),
        obstacles=_obstacles(assessment),
        findings=[_finding(number, finding) for number, finding in enumerate(kept, start=1)],
        bundles=_bundles(provenance),
        policy_digest=provenance.policy_digest,
        timings_ms=_timings(assessment),
        findings_left_out=len(assessment.findings) - len(kept),
    )
    return _fitting(body)


def findings_of(body: AssessmentBody) -> tuple[Finding, ...]:
    """Give the findings of a body back as values."""
    return tuple(_from_part(part) for part in body.findings)


def obstacles_of(body: AssessmentBody) -> tuple[Obstacle, ...]:
    """Give the obstacles of a body back as values."""
    return tuple(Obstacle(part.code, dict(part.params), part.view, part.blocking) for part in body.obstacles)


def frames_of(body: AssessmentBody) -> tuple[Frame, ...]:
    """Give the frames of a body back as values."""
    return tuple(Frame(part.view, Size(part.width, part.height), part.to_native) for part in body.frames)


def blobs_of(body: AssessmentBody) -> tuple[BlobRef, ...]:
    """Give the blob references of a body back as values."""
    return tuple(BlobRef(part.sha256, part.bytes, part.media_type, part.role) for part in body.blobs)


def _strongest(findings: Sequence[Finding]) -> list[Finding]:
    whole_view = [finding for finding in findings if not isinstance(finding, Detection)]
    located = sorted((finding for finding in findings if isinstance(finding, Detection)), key=lambda finding: -finding.score)
    return [*whole_view, *located][:MOST_FINDINGS]


def _capture(particulars: Particulars) -> CapturePart:
    taken = particulars.capture.taken_at
    return CapturePart(kind=particulars.capture.kind.value, taken_at=taken.at, as_written=taken.as_written, tz_assumed=taken.tz_assumed)


def _members(members: Sequence[MemberDigest]) -> list[MemberPart]:
    return [MemberPart(role=member.role, sha256=member.sha256, bytes=member.size) for member in members]


def _provenance(provenance: Provenance, members: Sequence[MemberDigest]) -> ProvenancePart:
    return ProvenancePart(
        daemon=provenance.daemon,
        runtime=provenance.runtime,
        provider=provenance.provider,
        device=provenance.device,
        bundles=_bundles(provenance),
        members=_members(members),
        config_digest=provenance.config_digest,
        policy_digest=provenance.policy_digest,
    )


def _bundles(provenance: Provenance) -> list[BundlePart]:
    return [BundlePart(name=use.name, version=use.version, sha256=use.sha256, state=use.state.value) for use in provenance.bundles]


def _reasons(assessment: MachineAssessment) -> list[CodeParams]:
    return [CodeParams(code=reason.code, params=dict(reason.params)) for reason in assessment.reasons[:MOST_REASONS]]


def _obstacles(assessment: MachineAssessment) -> list[ObstaclePart]:
    return [ObstaclePart(code=o.code, params=dict(o.params), view=o.view, blocking=o.blocking) for o in assessment.obstacles]


def _timings(assessment: MachineAssessment) -> dict[str, float]:
    return {stage: round(value, 3) for stage, value in assessment.timings_ms.items()}


def _finding(number: int, finding: Finding) -> FindingPart:
    match finding:
        case Detection():
            return DetectionPart(
                id=number,
                label=finding.label,
                score=round(finding.score, 4),
                box=finding.box.rounded(),
                view=finding.view,
                bundle=finding.bundle,
            )
        case Heterogeneity():
            return HeterogeneityPart(
                id=number,
                score=round(finding.score, 4),
                regions=[box.rounded() for box in finding.regions],
                against=list(finding.against),
                declared=finding.declared,
                view=finding.view,
                bundle=finding.bundle,
            )
        case ProductGuess():
            ranked = [(family, round(share, 4)) for family, share in finding.ranked]
            return ProductPart(id=number, ranked=ranked, view=finding.view, bundle=finding.bundle)
        case WeightEstimate():
            return WeightPart(id=number, mass_kg=finding.mass_kg, low_kg=finding.low_kg, high_kg=finding.high_kg, bundle=finding.bundle)


def _from_part(part: FindingPart) -> Finding:
    match part:
        case DetectionPart():
            return Detection(part.label, part.score, Box(*part.box), part.view, part.bundle)
        case HeterogeneityPart():
            regions = tuple(Box(*corners) for corners in part.regions)
            return Heterogeneity(part.score, regions, tuple(part.against), part.declared, part.view, part.bundle)
        case ProductPart():
            return ProductGuess(tuple(part.ranked), part.view, part.bundle)
        case WeightPart():
            return WeightEstimate(part.mass_kg, part.low_kg, part.high_kg, part.bundle)
