"""The application: routes, login and safety put together.

``build_app`` makes one that officers log in to (the console), ``build_api`` one that programs read with tokens (headquarters).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from h11 import LocalProtocolError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from edge_agent import __version__
from edge_agent.domain.clock import Clock
from edge_agent.errors import (
    AddressUnknown,
    EdgeAgentError,
    LoginRequired,
    MethodUnknown,
    RequestInvalid,
    RoleMissing,
    TokenRefused,
    TooSoon,
)
from edge_agent.telemetry import events
from edge_agent.web.access import Access, Admitted, OpenAccess, ProxyAccess, is_loopback, peer_address
from edge_agent.web.description import described
from edge_agent.web.endpoint import framework_route
from edge_agent.web.files import Assets
from edge_agent.web.guard import PAGE_OFFICER, Guard
from edge_agent.web.login import LoginDesk, Me, me
from edge_agent.web.refusals import failed, is_askers, refused
from edge_agent.web.routes import Route
from edge_agent.web.session import Officer
from edge_agent.web.settings import ReachTable, WebTable
from edge_agent.web.throttle import Rate
from edge_agent.web.tokens import Scope, Tokens
from edge_agent.web.users import Users

_API_PER_S = 20.0
_API_BURST = 100


@dataclass(frozen=True, slots=True)
class About:
    """What the description of an interface says of itself."""

    title: str
    text: str = ""


_CONSOLE = About("edge-agent console", "What the console's own pages ask. Log in with POST /login.")


class OfficerGate:
    """Lets officers in by ``access``. Satisfies ``endpoint.Gate``."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._stops = False

    def admit(self, route: Route, request: Request) -> Admitted | None:
        """Give the officer who asks, None where anybody may.

        Raises:
            LoginRequired, RoleMissing.
        """
        if route.is_public:
            return None
        admitted = self._access.admit(request, is_activity=route.keeps_session)
        meant = request.headers.get(PAGE_OFFICER)
        if meant is not None and unquote(meant) != admitted.officer.name:
            raise LoginRequired("another officer logged in since this page was opened")
        if route.roles.isdisjoint(admitted.officer.roles):
            raise RoleMissing(f"this needs one of the roles {', '.join(sorted(route.roles))}")
        return admitted

    def refusals(self, route: Route) -> tuple[type[EdgeAgentError], ...]:
        return () if route.is_public else (LoginRequired, RoleMissing)

    def is_stopping(self) -> bool:
        return self._stops

    def stop(self) -> None:
        self._stops = True


class TokenGate:
    """Lets programs in by their tokens, each so many times a second. Satisfies ``endpoint.Gate``."""

    def __init__(self, tokens: Tokens, clock: Clock, settings: ReachTable) -> None:
        self._tokens = tokens
        self._rate = Rate(clock, _API_PER_S, _API_BURST)
        self._is_direct = not settings.behind_proxy
        self._stops = False

    def admit(self, route: Route, request: Request) -> Admitted | None:
        """Let in whoever holds a token of the route's scope; metrics are open to this very machine.

        Raises:
            TokenRefused, TooSoon.
        """
        address = peer_address(request)
        is_open = route.is_public or (route.scope is Scope.METRICS and self._is_direct and is_loopback(address))
        asker = f"from {address}"
        if route.scope is not None and not is_open:
            try:
                asker = f"token {self._tokens.check(request.headers.get('authorization', ''), route.scope).name}"
            except TokenRefused:
                self._rate.take(asker)
                raise
        self._rate.take(asker)
        return None

    def refusals(self, route: Route) -> tuple[type[EdgeAgentError], ...]:
        return (TooSoon,) if route.is_public else (TooSoon, TokenRefused)

    def is_stopping(self) -> bool:
        return self._stops

    def stop(self) -> None:
        self._stops = True


