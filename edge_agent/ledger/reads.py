"""Questions to a ledger that change nothing: the daemon asks them on its own connection, commands beside it on a read-only one."""

from collections.abc import Callable, Sequence
from datetime import datetime

import apsw

from edge_agent.domain.ids import FactId, ScanId, Seq, SiteId, Token
from edge_agent.domain.selection import Listed
from edge_agent.ledger import schema
from edge_agent.ledger.connection import reading
from edge_agent.ledger.heads import Heads
from edge_agent.ledger.identity import Identities
from edge_agent.ledger.jobs import Jobs
from edge_agent.ledger.journal import Journal
from edge_agent.ledger.orphans import unknown_revisions
from edge_agent.ledger.records import Acknowledged, Counts, IdentityRow, Job, LatestAssessment, OpenedIdentity, Packed, Quarantined
from edge_agent.ledger.selections import listed_since
from edge_agent.ledger.verification import Checking, Verification, verify
from edge_agent.signing.keys import VerifyKey
from edge_agent.wire.chain import JournalHead, JournalRow
from edge_agent.wire.heads import SignedHead


class LedgerReads:
    """One read transaction a method."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection
        self._site, self._epoch = schema.identity_of(connection)
        self._journal = Journal(connection, self._site, self._epoch)
        self._heads = Heads(connection, self._site)
        self._jobs = Jobs(connection)
        self._identities = Identities(connection)

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
        """Give the law's terms: accepted = assessed + set aside + in flight. Reads an index entry per scan ever accepted."""
        with reading(self._db):
            return self._jobs.counts()

    def backlog(self) -> int:
        """Give how many revisions wait or run; cheap however long the site's history is."""
        with reading(self._db):
            return self._jobs.backlog()

    def quarantined(self) -> list[Quarantined]:
        """Give what is set aside now, longest first."""
        with reading(self._db):
            return self._jobs.quarantined()

    def in_flight(self) -> list[Job]:
        """Give the revisions that wait or run, in the order of acceptance."""
        with reading(self._db):
            return self._jobs.in_flight()

    def unknown(self, revisions: Sequence[tuple[ScanId, int]]) -> list[tuple[ScanId, int]]:
        """Give those of ``revisions`` that were never accepted, in their order."""
        with reading(self._db):
            return unknown_revisions(self._db, revisions)

    def identities(self, tokens: Sequence[Token]) -> tuple[IdentityRow, ...]:
        """Give the rows of the tokens in the order asked; tokens that this site never made are left out."""
        with reading(self._db):
            return self._identities.rows(tokens)

    def selections(self, since: datetime) -> list[Listed]:
        """Give the selected consignments that were due at or after a moment, with their numbers."""
        with reading(self._db):
            return listed_since(self._db, since)

    def packed(self, scan_id: ScanId | None = None) -> list[Packed]:
        """Give the packages of a scan, or of all scans, in the order of acceptance."""
        with reading(self._db):
            return self._jobs.packed(scan_id)

    def rows(self, after: Seq, max_rows: int, max_bytes: int) -> list[JournalRow]:
        """Give the rows that follow ``after``: at most ``max_rows``, and as many as fit in ``max_bytes``, but one at least."""
        with reading(self._db):
            return self._journal.rows(after, max_rows, max_bytes)

    def hash_at(self, seq: Seq) -> bytes | None:
        """Give the chain's hash after row ``seq`` (the epoch for 0 of a whole journal), None for a number that is not kept."""
        with reading(self._db):
            return self._journal.hash_at(seq)

    def topic_heads(self) -> dict[str, Seq]:
        """Give the newest number of each topic."""
        with reading(self._db):
            return self._journal.topic_heads()

    def has_fact(self, fact_id: FactId) -> Seq | None:
        """Give the number of a fact, or None."""
        with reading(self._db):
            return self._journal.has_fact(fact_id)

    def facts_of(self, scan_id: ScanId) -> list[bytes]:
        """Give the bodies of all facts about a scan, in their order."""
        with reading(self._db):
            return self._journal.facts_of(scan_id)

    def rows_of(self, scan_id: ScanId) -> list[JournalRow]:
        """Give the rows about a scan, in their order."""
        with reading(self._db):
            return self._journal.rows_of(scan_id)

    def opened_identities(self, tokens: Sequence[Token]) -> tuple[OpenedIdentity, ...]:
        """Give values with their salts, of the tokens that are known and not erased, in the order asked."""
        with reading(self._db):
            return self._identities.opened(tokens)

    def latest_assessment(self, scan_id: ScanId) -> LatestAssessment | None:
        """Give the machine's newest word on a scan: the highest revision's, and of those the last journalled."""
        with reading(self._db):
            return self._journal.latest_assessment(scan_id)

    def acknowledged(self) -> dict[str, Acknowledged]:
        """Give each durable consumer's last word."""
        with reading(self._db):
            return self._journal.acknowledged()

    def signed_head(self) -> SignedHead | None:
        """Give the last row of this epoch that was signed, with its signature."""
        with reading(self._db):
            return self._heads.newest(self._epoch)

    def signed_heads(self, after: tuple[Seq, bytes], limit: int) -> list[SignedHead]:
        """Give signed heads of all epochs in the order of their rows; ``after``: number and epoch of the last one given."""
        with reading(self._db):
            return self._heads.page(after, limit)

    def verify(self) -> Seq | None:
        """Recompute the whole chain and check the signed heads; give the first row that does not fit, or None. Some 20 us a row."""
        return self.verification().bad_seq

    def verification(self, believed: VerifyKey | None = None, tell: Callable[[int, int], None] | None = None) -> Verification:
        """Verify everything. ``believed``: the only key that may have signed heads; ``tell`` hears how many rows of how many are done."""
        how = Checking(self._site, believed) if tell is None else Checking(self._site, believed, tell)
        return verify(self._db, self._journal, self._heads, how)
