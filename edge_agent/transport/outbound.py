"""Outbound mode, the site's side: a DEALER socket that connects to headquarters and answers what is asked there.

For sites that nobody can reach. The frames are those of SYNC and BLOB; who asks is headquarters, whose key CURVE proved. The site speaks
first: what its own HELLO would say, under number 0. Headquarters answers that with PONG. Whenever it is quiet the site says it again, so
that a line that died without a word is noticed by both ends.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import zmq
from zmq.utils.monitor import parse_monitor_message

from edge_agent.errors import NotAllowed, PeerError, PeerSilent, TryLater
from edge_agent.transport.desk import Answer, Guard, Peer, Trouble
from edge_agent.transport.keys import Consumer, KeyPair
from edge_agent.transport.link import Retry
from edge_agent.transport.sockets import ClientSecurity, Context, connect
from edge_agent.wire.frames import Envelope, decode_envelope, encode_envelope
from edge_agent.wire.heartbeat import SILENCE_S
from edge_agent.wire.verbs import GREETING_ID, ErrReply, Verb, raised, read

_LOOK_S = 0.5
"""How often an open line is looked at: whether headquarters may still ask, whether it is time to speak."""
_PAUSES = Retry(first_s=0.2, last_s=15.0)
_ROUTE = b""  # there is one connection, and the socket knows where it leads


class DealerDesk:
    """Keeps a connection to headquarters and answers there as ``RouterDesk`` does here."""

    def __init__(
        self, context: Context, endpoint: str, keys: KeyPair, consumer: Callable[[], Consumer], report: Callable[[Trouble], None]
    ) -> None:
        """``keys``: the site's own; ``consumer``: finds who headquarters is now, key included, or raises NotAllowed."""
        self._context = context
        self._endpoint = endpoint
        self._keys = keys
        self._consumer = consumer
        self._report = report

    async def serve(self, answer: Answer, greeting: Callable[[Peer], Awaitable[Envelope]], tell: Callable[[str], None]) -> None:
        """Serve until cancelled, connecting again after ever longer pauses with jitter.

        ``greeting`` gives what the site says first. ``tell`` hears the code of why headquarters is not reached, and an empty text when
        it is.

        Raises:
            ExceptionGroup: of LedgerDamaged or LedgerFailed, when ``answer`` met one: the process must end.
            ConfigInvalid: the endpoint cannot be one.
        """
        failures = 0
        while True:
            try:
                consumer = self._consumer()
            except NotAllowed as problem:
                why: PeerError | TryLater = problem
                failures += 1
            else:
                line = _Line(self._opened(consumer), Guard(answer, self._report), self._who(consumer.public), tell)
                why = await line.serve(greeting)
                failures = 1 if line.was_heard else failures + 1
            tell(why.code)
            await asyncio.sleep(_PAUSES.pause_s(failures))

    def _opened(self, consumer: Consumer) -> zmq.asyncio.Socket:
        return connect(self._context, zmq.DEALER, self._endpoint, ClientSecurity(self._keys, consumer.public))

    def _who(self, proved: str) -> Callable[[], Peer]:
        """Give how headquarters is looked up on every request: its entry may be gone, or name another key by then."""

        def who() -> Peer:
            consumer = self._consumer()
            if consumer.public != proved:
                raise NotAllowed(f"the key of {consumer.name} was changed", {"consumer": consumer.name})
            return Peer(_ROUTE, consumer)

        return who


class _Line:
    """One connection, from its socket to its end."""

    def __init__(self, socket: zmq.asyncio.Socket, guard: Guard, who: Callable[[], Peer], tell: Callable[[str], None]) -> None:
        self._socket = socket
        self._guard = guard
        self._who = who
        self._tell = tell
        self._in_hand: set[asyncio.Task[None]] = set()
        self._monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_DISCONNECTED)
        self.was_heard = False

    async def serve(self, greeting: Callable[[Peer], Awaitable[Envelope]]) -> PeerError | TryLater:
        """Answer until the connection is of no use any more; give why."""
        try:
            async with asyncio.TaskGroup() as tasks:
                ends = {tasks.create_task(self._listen(tasks, greeting)), tasks.create_task(self._ended())}
                done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for task in ends | self._in_hand:
                    task.cancel()
            return done.pop().result()
        finally:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._socket.close(0)

    async def _ended(self) -> PeerError:
        """Wait until headquarters refuses our key, or the line is cut: on a new one we must speak first again."""
        event = parse_monitor_message(await self._monitor.recv_multipart())
        if event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return NotAllowed("headquarters refuses this site's key")
        return PeerSilent("the line was cut")

    async def _listen(self, tasks: asyncio.TaskGroup, greeting: Callable[[Peer], Awaitable[Envelope]]) -> PeerError | TryLater:
        heard_at, greeted_at = _now(), 0.0
        while True:
            try:
                peer = self._who()
                if not greeted_at and _now() - heard_at >= (SILENCE_S if self.was_heard else 0.0):
                    await self._send(await greeting(peer))
                    greeted_at = _now()
                if await self._socket.poll(int(_LOOK_S * 1000)):
                    self._take(tasks, await self._socket.recv_multipart())
                    heard_at, greeted_at = _now(), 0.0
                elif greeted_at and _now() - greeted_at > SILENCE_S:
                    return PeerSilent("headquarters does not answer")
            except (PeerError, TryLater) as problem:
                return problem
            await asyncio.sleep(0)  # what is there already is taken without waiting: all others get their turn

    def _take(self, tasks: asyncio.TaskGroup, frames: list[bytes]) -> None:
        """Take a request, or what headquarters says to our greeting.

        Raises:
            PeerError: headquarters does not want this site.
        """
        envelope = decode_envelope(frames)
        if envelope.request_id != GREETING_ID:
            task = tasks.create_task(self._one(frames))
            self._in_hand.add(task)
            task.add_done_callback(self._in_hand.discard)
        elif envelope.verb == Verb.ERR:
            raise raised(read(ErrReply, envelope.content))
        self.was_heard = True
        self._tell("")

    async def _one(self, frames: list[bytes]) -> None:
        reply, _ = await self._guard.reply(frames, self._who, len(self._in_hand))
        with suppress(zmq.ZMQError):  # the line is gone: headquarters asks again on the next one
            await self._socket.send_multipart(encode_envelope(reply), flags=zmq.NOBLOCK)

    async def _send(self, greeting: Envelope) -> None:
        try:
            async with asyncio.timeout(SILENCE_S):
                await self._socket.send_multipart(encode_envelope(greeting))
        except TimeoutError as problem:
            raise PeerSilent("headquarters cannot be reached") from problem


def _now() -> float:
    return asyncio.get_running_loop().time()
