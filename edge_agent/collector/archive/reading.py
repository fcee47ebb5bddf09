"""What can be asked of an archive, the same in every back end."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from edge_agent.collector.archive import sql
from edge_agent.collector.archive.port import CasePage, Cursor, Database, FindingLine, ScanKey, StoredFact, Value
from edge_agent.collector.archive.stories import case_of
from edge_agent.collector.explode import microseconds
from edge_agent.collector.shadows import shadow_tallies
from edge_agent.domain.ids import FactId, ScanId, Seq, SiteId
from edge_agent.errors import MalformedMessage
from edge_agent.kpi.availability import HealthChange, Heard
from edge_agent.kpi.case import Case
from edge_agent.kpi.rates import DetectionTally, FactTally, ObstacleTally, Outcome, OutcomeTally, Period
from edge_agent.kpi.shadow import ShadowTally
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.messages import AuditBody, HealthBody, decode

START = Seq(0)
ALWAYS = Period()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_DAY_US = 86_400_000_000
_NEVER_US = (1 << 63) - 1


class Reading:
    """Questions to an archive. All methods are synchronous; one thread at a time."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def close(self) -> None:
        self.database.close()

    def snapshot(self) -> AbstractContextManager[None]:
        """Everything that is asked inside is answered as of one moment, whatever the collector stores meanwhile."""
        return self.database.snapshot()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def cursor(self, site: SiteId, epoch: bytes) -> Cursor | None:
        """Give the end of what is stored of a site's epoch, or None when nothing is."""
        found = self.database.execute(sql.CURSOR, (site, epoch))
        return Cursor(epoch, Seq(found[0][0]), found[0][1]) if found else None

    def newest(self, site: SiteId) -> Cursor | None:
        """Give the cursor of the epoch that a site began last, or None for a site never heard."""
        found = self.database.execute(sql.NEWEST, (site,))
        return Cursor(found[0][0], Seq(found[0][1]), found[0][2]) if found else None

    def unfit_head(self, site: SiteId, epoch: bytes, after: Seq = START) -> Seq | None:
        """Give the first row behind ``after`` that is not what the site signed, or None when all kept heads fit the rows."""
        ((found,),) = self.database.execute(sql.UNFIT_HEAD, (site, epoch, after))
        return None if found is None else Seq(found)

    def unfit_live(self, site: SiteId, epoch: bytes, after: Seq = START) -> Seq | None:
        """Give the first row behind ``after`` that the site had sent ahead with another hash, or None when there is none."""
        ((found,),) = self.database.execute(sql.UNFIT_LIVE, (site, epoch, after))
        return None if found is None else Seq(found)

    def signed_to(self, site: SiteId, epoch: bytes) -> Seq:
        """Give the last stored row that the site's signature vouches for, 0 without one."""
        found = self.database.execute(sql.SIGNED_TO, (site, epoch))
        return Seq(found[0][0] if found else 0)

    def rows(self, site: SiteId, epoch: bytes, after: Seq = START) -> Iterator[JournalRow]:
        """Give the verified rows of an epoch in order, as they came; a page at a time, so memory does not grow."""
        while page := self.database.execute(sql.ROWS, (site, epoch, after)):
            yield from (JournalRow(*row) for row in page)
            after = Seq(page[-1][1])

    def provisional(self) -> list[tuple[str, int]]:
        """Count rows that came ahead of the verified prefix: (site, number). Every other count includes what they say."""
        return [(site, number) for site, number in self.database.execute(sql.LIVE_COUNT)]

    def facts_of(self, scan: ScanKey, passed_over: int = 0, limit: int = _NEVER_US) -> list[StoredFact]:
        """Give the facts of a scan in the order of the site's journal, at most ``limit`` behind the first ``passed_over``."""
        found = self.database.execute(sql.FACTS_OF_SCAN, (scan.site, scan.scan_id, limit, passed_over))
        return [
            StoredFact(kind, JournalRow(epoch, seq, prev_seq, topic, body, row_hash), received_us, bool(is_provisional))
            for kind, epoch, seq, prev_seq, topic, body, row_hash, received_us, is_provisional in found
        ]

    def has_facts(self, site: SiteId, facts: Sequence[FactId]) -> frozenset[FactId]:
        """Give those of ``facts`` that lie in the verified prefix of a site."""
        keys = [(site, fact) for fact in facts]
        return frozenset(FactId(fact) for (fact,) in keyed(self.database, sql.VERIFIED_FACTS, keys))

    def case(self, scan: ScanKey) -> Case | None:
        """Give one scan as figures count it; None while the machine has said nothing of it."""
        found = self.database.execute(sql.CASE, (scan.site, scan.scan_id))
        return case_of(found[0][0]) if found else None

    def cases(self, period: Period = ALWAYS, sites: Collection[str] | None = None) -> Iterator[Case]:
        """Give every scan as figures count it, by the time it was concluded; site after site where ``sites`` are named.

        Scans of every kind. May reach a day beyond ``period`` on either side: only the caller knows the sites' zones. A page at a
        time, so memory does not grow; a scan that is concluded anew meanwhile may be given twice or not at all, but for in a ``snapshot``.
        """
        low, high = bounds_us(period)
        if sites is not None:
            for site in sorted(sites):
                yield from self._cases_of_site(site, low, high)
            return
        after: tuple[int, str, str] = (low, "", "")
        while page := self.database.execute(sql.CASES, (high, *after)):
            yield from (case_of(text) for *_, text in page)
            after = page[-1][:3]

    def _cases_of_site(self, site: str, low: int, high: int) -> Iterator[Case]:
        after: tuple[int, str] = (low, "")
        while page := self.database.execute(sql.CASES_OF_SITE, (site, high, *after)):
            yield from (case_of(text) for *_, text in page)
            after = page[-1][:2]

    def findings(self, scans: Sequence[ScanKey]) -> list[FindingLine]:
        """Give the findings of the outcomes that count for ``scans``, in no order."""
        keys = [(scan.site, scan.scan_id) for scan in scans]
        return [
            FindingLine(ScanKey(SiteId(site), ScanId(scan)), type_, label, score, view, bundle, bool(alerts))
            for site, scan, type_, label, score, view, bundle, alerts in keyed(self.database, sql.FINDINGS, keys)
        ]

    def sites(self) -> list[str]:
        """Give the sites of which there are verified rows."""
        return [site for (site,) in self.database.execute(sql.SITES)]

    def case_page(self, page: CasePage) -> list[Case]:
        """Give the newest cases that ``page`` asks for, newest first."""
        asked = {"site": page.site, "scanner": page.scanner, "kind": page.kind, "outcome": page.outcome}
        words = [(name, value) for name, value in asked.items() if value]
        wanted = "".join(f" AND {name} = ?" for name, _ in words)
        values: list[Value] = [page.low_us, page.before[0], *page.before, *(value for _, value in words), page.limit]
        return [case_of(text) for *_, text in self.database.execute(sql.CASE_PAGE.format(wanted=wanted), values)]

    def outcomes(self, period: Period = ALWAYS) -> Iterator[OutcomeTally]:
        """Count scans by outcome. May reach a day beyond ``period`` on either side: only the caller knows the sites' zones.

        As ``detections``, ``obstacles`` and ``fact_tallies``, a day at a time, so memory does not grow with the period.
        """
        for site, scanner, kind, chosen, outcome, *rest in self._counted(sql.COUNT_OUTCOMES, sql.FIRST_OUTCOME, period):
            yield OutcomeTally(site, scanner, kind, chosen, Outcome(outcome), *rest)

    def detections(self, period: Period = ALWAYS) -> Iterator[DetectionTally]:
        """Count detections by label, over newest revisions; may reach a day beyond ``period``."""
        for row in self._counted(sql.COUNT_DETECTIONS, sql.FIRST_OUTCOME, period):
            yield DetectionTally(*row)

    def obstacles(self, period: Period = ALWAYS) -> Iterator[ObstacleTally]:
        """Count scans by obstacle, over newest revisions; may reach a day beyond ``period``."""
        for site, scanner, kind, code, outcome, blocking, *rest in self._counted(sql.COUNT_OBSTACLES, sql.FIRST_OUTCOME, period):
            yield ObstacleTally(site, scanner, kind, code, Outcome(outcome), bool(blocking), *rest)

    def fact_tallies(self, period: Period = ALWAYS) -> Iterator[FactTally]:
        """Count facts by kind; may reach a day beyond ``period``."""
        for row in self._counted(sql.COUNT_FACTS, sql.FIRST_FACT, period):
            yield FactTally(*row)

    def shadowed(self, period: Period = ALWAYS) -> Iterator[ShadowTally]:
        """Give each scan that a bundle in shadow looked at, a page at a time; may reach a day beyond ``period``."""
        after = ("", "")
        while scans := self.database.execute(sql.SHADOWED, (*bounds_us(period), *after)):
            yield from shadow_tallies(keyed(self.database, sql.SAID_OF_SCANS, scans))
            after = scans[-1]

    def health(self, period: Period = ALWAYS) -> list[HealthChange]:
        """Give what sites said of their health, the last word before the period included; may reach a day beyond it.

        Nothing was said after it was heard here: where a site's clock says so, ``ahead_us`` tells by how much it was ahead.
        """
        changes = []
        for site, said_us, heard_us, raw in self.database.execute(sql.HEALTH, bounds_us(period)):
            body = decode(raw)
            if isinstance(body, HealthBody):
                changes.append(HealthChange(site, min(said_us, heard_us), body.state, max(said_us - heard_us, 0)))
        return changes

    def site_audits(self, period: Period = ALWAYS) -> Iterator[AuditBody]:
        """Give what sites said of themselves since the period began, also after its end; may begin a day before it."""
        low, _ = bounds_us(period)
        after: tuple[int, str, str] = (low - 1, "", "")
        while page := self.database.execute(sql.SITE_AUDITS, after):
            for *_, raw in page:
                body = decode(raw)
                if isinstance(body, AuditBody):
                    yield body
            after = page[-1][:3]

    def heard(self) -> dict[str, Heard]:
        """Give when each site spoke first and last, by its own clock as far as that can be."""
        spoken: dict[str, Heard] = {}
        for site, raw, heard_us in self.database.execute(sql.HEARD):
            said_us = _said_us(raw, heard_us)
            at_us = min(said_us, heard_us)
            word = Heard(at_us, at_us, max(said_us - heard_us, 0))
            spoken[site] = word if site not in spoken else spoken[site].with_more(word)
        return spoken

    def facts(self) -> list[tuple[str, str, int]]:
        """Count facts: (site, kind, number)."""
        counts: Counter[tuple[str, str]] = Counter()
        for tally in self.fact_tallies():
            counts[tally.site, tally.fact] += tally.facts
        return [(*key, counts[key]) for key in sorted(counts)]

    def unread(self) -> list[tuple[str, str, int]]:
        """Count rows that this version could not read: (site, why, number)."""
        return [(site, why, number) for site, why, number in self.database.execute(sql.COUNT_UNREAD)]

    def _counted(self, text: str, first: str, period: Period) -> Iterator[tuple[Any, ...]]:
        """Ask ``text`` for each day (UTC) of a period that ``first`` finds anything in, so that no more than a day is in memory."""
        low, high = bounds_us(period)
        while (found := self.database.execute(first, (low, high))[0][0]) is not None:
            low = min((found // _ONE_DAY_US + 1) * _ONE_DAY_US, high)
            yield from self.database.execute(text, (found, low))


def bounds_us(period: Period) -> tuple[int, int]:
    """Give the moments [low, high) in microseconds since 1970 UTC that hold every day of ``period`` in every zone."""
    low = 0 if period.first is None else _midnight_us(period.first.toordinal()) - _ONE_DAY_US
    high = _NEVER_US if period.last is None else _midnight_us(period.last.toordinal()) + 2 * _ONE_DAY_US
    return (low, high)


def _said_us(raw: bytes, heard_us: int) -> int:
    """Give when a body says that it was said; when it was heard, where it cannot be read."""
    try:
        return microseconds(decode(raw).produced_at)
    except MalformedMessage:
        return heard_us


def _midnight_us(ordinal: int) -> int:
    return (ordinal - _EPOCH.toordinal()) * _ONE_DAY_US


def keyed(database: Database, text: str, keys: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Ask ``text`` for some ``keys`` at a time, in a few lengths only, so that few statements have to be prepared; give the rows."""
    for first in range(0, len(keys), sql.KEYS_AT_ONCE):
        some = list(keys[first : first + sql.KEYS_AT_ONCE])
        length = next(size for size in (1, 8, 32, sql.KEYS_AT_ONCE) if size >= len(some))
        some += [some[-1]] * (length - len(some))  # a key twice in IN (...) is a key
        marks = ", ".join([f"({', '.join('?' * len(some[0]))})"] * length)
        yield from database.execute(text.format(keys=f"VALUES {marks}"), tuple(value for key in some for value in key))
