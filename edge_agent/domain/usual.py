"""What is usual among sites: said only where enough of them tell, and more than half of them the same."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

_T = TypeVar("_T")

MOST_ALIKE_OF = 3
"""So many have to tell."""


def most(values: Iterable[_T]) -> _T | None:
    """Give what more than half of ``values`` are; None where there are too few, or no such one."""
    counts = Counter(values)
    if counts.total() < MOST_ALIKE_OF:
        return None
    value, count = counts.most_common(1)[0]
    return value if 2 * count > counts.total() else None
