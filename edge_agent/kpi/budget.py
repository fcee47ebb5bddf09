"""Dividing a whole-scan alarm budget over checks, from scores of clean scans. Pure.

Every check is given the same rank: so many of the clean scans lie above its threshold. The rank is the largest for which the budget
holds for the scan as a whole, over all checks and views at once. The bound is the one of conformal prediction (Vovk, Gammerman and
Shafer 2005; Angelopoulos and Bates 2023, section 1): call a scan's place the best rank that it takes in any check. If a new clean
scan is exchangeable with the n given ones, it alarms only when at most ``count`` of them have a place as good, so the chance of an
alarm is at most ``(count + 1) / (n + 1)``. That holds for any n and any number of checks, however they depend on each other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.errors import CommissionRefused
from edge_agent.kpi.rates import Rate

_STEP = 10_000
"""Thresholds are whole ten-thousandths, as scores are in the journal."""
_ROUNDING = 1e-9
FOLDS = 10


@dataclass(frozen=True, slots=True)
class Checks:
    """What may alarm. ``floors``: lowest threshold of each check that may be set, for lower scores were not recorded.

    ``fixed``: thresholds that the policy sets by itself; they use the budget up first and are left as they are.
    """

    floors: Mapping[str, float]
    fixed: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allotment:
    """Thresholds a check (fixed ones included), and what they would have done on the scans they were made from."""

    thresholds: Mapping[str, float]
    by_check: Mapping[str, Rate]
    whole_scan: Rate


def allot(scans: Sequence[Mapping[str, float]], checks: Checks, budget: float) -> Allotment:
    """Give the lowest thresholds, at one common rank, with which at most ``budget`` of clean scans alarm.

    ``scans``: highest score of each check over the views of one clean scan, in [0, 1]; a check that saw nothing is absent.

    Raises:
        CommissionRefused: too few scans for this budget (the detail says how many are needed), or a check that gives its highest
            possible score to clean scans.
        ValueError: ``budget`` does not lie in (0, 1).
    """
    if not 0.0 < budget < 1.0:
        raise ValueError("a budget lies between 0 and 1")
    rank = _common_rank(scans, checks, budget)
    falling = {check: sorted((scan[check] for scan in scans if check in scan), reverse=True) for check in checks.floors}
    thresholds = {check: _threshold(check, falling[check], rank, floor) for check, floor in checks.floors.items()}
    return _judged(scans, {**thresholds, **checks.fixed})


def held_out(scans: Sequence[Mapping[str, float]], checks: Checks, budget: float) -> Rate | None:
    """Give the whole-scan rate over scans that had no part in the thresholds they are judged by: ten folds, each left out once.

    None when nine tenths of the scans are too few for the budget.
    """
    alarms = 0
    for fold in range(FOLDS):
        kept = [scan for number, scan in enumerate(scans) if number % FOLDS != fold]
        try:
            thresholds = allot(kept, checks, budget).thresholds
        except CommissionRefused:
            return None
        alarms += sum(_alarms(scan, thresholds) for scan in scans[fold::FOLDS])
    return Rate(alarms, len(scans))


def scans_needed(checks: int, budget: float) -> int:
    """Give the number of clean scans with which ``checks`` checks certainly suffice for ``budget``: even if each has its own worst scan."""
    return math.ceil((checks + 1) / budget - 1 - _ROUNDING)


def _common_rank(scans: Sequence[Mapping[str, float]], checks: Checks, budget: float) -> int:
    """Give how many scans may lie above each threshold."""
    places = sorted(_places(scans, checks))
    spare = math.floor(budget * (len(scans) + 1) + _ROUNDING) - 1
    rank = len(scans) if spare >= len(scans) else (places[spare] - 1 if spare >= 0 else -1)
    if rank >= 0:
        return rank
    needed = scans_needed(len(checks.floors), budget)
    if len(scans) < needed:
        raise CommissionRefused(
            f"{len(scans)} clean scans are too few for {budget:.1%} alarms over {len(checks.floors)} checks; {needed} certainly suffice",
            {"scans": len(scans), "needed": needed},
        )
    fixed_alarms = sum(place < 0 for place in places)
    raise CommissionRefused(
        f"thresholds that the policy fixes alarm on {fixed_alarms} of {len(scans)} clean scans; nothing is left of {budget:.1%}",
        {"scans": len(scans), "fixed": fixed_alarms},
    )


def _places(scans: Sequence[Mapping[str, float]], checks: Checks) -> list[int]:
    """Give for each scan how many come before it in the check where it stands highest; equal scores in the order of the scans.

    -1 for an alarm of a fixed check, the number of scans where nothing was seen.
    """
    places = [len(scans)] * len(scans)
    for check in checks.floors:
        seen = [number for number, scan in enumerate(scans) if check in scan]
        for before, number in enumerate(sorted(seen, key=lambda number: -scans[number][check])):
            places[number] = min(places[number], before)
    return [-1 if _alarms(scan, checks.fixed) else place for scan, place in zip(scans, places, strict=True)]


def _threshold(check: str, falling: Sequence[float], rank: int, floor: float) -> float:
    """Give the least threshold above all scores but the ``rank`` highest."""
    if rank >= len(falling):
        return floor
    threshold = (math.floor(falling[rank] * _STEP + _ROUNDING) + 1) / _STEP
    if threshold > 1.0:
        raise CommissionRefused(
            f"check {check} gives its highest score to {rank + 1} or more clean scans: no threshold keeps the budget", {"check": check}
        )
    return max(threshold, floor)


def _judged(scans: Sequence[Mapping[str, float]], thresholds: Mapping[str, float]) -> Allotment:
    n = len(scans)
    by_check = {check: Rate(sum(scan.get(check, -1.0) >= at for scan in scans), n) for check, at in thresholds.items()}
    return Allotment(thresholds, by_check, Rate(sum(_alarms(scan, thresholds) for scan in scans), n))


def _alarms(scan: Mapping[str, float], thresholds: Mapping[str, float]) -> bool:
    return any(scan.get(check, -1.0) >= threshold for check, threshold in thresholds.items())
