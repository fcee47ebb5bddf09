"""Dividing a whole-scan alarm budget over checks, from scores of clean scans. Pure.

Every check is given the same rank: so many of the clean scans lie above its threshold. The rank is the largest for which the budget
holds for the scan as a whole, over all checks and views at once. Where the scans are too few to give every check its own worst one, the
labels of one detector count as one check, whose score is the most that any of them stands above its own level, in log odds: their levels
then move together. Which of the two is done depends on the number of scans only, never on their scores. A scan that a check gives its
highest score, or that reaches a level of the policy, alarms whatever is done here, and uses the budget up first.

The bound is the one of conformal prediction (Vovk, Gammerman and Shafer 2005; Angelopoulos and Bates 2023, section 1): call a scan's
place the best rank that it takes in any check. If a new clean scan is exchangeable with the n given ones, it alarms only when at most
``count`` of them have a place as good, so the chance of an alarm is at most ``(count + 1) / (n + 1)``. That holds for any n and any
number of checks, however they depend on each other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from edge_agent.errors import CommissionRefused
from edge_agent.kpi.rates import Rate

_STEP = 10_000
"""Thresholds are whole ten-thousandths, as scores are in the journal."""
_ROUNDING = 1e-9
_SURE = 1e-14
"""Shares are kept so far from 0 and 1: their log odds then come back as the same ten-thousandth."""
_HIGHEST = 1.0
"""What a check's score goes up to, where nothing else is known."""
FOLDS = 10


