"""Handshakes that fail before the ZAP provider is asked: they are told by the socket's monitor only."""

import itertools

import zmq
from zmq.utils.monitor import parse_monitor_message

from edge_agent.transport.sockets import Context, Socket

_MISMATCH, _CRYPTOGRAPHIC = 0x11000002, 0x11000001  # ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH and _CRYPTOGRAPHIC of zmq.h
_REASONS = {_MISMATCH: "no-curve", _CRYPTOGRAPHIC: "wrong-server-key"}
_NUMBERS = itertools.count()


class HandshakeMonitor:
    """Tells of each client whose handshake with a server socket failed without a question to the ZAP provider."""

    def __init__(self, context: Context, socket: Socket) -> None:
        """Watch ``socket`` from now on; to be made before strangers can reach it."""
        address = f"inproc://handshakes-{next(_NUMBERS)}"
        self._watched = socket
        watched: int = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        socket.monitor(address, watched)
        self._events = context.socket(zmq.PAIR)
        self._events.set(zmq.LINGER, 0)
        # Without a limit on either side: a full queue would stop the thread that serves all sockets of the process.
        self._events.set(zmq.RCVHWM, 0)
        self._events.connect(address)

    async def failed(self) -> str:
        """Wait for the next failure and give its reason.

        ``no-curve``: another mechanism, such as NULL; ``wrong-server-key``: the client expects another server, or does not know what
        it says; ``handshake-failed``: anything else, such as a connection that says nothing in time, or a client that hung up first.
        """
        event = parse_monitor_message(await self._events.recv_multipart())
        return _REASONS.get(int(event["value"]), "handshake-failed")

    def close(self) -> None:
        self._watched.disable_monitor()
        self._events.close(0)
