"""Which scans still wait for an officer, from the journal itself: so a clock that was stopped with the process loses none of them.

A scan waits from an assessment with ``decide_by`` on, until a later row of its own answers it: another assessment, a referral, an
examination that took place, or a verdict on this revision. A verdict given before the machine's word was shown (``blind-first``) answers
an alert only if it agrees with it: against it, a second word with its reason is due, and the clock runs on.

The functions run inside a transaction of the caller.
"""

from dataclasses import dataclass
from datetime import datetime

import apsw

from edge_agent.domain.ids import FactId, ScanId, ScannerId, Seq
from edge_agent.ledger.moments import to_us

WINDOW = 1_000
"""Rows looked at in one go: some ms, so that no scan waits long for the ledger."""

# Bodies are text in a column of bytes; SQLite would take such bytes for its own binary JSON.
_WAITING = """
SELECT asked.seq, asked.scan_id, asked.fact_id, body ->> 'revision', body ->> 'scanner', body ->> 'decide_by'
FROM (
    SELECT seq, scan_id, fact_id, CAST(body AS TEXT) AS body FROM journal
    WHERE seq > ? AND seq <= ? AND kind = 'assessment' AND scan_id IS NOT NULL
) AS asked
WHERE asked.body ->> 'decide_by' IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM (
        SELECT seq, kind, CAST(body AS TEXT) AS said FROM journal AS word
        WHERE word.scan_id = asked.scan_id AND word.kind IN ('assessment', 'referral', 'control', 'verdict', 'set-aside')
    )
    WHERE seq > asked.seq AND (
        kind IN ('assessment', 'referral', 'set-aside')
        OR (kind = 'control' AND said ->> 'conclusion' <> 'not-examined')
        OR (kind = 'verdict' AND said ->> 'revision' >= asked.body ->> 'revision' AND NOT (
            coalesce(said ->> 'order', '') = 'blind-first'
            AND said ->> 'conclusion' = 'not-suspicious' AND asked.body ->> 'conclusion' = 'alert'
        ))
    )
)
ORDER BY asked.seq
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A scan that waits for an officer since row ``seq``, the assessment ``fact_id``, until ``decide_by``."""

    seq: Seq
    scan_id: ScanId
    fact_id: FactId
    revision: int
    scanner: ScannerId | None
    decide_by: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """What a window of the journal holds: scans that wait, and up to which row was looked."""

    waiting: tuple[Waiting, ...]
    upto: Seq


def begin(connection: apsw.Connection, since: datetime) -> Seq:
    """Give the number of the last row that was journalled before ``since``; 0 when there is none. Rows lie in the order of their time."""
    low, high = next(connection.execute("SELECT coalesce(min(seq), 1) - 1, coalesce(max(seq), 0) FROM journal"))
    while low < high:
        middle = (low + high + 1) // 2
        (created_us,) = next(connection.execute("SELECT created_us FROM journal WHERE seq = ?", (middle,)))
        low, high = (middle, high) if created_us < to_us(since) else (low, middle - 1)
    return Seq(low)


def look(connection: apsw.Connection, after: Seq) -> Look:
    """Look through the next ``WINDOW`` rows after number ``after``."""
    (head,) = next(connection.execute("SELECT coalesce(max(seq), 0) FROM journal"))
    upto = Seq(max(after, min(head, after + WINDOW)))
    return Look(tuple(_between(connection, after, upto)), upto)


def still_waits(connection: apsw.Connection, waiting: Waiting) -> bool:
    """Tell whether nobody has answered since."""
    return any(_between(connection, Seq(waiting.seq - 1), waiting.seq))


def _between(connection: apsw.Connection, after: Seq, upto: Seq) -> list[Waiting]:
    return [
        Waiting(
            Seq(seq),
            ScanId(scan),
            FactId(fact),
            int(revision),
            ScannerId(scanner) if scanner else None,
            datetime.fromisoformat(decide_by),
        )
        for seq, scan, fact, revision, scanner, decide_by in connection.execute(_WAITING, (after, upto))
    ]
