"""The site signs its journal's head now and then, so that what it has told can be held against it."""

from edge_agent.agent.feed import Doorbell, rung
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq
from edge_agent.errors import DiskLow
from edge_agent.ledger.ledger import Ledger
from edge_agent.signing.keys import SigningKey
from edge_agent.wire.heads import ROWS_BETWEEN, SECONDS_BETWEEN

_FULL_DISK_S = 5.0


class HeadSigner:
    """Signs after :data:`ROWS_BETWEEN` rows, or after :data:`SECONDS_BETWEEN` when there was one at least; at the start what is left."""

    def __init__(self, ledger: LedgerLane, key: SigningKey, clock: Clock) -> None:
        self._ledger = ledger
        self._key = key
        self._clock = clock
        self._signed = Seq(0)
        self._at = clock.monotonic() - SECONDS_BETWEEN

    async def run(self, news: Doorbell) -> None:
        """Sign until cancelled; ``news`` rings when rows were published."""
        while True:
            turn = news.turn()
            await rung(turn, await self.step())

    async def step(self) -> float:
        """Sign if it is time, and give the seconds until it may be time again."""
        now = self._clock.monotonic()
        head = await self._ledger.head()
        left_s = self._at + SECONDS_BETWEEN - now
        if head.seq == self._signed:
            return SECONDS_BETWEEN
        if left_s > 0 and head.seq - self._signed < ROWS_BETWEEN:
            return left_s
        try:
            await self._ledger.call(Ledger.sign_head, self._key)
        except DiskLow:  # the next rows are signed over these too
            return _FULL_DISK_S
        self._signed, self._at = head.seq, now
        return SECONDS_BETWEEN
