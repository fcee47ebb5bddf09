"""What the site answers on SYNC, from the ledger: HELLO, PULL, SNAP, UNDECIDED, VERDICT, CONTROL, VIEW, FAULT, OFFICER, PING."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.agent.disclosure import NEEDED_TO_DECIDE, Classes, Disclosure
from edge_agent.agent.examinations import Examinations
from edge_agent.agent.feed import Doorbell, rung
from edge_agent.agent.officer_acts import OfficerActs
from edge_agent.agent.ports import JournalStore
from edge_agent.agent.submissions import Submissions
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import Diverged, LedgerDamaged, MalformedMessage, NotAllowed, PeerFailed
from edge_agent.ledger.queries import Budget
from edge_agent.transport.desk import Peer
from edge_agent.transport.keys import Consumer, Role
from edge_agent.wire.catchup import Cursor, check_cursor, check_epoch
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.control import ControlRequest
from edge_agent.wire.frames import Envelope
from edge_agent.wire.heads import SignedHeadPart
from edge_agent.wire.heartbeat import SiteState, StatusReply
from edge_agent.wire.undecided import UndecidedReply, UndecidedRequest
from edge_agent.wire.verbs import (
    MAX_BATCH_BYTES,
    MAX_ROWS,
    SCHEMAS,
    BatchReply,
    FaultRequest,
    HelloReply,
    HelloRequest,
    LimitsPart,
    OfficerReply,
    OfficerRequest,
    OkReply,
    PingRequest,
    PullRequest,
    SnapReply,
    SnapRequest,
    Verb,
    VerdictRequest,
    ViewRequest,
    YouPart,
    common_protocol,
    content,
    read,
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What is told besides the journal: the site, where LIVE and BLOB listen, the site's next public key.

    ``identities``: the classes of identifiers that each role is shown in clear. ``status``: how the site is, for PONG.
    """

    site: SiteId
    live: str
    blob: str = ""
    next_key: str = ""
    identities: Mapping[Role, Classes] = field(default_factory=lambda: {Role.CONSOLE: NEEDED_TO_DECIDE})
    status: Callable[[], SiteState] | None = None


_READING = frozenset({Verb.HELLO, Verb.PULL, Verb.SNAP, Verb.UNDECIDED, Verb.PING})


