"""Bodies: what is written can be read, tomorrow's fields are ignored, and nothing else passes for a body."""

import json

import pytest

from edge_agent.domain.assessment import FactKind
from edge_agent.errors import MalformedMessage
from edge_agent.ledger.records import Entry
from edge_agent.testing.factories import a_scan_id, a_set_aside, a_verdict, an_assessment, an_audit, assessment_body
from edge_agent.wire.messages import AssessmentBody, ControlBody, HealthBody, ReferralBody, decode, encode

SCAN = a_scan_id()


@pytest.mark.parametrize(
    "entry",
    [
        an_assessment(SCAN, conclusion="alert"),
        an_assessment(SCAN, conclusion="unassessable"),
        a_set_aside(SCAN),
        a_verdict(SCAN),
        an_audit(),
        an_audit(scan=SCAN),
    ],
    ids=lambda entry: entry.kind,
)
def test_what_is_written_can_be_read_and_written_again_to_the_same_bytes(entry: Entry) -> None:
    assert encode(decode(entry.body)) == entry.body


def test_a_scan_without_a_declaration_can_be_read_back() -> None:
    body = decode(encode(assessment_body(SCAN)))
    assert isinstance(body, AssessmentBody)
    assert body.declared is None


@pytest.mark.parametrize(
    ("kind", "model"), [(FactKind.CONTROL, ControlBody), (FactKind.REFERRAL, ReferralBody), (FactKind.HEALTH, HealthBody)]
)
def test_every_kind_names_its_own_model(kind: FactKind, model: type) -> None:
    frame = {"fact_id": "f", "site": "s", "revision": 1, "cause": "c", "produced_at": "2026-03-02T12:00:00Z"}
    parts = {
        FactKind.CONTROL: {"conclusion": "found", "found": [{"what": "cigarettes"}], "office": "north"},
        FactKind.REFERRAL: {"reason": {"code": "clock-ran-out"}},
        FactKind.HEALTH: {"state": "degraded", "reasons": []},
    }
    raw = json.dumps({**frame, "kind": kind, "schema": f"{kind}/1.0", **parts[kind]}).encode()
    assert isinstance(decode(raw), model)


def test_a_field_of_a_newer_minor_version_is_ignored() -> None:
    newer = json.loads(an_assessment(SCAN).body) | {"weather": {"rain": True}}
    assert isinstance(decode(json.dumps(newer).encode()), AssessmentBody)


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"[]", b"{}", b'{"kind":"opinion"}', b"\xff", b"[" * 100_000],
    ids=["empty", "null", "array", "no kind", "unknown kind", "not text", "nested too deep"],
)
def test_bytes_that_are_no_body_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode(raw)


@pytest.mark.parametrize(
    ("field", "value"),
    [("schema", "assessment/2.0"), ("conclusion", "not-suspicious"), ("produced_at", "yesterday"), ("timings_ms", {"decode": "NaN"})],
)
def test_a_body_with_a_wrong_value_is_refused(field: str, value: object) -> None:
    wrong = json.loads(an_assessment(SCAN).body) | {field: value}
    with pytest.raises(MalformedMessage):
        decode(json.dumps(wrong).encode())
