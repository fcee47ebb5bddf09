"""A stamp is a moment in UTC, whoever parsed it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter

from edge_agent.domain.clock import Stamp


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=1))], ids=["naive", "another zone"])
def test_a_stamp_refuses_moments_outside_utc(zone: timezone | None) -> None:
    with pytest.raises(ValueError, match="UTC"):
        Stamp(datetime(2026, 3, 2, 12, tzinfo=zone), "", tz_assumed=False)


def test_a_stamp_survives_json_as_the_same_value() -> None:
    stamp = Stamp(datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC), "02/03/2026 12:00", tz_assumed=True)
    adapter = TypeAdapter(Stamp)
    read = adapter.validate_json(adapter.dump_json(stamp))
    assert stamp == read
    assert read.at.tzinfo is UTC
