"""How a subsystem says what it serves: plain typed async functions, registered by ``web.app.build_app``.

A handler is an ``async def`` (a bound method is fine) whose parameters say what it needs:

- ``officer: Officer``: the officer of the session (``web.session``);
- ``last_event_id: LastEventId``: where a stream of events goes on;
- a name that stands in the path, such as ``{scan_id}``: that part of the path, converted to its type (``str``, ``int``, ``UUID``);
- a pydantic model: the JSON body;
- anything else of a simple type: a query parameter, with the default as default. Lists are written ``Annotated[list[str], Query()]``
  nowhere: take one comma-separated ``str``, so that handlers need no web framework.

It returns a pydantic model, a dataclass, lists and dicts of them (JSON), or ``Blob`` or ``Events`` (``web.answers``). To refuse it raises
an ``EdgeAgentError``; ``web.refusals`` gives the status. Nothing here imports the web framework.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, NewType, TypeAlias

from edge_agent.errors import EdgeAgentError
from edge_agent.web.session import EVERY_ROLE, OfficerRole
from edge_agent.web.tokens import Scope

Handler: TypeAlias = Callable[..., Awaitable[object]]
LastEventId = NewType("LastEventId", str)
"""The id of the last event the browser saw, from ``Last-Event-ID``; empty when it comes for the first time."""

DEFAULT_BODY_BYTES = 64 * 1024
DEFAULT_S = 30.0


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. By default every officer who is logged in may ask for it.

    ``roles``: the officer needs one of them. ``scope``: asked by a token of this scope instead of an officer. ``is_public``: asked by
    anybody. ``keeps_session``: asking counts as activity; false for streams and polls, so that an empty chair is logged out in time.
    ``refusals``: errors that the description lists beside those every operation has. ``most_bytes``: largest body.
    ``most_s``: seconds within which the handler must have answered, a stream begun.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handler: Handler
    roles: frozenset[OfficerRole] = EVERY_ROLE
    scope: Scope | None = None
    is_public: bool = False
    keeps_session: bool = True
    tag: str = ""
    status: int = 200
    refusals: tuple[type[EdgeAgentError], ...] = ()
    most_bytes: int = DEFAULT_BODY_BYTES
    most_s: float = DEFAULT_S
