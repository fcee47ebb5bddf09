"""Device errors of earlier lives: how often the accelerator failed, and whether to go on without it.

A device error ends the process, so what is counted must outlive it: a small file in the state directory, written whole.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from edge_agent.agent.whole import write_whole
from edge_agent.domain.clock import Clock
from edge_agent.errors import DeviceFailed, DeviceRequired, Scalar
from edge_agent.inference.session import DevicePolicy
from edge_agent.telemetry import events

FILE = "device-errors.json"
MOST_ERRORS = 3
"""So many device errors within ``WITHIN`` and the device is given up."""
WITHIN = timedelta(hours=1)
GIVEN_UP_FOR = timedelta(hours=24)
"""A start this long after the last error tries the device again."""
_KEPT = 10


class DeviceError(BaseModel):
    """One life that the device ended: when, and the code of the error."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: AwareDatetime
    code: str


_ERRORS: TypeAdapter[list[DeviceError]] = TypeAdapter(list[DeviceError])


def is_given_up(errors: Sequence[DeviceError], now: datetime) -> bool:
    """Tell whether the device failed so often in so short a time that a start must not try it again yet.

    Errors after ``now`` come from a clock that was wrong and do not count.
    """
    times = sorted(error.at for error in errors if error.at <= now)
    if not times or now - times[-1] >= GIVEN_UP_FOR:
        return False
    return any(last - first <= WITHIN for first, last in zip(times, times[MOST_ERRORS - 1 :], strict=False))


@dataclass(frozen=True, slots=True)
class DeviceHistory:
    """The file with the device errors of a site."""

    state_dir: Path

    def errors(self) -> list[DeviceError]:
        """Give what was noted, earliest first; a file that cannot be read tells nothing, and the next error replaces it."""
        try:
            return _ERRORS.validate_json((self.state_dir / FILE).read_bytes())
        except (FileNotFoundError, ValidationError):
            return []

    def note(self, code: str, now: datetime) -> None:
        """Add an error; a disk that refuses is told in the log, for the error itself must still end the process."""
        errors = [*self.errors(), DeviceError(at=now, code=code)][-_KEPT:]
        try:
            write_whole(self.state_dir / FILE, _ERRORS.dump_json(errors))
        except OSError as problem:
            events.device_error_unnoted(code, problem.errno or 0)

    def clear(self) -> int:
        """Forget every error, so that the next start tries the device; give how many there were."""
        count = len(self.errors())
        (self.state_dir / FILE).unlink(missing_ok=True)
        return count

    def policy(self, asked: DevicePolicy, now: datetime) -> DevicePolicy:
        """Give the policy to start under: ``prefer-gpu`` becomes ``cpu`` while the device is given up.

        Raises:
            DeviceRequired: the device is given up and ``require-gpu`` allows nothing else.
        """
        errors = self.errors()
        if asked is DevicePolicy.CPU or not is_given_up(errors, now):
            return asked
        if asked is DevicePolicy.REQUIRE_GPU:
            fields: dict[str, Scalar] = {"errors": len(errors), "last": errors[-1].code}
            raise DeviceRequired(
                f"the GPU failed {MOST_ERRORS} times within an hour; mend it, then run `edge-agent doctor --retry-device`", fields
            )
        return DevicePolicy.CPU

    @contextmanager
    def noting(self, clock: Clock) -> Iterator[None]:
        """Note the device error that ends the block, whatever task group wraps it."""
        try:
            yield
        except* DeviceFailed as group:
            self.note(_first(group).code, clock.now())
            raise


def _first(group: BaseExceptionGroup[DeviceFailed]) -> DeviceFailed:
    for problem in group.exceptions:
        return _first(problem) if isinstance(problem, BaseExceptionGroup) else problem
    raise AssertionError("an exception group is never empty")
