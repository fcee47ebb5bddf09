"""Whether loads of one declared origin alert more often than all the others, and what may be said of it. Pure.

The ratio of two shares has its interval on the log scale (Katz, Baptista, Azen and Pike 1978). Several groups are tested at once, so each
interval is made wider by Bonferroni's rule: where no group differs, the chance that any is named is at most 5 %. A difference is not an
unfairness: goods, routes and selection differ too. The hit rate stands beside it: alerting more, and less often rightly, is the sign.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from edge_agent.kpi.hits import Line
from edge_agent.kpi.intervals import Interval
from edge_agent.kpi.rates import MINIMUM_N, Rate

_ERROR = 0.05
_LEAST_EXPECTED = 5.0
"""Alerts expected in either group if both were alike; below it the interval on the log scale does not hold its word."""


class Finding(StrEnum):
    """What can be said of a group."""

    MORE = "alerts more often"
    LESS = "alerts less often"
    NO_DIFFERENCE = "no difference shown"
    TOO_FEW = "too few to say"


@dataclass(frozen=True, slots=True)
class Disparity:
    """One group against all the others together. ``ratio`` and ``interval`` are None where there are too few to say.

    ``false_alarms``: alerted among examined scans of trusted samples in which nothing was found.
    """

    group: str
    alerts: Rate
    others: Rate
    ratio: float | None
    interval: Interval | None
    finding: Finding
    hit_rate: Rate
    false_alarms: Rate


def disparities(groups: Mapping[str, Line]) -> list[Disparity]:
    """Compare each group's alerts among assessed scans with those of all the others, sorted by group."""
    alerts = sum(line.hits.alerted for line in groups.values())
    assessed = sum(line.assessed for line in groups.values())
    sides = {name: (line.alert_rate, Rate(alerts - line.hits.alerted, assessed - line.assessed)) for name, line in sorted(groups.items())}
    tested = sum(not _is_too_few(one, others) for one, others in sides.values())
    return [_compared(name, groups[name], others, tested) for name, (_, others) in sides.items()]


def _is_too_few(one: Rate, others: Rate) -> bool:
    n = one.n + others.n
    share = (one.hits + others.hits) / n if n else 0.0
    return min(one.n, others.n) < MINIMUM_N or min(one.n, others.n) * share < _LEAST_EXPECTED


def _compared(name: str, line: Line, others: Rate, tested: int) -> Disparity:
    one = line.alert_rate
    ratio, interval, finding = None, None, Finding.TOO_FEW
    if not _is_too_few(one, others):
        ratio, interval = ratio_of(one, others, 1.0 - _ERROR / tested)
        finding = Finding.MORE if interval.low > 1.0 else Finding.LESS if interval.high < 1.0 else Finding.NO_DIFFERENCE
    unbiased = line.unbiased
    false_alarms = Rate(0, 0) if unbiased is None else unbiased.false_alarms
    return Disparity(name, one, others, ratio, interval, finding, line.hits.hit_rate, false_alarms)


def ratio_of(one: Rate, other: Rate, confidence: float) -> tuple[float, Interval]:
    """Give the ratio of two shares with its interval; half a hit is added on both sides where one has none.

    Raises:
        ValueError: a side has no scans, or ``confidence`` does not lie in (0, 1).
    """
    if not one.n or not other.n or not 0.0 < confidence < 1.0:
        raise ValueError("a ratio needs scans on both sides and a confidence between 0 and 1")
    extra = 0.5 if 0 in (one.hits, other.hits) else 0.0
    a, n, b, m = one.hits + extra, one.n + extra, other.hits + extra, other.n + extra
    ratio = (a / n) / (b / m)
    z = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    reach = z * math.sqrt(max(0.0, 1.0 / a - 1.0 / n + 1.0 / b - 1.0 / m))
    return ratio, Interval(ratio * math.exp(-reach), ratio * math.exp(reach))
