"""Parts of a threat, before they are laid into a scene."""

from dataclasses import dataclass

from edge_agent.sim.canvas import Mix, Patch

STEEL: Mix = (("iron", 1.0),)
POLYMER: Mix = (("polyethylene", 1.0),)
WOOD: Mix = (("cellulose", 1.0),)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One material of a threat: ``patch`` on the threat's own grid, ``areal`` g/cm2 where it is 1."""

    patch: Patch
    mix: Mix
    areal: float


@dataclass(frozen=True, slots=True)
class Room:
    """What a threat may look like here. ``pitch_mm``: mm a pixel; ``is_cargo``: stowed in bulk, deeper and larger."""

    pitch_mm: float
    is_cargo: bool

    def px(self, length_mm: float) -> int:
        """Give a length in pixels, at least two."""
        return max(2, round(length_mm / self.pitch_mm))
