"""Selected consignments and what became of them; functions for :meth:`~edge_agent.ledger.ledger.Ledger.transact`.

A number in clear stands in the identity table only. A selection whose number was erased is left out of every answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import apsw

from edge_agent.domain.capture import Selection
from edge_agent.domain.identity import IdentityClass
from edge_agent.domain.ids import DropKey, ScanId, ScannerId, Token
from edge_agent.domain.numbering import normalised
from edge_agent.domain.selection import Listed, ScanSeen, Selected, SelectionState
from edge_agent.ledger.jobs import PARTICULARS
from edge_agent.ledger.moments import from_us, to_us


@dataclass(frozen=True, slots=True)
class AcceptedScan:
    """A scan as it was first accepted, in the order of ``job``. ``drop_key`` holds the scanner's own number, where it has one."""

    job: int
    seen: ScanSeen
    drop_key: DropKey


def take_in(connection: apsw.Connection, listed: Sequence[Listed]) -> int:
    """Remember new selections; give how many are new."""
    before = connection.total_changes()
    connection.executemany(
        "INSERT OR IGNORE INTO selection (token, selected_us, scanner, reason, campaign, due_us, state) VALUES (?,?,?,?,?,?,?)",
        [(*_key(one), one.selected.reason, one.selected.campaign, to_us(one.selected.due), one.state) for one in listed],
    )
    return connection.total_changes() - before


def settle(connection: apsw.Connection, one: Listed) -> None:
    """Remember what became of a selection."""
    connection.execute(
        "UPDATE selection SET state = ?, scan_id = ? WHERE token = ? AND selected_us = ? AND scanner = ?",
        (one.state, one.scan_id, *_key(one)),
    )


def listed_since(connection: apsw.Connection, since: datetime) -> list[Listed]:
    """Give all selections that were due at or after a moment, earliest first."""
    rows = connection.execute(
        "SELECT token, selected_us, scanner, reason, campaign, due_us, state, scan_id, value, class FROM selection"
        " JOIN identity USING (token) WHERE due_us >= ? AND value IS NOT NULL ORDER BY selected_us, token",
        (to_us(since),),
    )
    return [
        Listed(
            Selected(
                normalised(value),
                IdentityClass(kind),
                ScannerId(scanner) if scanner else None,
                Selection(reason),
                campaign,
                from_us(selected),
                from_us(due),
            ),
            Token(token),
            SelectionState(state),
            ScanId(scan) if scan else None,
        )
        for token, selected, scanner, reason, campaign, due, state, scan, value, kind in rows
    ]


def accepted_after(connection: apsw.Connection, job: int, since: datetime, limit: int) -> list[AcceptedScan]:
    """Give scans accepted after job number ``job`` and not before ``since``, in their order, at most ``limit``.

    Every revision counts: the number of a scan may come with a later one only.
    """
    rows = connection.execute(
        "SELECT job_id, scan_id, scanner, drop_key, accepted_us, particulars FROM job"
        " WHERE job_id > ? AND accepted_us >= ? ORDER BY job_id LIMIT ?",
        (job, to_us(since), limit),
    )
    return [
        AcceptedScan(number, ScanSeen(ScanId(scan), ScannerId(scanner), _numbers(connection, text), from_us(at)), DropKey(key))
        for number, scan, scanner, key, at, text in list(rows)
    ]


def _numbers(connection: apsw.Connection, particulars: str) -> tuple[str, ...]:
    tokens = PARTICULARS.validate_json(particulars).subject.identifiers
    values = [connection.execute("SELECT value FROM identity WHERE token = ?", (token,)).fetchone() for token in tokens]
    return tuple(dict.fromkeys(normalised(row[0]) for row in values if row is not None and row[0] is not None))


def _key(one: Listed) -> tuple[str, int, str]:
    return one.token, to_us(one.selected.since), one.selected.scanner or ""
