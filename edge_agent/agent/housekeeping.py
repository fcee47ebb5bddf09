"""What is done beside the main job to keep house: space watched, retention by age and by need, legal holds, packages that had to wait."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from edge_agent.agent.departures import noted_departures
from edge_agent.agent.space import Space
from edge_agent.agent.sweep import Premises, Sweep
from edge_agent.domain.ids import ScanId
from edge_agent.errors import TryLater
from edge_agent.ledger import eviction
from edge_agent.ledger.audit import About, audit_entry
from edge_agent.ledger.inventory import held_by_file, hold_file
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Job
from edge_agent.telemetry import events
from edge_agent.wire.messages import CodeParams

HELD, RELEASED = "hold-placed", "hold-released"
"""Codes of the audit facts about legal holds."""

_LOOK_EVERY_S = 2.0
_SWEEP_EVERY_S = 86_400.0
_SHORT_SWEEP_EVERY_S = 600.0
_REST_S = 60.0
_PACKAGES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Duties:
    """What else is done. ``budget_bytes``: most that scans may take on the disk, None = all of it; ``pack``: None where none are kept.

    ``first_sweep_s``: seconds to the first sweep.
    """

    budget_bytes: int | None = None
    pack: Callable[[Job], Awaitable[None]] | None = None
    first_sweep_s: float = 600.0


class Housekeeping:
    """Sweeps each day, and every ten minutes while space is short."""

    def __init__(self, premises: Premises, space: Space, duties: Duties, ring: Callable[[], None]) -> None:
        """``ring`` is called after each commit."""
        self._on = premises
        self._space = space
        self._duties = duties
        self._ring = ring
        self._sweep = Sweep(premises, ring)
        now = premises.clock.monotonic()
        self._counted_at = now
        self._next_sweep = now + duties.first_sweep_s
        self._next_short = now
        self._must_finish = True
        self._must_fold = False
        self._packed_after = space.shortages

    async def watch_space(self) -> None:
        """Ask the file system every two seconds until cancelled.

        Raises:
            LedgerFailed: it became read-only.
        """
        while True:
            await self._on.lane.run(self._space.look)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def run(self) -> None:
        """Keep house until cancelled."""
        while True:
            try:
                await self.look()
            except TryLater as problem:
                events.housekeeping_postponed(problem.code)
                await asyncio.sleep(_REST_S)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Do what is due now.

        Raises:
            TryLater: not now; all of it is tried again.
        """
        if self._must_finish:
            await self._sweep.finish_last()
            self._must_finish = False
        await self._note_holds()
        await self._note_departures()
        now = self._on.clock.monotonic()
        if now >= self._next_sweep:
            self._next_sweep = now + _SHORT_SWEEP_EVERY_S  # should it not come to its end
            await self.sweep()
            self._next_sweep = now + _SWEEP_EVERY_S
        elif self._space.need_bytes and now >= self._next_short:
            await self.make_room()
            self._next_short = now + _SHORT_SWEEP_EVERY_S
        await self._pack_late()
        if self._must_fold:
            await self._on.ledger.call(Ledger.fold_log)
            self._must_fold = False

    async def sweep(self) -> None:
        """Do the daily work: files first, then rows of the journal, then identifiers; the look then folds the write-ahead log in.

        Folding waits for whoever reads the ledger, which is no reason to sweep again.
        """
        rules = await self._sweep.rules(self._ran())
        need, budget = self._space.need_bytes, self._duties.budget_bytes
        if budget is not None:
            need = max(need, await self._sweep.used_bytes() - budget)
        await self._sweep.things(rules, need)
        await self._sweep.rows(rules)
        await self._sweep.identifiers(rules)
        self._must_fold = True

    async def make_room(self) -> None:
        """Let go of what may go when space is short, and of expired rows."""
        rules = await self._sweep.rules(self._ran())
        await self._sweep.things(rules, self._space.need_bytes)
        await self._sweep.rows(rules)

    def _ran(self) -> timedelta:
        before, self._counted_at = self._counted_at, self._on.clock.monotonic()
        return timedelta(seconds=self._counted_at - before)

    async def _note_holds(self) -> None:
        """Journal the holds that were placed or released since the last look; files say what holds."""
        found = set(await self._on.lane.run(held_by_file, self._on.state_dir))
        known = await self._on.ledger.call(Ledger.transact, eviction.holds)
        for scan in sorted(found - known.keys()):
            reason = await self._on.lane.run(_reason, hold_file(self._on.state_dir, ScanId(scan)))
            await self._note_hold(ScanId(scan), HELD, reason)
        for scan in sorted(known.keys() - found):
            await self._note_hold(scan, RELEASED, known[scan])

    async def _note_hold(self, scan: ScanId, code: str, reason: str) -> None:
        now = self._on.clock.now()
        cause = f"{code} {now.isoformat()}"
        entry = audit_entry(self._on.site, CodeParams(code=code, params={"reason": reason}), cause, now, About(scan))
        noted = partial(eviction.note_hold, scan=scan, reason=reason if code == HELD else None, at=now)
        await self._on.ledger.call(Ledger.transact, noted, lambda _done: entry)
        events.hold_changed(scan, code)
        self._ring()

    async def _note_departures(self) -> None:
        """Journal what commands are about to take away in clear; they wait for it."""
        for note, departure in await self._on.lane.run(noted_departures, self._on.state_dir):
            appended = await self._on.ledger.call(Ledger.append, departure.entry(self._on.site, self._on.clock.now()))
            await self._on.lane.run(partial(note.unlink, missing_ok=True))
            if appended.is_new:
                self._ring()

    async def _pack_late(self) -> None:
        """Write the packages that had to wait, once there is space again; a few at a time, for other duties come between."""
        shortages = self._space.shortages
        if self._duties.pack is None or not self._space.keeps_extras or shortages == self._packed_after:
            return
        jobs = await self._on.ledger.call(Ledger.unpacked, _PACKAGES_AT_ONCE)
        for job in jobs:
            await self._duties.pack(job)
        if len(jobs) < _PACKAGES_AT_ONCE:
            self._packed_after = shortages


def _reason(path: Path) -> str:
    """Give the reason code in a hold's file; what cannot be read is a hold all the same."""
    try:
        return str(json.loads(path.read_text("utf-8"))["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"
