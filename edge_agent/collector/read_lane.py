"""The read API's own thread and connection to the archive, beside a collector that writes it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from edge_agent.collector.archive.store import Archive
from edge_agent.errors import TooSoon

_MOST_WAITING = 32

_T = TypeVar("_T")


class ReadLane:
    """Asks the archive, one question after the other, off the event loop."""

    def __init__(self, archive: Archive) -> None:
        """Take ``archive``, opened for reading; ``close`` closes it."""
        self._archive = archive
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read")
        self._waiting = 0

    async def ask(self, question: Callable[[Archive], _T]) -> _T:
        """Give the answer to a question. One that nobody waits for any more is still answered: a query cannot be taken back.

        Raises:
            TooSoon: too many questions wait already.
        """
        if self._waiting >= _MOST_WAITING:
            raise TooSoon("too many questions at once", {"retry_after_s": 2})
        self._waiting += 1
        answer = asyncio.get_running_loop().run_in_executor(self._thread, question, self._archive)
        answer.add_done_callback(self._answered)
        return await asyncio.shield(answer)

    def _answered(self, answer: "asyncio.Future[_T]") -> None:
        self._waiting -= 1
        if not answer.cancelled():
            answer.exception()  # looked at: where the asker has left, nobody else does

    def close(self) -> None:
        """Wait for the question under way, then close the archive."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._archive.close()
