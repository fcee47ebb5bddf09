"""Logging in and out: name and password against a session's cookie."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edge_agent.domain.clock import Clock
from edge_agent.errors import LoginRefused, TooSoon
from edge_agent.telemetry import events
from edge_agent.web.access import CookieAccess, is_one_of, peer_address
from edge_agent.web.passwords import MOST_CHARACTERS, PasswordLane
from edge_agent.web.routes import Route
from edge_agent.web.session import Officer, Sessions
from edge_agent.web.settings import WebTable
from edge_agent.web.throttle import LoginThrottle
from edge_agent.web.users import User, Users

_MOST_WAITING = 16
"""Passwords that are checked or wait for it: each takes 64 MiB while it is checked, and time."""


class Credentials(BaseModel):
    """What a login sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS, repr=False)]


class Me(BaseModel):
    """Who is logged in, and how. ``login``: users, proxy or none; only with users there is something to log out of."""

    name: str
    roles: list[str]
    login: str


class LoginDesk:
    """The routes of a login by user file."""

    def __init__(self, settings: WebTable, users: Users, clock: Clock) -> None:
        self._settings = settings
        self._users = users
        self._sessions = Sessions(clock, settings.idle_minutes * 60, settings.session_hours * 3600)
        self._throttle = LoginThrottle(clock)
        self._passwords = PasswordLane()
        self._waiting = 0
        self._cookie = "__Host-session" if settings.is_secure else "session"

    @property
    def access(self) -> CookieAccess:
        return CookieAccess(self._sessions, self._users, self._cookie)

    def routes(self) -> list[Route]:
        """Give POST /login and POST /logout; neither needs a session."""
        refusals = (LoginRefused, TooSoon)
        return [
            Route("POST", "/login", self.log_in, is_public=True, tag="session", refusals=refusals, most_bytes=4096),
            Route("POST", "/logout", self.log_out, is_public=True, tag="session", most_bytes=4096),
        ]

    async def log_in(self, request: Request, credentials: Credentials) -> Response:
        """Log in: begin a session and set its cookie, always a new one. A session that the browser had ends."""
        try:
            user = await self._checked(credentials, self._address(request))
        except (LoginRefused, TooSoon) as problem:
            events.login_refused(problem.code)
            raise
        self._end(request)
        token = self._sessions.begin(user.name, user.mark)
        events.logged_in(len(user.roles), len(self._sessions))
        answer = JSONResponse(me(user.officer, self._settings).model_dump())
        answer.set_cookie(self._cookie, token, path="/", secure=self._settings.is_secure, httponly=True, samesite="strict")
        return answer

    async def log_out(self, request: Request) -> Response:
        """Log out: end the session. The browser has kept nothing of what it was given."""
        self._end(request)
        answer = Response(status_code=204)
        answer.delete_cookie(self._cookie, path="/", secure=self._settings.is_secure, httponly=True, samesite="strict")
        return answer

    def close(self) -> None:
        self._passwords.close()

    async def _checked(self, credentials: Credentials, address: str) -> User:
        name = credentials.name.strip().lower()
        if self._waiting >= _MOST_WAITING:
            raise TooSoon("too many logins at once", {"retry_after_s": 1})
        self._throttle.begin(name, address)
        user = self._users.find(name)
        self._waiting += 1
        try:
            is_right = await self._passwords.fits(None if user is None else user.password, credentials.password)
        finally:
            self._waiting -= 1
        if user is None or user.is_locked or not is_right:
            raise LoginRefused("name or password is wrong, or the officer is locked")
        self._throttle.succeeded(name, address)
        return user

    def _end(self, request: Request) -> None:
        token = request.cookies.get(self._cookie)
        if token is not None:
            self._sessions.end(token)

    def _address(self, request: Request) -> str:
        """Give the browser's address: behind a proxy of ours the one that the proxy appended last."""
        address = peer_address(request)
        forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return forwarded or address if is_one_of(address, self._settings.proxy_addresses) else address


def me(officer: Officer, settings: WebTable) -> Me:
    """Tell the page who is logged in."""
    return Me(name=officer.name, roles=sorted(officer.roles), login=settings.login)
