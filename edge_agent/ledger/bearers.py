"""Which scans bear a number that somebody outside knows them by; the caller holds the transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import apsw

from edge_agent.domain.capture import CaptureKind
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import ScanId
from edge_agent.ledger.jobs import PARTICULARS
from edge_agent.ledger.moments import to_us

_PAPERS = frozenset({IdentityClass.DECLARATION, IdentityClass.VENDOR_SCAN})
"""Numbers that travel with a scan and do not tell its subject; the others count only where they do."""
_TOKEN = "SELECT token FROM identity WHERE class = ? AND value = ?"  # noqa: S105 - a query
_SCANS = """
SELECT job_id, scan_id, identifiers, particulars FROM job
WHERE accepted_us >= ? AND instr(CASE WHEN ? THEN particulars ELSE identifiers END, ?) > 0
"""
"""Sorted afterwards: asked for an order, SQLite would read every job there is."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """A live scan that bears the number. ``subject``: its identifiers as one text, the same for the same container or parcel."""

    scan_id: ScanId
    taken_at: datetime
    subject: str


def bearers(connection: apsw.Connection, number: IdentityValue, since: datetime, until: datetime) -> list[Bearer]:
    """Give the live scans taken from ``since`` to ``until`` that bear a number, each once by its newest particulars, earliest first.

    Reads the list of work of that time once: some ten ms for a month of a busy site.
    """
    row = connection.execute(_TOKEN, (number.kind, number.value)).fetchone()
    if row is None:
        return []
    found = {scan.scan_id: scan for scan in _bearing(connection, row[0], since, is_paper=number.kind in _PAPERS)}
    return sorted((scan for scan in found.values() if since <= scan.taken_at <= until), key=lambda scan: scan.taken_at)


def _bearing(connection: apsw.Connection, token: str, since: datetime, *, is_paper: bool) -> Iterator[Bearer]:
    """Read every job that bears the token; none is accepted before it was taken, but for a scanner's clock that is ahead."""
    for _, scan, identifiers, text in sorted(connection.execute(_SCANS, (to_us(since), is_paper, token))):
        capture = PARTICULARS.validate_json(text).capture
        if capture.kind is CaptureKind.LIVE:
            yield Bearer(ScanId(scan), capture.taken_at.at, identifiers)
