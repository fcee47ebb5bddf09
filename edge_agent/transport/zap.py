"""Our own ZAP provider (ZeroMQ RFC 27): it decides about every CURVE handshake on this process's server sockets.

Without one, a CURVE server lets any client key in. Bind it before the sockets it guards. When it is not running, nobody gets in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import zmq
from zmq.utils import z85

from edge_agent.errors import ConfigInvalid, NotAllowed
from edge_agent.transport.keys import fingerprint
from edge_agent.transport.sockets import Context

ENDPOINT = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
_OK, _REFUSED, _FAULT = b"200", b"400", b"500"


class Gate(Protocol):
    """Knows whom to let in: a site its consumers (``keys.Admission``), headquarters its sites (``reception.Reception``)."""

    def admit(self, public: str) -> object:
        """Raise NotAllowed for a key that is not let in now."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Somebody was not let in. ``reason`` is a code; ``fingerprint`` of the key that knocked, empty when there was none."""

    domain: str
    reason: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Question:
    request: bytes
    domain: str
    mechanism: bytes
    credentials: tuple[bytes, ...]


class ZapProvider:
    """Answers libzmq's questions about clients from the allow-list."""

    def __init__(self, context: Context, admission: Gate, domains: frozenset[str], report: Callable[[Refusal], None]) -> None:
        """Bind at once, so that no server socket of the process is ever without a guard.

        Raises:
            ConfigInvalid: the process has another provider.
        """
        self._admission = admission
        self._domains = domains
        self._report = report
        self._socket = context.socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 0)
        try:
            self._socket.bind(ENDPOINT)
        except zmq.ZMQError as problem:
            self._socket.close(0)
            raise ConfigInvalid("this process has a ZAP provider already") from problem

    async def serve(self) -> None:
        """Answer until cancelled."""
        while True:
            frames = await self._socket.recv_multipart()
            route, asked = _unwrap(frames)
            await self._socket.send_multipart([*route, *self.answer(asked)])

    def close(self) -> None:
        self._socket.close(0)

    def answer(self, frames: Sequence[bytes]) -> list[bytes]:
        """Decide one question; pure but for the report. Anything unclear is refused."""
        if len(frames) < 6 or frames[0] != _VERSION:
            return _reply(frames[1] if len(frames) > 1 else b"", _FAULT, b"unknown ZAP version")
        question = _Question(frames[1], frames[2].decode("ascii", "replace"), frames[5], tuple(frames[6:]))
        if question.domain not in self._domains:
            return self._refuse(question, "unknown-domain", "")
        if question.mechanism != b"CURVE" or len(question.credentials) != 1 or len(question.credentials[0]) != 32:
            return self._refuse(question, "no-curve", "")
        public = z85.encode(question.credentials[0]).decode()
        try:
            self._admission.admit(public)
        except NotAllowed as problem:
            return self._refuse(question, "key-expired" if "consumer" in problem.fields else "key-unknown", public)
        return _reply(question.request, _OK, b"OK", public.encode())

    def _refuse(self, question: _Question, reason: str, public: str) -> list[bytes]:
        self._report(Refusal(question.domain[:32], reason, fingerprint(public) if public else ""))
        return _reply(question.request, _REFUSED, b"not allowed")


def _unwrap(frames: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    split = frames.index(b"") + 1 if b"" in frames[:2] else 1
    return frames[:split], frames[split:]


def _reply(request: bytes, status: bytes, text: bytes, user: bytes = b"") -> list[bytes]:
    return [_VERSION, request, status, text, user, b""]
