"""Time zones as configuration files name them."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator


def _known(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:  # an OSError: `Asia` is a folder of the zones' database
        raise ValueError("must be an IANA time zone, such as Asia/Kolkata") from problem
    return text


Zone = Annotated[str, AfterValidator(_known)]
"""The name of a time zone that this machine knows."""
