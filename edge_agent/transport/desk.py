"""SYNC and BLOB, the site's side: a ROUTER socket with requests in and replies out.

Every request is a task of its own, so that a long poll holds up nobody.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import zmq

from edge_agent.errors import EdgeAgentError, LedgerDamaged, LedgerFailed, NotAllowed, PeerError, PeerFailed, TooLarge, TryLater
from edge_agent.transport.handshakes import HandshakeMonitor
from edge_agent.transport.keys import Admission, Consumer, Role
from edge_agent.transport.sockets import SYNC_DOMAIN, Context, InsecureLoopback, ServerSecurity, bind, bound_endpoint
from edge_agent.wire.frames import Envelope, decode_envelope, encode_envelope
from edge_agent.wire.verbs import MAX_IN_HAND, Verb, content, refusal

LOOPBACK = Consumer("insecure-loopback", "", Role.COLLECTOR)
MAX_OF_ONE_KEY = 64
"""Requests of one key that are answered at a time, over however many connections: no workstation fills the ledger's queue alone."""
_REQUEST_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks. ``route``: the connection, chosen by our socket, never by the peer."""

    route: bytes
    consumer: Consumer


@dataclass(frozen=True, slots=True)
class Trouble:
    """A request that was not answered as asked. ``code``: of the refusal, or ``peer-gone`` when the answer found nobody.

    ``problem``: the exception behind code ``internal``, for the log.
    """

    verb: str
    consumer: str
    code: str
    problem: BaseException | None = None


Answer: TypeAlias = Callable[[Peer, Envelope], Awaitable[Envelope]]


class Guard:
    """Answers one request, whatever it is: what cannot be answered is refused, and nobody else's request suffers."""

    def __init__(self, answer: Answer, report: Callable[[Trouble], None]) -> None:
        self._answer = answer
        self._report = report
        self._in_hand: Counter[str] = Counter()

    async def reply(self, frames: Sequence[bytes], who: Callable[[], Peer], of_route: int) -> tuple[Envelope, Trouble]:
        """Give the reply, and what to report when it finds nobody.

        ``who`` finds the caller, and raises NotAllowed when it is not let in (any more). ``of_route``: requests of this connection now,
        this one included.

        Raises:
            LedgerDamaged, LedgerFailed: no answer can be right any more: the process ends, the caller asks again.
        """
        return await self._guarded(frames, who, of_route)

    async def _guarded(self, frames: Sequence[bytes], who: Callable[[], Peer], of_route: int) -> tuple[Envelope, Trouble]:
        request_id = _request_id(frames)
        name, verb = "", ""
        try:
            peer = who()
            name = peer.consumer.name
            request = decode_envelope(frames)
            verb = request.verb[:32]
            _refuse_flood(of_route)
            peer.consumer.refuse_beyond_role(verb)
            with self._counted(name):
                reply = await self._answer(peer, request)
            _refuse_changed(peer.consumer, who().consumer)
        except (PeerError, TryLater) as problem:
            reply = self._refused(Trouble(verb, name, problem.code), problem, request_id)
        except (LedgerDamaged, LedgerFailed):
            raise  # no answer can be right any more: the process ends, the caller asks again
        except Exception as problem:  # noqa: BLE001 - the per-request guard: one bad request must not end the service of all others
            reply = self._refused(Trouble(verb, name, PeerFailed.code, problem), PeerFailed("the site could not answer"), request_id)
        return reply, Trouble(verb, name, "peer-gone")

    @contextmanager
    def _counted(self, name: str) -> Iterator[None]:
        if self._in_hand[name] >= MAX_OF_ONE_KEY:
            raise TooLarge("too many requests of one key at once", {"limit": MAX_OF_ONE_KEY})
        self._in_hand[name] += 1
        try:
            yield
        finally:
            self._in_hand[name] -= 1
            if not self._in_hand[name]:
                del self._in_hand[name]

    def _refused(self, trouble: Trouble, problem: EdgeAgentError, request_id: int) -> Envelope:
        self._report(trouble)
        return Envelope(Verb.ERR, request_id, content(refusal(problem)))


