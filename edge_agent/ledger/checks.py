"""The thorough check of a whole ledger: for people who ask, and for the daemon once a week. It reads beside the writer."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw

from edge_agent.domain.ids import Seq
from edge_agent.errors import LedgerDamaged
from edge_agent.ledger import schema
from edge_agent.ledger.connection import one, open_reader, reading
from edge_agent.ledger.reads import LedgerReads
from edge_agent.ledger.verification import Verification
from edge_agent.signing.keys import VerifyKey

_STEPS_BETWEEN = 100_000
"""Steps of SQLite's machine, some ms, between two words of progress."""


def check_whole(path: Path, believed: VerifyKey | None = None, tell: Callable[[int, int], None] | None = None) -> Verification:
    """Compare every index with its table, then verify the journal and its signed heads; minutes for a large file.

    ``tell`` hears how many rows of how many are done, (0, 0) before the first; what it raises ends the check.

    Raises:
        LedgerDamaged: the file itself is. LedgerForeign, LedgerOutdated, LedgerFailed.
    """
    with closing(open_reader(path)) as connection:
        schema.require_current(connection)
        if tell is not None:
            connection.set_progress_handler(lambda: bool(tell(0, 0)), _STEPS_BETWEEN)
        with reading(connection):
            findings = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
        if findings != ["ok"]:
            raise LedgerDamaged(f"integrity check: {findings[0]}", {"findings": len(findings)})
        return LedgerReads(connection).verification(believed, tell)


def weekly_check(path: Path) -> Seq | None:
    """Give the first row of the journal that does not fit, None when the whole ledger is sound.

    Raises:
        LedgerDamaged, LedgerFailed.
    """
    return check_whole(path).bad_seq


def last_checked_us(connection: apsw.Connection) -> int | None:
    """Give when the whole ledger was last found sound; for :meth:`~edge_agent.ledger.ledger.Ledger.transact`."""
    (at_us,) = one(connection, "SELECT checked_us FROM meta")
    return None if at_us is None else int(at_us)


def note_checked(connection: apsw.Connection, at_us: int) -> None:
    """Note that the whole ledger was found sound; for :meth:`~edge_agent.ledger.ledger.Ledger.transact`."""
    connection.execute("UPDATE meta SET checked_us = ?", (at_us,))
