"""Journal bodies back to facts that assessors speak in: what a standing is computed from. Pure."""

from collections.abc import Iterable

from edge_agent.domain.assessment import (
    Assessment,
    BundleState,
    BundleUse,
    ControlOutcome,
    ControlResult,
    Fact,
    FoundItem,
    MachineAssessment,
    MachineConclusion,
    OfficerConclusion,
    Provenance,
    Reason,
    Referral,
    Verdict,
)
from edge_agent.domain.declaration import Declaration, DeclaredItem, Link, LinkBasis, comparable
from edge_agent.domain.ids import FactId, ScanId, Token
from edge_agent.domain.standing import Standing, standing
from edge_agent.wire.convert import blobs_of, findings_of, obstacles_of
from edge_agent.wire.messages import AnyBody, AssessmentBody, Body, CodeParams, ControlBody, ProvenancePart, ReferralBody, VerdictBody


def standing_of(bodies: Iterable[AnyBody]) -> Standing | None:
    """Give the standing of one scan from all bodies about it, in the journal's order; None when nobody has judged it."""
    return standing(fact for fact in map(fact_of, bodies) if fact is not None)


def fact_of(body: AnyBody) -> Assessment | Referral | None:
    """Give what a body says of its scan; None for a body that judges nothing."""
    match body:
        case AssessmentBody():
            return _machine(body)
        case VerdictBody():
            return Verdict(
                _fact(body),
                OfficerConclusion(body.conclusion),
                Token(body.officer),
                body.workstation,
                body.is_supervisor,
                tuple(map(_reason, body.reasons)),
            )
        case ControlBody():
            found = tuple(FoundItem(**part.model_dump()) for part in body.found)
            return ControlResult(_fact(body), ControlOutcome(body.conclusion), found, body.office)
        case ReferralBody():
            return Referral(_fact(body), _reason(body.reason))
        case _:
            return None


def declaration_of(body: AssessmentBody) -> Declaration | None:
    """Give the declaration that the load was compared with; None without one, or where it may have been another scan's."""
    declared = body.declared
    if declared is None:
        return None
    items = tuple(DeclaredItem(**part.model_dump()) for part in declared.goods)
    link = Link() if declared.link is None or declared.link_basis is None else Link(declared.link, LinkBasis(declared.link_basis))
    return comparable(Declaration(items, declared.source, link=link))


def _machine(body: AssessmentBody) -> MachineAssessment:
    return MachineAssessment(
        _fact(body),
        MachineConclusion(body.conclusion),
        tuple(map(_reason, body.reasons)),
        obstacles_of(body),
        findings_of(body),
        _provenance(body.provenance),
        body.timings_ms,
        blobs_of(body),
    )


def _provenance(part: ProvenancePart) -> Provenance:
    bundles = tuple(BundleUse(one.name, one.version, one.sha256, BundleState(one.state)) for one in part.bundles)
    return Provenance(part.daemon, part.runtime, part.provider, part.device, bundles, part.config_digest, part.policy_digest)


def _fact(body: Body) -> Fact:
    supersedes = FactId(body.supersedes) if body.supersedes is not None else None
    return Fact(FactId(body.fact_id), ScanId(body.scan_id or ""), body.revision, body.cause, body.produced_at, supersedes)


def _reason(part: CodeParams) -> Reason:
    return Reason(part.code, dict(part.params))
