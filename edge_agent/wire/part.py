"""What every piece of a body is."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Base of every piece of a body: immutable, tolerant of fields that a newer site added."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null", allow_inf_nan=False)
