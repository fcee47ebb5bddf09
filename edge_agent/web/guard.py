"""What every request and every answer passes, whatever it asks for: pure ASGI around the whole application.

Against a page that rebinds a name to this address (Host), a page of another origin that posts or reads (Origin, Sec-Fetch-Site and a header
that a form cannot send: OWASP's guide against cross-site request forgery), headers given twice so that proxy and server read different
ones, and content that the browser would take for something else (the answer's headers).
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_agent.domain.clock import Clock
from edge_agent.errors import CrossSite, EdgeAgentError, HostUnknown, RequestInvalid
from edge_agent.telemetry import events
from edge_agent.web.refusals import refused
from edge_agent.web.settings import ReachTable

OWN_HEADER = "x-edge-agent"
"""Every request that changes something carries it, as ``X-Edge-Agent: 1``: another origin's page may not send it without our leave."""
PAGE_OFFICER = "x-edge-officer"
"""Whom the page was made for, percent-encoded: what was begun there is never taken as another officer's who logged in meanwhile."""
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_OWN_SITES = (None, "same-origin", "none")
"""What Sec-Fetch-Site says of our own pages and of what somebody typed; programs send no such header."""
_SINGLE = ("host", "origin", "sec-fetch-site", "authorization", "cookie", "content-type", "content-length", OWN_HEADER, PAGE_OFFICER)

_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; worker-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
ANSWER_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TRANSPORT_SECURITY = "max-age=31536000"


def known_hosts(settings: ReachTable) -> frozenset[str]:
    """Give the names under which the server may be asked."""
    hosts = {*settings.hosts, settings.address}
    return frozenset(hosts | {"localhost", "127.0.0.1", "::1"} if settings.is_loopback else hosts)


class Guard:
    """Wraps an application. ``singles``: further headers that may come once only, those of a proxy."""

    def __init__(self, app: ASGIApp, settings: ReachTable, clock: Clock, singles: Iterable[str] = ()) -> None:
        self._app = app
        self._clock = clock
        self._hosts = known_hosts(settings)
        self._singles = (*_SINGLE, *singles)
        self._extra = {"Strict-Transport-Security": _TRANSPORT_SECURITY} if settings.is_secure else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request. The server speaks no WebSocket and has no start-up of its own, so nothing else comes here."""
        headers = Headers(scope=scope)
        exchange = _Exchange(receive, send, {**ANSWER_HEADERS, **self._extra}, has_body=_has_body(headers))
        began = self._clock.monotonic()
        scope.setdefault("state", {})
        try:
            self._check(scope["method"], headers)
        except EdgeAgentError as problem:
            scope["state"]["code"] = problem.code
            await refused(problem)(scope, exchange.receive, exchange.send)
        else:
            await self._app(scope, exchange.receive, exchange.send)
        if exchange.status >= 400 or scope["method"] not in _SAFE_METHODS:
            state = scope["state"]
            events.web_answered(state.get("route", ""), exchange.status, state.get("code", ""), (self._clock.monotonic() - began) * 1000)

    def _check(self, method: str, headers: Headers) -> None:
        for name in self._singles:
            if len(headers.getlist(name)) > 1:
                raise RequestInvalid(f"the header {name} comes more than once")
        host = headers.get("host", "")
        if _name_of(host) not in self._hosts:
            raise HostUnknown("this server is not known under that name")
        if method in _SAFE_METHODS:
            _refuse_foreign_reader(headers)
        else:
            _refuse_foreign_writer(headers, host)


def _refuse_foreign_reader(headers: Headers) -> None:
    """Refuse what a page of another origin reads or embeds; following a link to us is no reading."""
    if headers.get("sec-fetch-site") not in _OWN_SITES and headers.get("sec-fetch-mode") != "navigate":
        raise CrossSite("a page of another origin may not read from here")


def _refuse_foreign_writer(headers: Headers, host: str) -> None:
    """Refuse what does not show that it comes from a page of this very origin, or from a program."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_foreign = site not in _OWN_SITES or (origin is not None and urlsplit(origin).netloc != host)
    if is_foreign:
        raise CrossSite("the request comes from a page of another origin")
    if headers.get(OWN_HEADER) != "1":
        raise CrossSite("the header X-Edge-Agent: 1 is missing")


def _name_of(host: str) -> str:
    """Give the name in a Host header, without the port; empty when it is not one."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


class _Exchange:
    """One request and its answer: adds the headers, and closes the connection where a refused body still comes in."""

    def __init__(self, receive: Receive, send: Send, headers: dict[str, str], *, has_body: bool) -> None:
        self._receive = receive
        self._send = send
        self._headers = headers
        self._is_coming = has_body
        self.status = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._is_coming = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            self.status = message["status"]
            if self.status >= 400 and self._is_coming:
                headers.setdefault("Connection", "close")
        await self._send(message)
