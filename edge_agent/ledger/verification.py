"""The auditor's walk through a journal: every link recomputed, every column compared with the body it describes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import apsw

from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import FactId, ScanId, Seq, SiteId
from edge_agent.errors import SignatureInvalid, SignerUnknown, TooLarge
from edge_agent.ledger.connection import reading
from edge_agent.ledger.heads import Heads
from edge_agent.ledger.journal import Journal, check_entry
from edge_agent.ledger.records import Entry
from edge_agent.signing.heads import check_head
from edge_agent.signing.keys import VerifyKey
from edge_agent.wire.chain import link
from edge_agent.wire.heads import SignedHead

_PAGE_ROWS = 500


def _untold(_done: int, _of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Checking:
    """How to verify: whose journal; the only key that may have signed its heads (None: any); who hears of progress, in rows."""

    site: SiteId
    believed: VerifyKey | None = None
    tell: Callable[[int, int], None] = _untold


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


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk came to. ``bad_seq``: first row that does not fit, None when all do; ``why``: ``row`` or ``head``, empty when all fit.

    ``heads``: how many signed heads fit the rows; ``signed_seq``: the last row that they vouch for, 0 without one; ``signers``:
    fingerprints of the keys that signed them.
    """

    bad_seq: Seq | None
    why: str
    heads: int
    signed_seq: Seq
    signers: tuple[str, ...]


def verify(connection: apsw.Connection, journal: Journal, heads: Heads, how: Checking) -> Verification:
    """Recompute every link, then hold every signed head against the rows.

    Takes some 20 us a row and 150 us a head; reads in pages, so that no long read keeps the log from shrinking. Rows cut off at the
    end leave a journal that fits: only a signed head or a reader that kept a later hash can tell, or the topics' heads if they were
    left alone.

    Raises:
        LedgerDamaged, LedgerFailed.
    """
    bad = _first_bad_row(connection, journal, how)
    return _with_heads(connection, journal, heads, how, bad)


def _first_bad_row(connection: apsw.Connection, journal: Journal, how: Checking) -> Seq | None:
    while True:
        bad, first = _walked(connection, journal, how)
        with reading(connection):
            oldest, _ = journal.oldest()
        if bad is None or oldest == first:
            return bad
        # Retention cut rows off before the walk had come to them; what is left is walked anew.


def _walked(connection: apsw.Connection, journal: Journal, how: Checking) -> tuple[Seq | None, Seq]:
    """Give the first row that does not fit, and the oldest row of the journal as it was at the beginning."""
    with reading(connection):
        head = journal.head()
        first, before = journal.oldest()
        tips = {name: seq for name, seq in journal.topic_heads().items() if seq >= first}
    walk = _Walk(how.site, first, before)
    while page := _page(connection, walk.after, head.seq):
        for row in page:
            if not walk.step(row):
                return Seq(walk.after + 1), first
        how.tell(walk.after, head.seq)
    return None if walk.after == head.seq and walk.topics == tips else Seq(walk.after + 1), first


def _with_heads(connection: apsw.Connection, journal: Journal, heads: Heads, how: Checking, bad: Seq | None) -> Verification:
    """Check heads up to the first bad row, for those behind it say nothing new."""
    count, signed, signers = 0, Seq(0), dict[str, None]()
    for head in _all_heads(connection, heads):
        if bad is not None and head.seq >= bad:
            break
        with reading(connection):
            known, ends = journal.hash_at(head.seq), journal.head()
        if head.seq < ends.first - 1:  # it went with its rows while this was under way
            continue
        if known != head.hash or not _is_signed(head, how.believed):
            return Verification(Seq(min(head.seq, ends.seq + 1)), "head", count, signed, tuple(signers))
        count, signed = count + 1, head.seq
        signers[VerifyKey(head.key).fingerprint] = None
    return Verification(bad, "row" if bad is not None else "", count, signed, tuple(signers))


def _all_heads(connection: apsw.Connection, heads: Heads) -> Iterator[SignedHead]:
    after = (Seq(-1), b"")
    while True:
        with reading(connection):
            page = heads.page(after, _PAGE_ROWS)
        if not page:
            return
        yield from page
        after = (page[-1].seq, page[-1].epoch)


def _is_signed(head: SignedHead, believed: VerifyKey | None) -> bool:
    try:
        check_head(head, believed)
    except (SignatureInvalid, SignerUnknown):
        return False
    return True


def _page(connection: apsw.Connection, after: Seq, last: Seq) -> list[_StoredRow]:
    query = "SELECT seq, prev_seq, topic, body, hash, fact_id, scan_id, kind FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
    with reading(connection):
        return [_StoredRow(*row) for row in connection.execute(query, (after, last, _PAGE_ROWS))]
