"""The queue: the newest scans of every site, what changed since when, and which scan an officer should look at first. No I/O."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge_agent.console.events import SeenFact
from edge_agent.console.record import URGENT, WAITING, ScanRecord
from edge_agent.console.views import QueueRow
from edge_agent.wire.messages import AssessmentBody, AuditBody, ShadowBody

MOST_BEHIND = 2_000
"""Changes that a reader may be behind; one that is further behind asks for the whole queue, which is cheaper."""
_MOST_GONE = 5_000
_MOST_FAULTS = 500
_FAULT = "systematic-fault"

Key = tuple[str, str]
"""Site and scan."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows are wanted; an empty set lets all pass."""

    sites: frozenset[str] = frozenset()
    conclusions: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()

    def lets_pass(self, row: QueueRow) -> bool:
        wanted = ((self.sites, row.site), (self.conclusions, row.conclusion), (self.states, row.state))
        return all(not words or value in words for words, value in wanted)


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed up to ``version``: rows as JSON, and scans that left. ``is_all`` is false where more is to come."""

    version: int
    rows: tuple[bytes, ...]
    gone: tuple[str, ...]
    is_all: bool


@dataclass(slots=True)
class _Shown:
    row: QueueRow
    json: bytes


class Queue:
    """The newest ``capacity`` scans of each site. To be used from one event loop."""

    def __init__(self, capacity: int, blind_share: float = 0.0) -> None:
        self._capacity = capacity
        self._slack = max(16, capacity // 20)
        self._blind_share = blind_share
        self._records: dict[str, OrderedDict[str, ScanRecord]] = {}
        self._shown: dict[Key, _Shown] = {}
        self._changed: OrderedDict[Key, int] = OrderedDict()
        self._gone: OrderedDict[Key, int] = OrderedDict()
        self._faults: dict[str, list[SeenFact]] = {}
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._policies: dict[str, dict[str, str]] = {}
        self._bell = asyncio.Event()
        self.version = 0

    def apply(self, site: str, fact: SeenFact) -> None:
        """Take one fact of ``site``; what is about no scan changes no row."""
        body = fact.body
        if body is None or body.scan_id is None or isinstance(body, ShadowBody):
            return
        if isinstance(body, AuditBody) and body.event.code == _FAULT:
            self._faults[site] = [*self._faults.get(site, []), fact][-_MOST_FAULTS:]
        records = self._records.setdefault(site, OrderedDict())
        record = records.get(body.scan_id)
        if record is None:
            if isinstance(body, AuditBody):
                return  # no reason to keep a scan of which nothing else is known
            record = records[body.scan_id] = ScanRecord(site, body.scan_id, self._blind_share)
        if record.apply(fact, body):
            self._show(record)
        if isinstance(body, AssessmentBody):
            self._policies.setdefault(site, {})[record.scanner] = body.provenance.policy_digest
        if len(records) > self._capacity + self._slack:
            self._make_room(site)

    def find(self, site: str, scan_id: str) -> ScanRecord | None:
        """Give what is known of a scan; None when it is not among the newest."""
        records = self._records.get(site)
        return None if records is None else records.get(scan_id)

    def records(self, site: str) -> Iterable[ScanRecord]:
        """Give all scans of a site."""
        return list(self._records.get(site, OrderedDict()).values())

    def faults(self) -> list[tuple[str, SeenFact]]:
        """Give the reports of systematic faults, newest first."""
        told = [(site, fact) for site, facts in self._faults.items() for fact in facts]
        return sorted(told, key=lambda one: one[1].body.produced_at if one[1].body is not None else one[1].seen_at, reverse=True)

    def counts(self, site: str) -> tuple[int, int]:
        """Give how many scans of a site are shown, and how many of them wait for an officer."""
        return self._counts[site, True] + self._counts[site, False], self._counts[site, True]

    def select(self, filters: Filters) -> list[bytes]:
        """Give the rows as JSON, most urgent and newest first."""
        chosen = [shown for shown in self._shown.values() if filters.lets_pass(shown.row)]
        chosen.sort(key=lambda shown: shown.row.scan_id)
        chosen.sort(key=lambda shown: (shown.row.rank, shown.row.at), reverse=True)
        return [shown.json for shown in chosen]

    def is_known(self, version: int) -> bool:
        """Tell whether what changed since ``version`` can still be told row by row."""
        oldest_gone = next(iter(self._gone.values()), 0) if len(self._gone) >= _MOST_GONE else 0
        return oldest_gone <= version <= self.version and self._count_since(version) <= MOST_BEHIND

    def since(self, version: int, most: int) -> Changes:
        """Give what changed after ``version``, at most ``most`` rows, oldest change first. To be asked only for what ``is_known``."""
        changed = list(_newer(self._changed, version))[::-1]
        part = changed[:most]
        upto = part[-1][1] if len(part) < len(changed) else self.version
        gone = [key for key, at in _newer(self._gone, version) if at <= upto]
        rows = tuple(self._shown[key].json for key, _ in part)
        return Changes(upto, rows, tuple(f"{site}/{scan}" for site, scan in gone), len(part) == len(changed))

    def policies(self, site: str) -> list[str]:
        """Give the digests of the policies by which the scanners of a site were judged last."""
        return sorted(set(self._policies.get(site, {}).values()))

    def ring(self) -> None:
        """Wake whoever waits for a change."""
        self._bell, rung = asyncio.Event(), self._bell
        rung.set()

    def turn(self) -> asyncio.Event:
        """Give the event that the next change sets. Take it first, look second, wait third."""
        return self._bell

    def _count_since(self, version: int) -> int:
        count = 0
        for _ in _newer(self._changed, version):
            count += 1
            if count > MOST_BEHIND:
                break
        return count

    def _show(self, record: ScanRecord) -> None:
        row = record.row()
        if row is None:
            return
        key = (record.site, record.scan_id)
        self._uncount(key)
        self._counts[record.site, row.rank >= WAITING] += 1
        self._shown[key] = _Shown(row, row.model_dump_json().encode())
        self._gone.pop(key, None)
        self._note(self._changed, key)

    def _uncount(self, key: Key) -> None:
        """Take the row that is shown so far out of the counts."""
        shown = self._shown.get(key)
        if shown is not None:
            self._counts[key[0], shown.row.rank >= WAITING] -= 1

    def _note(self, table: OrderedDict[Key, int], key: Key) -> None:
        self.version += 1
        table[key] = self.version
        table.move_to_end(key)
        self.ring()

    def _make_room(self, site: str) -> None:
        """Let the oldest scans of a site go; those for which somebody still waits last."""
        records = self._records[site]

        def worth(name: str) -> tuple[bool, int]:
            shown = self._shown.get((site, name))
            return (False, 0) if shown is None else (shown.row.rank >= URGENT, shown.row.seq)

        for name in sorted(records, key=worth)[: len(records) - self._capacity]:
            del records[name]
            self._uncount((site, name))
            if self._shown.pop((site, name), None) is not None:
                del self._changed[site, name]
                self._note(self._gone, (site, name))
        while len(self._gone) > _MOST_GONE:
            self._gone.popitem(last=False)


def _newer(table: OrderedDict[Key, int], version: int) -> Iterator[tuple[Key, int]]:
    """Give the entries after ``version``, newest first."""
    for key in reversed(table):
        if table[key] <= version:
            return
        yield key, table[key]
