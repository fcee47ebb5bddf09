"""How long one scan may be worked on: a value that is asked between steps, so that what overruns is cut there and says so."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from edge_agent.analysis.ports import Fan
from edge_agent.domain.clock import Clock
from edge_agent.errors import OutOfTime

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the work on a scan must be over, on the monotonic clock; infinity where somebody waits for it.

    It counts work: a scan that waited in the queue, for an hour or for the week that the site was down, has its whole time.
    """

    clock: Clock
    at_s: float = math.inf

    @property
    def left_s(self) -> float:
        """Give the seconds left, negative when it is over."""
        return self.at_s - self.clock.monotonic()

    def check(self) -> None:
        """Go on while there is time.

        Raises:
            OutOfTime: there is none.
        """
        if self.left_s <= 0:
            raise OutOfTime("the time for this scan is over")

    def fan(self, fan: Fan) -> Fan:
        """Give the same fan, asking before each item."""

        def limited(work: Callable[[Item], Outcome], items: Sequence[Item]) -> list[Outcome]:
            def step(item: Item) -> Outcome:
                self.check()
                return work(item)

            return fan(step, items)

        return limited
