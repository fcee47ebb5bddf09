"""Which scans a figure may count, and when a rate says something about more than the scans it counts."""

from collections.abc import Iterable
from enum import StrEnum

from edge_agent.domain.capture import CaptureKind, Selection

UNKNOWN_KIND = "unknown"
"""Kind of a scan that was set aside: what it was for stands in a file nobody could read."""

SIMULATED = "SIMULATED"


class KindFilter(StrEnum):
    """What a report is about. LIVE is the only one that gives KPIs."""

    LIVE = "live"
    SYNTHETIC = "synthetic"
    ALL = "all"


def is_counted(kind: str, wanted: KindFilter) -> bool:
    """Tell whether a scan of ``kind`` (a ``CaptureKind`` value, or ``UNKNOWN_KIND``) belongs into a report.

    A scan that was set aside counts everywhere: leaving it out would make unreadable files look like files that never came.
    """
    return wanted is KindFilter.ALL or kind in (wanted.value, UNKNOWN_KIND)


def is_unbiased(selections: Iterable[str]) -> bool:
    """Tell whether rates over scans chosen in these ways hold for all traffic: random and scan-all only."""
    return set(selections) <= {Selection.RANDOM.value, Selection.SCAN_ALL.value}


def label(kind: str) -> str:
    """Give the word a report puts on figures of ``kind``, so that nobody takes simulated scans for real ones."""
    return SIMULATED if kind == CaptureKind.SYNTHETIC else kind
