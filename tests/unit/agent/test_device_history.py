"""A device that fails again and again is given up for a day, visibly; one that failed once is not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.device_history import FILE, GIVEN_UP_FOR, MOST_ERRORS, WITHIN, DeviceError, DeviceHistory, is_given_up
from edge_agent.errors import DeviceLost, DeviceRequired
from edge_agent.inference.session import DevicePolicy
from edge_agent.testing.clock import ManualClock

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AGES = st.lists(st.integers(-5_000, 5_000).map(lambda minutes: NOW - minutes * MINUTE), max_size=8)


def errors(*minutes_ago: float) -> list[DeviceError]:
    return [DeviceError(at=NOW - minutes * MINUTE, code="device-lost") for minutes in minutes_ago]


@pytest.mark.parametrize(
    ("minutes_ago", "given_up"),
    [
        ((), False),
        ((1,), False),
        ((3, 2), False),
        ((3, 2, 1), True),
        ((61, 30, 1), True),
        ((62, 30, 1), False),
        ((180, 179, 178, 1), True),
        ((1439, 1438, 1437), True),
        ((1442, 1441, 1440), False),
        ((-10, -9, -8), False),
    ],
)
def test_the_device_is_given_up_after_three_errors_within_an_hour_for_a_day(minutes_ago: tuple[float, ...], given_up: bool) -> None:
    assert given_up == is_given_up(errors(*minutes_ago), NOW)


@given(AGES)
def test_fewer_errors_never_give_a_device_up(times: list[datetime]) -> None:
    noted = [DeviceError(at=at, code="device-lost") for at in times]
    if not is_given_up(noted, NOW):
        newest = max((at for at in times if at <= NOW), default=NOW)
        for left_out in noted:
            if left_out.at != newest:
                assert not is_given_up([one for one in noted if one is not left_out], NOW)


@given(AGES)
def test_a_day_without_an_error_brings_the_device_back(times: list[datetime]) -> None:
    noted = [DeviceError(at=at, code="device-lost") for at in times if at <= NOW]
    assert not is_given_up(noted, NOW + GIVEN_UP_FOR)


@pytest.mark.parametrize("policy", list(DevicePolicy))
def test_a_good_device_leaves_the_policy_as_asked(tmp_path: Path, policy: DevicePolicy) -> None:
    assert policy is DeviceHistory(tmp_path).policy(policy, NOW)


def test_a_device_given_up_means_the_cpu_or_no_start(tmp_path: Path) -> None:
    history = DeviceHistory(tmp_path)
    for number in range(MOST_ERRORS):
        history.note("device-lost", NOW + number * MINUTE)
    later = NOW + WITHIN
    assert DevicePolicy.CPU is history.policy(DevicePolicy.PREFER_GPU, later)
    assert DevicePolicy.CPU is history.policy(DevicePolicy.CPU, later)
    with pytest.raises(DeviceRequired, match="--retry-device"):
        history.policy(DevicePolicy.REQUIRE_GPU, later)
    assert MOST_ERRORS == history.clear()
    assert DevicePolicy.REQUIRE_GPU is history.policy(DevicePolicy.REQUIRE_GPU, later)
    assert 0 == history.clear()


def test_the_error_that_ends_the_process_is_noted_whatever_wraps_it(tmp_path: Path) -> None:
    history = DeviceHistory(tmp_path)
    with pytest.raises(ExceptionGroup), history.noting(ManualClock()):
        raise ExceptionGroup("tasks", [ExceptionGroup("inner", [DeviceLost("700")])])
    with pytest.raises(ExceptionGroup), history.noting(ManualClock()):
        raise DeviceLost("700")
    assert ["device-lost"] * 2 == [error.code for error in history.errors()]


def test_other_errors_are_not_the_devices_fault(tmp_path: Path) -> None:
    history = DeviceHistory(tmp_path)
    with pytest.raises(KeyError), history.noting(ManualClock()):
        raise KeyError("a bug")
    assert [] == history.errors()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'[{"at": "2026-01-01T00:00:00", "code": "x"}]', b"\xff"])
def test_a_damaged_file_tells_nothing_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    history = DeviceHistory(tmp_path)
    assert [] == history.errors()
    history.note("device-lost", NOW)
    assert [DeviceError(at=NOW, code="device-lost")] == history.errors()


def test_the_file_stays_small(tmp_path: Path) -> None:
    history = DeviceHistory(tmp_path)
    for number in range(50):
        history.note("device-lost", NOW + number * MINUTE)
    assert [NOW + number * MINUTE for number in range(40, 50)] == [error.at for error in history.errors()]
