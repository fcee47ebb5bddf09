"""What came with a scan besides pixels, as parts of a body: goods, readings, consignment, third-party results. Each is bounded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from edge_agent.domain.capture import Reading
from edge_agent.domain.consignment import Consignment
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.third_party import ThirdPartyAssessment, ThirdPartyFinding
from edge_agent.wire.part import Part

MOST_GOODS = 25
MOST_READINGS = 25
MOST_FLAGS = 20
MOST_THIRD_PARTY = 8
MOST_THIRD_PARTY_FINDINGS = 4
_DESCRIPTION = 200
_LABEL = 60


class GoodsPart(Part):
    """One declared line; the description is verbatim, as far as it fits (200 signs; the package has all of it)."""

    hs: str
    description: str = ""
    gross_kg: float | None = None
    packages: int | None = None
    net_kg: float | None = None
    volume_m3: float | None = None


class DeclaredPart(Part):
    """What was declared; ``ref`` is the token of the declaration's number.

    ``link``: how surely it belongs to this scan, in [0, 1], and ``link_basis`` by what; absent in rows of before this field.
    """

    goods: list[GoodsPart]
    source: str
    ref: str | None = None
    link: float | None = None
    link_basis: str | None = None
    goods_left_out: int = 0


class ReadingPart(Part):
    """How well a number was read: its ``token``, what its check digit says, the reader's confidence in [0, 1]."""

    token: str
    check: str
    confidence: float | None = None


class RiskPart(Part):
    """A remark of the risk system, by its own code."""

    code: str
    source: str = ""
    set_at: datetime | None = None


class ConsignmentPart(Part):
    """What else was handed over; for display and audit, no model is given it. Masses in kg, volumes in cubic metres."""

    origin: str = ""
    destination: str = ""
    vessel: str = ""
    voyage: str = ""
    risk_flags: list[RiskPart] = []
    gross_kg: float | None = None
    volume_m3: float | None = None


class ThirdPartyFindingPart(Part):
    """One thing that somebody else's algorithm points at; box as in a detection, where they give one."""

    label: str
    score: float | None = None
    box: tuple[float, float, float, float] | None = None
    view: str | None = None


class ThirdPartyPart(Part):
    """What the scanner's or anybody else's own algorithm concluded. It is theirs: nothing here was concluded from it."""

    source: str
    algorithm: str
    version: str
    conclusion: Literal["alert", "no-alert", "unknown"]
    findings: list[ThirdPartyFindingPart] = []
    at: datetime | None = None


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
