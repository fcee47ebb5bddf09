"""Rows that came ahead of a site's verified prefix: where they are, and what becomes of them once the prefix reaches or replaces them."""

from collections.abc import Sequence

from edge_agent.collector.archive import sql
from edge_agent.collector.archive.ingest import Told
from edge_agent.collector.archive.port import Batch, Database, ScanKey
from edge_agent.collector.archive.reading import keyed
from edge_agent.collector.explode import Exploded, explode
from edge_agent.domain.ids import ScanId, Seq, SiteId
from edge_agent.wire.chain import JournalRow


class Ahead:
    """The writer's knowledge of rows ahead of a prefix. Everything but ``learn`` is asked inside the archive's own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places: set[tuple[str, bytes]] = set()
        """Site and epoch of every row that may lie ahead of the verified prefix."""
        self._session = 0

    def learn(self) -> None:
        """Learn what lies ahead of the verified prefix, unless this very connection has: before it another collector may have written."""
        if self._session != self._database.session:
            self._places = {(site, epoch) for site, epoch in self._database.execute(sql.AHEAD)}
            self._session = self._database.session

    def await_prefix(self, site: SiteId, rows: Sequence[JournalRow]) -> None:
        """Remember where ``rows`` lie, until the prefix reaches them."""
        self._places |= {(site, row.epoch) for row in rows}

    def reach(self, batch: Batch, changed: set[ScanKey]) -> dict[int, int]:
        """Let the verified prefix take the place of rows that were here ahead of it.

        Gives when these had come, by number. ``changed`` gets the scans of which something else had been said.
        """
        if (batch.site, batch.start.epoch) not in self._places:
            return {}
        place = (batch.site, batch.start.epoch)
        hashes = {row.seq: row.hash for row in batch.rows}
        here = self._database.execute(sql.LIVE_BETWEEN, (*place, batch.start.seq, batch.end.seq))
        reached = {seq: came_us for seq, _, came_us in here}
        for seq, row_hash, _ in here:
            if row_hash != hashes[seq]:
                changed |= self._retract(batch.site, batch.start.epoch, Seq(seq))
        gone = [(*place, seq) for seq in reached]
        self._database.run_many(sql.NO_UNREAD, gone)
        self._database.run_many(sql.FORGET_LIVE, [(*place, seq) for seq, row_hash, _ in here if row_hash == hashes[seq]])
        return reached

    def _retract(self, site: SiteId, epoch: bytes, seq: Seq) -> set[ScanKey]:
        """Take back what a row said that came ahead and is not the verified one. Gives the scan that it spoke of."""
        (row,) = self._database.execute(sql.LIVE_ROW, (site, epoch, seq))
        value = explode(JournalRow(*row), site)
        if not isinstance(value, Exploded):
            return set()
        if self._database.execute(sql.PLACE_OF_FACT, (site, value.fact.fact_id)) != [(epoch, seq)]:
            return set()
        return self._forget(site, value.fact.fact_id, value.fact.scan_id)

    def prove(self, told: Sequence[Told]) -> set[ScanKey]:
        """Forget what was known only from rows ahead of a prefix that was never reached, where a verified row tells it now.

        A restored site tells its story again in a new epoch; the old one's newest rows stay ahead for ever.
        """
        ahead = {site for site, _ in self._places}
        keys = [one.key for one in told if one.key is not None and one.site in ahead]
        scans = [self._forget(SiteId(site), fact, scan) for site, fact, scan in list(keyed(self._database, sql.KNOWN_AHEAD, keys))]
        return {scan for some in scans for scan in some}

    def _forget(self, site: SiteId, fact: str, scan: str | None) -> set[ScanKey]:
        for statement in sql.RETRACT:
            self._database.execute(statement, (site, fact))
        return set() if scan is None else {ScanKey(site, ScanId(scan))}
