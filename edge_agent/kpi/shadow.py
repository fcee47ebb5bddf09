"""A bundle on trial in shadow against the one in force, over the same scans. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.kpi.paired import Paired, paired
from edge_agent.kpi.rates import Scope


class Among(StrEnum):
    """Which scans a comparison is over."""

    ALL = "all"
    GUILTY = "found or suspicious"
    CLEAN = "found clean"


@dataclass(frozen=True, slots=True)
class ShadowTally:
    """One scan that both looked at. ``active``, ``shadow``: whether each alerted, or would have; None: the look did not end.

    ``on_trial``, ``instead_of``: bundles as ``name/version``. ``truth``: what people found, ALL when they have not said or disagree.
    """

    site: str
    scanner: str
    kind: str
    quarter: int
    on_trial: str
    instead_of: str
    active: bool
    shadow: bool | None
    truth: Among


@dataclass(frozen=True, slots=True)
class ShadowLine:
    """One comparison: alerts of the bundle in force (first) and of the one on trial (second).

    ``unfinished``: looks that ended for want of time or by a fault before they alerted; they are in no pair.
    """

    site: str
    on_trial: str
    instead_of: str
    among: Among
    alerts: Paired
    unfinished: int


def compare(tallies: Iterable[ShadowTally], scope: Scope) -> list[ShadowLine]:
    """Compare by site and pair of bundles: over all scans, over those that people found guilty, over those they found clean."""
    groups: defaultdict[tuple[str, str, str, Among], Counter[tuple[bool, bool | None]]] = defaultdict(Counter)
    for tally in tallies:
        if not scope.covers(tally):
            continue
        for among in {Among.ALL, tally.truth}:
            groups[tally.site, tally.on_trial, tally.instead_of, among][tally.active, tally.shadow] += 1
    order = list(Among)
    keys = sorted(groups, key=lambda key: (*key[:3], order.index(key[3])))
    return [_line(key, groups[key]) for key in keys]


def _line(key: tuple[str, str, str, Among], counts: Counter[tuple[bool, bool | None]]) -> ShadowLine:
    pairs = ((active, shadow) for active, shadow in counts.elements() if shadow is not None)
    return ShadowLine(*key, alerts=paired(pairs), unfinished=counts[True, None] + counts[False, None])
