"""How values spread, in little memory: percentiles from counts in bins whose width grows with the value. Pure."""

import math
from collections import Counter
from dataclasses import dataclass, field

_GROWTH = math.log(1.02)
"""Each bin is 2 % wide, so a percentile given as its middle is at most 1 % away from the value itself."""
_LOWEST = 1e-3
"""Everything below lies in one bin, given as 0."""
_UNDER = -1_000_000


@dataclass(slots=True)
class Spread:
    """Counts of values that are not negative. Two are added up by ``merge``, whatever the order of what they were made from."""

    bins: Counter[int] = field(default_factory=Counter)

    def add(self, value: float) -> None:
        self.bins[_UNDER if value < _LOWEST else math.floor(math.log(value) / _GROWTH)] += 1

    def merge(self, other: "Spread") -> None:
        self.bins.update(other.bins)

    @property
    def n(self) -> int:
        return self.bins.total()

    def quantile(self, share: float) -> float | None:
        """Give the smallest value that at least ``share`` of all do not exceed (nearest rank), within 1 %; None without values.

        Raises:
            ValueError: ``share`` does not lie in (0, 1].
        """
        if not 0.0 < share <= 1.0:
            raise ValueError("a share lies above 0 and up to 1")
        rank = math.ceil(share * self.n - 1e-9)
        for number in sorted(self.bins):
            rank -= self.bins[number]
            if rank <= 0:
                return 0.0 if number == _UNDER else math.exp((number + 0.5) * _GROWTH)
        return None
