"""Two judges of the same scans: where they differ, and whether the difference could be chance. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.kpi.rates import Rate


@dataclass(frozen=True, slots=True)
class Paired:
    """Scans by what two judges said: both, only the first, only the second, neither said yes."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def first(self) -> Rate:
        return Rate(self.both + self.only_first, self.n)

    @property
    def second(self) -> Rate:
        return Rate(self.both + self.only_second, self.n)

    @property
    def p_value(self) -> float:
        """The exact two-sided McNemar test: as many discordant pairs split as unevenly by a fair coin. 1 where none differ."""
        differing = self.only_first + self.only_second
        fewer = min(self.only_first, self.only_second)
        tail = sum(math.comb(differing, k) for k in range(fewer + 1))
        return min(1.0, 2.0 * tail / (1 << differing))


def paired(answers: Iterable[tuple[bool, bool]]) -> Paired:
    """Count the answers of both judges."""
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for answer in answers:
        counts[answer] += 1
    return Paired(counts[True, True], counts[True, False], counts[False, True], counts[False, False])