@dataclass(frozen=True, slots=True)
class WebApp:
    """An application that ``web.server.serve`` serves. ``login``: how officers log in, for the log; ``api``: makes its OpenAPI document."""

    asgi: ASGIApp
    settings: ReachTable
    login: str
    gate: OfficerGate | TokenGate
    api: FastAPI
    desk: LoginDesk | None = None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        await self.asgi(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI 3.1 description of every route."""
        return described(self.api)

    def stop(self) -> None:
        """End every stream, between two of its events."""
        self.gate.stop()

    def close(self) -> None:
        """Let the threads go."""
        if self.desk is not None:
            self.desk.close()


def build_app(routes: Iterable[Route], settings: WebTable, clock: Clock, assets: Assets | None = None, about: About = _CONSOLE) -> WebApp:
    """Make an application that officers log in to. ``assets``: its pages ``console/*.html`` and all static files.

    It adds POST /login and /logout (with a user file), GET /me, GET / and /login (pages), GET /static/....

    Raises:
        ConfigInvalid, ConfigUnreadable: the user file is not usable.
    """
    desk = LoginDesk(settings, Users(settings.users, clock), clock) if settings.login == "users" and settings.users is not None else None
    gate = OfficerGate(_access(settings, desk))

    async def who(officer: Officer) -> Me:
        """Tell who is logged in."""
        return me(officer, settings)

    own = [Route("GET", "/me", who, keeps_session=False, tag="session"), *([] if desk is None else desk.routes())]
    api = _framework([*routes, *own], gate, about)
    if assets is not None:
        _add_pages(api, gate, assets, has_login=desk is not None)
    singles = [name for name in (settings.proxy_user_header, settings.proxy_roles_header) if name is not None]
    return WebApp(Guard(api, settings, clock, singles), settings, settings.login, gate, api, desk)


def build_api(routes: Iterable[Route], settings: ReachTable, clock: Clock, tokens: Tokens, about: About) -> WebApp:
    """Make an application that programs read with tokens; its description is at /api/v1/openapi.json."""
    gate = TokenGate(tokens, clock, settings)
    api = _framework(routes, gate, about)

    async def description() -> dict[str, Any]:
        """Give this description."""
        return described(api)

    _add(api, Route("GET", "/api/v1/openapi.json", description, is_public=True, tag="about"), gate)
    return WebApp(Guard(api, settings, clock), settings, "tokens", gate, api)


def _access(settings: WebTable, desk: LoginDesk | None) -> Access:
    if desk is not None:
        return desk.access
    return ProxyAccess(settings) if settings.login == "proxy" else OpenAccess(settings)


def _framework(routes: Iterable[Route], gate: OfficerGate | TokenGate, about: About) -> FastAPI:
    api = FastAPI(
        title=about.title,
        description=about.text,
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=None,
    )
    for route in routes:
        _add(api, route, gate)
    api.add_exception_handler(EdgeAgentError, _on_refusal)
    api.add_exception_handler(RequestValidationError, _on_invalid)
    api.add_exception_handler(HTTPException, _on_unknown)
    api.add_exception_handler(ClientDisconnect, _on_left)
    api.add_exception_handler(Exception, _on_fault)
    return api


def _add(api: FastAPI, route: Route, gate: OfficerGate | TokenGate) -> None:
    api.router.routes.append(framework_route(route, gate))


def _add_pages(api: FastAPI, gate: OfficerGate, assets: Assets, *, has_login: bool) -> None:
    """Serve the pages and the files. Files are the same for everybody and hold no data; of the pages only the login is."""

    async def start(request: Request) -> Response:
        """Give the console's one page, or lead to the login."""
        try:
            gate.admit(Route("GET", "/", start), request)
        except LoginRequired:
            if not has_login:
                raise
            return RedirectResponse("/login", 303)
        return assets.page("console/index.html")

    async def login() -> Response:
        """Give the login's page."""
        return assets.page("console/login.html" if has_login else "")

    for path, handler in (("/", start), ("/login", login), ("/static/{path:path}", assets.file)):
        _add(api, Route("GET", path, handler, is_public=True, tag="pages"), gate)


async def _on_refusal(request: Request, problem: Exception) -> Response:
    if not isinstance(problem, EdgeAgentError):
        raise problem
    request.state.code = problem.code
    if not is_askers(problem):
        events.request_refused(getattr(request.state, "route", ""), problem)
    return refused(problem)


async def _on_invalid(request: Request, problem: Exception) -> Response:
    """Name every wrong field, never its value."""
    faults = problem.errors() if isinstance(problem, RequestValidationError) else ()
    detail = "; ".join(f"{'.'.join(str(step) for step in fault['loc'])}: {fault['msg']}" for fault in faults)
    return await _on_refusal(request, RequestInvalid(detail or "not valid"))


async def _on_unknown(request: Request, problem: Exception) -> Response:
    """Say in our words what the framework refuses by itself: no such address, not by this method, not JSON."""
    if not isinstance(problem, HTTPException):
        raise problem
    if problem.status_code == 404:
        return await _on_refusal(request, AddressUnknown("nothing is served at this address"))
    if problem.status_code == 405:
        allow = (problem.headers or {}).get("Allow", "")
        return await _on_refusal(request, MethodUnknown("not with this method", {"allow": allow}))
    return await _on_refusal(request, RequestInvalid(problem.detail))


async def _on_left(_: Request, __: Exception) -> Response:
    """The browser left before it had sent all: nobody reads this answer."""
    return Response(status_code=400)


async def _on_fault(request: Request, problem: Exception) -> Response:
    """Tell nothing of the inside; the log has it all. An asker who went on with nonsense before our answer is no fault of ours."""
    if isinstance(problem, LocalProtocolError):
        return await _on_left(request, problem)
    events.request_failed(getattr(request.state, "route", ""), problem)
    return failed()
