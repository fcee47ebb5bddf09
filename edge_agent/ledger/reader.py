"""Read-only access to a site's ledger from another process: verification, lists for people, checks. Never changes the file."""

from pathlib import Path
from typing import Self

import apsw

from edge_agent.ledger import schema
from edge_agent.ledger.connection import check_library, open_reader
from edge_agent.ledger.reads import LedgerReads


class LedgerReader(LedgerReads):
    """Reads a ledger, whether or not a daemon has it open. Close it soon after use; :meth:`open` is the way in."""

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing ledger and check every page of it.

        Raises:
            LedgerAbsent: there is no such file.
            LedgerFailed, LedgerDamaged, LedgerForeign, LibraryTooOld.
        """
        check_library(apsw.sqlite_lib_version())
        connection = open_reader(path)
        try:
            schema.check(connection)
            return cls(connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self._db.close()