class RouterDesk:
    """Takes requests from enrolled clients and sends back what ``answer`` gives."""

    def __init__(
        self,
        context: Context,
        endpoint: str,
        security: ServerSecurity | InsecureLoopback,
        admission: Admission,
        report: Callable[[Trouble], None],
        domain: str = SYNC_DOMAIN,
    ) -> None:
        """Bind ``endpoint``; ``domain``: which of the two sockets this is.

        Raises:
            ConfigInvalid: the address cannot be bound.
        """
        self._socket = bind(context, zmq.ROUTER, endpoint, security, domain)
        self._is_open = isinstance(security, InsecureLoopback)
        self._admission = admission
        self._report = report
        self._waiting: Counter[bytes] = Counter()

    @property
    def endpoint(self) -> str:
        return bound_endpoint(self._socket)

    async def serve(self, answer: Answer) -> None:
        """Serve until cancelled; requests still waiting are cancelled too.

        Raises:
            ExceptionGroup: of LedgerDamaged or LedgerFailed, when ``answer`` met one: the process must end.
        """
        guard = Guard(answer, self._report)
        async with asyncio.TaskGroup() as tasks:
            while True:
                route, *frames = await self._socket.recv_multipart(copy=False)
                tasks.create_task(self._one(bytes(route.bytes), frames, guard))
                # A receive that finds a message does not wait, so a peer that only sends would keep this loop to itself: no heartbeat,
                # no row, no answer to anybody for as long as it goes on.
                await asyncio.sleep(0)
                # A receive that finds a message does not wait, so a peer that only sends would keep this loop to itself: no heartbeat,
                # no row, no answer to anybody for as long as it goes on.
                await asyncio.sleep(0)

    def handshakes(self, context: Context) -> HandshakeMonitor:
        """Watch handshakes that fail."""
        return HandshakeMonitor(context, self._socket)

    def close(self) -> None:
        self._socket.close(0)

    async def _one(self, route: bytes, frames: list[zmq.Frame], guard: Guard) -> None:
        self._waiting[route] += 1
        try:
            content = [frame.bytes for frame in frames]
            reply, gone = await guard.reply(content, lambda: Peer(route, self._consumer(frames)), self._waiting[route])
            await self._send(route, reply, gone)
        finally:
            self._waiting[route] -= 1
            if not self._waiting[route]:
                del self._waiting[route]

    def _consumer(self, frames: list[zmq.Frame]) -> Consumer:
        """Find the caller by the key that CURVE proved. Checked on every request: a key may have expired since the handshake."""
        if self._is_open:
            return LOOPBACK
        try:
            key = frames[0].get("User-Id") if frames else ""
        except zmq.ZMQError as problem:
            raise NotAllowed("no key was proved") from problem
        return self._admission.admit(str(key))

    async def _send(self, route: bytes, reply: Envelope, gone: Trouble) -> None:
        """Send or drop: a peer that left or does not read must not hold up the others. It asks again, requests are idempotent."""
        try:
            await self._socket.send_multipart([route, *encode_envelope(reply)], flags=zmq.NOBLOCK)
        except zmq.ZMQError:
            self._report(gone)


def _refuse_flood(of_route: int) -> None:
    if of_route > MAX_IN_HAND:
        raise TooLarge("too many requests at once", {"limit": MAX_IN_HAND})


def _refuse_changed(asked_as: Consumer, now: Consumer) -> None:
    """Look at the key once more before the answer leaves: it may have been revoked, or given less, while a long poll waited."""
    if now.role is not asked_as.role:
        raise NotAllowed("the role of this key was changed meanwhile", {"consumer": asked_as.name})


def _request_id(frames: Sequence[bytes]) -> int:
    """Give the asker's number even from a malformed request, so that its ERR finds the asker; 0 when there is none."""
    if len(frames) > 1 and len(frames[1]) == _REQUEST_ID_BYTES:
        return int.from_bytes(frames[1], "big")
    return 0
