"""Spool copies that no job names: a crash came between giving a copy its place and registering it."""

from collections.abc import Sequence

import apsw

from edge_agent.domain.ids import ScanId


def unknown_revisions(connection: apsw.Connection, revisions: Sequence[tuple[ScanId, int]]) -> list[tuple[ScanId, int]]:
    """Give those of ``revisions`` that were never accepted, in their order; for :meth:`~edge_agent.ledger.ledger.Ledger.transact`."""
    query = "SELECT EXISTS (SELECT 1 FROM job WHERE scan_id = ? AND revision = ?)"
    return [one for one in revisions if not next(connection.execute(query, one))[0]]
