"""A site's journal in memory: real bodies, numbers and hashes, for tests of whoever reads journals."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from edge_agent.domain.ids import DropKey, ScanId, ScannerId, Seq, SiteId, fact_id, scan_id
from edge_agent.errors import Diverged, EpochChanged
from edge_agent.wire import verbs
from edge_agent.wire.chain import JournalRow, link
from edge_agent.wire.findings import DetectionPart, FindingPart, HeterogeneityPart
from edge_agent.wire.frames import Envelope, topic
from edge_agent.wire.heads import SignedHead, SignedHeadPart
from edge_agent.wire.heartbeat import SiteState, StatusReply
from edge_agent.wire.messages import (
    AnyBody,
    AssessmentBody,
    AuditBody,
    BundlePart,
    CapturePart,
    CodeParams,
    ObstaclePart,
    ProvenancePart,
    SetAsideBody,
    encode,
)
from edge_agent.wire.verbs import BatchReply, HelloReply, LimitsPart, PullRequest, Verb, YouPart

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
A_SCANNER = ScannerId("gate-1")


def scan_named(site: str, name: str) -> ScanId:
    """Give the identity of a scan that a test calls ``name``."""
    return scan_id(SiteId(site), A_SCANNER, DropKey(name), hashlib.sha256(name.encode()).hexdigest())


def detection(label: str, score: float = 0.9) -> DetectionPart:
    """Give a located object."""
    return DetectionPart(id=0, label=label, score=score, box=(1.0, 2.0, 30.0, 40.0), view="top", bundle="detector/0.1.0")


def heterogeneity(score: float = 0.7) -> HeterogeneityPart:
    """Give a load unlike the declared goods."""
    return HeterogeneityPart(id=1, score=score, regions=[], against=["beef"], declared=True, view="top", bundle="contents/0.1.0")


def alert_for(label: str) -> CodeParams:
    """Give the reason by which a label puts a scan on alert."""
    return CodeParams(code="detection-alert", params={"label": label, "score": 0.9, "threshold": 0.5, "view": "top"})


def blocking(code: str) -> ObstaclePart:
    """Give an obstacle that keeps a scan from being judged."""
    return ObstaclePart(code=code, blocking=True)


def assessment(site: str, name: str, conclusion: str = "no-alert", at: datetime = NOON, **more: Any) -> AssessmentBody:  # noqa: ANN401
    """Give an assessment of revision 1 of the live, randomly chosen scan ``name``; ``more`` replaces fields."""
    scan = scan_named(site, name)
    body = AssessmentBody(
        schema="assessment/1.0",
        fact_id=fact_id(scan, "assessment", 1, "pixels"),
        site=site,
        scanner=A_SCANNER,
        scan_id=scan,
        revision=1,
        cause="pixels",
        produced_at=at,
        capture=CapturePart(kind="live", taken_at=at - timedelta(minutes=1), as_written="", tz_assumed=False),
        selection="random",
        subject="cargo",
        identities=[],
        declared=None,
        conclusion=conclusion,
        reasons=[],
        obstacles=[],
        findings=[],
        provenance=provenance(),
        timings_ms={"infer": 12.5},
    )
    return body.model_copy(update=more)


def provenance(state: str = "simulated") -> ProvenancePart:
    """Give the origin of an assessment by one bundle in ``state``."""
    bundle = BundlePart(name="detector", version="0.1.0", sha256="ab" * 32, state=state)
    return ProvenancePart(
        daemon="0.1.0",
        runtime="onnxruntime 1.26",
        provider="CPUExecutionProvider",
        device="cpu",
        bundles=[bundle],
        members=[],
        config_digest="c0",
        policy_digest="d0",
    )


def kind_of(kind: str, at: datetime = NOON) -> CapturePart:
    """Give the capture of a scan of ``kind``."""
    return CapturePart(kind=kind, taken_at=at, as_written="", tz_assumed=False)


def with_findings(body: AssessmentBody, findings: Sequence[FindingPart], alerting: Sequence[str] = ()) -> AssessmentBody:
    """Give ``body`` with findings; the labels in ``alerting`` put it on alert."""
    return body.model_copy(update={"findings": list(findings), "reasons": [alert_for(label) for label in alerting]})


def set_aside(site: str, name: str, code: str = "unreadable-scan", at: datetime = NOON) -> SetAsideBody:
    """Give the set-aside of revision 1 of the scan ``name``."""
    scan = scan_named(site, name)
    return SetAsideBody(
        schema="set-aside/1.0",
        fact_id=fact_id(scan, "set-aside", 1, code),
        site=site,
        scanner=A_SCANNER,
        scan_id=scan,
        revision=1,
        cause=code,
        produced_at=at,
        reason=CodeParams(code=code),
        members=[],
    )


def audit(site: str, cause: str, at: datetime = NOON) -> AuditBody:
    """Give a fact about the site itself."""
    return AuditBody(
        schema="audit/1.0",
        fact_id=fact_id(SiteId(site), "audit", 0, cause),
        site=site,
        scanner=None,
        scan_id=None,
        revision=0,
        cause=cause,
        produced_at=at,
        event=CodeParams(code="started"),
    )


class SiteJournal:
    """An append-only journal that answers HELLO, PING and PULL as a site does, without a socket. Satisfies ``collector.puller.Link``.

    A long poll waits for the next row as long as it takes, so a test needs no clock.
    ``before_reply`` is called with every request's verb and content first; it may raise, as a broken line would.
    """

    def __init__(self, site: str = "north", epoch: bytes = b"e" * 16) -> None:
        """Begin with no rows."""
        self.site = SiteId(site)
        self.epoch = epoch
        self.rows: list[JournalRow] = []
        self.acknowledged = Seq(0)
        self.signed: SignedHead | None = None
        self.clock = NOON
        self.status: SiteState | None = None
        self._bell = asyncio.Event()
        self.before_reply: Callable[[str, dict[str, Any]], None] = lambda _verb, _content: None

    def add(self, *bodies: AnyBody) -> None:
        """Append facts."""
        for body in bodies:
            self.add_raw(topic(self.site, ScannerId(body.scanner) if body.scanner else None, body.kind), encode(body))

    def add_raw(self, name: str, body: bytes) -> None:
        """Append any bytes under a topic."""
        seq = Seq(len(self.rows) + 1)
        earlier = [row.seq for row in self.rows if row.topic == name]
        row = JournalRow(self.epoch, seq, earlier[-1] if earlier else Seq(0), name, body, link(self.hash_at(Seq(seq - 1)), seq, body))
        self.rows.append(row)
        self._bell.set()

    def hash_at(self, seq: Seq) -> bytes:
        """Give the chain hash after row ``seq``."""
        return self.rows[seq - 1].hash if seq else self.epoch

    def tamper(self, seq: int, body: bytes) -> None:
        """Change a row's body but not its hash."""
        self.rows[seq - 1] = replace(self.rows[seq - 1], body=body)

    async def request(self, verb: str, content: dict[str, Any], timeout_s: float) -> Envelope:  # noqa: ARG002
        """Answer as a site's desk does."""
        self.before_reply(verb, content)
        if verb == Verb.HELLO:
            return self._hello()
        if verb == Verb.PING:
            status = StatusReply(epoch=self.epoch.hex(), head=len(self.rows), clock=self.clock, state=self.status)
            return Envelope(Verb.PONG, 1, verbs.content(status))
        asked = verbs.read(PullRequest, content)
        reply = self._pull(asked)
        while not reply.rows and asked.wait_ms:
            self._bell.clear()
            await self._bell.wait()
            reply = self._pull(asked)
        return reply

    def _hello(self) -> Envelope:
        reply = HelloReply(
            proto=1,
            epoch=self.epoch.hex(),
            head=len(self.rows),
            first=1,
            first_hash=self.epoch.hex(),
            site=self.site,
            schemas=[],
            limits=LimitsPart(),
            live="tcp://127.0.0.1:5570",
            you=YouPart(name="hq", role="collector", durable=True),
        )
        return Envelope(Verb.HELLO, 1, verbs.content(reply))

    def _pull(self, request: PullRequest) -> Envelope:
        if request.epoch != self.epoch.hex():
            raise EpochChanged("another epoch")
        if request.after > len(self.rows) or (request.hash is not None and self.hash_at(Seq(request.after)).hex() != request.hash):
            raise Diverged("no such row here")
        if request.durable is not None:
            self.acknowledged = Seq(request.after)
        rows = tuple(self.rows[request.after : request.after + request.max])
        part = None if self.signed is None else SignedHeadPart.of(self.signed)
        reply = BatchReply(epoch=self.epoch.hex(), head=len(self.rows), n=len(rows), signed_head=part)
        return Envelope(Verb.BATCH, 1, verbs.content(reply), rows)
