"""From settled drops to accepted jobs: copy, decide, give the copies their place, register. From then on we answer for them.

A batch is copied together, brought to the disk together and registered in one transaction: on a disk that takes milliseconds to
confirm a write, a backlog of thousands would otherwise take hours.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from edge_agent.agent.declarations import Declarations
from edge_agent.agent.decoders import Decoders
from edge_agent.agent.handed_over import said_by_vendor, tokens_of
from edge_agent.agent.lanes import Lane
from edge_agent.agent.particulars import Context, Declared, from_customs, gather, metadata_digest
from edge_agent.agent.ports import Point
from edge_agent.agent.scanner import Scanner
from edge_agent.agent.selection_lists import SelectionLists
from edge_agent.agent.storage import Storage
from edge_agent.domain.arrival import (
    Arrival,
    Decision,
    DuplicateOf,
    MetadataRevision,
    NewRevision,
    NewScan,
    Particulars,
    decide,
)
from edge_agent.domain.assessment import Reason
from edge_agent.domain.clock import Clock
from edge_agent.domain.drop import Drop, ProbeResult
from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import DropKey, ScanId, ScannerId, SiteId, content_digest
from edge_agent.errors import DiskLow, TryLater
from edge_agent.intake.spool import Placement, Spooled
from edge_agent.ledger.audit import About, audit_entry
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Acceptance, Entry
from edge_agent.telemetry import events
from edge_agent.wire.messages import CodeParams

COPIES_AT_ONCE = 8
"""Threads that copy one scanner's drops: while one waits for the disk, the next writes."""


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
    selections: SelectionLists | None = None

    async def declared(self, identities: Sequence[IdentityValue], taken_at: datetime) -> Declared | None:
        """Give what the customs system declares for a scan with these identifiers, taken then; None when it knows nothing of it."""
        if self.declarations is None:
            return None
        linked = await self.spool_lane.run(self.declarations.find, identities, taken_at)
        if linked is None:
            return None
        named = tuple(dict.fromkeys(identity for record in linked.records for identity in record.identities))
        return from_customs(linked, await tokens_of(named, self.storage.ledger))


@dataclass(frozen=True, slots=True)
class Settled:
    """A drop that is to be taken, with what the probe said of it. ``missing``: roles that had not come; ``priority``: of its job."""

    drop: Drop
    result: ProbeResult
    missing: tuple[str, ...]
    priority: int


@dataclass(frozen=True, slots=True)
class _Copied:
    """A settled drop with its copy, and what its side-car and the customs system say."""

    settled: Settled
    spooled: Spooled
    particulars: Particulars
    arrival: Arrival
    spool_ms: float


@dataclass(frozen=True, slots=True)
class _Decided:
    """A copied drop and what it is."""

    copied: _Copied
    decision: Decision


