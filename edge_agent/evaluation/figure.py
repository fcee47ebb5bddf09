"""One measured figure: it never travels without its interval and its n."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_agent.kpi.intervals import Interval
from edge_agent.kpi.rates import Rate

_PLACES = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """``name``: group and what, such as ``detection/map50``. ``n``: what was counted, by word.

    ``low``, ``high``: 95 % interval; None where no method fits.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    n: Mapping[str, int]

    @property
    def group(self) -> str:
        return self.name.partition("/")[0]

    def table(self) -> dict[str, Any]:
        """Give JSON values, rounded to four places."""
        rounded = {key: value if value is None else round(value, _PLACES) for key, value in self._numbers().items()}
        return {**asdict(self), **rounded, "n": dict(self.n)}

    def _numbers(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


def bounded(name: str, value: float, interval: Interval, n: Mapping[str, int]) -> Figure:
    """Give a figure with its interval."""
    return Figure(name, value, interval.low, interval.high, n)


def plain(name: str, value: float, n: Mapping[str, int]) -> Figure:
    """Give a figure without an interval."""
    return Figure(name, value, None, None, n)


def share(name: str, rate: Rate, counted: str) -> list[Figure]:
    """Give a share with its Wilson interval; nothing where nothing was counted. ``counted``: the word for its n."""
    value = rate.value
    return [] if value is None else [bounded(name, value, rate.interval, {counted: rate.n})]


def shares(name: str, holds: Iterable[bool], counted: str) -> list[Figure]:
    """Give the share of what holds."""
    found = list(holds)
    return share(name, Rate(sum(found), len(found)), counted)
