"""Plain, valid values for tests; each argument says what a test is about, everything else is ordinary.

All identities are fictional, and all moments are relative to :data:`NOON`.
"""

import hashlib
import uuid
from datetime import UTC, datetime

from edge_agent.domain.arrival import Arrival, Decision, NewScan, Particulars
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.ids import DropKey, FactId, ScanId, ScannerId, SiteId, Token, fact_id, scan_id
from edge_agent.domain.member import MemberDigest
from edge_agent.ledger.records import Acceptance, Entry
from edge_agent.wire.findings import DetectionPart
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import (
    AnyBody,
    AssessmentBody,
    AuditBody,
    BundlePart,
    CapturePart,
    CodeParams,
    MemberPart,
    ProvenancePart,
    SetAsideBody,
    VerdictBody,
    encode,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SITE = SiteId("harbour")
SCANNER = ScannerId("gate-1")
DIGEST = "0" * 64


def digest_of(text: str) -> str:
    """Give a SHA-256 (hex) that belongs to ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()


def a_scan_id(name: str = "scan-1") -> ScanId:
    """Give the identity of the scan of drop ``name`` whose pixels are ``digest_of(name)``."""
    return scan_id(SITE, SCANNER, DropKey(name), digest_of(name))


def a_capture(kind: CaptureKind = CaptureKind.LIVE) -> Capture:
    """Give how and why a scan was taken: at noon, at random."""
    return Capture(Stamp(NOON, "2026-03-02T12:00:00", tz_assumed=True), kind, Selection.RANDOM)


def particulars(
    identifiers: tuple[str, ...] = (), declared: tuple[str, ...] = ("0202",), kind: CaptureKind = CaptureKind.LIVE
) -> Particulars:
    """Give a cargo scan's particulars; ``identifiers`` are tokens, ``declared`` headings."""
    declaration = Declaration(tuple(DeclaredItem(hs) for hs in declared), "sidecar") if declared else None
    subject = Subject(SubjectKind.CARGO, tuple(Token(token) for token in identifiers))
    return Particulars(a_capture(kind), subject, declaration)


def members(name: str = "scan-1") -> tuple[MemberDigest, ...]:
    """Give the one accepted file of drop ``name``."""
    return (MemberDigest(f"{name}.png", "high", 1000, digest_of(name), is_pixels=True),)


def an_arrival(name: str = "scan-1", content: str | None = "", metadata: str = "m0", scanner: ScannerId = SCANNER) -> Arrival:
    """Give the arrival of drop ``name``; its pixels are ``content`` (the name's own when empty, none when None)."""
    digest = None if content is None else digest_of(content or name)
    return Arrival(SITE, scanner, DropKey(name), digest, digest_of(metadata))


def an_acceptance(arrival: Arrival, decision: Decision | None = None, about: Particulars | None = None, priority: int = 0) -> Acceptance:
    """Give the acceptance of an arrival, as a new scan unless told otherwise."""
    first = NewScan(scan_id(arrival.site, arrival.scanner, arrival.drop_key, arrival.content_digest or ""), None)
    fingerprint = ((f"{arrival.drop_key}.png", 1000, 1),)
    spool = f"spool/{arrival.drop_key}"
    return Acceptance(decision or first, arrival, fingerprint, members(arrival.drop_key), about or particulars(), spool, priority)


def _entry(body: AnyBody, kind: FactKind) -> Entry:
    scanner = ScannerId(body.scanner) if body.scanner is not None else None
    scan = ScanId(body.scan_id) if body.scan_id is not None else None
    return Entry(FactId(body.fact_id), scan, kind, topic(SiteId(body.site), scanner, kind), encode(body))


def assessment_body(
    scan: ScanId, revision: int = 1, conclusion: str = "no-alert", cause: str = "assess", scanner: ScannerId = SCANNER
) -> AssessmentBody:
    """Give a machine's judgement; an alert comes with one detection."""
    found = [DetectionPart(id=0, label="handgun", score=0.9, box=(10, 20, 50, 60), view="top", bundle="detector/0.1.0")]
    return AssessmentBody.model_validate(
        {
            "fact_id": fact_id(scan, FactKind.ASSESSMENT, revision, cause),
            "site": SITE,
            "scanner": scanner,
            "scan_id": scan,
            "revision": revision,
            "cause": cause,
            "produced_at": NOON,
            "capture": CapturePart(kind="live", taken_at=NOON, as_written="2026-03-02T12:00:00", tz_assumed=True),
            "selection": "random",
            "subject": "cargo",
            "identities": [],
            "declared": None,
            "conclusion": conclusion,
            "reasons": [CodeParams(code="detection-alert", params={"label": "handgun"})] if conclusion == "alert" else [],
            "obstacles": [],
            "findings": found if conclusion == "alert" else [],
            "provenance": ProvenancePart(
                daemon="0.1.0",
                runtime="onnxruntime 1.31.0",
                provider="CPUExecutionProvider",
                device="cpu",
                bundles=[BundlePart(name="detector", version="0.1.0", sha256=DIGEST, state="simulated")],
                members=[MemberPart(role="high", sha256=DIGEST, bytes=1000)],
                config_digest=DIGEST,
                policy_digest=DIGEST,
            ),
            "timings_ms": {"decode": 12.5},
        }
    )


def an_assessment(scan: ScanId, revision: int = 1, conclusion: str = "no-alert", cause: str = "assess") -> Entry:
    """Give a machine's judgement as a journal entry."""
    return _entry(assessment_body(scan, revision, conclusion, cause), FactKind.ASSESSMENT)


def a_set_aside(scan: ScanId, revision: int = 1, reason: str = "unreadable-scan", cause: str = "set-aside") -> Entry:
    """Give the fact that a scan was set aside."""
    body = SetAsideBody(
        fact_id=fact_id(scan, FactKind.SET_ASIDE, revision, cause),
        site=SITE,
        scanner=SCANNER,
        scan_id=scan,
        revision=revision,
        cause=cause,
        produced_at=NOON,
        reason=CodeParams(code=reason),
        members=[],
    )
    return _entry(body, FactKind.SET_ASIDE)


def a_verdict(scan: ScanId, revision: int = 1, conclusion: str = "suspicious", cause: str | None = None) -> Entry:
    """Give an officer's verdict; ``cause`` is the sender's verdict_id, a new one when not given."""
    cause = cause or str(uuid.uuid4())
    body = VerdictBody.model_validate(
        {
            "fact_id": fact_id(scan, FactKind.VERDICT, revision, cause),
            "site": SITE,
            "scanner": SCANNER,
            "scan_id": scan,
            "revision": revision,
            "cause": cause,
            "produced_at": NOON,
            "conclusion": conclusion,
            "officer": "token-of-officer",
            "workstation": "console-1",
            "is_supervisor": False,
            "reasons": [],
            "decided_at": NOON,
        }
    )
    return _entry(body, FactKind.VERDICT)


def an_audit(cause: str = "start", event: str = "started", scan: ScanId | None = None) -> Entry:
    """Give an audit fact, about the site itself unless a scan is named."""
    body = AuditBody(
        fact_id=fact_id(scan or SITE, FactKind.AUDIT, 0, cause),
        site=SITE,
        scanner=SCANNER if scan else None,
        scan_id=scan,
        revision=0,
        cause=cause,
        produced_at=NOON,
        event=CodeParams(code=event),
    )
    return _entry(body, FactKind.AUDIT)
