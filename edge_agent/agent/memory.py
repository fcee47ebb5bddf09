"""Memory shared out among scans in hand: back-pressure that knows a huge scan from a small one.

What a scan will need is told from its header, before a pixel is decoded.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_OUR_SHARE = 0.5
"""Of the memory granted to this process; the rest is for models, for the ledger, and for the scanner's own software."""
_GROUPS = Path("/sys/fs/cgroup")


class Memory:
    """So many bytes for the scans in hand together, given in the order of asking.

    Nobody overtakes: a huge scan waits until enough has come back, and those behind it wait too, so it is never starved by small ones.
    One that is larger than everything there is gets everything: it runs alone.
    """

    def __init__(self, total: int) -> None:
        """``total``: bytes to share out."""
        self.total = total
        self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def share(self, wanted: int) -> AsyncIterator[None]:
        """Hold ``wanted`` bytes, as soon as they are there and it is our turn."""
        wanted = min(wanted, self.total)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, turn))
        self._grant()
        try:
            await turn
            yield
        finally:
            self._give_back(wanted, turn)

    def _grant(self) -> None:
        """Let those at the head of the queue in, as long as there is enough."""
        while self._waiting and (self._waiting[0][1].cancelled() or self._waiting[0][0] <= self._free):
            wanted, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._free -= wanted
                turn.set_result(None)

    def _give_back(self, wanted: int, turn: "asyncio.Future[None]") -> None:
        """Return what was held; who was cancelled before its turn held nothing."""
        if turn.done() and not turn.cancelled():
            self._free += wanted
        self._grant()


def memory_for_scans() -> int:
    """Give the bytes that scans in hand may use where the configuration does not say: half of what this process is granted."""
    return int(_OUR_SHARE * min(_physical(), _granted()))


def _physical() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _granted() -> int:
    """Give the limits of this process's control group (version 2); where there is none, all that is there."""
    group = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2].lstrip("/")
    limits = [_limit(_GROUPS / group / name) for name in ("memory.max", "memory.high")]
    return min((limit for limit in limits if limit is not None), default=_physical())


def _limit(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such group here, or "max"
        return None
