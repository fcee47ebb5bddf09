"""The ZeroMQ context: one a process, owned by the composition root and handed to every socket."""

from collections.abc import Iterator
from contextlib import contextmanager

import zmq
import zmq.asyncio

_MAX_SOCKETS = 16_384
"""Three a link, with its monitor: headquarters has hundreds of sites."""


@contextmanager
def open_context() -> Iterator[zmq.asyncio.Context]:
    """Give the context; on leaving every socket is closed at once, unsent messages are dropped (the journal still has them)."""
    context = zmq.asyncio.Context()
    context.set(zmq.MAX_SOCKETS, _MAX_SOCKETS)
    try:
        yield context
    finally:
        context.destroy(linger=0)
