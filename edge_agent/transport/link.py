"""The client's side of both sockets: requests that survive a broken link, and a live stream that notices silence."""

import asyncio
import itertools
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from edge_agent.errors import AnswerUnreadable, MalformedMessage, NotAllowed, PeerError, PeerSilent, TooLarge
from edge_agent.transport.sockets import ClientSecurity, Context, InsecureLoopback, Socket, connect
from edge_agent.wire.frames import Envelope, LiveMessage, decode_envelope, decode_live, encode_envelope
from edge_agent.wire.heartbeat import SILENCE_S, Heartbeat, decode_heartbeat, is_heartbeat
from edge_agent.wire.verbs import ErrReply, Verb, raised, read

TIMEOUT_S = 3.0
_JITTER = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a request is tried, and the pause between tries: doubled from ``first_s`` up to ``last_s``, with jitter."""

    attempts: int = 3
    first_s: float = 0.1
    last_s: float = 5.0

    def pause_s(self, tried: int) -> float:
        """Give the seconds to wait after ``tried`` attempts: between half and the whole of the doubled pause."""
        return min(self.first_s * 2.0 ** (tried - 1), self.last_s) * _JITTER.uniform(0.5, 1.0)


class SyncLink:
    """Asks a site, one request at a time. A silent site costs the socket: a fresh one is made for each new try (Lazy Pirate)."""

    def __init__(self, context: Context, endpoint: str, security: ClientSecurity | InsecureLoopback, retry: Retry = Retry()) -> None:
        self._context = context
        self._endpoint = endpoint
        self._security = security
        self._retry = retry
        self._numbers = itertools.count(secrets.randbits(48))
        self._line: _Line | None = None
        self._is_busy = False

    async def request(self, verb: str, content: dict[str, Any], timeout_s: float = TIMEOUT_S) -> Envelope:
        """Send a request and give its reply. Repeats it when no reply came in ``timeout_s``: every verb is idempotent.

        Raises:
            PeerSilent: no reply to any try.
            NotAllowed: the site refused this key in the handshake.
            PeerError: the leaf that the site's ERR names.
            AnswerUnreadable: the reply cannot be read, so it is not known what the site did.
            ConfigInvalid: the endpoint cannot be one.
        """
        if self._is_busy:
            raise RuntimeError("a link carries one request at a time; open another link")
        self._is_busy = True
        try:
            for tried in range(self._retry.attempts + _other_keys(self._security)):
                if tried:
                    await asyncio.sleep(self._retry.pause_s(tried))
                reply = await self._once(verb, content, timeout_s)
                if reply is not None:
                    self._learn(reply)
                    return unless_refused(reply)
        finally:
            self._is_busy = False
        raise PeerSilent(f"no answer from {self._endpoint}", {"attempts": self._retry.attempts, "timeout_s": timeout_s})

    def close(self) -> None:
        """Close the socket; a later request opens a new one."""
        if self._line is not None:
            self._line.close()
            self._line = None

    async def _once(self, verb: str, content: dict[str, Any], timeout_s: float) -> Envelope | None:
        self._line = self._line or _Line(self._context, self._endpoint, self._security)
        shown = _shown_key(self._security)
        reply: Envelope | None = None
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._line.exchange(Envelope(verb, next(self._numbers), content))
        except TimeoutError:
            reply = None
        finally:
            if reply is None:  # whatever went wrong, this socket is not trusted with the next request
                self.close()
        if reply is None and isinstance(self._security, ClientSecurity):
            self._security.turn_from(shown)
        return reply

    def _learn(self, reply: Envelope) -> None:
        """Take the next key that a site announces for itself while it changes keys."""
        announced = reply.content.get("next_key")
        if reply.verb == Verb.HELLO and isinstance(announced, str) and isinstance(self._security, ClientSecurity):
            self._security.believe(announced)


class _Line:
    """One DEALER socket with the monitor that tells of a refused handshake: such a socket never connects again by itself."""

    def __init__(self, context: Context, endpoint: str, security: ClientSecurity | InsecureLoopback) -> None:
        self._socket = connect(context, zmq.DEALER, endpoint, security)
        watched = zmq.EVENT_HANDSHAKE_FAILED_AUTH
        if _other_keys(security):  # then a server that does not answer our handshake is asked again with another of its keys
            watched |= zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        self._monitor = self._socket.get_monitor_socket(watched)

    async def exchange(self, request: Envelope) -> Envelope | None:
        """Send and wait for the reply with the same number, for ever, or until the handshake fails.

        None: another key of the server may work.

        Raises:
            NotAllowed: the site refused this key.
        """
        talk = asyncio.create_task(self._talk(request))
        refused = asyncio.create_task(self._refused())
        try:
            await asyncio.wait({talk, refused}, return_when=asyncio.FIRST_COMPLETED)
            if talk.done():
                return talk.result()
            if refused.result():
                raise NotAllowed("the site refused this key in the handshake")
            return None
        finally:
            talk.cancel()
            refused.cancel()
            await asyncio.gather(talk, refused, return_exceptions=True)

    def close(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)

    async def _talk(self, request: Envelope) -> Envelope:
        await self._socket.send_multipart(encode_envelope(request))
        while True:
            frames = await self._socket.recv_multipart()
            try:
                reply = decode_envelope(frames)
            except (MalformedMessage, TooLarge) as problem:
                raise AnswerUnreadable("the answer is no message of this protocol", {"frames": len(frames)}) from problem
            if reply.request_id == request.request_id:
                return reply

    async def _refused(self) -> bool:
        """Wait until the handshake fails; tell whether it was our key that the site does not want."""
        event = parse_monitor_message(await self._monitor.recv_multipart())
        return bool(event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH)


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing came for ``seconds``: not even a heartbeat. The socket was closed; a new one connects already."""

    seconds: float


