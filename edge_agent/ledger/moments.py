"""Moments as the ledger stores them: whole microseconds since 1970 in UTC, exact both ways."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Give the microseconds of an aware moment."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Give the moment, aware, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
