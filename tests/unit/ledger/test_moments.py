"""Moments go through the ledger exactly."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.ledger.moments import from_us, to_us


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_moment_comes_back_exactly(moment: datetime) -> None:
    assert from_us(to_us(moment)) == moment


def test_a_moment_of_another_zone_comes_back_as_the_same_moment_in_utc() -> None:
    written = datetime(2026, 3, 2, 13, tzinfo=timezone(timedelta(hours=1)))
    assert to_us(written) == 1_772_452_800_000_000
    assert from_us(to_us(written)).tzinfo is UTC
