"""One job through its lanes: decode, prepare, infer, interpret, conclude, commit; afterwards, the package."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from edge_agent.agent.assemble import Record, assemble, distinct, missing_views, with_attachments
from edge_agent.agent.decoders import Decoders
from edge_agent.agent.engine import Earlier, Engine, Judgement
from edge_agent.agent.maps import PREVIEW
from edge_agent.agent.packing import Packer
from edge_agent.agent.ports import Point
from edge_agent.agent.scanner import Scanner
from edge_agent.agent.storage import Storage
from edge_agent.analysis.deadline import Deadline
from edge_agent.domain.assessment import BlobRef, Fact, FactKind, MachineAssessment, MachineConclusion, Reason
from edge_agent.domain.capture import CaptureKind
from edge_agent.domain.geometry import Frame
from edge_agent.domain.ids import FactId, ScannerId, SiteId, fact_id
from edge_agent.domain.scan import Scan
from edge_agent.errors import DiskLow, DropUnavailable, OutOfTime, ScanRejected, TryLater, UnreadableScan, UnsupportedFormat
from edge_agent.formats.members import MemberFile
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry, Job, JobKind, LatestAssessment
from edge_agent.telemetry import events
from edge_agent.wire import convert, messages
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import AssessmentBody, IdentityPart

_BACK_OFF = timedelta(seconds=2)
WORKING_SET = 160
"""Bytes in memory at the worst moment for each byte of a plane: 140 to 172 with the shipped bundles, 16 bits, 600 to 1200 rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Assessed:
    """A scan with the notes of its reading, and the body that was journalled."""

    scan: Scan
    notes: tuple[Reason, ...]
    body: AssessmentBody


class Onlooker(Protocol):
    """Who looks at a scan again after its assessment was published (``agent.shadow.Shadow``)."""

    @property
    def problems(self) -> tuple[Reason, ...]:
        """Say why it does not look at every scan, for health."""

    def offer(self, assessed: Assessed) -> None:
        """Take the scan or leave it, at once; to be called on the loop's thread."""