class Accepting:
    """Takes the settled drops of one scanner."""

    def __init__(self, scanner: Scanner, intake: Intake, lane: Lane, window: timedelta) -> None:
        """``lane``: where this scanner's own folder is read; ``window``: how long new pixels under a known name are a revision."""
        self._scanner = scanner
        self._scanner_id = ScannerId(scanner.section.id)
        self._intake = intake
        self._lane = lane
        self._window = window
        self._tell: tuple[Callable[[], None], ...] = ()

    def announce_to(self, *tell: Callable[[], None]) -> None:
        """Call these after each acceptance, on the loop's thread."""
        self._tell = tell

    async def take(self, batch: Sequence[Settled]) -> Mapping[DropKey, TryLater]:
        """Take a batch; give what could not be taken now, and why."""
        problems: dict[DropKey, TryLater] = {}
        copies = [one for one in await asyncio.gather(*(self._copied(settled, problems) for settled in batch)) if one is not None]
        async with self._intake.registering:
            decided: list[_Decided] = []
            for copied in copies:
                if any(_may_meet(copied, before.copied) for before in decided):
                    await self._register(decided, problems)
                    decided = []
                decided.append(_Decided(copied, await self._decide(copied.arrival, copied.particulars)))
            await self._register(decided, problems)
        return problems

    async def _copied(self, settled: Settled, problems: dict[DropKey, TryLater]) -> _Copied | None:
        """Copy a drop and find out about it."""
        intake, clock, drop = self._intake, self._intake.clock, settled.drop
        started = clock.monotonic()
        if not intake.storage.room.admits(sum(member.size for member in drop.members)):
            problems[drop.key] = DiskLow("the disk is too full to accept a scan")
            return None
        intake.storage.faults.reached(Point.SPOOL_BEFORE_COPY)
        try:
            spooled = await self._lane.run(intake.storage.spool.copy, drop, self._scanner.profile)
        except TryLater as problem:
            problems[drop.key] = problem
            return None
        spool_ms = (clock.monotonic() - started) * 1000.0
        try:
            particulars = await self._particulars(settled)
        except TryLater as problem:
            problems[drop.key] = problem
            await intake.spool_lane.run(intake.storage.spool.discard, spooled)
            return None
        arrival = Arrival(intake.site, self._scanner_id, drop.key, _pixels_digest(spooled), metadata_digest(particulars))
        return _Copied(settled, spooled, particulars, arrival, spool_ms)

    async def _particulars(self, settled: Settled) -> Particulars:
        intake, sidecar = self._intake, settled.result.sidecar
        identities = sidecar.identities if sidecar is not None else ()
        written_at = datetime.fromtimestamp(max(member.mtime_ns for member in settled.drop.members) / 1e9, UTC)
        taken_at = sidecar.taken_at.at if sidecar is not None and sidecar.taken_at is not None else written_at
        tokens = await tokens_of(identities, intake.storage.ledger)
        if intake.declarations is not None:
            await intake.spool_lane.run(intake.declarations.refresh)
        declared = await intake.declared(identities, taken_at)
        selection = intake.selections.reason_for(identities, self._scanner_id, taken_at) if intake.selections is not None else None
        context = Context(self._scanner.section.subject, written_at, tokens, declared, selection)
        return gather(settled.result, settled.missing, context)

    async def _decide(self, arrival: Arrival, particulars: Particulars) -> Decision:
        identifiers = particulars.subject.identifiers
        known = await self._intake.storage.ledger.call(
            Ledger.known, self._scanner_id, arrival.drop_key, arrival.content_digest, identifiers
        )
        return decide(arrival, known, self._intake.clock.now(), self._window)

    async def _register(self, decided: Sequence[_Decided], problems: dict[DropKey, TryLater]) -> None:
        """Give copies their places and register them in one transaction; then say so."""
        if not decided:
            return
        storage = self._intake.storage
        try:
            acceptances = await self._intake.spool_lane.run(self._placed, decided)
            _reached_all(storage, Point.REGISTER_BEFORE, decided)
            await storage.ledger.call(Ledger.accept, acceptances)
        except TryLater as problem:
            if isinstance(problem, DiskLow):
                storage.room.ran_out()
            for one in decided:
                problems[one.copied.settled.drop.key] = problem
                await self._intake.spool_lane.run(storage.spool.discard, one.copied.spooled)
            return
        _reached_all(storage, Point.REGISTER_AFTER, decided)
        for one in decided:
            decision = one.decision
            events.scan_accepted(self._scanner_id, decision.scan_id, _revision(decision), type(decision).__name__, one.copied.spool_ms)
        for tell in self._tell:
            tell()

    def _placed(self, decided: Sequence[_Decided]) -> list[Acceptance]:
        """Give the copies their places, or remove those that hold nothing new; say what to register."""
        storage = self._intake.storage
        _reached_all(storage, Point.SPOOL_BEFORE_RENAME, decided)
        placements: list[Placement] = []
        for one in decided:
            match one.decision:
                case NewScan(scan_id):
                    placements.append(Placement(one.copied.spooled, scan_id, 1))
                case NewRevision(scan_id, revision):
                    placements.append(Placement(one.copied.spooled, scan_id, revision))
                case MetadataRevision():
                    self._keep_sidecars(one.copied.spooled)
        storage.spool.place(placements, self._lane.fan)
        placed = {placement.spooled.folder for placement in placements}
        for one in decided:
            if one.copied.spooled.folder not in placed:
                storage.spool.discard(one.copied.spooled)
        _reached_all(storage, Point.SPOOL_AFTER_RENAME, decided)
        return [self._acceptance(one) for one in decided]

    def _acceptance(self, one: _Decided) -> Acceptance:
        copied, settled, decision = one.copied, one.copied.settled, one.decision
        particulars, where = copied.particulars, ""
        entries = said_by_vendor(self._intake.site, self._scanner_id, decision, settled.result.sidecar, self._intake.clock.now())
        match decision:
            case NewScan(scan_id, twin):
                where = f"spool/{scan_id}/r1"
                if twin is not None:
                    particulars = replace(particulars, notes=(*particulars.notes, Reason("pixels-seen-before", {"twin": twin})))
            case NewRevision(scan_id, revision) | MetadataRevision(scan_id, revision):
                where = f"spool/{scan_id}/r{revision}"
            case DuplicateOf(scan_id):
                entries = (self._duplicate(scan_id, copied.arrival),)
        fingerprint, digests = settled.drop.fingerprint, copied.spooled.digests
        return Acceptance(decision, copied.arrival, fingerprint, digests, particulars, where, settled.priority, entries)

    def _keep_sidecars(self, spooled: Spooled) -> None:
        """Keep what came beside known pixels as erasable blobs; the pixels are kept already."""
        for digest in spooled.digests:
            if not digest.is_pixels:
                self._intake.storage.maps.blobs.put((spooled.folder / digest.name).read_bytes())

    def _duplicate(self, scan_id: ScanId, arrival: Arrival) -> Entry:
        """Journal that a scan was delivered again under another name. The name itself stays out: it often holds a container number."""
        cause = f"duplicate-{arrival.content_digest}-{arrival.metadata_digest}"
        event = CodeParams(code="duplicate-of", params={"scan_id": scan_id})
        return audit_entry(self._intake.site, event, cause, self._intake.clock.now(), About(scan_id, scanner=self._scanner_id))


def _may_meet(one: _Copied, other: _Copied) -> bool:
    """Say whether what one of two drops is may depend on the other: same name or same pixels; then they are registered in turn."""
    return one.arrival.drop_key == other.arrival.drop_key or (
        one.arrival.content_digest is not None and one.arrival.content_digest == other.arrival.content_digest
    )


def _reached_all(storage: Storage, point: Point, decided: Sequence[_Decided]) -> None:
    for one in decided:
        storage.faults.reached(point, one.decision.scan_id)


def _pixels_digest(spooled: Spooled) -> str | None:
    """Give the digest by which pixels are known again; empty files hold none, and would all be alike."""
    pixels = [(digest.role, digest.sha256) for digest in spooled.digests if digest.is_pixels and digest.size]
    return content_digest(pixels) if pixels else None


def _revision(decision: Decision) -> int:
    return decision.revision if isinstance(decision, NewRevision | MetadataRevision) else 1