@dataclass(frozen=True, slots=True)
class Checks:
    """What may alarm. ``floors``: lowest threshold of each check that may be set, for lower scores were not recorded.

    ``fixed``: thresholds that the policy sets by itself; they use the budget up first and are left as they are. ``together``: checks
    that may count as one where scans are few, the labels of one detector, with the levels that their bundle gives them. ``highest``: the
    highest score that a check can give, where that is not 1.
    """

    floors: Mapping[str, float]
    fixed: Mapping[str, float] = field(default_factory=dict)
    together: tuple[Mapping[str, float], ...] = ()
    highest: Mapping[str, float] = field(default_factory=dict)

    def for_scans(self, count: int, budget: float) -> "Checks":
        """Give the checks one by one where so many scans certainly suffice for that, else as they are."""
        return replace(self, together=()) if count >= scans_needed(len(self.floors), budget) else self

    @property
    def parts(self) -> tuple[Mapping[str, float], ...]:
        """Give what is ranked: levels by check, several checks where they count as one. A level by itself moves nothing."""
        joined = {check for part in self.together for check in part}
        return (*self.together, *({check: 0.5} for check in self.floors if check not in joined))

    @property
    def certain(self) -> Mapping[str, float]:
        """Give the score of each check from which a scan alarms whatever threshold is set."""
        return {**{check: self.top(check) for check in self.floors}, **self.fixed}

    def top(self, check: str) -> float:
        """Give the highest threshold that a score of the check can reach."""
        return math.floor(self.highest.get(check, _HIGHEST) * _STEP + _ROUNDING) / _STEP


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
        CommissionRefused: too few scans for this budget (the detail says how many are needed), or more than the budget alarm whatever
            threshold is set.
        ValueError: ``budget`` does not lie in (0, 1).
    """
    if not 0.0 < budget < 1.0:
        raise ValueError("a budget lies between 0 and 1")
    checks = checks.for_scans(len(scans), budget)
    rank = _common_rank(scans, checks, budget)
    thresholds = dict(checks.floors)
    for part in checks.parts:
        thresholds |= _thresholds(part, sorted(_margins(scans, part).values(), reverse=True), rank, checks)
    return _judged(scans, {**thresholds, **checks.fixed})


def held_out(scans: Sequence[Mapping[str, float]], checks: Checks, budget: float) -> Rate | None:
    """Give the whole-scan rate over scans that had no part in the thresholds they are judged by: ten folds, each left out once.

    None when nine tenths of the scans are too few for the budget.
    """
    alarms, checks = 0, checks.for_scans(len(scans), budget)
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


def alarms_surely(scan: Mapping[str, float], checks: Checks) -> list[str]:
    """Give the checks that no threshold keeps from alarming on this scan: they give it their highest score."""
    return sorted(check for check, score in scan.items() if check in checks.floors and score >= checks.top(check))


def _common_rank(scans: Sequence[Mapping[str, float]], checks: Checks, budget: float) -> int:
    """Give how many scans may lie above each threshold."""
    places = sorted(_places(scans, checks))
    spare = math.floor(budget * (len(scans) + 1) + _ROUNDING) - 1
    rank = len(scans) if spare >= len(scans) else (places[spare] - 1 if spare >= 0 else -1)
    if rank >= 0:
        return rank
    certain, why = sum(place < 0 for place in places), _why_certain(scans, checks)
    if certain > max(spare, 1):
        raise CommissionRefused(f"{why}; nothing is left of {budget:.1%}", {"scans": len(scans), "certain": certain})
    needed = scans_needed(len(checks.parts) + certain, budget)
    raise CommissionRefused(
        f"{len(scans)} clean scans are too few for {budget:.1%} alarms over {len(checks.parts)} checks; {needed} certainly suffice"
        + (f" ({why})" if certain else ""),
        {"scans": len(scans), "needed": needed},
    )


def _why_certain(scans: Sequence[Mapping[str, float]], checks: Checks) -> str:
    """Say why scans alarm whatever threshold is set; empty where none does."""
    fixed = sum(_alarms(scan, checks.fixed) for scan in scans)
    sure = [set(alarms_surely(scan, checks)) for scan in scans]
    names = ", ".join(sorted(set().union(*sure)))
    parts = [f"levels that the policy fixes alarm on {fixed} of {len(scans)} clean scans"] if fixed else []
    parts += [f"check {names} gives its highest score to {sum(map(bool, sure))} of {len(scans)} clean scans"] if names else []
    return ", ".join(parts)


def _places(scans: Sequence[Mapping[str, float]], checks: Checks) -> list[int]:
    """Give for each scan how many come before it in the check where it stands highest; equal scores in the order of the scans.

    -1 for an alarm that no threshold prevents, the number of scans where nothing was seen.
    """
    places = [len(scans)] * len(scans)
    for part in checks.parts:
        margins = _margins(scans, part)
        for before, number in enumerate(sorted(margins, key=lambda number: -margins[number])):
            places[number] = min(places[number], before)
    return [-1 if _alarms(scan, checks.certain) else place for scan, place in zip(scans, places, strict=True)]


def _margins(scans: Sequence[Mapping[str, float]], part: Mapping[str, float]) -> dict[int, float]:
    """Give for each scan in which the part saw anything the most that a score of it stands above its level, in log odds."""
    seen = {
        number: [_log_odds(scan[check]) - _log_odds(level) for check, level in part.items() if check in scan]
        for number, scan in enumerate(scans)
    }
    return {number: max(margins) for number, margins in seen.items() if margins}


def _thresholds(part: Mapping[str, float], falling: Sequence[float], rank: int, checks: Checks) -> dict[str, float]:
    """Give the least thresholds above all scores but those of the ``rank`` scans with the highest margins, or the highest there are."""
    if rank >= len(falling):
        return {check: checks.floors[check] for check in part}
    shares = {check: 1.0 / (1.0 + math.exp(-_log_odds(level) - falling[rank])) for check, level in part.items()}
    thresholds = {check: (math.floor(share * _STEP + _ROUNDING) + 1) / _STEP for check, share in shares.items()}
    return {check: max(min(threshold, checks.top(check)), checks.floors[check]) for check, threshold in thresholds.items()}


def _log_odds(share: float) -> float:
    inner = min(max(share, _SURE), 1.0 - _SURE)
    return math.log(inner / (1.0 - inner))


def _judged(scans: Sequence[Mapping[str, float]], thresholds: Mapping[str, float]) -> Allotment:
    n = len(scans)
    by_check = {check: Rate(sum(scan.get(check, -1.0) >= at for scan in scans), n) for check, at in thresholds.items()}
    return Allotment(thresholds, by_check, Rate(sum(_alarms(scan, thresholds) for scan in scans), n))


def _alarms(scan: Mapping[str, float], thresholds: Mapping[str, float]) -> bool:
    return any(scan.get(check, -1.0) >= threshold for check, threshold in thresholds.items())
