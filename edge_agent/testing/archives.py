"""Journals and batches for tests of headquarters' archive."""

from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.domain.ids import Seq
from edge_agent.testing.site_journal import SiteJournal
from edge_agent.wire.messages import AnyBody


def journal_of(*bodies: AnyBody, site: str = "north", epoch: bytes = b"e" * 16) -> SiteJournal:
    """Give a journal that holds ``bodies``."""
    journal = SiteJournal(site, epoch)
    journal.add(*bodies)
    return journal


def batch(journal: SiteJournal, start: int = 0, end: int | None = None) -> Batch:
    """Give the rows after number ``start``, up to number ``end`` where given, as a batch that continues ``start``."""
    at = Cursor(journal.epoch, Seq(start), journal.hash_at(Seq(start)))
    return Batch(journal.site, at, tuple(journal.rows[start:end]))
