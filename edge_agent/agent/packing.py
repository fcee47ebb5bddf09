"""Keeping an assessed scan as a package, and letting go of what is then stored twice."""

import errno
from functools import partial
from pathlib import Path

from edge_agent.agent.engine import Engine
from edge_agent.agent.storage import Storage
from edge_agent.domain.scan import Scan
from edge_agent.errors import DiskLow, LedgerFailed
from edge_agent.formats.package import PackageRef, write_package
from edge_agent.ledger import eviction
from edge_agent.ledger.inventory import hold_file
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Job, JobId
from edge_agent.telemetry import events

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class Packer:
    """Writes the packages of scans while there is room; the same one not twice at once."""

    def __init__(self, engine: Engine, storage: Storage) -> None:
        self._engine = engine
        self._storage = storage
        self._packing: set[JobId] = set()

    async def pack(self, job: Job, scan: Scan) -> None:
        """Keep the scan as a package and its side-cars as blobs, then let go of the spool copy.

        What alerted or could not be judged may become evidence: there the scanner's own files stay too.

        Raises:
            LedgerFailed: the file system of the state directory, which is the ledger's, refuses what is no matter of space.
        """
        storage = self._storage
        if storage.packages is None or job.job_id in self._packing:
            return
        if not (storage.state_dir / job.spool).exists():  # house-keeping and the job itself may both come to it: the other has done it
            return
        if not storage.room.keeps_extras:
            events.package_postponed(job.scanner, job.scan_id, DiskLow.code)
            return
        self._packing.add(job.job_id)
        try:
            await self._pack_in(storage, storage.packages, job, scan)
        except OSError as problem:
            raise LedgerFailed(f"a package cannot be kept: {problem.strerror}", {"errno": problem.errno or 0}) from problem
        finally:
            self._packing.discard(job.job_id)

    async def _pack_in(self, storage: Storage, packages: Path, job: Job, scan: Scan) -> None:
        day = packages / scan.capture.taken_at.at.strftime("%Y/%m/%d")
        out = day / f"{job.scan_id}.r{job.revision}.scan.zip"
        try:
            package = await self._engine.cpu.run(self._written, job, scan, out)
            await self._engine.cpu.run(self._keep_sidecars, job, scan)
            await storage.ledger.call(Ledger.mark_packed, job.job_id, str(out.relative_to(storage.state_dir)), package.scan_json_sha256)
        except (OSError, DiskLow) as problem:
            if isinstance(problem, OSError) and problem.errno not in _DISK_FULL:
                raise
            storage.room.ran_out()
            events.package_postponed(job.scanner, job.scan_id, DiskLow.code)  # the spool copy stays; house-keeping tries again
            return
        await self._let_originals_go(job)

    async def _let_originals_go(self, job: Job) -> None:
        """Remove the spool copy of a packed revision, unless any word about the scan so far makes it evidence."""
        storage = self._storage
        if hold_file(storage.state_dir, job.scan_id).exists():
            return
        if await storage.ledger.call(Ledger.transact, partial(eviction.is_ordinary, scan=job.scan_id)):
            await storage.ledger.lane.run(storage.spool.remove, job.scan_id, job.revision)

    def _written(self, job: Job, scan: Scan, out: Path) -> PackageRef:
        files = [(member, self._storage.state_dir / job.spool / member.name) for member in job.members]
        return write_package(scan, files, out, self._storage.codec, keeps_originals=self._storage.keeps_originals)

    def _keep_sidecars(self, job: Job, scan: Scan) -> None:
        """Side-cars and what shows people or numbers lie in erasable blobs, found by their SHA-256, never in a package."""
        packed = {(one.role, one.sha256) for one in scan.attachments if not one.kind.is_personal}
        for member in job.members:
            if not member.is_pixels and (member.role, member.sha256) not in packed:
                self._storage.maps.blobs.put((self._storage.state_dir / job.spool / member.name).read_bytes())
