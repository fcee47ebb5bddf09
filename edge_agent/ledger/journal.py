"""The journal: append-only, numbered without holes, every row chained to the one before."""

from datetime import datetime

import apsw

from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import FactId, ScanId, ScannerId, Seq, SiteId
from edge_agent.errors import Diverged, LedgerDamaged, MalformedMessage, TooLarge
from edge_agent.ledger.connection import one
from edge_agent.ledger.moments import from_us, to_us
from edge_agent.ledger.records import Acknowledged, Appended, Entry, LatestAssessment
from edge_agent.wire.chain import JournalHead, JournalRow, first_break, link
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import MAX_BODY_BYTES, AssessmentBody, decode

_FRAME_BYTES = 64
"""What a row costs on the wire besides topic and body: header and hash."""


class Journal:
    """Reads and extends the journal of one file; its caller holds the transaction."""

    def __init__(self, connection: apsw.Connection, site: SiteId, epoch: bytes) -> None:
        self._db = connection
        self._site = site
        self._epoch = epoch

    def append(self, entry: Entry, at: datetime) -> Appended:
        """Add a fact, or find it when it is there already.

        Raises:
            TooLarge: the body is over 64 KiB.
            ValueError: the entry contradicts its own body or names another site: a fault of the caller.
        """
        known = self.has_fact(entry.fact_id)
        if known is not None:
            return Appended(known, entry.fact_id, is_new=False)
        check_entry(entry, self._site)
        head = self.head()
        seq = Seq(head.seq + 1)
        previous = self._db.execute("SELECT head FROM topic WHERE topic = ?", (entry.topic,)).fetchone()
        digest = link(head.hash, seq, entry.body)
        self._db.execute(
            "INSERT INTO journal (seq, fact_id, scan_id, kind, topic, prev_seq, created_us, body, hash) VALUES (?,?,?,?,?,?,?,?,?)",
            (seq, entry.fact_id, entry.scan_id, entry.kind, entry.topic, previous[0] if previous else 0, to_us(at), entry.body, digest),
        )
        self._db.execute(
            "INSERT INTO topic (topic, head) VALUES (?, ?) ON CONFLICT (topic) DO UPDATE SET head = excluded.head", (entry.topic, seq)
        )
        return Appended(seq, entry.fact_id, is_new=True)

    def oldest(self) -> tuple[Seq, bytes]:
        """Give the number of the oldest row still kept, and the hash before it."""
        first, before = one(self._db, "SELECT first_seq, before_first FROM meta")
        return Seq(first), before

    def head(self) -> JournalHead:
        first, before = self.oldest()
        row = self._db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        seq, digest = row or (first - 1, before)
        return JournalHead(self._epoch, first, Seq(seq), digest)

    def rows(self, after: Seq, max_rows: int, max_bytes: int) -> list[JournalRow]:
        """Give the rows that follow ``after``, in order: at most ``max_rows``, and as many as fit in ``max_bytes``, but one at least.

        Raises:
            LedgerDamaged: one of them was altered since it was written.
        """
        found: list[JournalRow] = []
        budget = max_bytes
        cursor = self._db.execute(
            "SELECT seq, prev_seq, topic, body, hash FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (after, max_rows)
        )
        for seq, prev_seq, name, body, digest in cursor:
            budget -= len(body) + len(name) + _FRAME_BYTES
            if found and budget < 0:
                cursor.close()
                break
            found.append(JournalRow(self._epoch, Seq(seq), Seq(prev_seq), name, body, digest))
        if found:
            self.refuse_altered(found)
        return found

    def refuse_altered(self, rows: list[JournalRow]) -> None:
        """Let no row out whose bytes are not those that were chained: some 2 us a row. ``rows`` follow each other without a hole.

        Raises:
            LedgerDamaged.
        """
        before = Seq(rows[0].seq - 1)
        previous = self.hash_at(before)
        broken = rows[0].seq if previous is None else first_break(rows, previous, before)
        if broken is not None:
            raise LedgerDamaged("a row of the journal is not what was written", {"seq": broken})

    def hash_at(self, seq: Seq) -> bytes | None:
        """Give the chain's hash after row ``seq``; the hash before the oldest row is known too. None for any other number."""
        first, before = self.oldest()
        if seq == first - 1:
            return before
        row = self._db.execute("SELECT hash FROM journal WHERE seq = ?", (seq,)).fetchone()
        return row[0] if row else None

    def topic_heads(self) -> dict[str, Seq]:
        return {name: Seq(head) for name, head in self._db.execute("SELECT topic, head FROM topic ORDER BY topic")}

    def has_fact(self, fact_id: FactId) -> Seq | None:
        row = self._db.execute("SELECT seq FROM journal WHERE fact_id = ?", (fact_id,)).fetchone()
        return Seq(row[0]) if row else None

    def latest_assessment(self, scan_id: ScanId) -> LatestAssessment | None:
        """Give the assessment of the highest revision; among those of one revision the last one journalled."""
        latest: LatestAssessment | None = None
        found = self._db.execute(
            "SELECT seq, body FROM journal WHERE scan_id = ? AND kind = ? ORDER BY seq", (scan_id, FactKind.ASSESSMENT)
        )
        for seq, raw in found:
            body = decode(raw)
            if isinstance(body, AssessmentBody) and (latest is None or body.revision >= latest.revision):
                latest = LatestAssessment(FactId(body.fact_id), Seq(seq), body.revision, body.conclusion, raw)
        return latest

    def facts_of(self, scan_id: ScanId) -> list[bytes]:
        """Give the bodies of all facts about a scan, in their order."""
        return [body for (body,) in self._db.execute("SELECT body FROM journal WHERE scan_id = ? ORDER BY seq", (scan_id,))]

    def rows_of(self, scan_id: ScanId) -> list[JournalRow]:
        """Give the rows about a scan, in their order; they are held against nothing here."""
        rows = self._db.execute("SELECT seq, prev_seq, topic, body, hash FROM journal WHERE scan_id = ? ORDER BY seq", (scan_id,))
        return [JournalRow(self._epoch, Seq(seq), Seq(prev), name, body, digest) for seq, prev, name, body, digest in rows]

    def acknowledge(self, consumer: str, seq: Seq, digest: bytes, at: datetime) -> None:
        """Note what a consumer says it holds; the last word counts, lower or not, for its disk may have been restored.

        Raises:
            Diverged: this journal has no row ``seq`` with that hash.
        """
        if self.hash_at(seq) != digest:
            raise Diverged("the consumer holds rows that this journal does not", {"consumer": consumer, "seq": seq})
        self._db.execute(
            "INSERT INTO consumer (name, epoch, seq, hash, at_us) VALUES (?,?,?,?,?) ON CONFLICT (name) DO UPDATE"
            " SET epoch = excluded.epoch, seq = excluded.seq, hash = excluded.hash, at_us = excluded.at_us",
            (consumer, self._epoch, seq, digest, to_us(at)),
        )

    def acknowledged(self) -> dict[str, Acknowledged]:
        rows = self._db.execute("SELECT name, epoch, seq, hash, at_us FROM consumer ORDER BY name")
        return {name: Acknowledged(epoch, Seq(seq), digest, from_us(at)) for name, epoch, seq, digest, at in rows}

    def check_head(self) -> None:
        """Recompute the last link: the cheap part of a verification, for the start.

        Raises:
            LedgerDamaged.
        """
        head = self.head()
        if head.seq < head.first:
            return
        previous = self.hash_at(Seq(head.seq - 1))
        if previous is None or first_break(self.rows(Seq(head.seq - 1), 1, 1), previous, Seq(head.seq - 1)) is not None:
            raise LedgerDamaged("the last row of the journal does not fit the one before", {"seq": head.seq})


def check_entry(entry: Entry, site: SiteId) -> None:
    """Refuse an entry that readers could not use: an append-only journal would keep it for ever.

    Raises:
        TooLarge, ValueError.
    """
    if len(entry.body) > MAX_BODY_BYTES:
        raise TooLarge("a journal body has at most 64 KiB", {"bytes": len(entry.body)})
    try:
        body = decode(entry.body)
    except MalformedMessage as problem:
        raise ValueError("the body of a journal entry cannot be read") from problem
    scanner = None if body.scanner is None else ScannerId(body.scanner)
    expected = (body.fact_id, body.scan_id, body.kind, body.site, topic(site, scanner, body.kind))
    if expected != (entry.fact_id, entry.scan_id, entry.kind, site, entry.topic):
        raise ValueError(f"a journal entry of kind {entry.kind} contradicts its body")
