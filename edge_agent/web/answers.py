"""What handlers give back when it is not JSON: bytes as they are, and a stream of events.

A handler may also return a pydantic model, a dataclass, or lists and dicts of them: these become JSON with ``Cache-Control: no-store``.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes as they are. ``encoding``: Content-Encoding when ``content`` is compressed already, such as ``deflate``.

    As every answer ``no-store``: what a browser kept would outlast the officer's session.
    """

    content: bytes
    media_type: str = "application/octet-stream"
    encoding: str | None = None
    file_name: str | None = None
    """Given: the browser saves it under this name rather than showing it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event. ``data``: JSON text; ``name``: the type the browser listens to; ``id``: where to resume after it."""

    data: str
    name: str = "message"
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """A stream of server-sent events that lasts until ``source`` ends, the browser leaves, or the session ends.

    ``source`` should give something at least every few seconds (a heartbeat): the end of a session is noticed between two events.
    ``retry_ms``: how long the browser waits before it comes back with ``Last-Event-ID``.
    """

    source: AsyncIterator[Event]
    retry_ms: int = 1000
