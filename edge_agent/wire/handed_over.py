"""What came with a scan besides pixels, as parts of a body: goods, readings, consignment, third-party results. Each is bounded."""

from collections.abc import Sequence

from edge_agent.domain.capture import Reading
from edge_agent.domain.consignment import Consignment
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.third_party import ThirdPartyAssessment, ThirdPartyFinding
from edge_agent.wire.messages import (
    ConsignmentPart,
    DeclaredPart,
    GoodsPart,
    ReadingPart,
    RiskPart,
    ThirdPartyFindingPart,
    ThirdPartyPart,
)

MOST_GOODS = 25
MOST_READINGS = 25
MOST_FLAGS = 20
MOST_THIRD_PARTY = 8
MOST_THIRD_PARTY_FINDINGS = 4
_DESCRIPTION = 200
_LABEL = 60


def declared_part(declaration: Declaration | None) -> DeclaredPart | None:
    """Give what was declared, its first ``MOST_GOODS`` lines."""
    if declaration is None:
        return None
    goods = [
        GoodsPart(
            hs=item.hs,
            description=item.description[:_DESCRIPTION],
            gross_kg=item.gross_kg,
            packages=item.packages,
            net_kg=item.net_kg,
            volume_m3=item.volume_m3,
        )
        for item in declaration.items[:MOST_GOODS]
    ]
    return DeclaredPart(
        goods=goods,
        source=declaration.source,
        ref=declaration.ref,
        link=declaration.link.score,
        link_basis=declaration.link.basis.value,
        goods_left_out=len(declaration.items) - len(goods),
    )


def reading_parts(readings: Sequence[Reading]) -> list[ReadingPart]:
    """Give how well numbers were read."""
    return [ReadingPart(token=one.token, check=one.check.value, confidence=one.confidence) for one in readings[:MOST_READINGS]]


def consignment_part(consignment: Consignment) -> ConsignmentPart | None:
    """Give what else was handed over, None when nothing was."""
    if consignment == Consignment():
        return None
    route = consignment.route
    return ConsignmentPart(
        origin=route.origin[:_LABEL],
        destination=route.destination[:_LABEL],
        vessel=route.vessel[:_LABEL],
        voyage=route.voyage[:_LABEL],
        risk_flags=[RiskPart(code=f.code[:_LABEL], source=f.source[:_LABEL], set_at=f.set_at) for f in consignment.risk_flags[:MOST_FLAGS]],
        gross_kg=consignment.gross_kg,
        volume_m3=consignment.volume_m3,
    )


def third_party_parts(assessments: Sequence[ThirdPartyAssessment]) -> list[ThirdPartyPart]:
    """Give what others' algorithms said."""
    return [
        ThirdPartyPart(
            source=one.source[:_LABEL],
            algorithm=one.algorithm[:_LABEL],
            version=one.version[:_LABEL],
            conclusion=one.conclusion.value,
            findings=[_finding(finding) for finding in one.findings[:MOST_THIRD_PARTY_FINDINGS]],
            at=one.at,
        )
        for one in assessments[:MOST_THIRD_PARTY]
    ]


def _finding(finding: ThirdPartyFinding) -> ThirdPartyFindingPart:
    corners = None if finding.box is None else finding.box.rounded()
    return ThirdPartyFindingPart(label=finding.label[:_LABEL], score=finding.score, box=corners, view=finding.view)
