"""What is handed over with a scan besides goods and pixels: for display and audit. No model is given any of it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Route:
    """Where the consignment comes from and goes to, by what; as written, empty where not given."""

    origin: str = ""
    destination: str = ""
    vessel: str = ""
    voyage: str = ""


@dataclass(frozen=True, slots=True)
class RiskFlag:
    """A remark of the risk system. ``code``: its own word; ``set_at``: aware, None when not given."""

    code: str
    source: str = ""
    set_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Consignment:
    """Route, risk flags and whole-consignment figures. ``gross_kg``: declared mass with packing; ``volume_m3``: declared volume."""

    route: Route = Route()
    risk_flags: tuple[RiskFlag, ...] = ()
    gross_kg: float | None = None
    volume_m3: float | None = None
