"""One scanner's folder, from files to accepted jobs: look, settle, probe, take.

Events only ring the bell. What is true is found by looking at the folder and at the ledger, so nothing depends on an event having
come, on the process having been up, or on the share having been mounted. Where no events come, the folder is looked at regularly.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from edge_agent.agent.accepting import Accepting, Intake, Settled
from edge_agent.agent.feed import Doorbell, rung
from edge_agent.agent.lanes import Lane
from edge_agent.agent.scanner import Scanner, ScannerSection
from edge_agent.agent.sections import AgentSections
from edge_agent.domain.drop import Completeness, ProbeResult
from edge_agent.domain.ids import DropKey, ScannerId
from edge_agent.errors import DiskLow, ScanRejected, TryLater
from edge_agent.formats.members import MemberFile
from edge_agent.intake.grouping import is_unknown
from edge_agent.intake.look import MOST_DUE, Folder, Look, look
from edge_agent.intake.mounts import needs_polling
from edge_agent.intake.settle import Action, Fingerprint, Step, Watched, next_step, postponed, probed, refused
from edge_agent.intake.watcher import Watcher, file_system_of
from edge_agent.ledger.ledger import Ledger
from edge_agent.telemetry import events

_SOONEST_S = 0.05
_POLL_S = 2.0
_BATCH = 32
_SHARE = 4.0
"""A look at a large folder is followed by so many times its own duration of work, and of rest while nothing rings."""
_LEAST_WORK_S = 1.0
_LONG_LOOK_S = 0.25
_PATIENCE_S = 20.0
_DISK_PAUSE_S = 5.0
_BACKLOG = 100


@dataclass(frozen=True, slots=True)
class Watching:
    """How a folder is watched: whether by looking regularly, and on which kind of file system it lies."""

    by_polling: bool
    file_system: str

    @property
    def word(self) -> str:
        """Give ``polling`` or ``events``."""
        return "polling" if self.by_polling else "events"


def watching_of(section: ScannerSection) -> Watching:
    """Say how a scanner's folder is to be watched, as it is mounted now."""
    kind = file_system_of(section.watch)
    return Watching(section.watch_by == "polling" or (section.watch_by == "auto" and needs_polling(kind)), kind)


