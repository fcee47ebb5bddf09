"""A clock that stands still until told to move."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Satisfies ``domain.clock.Clock``; starts at noon of a fixed day."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 2, 12, tzinfo=UTC)
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock wrong, as an administrator might; monotonic time does not notice."""
        self._now += timedelta(seconds=seconds)
