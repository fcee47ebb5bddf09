"""What the ledger knows of drops, and how decided arrivals become work."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import apsw
from pydantic import TypeAdapter

from edge_agent.domain.arrival import Known, KnownDrop, MetadataRevision, NewRevision, NewScan
from edge_agent.domain.ids import DropKey, ScanId, ScannerId, SiteId, Token, scan_id
from edge_agent.ledger.jobs import MEMBERS, PARTICULARS
from edge_agent.ledger.moments import from_us, to_us
from edge_agent.ledger.records import Acceptance, Fingerprint, JobKind

FINGERPRINT: TypeAdapter[Fingerprint] = TypeAdapter(Fingerprint)

_NEWEST = (
    "SELECT scan_id, revision, metadata_revision, content_digest, metadata_digest,"
    " (SELECT accepted_us FROM job AS earliest WHERE earliest.scan_id = job.scan_id ORDER BY job_id LIMIT 1)"
    " FROM job WHERE {} ORDER BY job_id DESC LIMIT 1"
)
# A scan that was set aside is no twin: nobody looked at it, so its copy must be looked at. The newest particulars of a
# revision say whose pixels they are.
_TWIN = """
SELECT scan_id, (SELECT newest.identifiers FROM job AS newest WHERE newest.scan_id = job.scan_id AND newest.revision = job.revision
                 ORDER BY newest.job_id DESC LIMIT 1) = ? AS is_same
FROM job
WHERE content_digest = ? AND kind = 'assess' AND state <> 'set-aside' AND (scanner <> ? OR drop_key <> ?)
ORDER BY is_same DESC, job_id LIMIT 1
"""


class Arrivals:
    """Answers intake's questions and takes its decisions; its caller holds the transaction."""

    def __init__(self, connection: apsw.Connection, site: SiteId) -> None:
        self._db = connection
        self._site = site

    def seen(self, scanner: ScannerId) -> dict[DropKey, Fingerprint]:
        """Give the fingerprint under which each drop of a scanner was last decided."""
        rows = self._db.execute("SELECT drop_key, fingerprint FROM seen WHERE scanner = ?", (scanner,))
        return {DropKey(key): FINGERPRINT.validate_json(text) for key, text in rows}

    def taken(self, scanner: ScannerId, drops: Sequence[tuple[DropKey, Fingerprint]]) -> list[DropKey]:
        """Give those of ``drops`` that were decided under this very fingerprint."""
        found = "SELECT fingerprint FROM seen WHERE scanner = ? AND drop_key = ?"
        rows = [(key, fingerprint, self._db.execute(found, (scanner, key)).fetchone()) for key, fingerprint in drops]
        return [key for key, fingerprint, row in rows if row is not None and FINGERPRINT.validate_json(row[0]) == fingerprint]

    def known(self, scanner: ScannerId, drop_key: DropKey, content_digest: str | None, identities: tuple[Token, ...]) -> Known:
        """Give what ``domain.arrival.decide`` needs: the newest state of the drop key, and a twin by pixels under another key.

        When the scan that these pixels would name exists already (a scanner that begins its names again), that scan is the drop.
        """
        own = scan_id(self._site, scanner, drop_key, content_digest or "")
        drop = self._newest("scan_id = ?", (own,)) or self._newest("scanner = ? AND drop_key = ?", (scanner, drop_key))
        twin = None
        if content_digest is not None:
            twin = self._db.execute(_TWIN, (_subject_key(identities), content_digest, scanner, drop_key)).fetchone()
        return Known(drop, ScanId(twin[0]), bool(twin[1])) if twin else Known(drop, None, twin_has_same_subject=False)

    def accept(self, acceptance: Acceptance, at: datetime) -> None:
        """Remember the drop's fingerprint; make a job when the decision asks for one."""
        arrival, decision = acceptance.arrival, acceptance.decision
        self._db.execute(
            "INSERT INTO seen (scanner, drop_key, fingerprint, seen_us) VALUES (?,?,?,?) ON CONFLICT (scanner, drop_key)"
            " DO UPDATE SET fingerprint = excluded.fingerprint, seen_us = excluded.seen_us",
            (arrival.scanner, arrival.drop_key, FINGERPRINT.dump_json(acceptance.fingerprint).decode(), to_us(at)),
        )
        match decision:
            case NewScan(scan):
                self._add(acceptance, (scan, 1, 0, JobKind.ASSESS, arrival.content_digest), at)
            case NewRevision(scan, revision):
                self._add(acceptance, (scan, revision, 0, JobKind.ASSESS, arrival.content_digest), at)
            case MetadataRevision(scan, revision, metadata):
                self._add(acceptance, (scan, revision, metadata, JobKind.RECONCLUDE, self._pixels_of(scan, revision)), at)

    def _add(self, acceptance: Acceptance, what: tuple[ScanId, int, int, JobKind, str | None], at: datetime) -> None:
        arrival, particulars = acceptance.arrival, acceptance.particulars
        self._db.execute(
            "INSERT INTO job (scan_id, revision, metadata_revision, kind, content_digest, state, scanner, drop_key, metadata_digest,"
            " identifiers, priority, accepted_us, spool, members, particulars) VALUES (?,?,?,?,?,'waiting',?,?,?,?,?,?,?,?,?)",
            (
                *what,
                arrival.scanner,
                arrival.drop_key,
                arrival.metadata_digest,
                _subject_key(particulars.subject.identifiers),
                acceptance.priority,
                to_us(at),
                acceptance.spool,
                MEMBERS.dump_json(acceptance.members).decode(),
                PARTICULARS.dump_json(particulars).decode(),
            ),
        )

    def _pixels_of(self, scan: ScanId, revision: int) -> str | None:
        """Give the pixels' digest of an accepted revision: a side-car that comes alone brings none of its own."""
        row = self._db.execute(
            "SELECT content_digest FROM job WHERE scan_id = ? AND revision = ? AND metadata_revision = 0", (scan, revision)
        ).fetchone()
        if row is None:
            raise ValueError(f"revision {revision} of scan {scan} was never accepted")
        digest: str | None = row[0]
        return digest

    def _newest(self, where: str, values: Sequence[Any]) -> KnownDrop | None:
        row = self._db.execute(_NEWEST.format(where), values).fetchone()
        if row is None:
            return None
        scan, revision, metadata, content, digest, accepted = row
        return KnownDrop(ScanId(scan), revision, metadata, content, digest, from_us(accepted))


def _subject_key(tokens: Sequence[Token]) -> str:
    """Give one text for a set of tokens, so that the file can compare subjects."""
    return " ".join(sorted(set(tokens)))
