"""Waits after failures: none for few, growing for many, and no way around."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import TooSoon
from edge_agent.testing.clock import ManualClock
from edge_agent.web.throttle import LoginThrottle, Rate, Throttle, network_of


def test_the_first_failures_cost_nothing_and_then_the_wait_doubles_up_to_five_minutes() -> None:
    clock = ManualClock()
    throttle = Throttle(clock, free=3)
    waits = []
    for _ in range(14):
        waits.append(throttle.wait_s("anna"))
        clock.advance(waits[-1])
        throttle.failed("anna")
    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_wait_runs_down_with_time() -> None:
    clock = ManualClock()
    throttle = Throttle(clock, free=0)
    for _ in range(5):
        throttle.failed("anna")
    clock.advance(10)
    assert throttle.wait_s("anna") == 22


def test_an_hour_without_failures_is_a_new_beginning() -> None:
    clock = ManualClock()
    throttle = Throttle(clock, free=1)
    for _ in range(9):
        throttle.failed("anna")
    clock.advance(3601)
    throttle.failed("anna")
    clock.advance(1)
    assert throttle.wait_s("anna") == 0


@given(st.lists(st.sampled_from(["fail", "wait", "try"]), max_size=60))
def test_no_order_of_attempts_gets_more_than_the_free_ones_and_one_a_wait(steps: list[str]) -> None:
    """Over any history, attempts that were let through are at most free + log2(elapsed) + elapsed / longest wait + 1."""
    clock = ManualClock()
    throttle = LoginThrottle(clock)
    begun = clock.monotonic()
    passed = 0
    for step in steps:
        if step == "wait":
            clock.advance(7)
            continue
        try:
            throttle.begin("anna", "10.0.0.1")
            passed += 1
        except TooSoon:
            pass
    elapsed = clock.monotonic() - begun
    waits, total = 0, 0.0
    while total + min(2.0**waits, 300.0) <= elapsed:
        total += min(2.0**waits, 300.0)
        waits += 1
    assert passed <= 5 + waits + 1


def test_attempts_side_by_side_count_before_they_are_answered() -> None:
    throttle = LoginThrottle(ManualClock())
    for _ in range(5):
        throttle.begin("anna", "10.0.0.1")
    with pytest.raises(TooSoon) as refused:
        throttle.begin("anna", "10.0.0.1")
    assert refused.value.fields["retry_after_s"] >= 1


def test_who_tries_at_a_name_elsewhere_does_not_lock_the_officer_out() -> None:
    throttle = LoginThrottle(ManualClock())
    for _ in range(5):
        throttle.begin("anna", "10.0.0.66")
    with pytest.raises(TooSoon):
        throttle.begin("anna", "10.0.0.66")
    throttle.begin("anna", "10.0.0.1")


def test_one_name_from_many_addresses_is_slowed_but_not_where_the_officer_was_before() -> None:
    clock = ManualClock()
    throttle = LoginThrottle(clock)
    throttle.begin("anna", "10.0.0.1")
    throttle.succeeded("anna", "10.0.0.1")
    for number in range(50):
        throttle.begin("anna", f"10.0.1.{number}")
    with pytest.raises(TooSoon):
        throttle.begin("anna", "10.0.9.9")
    throttle.begin("ben", "10.0.9.9")
    throttle.begin("anna", "10.0.0.1")


def test_the_brake_over_all_addresses_lets_a_new_one_in_within_half_a_minute() -> None:
    clock = ManualClock()
    throttle = LoginThrottle(clock)
    for number in range(600):
        try:
            throttle.begin("anna", f"10.0.{number // 250}.{number % 250}")
        except TooSoon:
            clock.advance(1.0)
    clock.advance(30.0)
    throttle.begin("anna", "10.0.9.9")


def test_names_and_addresses_that_are_never_the_same_are_slowed_in_total() -> None:
    clock = ManualClock()
    throttle = LoginThrottle(clock)
    for number in range(100):
        throttle.begin(f"officer-{number}", f"10.0.0.{number}")
    with pytest.raises(TooSoon):
        throttle.begin("ben", "10.0.9.9")
    clock.advance(1.0)
    throttle.begin("ben", "10.0.9.9")


def test_a_wrong_word_in_the_known_place_is_counted_there() -> None:
    throttle = LoginThrottle(ManualClock())
    throttle.begin("anna", "10.0.0.1")
    throttle.succeeded("anna", "10.0.0.1")
    for _ in range(5):
        throttle.begin("anna", "10.0.0.1")
    with pytest.raises(TooSoon):
        throttle.begin("anna", "10.0.0.1")


def test_many_names_from_one_address_are_slowed() -> None:
    throttle = LoginThrottle(ManualClock())
    for number in range(20):
        throttle.begin(f"officer-{number}", "10.0.0.1")
    with pytest.raises(TooSoon):
        throttle.begin("ben", "10.0.0.1")
    throttle.begin("ben", "10.0.0.2")


def test_an_own_account_does_not_wash_an_address_clean() -> None:
    throttle = LoginThrottle(ManualClock())
    for number in range(19):
        throttle.begin(f"victim-{number}", "10.0.0.1")
        throttle.begin("mallory", "10.0.0.1")
        throttle.succeeded("mallory", "10.0.0.1")
    throttle.begin("victim-19", "10.0.0.1")
    with pytest.raises(TooSoon):
        throttle.begin("victim-20", "10.0.0.1")


def test_a_success_forgets_the_name_s_failures_there() -> None:
    throttle = LoginThrottle(ManualClock())
    for _ in range(3):
        for _ in range(4):
            throttle.begin("anna", "10.0.0.1")
        throttle.begin("anna", "10.0.0.1")
        throttle.succeeded("anna", "10.0.0.1")


def test_made_up_names_do_not_fill_the_memory() -> None:
    throttle = Throttle(ManualClock(), free=1)
    for number in range(10_500):
        throttle.failed(str(number))
    assert len(throttle._counts) == 10_000


def test_a_rate_lets_a_burst_through_and_then_so_many_a_second() -> None:
    clock = ManualClock()
    rate = Rate(clock, per_s=2.0, burst=3)
    for _ in range(3):
        rate.take("a")
    with pytest.raises(TooSoon):
        rate.take("a")
    rate.take("b")
    clock.advance(0.5)
    rate.take("a")
    with pytest.raises(TooSoon):
        rate.take("a")


@given(st.lists(st.floats(0, 3), max_size=80))
def test_a_rate_never_exceeds_burst_plus_rate_times_time(pauses: list[float]) -> None:
    clock = ManualClock()
    rate = Rate(clock, per_s=2.0, burst=5)
    begun, passed = clock.monotonic(), 0
    for pause in pauses:
        clock.advance(pause)
        try:
            rate.take("a")
            passed += 1
        except TooSoon:
            pass
    assert passed <= 5 + 2.0 * (clock.monotonic() - begun) + 1e-6


def test_addresses_of_one_ipv6_network_are_one_address() -> None:
    throttle = LoginThrottle(ManualClock())
    for number in range(20):
        throttle.begin(f"officer-{number}", f"2001:db8::{number:x}")
    with pytest.raises(TooSoon):
        throttle.begin("ben", "2001:db8:0:0:ffff::1")
    throttle.begin("ben", "2001:db8:0:1::1")


def test_what_is_no_address_is_counted_as_it_is() -> None:
    assert [network_of(text) for text in ("", "unknown", "::ffff:192.0.2.1", "192.0.2.1")] == [
        "",
        "unknown",
        "192.0.2.1",
        "192.0.2.1",
    ]
