"""The queue: the newest scans of every site, what changed since when, and which scan an officer should look at first. No I/O."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from edge_agent.console.events import SeenFact
from edge_agent.console.record import URGENT, WAITING, ScanRecord
from edge_agent.console.views import QueueRow
from edge_agent.wire.messages import AnyBody, AssessmentBody, AuditBody, ControlBody, SetAsideBody, ShadowBody, VerdictBody

MOST_BEHIND = 2_000
"""Changes that a reader may be behind; one that is further behind asks for the whole queue, which is cheaper."""
_MOST_GONE = 5_000
_MOST_FAULTS = 500
_MOST_UNSHOWN = 100_000
"""Names of waiting scans without a row that are remembered for one site: some 10 MB; more of them are not counted."""
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
    """The newest ``capacity`` scans of each site, and as many older ones that wait for somebody. To be used from one event loop.

    Where even that is not room enough, the most urgent and newest stay, and ``unshown`` tells how many that wait have no row.
    """

    def __init__(self, capacity: int, blind_share: float = 0.0) -> None:
        self._capacity = capacity
        self._slack = max(16, capacity // 20)
        self._blind_share = blind_share
        self._records: dict[str, OrderedDict[str, ScanRecord]] = {}
        self._shown: dict[Key, _Shown] = {}
        self._changed: OrderedDict[Key, int] = OrderedDict()
        self._gone: OrderedDict[Key, int] = OrderedDict()
        self._older: Counter[str] = Counter()
        self._unshown: dict[str, set[str]] = {}
        self._faults: dict[str, list[SeenFact]] = {}
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._policies: dict[str, dict[str, str]] = {}
        self._clocks: dict[tuple[str, str, str], timedelta] = {}
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
            if isinstance(body, AuditBody) or self._is_of_unshown(site, body):
                return  # no reason to keep a scan of which nothing else is known
            record = records[body.scan_id] = ScanRecord(site, body.scan_id, self._blind_share)
        if record.apply(fact, body):
            self._show(record)
        if isinstance(body, AssessmentBody):
            self._policies.setdefault(site, {})[record.scanner] = body.provenance.policy_digest
        self._make_room(site)

    def take_older(self, site: str, scan_id: str, facts: Sequence[SeenFact]) -> None:
        """Take all that a site says of a scan of long ago about which somebody is still to speak; one that has a row here has it all."""
        records = self._records.setdefault(site, OrderedDict())
        known = records.get(scan_id)
        if known is not None and known.row() is not None:
            return
        record = ScanRecord(site, scan_id, self._blind_share)
        record.is_older = True
        later = [] if known is None else known.facts()
        for fact in sorted([*facts, *later], key=lambda one: one.seq):
            if fact.body is not None:
                record.apply(fact, fact.body)
        records[scan_id] = record
        self._show(record)
        self._make_room(site)

    def lift_covers(self, site: str, now: datetime) -> None:
        """Show what the machine says of covered scans whose time to decide is over, alert or not. ``now``: by the site's clock."""
        if not self._blind_share:
            return
        for record in self.records(site):
            if record.is_blind and record.covered_until is not None and record.covered_until <= now:
                record.is_over = True
                self._show(record)

    def note_unshown(self, site: str, scan_ids: Iterable[str]) -> None:
        """Count scans that wait for somebody and have no row here."""
        unshown = self._unshown.setdefault(site, set())
        new = [name for name in scan_ids if (site, name) not in self._shown]
        unshown.update(new[: max(_MOST_UNSHOWN - len(unshown), 0)])

    def unshown(self, site: str) -> int:
        """Give how many scans of a site wait for somebody and have no row."""
        return len(self._unshown.get(site, ()))

    def has_room(self, site: str) -> bool:
        """Tell whether older scans of a site can still be taken."""
        return self._older[site] < self._capacity and len(self._records.get(site, ())) < 2 * self._capacity

    def newest(self, site: str) -> list[ScanRecord]:
        """Give the newest scans of a site, whatever became of them: those of which figures may be counted."""
        records = [record for record in self._records.get(site, OrderedDict()).values() if not record.is_older]
        return sorted(records, key=lambda record: self._seq(site, record.scan_id))[-self._capacity :]

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

    def _is_of_unshown(self, site: str, body: AnyBody) -> bool:
        """Tell whether a fact is only words about a scan that waits without a row; when somebody has spoken, it waits no more."""
        unshown = self._unshown.get(site, set())
        if body.scan_id not in unshown or isinstance(body, AssessmentBody | SetAsideBody):
            return False
        if isinstance(body, VerdictBody) or (isinstance(body, ControlBody) and body.conclusion != "not-examined"):
            unshown.discard(body.scan_id)
        return True

    def _count_since(self, version: int) -> int:
        count = 0
        for _ in _newer(self._changed, version):
            count += 1
            if count > MOST_BEHIND:
                break
        return count

    def _tell_clock(self, record: ScanRecord) -> None:
        """Learn how long officers have from scans that are not covered, and tell it to those that are.

        Only an alert and an unassessable scan have a clock: a covered one that showed its own would tell what the machine said.
        """
        judged = record.judged
        if judged is None or not self._blind_share:
            return
        key = (record.site, judged.subject, judged.policy)
        if record.is_blind:
            record.clock = self._clocks.get(key)
        elif judged.decide_by is not None and key not in self._clocks:
            self._clocks[key] = judged.decide_by - judged.produced_at
            for covered in [one for one in self.records(record.site) if one.is_blind]:
                self._show(covered)

    def _show(self, record: ScanRecord) -> None:
        self._tell_clock(record)
        row = record.row()
        if row is None:
            return
        key = (record.site, record.scan_id)
        self._uncount(key)
        self._counts[record.site, row.rank >= WAITING] += 1
        self._shown[key] = _Shown(row, row.model_dump_json().encode())
        self._unshown.get(record.site, set()).discard(record.scan_id)
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
        """Let old scans of a site go once there are some too many: of those that wait for somebody the least urgent and oldest."""
        records = self._records[site]
        if len(records) <= self._capacity + self._older[site] + self._slack:
            return
        old = sorted(records, key=lambda name: self._seq(site, name))[: len(records) - self._capacity]
        waiting = [name for name in old if self._rank(site, name) >= WAITING]
        waiting.sort(key=lambda name: (self._rank(site, name) >= URGENT, self._seq(site, name)))
        kept = set(waiting[-self._capacity :])
        self._older[site] = len(kept)
        for name in old:
            if name not in kept:
                self._drop(site, name)
        self.note_unshown(site, [name for name in waiting if name not in kept])
        while len(self._gone) > _MOST_GONE:
            self._gone.popitem(last=False)

    def _drop(self, site: str, name: str) -> None:
        del self._records[site][name]
        self._uncount((site, name))
        if self._shown.pop((site, name), None) is not None:
            del self._changed[site, name]
            self._note(self._gone, (site, name))

    def _seq(self, site: str, name: str) -> int:
        shown = self._shown.get((site, name))
        return 0 if shown is None else shown.row.seq

    def _rank(self, site: str, name: str) -> int:
        shown = self._shown.get((site, name))
        return 0 if shown is None else shown.row.rank


def _newer(table: OrderedDict[Key, int], version: int) -> Iterator[tuple[Key, int]]:
    """Give the entries after ``version``, newest first."""
    for key in reversed(table):
        if table[key] <= version:
            return
        yield key, table[key]
