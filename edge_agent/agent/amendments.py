"""Declarations that come late or are amended: scans accepted lately are concluded again under them, without inference.

A declaration that disappears changes nothing, for customs systems rotate their files.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from edge_agent.agent.accepting import Intake
from edge_agent.agent.declarations import Declarations
from edge_agent.agent.feed import Doorbell, rung
from edge_agent.agent.particulars import amended, metadata_digest
from edge_agent.domain.arrival import Arrival, MetadataRevision, Particulars
from edge_agent.domain.identity import IdentityValue
from edge_agent.errors import TryLater
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Acceptance, Fingerprint, Job
from edge_agent.telemetry import events

_LOOK_EVERY_S = 2.0
_BATCH = 100


class Amendments:
    """Watches the customs system's declarations and makes metadata revisions of the scans that they change."""

    def __init__(self, intake: Intake, declarations: Declarations, window: timedelta) -> None:
        """``window``: how long after its acceptance a scan is linked anew."""
        self._intake = intake
        self._declarations = declarations
        self._window = window
        self._tell: tuple[Callable[[], None], ...] = ()
        self._bell = Doorbell()
        self._edition = 0

    def announce_to(self, *tell: Callable[[], None]) -> None:
        """Call these after each acceptance, on the loop's thread."""
        self._tell = tell

    def ring(self) -> None:
        """Look now. To be called on the loop's thread."""
        self._bell.ring()

    async def run(self, stop: asyncio.Event) -> None:
        """Look every two seconds until ``stop``; the first look takes in what changed while the process was down."""
        while not stop.is_set():
            turn = self._bell.turn()
            try:
                await self.look()
            except TryLater as problem:
                events.declarations_postponed(problem.code)
            await rung(turn, _LOOK_EVERY_S)

    async def look(self) -> int:
        """Take in what changed since the last look; give how many scans are concluded again.

        Raises:
            TryLater: not now; what was not taken in is taken in at the next look.
        """
        await self._intake.spool_lane.run(self._declarations.refresh)
        edition = self._declarations.edition
        if edition == self._edition:
            return 0
        since = self._intake.clock.now() - self._window
        jobs = await self._intake.storage.ledger.call(Ledger.newest_since, since)
        count = 0
        for start in range(0, len(jobs), _BATCH):
            count += await self._amend(jobs[start : start + _BATCH])
        self._edition = edition
        if count:
            events.declarations_amended(count)
        return count

    async def _amend(self, jobs: list[Job]) -> int:
        """Link a few scans anew. The lock keeps their own folders from accepting anything about them meanwhile."""
        ledger = self._intake.storage.ledger
        async with self._intake.registering:
            amended_jobs = [(job, new) for job in jobs if (new := await self._amended(job)) is not None]
            scanners = {job.scanner for job, _ in amended_jobs}
            seen = {scanner: await ledger.call(Ledger.seen, scanner) for scanner in scanners}
            acceptances = [self._acceptance(job, new, seen[job.scanner].get(job.drop_key, ())) for job, new in amended_jobs]
            if acceptances:
                await ledger.call(Ledger.accept, acceptances)
                for tell in self._tell:
                    tell()
        return len(acceptances)

    async def _amended(self, job: Job) -> Particulars | None:
        """Give the particulars that a scan has from now on; None when nothing changed for it."""
        particulars = await self._under_todays(job.particulars)
        if particulars is None or metadata_digest(particulars) == metadata_digest(job.particulars):
            return None
        ledger = self._intake.storage.ledger
        newest = await ledger.call(Ledger.known, job.scanner, job.drop_key, None, ())
        if newest.drop is None or (newest.drop.scan_id, newest.drop.revision, newest.drop.metadata_revision) != (
            job.scan_id,
            job.revision,
            job.metadata_revision,
        ):
            return None  # its folder brought something newer since the list was made; that was linked to today's declarations already
        return particulars

    def _acceptance(self, job: Job, particulars: Particulars, fingerprint: Fingerprint) -> Acceptance:
        decision = MetadataRevision(job.scan_id, job.revision, job.metadata_revision + 1)
        arrival = Arrival(self._intake.site, job.scanner, job.drop_key, None, metadata_digest(particulars))
        return Acceptance(decision, arrival, fingerprint, job.members, particulars, job.spool, job.priority)

    async def _under_todays(self, particulars: Particulars) -> Particulars | None:
        """Give the particulars under the declaration that counts today; None when there is none."""
        subject = particulars.subject
        rows = await self._intake.storage.ledger.call(Ledger.identities, subject.identifiers)
        identities = tuple(IdentityValue(row.kind, row.value) for row in rows if row.value is not None)
        declared = await self._intake.declared(identities, particulars.capture.taken_at.at)
        return None if declared is None else amended(particulars, declared)