class LiveLink:
    """An endless async iterator over what a site publishes. A message that cannot be read is counted; the gap it leaves is pulled."""

    def __init__(
        self,
        context: Context,
        endpoint: str,
        security: ClientSecurity | InsecureLoopback,
        topics: Sequence[str],
        silence_s: float = SILENCE_S,
    ) -> None:
        """Subscribe to the beginnings ``topics``.

        Raises:
            ConfigInvalid: the endpoint cannot be one.
        """
        self._context = context
        self._endpoint = endpoint
        self._security = security
        self._topics = tuple(topics)
        self._silence_s = silence_s
        self._malformed = 0
        self._silent_since = 0.0
        self._shown = _shown_key(security)
        self._socket: Socket | None = self._fresh()

    @property
    def malformed(self) -> int:
        """Messages that could not be read so far."""
        return self._malformed

    def __aiter__(self) -> "LiveLink":
        return self

    async def __anext__(self) -> LiveMessage | Heartbeat | Silence:
        while True:
            if _shown_key(self._security) != self._shown:
                self.close()  # the site answers under another of its keys by now
            self._socket = self._socket or self._fresh()
            left_s = max(self._silent_since + self._silence_s - _now(), 0.0)  # time spent elsewhere counts: a dead socket is dead
            if not await self._socket.poll(int(left_s * 1000)):
                self.close()
                self._socket = self._fresh()  # it connects while the caller asks on SYNC
                return Silence(self._silence_s)
            frames = await self._socket.recv_multipart()
            self._silent_since = _now()
            try:
                return decode_heartbeat(frames) if is_heartbeat(frames) else decode_live(frames)
            except PeerError:
                self._malformed += 1

    def close(self) -> None:
        """Close the socket; going on with the iteration makes a new one."""
        if self._socket is not None:
            self._socket.close(0)
            self._socket = None

    def _fresh(self) -> Socket:
        self._shown = _shown_key(self._security)
        self._silent_since = _now()
        socket = connect(self._context, zmq.SUB, self._endpoint, self._security)
        for topic in self._topics:
            socket.set(zmq.SUBSCRIBE, topic.encode())
        return socket


def _shown_key(security: ClientSecurity | InsecureLoopback) -> str:
    return security.server_key if isinstance(security, ClientSecurity) else ""


def _other_keys(security: ClientSecurity | InsecureLoopback) -> int:
    """How many more keys of the server are believed besides the one that is tried."""
    return security.pinned - 1 if isinstance(security, ClientSecurity) else 0


def _now() -> float:
    return asyncio.get_running_loop().time()


def unless_refused(reply: Envelope) -> Envelope:
    """Give the reply.

    Raises:
        PeerError: the leaf that an ERR names. AnswerUnreadable: an ERR that names none.
    """
    if reply.verb != Verb.ERR:
        return reply
    try:
        refusal = read(ErrReply, reply.content)
    except MalformedMessage as problem:
        raise AnswerUnreadable("the answer is a refusal that cannot be read") from problem
    raise raised(refusal)
