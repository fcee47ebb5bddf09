"""Who asks: the officer of a session, as every handler gets him or her, and the sessions themselves.

A handler that names a parameter of type ``Officer`` gets the officer of the request's session, never a value from the request's body,
address or query. So officer A cannot act as B: there is no field to write B into.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

from edge_agent.domain.clock import Clock

_TOKEN_BYTES = 32
_MOST_SESSIONS = 1000
_MOST_OF_ONE = 8
"""Sessions of one officer: a few browsers and tablets. The oldest ends when one more begins."""


class OfficerRole(StrEnum):
    """What an officer may do; the user file gives each officer one or more."""

    ANALYST = "analyst"
    SUPERVISOR = "supervisor"
    EXAMINER = "examiner"
    AUDITOR = "auditor"
    ADMIN = "admin"


EVERY_ROLE = frozenset(OfficerRole)


@dataclass(frozen=True, slots=True)
class Officer:
    """An officer who is logged in. ``name``: the login name, the plain reference that goes to sites only."""

    name: str
    roles: frozenset[OfficerRole]

    @property
    def is_supervisor(self) -> bool:
        return OfficerRole.SUPERVISOR in self.roles


@dataclass(slots=True)
class Session:
    """One login. ``mark``: what the user file said of the officer then; the session ends when that changes. Times are monotonic."""

    officer: str
    mark: str
    began: float
    used: float
    is_open: bool = field(default=True)


class Sessions:
    """The open sessions, in memory: a restart logs everybody out. Only the hash of a cookie's value is kept."""

    def __init__(self, clock: Clock, idle_s: float, absolute_s: float) -> None:
        """``idle_s``: a session without activity ends; ``absolute_s``: every session ends."""
        self._clock = clock
        self._idle_s = idle_s
        self._absolute_s = absolute_s
        self._open: dict[str, Session] = {}

    def begin(self, officer: str, mark: str) -> str:
        """Begin a session and give the value of its cookie, which nobody has seen before."""
        now = self._clock.monotonic()
        self._drop_ended()
        own = [key for key, session in self._open.items() if session.officer == officer]
        for key in [*own[: 1 - _MOST_OF_ONE], *list(self._open)[: 1 - _MOST_SESSIONS]]:
            self._end(key)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._open[_key(token)] = Session(officer, mark, now, now)
        return token

    def find(self, token: str, *, is_activity: bool) -> Session | None:
        """Give the open session of a cookie's value. ``is_activity``: the idle time begins anew."""
        session = self._open.get(_key(token))
        if session is None:
            return None
        if not self._lasts(session):
            self._end(_key(token))
            return None
        if is_activity:
            session.used = self._clock.monotonic()
        return session

    def end(self, token: str) -> None:
        """End a session, if it is open; its streams end too."""
        self._end(_key(token))

    def lasts(self, session: Session) -> bool:
        """Tell whether a session that was found is still open now."""
        return session.is_open and self._lasts(session)

    def __len__(self) -> int:
        return len(self._open)

    def _lasts(self, session: Session) -> bool:
        now = self._clock.monotonic()
        return now - session.used < self._idle_s and now - session.began < self._absolute_s

    def _end(self, key: str) -> None:
        session = self._open.pop(key, None)
        if session is not None:
            session.is_open = False

    def _drop_ended(self) -> None:
        for key in [key for key, session in self._open.items() if not self._lasts(session)]:
            self._end(key)


def _key(token: str) -> str:
    """Give the hash under which a session is kept: looking it up takes no time that depends on the secret."""
    return hashlib.sha256(token.encode()).hexdigest()
