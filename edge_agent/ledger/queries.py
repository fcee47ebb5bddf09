"""Questions of readers to the journal that go beyond "the rows after this one". Each is answered from an index, of one moment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import apsw

from edge_agent.domain.assessment import BlobRef, FactKind
from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import FactId, ScanId, Seq
from edge_agent.ledger import undecided
from edge_agent.ledger.bearers import Bearer, bearers
from edge_agent.ledger.connection import reading
from edge_agent.ledger.eviction import words_of
from edge_agent.ledger.jobs import Jobs
from edge_agent.ledger.journal import Journal
from edge_agent.ledger.moments import from_us
from edge_agent.ledger.records import Backlog, FilteredRows, NamedBlob, Packed, Snapshot, Undecided
from edge_agent.ledger.retention import is_undecided
from edge_agent.ledger.undecided import Look
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.filtering import matches
from edge_agent.wire.messages import decode

_OUTCOMES = (FactKind.ASSESSMENT, FactKind.SET_ASIDE)
_TOLD = (*_OUTCOMES, FactKind.VERDICT, FactKind.CONTROL, FactKind.REFERRAL)
_WINDOW = 2_000
"""Rows that a filtered read looks at in one go: some ms, so that no reader of a rare topic holds the ledger up."""
_LOOKED_BACK = 500
"""Rows that are looked at in one go for scans that wait: of each assessment among them all words are read."""
_STEPS_PER_SCAN = 8
"""How often a scan may have been judged again before a snapshot looks no further back for older scans."""
_MOST_TOLD = 100
"""Rows about one scan in a snapshot: a workstation that sends verdicts without end must not push the other scans out of it."""
_FRAME_BYTES = 64
_LAST_ASSESSMENTS = """
SELECT seq, topic, scan_id FROM journal AS judged
WHERE seq > ? AND seq < ? AND kind = 'assessment' AND scan_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM journal AS again WHERE again.scan_id = judged.scan_id AND again.kind = 'assessment' AND again.seq > judged.seq
)
ORDER BY seq DESC
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much an answer may hold: rows, and bytes of topics and bodies."""

    rows: int
    bytes: int


class Queries:
    """Answers from the connection of the ledger's lane; changes nothing.

    A row that is given out as such is held against the chain first: LedgerDamaged where it is not what was written.
    """

    def __init__(self, connection: apsw.Connection, journal: Journal, epoch: bytes) -> None:
        self._db = connection
        self._journal = journal
        self._epoch = epoch
        self._jobs = Jobs(connection)

    def snapshot(self, starts: Sequence[str], last: int, budget: Budget) -> Snapshot:
        """Give the newest ``last`` outcomes of each scanner with the other rows about their scans, among the topics of ``starts``.

        Of a scan of which more than ``_MOST_TOLD`` rows tell, the newest and its last outcome.
        Costs two look-ups in the primary key for each outcome: a topic's rows are linked by ``prev_seq``.
        """
        with reading(self._db):
            head = self._journal.head()
            heads = {name: seq for name, seq in self._journal.topic_heads().items() if matches(name, starts)}
            scans = self._newest_scans(heads, last)
            rows: list[JournalRow] = []
            left_out = 0
            for scan in scans:
                told = self._told(scan, starts)
                if left_out or len(rows) + len(told) > budget.rows or _size(rows) + _size(told) > budget.bytes:
                    left_out += 1
                else:
                    rows += told
        return Snapshot(head, heads, tuple(sorted(rows, key=lambda row: row.seq)), left_out)

    def undecided(self, before: Seq, starts: Sequence[str], most: int, budget: Budget) -> Undecided:
        """Give the scans judged last before row ``before`` about which a person is still to speak; ``most`` 0: their names only.

        At most ``_LOOKED_BACK`` rows are looked at in one go, and fewer where the rows of more scans do not fit; a scan whose own rows
        do not fit in an answer is named without them.
        """
        with reading(self._db):
            head = self._journal.head()
            before = min(before, Seq(head.seq + 1))
            after = Seq(max(before - 1 - _LOOKED_BACK, head.first - 1, 0))
            scans: list[ScanId] = []
            rows: list[JournalRow] = []
            for seq, scan in self._judged_last(after, before, starts):
                told = self._told(scan, starts) if most else []
                has_room = len(rows) + len(told) <= budget.rows and _size(rows) + _size(told) <= budget.bytes
                if scans and most and (len(scans) == most or not has_room):
                    after = seq
                    break
                scans.append(scan)
                rows += told if has_room else []
        return Undecided(head, after, tuple(scans), tuple(sorted(rows, key=lambda row: row.seq)))

    def filtered_rows(self, after: Seq, starts: Sequence[str], budget: Budget) -> FilteredRows:
        """Give rows of some topics after number ``after`` (not beyond the head), one at least if there is any within reach.

        ``upto`` says how far was looked: at most ``_WINDOW`` rows in one go.
        """
        with reading(self._db):
            head = self._journal.head()
            after = max(after, Seq(head.first - 1))
            end = min(head.seq, after + _WINDOW)
            found = self._db.execute("SELECT seq, topic FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq", (after, end))
            wanted = [seq for seq, name in found if matches(name, starts)]
            rows: list[JournalRow] = []
            room = budget.bytes
            for seq in wanted:
                row = self._row(seq)
                room -= _size([row])
                if rows and (len(rows) == budget.rows or room < 0):
                    end = seq - 1
                    break
                rows.append(row)
            upto = Seq(max(end, after))
            return FilteredRows(tuple(rows), upto, self._journal.hash_at(upto) or self._epoch)

    def latest_set_aside(self, scan: ScanId) -> bytes | None:
        """Give the body of the last set-aside of a scan, None when it was never set aside."""
        with reading(self._db):
            row = self._db.execute(
                "SELECT body FROM journal WHERE scan_id = ? AND kind = ? ORDER BY seq DESC LIMIT 1", (scan, FactKind.SET_ASIDE)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def bearers(self, number: IdentityValue, since: datetime, until: datetime) -> list[Bearer]:
        """Give the live scans taken from ``since`` to ``until`` that bear a number, earliest first."""
        with reading(self._db):
            return bearers(self._db, number, since, until)

    def control_of(self, scan: ScanId, cause: str) -> tuple[Seq, FactId] | None:
        """Give number and identity of the control result of a scan that has this cause, whatever revision it is about."""
        query = "SELECT seq, fact_id FROM journal WHERE scan_id = ? AND kind = ? AND CAST(body AS TEXT) ->> 'cause' = ?"
        with reading(self._db):
            row = self._db.execute(query, (scan, FactKind.CONTROL, cause)).fetchone()
        return None if row is None else (Seq(row[0]), FactId(row[1]))

    def named_blob(self, sha256: str) -> NamedBlob | None:
        """Give the newest fact that names a blob, None when none does."""
        query = (
            "SELECT blob.role, blob.bytes, blob.media_type, journal.body FROM blob JOIN journal ON journal.fact_id = blob.fact_id"
            " WHERE blob.sha256 = ? ORDER BY journal.seq DESC LIMIT 1"
        )
        with reading(self._db):
            row = self._db.execute(query, (sha256,)).fetchone()
        if row is None:
            return None
        role, size, media_type, raw = row
        body = decode(raw)
        return NamedBlob(BlobRef(sha256, size, media_type, role), ScanId(body.scan_id or ""), body.revision)

    def package_of(self, scan: ScanId, revision: int) -> Packed | None:
        """Give where the package of a revision lies, None when there is none."""
        with reading(self._db):
            return next((packed for packed in self._jobs.packed(scan) if packed.revision == revision), None)

    def waiting_since(self, since: datetime) -> Seq:
        """Give the number of the last row that was journalled before ``since``; 0 when there is none."""
        with reading(self._db):
            return undecided.begin(self._db, since)

    def waiting(self, after: Seq) -> Look:
        """Give which scans of the next rows after ``after`` still wait for an officer."""
        with reading(self._db):
            return undecided.look(self._db, after)

    def backlog(self, consumers: Sequence[str]) -> Backlog:
        """Give what the slowest of ``consumers`` has not acknowledged."""
        with reading(self._db):
            head, said = self._journal.head(), self._journal.acknowledged()
            start = head.first - 1
            places = [said[name].seq if name in said and said[name].epoch == self._epoch else start for name in consumers]
            place = max(start, min(places, default=head.seq))
            row = self._db.execute("SELECT created_us FROM journal WHERE seq > ? ORDER BY seq LIMIT 1", (place,)).fetchone()
        return Backlog(head.seq - place, None if row is None else from_us(row[0]))

    def _judged_last(self, after: Seq, before: Seq, starts: Sequence[str]) -> Iterator[tuple[Seq, ScanId]]:
        """Give number and scan of last assessments in a window that still wait for a person, newest first."""
        for seq, name, scan in list(self._db.execute(_LAST_ASSESSMENTS, (after, before))):
            if matches(name, starts) and is_undecided(words_of(self._db, ScanId(scan))):
                yield Seq(seq), ScanId(scan)

    def _newest_scans(self, heads: dict[str, Seq], last: int) -> list[ScanId]:
        """Give the scans of the newest outcomes of every scanner, newest first."""
        scanners: dict[str, list[Seq]] = {}
        for name, seq in heads.items():
            scanner, _, kind = name.rstrip("/").rpartition("/")
            if kind in _OUTCOMES:
                scanners.setdefault(scanner, []).append(seq)
        newest: dict[ScanId, Seq] = {}
        for tips in scanners.values():
            newest |= self._scans_back_from(tips, last)
        return sorted(newest, key=lambda scan: -newest[scan])

    def _scans_back_from(self, tips: list[Seq], last: int) -> dict[ScanId, Seq]:
        """Walk the topics of one scanner back together, newest row first, until ``last`` scans were met."""
        found: dict[ScanId, Seq] = {}
        links = [link for tip in tips if (link := self._link(tip)) is not None]
        for _ in range(_STEPS_PER_SCAN * last):
            if not links or len(found) == last:
                break
            newest = max(links)
            links.remove(newest)
            seq, previous, scan = newest
            found.setdefault(ScanId(scan), seq)
            before = self._link(previous)
            if before is not None:
                links.append(before)
        return found

    def _link(self, seq: Seq) -> tuple[Seq, Seq, str] | None:
        row = self._db.execute("SELECT seq, prev_seq, scan_id FROM journal WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else (Seq(row[0]), Seq(row[1]), str(row[2]))

    def _told(self, scan: ScanId, starts: Sequence[str]) -> list[JournalRow]:
        """Give a scan's newest rows and, however much was said since, its last outcome: nobody hides a scan by talking about it."""
        rows = dict(self._newest(scan, _TOLD, _MOST_TOLD))
        rows |= dict(self._newest(scan, _OUTCOMES, 1)) if len(rows) == _MOST_TOLD else {}
        return [self._row(seq) for seq, name in sorted(rows.items()) if matches(name, starts)]

    def _newest(self, scan: ScanId, kinds: Sequence[FactKind], most: int) -> list[tuple[Seq, str]]:
        marks = ",".join("?" * len(kinds))
        query = f"SELECT seq, topic FROM journal WHERE scan_id = ? AND kind IN ({marks}) ORDER BY seq DESC LIMIT ?"  # noqa: S608 - marks only
        return [(Seq(seq), name) for seq, name in self._db.execute(query, (scan, *kinds, most))]

    def _row(self, seq: Seq) -> JournalRow:
        previous, name, body, digest = next(self._db.execute("SELECT prev_seq, topic, body, hash FROM journal WHERE seq = ?", (seq,)))
        row = JournalRow(self._epoch, seq, Seq(previous), name, body, digest)
        self._journal.refuse_altered([row])
        return row


def _size(rows: Sequence[JournalRow]) -> int:
    return sum(len(row.body) + len(row.topic) + _FRAME_BYTES for row in rows)
