"""Domain values to journal bodies and back (no pixels)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edge_agent.domain.arrival import Particulars
from edge_agent.domain.assessment import BlobRef, MachineAssessment, Obstacle, Provenance, Reason
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.finding import Detection, Finding, Heterogeneity, ProductGuess, WeightEstimate
from edge_agent.domain.geometry import Box
from edge_agent.domain.ids import FactId, ScanId, ScannerId, SiteId
from edge_agent.domain.member import MemberDigest
from edge_agent.wire.messages import (
    AssessmentBody,
    BlobPart,
    BundlePart,
    CapturePart,
    CodeParams,
    DeclaredPart,
    DetectionPart,
    FindingPart,
    GoodsPart,
    HeterogeneityPart,
    IdentityPart,
    MemberPart,
    ObstaclePart,
    ProductPart,
    ProvenancePart,
    SetAsideBody,
    WeightPart,
)

MOST_FINDINGS = 300
MOST_REASONS = 40


@dataclass(frozen=True, slots=True)
class ScanContext:
    """What a body says of the scan besides the judgement."""

    site: SiteId
    scanner: ScannerId
    particulars: Particulars
    members: tuple[MemberDigest, ...]
    identities: tuple[IdentityPart, ...]


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
    return AssessmentBody(
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
        identities=list(context.identities),
        declared=_declared(particulars.declaration),
        conclusion=assessment.conclusion.value,
        reasons=[CodeParams(code=reason.code, params=dict(reason.params)) for reason in assessment.reasons[:MOST_REASONS]],
        obstacles=[ObstaclePart(code=o.code, params=dict(o.params), view=o.view, blocking=o.blocking) for o in assessment.obstacles],
        findings=[_finding(number, finding) for number, finding in enumerate(kept, start=1)],
        provenance=_provenance(assessment.provenance, context.members),
        timings_ms={stage: round(value, 3) for stage, value in assessment.timings_ms.items()},
        blobs=[BlobPart(sha256=blob.sha256, bytes=blob.bytes, media_type=blob.media_type, role=blob.role) for blob in assessment.blobs],
        findings_left_out=len(assessment.findings) - len(kept),
        reasons_left_out=max(0, len(assessment.reasons) - MOST_REASONS),
    )


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


def findings_of(body: AssessmentBody) -> tuple[Finding, ...]:
    """Give the findings of a body back as values."""
    return tuple(_from_part(part) for part in body.findings)


def obstacles_of(body: AssessmentBody) -> tuple[Obstacle, ...]:
    """Give the obstacles of a body back as values."""
    return tuple(Obstacle(part.code, dict(part.params), part.view, part.blocking) for part in body.obstacles)


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


def _declared(declaration: Declaration | None) -> DeclaredPart | None:
    if declaration is None:
        return None
    goods = [
        GoodsPart(hs=item.hs, description=item.description, gross_kg=item.gross_kg, packages=item.packages) for item in declaration.items
    ]
    return DeclaredPart(goods=goods, source=declaration.source, ref=declaration.ref)


def _members(members: Sequence[MemberDigest]) -> list[MemberPart]:
    return [MemberPart(role=member.role, sha256=member.sha256, bytes=member.size) for member in members]


def _provenance(provenance: Provenance, members: Sequence[MemberDigest]) -> ProvenancePart:
    return ProvenancePart(
        daemon=provenance.daemon,
        runtime=provenance.runtime,
        provider=provenance.provider,
        device=provenance.device,
        bundles=[BundlePart(name=use.name, version=use.version, sha256=use.sha256, state=use.state.value) for use in provenance.bundles],
        members=_members(members),
        config_digest=provenance.config_digest,
        policy_digest=provenance.policy_digest,
    )


def _corners(box: Box) -> tuple[float, float, float, float]:
    return (round(box.x0, 1), round(box.y0, 1), round(box.x1, 1), round(box.y1, 1))


def _finding(number: int, finding: Finding) -> FindingPart:
    match finding:
        case Detection():
            return DetectionPart(
                id=number,
                label=finding.label,
                score=round(finding.score, 4),
                box=_corners(finding.box),
                view=finding.view,
                bundle=finding.bundle,
            )
        case Heterogeneity():
            return HeterogeneityPart(
                id=number,
                score=round(finding.score, 4),
                regions=[_corners(box) for box in finding.regions],
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
