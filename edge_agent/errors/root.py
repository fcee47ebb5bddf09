"""The root of the error tree: what every error of this package carries."""

from collections.abc import Mapping
from typing import ClassVar, TypeAlias

Scalar: TypeAlias = str | int | float | bool


class EdgeAgentError(Exception):
    """Root of every error this package raises on purpose.

    ``detail`` says what happened in one sentence; ``fields`` holds the values a log line or a reason carries (codes and numbers,
    never personal data).
    """

    code: ClassVar[str] = "edge-agent-error"
    hint: ClassVar[str] = "Read the detail; if it does not help, send a support bundle."

    def __init__(self, detail: str, fields: Mapping[str, Scalar] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields: dict[str, Scalar] = dict(fields or {})
