"""What the site answers on SYNC, from the ledger: HELLO, PULL, VERDICT, PING."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from edge_agent.agent.feed import Doorbell, rung
from edge_agent.agent.ports import JournalStore
from edge_agent.domain.assessment import FactKind, MachineConclusion
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import FactId, ScanId, ScannerId, Seq, SiteId, fact_id
from edge_agent.errors import MalformedMessage, NotAllowed, ReasonRequired, UnknownScan
from edge_agent.ledger.records import Entry, LatestAssessment
from edge_agent.transport.desk import Peer
from edge_agent.transport.keys import Consumer
from edge_agent.wire.catchup import Cursor, check_cursor, check_epoch
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import Envelope, topic
from edge_agent.wire.messages import CodeParams, ReferralBody, VerdictBody, decode, encode
from edge_agent.wire.redaction import officer_identity, refuse_free_text
from edge_agent.wire.verbs import (
    SCHEMAS,
    BatchReply,
    HelloReply,
    HelloRequest,
    LimitsPart,
    OkReply,
    PingRequest,
    PongReply,
    PullRequest,
    Verb,
    VerdictRequest,
    YouPart,
    common_protocol,
    content,
    read,
)

PASSED_ON = "passed-on"
"""Reason code of a referral by an officer who gave none."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What HELLO tells besides the journal: the site and where LIVE listens."""

    site: SiteId
    live: str


