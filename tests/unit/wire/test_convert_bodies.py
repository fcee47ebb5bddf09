"""Domain values to journal bodies and back: nothing is lost but what a body rounds, and a body is bounded."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.assessment import (
    BlobRef,
    BundleState,
    BundleUse,
    Fact,
    FactKind,
    MachineAssessment,
    MachineConclusion,
    Obstacle,
    Provenance,
    Reason,
)
from edge_agent.domain.capture import Reading, Subject, SubjectKind
from edge_agent.domain.consignment import Consignment, RiskFlag, Route
from edge_agent.domain.declaration import Declaration, DeclaredItem, Link, LinkBasis
from edge_agent.domain.finding import Detection, Finding, Heterogeneity, ProductGuess, WeightEstimate
from edge_agent.domain.geometry import Box
from edge_agent.domain.ids import Token, fact_id
from edge_agent.domain.numbering import NumberCheck
from edge_agent.domain.third_party import ThirdPartyAssessment, ThirdPartyConclusion, ThirdPartyFinding
from edge_agent.testing.factories import DIGEST, NOON, SCANNER, SITE, a_scan_id, members, particulars
from edge_agent.wire import convert, messages
from edge_agent.wire.convert import MOST_FINDINGS, MOST_REASONS, ScanContext, SetAside, assessment_body, set_aside_body
from edge_agent.wire.messages import AssessmentBody, IdentityPart, SetAsideBody

SCAN = a_scan_id()
FACT = Fact(fact_id(SCAN, FactKind.ASSESSMENT, 1, "pixels"), SCAN, 1, "pixels", NOON)
PLATE = IdentityPart.model_validate({"kind": "plate", "token": "t-1", "commitment": DIGEST})
PROVENANCE = Provenance(
    "edge-agent 0.1.0", "onnxruntime 1", "CPUExecutionProvider", "cpu", (BundleUse("d", "1", DIGEST, BundleState.SHADOW),), "c", "p"
)

words = st.text(alphabet="abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
scores = st.integers(0, 10_000).map(lambda n: n / 10_000)
edges = st.integers(0, 80_000).map(lambda n: n / 10)
boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), edges, edges, st.just(1.5), st.integers(0, 99).map(float))
kilograms = st.floats(0, 1e6, allow_nan=False)
detections = st.builds(Detection, words, scores, boxes, words, words)
heterogeneities = st.builds(
    Heterogeneity, scores, st.lists(boxes, max_size=4).map(tuple), st.lists(words, max_size=3).map(tuple), st.booleans(), words, words
)
guesses = st.builds(ProductGuess, st.lists(st.tuples(words, scores), max_size=4).map(tuple), words, words)
weights = st.builds(WeightEstimate, kilograms, kilograms, kilograms, words)
findings = st.lists(st.one_of(detections, heterogeneities, guesses, weights), max_size=12)


def context(**changes) -> ScanContext:
    return replace(
        ScanContext(SITE, SCANNER, particulars(("t-1",)), members(), (PLATE,)),
        **changes,
    )


def judged(found: tuple[Finding, ...] = (), reasons: tuple[Reason, ...] = (), obstacles: tuple[Obstacle, ...] = ()) -> MachineAssessment:
    return MachineAssessment(FACT, MachineConclusion.ALERT, reasons, obstacles, found, PROVENANCE, {"decode": 1.23456})


def sent(assessment: MachineAssessment, about: ScanContext | None = None) -> AssessmentBody:
    """The body as a reader has it, after the journey through bytes."""
    body = messages.decode(messages.encode(assessment_body(about or context(), assessment)))
    assert isinstance(body, AssessmentBody)
    return body


def near(one: Finding, other: Finding) -> bool:
    """Equal but for binary rounding of boxes given to a tenth of a pixel."""
    if isinstance(one, Detection) and isinstance(other, Detection):
        return replace(one, box=other.box) == other and all(
            abs(getattr(one.box, edge) - getattr(other.box, edge)) <= 0.0501 for edge in ("x0", "y0", "x1", "y1")
        )
    if isinstance(one, Heterogeneity) and isinstance(other, Heterogeneity):
        return replace(one, regions=other.regions) == other and len(one.regions) == len(other.regions)
    return one == other


@given(findings)
def test_findings_come_back_as_they_were_located_ones_last_and_strongest_first(found: list[Finding]) -> None:
    back = convert.findings_of(sent(judged(tuple(found))))
    expected = [one for one in found if not isinstance(one, Detection)]
    expected += sorted((one for one in found if isinstance(one, Detection)), key=lambda one: -one.score)
    assert len(back) == len(expected)
    assert all(near(one, other) for one, other in zip(expected, back, strict=True))


@given(
    st.lists(
        st.builds(
            Obstacle, words, st.dictionaries(words, st.one_of(words, st.booleans(), st.integers(0, 9))), st.none() | words, st.booleans()
        )
    )
)
def test_obstacles_come_back_with_the_policys_word_on_each(obstacles: list[Obstacle]) -> None:
    assert tuple(obstacles) == convert.obstacles_of(sent(judged(obstacles=tuple(obstacles))))


def test_blob_references_come_back() -> None:
    blobs = (BlobRef(DIGEST, 12, "image/png", "heatmap:side"),)
    assert blobs == convert.blobs_of(sent(replace(judged(), blobs=blobs)))


def test_a_body_keeps_the_strongest_and_counts_what_it_leaves_out() -> None:
    found = tuple(Detection("knife", n / 1000, Box(0, 0, 1, 1), "side", "d/1") for n in range(MOST_FINDINGS + 7))
    whole = Heterogeneity(0.1, (), (), declared=False, view="side", bundle="c/1")
    body = sent(judged((*found, whole)))
    kept = convert.findings_of(body)
    assert (MOST_FINDINGS, 8) == (len(kept), body.findings_left_out)
    assert kept[0] == whole
    assert min(one.score for one in kept[1:]) == pytest.approx(0.008)
    assert list(range(1, MOST_FINDINGS + 1)) == [part.id for part in body.findings]


def test_too_many_reasons_are_cut_and_counted() -> None:
    body = sent(judged(reasons=tuple(Reason("detection-alert", {"n": n}) for n in range(MOST_REASONS + 3))))
    assert (MOST_REASONS, 3) == (len(body.reasons), body.reasons_left_out)


def test_the_largest_body_fits_the_journal() -> None:
    found = tuple(
        Detection("a-rather-long-label", 0.123456, Box(1234.56, 2345.67, 3456.78, 4567.89), "side", "detector/0.1.0") for _ in range(400)
    )
    reasons = tuple(
        Reason("detection-alert", {"label": "a-rather-long-label", "score": 0.1234, "threshold": 0.5, "view": "side"}) for _ in range(60)
    )
    assert len(messages.encode(assessment_body(context(), judged(found, reasons)))) <= messages.MAX_BODY_BYTES


def test_a_body_says_what_was_declared_verbatim_and_by_token() -> None:
    declaration = Declaration((DeclaredItem("020230", "Frozen BEEF, boneless", 1200.5, 60),), "sidecar", Token("t-9"))
    body = sent(judged(), context(particulars=replace(particulars(), declaration=declaration)))
    assert body.declared is not None
    assert ("sidecar", "t-9") == (body.declared.source, body.declared.ref)
    assert [("020230", "Frozen BEEF, boneless", 1200.5, 60)] == [(g.hs, g.description, g.gross_kg, g.packages) for g in body.declared.goods]


def test_a_body_says_where_it_comes_from() -> None:
    body = sent(replace(judged(), fact=replace(FACT, supersedes=FACT.fact_id, at=NOON + timedelta(seconds=1))))
    assert ("CPUExecutionProvider", "c", "p") == (body.provenance.provider, body.provenance.config_digest, body.provenance.policy_digest)
    assert [("d", "1", DIGEST, "shadow")] == [(b.name, b.version, b.sha256, b.state) for b in body.provenance.bundles]
    assert (FACT.fact_id, {"decode": 1.235}) == (body.supersedes, body.timings_ms)


def test_no_body_names_a_file() -> None:
    """File names often are container numbers: bodies give role, digest and size only."""
    body = messages.encode(assessment_body(context(), judged()))
    assert members()[0].name.encode() not in body


def test_a_set_aside_says_why_and_of_what_kind() -> None:
    event = SetAside(FACT.fact_id, SCAN, 2, "unreadable-scan-0-0", NOON, Reason("unreadable-scan", {"bytes": 0}))
    body = messages.decode(messages.encode(set_aside_body(context(), event)))
    assert isinstance(body, SetAsideBody)
    assert ("unreadable-scan", {"bytes": 0}, "live", "random", 2) == (
        body.reason.code,
        body.reason.params,
        body.capture_kind,
        body.selection,
        body.revision,
    )
    assert [("high", 1000)] == [(part.role, part.bytes) for part in body.members]


def test_what_was_handed_over_travels_marked_as_whose_it_is() -> None:
    said = ThirdPartyAssessment(
        "dicos-tdr", "ATR-X", "2", ThirdPartyConclusion.ALERT, (ThirdPartyFinding("knife", 0.9, Box(1, 2, 3, 4), "side"),), NOON
    )
    about = replace(
        particulars(("t-1",)),
        subject=Subject(SubjectKind.CARGO, (Token("t-1"),), (Reading(Token("t-1"), NumberCheck.REPAIRABLE, 0.5),), (Token("t-2"),)),
        declaration=Declaration((DeclaredItem("0202"),), "declarations", Token("t-3"), Link(0.8, LinkBasis.CORRECTED)),
        consignment=Consignment(Route("BR", "INNSA"), (RiskFlag("R-12", "RMS", NOON),), 21500.0, 60.5),
        third_party=(said,),
    )
    body = messages.decode(messages.encode(assessment_body(context(particulars=about), judged())))
    assert isinstance(body, AssessmentBody)
    assert [("dicos-tdr", "ATR-X", "alert", (1.0, 2.0, 3.0, 4.0))] == [
        (one.source, one.algorithm, one.conclusion, one.findings[0].box) for one in body.third_party
    ]
    assert body.findings == []
    assert body.declared is not None
    assert (0.8, "corrected", "t-3") == (body.declared.link, body.declared.link_basis, body.declared.ref)
    assert body.consignment is not None
    assert ("BR", "R-12", 21500.0) == (body.consignment.origin, body.consignment.risk_flags[0].code, body.consignment.gross_kg)
    assert [("t-1", "repairable", 0.5)] == [(one.token, one.check, one.confidence) for one in body.readings]


def test_a_body_fits_the_journal_whatever_a_side_car_holds() -> None:
    """A side-car is written by others: a thousand lines of goods must not end the daemon."""
    wide = "\u6f22" * 4096
    said = tuple(
        ThirdPartyAssessment(wide, wide, wide, ThirdPartyConclusion.ALERT, tuple(ThirdPartyFinding(wide) for _ in range(100)))
        for _ in range(100)
    )
    about = replace(
        particulars(tuple(f"t-{n}" for n in range(1000))),
        declaration=Declaration(tuple(DeclaredItem("0202", wide, 1.0, 1, 1.0, 1.0) for _ in range(1000)), "sidecar"),
        consignment=Consignment(Route(wide, wide, wide, wide), tuple(RiskFlag(wide, wide) for _ in range(1000))),
        third_party=said,
    )
    found = tuple(Detection("handgun", 0.5, Box(1000.5, 1000.5, 2000.5, 2000.5), "side", "cargo-detector/1.0.0") for _ in range(5000))
    body = assessment_body(context(particulars=about, identities=(PLATE,) * 1000), judged(found))
    assert len(messages.encode(body)) <= messages.MAX_BODY_BYTES
    assert len(found) == len(body.findings) + body.findings_left_out
    assert body.findings
    assert body.declared is not None
    assert len(body.declared.goods) + body.declared.goods_left_out == 1000
