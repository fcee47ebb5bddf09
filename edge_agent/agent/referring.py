"""The decision clock: a scan that waits for an officer longer than the policy allows is referred, never cleared.

It runs in the site, so it holds with no console open. What waits is read from the journal: a restart forgets nothing, and the referral is
one fact, named after the assessment it answers, however often it is tried.
"""

import heapq
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from edge_agent.agent.feed import Doorbell, rung
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq, SiteId, fact_id
from edge_agent.errors import DiskLow
from edge_agent.ledger import undecided
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.queries import Queries
from edge_agent.ledger.records import Entry
from edge_agent.ledger.undecided import Waiting
from edge_agent.telemetry import events
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import CodeParams, ReferralBody, encode

DECISION_CLOCK = "decision-clock"
"""Reason code of a referral by the clock."""
_LOOK_BACK = timedelta(days=30)
"""How old an assessment may be that a start still takes up."""
_LOOK_AGAIN_S = 1.0
_FULL_DISK_S = 5.0


class Referring:
    """Follows the journal and refers what nobody decided in time."""

    def __init__(self, ledger: LedgerLane, site: SiteId, clock: Clock, committed: Callable[[], None]) -> None:
        """``committed`` is called after each referral, on the loop's thread."""
        self._ledger = ledger
        self._site = site
        self._clock = clock
        self._committed = committed
        self._place: Seq | None = None
        self._waiting: list[tuple[float, Seq, Waiting]] = []

    async def run(self, news: Doorbell) -> None:
        """Refer until cancelled; ``news`` rings when rows were published."""
        while True:
            turn = news.turn()
            await rung(turn, await self.step())

    async def step(self) -> float:
        """Take in what is new, refer what is due, and give the seconds after which to look again at the latest."""
        await self._take_in()
        try:
            while self._waiting and self._waiting[0][0] <= self._clock.now().timestamp():
                await self._refer(self._waiting[0][2])
                heapq.heappop(self._waiting)
        except DiskLow:  # the scan stays in the list
            return _FULL_DISK_S
        return _LOOK_AGAIN_S

    async def _take_in(self) -> None:
        if self._place is None:
            self._place = await self._ledger.query(Queries.waiting_since, self._clock.now() - _LOOK_BACK)
        while True:
            look = await self._ledger.query(Queries.waiting, self._place)
            for waiting in look.waiting:
                heapq.heappush(self._waiting, (waiting.decide_by.timestamp(), waiting.seq, waiting))
            if look.upto == self._place:
                return
            self._place = look.upto

    async def _refer(self, waiting: Waiting) -> None:
        """Refer one scan unless somebody answered: the look and the fact are one transaction, so no verdict slips in between."""
        still_waits = partial(undecided.still_waits, waiting=waiting)
        entry = self._entry(waiting)
        if await self._ledger.call(Ledger.transact, still_waits, lambda waits: entry if waits else None):
            events.scan_referred(waiting.scan_id, waiting.revision)
            self._committed()

    def _entry(self, waiting: Waiting) -> Entry:
        cause = f"{DECISION_CLOCK} {waiting.fact_id}"
        fact = fact_id(waiting.scan_id, FactKind.REFERRAL, waiting.revision, cause)
        body = ReferralBody(
            fact_id=fact,
            site=self._site,
            scanner=waiting.scanner,
            scan_id=waiting.scan_id,
            revision=waiting.revision,
            cause=cause,
            produced_at=self._clock.now(),
            reason=CodeParams(code=DECISION_CLOCK),
        )
        return Entry(fact, waiting.scan_id, FactKind.REFERRAL, topic(self._site, waiting.scanner, FactKind.REFERRAL.value), encode(body))