class JournalDesk:
    """Answers enrolled peers. Every refusal is a PeerError; every VERDICT is answered only after its commit."""

    def __init__(self, store: JournalStore, answers: Answers, clock: Clock, news: Doorbell, committed: Callable[[], None]) -> None:
        """Take the journal, the bell that rings when rows were published, and whom to tell that a verdict was committed."""
        self._store = store
        self._answers = answers
        self._clock = clock
        self._news = news
        self._committed = committed
        self._acknowledged: dict[str, tuple[Seq, bytes]] = {}
        self._verbs: dict[str, Callable[[Peer, Envelope], Awaitable[Envelope]]] = {
            Verb.HELLO: self._hello,
            Verb.PULL: self._pull,
            Verb.VERDICT: self._verdict,
            Verb.PING: self._ping,
        }

    async def answer(self, peer: Peer, request: Envelope) -> Envelope:
        """Answer one request.

        Raises:
            PeerError: the leaf to send back as ERR.
        """
        verb = self._verbs.get(request.verb)
        if verb is None:
            raise MalformedMessage("this site does not know the verb")
        if request.rows:
            raise MalformedMessage("a request carries no rows")
        return await verb(peer, request)

    async def _hello(self, peer: Peer, request: Envelope) -> Envelope:
        asked = read(HelloRequest, request.content)
        proto = common_protocol(asked.proto)
        head = await self._store.head()
        first_hash = await self._store.hash_at(Seq(head.first - 1))
        you = YouPart(name=peer.consumer.name, role=peer.consumer.role.value, durable=peer.consumer.may_acknowledge)
        reply = HelloReply(
            proto=proto,
            epoch=head.epoch.hex(),
            head=head.seq,
            first=head.first,
            first_hash=(first_hash or head.epoch).hex(),
            site=self._answers.site,
            schemas=list(SCHEMAS),
            limits=LimitsPart(),
            live=self._answers.live,
            you=you,
        )
        return Envelope(Verb.HELLO, request.request_id, content(reply))

    async def _ping(self, _peer: Peer, request: Envelope) -> Envelope:
        read(PingRequest, request.content)
        head = await self._store.head()
        return Envelope(Verb.PONG, request.request_id, content(PongReply(epoch=head.epoch.hex(), head=head.seq)))

    async def _pull(self, peer: Peer, request: Envelope) -> Envelope:
        asked = read(PullRequest, request.content)
        await self._check_place(asked)
        if asked.durable is not None:
            await self._acknowledge(peer.consumer, asked)
        rows = await self._rows(asked)
        head = await self._store.head()
        reply = BatchReply(epoch=head.epoch.hex(), head=head.seq, n=len(rows))
        return Envelope(Verb.BATCH, request.request_id, content(reply), tuple(rows))

    async def _check_place(self, asked: PullRequest) -> None:
        head = await self._store.head()
        epoch = bytes.fromhex(asked.epoch)
        check_epoch(head, epoch)
        if asked.hash is not None:
            place = Cursor(epoch, Seq(asked.after), bytes.fromhex(asked.hash))
            check_cursor(head, place, await self._store.hash_at(place.seq))

    async def _acknowledge(self, consumer: Consumer, asked: PullRequest) -> None:
        """Record what a collector has on its disk; only its own name, and only with the hash that proves which rows these are."""
        if not consumer.may_acknowledge or asked.durable != consumer.name:
            raise NotAllowed("only a durable collector acknowledges, under its own name", {"consumer": consumer.name})
        if asked.hash is None:
            raise MalformedMessage("a durable pull needs the hash of its place")
        place = (Seq(asked.after), bytes.fromhex(asked.hash))
        if self._acknowledged.get(consumer.name) != place:
            await self._store.acknowledge(consumer.name, place[0], place[1], self._clock.now())
            self._acknowledged[consumer.name] = place

    async def _rows(self, asked: PullRequest) -> list[JournalRow]:
        """Read rows; when there are none, wait for some as long as the caller allows."""
        until = self._clock.monotonic() + asked.wait_ms / 1000
        while True:
            turn = self._news.turn()
            rows = await self._store.rows(Seq(asked.after), asked.max, asked.max_bytes)
            if rows or not await rung(turn, until - self._clock.monotonic()):
                return rows

    async def _verdict(self, peer: Peer, request: Envelope) -> Envelope:
        asked = read(VerdictRequest, request.content)
        kind = FactKind.REFERRAL if asked.conclusion == "refer" else FactKind.VERDICT
        known = await self._already(asked)
        if known is not None:
            return _ok(request, known)
        refuse_free_text(asked.reasons)
        if kind is FactKind.REFERRAL and len(asked.reasons) > 1:
            raise MalformedMessage("a referral has one reason")
        latest = await self._judged(asked)
        (officer,) = await self._store.tokenise([officer_identity(asked.officer)])
        scanner = decode(latest.body).scanner
        body = self._body(asked, peer.consumer.name, officer.token, scanner)
        where = topic(self._answers.site, ScannerId(scanner) if scanner else None, kind)
        appended = await self._store.append(Entry(FactId(body.fact_id), ScanId(asked.scan_id), kind, where, encode(body)))
        self._committed()
        return _ok(request, (appended.seq, appended.fact_id))

    async def _already(self, asked: VerdictRequest) -> tuple[Seq, FactId] | None:
        """Find an earlier commit of the same ``verdict_id``: a resend is answered as the first time, whatever was concluded since."""
        for kind in (FactKind.VERDICT, FactKind.REFERRAL):
            fact = fact_id(ScanId(asked.scan_id), kind, asked.revision, asked.verdict_id)
            seq = await self._store.has_fact(fact)
            if seq is not None:
                return seq, fact
        return None

    async def _judged(self, asked: VerdictRequest) -> LatestAssessment:
        latest = await self._store.latest_assessment(ScanId(asked.scan_id))
        if latest is None or asked.revision > latest.revision:
            raise UnknownScan("no such scan was assessed here", {"scan_id": asked.scan_id, "revision": asked.revision})
        is_against = latest.conclusion == MachineConclusion.ALERT and asked.conclusion == "not-suspicious"
        if is_against and not asked.reasons:
            raise ReasonRequired("deciding against an alert needs a reason", {"scan_id": asked.scan_id})
        return latest

    def _body(self, asked: VerdictRequest, workstation: str, officer: str, scanner: str | None) -> VerdictBody | ReferralBody:
        scan = ScanId(asked.scan_id)
        if asked.conclusion == "refer":
            reason = asked.reasons[0] if asked.reasons else CodeParams(code=PASSED_ON)
            return ReferralBody(
                fact_id=fact_id(scan, FactKind.REFERRAL, asked.revision, asked.verdict_id),
                site=self._answers.site,
                scanner=scanner,
                scan_id=scan,
                revision=asked.revision,
                cause=asked.verdict_id,
                produced_at=self._clock.now(),
                reason=reason,
                officer=officer,
                workstation=workstation,
            )
        return VerdictBody(
            fact_id=fact_id(scan, FactKind.VERDICT, asked.revision, asked.verdict_id),
            site=self._answers.site,
            scanner=scanner,
            scan_id=scan,
            revision=asked.revision,
            cause=asked.verdict_id,
            produced_at=self._clock.now(),
            conclusion=asked.conclusion,
            officer=officer,
            workstation=workstation,
            is_supervisor=False,
            reasons=asked.reasons,
            decided_at=asked.at,
        )


def _ok(request: Envelope, fact: tuple[Seq, FactId]) -> Envelope:
    return Envelope(Verb.OK, request.request_id, content(OkReply(seq=fact[0], fact_id=fact[1])))
