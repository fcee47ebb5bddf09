"""What happened at the door, for the journal and the log: who was refused, let in, enrolled, revoked, and whose time is over.

Anybody on the network can cause refusals, so they are counted and told at intervals; the journal takes a bounded number of rows an
hour whatever happens. No address of a peer is kept: a fingerprint tells which key it was.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import SiteId
from edge_agent.errors import DiskLow, Scalar
from edge_agent.ledger.audit import audit_entry
from edge_agent.ledger.records import Appended, Entry
from edge_agent.telemetry import events
from edge_agent.transport.keys import Changes, Consumer, fingerprint
from edge_agent.wire.messages import CodeParams

EVERY_S = 60.0
MOST_KEYS = 8
"""So many refused keys are told apart at a time; all others share one row a reason."""
MANY_KEYS = "many"


class Appender(Protocol):
    """Where facts are journalled (``agent.ledger_lane.LedgerLane``)."""

    async def append(self, entry: Entry) -> Appended:
        """Commit a fact; a known fact_id is a no-op."""


@dataclass(frozen=True, slots=True)
class Refused:
    """So many refusals of one key for one reason. ``key``: fingerprint, empty where none was shown, or :data:`MANY_KEYS`."""

    reason: str
    key: str
    count: int


@dataclass(slots=True)
class _Counter:
    count: int = 0
    told_at: float | None = None


class Tally:
    """Counts refusals. The first of a key and reason is told at once, the others once a minute as a number."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, str], _Counter] = {}

    def note(self, reason: str, key: str) -> None:
        """Count one."""
        if key and (reason, key) not in self._counters and sum(bool(known) for _, known in self._counters) >= MOST_KEYS:
            key = MANY_KEYS
        self._counters.setdefault((reason, key), _Counter()).count += 1

    def due(self, at_s: float) -> list[Refused]:
        """Give what is to be told at ``at_s`` (monotonic seconds); each refusal is in exactly one answer."""
        told = []
        for (reason, key), counter in list(self._counters.items()):
            if counter.told_at is not None and at_s - counter.told_at < EVERY_S:
                continue
            if counter.count:
                told.append(Refused(reason, key, counter.count))
                counter.count, counter.told_at = 0, at_s
            else:
                del self._counters[reason, key]
        return told


class GateJournal:
    """Journals decisions in their order. While the disk is full they wait in memory; nothing at the door waits for them."""

    def __init__(self, site: SiteId, ledger: Appender, clock: Clock) -> None:
        self._site = site
        self._ledger = ledger
        self._clock = clock
        self._tally = Tally()
        self._waiting: deque[Entry] = deque()
        self._days: dict[str, date] = {}

    def refused(self, reason: str, key: str) -> None:
        """Note that somebody was not let in. ``key``: fingerprint, or empty."""
        self._tally.note(reason, key)

    def admitted(self, consumer: Consumer, at: datetime) -> None:
        """Note that a consumer was let in at ``at``; one row a day (UTC) tells it, across restarts too."""
        if self._days.get(consumer.name) != at.date():
            self._days[consumer.name] = at.date()
            self._add("peer-admitted", _named(consumer), f"admitted {consumer.name} {fingerprint(consumer.public)} {at.date()}")

    def changed(self, changes: Changes) -> None:
        """Note another allow-list."""
        for code, consumers in (
            ("key-enrolled", changes.added),
            ("key-revoked", changes.removed),
            ("key-changed", changes.changed),
        ):
            for consumer in consumers:
                self._add(code, _named(consumer))

    def expired(self, consumer: Consumer) -> None:
        """Note that a key's time is over."""
        end = consumer.not_after
        self._add("key-expired", _named(consumer), f"expired {consumer.name} {fingerprint(consumer.public)} {end and end.isoformat()}")

    def unreadable(self, why: str) -> None:
        """Note that the file's allow-list could not be put in force, by the code of the problem."""
        self._add("allow-list-unreadable", {"why": why})

    async def flush(self, ring: Callable[[], None]) -> None:
        """Journal what is due; ``ring`` is called when there was something."""
        for refused in self._tally.due(self._clock.monotonic()):
            events.peer_refused(refused.reason, "stranger", refused.count)
            params: dict[str, Scalar] = {"reason": refused.reason, "count": refused.count}
            self._add("peer-refused", params | ({"key": refused.key} if refused.key else {}))
        if not self._waiting:
            return
        try:
            while self._waiting:
                await self._ledger.append(self._waiting[0])
                self._waiting.popleft()
        except DiskLow:
            return  # health says so already; they are journalled when there is space again
        finally:
            ring()

    def _add(self, code: str, params: Mapping[str, Scalar], cause: str = "") -> None:
        now = self._clock.now()
        cause = cause or f"{code} {params.get('consumer', params.get('key', ''))} {now.isoformat()}"
        self._waiting.append(audit_entry(self._site, CodeParams(code=code, params=dict(params)), cause, now))


def _named(consumer: Consumer) -> dict[str, Scalar]:
    return {"consumer": consumer.name, "role": consumer.role.value, "key": fingerprint(consumer.public)}