class Arrivals:
    """Follows one scanner's folder."""

    def __init__(self, scanner: Scanner, intake: Intake, sections: AgentSections, lane: Lane) -> None:
        """``lane``: this scanner's own, for a share that hangs must not hold up the other scanners."""
        self.scanner_id = ScannerId(scanner.section.id)
        self.is_lost = False
        """Whether the folder could not be read at the last look, or the look has not come back for long."""
        self.overdue = 0
        """Drops that are still written to, or cannot be read, long after their deadlines."""
        self.waiting = 0
        """Drops that lie in the folder and are not accepted yet, as of the last look."""
        self.watching: Watching | None = None
        """How the folder is watched, None until it was reached."""
        self._scanner = scanner
        self._intake = intake
        self._folder = Folder(self.scanner_id, scanner.section.watch, scanner.profile)
        self._lane = lane
        self._accepting = Accepting(scanner, intake, lane, timedelta(days=sections.revision_window_days))
        self._reconcile_s = sections.reconcile_s
        self._bell = Doorbell()
        self._seen: dict[DropKey, Fingerprint] = {}
        self._watched: dict[DropKey, Watched] = {}
        self._began = 0.0
        self._look_s = 0.0
        self._rest_s = _POLL_S

    def announce_to(self, *tell: Callable[[], None]) -> None:
        """Call these after each acceptance, on the loop's thread."""
        self._accepting.announce_to(*tell)

    def ring(self) -> None:
        """Say that there may be something to see. To be called on the loop's thread."""
        self._bell.ring()

    async def run(self, stop: asyncio.Event) -> None:
        """Look, act and wait until ``stop``."""
        loop = asyncio.get_running_loop()
        self._seen = await self._intake.storage.ledger.call(Ledger.seen, self.scanner_id)
        watcher: Watcher | None = None

        def hint() -> None:
            loop.call_soon_threadsafe(self.ring)

        try:
            while not stop.is_set():
                turn = self._bell.turn()
                wait_s = await self._look(stop)
                watcher = await self._lane.run(self._followed, watcher, hint)
                if wait_s > 0 and self._look_s > _LONG_LOOK_S:
                    await rung(stop, self._look_s)  # however often it rings, looking takes no more than half of the time
                if wait_s > 0 and not stop.is_set():
                    await rung(turn, wait_s if watcher is not None else min(wait_s, self._rest_s))
        finally:
            if watcher is not None:
                watcher.stop()

    def _followed(self, watcher: Watcher | None, ring: Callable[[], None]) -> Watcher | None:
        """Give a watcher that works; none where others may write unseen, or while the folder is away. On the lane."""
        if watcher is not None and watcher.is_alive():
            return watcher
        if watcher is not None:
            watcher.stop()
        if self.is_lost:
            return None
        watching = watching_of(self._scanner.section)
        fresh = Watcher(self._folder.watch, ring)
        if not watching.by_polling:
            try:
                fresh.start()
            except TryLater:  # no more watches allowed, or the folder went away just now
                watching = Watching(by_polling=True, file_system=watching.file_system)
        if watching != self.watching:
            self.watching = watching
            events.folder_watched(self.scanner_id, watching.word, watching.file_system)
        if watching.by_polling:
            return None
        ring()  # what came between the look and the start of the watch caused no event
        return fresh

    async def _look(self, stop: asyncio.Event) -> float:
        """Look at the folder once and take steps that are due; give the seconds until the next look."""
        clock = self._intake.clock
        started = clock.monotonic()
        seen = await self._found(stop)
        if seen is None:
            return min(self._reconcile_s, _POLL_S)
        look_s = clock.monotonic() - started
        self._look_s, self._rest_s = look_s, max(_POLL_S, _SHARE * look_s)
        self._report(seen)
        self._watched = seen.watched
        for key in seen.gone:  # or memory would grow with every scan there ever was; the ledger still knows them
            self._seen.pop(key, None)
        self._began = self._began or max((one.first_seen for one in seen.watched.values()), default=clock.monotonic())
        again_at = min(seen.again_at or started + self._reconcile_s, started + self._reconcile_s)
        until = clock.monotonic() + max(_LEAST_WORK_S, _SHARE * look_s)
        for start in range(0, len(seen.due), _BATCH):
            if stop.is_set() or clock.monotonic() >= until:
                return 0.0
            due = await self._advance(seen.due[start : start + _BATCH])
            if due is None:
                return _DISK_PAUSE_S
            again_at = min(again_at, due)
        if len(seen.due) == MOST_DUE:
            return 0.0
        return max(again_at - clock.monotonic(), _SOONEST_S)

    async def _found(self, stop: asyncio.Event) -> Look | None:
        """Look; None when the folder is away. A look that does not come back is waited for, and the folder counts as lost meanwhile."""
        looking = asyncio.ensure_future(self._lane.run(look, self._folder, self._seen, self._watched, self._intake.clock.monotonic))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            done, _ = await asyncio.wait({looking, stopping}, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            if looking not in done and not stop.is_set():
                self._lose("folder-hangs")
                await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not looking.done():
                return None
            found = looking.result()
        except TryLater as problem:
            self._lose(problem.code)
            return None
        finally:
            stopping.cancel()
            looking.cancel()
        if self.is_lost:
            self.is_lost = False
            events.folder_found(self.scanner_id)
        return found

    def _lose(self, code: str) -> None:
        if not self.is_lost:
            events.folder_lost(self.scanner_id, code)
        self.is_lost = True

    def _report(self, found: Look) -> None:
        """Say what a person may want to know of a look: once when it becomes so, not at every look."""
        if found.vanished:
            events.drop_vanished(self.scanner_id, found.vanished)
        if found.overdue and not self.overdue:
            events.drop_overdue(self.scanner_id, found.overdue)
        if len(found.watched) >= _BACKLOG > self.waiting:
            events.backlog_found(self.scanner_id, len(found.watched))
        if len(found.watched) < _BACKLOG <= self.waiting:
            events.backlog_taken(self.scanner_id)
        self.overdue, self.waiting = found.overdue, len(found.watched)

    async def _advance(self, batch: Sequence[Watched]) -> float | None:
        """Take drops as far as they can go now; give when to look at one of them again, None when our disk is full."""
        clock, profile = self._intake.clock, self._scanner.profile
        again_at = clock.monotonic() + self._reconcile_s
        settled: list[Settled] = []
        for watched in await asyncio.gather(*(self._probed(one) for one in await self._not_forgotten(batch))):
            self._watched[watched.drop.key] = watched
            step = next_step(watched, profile, clock.monotonic())
            if step.action in (Action.WAIT, Action.PROBE):
                again_at = min(again_at, step.again_at)
            else:
                settled.append(Settled(watched.drop, _probe_result(watched, step), step.missing, self._priority(watched)))
        problems = await self._accepting.take(settled)
        for one in settled:
            if one.drop.key not in problems:
                self._seen[one.drop.key] = one.drop.fingerprint
                del self._watched[one.drop.key]
        return self._put_off(problems, again_at)

    async def _not_forgotten(self, batch: Sequence[Watched]) -> list[Watched]:
        """Leave out what was dealt with, as the ledger knows: it was away for a while, or retention has forgotten its name."""
        drops = [(one.drop.key, one.drop.fingerprint) for one in batch]
        forgotten = set(await self._intake.storage.ledger.call(Ledger.forgotten, self.scanner_id, drops))
        for one in batch:
            if one.drop.key in forgotten:
                self._seen[one.drop.key] = one.drop.fingerprint
                self._watched.pop(one.drop.key, None)
        return [one for one in batch if one.drop.key not in forgotten]

    def _put_off(self, problems: Mapping[DropKey, TryLater], again_at: float) -> float | None:
        """Say when to try again what could not be taken; None when our disk is full, which is no drop's fault."""
        now = self._intake.clock.monotonic()
        for key, problem in problems.items():
            if isinstance(problem, DiskLow):
                events.scan_released(self.scanner_id, "", problem.code)
                return None
            self._watched[key] = self._postponed(self._watched[key], problem)
            again_at = min(again_at, max(self._watched[key].not_before, now))
        return again_at

    def _postponed(self, watched: Watched, problem: TryLater) -> Watched:
        events.scan_released(self.scanner_id, "", problem.code)
        return postponed(watched, self._intake.clock.monotonic())

    def _priority(self, watched: Watched) -> int:
        """What lay there when we came is a backlog, and is served a step after what comes now."""
        priority = self._scanner.section.priority
        return priority - 1 if watched.first_seen <= self._began else priority

    async def _probed(self, watched: Watched) -> Watched:
        """Ask the probe about a drop, if that is the next step."""
        clock = self._intake.clock
        if next_step(watched, self._scanner.profile, clock.monotonic()).action is not Action.PROBE:
            return watched
        members = [MemberFile(member.name, member.role, member.path) for member in watched.drop.members]
        try:
            result = await self._intake.decoders.probe(members, self._scanner.profile)
        except ScanRejected as problem:
            result = refused(watched.drop, problem)
        except TryLater as problem:
            return self._postponed(watched, problem)
        return probed(watched, result, clock.monotonic())


def _probe_result(watched: Watched, step: Step) -> ProbeResult:
    """Give what was found out about a drop; an unknown file was never probed."""
    if watched.result is not None:
        return watched.result
    reason = step.reason if is_unknown(watched.drop) else ""
    return ProbeResult(Completeness.HOPELESS, (), None, None, reason)
