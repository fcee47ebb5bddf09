"""What should have been scanned, or was numbered by the scanner, and never came: what is still open, and for how long. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.kpi.rates import QUARTER_S, Scope, local_day

_QUARTER_US = QUARTER_S * 1_000_000


class Expected(StrEnum):
    """Why something was expected."""

    SELECTED = "selected for scanning"
    NUMBERED = "numbered by the scanner"


@dataclass(frozen=True, slots=True)
class Told:
    """A site says that something is missing, or (``is_found``) that it came after all. ``key`` names it within its site.

    ``at_us``: when it said so, microseconds since 1970 UTC.
    """

    site: str
    expected: Expected
    key: str
    at_us: int
    is_found: bool


@dataclass(frozen=True, slots=True)
class MissingLine:
    """One site. ``missing``: fallen due within the period; ``found_late``: of these, came since; the others are open."""

    site: str
    expected: Expected
    missing: int
    found_late: int
    oldest_open_us: int | None

    @property
    def still_open(self) -> int:
        return self.missing - self.found_late


def missing(told: Iterable[Told], scope: Scope) -> list[MissingLine]:
    """Count by site and why it was expected, sorted. In any order; what came after the period closes what fell due in it."""
    due: dict[tuple[str, Expected], dict[str, int]] = {}
    found: set[tuple[str, Expected, str]] = set()
    for one in told:
        if one.is_found:
            found.add((one.site, one.expected, one.key))
        elif scope.period.contains(local_day(one.at_us // _QUARTER_US, scope.zones.get(one.site, scope.zone))):
            fallen = due.setdefault((one.site, one.expected), {})
            fallen[one.key] = min(one.at_us, fallen.get(one.key, one.at_us))
    lines = []
    for site, expected in sorted(due):
        fallen = due[site, expected]
        still_open = [at_us for key, at_us in fallen.items() if (site, expected, key) not in found]
        lines.append(MissingLine(site, expected, len(fallen), len(fallen) - len(still_open), min(still_open, default=None)))
    return lines
