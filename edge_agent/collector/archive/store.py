"""Headquarters' memory: the verified journals of all sites, and the tables that reports count over, made from them.

A batch of rows, the query tables made from it and the site's cursor are one transaction, so after any crash the cursor says exactly
which rows are here. Rows that came ahead of the verified prefix count like the others until the prefix reaches them and confirms
or replaces them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from edge_agent.collector.archive import sql
from edge_agent.collector.archive.ahead import Ahead
from edge_agent.collector.archive.ingest import Line, Told, lay_out, new_facts
from edge_agent.collector.archive.place import open_database, read_database
from edge_agent.collector.archive.port import Batch, Cursor, Database, ScanKey
from edge_agent.collector.archive.reading import Reading, keyed
from edge_agent.collector.archive.stories import CASE_VERSION, Chapter, conclude, gathered, in_order, tells
from edge_agent.collector.explode import explode
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import ArchiveDamaged
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.messages import decode

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Archive(Reading):
    """The only writer, or one of many readers. All methods are synchronous; one thread at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database)
        self._clock = clock
        self._ahead = Ahead(database)

    @classmethod
    def open(cls, place: Path | str, clock: Clock) -> Self:
        """Create or open the archive at ``place``, a file or a ``postgresql://`` address, for writing.

        Raises:
            LibraryTooOld: this SQLite can corrupt it.
            ArchiveBusy: another collector holds it.
            ArchiveAway: the server does not answer.
            ArchiveDamaged: it is no archive of ours, of a newer version, or fails its check.
            ConfigInvalid: the folder is absent or not writable, or the address or the installation is not fit.
        """
        database = open_database(place)
        try:
            archive = cls(database, clock)
            archive._begin()
        except BaseException:
            database.close()
            raise
        return archive

    @classmethod
    def read(cls, place: Path | str, clock: Clock) -> Self:
        """Open an existing archive for reading, beside a collector that writes.

        Raises:
            ArchiveDamaged: it is no archive of ours, or of another version.
            ArchiveAway: the server does not answer.
            ConfigInvalid: there is none yet.
        """
        archive = cls(read_database(place), clock)
        if not archive._is_folded():
            archive.close()
            raise ArchiveDamaged("its cases are of another version, or not all folded yet; `edge-agent collect` folds them anew")
        return archive

    def commit(self, batches: Sequence[Batch]) -> None:
        """Store rows, what they say, and the cursors behind them, of one or several sites: all or nothing, on disk on return.

        A row that was sent ahead with other bytes is replaced by this one, and stays as evidence: ``unfit_live`` finds it.

        Raises:
            DiskLow, ArchiveBusy: nothing of the batches is stored.
            ArchiveAway: nothing of them, or all: ``cursor`` will tell.
            ValueError: a batch does not continue its site's cursor.
        """
        self._commit(batches, {})

    def restore(self, batch: Batch, received_us: Sequence[int]) -> None:
        """Store a batch as another archive holds it, with the moments at which each row came. Otherwise as ``commit``."""
        for moment in sorted(set(received_us)):
            self.database.make_room(moment)
        self._commit([batch], {row.seq: moment for row, moment in zip(batch.rows, received_us, strict=True)})

    def _commit(self, batches: Sequence[Batch], received_us: Mapping[int, int]) -> None:
        """Commit; ``received_us``: when rows came, by number, where that was not now."""
        exploded = [[explode(row, batch.site) for row in batch.rows] for batch in batches]
        now_us = self._now_us()
        self.database.make_room(now_us)
        with self.database.transaction():
            self._ahead.learn()
            self._expect(batches)
            changed: set[ScanKey] = set()
            told = []
            for batch, values in zip(batches, exploded, strict=True):
                came_us = {**received_us, **self._ahead.reach(batch, changed)}
                rows = zip(batch.rows, values, strict=True)
                told += [Told(batch.site, row, value, came_us.get(row.seq, now_us)) for row, value in rows]
            self._add("journal", sql.JOURNAL, [one.line() for one in told])
            changed |= self._ahead.prove(told)
            self._tell(told, changed)
            self._keep_heads(batches, now_us)
            ends = [(batch.site, batch.end) for batch in batches]
            self.database.run_many(sql.SET_CURSOR, [(site, end.epoch, end.seq, end.hash, now_us) for site, end in ends])

    def live(self, site: SiteId, rows: Sequence[JournalRow]) -> int:
        """Store rows of ``site`` that came ahead of its verified prefix; gives how many were new.

        Rows that are here already, verified or not, are left as they are, so a page may be told twice. Nothing is proved by them
        and no cursor moves.

        Raises:
            DiskLow, ArchiveBusy, ArchiveAway: it may be tried again.
        """
        now_us = self._now_us()
        self.database.make_room(now_us)
        with self.database.transaction():
            self._ahead.learn()
            self._ahead.await_prefix(site, rows)
            told = [Told(site, row, explode(row, site), now_us) for row in self._unstored(site, rows)]
            self._add("live", sql.JOURNAL, [one.line() for one in told])
            self._tell(told, set())
        return len(told)

    def _begin(self) -> None:
        """Learn what lies ahead of the verified prefix, and fold all cases anew where they were folded by other rules."""
        self._ahead.learn()
        if self._is_folded():
            return
        after = ("", "")
        while scans := self.database.execute(sql.SCANS, after):
            with self.database.transaction():
                stored = self._stored_chapters([ScanKey(site, scan) for site, scan in scans])
                self._conclude(stored)
            after = scans[-1]
        self.database.execute(sql.SET_SETTING, ("case", CASE_VERSION))

    def _is_folded(self) -> bool:
        """Tell whether all cases were folded by the rules of this program."""
        return self.database.execute(sql.SETTING, ("case",)) == [(CASE_VERSION,)]

    def _now_us(self) -> int:
        return (self._clock.now() - _EPOCH) // timedelta(microseconds=1)

    def _expect(self, batches: Sequence[Batch]) -> None:
        keys = sorted({(batch.site, batch.start.epoch) for batch in batches})
        ends = {(site, epoch): Cursor(epoch, Seq(seq), end) for site, epoch, seq, end in keyed(self.database, sql.CURSORS, keys)}
        for batch in batches:
            key = (batch.site, batch.start.epoch)
            if ends.get(key) not in (None, batch.start):
                raise ValueError(f"rows after {batch.start.seq} do not continue the cursor of {batch.site}")
            ends[key] = batch.end

    def _unstored(self, site: SiteId, rows: Sequence[JournalRow]) -> list[JournalRow]:
        """Give the rows that are neither verified nor here ahead of the prefix, each once."""
        left = {(row.epoch, row.seq): row for row in rows}
        for epoch in {row.epoch for row in rows}:
            cursor = self.cursor(site, epoch)
            done = 0 if cursor is None else cursor.seq
            last = max(row.seq for row in rows if row.epoch == epoch)
            here = {seq for seq, _, _ in self.database.execute(sql.LIVE_BETWEEN, (site, epoch, done, last))}
            left = {key: row for key, row in left.items() if row.epoch != epoch or (row.seq > done and row.seq not in here)}
        return list(left.values())

    def _tell(self, told: Sequence[Told], changed: set[ScanKey]) -> None:
        """Write what rows say. ``changed``: scans that have lost a fact."""
        known = {(site, fact) for site, fact in keyed(self.database, sql.KNOWN, [one.key for one in told if one.key is not None])}
        fresh = new_facts(told, known)
        stories: dict[ScanKey, list[Chapter]] = {scan: [] for scan in changed} | gathered(fresh)
        stored = self._stored_chapters(stories)
        sheets = lay_out(told, fresh)
        self._add("fact", sql.FACT, sheets.facts)
        self._add("unread", sql.UNREAD, sheets.unread)
        self._add("assessment", sql.ASSESSMENT, sheets.assessments)
        self._add("finding", sql.FINDING, sheets.findings)
        self._add("reason", sql.REASON, sheets.reasons)
        self._add("obstacle", sql.OBSTACLE, sheets.obstacles)
        for scan in changed:
            self.database.execute(sql.NO_OUTCOME, (scan.site, scan.scan_id))
            self.database.execute(sql.NO_CASE, (scan.site, scan.scan_id))
        self._conclude(
            {scan: stored.get(scan, []) + chapters for scan, chapters in stories.items()}, new=stories.keys() - stored.keys() - changed
        )

    def _stored_chapters(self, scans: Iterable[ScanKey]) -> dict[ScanKey, list[Chapter]]:
        stored: dict[ScanKey, list[Chapter]] = {}
        for site, scan, epoch, seq, came_us, body in keyed(self.database, sql.STORIES, [(scan.site, scan.scan_id) for scan in scans]):
            chapter = Chapter(epoch, Seq(seq), came_us, decode(body))
            if tells(chapter.body):
                stored.setdefault(ScanKey(site, scan), []).append(chapter)
        return stored

    def _conclude(self, stories: Mapping[ScanKey, Sequence[Chapter]], new: Collection[ScanKey] = ()) -> None:
        """Write the outcome and the case of each scan anew from all of its facts; those of ``new`` scans are not there yet."""
        lines: dict[bool, list[tuple[Line, Line]]] = {True: [], False: []}
        for scan, chapters in stories.items():
            concluded = conclude(scan, in_order(chapters, self._epochs(scan.site, chapters)))
            if concluded is not None:
                lines[scan in new].append(concluded)
        self._add("outcome", sql.OUTCOME, [outcome for outcome, _ in lines[True]])
        self._add("scan_case", sql.SCAN_CASE, [case for _, case in lines[True]])
        self.database.run_many(sql.SET_OUTCOME, [outcome for outcome, _ in lines[False]])
        self.database.run_many(sql.SET_CASE, [case for _, case in lines[False]])

    def _epochs(self, site: SiteId, chapters: Sequence[Chapter]) -> list[bytes]:
        """Give the site's epochs in the order in which they began; an epoch of which nothing is verified yet is not among them."""
        if len({chapter.epoch for chapter in chapters}) < 2:
            return []
        return [epoch for (epoch,) in self.database.execute(sql.EPOCHS, (site,))]

    def _keep_heads(self, batches: Sequence[Batch], now_us: int) -> None:
        kept = [(batch.site, batch.head) for batch in batches if batch.head is not None]
        lines = [(site, head.epoch, head.seq, head.hash, head.at_us, head.key, head.signature, now_us) for site, head in kept]
        self.database.run_many(sql.ADD_HEAD, lines)

    def _add(self, table: str, columns: Sequence[str], lines: Sequence[Line]) -> None:
        if lines:
            self.database.add(table, columns, lines)