class Pipeline:
    """Carries jobs from claim to commit. Every claimed job ends assessed, set aside, or released."""

    def __init__(self, site: SiteId, scanners: Mapping[ScannerId, Scanner], engine: Engine, decoders: Decoders, storage: Storage) -> None:
        self.onlooker: Onlooker | None = None
        """Set by the composition root where a bundle runs in shadow."""
        self._site = site
        self._scanners = scanners
        self._engine = engine
        self._decoders = decoders
        self._storage = storage
        self._packer = Packer(engine, storage)

    async def process(self, job: Job, ring: Callable[[], None]) -> None:
        """Do one claimed job, as soon as there is memory for it; ``ring`` is called after each commit.

        Raises:
            DeviceFailed: the device is lost; the job stays claimed and is resumed after the restart.
        """
        async with self._storage.memory.share(await self._needed_bytes(job)):
            await self._carry(job, ring)

    async def _needed_bytes(self, job: Job) -> int:
        """Estimate the memory that a job will need from the headers of its members, before a pixel is decoded.

        Where they do not say it, the files' own size counts: those formats are hardly compressed.
        """
        if job.kind is JobKind.RECONCLUDE:
            return 0
        stored = sum(member.size for member in job.members)
        try:
            scanner = self._scanner(job)
            allowed_s = min(scanner.profile.limits.deadline_s, scanner.deadline_s)
            limited = replace(scanner.profile, limits=replace(scanner.profile.limits, deadline_s=allowed_s))
            probed = await self._decoders.probe(self._members(job), limited)
        except (ScanRejected, TryLater):
            return stored * WORKING_SET  # the work itself meets this again, and says so
        return (probed.decoded_bytes or stored) * WORKING_SET

    async def _carry(self, job: Job, ring: Callable[[], None]) -> None:
        try:
            assessed = await self._assess(job)
        except ScanRejected as problem:
            try:
                await self.set_aside(job, problem)
            except TryLater as later:
                await self._put_back(job, later)
            else:
                ring()
        except TryLater as problem:
            await self._put_back(job, problem)
        else:
            ring()
            if assessed is not None:
                if self.onlooker is not None:
                    self.onlooker.offer(assessed)
                await self._packer.pack(job, assessed.scan)

    async def _put_back(self, job: Job, problem: TryLater) -> None:
        """Release a job; on a full disk, try until there is space for the note: giving up the ballast makes some."""
        if isinstance(problem, DiskLow):
            self._storage.room.ran_out()
        while True:
            try:
                await self._storage.ledger.call(Ledger.release, job.job_id, self._engine.clock.now() + _BACK_OFF)
                break
            except DiskLow:
                self._storage.room.ran_out()
                await asyncio.sleep(_BACK_OFF.total_seconds())
        events.scan_released(job.scanner, job.scan_id, problem.code)

    async def pack_again(self, job: Job) -> None:
        """Write the package of a job that was assessed before the process died, as soon as there is memory for it."""
        async with self._storage.memory.share(await self._needed_bytes(job)):
            try:
                scan, _ = await self._read(job, Deadline(self._engine.clock))
            except (TryLater, ScanRejected) as problem:
                events.package_postponed(job.scanner, job.scan_id, problem.code)
            else:
                await self._packer.pack(job, scan)

    async def _assess(self, job: Job) -> Assessed | None:
        """Judge and commit; give the scan when its pixels were looked at."""
        earlier = await self._storage.ledger.call(Ledger.latest_assessment, job.scan_id)
        if job.kind is JobKind.RECONCLUDE and earlier is not None and earlier.revision == job.revision:
            await self._conclude_again(job, earlier)
            return None
        if not (self._storage.state_dir / job.spool).exists():
            raise UnreadableScan("the pixels of this scan were set aside before; only its side-car came anew")
        clock = self._engine.clock
        waited = clock.now() - job.accepted_at
        started = clock.monotonic()
        deadline = Deadline(clock, started + self._scanner(job).deadline_s)
        try:
            scan, notes = await self._read(job, deadline)
        except OutOfTime as problem:
            await self._commit(job, self._engine.judge_unread(job.particulars, problem), earlier, (), ())
            return None
        decoded = clock.monotonic()
        self._storage.faults.reached(Point.INFER_BEFORE, job.scan_id)
        judgement = await self._engine.cpu.run(self._engine.judge, scan, notes, deadline)
        self._storage.faults.reached(Point.INFER_AFTER, job.scan_id)
        timings = {
            "queue": waited.total_seconds() * 1000.0,
            "decode": (decoded - started) * 1000.0,
            **judgement.timings_ms,
        }
        previews = await self._engine.cpu.run(self._storage.maps.put_previews, scan)
        judgement = replace(judgement, timings_ms=timings)
        body = await self._commit(job, judgement, earlier, tuple(view.frame for view in scan.views), previews)
        return Assessed(scan, notes, body)

    async def _read(self, job: Job, deadline: Deadline) -> tuple[Scan, tuple[Reason, ...]]:
        scanner = self._scanner(job)
        self._storage.faults.reached(Point.DECODE_BEFORE, job.scan_id)
        decoded = await self._decoders.decode(self._members(job), scanner.profile, deadline)
        self._storage.faults.reached(Point.DECODE_AFTER, job.scan_id)
        scan = await self._engine.cpu.run(assemble, Record(job.scan_id, job.revision, job.particulars, job.members), decoded.views, scanner)
        scan = with_attachments(scan, decoded.media_types, scanner)
        return scan, distinct(job.particulars.notes, decoded.notes, missing_views(scan, scanner))

    def _members(self, job: Job) -> list[MemberFile]:
        folder = self._storage.state_dir / job.spool
        return [MemberFile(member.name, member.role, folder / member.name) for member in job.members]

    async def _conclude_again(self, job: Job, earlier: LatestAssessment) -> None:
        body = messages.decode(earlier.body)
        assert isinstance(body, AssessmentBody)  # noqa: S101 - latest_assessment gives assessments only
        goods = await self._engine.cpu.run(self._storage.maps.goods, convert.blobs_of(body))
        before = Earlier(convert.findings_of(body), convert.obstacles_of(body), goods)
        judgement = await self._engine.cpu.run(self._engine.judge_again, job.particulars, job.particulars.notes, before)
        previews = tuple(blob for blob in convert.blobs_of(body) if blob.role.startswith(PREVIEW))
        await self._commit(job, judgement, earlier, convert.frames_of(body), previews)

    async def _commit(
        self,
        job: Job,
        judgement: Judgement,
        earlier: LatestAssessment | None,
        frames: tuple[Frame, ...],
        previews: tuple[BlobRef, ...],
    ) -> AssessmentBody:
        engine, ledger = self._engine, self._storage.ledger
        blobs = previews + await engine.cpu.run(self._storage.maps.put, judgement.maps)
        assessment = self._assessment(job, judgement, blobs, earlier)
        context = replace(await self._context(job), frames=frames, decide_by=self._decide_by(job, assessment))
        body = convert.assessment_body(context, assessment)
        where = self._topic(job, FactKind.ASSESSMENT)
        entry = Entry(assessment.fact.fact_id, job.scan_id, FactKind.ASSESSMENT, where, messages.encode(body))
        self._storage.faults.reached(Point.COMMIT_BEFORE, job.scan_id)
        appended = await ledger.call(Ledger.complete, job.job_id, entry, blobs)
        self._storage.faults.reached(Point.COMMIT_AFTER, job.scan_id)
        codes = sorted({reason.code for reason in assessment.reasons} | {obstacle.code for obstacle in assessment.obstacles})
        events.scan_assessed(
            events.AssessedLine(
                job.scanner, job.scan_id, job.revision, assessment.conclusion.value, codes, appended.seq, assessment.timings_ms
            )
        )
        return body

    def _decide_by(self, job: Job, assessment: MachineAssessment) -> datetime | None:
        """Say when the scan is referred unless an officer decides: where the machine asks for one, and somebody sits before the scan."""
        is_asked = assessment.conclusion is not MachineConclusion.NO_ALERT
        if not is_asked or job.particulars.capture.kind in (CaptureKind.CALIBRATION, CaptureKind.TEST):
            return None
        return assessment.fact.at + timedelta(seconds=self._engine.policy.of(job.particulars.subject.kind).decision_clock_s)

    def _assessment(
        self, job: Job, judgement: Judgement, blobs: tuple[BlobRef, ...], earlier: LatestAssessment | None
    ) -> MachineAssessment:
        cause = f"metadata-{job.metadata_revision}" if job.metadata_revision else "pixels"
        fact = Fact(
            self._fact_id(job, FactKind.ASSESSMENT, cause),
            job.scan_id,
            job.revision,
            cause,
            self._engine.clock.now(),
            earlier.fact_id if earlier is not None else None,
        )
        conclusion = judgement.conclusion
        return MachineAssessment(
            fact,
            conclusion.word,
            conclusion.reasons,
            conclusion.obstacles,
            judgement.findings,
            self._engine.provenance(),
            judgement.timings_ms,
            blobs,
        )

    async def set_aside(self, job: Job, problem: ScanRejected) -> None:
        """Journal first, then move the spool copy: a crash in between is mended at the next start from the ledger's own list."""
        cause = f"{problem.code}-{job.metadata_revision}-{job.retries}"
        fact = self._fact_id(job, FactKind.SET_ASIDE, cause)
        event = convert.SetAside(fact, job.scan_id, job.revision, cause, self._engine.clock.now(), Reason(problem.code, problem.fields))
        encoded = messages.encode(convert.set_aside_body(await self._context(job), event))
        entry = Entry(fact, job.scan_id, FactKind.SET_ASIDE, self._topic(job, FactKind.SET_ASIDE), encoded)
        self._storage.faults.reached(Point.COMMIT_BEFORE, job.scan_id)
        appended = await self._storage.ledger.call(Ledger.set_aside, job.job_id, entry, problem.code)
        self._storage.faults.reached(Point.COMMIT_AFTER, job.scan_id)
        quarantine = self._storage.state_dir / "quarantine"
        try:
            await self._storage.ledger.lane.run(self._storage.spool.set_aside, job.scan_id, job.revision, quarantine)
        except DropUnavailable:  # an older ledger was restored: the files went since, and that is why the scan is set aside
            events.quarantined_files_missing(job.scan_id, job.revision)
        events.scan_set_aside(job.scanner, job.scan_id, job.revision, problem.code, appended.seq)

    async def _context(self, job: Job) -> convert.ScanContext:
        subject = job.particulars.subject
        rows = await self._storage.ledger.call(Ledger.identities, (*subject.identifiers, *subject.related))
        identities = tuple(IdentityPart(kind=row.kind.value, token=row.token, commitment=row.commitment) for row in rows)
        return convert.ScanContext(self._site, job.scanner, job.particulars, job.members, identities)

    def _scanner(self, job: Job) -> Scanner:
        scanner = self._scanners.get(job.scanner)
        if scanner is None:
            raise UnsupportedFormat(f"scanner {job.scanner} is no longer configured", {"scanner": job.scanner})
        return scanner

    def _topic(self, job: Job, kind: FactKind) -> str:
        return topic(self._site, job.scanner, kind.value)

    def _fact_id(self, job: Job, kind: FactKind, cause: str) -> FactId:
        return fact_id(job.scan_id, kind.value, job.revision, cause)
