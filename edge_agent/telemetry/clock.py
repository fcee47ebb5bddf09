"""The system's clock: the only place where the wall clock is read."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Satisfies ``domain.clock.Clock``."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this adapter is what the ban points to

    def monotonic(self) -> float:
        return time.monotonic()
