"""Read-only access to a site's ledger from another process: verification, lists for people, checks. Never changes the file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import apsw

from edge_agent.domain.ids import ScanId, Seq, SiteId, Token
from edge_agent.errors import LedgerFailed
from edge_agent.ledger import schema
from edge_agent.ledger.connection import check_library, open_reader, reading
from edge_agent.ledger.identity import Identities
from edge_agent.ledger.jobs import Jobs
from edge_agent.ledger.journal import Journal
from edge_agent.ledger.records import Acknowledged, Counts, IdentityRow, LatestAssessment, Packed, Quarantined
from edge_agent.ledger.verification import verify
from edge_agent.wire.chain import JournalHead, JournalRow


class LedgerReader:
    """Reads a ledger, whether or not a daemon has it open. Close it soon after use."""

    def __init__(self, connection: apsw.Connection) -> None:
        """Take over an open connection; :meth:`open` is the way in."""
        self._db = connection
        self._site, self._epoch = schema.identity_of(connection)
        self._journal = Journal(connection, self._site, self._epoch)
        self._jobs = Jobs(connection)
        self._identities = Identities(connection)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing ledger and check every page of it.

        Raises:
            LedgerFailed: absent or not readable.
            LedgerDamaged, LedgerForeign, LibraryTooOld.
        """
        check_library(apsw.sqlite_lib_version())
        if not path.is_file():
            raise LedgerFailed("there is no ledger here", {"name": path.name})
        connection = open_reader(path)
        try:
            schema.check(connection)
            return cls(connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self._db.close()

    @property
    def site(self) -> SiteId:
        return self._site

    @property
    def epoch(self) -> bytes:
        return self._epoch

    def head(self) -> JournalHead:
        with reading(self._db):
            return self._journal.head()

    def counts(self) -> Counts:
        with reading(self._db):
            return self._jobs.counts()

    def quarantined(self) -> list[Quarantined]:
        with reading(self._db):
            return self._jobs.quarantined()

    def rows(self, after: Seq, max_rows: int, max_bytes: int) -> list[JournalRow]:
        """Give the rows that follow ``after``: at most ``max_rows``, and as many as fit in ``max_bytes``, but one at least."""
        with reading(self._db):
            return self._journal.rows(after, max_rows, max_bytes)

    def hash_at(self, seq: Seq) -> bytes | None:
        with reading(self._db):
            return self._journal.hash_at(seq)

    def acknowledged(self) -> dict[str, Acknowledged]:
        with reading(self._db):
            return self._journal.acknowledged()

    def latest_assessment(self, scan_id: ScanId) -> LatestAssessment | None:
        with reading(self._db):
            return self._journal.latest_assessment(scan_id)

    def facts_of(self, scan_id: ScanId) -> list[bytes]:
        """Give the bodies of all facts about a scan, in their order."""
        with reading(self._db):
            return self._journal.facts_of(scan_id)

    def packed(self, scan_id: ScanId | None = None) -> list[Packed]:
        """Give the packages of a scan, or of all scans, in the order of acceptance."""
        with reading(self._db):
            return self._jobs.packed(scan_id)

    def identities(self, tokens: Sequence[Token]) -> tuple[IdentityRow, ...]:
        """Give the rows of the tokens in the order asked; tokens that this site never made are left out."""
        with reading(self._db):
            return self._identities.rows(tokens)

    def verify(self) -> Seq | None:
        """Recompute the whole chain; give the first row that does not fit, or None. Takes some 20 us a row."""
        return verify(self._db, self._journal, self._site)
