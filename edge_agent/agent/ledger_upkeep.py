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
_FIRST_LOOK_S = 600.0
_LOOK_EVERY_S = 3600.0
_CUT_EVERY_S = 86_400.0
_CHECK_EVERY = timedelta(days=7)
_NICENESS = 10


class _StoppedError(Exception):
    """The daemon stops in the middle of a check."""


class LedgerUpkeep:
    """Looks each hour what is due. ``problem``: what the last check found, read by health; a later check that finds nothing clears it."""

    def __init__(self, path: Path, ledger: LedgerLane, clock: Clock) -> None:
        self._path = path
        self._ledger = ledger
        self._clock = clock
        self._cut_at = clock.monotonic()
        self.problem: Reason | None = None

    async def run(self) -> None:
        """Keep the ledger until cancelled."""
        await asyncio.sleep(_FIRST_LOOK_S)
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
        """Check all of the ledger on a thread of its own, which lets every other go first and ends soon when this is cancelled."""
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

    async def _is_check_due(self) -> bool:
        last = await self._ledger.call(Ledger.transact, last_checked_us)
        now = self._clock.now()
        # A moment to come is one of a clock that was wrong.
        return last is None or not timedelta(0) <= now - from_us(last) < _CHECK_EVERY

    def _found(self, reason: Reason) -> None:
        self.problem = reason
        events.ledger_check_failed(str(reason.params["why"]), int(reason.params.get("seq", 0)))


def _go_on(stopped: threading.Event, _done: int, _of: int) -> None:
    if stopped.is_set():
        raise _StoppedError
