"""Plain values behind tokens. Imaging, analysis and inference never reach this module (a contract)."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from edge_agent.domain.ids import Commitment


class IdentityClass(StrEnum):
    """What kind of identifier a value is; policy and role decide per class who may see it."""

    CONTAINER = "container"
    PARCEL = "parcel"
    PLATE = "plate"
    DRIVER = "driver"
    SEAL = "seal"
    TRADER = "trader"
    OFFICER = "officer"
    DECLARATION = "declaration"
    VENDOR_SCAN = "vendor-scan"
    NOTE = "note"
    """What an officer wrote beside a verdict."""
    REMARK = "remark"
    """What somebody wrote in free text about an examination."""


@dataclass(frozen=True, slots=True)
class IdentityValue:
    """One identifier in clear: stays in the probe's answer and in the erasable identity table, nowhere else.

    ``confidence``: how sure the reader of the number was, in [0, 1]; None when it was typed or not said. It does not tell values apart.
    """

    kind: IdentityClass
    value: str
    confidence: float | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        """Hide the value, so that a traceback or a log of this object carries no personal data."""
        return f"IdentityValue({self.kind}, hidden)"

    def commitment(self, salt: bytes) -> Commitment:
        """Give the salted SHA-256 that stands in hash-chained bodies."""
        return Commitment(hashlib.sha256(salt + b"\0" + self.kind.encode() + b"\0" + self.value.encode()).hexdigest())
