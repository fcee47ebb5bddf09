"""A scanner's own running number: which numbers should have come and did not. Pure.

A number that is passed over may only be late, so it is awaited for a while before it counts as a gap. A number far below the highest
begins the numbering anew, as after a reset or at the turn of a day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from edge_agent.domain.ids import ScanId

MOST_AT_ONCE: Final = 1000
"""A larger jump is taken for a new beginning of the numbering: no scanner loses a thousand scans between two."""
_RESET_BELOW: Final = 0.5


@dataclass(frozen=True, slots=True)
class Awaited:
    """A number that was passed over: since when, and by which scan, whose identity tells this gap from one of another round."""

    since: datetime
    passed_by: ScanId


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is known of a scanner's numbering. ``highest``: None before the first number; ``gaps``: awaited numbers that did not come."""

    highest: int | None = None
    awaited: Mapping[int, Awaited] = field(default_factory=dict)
    gaps: Mapping[int, Awaited] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """A number that is missing, or (``closed_by``) that came after it had been called missing."""

    number: int
    passed_by: ScanId
    closed_by: ScanId | None = None


def came(numbers: Numbers, number: int, scan: ScanId, at: datetime) -> tuple[Numbers, Gap | None]:
    """Take in the number of an accepted scan; give the gap that it closes, if any."""
    highest = numbers.highest
    if highest is None or number > highest + MOST_AT_ONCE:
        return replace(numbers, highest=number), None
    if number > highest:
        passed = {missing: Awaited(at, scan) for missing in range(highest + 1, number)}
        return replace(numbers, highest=number, awaited={**numbers.awaited, **passed}), None
    if number in numbers.awaited:
        return replace(numbers, awaited=_without(numbers.awaited, number)), None
    if number in numbers.gaps:
        return replace(numbers, gaps=_without(numbers.gaps, number)), Gap(number, numbers.gaps[number].passed_by, scan)
    if number < highest * _RESET_BELOW:
        return Numbers(number, {}, numbers.gaps), None
    return numbers, None


def fallen_due(numbers: Numbers, now: datetime, patience: timedelta) -> tuple[Numbers, tuple[Gap, ...]]:
    """Give the numbers that were awaited for longer than ``patience``, lowest first, and what is known from then on."""
    due = {number: one for number, one in sorted(numbers.awaited.items()) if now - one.since > patience}
    kept = {number: one for number, one in numbers.awaited.items() if number not in due}
    gaps = tuple(Gap(number, one.passed_by) for number, one in due.items())
    return replace(numbers, awaited=kept, gaps={**numbers.gaps, **due}), gaps


def _without(numbers: Mapping[int, Awaited], number: int) -> dict[int, Awaited]:
    return {one: awaited for one, awaited in numbers.items() if one != number}
