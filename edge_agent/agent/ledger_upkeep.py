"""What keeps the ledger sound while the daemon works: its log cut each night, and each week all of it checked beside the writer."""

import asyncio
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path

from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.domain.assessment import Reason
from edge_agent.domain.clock import Clock
from edge_agent.errors import LedgerDamaged, TryLater
from edge_agent.ledger.checks import check_whole, last_checked_us, note_checked
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.moments import from_us, to_us
from edge_agent.telemetry import events

DAMAGED = "ledger-damaged"
FIRST_LOOK_S = 600.0
"""From READY to the first look: a site that starts has other work."""

_LOOK_EVERY_S = 3600.0
_CUT_EVERY_S = 86_400.0
_CHECK_EVERY = timedelta(days=7)
_NICENESS = 10
_REST_S = 0.02
"""Between two pages of the check: readers that follow each other without a gap would keep the writer from ever starting its log anew."""


class _StoppedError(Exception):
    """The daemon stops in the middle of a check."""


class LedgerUpkeep:
    """Looks each hour what is due.

    ``problem``: what the last check or a reader found, read by health; a later check that finds nothing clears it.
    """

    def __init__(self, path: Path, ledger: LedgerLane, clock: Clock, first_look_s: float = FIRST_LOOK_S) -> None:
        """``first_look_s``: seconds from the start of :meth:`run` to the first look."""
        self._path = path
        self._first_look_s = first_look_s
        self._ledger = ledger
        self._clock = clock
        self._cut_at = clock.monotonic()
        self.problem: Reason | None = None

    async def run(self) -> None:
        """Keep the ledger until cancelled."""
        await asyncio.sleep(self._first_look_s)
        while True:
            try:
                await self.look()
            except TryLater as problem:
                events.ledger_upkeep_postponed(problem.code)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Do what is due now.

        Raises:
            TryLater: not now; tried again at the next look.
        """
        if await self._is_check_due():
            await self.check()
        if self._clock.monotonic() - self._cut_at >= _CUT_EVERY_S:
            await self._ledger.call(Ledger.cut_log)
            self._cut_at = self._clock.monotonic()

    async def check(self) -> None:
        """Check all of the ledger on a thread of its own, which lets every other go first and ends soon when this is cancelled.

        The comparison of indices and tables is one statement, some 4 ms a MiB, and the log grows by what is written meanwhile. The rows
        are then read in pages of one short transaction each.
        """
        lane, stopped = Lane("ledger-check", niceness=_NICENESS), threading.Event()
        started = self._clock.monotonic()
        try:
            found = await lane.run(check_whole, self._path, None, partial(_go_on, stopped))
        except LedgerDamaged as problem:
            self._found(Reason(DAMAGED, {"why": problem.detail[:120]}))
        else:
            if found.bad_seq is not None:
                self._found(Reason(DAMAGED, {"why": found.why, "seq": found.bad_seq}))
            else:
                self.problem = None
                await self._ledger.call(Ledger.transact, partial(note_checked, at_us=to_us(self._clock.now())))
                events.ledger_checked(self._clock.monotonic() - started, found.heads, found.signed_seq)
        finally:
            stopped.set()
            lane.close()

    def noticed(self, problem: LedgerDamaged) -> None:
        """Take note of damage that a reader met: told as the check tells it, and until a whole check finds nothing."""
        if self.problem is None:
            self._found(Reason(DAMAGED, {"why": problem.detail[:120]}))

    async def _is_check_due(self) -> bool:
        last = await self._ledger.call(Ledger.transact, last_checked_us)
        now = self._clock.now()
        # A moment to come is one of a clock that was wrong.
        return last is None or not timedelta(0) <= now - from_us(last) < _CHECK_EVERY

    def _found(self, reason: Reason) -> None:
        self.problem = reason
        events.ledger_check_failed(str(reason.params["why"]), int(reason.params.get("seq", 0)))


def _go_on(stopped: threading.Event, done: int, _of: int) -> None:
    """End the check when it shall stop; rest after a page (``done`` rows so far), not within the one long statement before the first."""
    if stopped.wait(_REST_S if done else 0.0):
        raise _StoppedError