class JournalDesk:
    """Answers enrolled peers. Every refusal is a PeerError; every VERDICT is answered only after its commit."""

    def __init__(
        self,
        store: JournalStore,
        answers: Answers,
        clock: Clock,
        news: Doorbell,
        committed: Callable[[], None],
        damaged: Callable[[LedgerDamaged], None] | None = None,
    ) -> None:
        """Take the journal, the bell that rings when rows were published, and whom to tell that a verdict was committed.

        ``damaged`` is told of a row that is not what was written; without it, such a row ends the service.
        """
        self._damaged = damaged
        self._store = store
        self._answers = answers
        self._clock = clock
        self._news = news
        self._submissions = Submissions(store, answers.site, clock, committed)
        self._acts = OfficerActs(store, answers.site, clock, committed)
        self._examinations = Examinations(store, answers.site, clock, self._submissions)
        self._disclosure = Disclosure(answers.site, answers.identities, store, clock)
        self._committed = committed
        self._acknowledged: dict[str, tuple[Seq, bytes]] = {}
        self._verbs: dict[str, Callable[[Peer, Envelope], Awaitable[Envelope]]] = {
            Verb.HELLO: self._hello,
            Verb.PULL: self._pull,
            Verb.SNAP: self._snap,
            Verb.UNDECIDED: self._undecided,
            Verb.VERDICT: self._verdict,
            Verb.CONTROL: self._control,
            Verb.VIEW: self._view,
            Verb.FAULT: self._fault,
            Verb.OFFICER: self._officer,
            Verb.PING: self._ping,
        }

    async def answer(self, peer: Peer, request: Envelope) -> Envelope:
        """Answer one request.

        Raises:
            PeerError: the leaf to send back as ERR.
            LedgerDamaged, LedgerFailed: no fact can be kept any more; the process must end.
        """
        verb = self._verbs.get(request.verb)
        if verb is None:
            raise MalformedMessage("this site does not know the verb")
        if request.rows or request.attachment is not None:
            raise MalformedMessage("a request carries nothing but its fields")
        try:
            return await verb(peer, request)
        except LedgerDamaged as problem:
            # An old row that is damaged must not end the process: whoever asks for it asks again after the restart, and again, and the
            # scans in hand would be charged with every death.
            if self._damaged is None or request.verb not in _READING:
                raise
            self._damaged(problem)
            raise PeerFailed("the site's ledger is damaged", {"why": problem.code}) from problem

    async def _hello(self, peer: Peer, request: Envelope) -> Envelope:
        asked = read(HelloRequest, request.content)
        proto = common_protocol(asked.proto)
        head = await self._store.head()
        first_hash = await self._store.hash_at(Seq(head.first - 1))
        caller = peer.consumer
        you = YouPart(
            name=caller.name,
            role=caller.role.value,
            durable=caller.may_acknowledge,
            supervisors=caller.supervisors,
            controls=caller.may_control,
        )
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
            blob=self._answers.blob or None,
            next_key=self._answers.next_key or None,
            you=you,
        )
        return Envelope(Verb.HELLO, request.request_id, content(reply))

    async def _ping(self, _peer: Peer, request: Envelope) -> Envelope:
        read(PingRequest, request.content)
        head = await self._store.head()
        status = None if self._answers.status is None else self._answers.status()
        reply = StatusReply(epoch=head.epoch.hex(), head=head.seq, clock=self._clock.now(), state=status)
        return Envelope(Verb.PONG, request.request_id, content(reply))

    async def _pull(self, peer: Peer, request: Envelope) -> Envelope:
        asked = read(PullRequest, request.content)
        await self._check_place(asked)
        if asked.durable is not None:
            await self._acknowledge(peer.consumer, asked)
        if asked.topics:
            reply, rows = await self._filtered(asked)
        else:
            reply, rows = await self._whole(asked)
        if asked.durable is not None and (signed := await self._store.signed_head()) is not None:
            reply = reply.model_copy(update={"signed_head": SignedHeadPart.of(signed)})
        attachment = await self._disclosed(peer.consumer, rows, asked.officer) if asked.identities else None
        return Envelope(Verb.BATCH, request.request_id, content(reply), rows, attachment)

    async def _disclosed(self, consumer: Consumer, rows: Sequence[JournalRow], officer: str | None = None) -> bytes:
        frame, is_new = await self._disclosure.of(consumer, rows, officer)
        if is_new:
            self._committed()
        return frame

    async def _whole(self, asked: PullRequest) -> tuple[BatchReply, tuple[JournalRow, ...]]:
        rows = await self._rows(asked)
        head = await self._store.head()
        return BatchReply(epoch=head.epoch.hex(), head=head.seq, n=len(rows)), tuple(rows)

    async def _filtered(self, asked: PullRequest) -> tuple[BatchReply, tuple[JournalRow, ...]]:
        """Read rows of some topics; where there are none up to the head, wait for some as long as the caller allows."""
        until = self._clock.monotonic() + asked.wait_ms / 1000
        after = Seq(asked.after)
        while True:
            turn = self._news.turn()
            found = await self._store.filtered_rows(after, asked.topics, Budget(asked.max, asked.max_bytes))
            head = await self._store.head()
            has_news = bool(found.rows) or found.upto < head.seq
            if has_news or not await rung(turn, until - self._clock.monotonic()):
                break
            after = found.upto
        epoch = head.epoch.hex()
        return BatchReply(epoch=epoch, head=head.seq, n=len(found.rows), upto=found.upto, hash=found.hash.hex()), found.rows

    async def _check_place(self, asked: PullRequest) -> None:
        head = await self._store.head()
        epoch = bytes.fromhex(asked.epoch)
        check_epoch(head, epoch)
        if asked.topics and asked.after > head.seq:
            raise Diverged("this journal has no such row", {"seq": asked.after, "head": head.seq})
        if asked.hash is not None:
            place = Cursor(epoch, Seq(asked.after), bytes.fromhex(asked.hash))
            check_cursor(head, place, await self._store.hash_at(place.seq))

    async def _acknowledge(self, consumer: Consumer, asked: PullRequest) -> None:
        """Record what a collector has on its disk; only its own name, and only with the hash that proves which rows these are."""
        if not consumer.may_acknowledge or asked.durable != consumer.name:
            raise NotAllowed("only a durable collector acknowledges, under its own name", {"consumer": consumer.name})
        if asked.hash is None or asked.topics:
            raise MalformedMessage("a durable pull is of all topics and needs the hash of its place")
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

    async def _snap(self, peer: Peer, request: Envelope) -> Envelope:
        asked = read(SnapRequest, request.content)
        found = await self._store.snapshot(asked.topics, asked.last, Budget(MAX_ROWS, MAX_BATCH_BYTES))
        reply = SnapReply(
            epoch=found.head.epoch.hex(),
            head=found.head.seq,
            hash=found.head.hash.hex(),
            first=found.head.first,
            heads=dict(found.heads),
            n=len(found.rows),
            left_out=found.left_out,
        )
        attachment = await self._disclosed(peer.consumer, found.rows) if asked.identities else None
        return Envelope(Verb.SNAP, request.request_id, content(reply), found.rows, attachment)

    async def _undecided(self, _peer: Peer, request: Envelope) -> Envelope:
        asked = read(UndecidedRequest, request.content)
        found = await self._store.undecided(Seq(asked.before), asked.topics, asked.most, Budget(MAX_ROWS, MAX_BATCH_BYTES))
        reply = UndecidedReply(
            epoch=found.head.epoch.hex(),
            head=found.head.seq,
            first=found.head.first,
            after=found.after,
            scans=list(found.scans),
            n=len(found.rows),
        )
        return Envelope(Verb.UNDECIDED, request.request_id, content(reply), found.rows)

    async def _verdict(self, peer: Peer, request: Envelope) -> Envelope:
        seq, fact = await self._submissions.verdict(peer.consumer, read(VerdictRequest, request.content))
        return Envelope(Verb.OK, request.request_id, content(OkReply(seq=seq, fact_id=fact)))

    async def _control(self, peer: Peer, request: Envelope) -> Envelope:
        seq, fact = await self._examinations.control(peer.consumer, read(ControlRequest, request.content))
        return Envelope(Verb.OK, request.request_id, content(OkReply(seq=seq, fact_id=fact)))

    async def _view(self, peer: Peer, request: Envelope) -> Envelope:
        seq, fact = await self._acts.view(peer.consumer, read(ViewRequest, request.content))
        return Envelope(Verb.OK, request.request_id, content(OkReply(seq=seq, fact_id=fact)))

    async def _fault(self, peer: Peer, request: Envelope) -> Envelope:
        seq, fact = await self._acts.fault(peer.consumer, read(FaultRequest, request.content))
        return Envelope(Verb.OK, request.request_id, content(OkReply(seq=seq, fact_id=fact)))

    async def _officer(self, _peer: Peer, request: Envelope) -> Envelope:
        token = await self._acts.token_of(read(OfficerRequest, request.content).officer)
        return Envelope(Verb.OFFICER, request.request_id, content(OfficerReply(officer=token)))
