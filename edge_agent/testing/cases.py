"""Plain, valid cases for tests of figures: each argument says what a test is about, everything else is ordinary."""

from itertools import count
from typing import Any

from edge_agent.kpi.case import Case

NOON_US = 1_772_452_800_000_000
"""2026-03-02 12:00 UTC."""
DAY_US = 86_400_000_000
LATER_US = NOON_US + 60 * DAY_US
"""A moment at which everything of that noon has long been reported."""
_numbers = count(1)


def case(outcome: str = "no-alert", **more: Any) -> Case:  # noqa: ANN401 - any field of a case
    """Give a live, randomly chosen scan that nobody has decided yet; ``more`` replaces fields."""
    ordinary = {"site": "north", "scanner": "gate-1", "revision": 1, "kind": "live", "selection": "random", "subject": "cargo"}
    machine = {"models": "detector/1", "produced_us": NOON_US, "stands": outcome, "stands_by": "machine", "stands_us": NOON_US}
    alerted = {"alerted": "handgun"} if outcome == "alert" else {}
    return Case(**{"scan_id": f"scan-{next(_numbers)}", "outcome": outcome, **ordinary, **machine, **alerted, **more})


def examined(outcome: str, control: str = "nothing-found", **more: Any) -> Case:  # noqa: ANN401 - any field of a case
    """Give a scan whose examination came a day later; what was found is a handgun unless ``more`` says otherwise."""
    found = {"found": "handgun"} if control == "found" else {}
    return case(outcome, **{"control": control, "control_us": NOON_US + DAY_US, **found, **more})
