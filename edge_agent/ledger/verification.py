"""The auditor's walk through a journal: every link recomputed, every column compared with the body it describes."""

from dataclasses import dataclass

import apsw

from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import FactId, ScanId, Seq, SiteId
from edge_agent.errors import TooLarge
from edge_agent.ledger.connection import reading
from edge_agent.ledger.journal import Journal, check_entry
from edge_agent.ledger.records import Entry
from edge_agent.wire.chain import link

_PAGE_ROWS = 500


@dataclass(frozen=True, slots=True)
class _StoredRow:
    seq: Seq
    prev_seq: Seq
    topic: str
    body: bytes
    hash: bytes
    fact_id: FactId
    scan_id: ScanId | None
    kind: str


class _Walk:
    """Where the walk stands: number and hash of the last good row, and the last number of each topic."""

    def __init__(self, site: SiteId, first: Seq, before_first: bytes) -> None:
        self._site = site
        self._first = first
        self.after = Seq(first - 1)
        self._hash = before_first
        self.topics: dict[str, Seq] = {}

    def step(self, row: _StoredRow) -> bool:
        """Take the next row if it fits; otherwise stay and give False."""
        is_next = row.seq == self.after + 1 and row.hash == link(self._hash, row.seq, row.body)
        if not (is_next and self._follows_its_topic(row) and self._agrees(row)):
            return False
        self.after, self._hash = row.seq, row.hash
        self.topics[row.topic] = row.seq
        return True

    def _follows_its_topic(self, row: _StoredRow) -> bool:
        # The predecessor of a topic's first kept row may have gone by retention.
        known = self.topics.get(row.topic)
        return row.prev_seq < self._first if known is None else row.prev_seq == known

    def _agrees(self, row: _StoredRow) -> bool:
        try:
            check_entry(Entry(row.fact_id, row.scan_id, FactKind(row.kind), row.topic, row.body), self._site)
        except (ValueError, TooLarge):
            return False
        return True


def verify(connection: apsw.Connection, journal: Journal, site: SiteId) -> Seq | None:
    """Give the number of the first row that does not fit, or None when all do.

    Takes some 20 us a row; reads in pages, so that no long read keeps the log from shrinking. Rows cut off at the end leave a
    journal that fits: only a reader that kept a later hash, or the topics' heads if they were left alone, can tell.

    Raises:
        LedgerDamaged, LedgerFailed.
    """
    with reading(connection):
        head = journal.head()
        first, before = journal.oldest()
        heads = {name: seq for name, seq in journal.topic_heads().items() if seq >= first}
    walk = _Walk(site, first, before)
    while page := _page(connection, walk.after, head.seq):
        for row in page:
            if not walk.step(row):
                return Seq(walk.after + 1)
    return None if walk.after == head.seq and walk.topics == heads else Seq(walk.after + 1)


def _page(connection: apsw.Connection, after: Seq, last: Seq) -> list[_StoredRow]:
    query = "SELECT seq, prev_seq, topic, body, hash, fact_id, scan_id, kind FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
    with reading(connection):
        return [_StoredRow(*row) for row in connection.execute(query, (after, last, _PAGE_ROWS))]
