"""What a section of ``agent.toml`` is, and the kind of value that several sections hold."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Base of every section: immutable, and strict, for a misspelt key that is ignored is a rule that does not hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")
