"""Who a request comes from: by a login's cookie, by the header of a trusted proxy, or, on this very machine, without login."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from starlette.requests import HTTPConnection

from edge_agent.errors import LoginRequired
from edge_agent.web.session import Officer, OfficerRole, Sessions
from edge_agent.web.settings import WebTable
from edge_agent.web.users import Users

_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Admitted:
    """The officer of a request. ``lasts``: whether the session is still open, asked again and again by streams."""

    officer: Officer
    lasts: Callable[[], bool]


class Access(Protocol):
    """One way of telling who asks."""

    def admit(self, asked: HTTPConnection, *, is_activity: bool) -> Admitted:
        """Give the officer who asks. ``is_activity``: the request counts as one, so that the session goes on.

        Raises:
            LoginRequired: nobody whom we know.
        """


def peer_address(asked: HTTPConnection) -> str:
    """Give the address at the other end of the connection; empty where there is none (tests without sockets)."""
    return "" if asked.client is None else asked.client.host


def is_loopback(address: str) -> bool:
    """Tell whether an address is this very machine's."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def is_one_of(address: str, proxies: Collection[str]) -> bool:
    """Tell whether an address is one of the configured ones, however either is spelt."""
    try:
        return ip_address(address) in {ip_address(text) for text in proxies}
    except ValueError:
        return False


class CookieAccess:
    """Officers of the user file, by the cookie of their session."""

    def __init__(self, sessions: Sessions, users: Users, cookie: str) -> None:
        self._sessions = sessions
        self._users = users
        self._cookie = cookie

    def admit(self, asked: HTTPConnection, *, is_activity: bool) -> Admitted:
        """Give the officer whose session the cookie names; roles are those of the file now."""
        token = asked.cookies.get(self._cookie)
        session = None if token is None else self._sessions.find(token, is_activity=is_activity)
        if token is None or session is None:
            raise LoginRequired("no open session")
        user = self._users.find(session.officer)
        if user is None or user.is_locked or user.mark != session.mark:
            self._sessions.end(token)
            raise LoginRequired("the session ended: the officer was locked, removed, or got another password")
        found = session

        def lasts() -> bool:
            now = self._users.find(found.officer)
            return self._sessions.lasts(found) and now is not None and now.mark == found.mark

        return Admitted(user.officer, lasts)


class ProxyAccess:
    """Officers whom a reverse proxy logged in: believed from its configured addresses only."""

    def __init__(self, settings: WebTable) -> None:
        self._addresses = settings.proxy_addresses
        self._user_header = settings.proxy_user_header
        self._roles_header = settings.proxy_roles_header
        self._roles = settings.roles

    def admit(self, asked: HTTPConnection, *, is_activity: bool) -> Admitted:  # noqa: ARG002 - the proxy ends sessions, not we
        """Give the officer whom the proxy names. Roles we do not know are passed over; no header of roles is no role."""
        if not is_one_of(peer_address(asked), self._addresses):
            raise LoginRequired("not asked through the proxy that logs officers in")
        name = asked.headers.get(self._user_header, "").strip()
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise LoginRequired("the proxy names no officer")
        roles = self._roles if self._roles_header is None else _roles(asked.headers.get(self._roles_header, ""))
        return Admitted(Officer(name, roles), lambda: True)


def _roles(listed: str) -> frozenset[OfficerRole]:
    known = {role.value: role for role in OfficerRole}
    words = (word.strip().lower() for word in listed.split(","))
    return frozenset(known[word] for word in words if word in known)


class OpenAccess:
    """Everybody at this very machine is one officer; the settings allow it on a loopback address only."""

    def __init__(self, settings: WebTable) -> None:
        self._admitted = Admitted(Officer(settings.officer, settings.roles), lambda: True)

    def admit(self, asked: HTTPConnection, *, is_activity: bool) -> Admitted:  # noqa: ARG002 - there is no session
        """Give the configured officer."""
        if not is_loopback(peer_address(asked)):
            raise LoginRequired("not asked from this machine")
        return self._admitted
