"""Server-sent events on the wire, as the HTML standard's section 9.2 writes them."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from edge_agent.web.answers import Event, Events

_LINE_END = re.compile(r"\r\n|\r|\n")
_FIELD_BREAKS = str.maketrans("", "", "\r\n\0")


def encoded(event: Event) -> bytes:
    """Give the event's lines. Line ends in ``data`` begin another line of data; in a name or an id they would forge fields, so they go."""
    lines = [] if event.id is None else [f"id: {event.id.translate(_FIELD_BREAKS)}"]
    if event.name != "message":
        lines.append(f"event: {event.name.translate(_FIELD_BREAKS)}")
    lines += [f"data: {line}" for line in _LINE_END.split(event.data)]
    return ("\n".join(lines) + "\n\n").encode()


async def stream(events: Events, lasts: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Give the bytes of a stream until its source ends or the session does: then a last event named ``ended`` tells the page so."""
    yield f"retry: {events.retry_ms}\n\n".encode()
    try:
        async for event in events.source:
            if not lasts():
                yield encoded(Event("{}", "ended"))
                return
            yield encoded(event)
    finally:
        if isinstance(events.source, AsyncGenerator):
            await events.source.aclose()  # what it holds is let go now, not when the garbage collector comes by
