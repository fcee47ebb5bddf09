"""Time as a value: UTC, with what the source wrote and what was assumed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where time comes from. Wall clock for stamps only, monotonic for durations."""

    def now(self) -> datetime:
        """Give the present moment, aware, in UTC."""

    def monotonic(self) -> float:
        """Give seconds that never go backwards."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment: ``at`` aware in UTC; ``as_written`` the source's own text; ``tz_assumed`` whether the zone came from the profile."""

    at: datetime
    as_written: str
    tz_assumed: bool

    def __post_init__(self) -> None:
        if self.at.utcoffset() != timedelta(0):
            raise ValueError("a stamp is in UTC")
        if self.at.tzinfo is not UTC:  # readers of JSON make zero-offset zones of their own
            object.__setattr__(self, "at", self.at.astimezone(UTC))
