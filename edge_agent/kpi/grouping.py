"""Groups too small to be shown are put together with others until none is: what is shown gives no small group away. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

_Counts = TypeVar("_Counts")


@dataclass(frozen=True, slots=True)
class Group(Generic[_Counts]):
    """What is shown under one line: one member, or several put together."""

    members: tuple[str, ...]
    counts: _Counts


def merge_small(
    counts: Mapping[str, _Counts], size: Callable[[_Counts], int], minimum: int, added: Callable[[_Counts, _Counts], _Counts]
) -> list[Group[_Counts]]:
    """Give groups of at least ``minimum``, sorted by name; none when all together are fewer.

    Members below the minimum are put together, and while that is not enough with the smallest of the others, so that nobody learns a
    small group's figures by taking the lines that are shown from their total. ``added`` gives the sum and changes neither.
    """
    shown: list[Group[_Counts]] = []
    small: Group[_Counts] | None = None
    for name in sorted(counts, key=lambda name: (size(counts[name]), name)):
        one = Group((name,), counts[name])
        if size(one.counts) >= minimum and (small is None or size(small.counts) >= minimum):
            shown.append(one)
        else:
            small = one if small is None else Group(tuple(sorted((*small.members, name))), added(small.counts, one.counts))
    if small is not None and size(small.counts) >= minimum:
        shown.append(small)
    return sorted(shown, key=lambda group: group.members)
