"""What a section of ``agent.toml`` is, and the kinds of value that several sections hold."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from edge_agent.wire.frames import is_name


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("lower-case letters, digits, dot, dash and underscore only, at most 63")
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as problem:
        raise ValueError("not an IANA time zone, such as Asia/Kolkata") from problem
    return text


Name = Annotated[str, AfterValidator(_name)]
Zone = Annotated[str, AfterValidator(_zone)]
Seconds = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Base of every section: immutable, and strict, for a misspelt key that is ignored is a rule that does not hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")
