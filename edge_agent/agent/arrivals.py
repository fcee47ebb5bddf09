"""One scanner's folder, from files to accepted jobs: look, settle, probe, copy, decide, register.

Events only ring the bell. What is true is found by looking at the folder and at the ledger, so nothing depends on an event having
come, on the process having been up, or on the share having been mounted.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from edge_agent.agent.config import AgentSections, Scanner
from edge_agent.agent.declarations import Declarations
from edge_agent.agent.decoders import Decoders
from edge_agent.agent.feed import Doorbell, rung
from edge_agent.agent.handed_over import said_by_vendor, tokens_of
from edge_agent.agent.lanes import Lane
from edge_agent.agent.particulars import Context, Declared, from_customs, gather, metadata_digest
from edge_agent.agent.pipeline import Storage
from edge_agent.domain.arrival import (
    Arrival,
    Decision,
    DuplicateOf,
    MetadataRevision,
    NewRevision,
    NewScan,
    Particulars,
    Unchanged,
    decide,
)
from edge_agent.domain.assessment import FactKind, Reason
from edge_agent.domain.clock import Clock
from edge_agent.domain.drop import Completeness, Drop, ProbeResult
from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import DropKey, ScanId, ScannerId, SiteId, content_digest, fact_id
from edge_agent.errors import ScanRejected, TryLater
from edge_agent.formats.members import MemberFile
from edge_agent.intake.grouping import group, is_unknown
from edge_agent.intake.reconcile import read_folder, unseen
from edge_agent.intake.settle import Action, Fingerprint, Step, Watched, next_step, probed, refused, survey
from edge_agent.intake.spool import Spooled
from edge_agent.intake.watcher import Watcher
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Acceptance, Entry
from edge_agent.telemetry import events
from edge_agent.wire import messages
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import AuditBody, CodeParams

_SOONEST_S = 0.05


@dataclass(frozen=True, slots=True)
class Intake:
    """What the arrivals of all scanners of a site share."""

    site: SiteId
    storage: Storage
    decoders: Decoders
    spool_lane: Lane
    declarations: Declarations | None
    clock: Clock
    registering: asyncio.Lock
    """Held from asking what is known of a scan until its acceptance is on the disk."""

    async def declared(self, identities: Sequence[IdentityValue], taken_at: datetime) -> Declared | None:
        """Give what the customs system declares for a scan with these identifiers, taken then; None when it knows nothing of it."""
        if self.declarations is None:
            return None
        linked = await self.spool_lane.run(self.declarations.find, identities, taken_at)
        if linked is None:
            return None
        named = tuple(dict.fromkeys(identity for record in linked.records for identity in record.identities))
        return from_customs(linked, await tokens_of(named, self.storage.ledger))


class Arrivals:
    """Follows one scanner's folder."""

    def __init__(self, scanner: Scanner, intake: Intake, sections: AgentSections) -> None:
        self.scanner_id = ScannerId(scanner.section.id)
        self.is_lost = False
        """Whether the folder could not be read at the last look."""
        self._scanner = scanner
        self._intake = intake
        self._reconcile_s = sections.reconcile_s
        self._window = timedelta(days=sections.revision_window_days)
        self._bell = Doorbell()
        self._watched: Mapping[DropKey, Watched] = {}
        self._tell: tuple[Callable[[], None], ...] = ()

    def announce_to(self, *tell: Callable[[], None]) -> None:
        """Call these after each acceptance, on the loop's thread."""
        self._tell = tell

    def ring(self) -> None:
        """Say that there may be something to see. To be called on the loop's thread."""
        self._bell.ring()

    async def run(self, stop: asyncio.Event) -> None:
        """Look, act and wait until ``stop``."""
        loop = asyncio.get_running_loop()
        seen = await self._intake.storage.ledger.call(Ledger.seen, self.scanner_id)
        watcher: Watcher | None = None

        def hint() -> None:
            loop.call_soon_threadsafe(self.ring)

        try:
            while not stop.is_set():
                turn = self._bell.turn()
                watcher = self._watching(watcher, hint)
                wait_s = await self._look(seen, stop)
                if wait_s > 0 and not stop.is_set():
                    await rung(turn, wait_s)
        finally:
            if watcher is not None:
                watcher.stop()

    def _watching(self, watcher: Watcher | None, ring: Callable[[], None]) -> Watcher | None:
        """Give a watcher that works, or none while the folder is away; sweeps go on either way."""
        if watcher is not None and watcher.is_alive():
            return watcher
        if watcher is not None:
            watcher.stop()
        fresh = Watcher(self._scanner.section.watch, ring)
        try:
            fresh.start()
        except TryLater:
            return None
        return fresh

    async def _look(self, seen: dict[DropKey, Fingerprint], stop: asyncio.Event) -> float:
        """Look at the folder once and take every step that is due; give the seconds until the next look."""
        profile, clock = self._scanner.profile, self._intake.clock
        try:
            files = await self._intake.spool_lane.run(read_folder, self._scanner.section.watch, profile.ignores)
        except TryLater as problem:
            if not self.is_lost:
                events.folder_lost(self.scanner_id, problem.code)
            self.is_lost = True
            return min(self._reconcile_s, 2.0)
        if self.is_lost:
            self.is_lost = False
            events.folder_found(self.scanner_id)
        drops = unseen(group(self.scanner_id, files, profile), seen)
        found = survey(self._watched, drops, clock.monotonic())
        gone = [key for key in found.vanished if key not in seen]
        if gone:
            events.drop_vanished(self.scanner_id, len(gone))
        self._watched = {}
        again_at = clock.monotonic() + self._reconcile_s
        for key, watched in found.watched.items():
            if stop.is_set():
                return 0.0
            kept, due = await self._advance(watched, seen)
            if kept is not None:
                self._watched = {**self._watched, key: kept}
                again_at = min(again_at, due)
        return max(again_at - clock.monotonic(), _SOONEST_S)

    async def _advance(self, watched: Watched, seen: dict[DropKey, Fingerprint]) -> tuple[Watched | None, float]:
        """Take one drop as far as it can go now; give what is still to be watched, and when to look again."""
        clock, profile = self._intake.clock, self._scanner.profile
        try:
            step = next_step(watched, profile, clock.monotonic())
            if step.action is Action.PROBE:
                watched = probed(watched, await self._probe(watched.drop), clock.monotonic())
                step = next_step(watched, profile, clock.monotonic())
            if step.action in (Action.WAIT, Action.PROBE):
                return watched, step.again_at
            await self._take(watched, step)
        except TryLater as problem:
            events.scan_released(self.scanner_id, "", problem.code)
            return watched, clock.monotonic() + 1.0
        seen[watched.drop.key] = watched.drop.fingerprint
        return None, 0.0

    async def _probe(self, drop: Drop) -> ProbeResult:
        members = [MemberFile(member.name, member.role, member.path) for member in drop.members]
        try:
            return await self._intake.decoders.probe(members, self._scanner.profile)
        except ScanRejected as problem:
            return refused(drop, problem)

    async def _take(self, watched: Watched, step: Step) -> None:
        """Copy a settled drop, decide what it is, give the copy its place, and register it: from then on we answer for it."""
        storage, clock = self._intake.storage, self._intake.clock
        drop = watched.drop
        started = clock.monotonic()
        spooled = await self._intake.spool_lane.run(storage.spool.copy, drop, self._scanner.profile)
        spool_ms = (clock.monotonic() - started) * 1000.0
        try:
            decision = await self._register(drop, spooled, _probe_result(watched, step), step.missing)
        except TryLater:
            await self._intake.spool_lane.run(storage.spool.discard, spooled)
            raise
        events.scan_accepted(self.scanner_id, decision.scan_id, _revision(decision), type(decision).__name__, spool_ms)
        for tell in self._tell:
            tell()

    async def _register(self, drop: Drop, spooled: Spooled, result: ProbeResult, missing: tuple[str, ...]) -> Decision:
        """Decide what a copied drop is, give the copy its place, and register it."""
        storage, clock = self._intake.storage, self._intake.clock
        particulars = await self._particulars(drop, result, missing)
        arrival = Arrival(self._intake.site, self.scanner_id, drop.key, _pixels_digest(spooled), metadata_digest(particulars))
        identifiers = particulars.subject.identifiers
        async with self._intake.registering:
            known = await storage.ledger.call(Ledger.known, self.scanner_id, drop.key, arrival.content_digest, identifiers)
            decision = decide(arrival, known, clock.now(), self._window)
            acceptance = await self._intake.spool_lane.run(self._placed, decision, arrival, _Taken(drop, spooled, result), particulars)
            await storage.ledger.call(Ledger.accept, [acceptance])
        return decision

    async def _particulars(self, drop: Drop, result: ProbeResult, missing: tuple[str, ...]) -> Particulars:
        identities = result.sidecar.identities if result.sidecar is not None else ()
        written_at = datetime.fromtimestamp(max(member.mtime_ns for member in drop.members) / 1e9, UTC)
        taken_at = result.sidecar.taken_at.at if result.sidecar is not None and result.sidecar.taken_at is not None else written_at
        tokens = await tokens_of(identities, self._intake.storage.ledger)
        if self._intake.declarations is not None:
            await self._intake.spool_lane.run(self._intake.declarations.refresh)
        declared = await self._intake.declared(identities, taken_at)
        return gather(result, missing, Context(self._scanner.section.subject, written_at, tokens, declared))

    def _placed(self, decision: Decision, arrival: Arrival, taken: "_Taken", particulars: Particulars) -> Acceptance:
        """Give the copy its place (or remove it when it holds nothing new), and say what to register."""
        spooled, sidecar = taken.spooled, taken.result.sidecar
        spool, root = self._intake.storage.spool, self._intake.storage.state_dir
        where = ""
        entries = said_by_vendor(self._intake.site, self.scanner_id, decision, sidecar, self._intake.clock.now())
        match decision:
            case NewScan(scan_id, twin):
                where = str(spool.place(spooled, scan_id, 1).relative_to(root))
                if twin is not None:
                    note = Reason("pixels-seen-before", {"twin": twin})
                    particulars = replace(particulars, notes=(*particulars.notes, note))
            case NewRevision(scan_id, revision):
                where = str(spool.place(spooled, scan_id, revision).relative_to(root))
            case MetadataRevision(scan_id, revision):
                self._keep_sidecars(spooled)
                spool.discard(spooled)
                where = f"spool/{scan_id}/r{revision}"
            case DuplicateOf(scan_id):
                spool.discard(spooled)
                entries = (self._duplicate(scan_id, arrival),)
            case Unchanged():
                spool.discard(spooled)
        priority = self._scanner.section.priority
        return Acceptance(decision, arrival, taken.drop.fingerprint, spooled.digests, particulars, where, priority, entries)

    def _keep_sidecars(self, spooled: Spooled) -> None:
        """Keep what came beside known pixels as erasable blobs; the pixels are kept already."""
        for digest in spooled.digests:
            if not digest.is_pixels:
                self._intake.storage.maps.blobs.put((spooled.folder / digest.name).read_bytes())

    def _duplicate(self, scan_id: ScanId, arrival: Arrival) -> Entry:
        """Journal that a scan was delivered again under another name. The name itself stays out: it often holds a container number."""
        cause = f"duplicate-{arrival.content_digest}-{arrival.metadata_digest}"
        fact = fact_id(scan_id, FactKind.AUDIT.value, 0, cause)
        body = AuditBody(
            schema="audit/1.0",
            fact_id=fact,
            site=self._intake.site,
            scanner=self.scanner_id,
            scan_id=scan_id,
            revision=0,
            cause=cause,
            produced_at=self._intake.clock.now(),
            event=CodeParams(code="duplicate-of", params={"scan_id": scan_id}),
        )
        where = topic(self._intake.site, self.scanner_id, FactKind.AUDIT.value)
        return Entry(fact, scan_id, FactKind.AUDIT, where, messages.encode(body))


@dataclass(frozen=True, slots=True)
class _Taken:
    """A drop with its copy and what the probe said of it."""

    drop: Drop
    spooled: Spooled
    result: ProbeResult


def _probe_result(watched: Watched, step: Step) -> ProbeResult:
    """Give what was found out about a drop; an unknown file was never probed."""
    if watched.result is not None:
        return watched.result
    reason = step.reason if is_unknown(watched.drop) else ""
    return ProbeResult(Completeness.HOPELESS, (), None, None, reason)


def _pixels_digest(spooled: Spooled) -> str | None:
    """Give the digest by which pixels are known again; empty files hold none, and would all be alike."""
    pixels = [(digest.role, digest.sha256) for digest in spooled.digests if digest.is_pixels and digest.size]
    return content_digest(pixels) if pixels else None


def _revision(decision: Decision) -> int:
    return decision.revision if isinstance(decision, NewRevision | MetadataRevision) else 1
