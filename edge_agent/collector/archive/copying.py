"""One archive copied into another, as from SQLite to PostgreSQL: rows, moments, heads and cursors; the rest is made anew from the rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_agent.collector.archive import sql
from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import ArchiveDamaged
from edge_agent.wire.chain import JournalRow, first_break


@dataclass(frozen=True, slots=True)
class Copied:
    """How far a copy has come. ``rows``: in the new archive, of ``of`` in the old one."""

    rows: int
    of: int


def copy(source: Archive, target: Archive, tell: Callable[[Copied], None]) -> Copied:
    """Copy what ``target`` has not yet; a copy that was interrupted goes on where it stopped. Every chain is verified on the way.

    Raises:
        ArchiveDamaged: the chain of a site breaks in ``source``.
        ValueError: ``target`` holds another story of a site.
    """
    ((total,),) = source.database.execute(sql.COUNT_ROWS)
    done = Copied(0, int(total))
    for site in map(SiteId, source.sites()):
        for (epoch,) in source.database.execute(sql.EPOCHS, (site,)):
            for rows in _copied(source, target, site, epoch):
                done = Copied(done.rows + rows, done.of)
                tell(done)
        target.database.run_many(sql.ADD_HEAD, source.database.execute(sql.HEADS, (site,)))
        _copy_live(source, target, site)
    return done


def _copied(source: Archive, target: Archive, site: SiteId, epoch: bytes) -> Iterator[int]:
    """Copy one epoch; gives the number of rows of each page, those that were there already first."""
    end = source.cursor(site, epoch)
    at = target.cursor(site, epoch)
    if at is not None:
        ((known,),) = target.database.execute(sql.COUNT_ROWS_OF_EPOCH, (site, epoch))
        yield int(known)
    while page := source.database.execute(sql.ROWS_AND_MOMENTS, (site, epoch, Seq(0) if at is None else at.seq)):
        rows = tuple(JournalRow(*row) for *row, _ in page)
        start = at or _start(rows[0])
        if first_break(rows, start.hash, start.seq) is not None and (at is not None or rows[0].seq == 1):
            raise ArchiveDamaged("the chain of a stored journal breaks", {"site": site, "after": start.seq})
        batch = Batch(site, start, rows)
        target.restore(batch, [received_us for *_, received_us in page])
        at = batch.end
        yield len(rows)
    if at is None and end is not None:
        target.restore(Batch(site, end, ()), [])


def _start(first: JournalRow) -> Cursor:
    """Give the place before the first row that is stored; what lay before it, if anything, was gone when headquarters first asked."""
    return Cursor(first.epoch, Seq(first.seq - 1), first.epoch)


def _copy_live(source: Archive, target: Archive, site: SiteId) -> None:
    """Copy what came ahead of the prefix: what still is ahead counts there too, what the prefix contradicted is kept as evidence."""
    found = source.database.execute(sql.LIVE_OF_SITE, (site,))
    target.live(site, [JournalRow(*row) for *row, _ in found])
    target.database.run_many(sql.KEEP_LIVE, [(site, *row) for row in found])
