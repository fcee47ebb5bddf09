"""What people said at the vendor's side becomes facts: an examination is a control result, an analyst's word is no verdict of ours."""

import pytest

from edge_agent.agent.handed_over import VENDOR, said_by_vendor
from edge_agent.domain.arrival import Decision, MetadataRevision, NewRevision, NewScan, Unchanged
from edge_agent.domain.assessment import ControlOutcome, FactKind, OfficerConclusion
from edge_agent.domain.drop import SideCar
from edge_agent.testing.factories import NOON, SCANNER, SITE, a_scan_id
from edge_agent.wire.messages import AuditBody, ControlBody, decode

SCAN = a_scan_id()


FIRST = NewScan(SCAN, None)


def said(sidecar: SideCar | None, decision: Decision = FIRST) -> list[ControlBody | AuditBody]:
    bodies = [decode(entry.body) for entry in said_by_vendor(SITE, SCANNER, decision, sidecar, NOON)]
    assert all(isinstance(body, ControlBody | AuditBody) for body in bodies)
    return bodies


@pytest.mark.parametrize("outcome", ControlOutcome)
def test_an_examination_becomes_a_control_result_of_the_vendors_feed(outcome: ControlOutcome) -> None:
    (body,) = said(SideCar(examination=outcome))
    assert isinstance(body, ControlBody)
    assert (outcome.value, VENDOR, SCAN) == (body.conclusion, body.office, body.scan_id)


@pytest.mark.parametrize("word", OfficerConclusion)
def test_an_analysts_word_is_an_audit_fact_and_no_verdict(word: OfficerConclusion) -> None:
    (entry,) = said_by_vendor(SITE, SCANNER, NewScan(SCAN, None), SideCar(analyst=word), NOON)
    assert entry.kind is FactKind.AUDIT
    body = decode(entry.body)
    assert isinstance(body, AuditBody)
    assert ("vendor-analyst", {"conclusion": word.value}) == (body.event.code, body.event.params)


@pytest.mark.parametrize("decision", [Unchanged(SCAN), NewScan(SCAN, None), MetadataRevision(SCAN, 1, 3)])
def test_a_side_car_that_is_written_again_repeats_no_fact(decision: Decision) -> None:
    sidecar = SideCar(examination=ControlOutcome.FOUND, analyst=OfficerConclusion.SUSPICIOUS)
    first = [body.fact_id for body in said(sidecar)]
    assert first == [body.fact_id for body in said(sidecar, decision)]
    assert first != [body.fact_id for body in said(sidecar, NewRevision(SCAN, 2))]
    changed = said(SideCar(examination=ControlOutcome.NOTHING_FOUND))
    assert changed[0].fact_id not in first


def test_a_side_car_without_peoples_words_says_nothing() -> None:
    assert said(SideCar()) == []
    assert said(None) == []
