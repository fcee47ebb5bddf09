"""The HTTP server, inside an event loop that runs already, beside other tasks such as the links to sites."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from edge_agent.errors import ConfigInvalid
from edge_agent.telemetry import events
from edge_agent.web.app import WebApp
from edge_agent.web.settings import ReachTable

_HEADERS_WITHIN_S = 10.0
_READ_WITHIN_S = 30.0
_MOST_CONNECTIONS = 500
_MOST_HEADER_BYTES = 32 * 1024
_GRACE_S = 3
_BACKLOG = 256


class _BoundedProtocol(H11Protocol):
    """Uvicorn's protocol, which waits for ever for a request's headers and for a reader of the answer, with ends to both waits."""

    def __init__(
        self, config: uvicorn.Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._headers_due: asyncio.TimerHandle | None = None
        self._reader_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_due = _cancelled(self._headers_due)
        self._reader_due = _cancelled(self._reader_due)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The reader is slower than we: it must go on before long."""
        super().pause_writing()
        self._reader_due = self._reader_due or self.loop.call_later(_READ_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reader_due = _cancelled(self._reader_due)

    def _await_headers(self) -> None:
        """Let the time run while no whole request is here; it does not begin anew with every byte."""
        if self.conn.their_state is not h11.IDLE:
            self._headers_due = _cancelled(self._headers_due)
        elif self._headers_due is None and not self.transport.is_closing():
            self._headers_due = self.loop.call_later(_HEADERS_WITHIN_S, self.transport.abort)


def _cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """Stop a timer, if it runs; gives none, to be kept in its place."""
    if timer is not None:
        timer.cancel()
    return None


class _Server(uvicorn.Server):
    """Leaves signals to the process it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: WebApp, stop: asyncio.Event, ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until ``stop`` is set; then streams end, and answers under way have a few seconds. ``ready`` hears the URL.

    Raises:
        ConfigInvalid: the address is not ours or taken, or the certificate and its key are not usable.
    """
    settings = app.settings
    listening = _listening(settings)
    try:
        tls = _tls(settings)
        server = _Server(_config(app, tls))
        server_task = asyncio.create_task(server.serve(sockets=[listening]))
        stop_task = asyncio.create_task(stop.wait())
        url = _url(settings, listening)
        events.web_started(url, app.login)
        ready(url)
        try:
            await asyncio.wait({server_task, stop_task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop_task.cancel()
            app.stop()
            server.should_exit = True
            await server_task
    finally:
        listening.close()
        app.close()


def _config(app: WebApp, tls: ssl.SSLContext | None) -> uvicorn.Config:
    silent = {"version": 1, "disable_existing_loggers": False, "loggers": {"uvicorn": {"level": "CRITICAL", "propagate": False}}}
    return uvicorn.Config(
        app,
        loop="none",
        http=_BoundedProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=silent,  # telemetry.events says what is to be said
        access_log=False,
        proxy_headers=False,  # the peer's true address; web.access knows which proxy to believe
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_GRACE_S,
        backlog=_BACKLOG,
        ssl_context_factory=None if tls is None else lambda _, __: tls,
    )


def _listening(settings: ReachTable) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.address, settings.port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    except OSError as problem:
        listening.close()
        raise ConfigInvalid(f"cannot listen at {settings.bind}: {problem.strerror}", {"key": "bind"}) from problem
    return listening


def _tls(settings: ReachTable) -> ssl.SSLContext | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as problem:
        raise ConfigInvalid(f"tls_certificate and tls_key do not work: {problem}", {"key": "tls_certificate"}) from problem
    return context


def _url(settings: ReachTable, listening: socket.socket) -> str:
    address = f"[{settings.address}]" if ":" in settings.address else settings.address
    return f"{'https' if settings.has_tls else 'http'}://{address}:{listening.getsockname()[1]}/"
