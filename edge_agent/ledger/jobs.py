"""Jobs: the queue of work and the memory of what became of it.

``waiting -> claimed -> assessed | set-aside``; back to ``waiting`` by release, by recovery after a death, and by retry from
``set-aside``. The file's own triggers refuse every other step.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import apsw
from pydantic import TypeAdapter

from edge_agent.domain.arrival import Particulars
from edge_agent.domain.assessment import BlobRef
from edge_agent.domain.ids import DropKey, FactId, ScanId, ScannerId
from edge_agent.domain.member import MemberDigest
from edge_agent.errors import NotQuarantined
from edge_agent.ledger.moments import from_us, to_us
from edge_agent.ledger.records import Counts, Job, JobId, JobKind, Packed, Quarantined

_EARLIEST_EVERY = 5
LONGEST_BACK_OFF = timedelta(hours=1)
"""A later ``not_before`` can only come from a wall clock that was wrong, so it is not obeyed."""

PARTICULARS: TypeAdapter[Particulars] = TypeAdapter(Particulars)
MEMBERS: TypeAdapter[tuple[MemberDigest, ...]] = TypeAdapter(tuple[MemberDigest, ...])

_JOB = (
    "SELECT job_id, scan_id, revision, metadata_revision, kind, scanner, drop_key, priority, accepted_us, is_suspect, attempts,"
    " charges, spool, members, particulars, retries FROM job "
)
_SCAN, _ACCEPTED = 1, 8
"""Places of the scan and of the moment of its acceptance among the columns of a job."""
_DUE = "(not_before_us IS NULL OR not_before_us <= ? OR not_before_us > ?)"
_NOTHING_EARLIER_OF_THE_SCAN = (
    "NOT EXISTS (SELECT 1 FROM job AS earlier WHERE earlier.scan_id = job.scan_id AND earlier.job_id < job.job_id"
    " AND earlier.state IN ('waiting', 'claimed'))"
)


class Jobs:
    """Claims and closes jobs; its caller holds the transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection
        self._claims = 0

    def counts(self) -> Counts:
        states = dict(self._db.execute("SELECT state, count(*) FROM job WHERE kind = 'assess' GROUP BY state"))
        in_flight = states.get("waiting", 0) + states.get("claimed", 0)
        return Counts(sum(states.values()), states.get("assessed", 0), states.get("set-aside", 0), in_flight)

    def backlog(self) -> int:
        """Give how many revisions wait or run; reads no more of the index than these."""
        (count,) = next(self._db.execute("SELECT count(*) FROM job WHERE kind = 'assess' AND state IN ('waiting', 'claimed')"))
        return int(count)

    def claim(self, now: datetime) -> Job | None:
        """Take the next job: a suspect that is due, alone; else the highest priority, then the earliest accepted; see :meth:`_in_turn`.

        Jobs of one scan run one after the other in the order of acceptance, so that its facts are journalled in that order.
        """
        due = (to_us(now), to_us(now + LONGEST_BACK_OFF))
        claimed = dict(self._db.execute("SELECT is_suspect, count(*) FROM job WHERE state = 'claimed' GROUP BY is_suspect"))
        if claimed.get(1):
            return None
        job = self._first(f"WHERE state = 'waiting' AND is_suspect = 1 AND {_DUE} ORDER BY priority DESC, job_id LIMIT 1", due)
        if job is not None and claimed:
            return None
        if job is None:
            job = self._in_turn(due)
        if job is not None:
            self._claims += 1
            self._db.execute("UPDATE job SET state = 'claimed', not_before_us = NULL WHERE job_id = ?", (job.job_id,))
        return job

    def _in_turn(self, due: tuple[int, int]) -> Job | None:
        """Give the job that is served next: the highest priority's earliest; at every fifth claim the earliest of all.

        So the urgent go first, and nobody waits for more than five times the work that was accepted before him.
        """
        where = f"WHERE state = 'waiting' AND is_suspect = 0 AND {_DUE} AND {_NOTHING_EARLIER_OF_THE_SCAN}"
        if self._claims % _EARLIEST_EVERY != _EARLIEST_EVERY - 1:
            return self._first(f"{where} ORDER BY priority DESC, job_id LIMIT 1", due)
        priorities = self._db.execute("SELECT DISTINCT priority FROM job WHERE state = 'waiting' AND is_suspect = 0").fetchall()
        earliest = [self._first(f"{where} AND priority = ? ORDER BY job_id LIMIT 1", (*due, row[0])) for row in priorities]
        return min((job for job in earliest if job is not None), key=lambda job: job.job_id, default=None)

    def release(self, job: JobId, not_before_us: int | None) -> None:
        """Put a claimed job back; it keeps its place in the order."""
        self._expect(job, "claimed")
        self._db.execute("UPDATE job SET state = 'waiting', not_before_us = ? WHERE job_id = ?", (not_before_us, job))

    def recover(self, *, charge: bool) -> int:
        """Make suspects of the jobs that a death left claimed; give how many."""
        claimed = list(self._db.execute("SELECT job_id, is_suspect FROM job WHERE state = 'claimed'"))
        is_charged = charge and len(claimed) == 1 and bool(claimed[0][1])
        self._db.execute(
            "UPDATE job SET state = 'waiting', is_suspect = 1, not_before_us = NULL, charges = charges + ?, attempts = attempts + ?"
            " WHERE state = 'claimed'",
            (int(is_charged), int(not is_charged)),
        )
        return len(claimed)

    def suspects_over(self, charges: int, attempts: int) -> list[Job]:
        """Give waiting suspects that have at least so many charges or so many attempts."""
        return self._all(
            "WHERE state = 'waiting' AND is_suspect = 1 AND (charges >= ? OR attempts >= ?) ORDER BY job_id", (charges, attempts)
        )

    def assessed(self, job: JobId, fact: FactId, at: datetime) -> None:
        """Close a claimed job with the fact that tells its outcome."""
        self._expect(job, "claimed")
        self._db.execute(
            "UPDATE job SET state = 'assessed', is_suspect = 0, fact_id = ?, closed_us = ? WHERE job_id = ?", (fact, to_us(at), job)
        )

    def set_aside(self, job: JobId, fact: FactId, reason: str, at: datetime) -> None:
        """Close a claimed job, or a waiting suspect that crashed too often. It stays a suspect, so that a retry runs alone."""
        self._expect(job, "claimed", "waiting")
        self._db.execute(
            "UPDATE job SET state = 'set-aside', fact_id = ?, reason = ?, closed_us = ?, not_before_us = NULL WHERE job_id = ?",
            (fact, reason, to_us(at), job),
        )

    def refer_blobs(self, fact: FactId, blobs: Sequence[BlobRef]) -> None:
        """Note which blobs a fact names, so that retention knows what is in use."""
        rows = [(blob.sha256, fact, blob.role, blob.bytes, blob.media_type) for blob in blobs]
        self._db.executemany("INSERT OR IGNORE INTO blob (sha256, fact_id, role, bytes, media_type) VALUES (?,?,?,?,?)", rows)

    def quarantined(self) -> list[Quarantined]:
        rows = self._db.execute(
            "SELECT scan_id, revision, metadata_revision, scanner, drop_key, reason, closed_us, spool FROM job"
            " WHERE state = 'set-aside' AND evicted NOT LIKE '%quarantine%' ORDER BY closed_us, job_id"
        )
        return [
            Quarantined(ScanId(scan), revision, metadata, ScannerId(scanner), DropKey(key), reason, from_us(closed), spool)
            for scan, revision, metadata, scanner, key, reason, closed, spool in rows
        ]

    def retry(self, scan_id: ScanId, revision: int) -> None:
        """Let what was set aside of a revision wait again, with its attempts and charges forgiven.

        Raises:
            NotQuarantined.
        """
        self._db.execute(
            "UPDATE job SET state = 'waiting', fact_id = NULL, reason = NULL, closed_us = NULL, attempts = 0, charges = 0,"
            " retries = retries + 1"
            " WHERE state = 'set-aside' AND scan_id = ? AND revision = ? AND evicted NOT LIKE '%quarantine%'",
            (scan_id, revision),
        )
        if self._db.changes() == 0:
            raise NotQuarantined("this scan is not set aside", {"scan_id": scan_id, "revision": revision})

    def in_flight(self) -> list[Job]:
        """Give revisions that wait or run, in the order of acceptance."""
        return self._all("WHERE kind = 'assess' AND state IN ('waiting', 'claimed') ORDER BY job_id", ())

    def unpacked(self, limit: int) -> list[Job]:
        """Give assessed revisions that have no package yet and whose files are still there, earliest first, at most ``limit``."""
        return self._all(
            "WHERE state = 'assessed' AND kind = 'assess' AND package_path IS NULL AND evicted = '' ORDER BY job_id LIMIT ?", (limit,)
        )

    def newest_since(self, since: datetime) -> list[Job]:
        """Give the newest job of each scan accepted at or after ``since``, earliest first; none of those set aside.

        Reads from the newest row back and stops at the first that is too old, so that years of scans cost nothing.
        """
        found: dict[str, tuple[Any, ...]] = {}
        for state, *columns in self._db.execute(_JOB.replace("SELECT ", "SELECT state, ", 1) + "ORDER BY job_id DESC"):
            if columns[_ACCEPTED] < to_us(since):
                break
            found.setdefault(columns[_SCAN], (state, *columns))
        return [_job(tuple(columns)) for state, *columns in reversed(found.values()) if state != "set-aside"]

    def packed(self, scan_id: ScanId | None) -> list[Packed]:
        """Give the packages of a scan, or of all scans, in the order of acceptance."""
        found = self._db.execute(
            "SELECT scan_id, revision, package_path, package_sha256 FROM job"
            " WHERE package_path IS NOT NULL AND evicted NOT LIKE '%package%' AND (?1 IS NULL OR scan_id = ?1) ORDER BY job_id",
            (scan_id,),
        )
        return [Packed(ScanId(scan), revision, path, sha256) for scan, revision, path, sha256 in found]

    def mark_packed(self, job: JobId, path: str, sha256: str) -> None:
        self._expect(job, "assessed")
        self._db.execute("UPDATE job SET package_path = ?, package_sha256 = ? WHERE job_id = ?", (path, sha256, job))

    def _expect(self, job: JobId, *states: str) -> None:
        """Refuse a step that the job cannot take now: a fault of the caller, not of the data."""
        found = self._db.execute("SELECT state FROM job WHERE job_id = ?", (job,)).fetchone()
        if found is None or found[0] not in states:
            raise ValueError(f"job {job} is {found[0] if found else 'unknown'}, not {' or '.join(states)}")

    def _first(self, where: str, values: tuple[Any, ...]) -> Job | None:
        return next(iter(self._all(where, values)), None)

    def _all(self, where: str, values: tuple[Any, ...]) -> list[Job]:
        return [_job(columns) for columns in self._db.execute(_JOB + where, values)]


def _job(columns: tuple[Any, ...]) -> Job:
    job, scan, revision, metadata, kind, scanner, key, priority, accepted, suspect, attempts, charges, *copy, retries = columns
    spool, members, particulars = copy
    return Job(
        job_id=JobId(job),
        scan_id=ScanId(scan),
        revision=revision,
        metadata_revision=metadata,
        kind=JobKind(kind),
        scanner=ScannerId(scanner),
        drop_key=DropKey(key),
        priority=priority,
        accepted_at=from_us(accepted),
        is_suspect=bool(suspect),
        attempts=attempts,
        charges=charges,
        spool=spool,
        members=MEMBERS.validate_json(members),
        particulars=PARTICULARS.validate_json(particulars),
        retries=retries,
    )
