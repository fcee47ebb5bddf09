"""Where scenes are drawn: areal-density maps by basis material, and who put how much where."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.sim.material import BASIS, index

Patch = NDArray[np.float32]
"""(h, w) float32: the beam's path through a thing, relative to its full depth (1 = full depth)."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in millimetres of the scene; x to the right, y down."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0


Mix = tuple[tuple[str, float], ...]
"""Materials and their shares of the mass; the shares add up to 1."""


class Canvas:
    """Areal-density maps of a window into a scene.

    ``areal``: (materials, h, w) float32, g/cm2. ``owned``: (h, w) float32 by owner, g/cm2 over all materials. Positions are in mm
    of the scene; ``left_mm`` is the scene's x at the window's left edge. What lies outside the window is cut off.
    """

    def __init__(self, width_mm: float, height_mm: float, pitch_mm: float, left_mm: float = 0.0) -> None:
        self.pitch_mm = pitch_mm
        self.left_mm = left_mm
        self.height, self.width = round(height_mm / pitch_mm), round(width_mm / pitch_mm)
        self.areal = np.zeros((len(BASIS), self.height, self.width), dtype=np.float32)
        self.owned: dict[int, Patch] = {}

    def px(self, length_mm: float) -> int:
        """Give a length in whole pixels, at least one."""
        return max(1, round(length_mm / self.pitch_mm))

    def sees(self, x0_mm: float, x1_mm: float) -> bool:
        """Tell whether any of the span lies in the window."""
        return x1_mm > self.left_mm and x0_mm < self.left_mm + self.width * self.pitch_mm

    def add(self, patch: Patch, at_mm: tuple[float, float], mix: Mix, areal: float, owner: int) -> None:
        """Put matter in the beam: ``patch`` with its top left at ``at_mm`` (x, y), ``areal`` g/cm2 where the patch is 1."""
        x = round((at_mm[0] - self.left_mm) / self.pitch_mm)
        y = round(at_mm[1] / self.pitch_mm)
        x0, y0 = max(x, 0), max(y, 0)
        x1, y1 = min(x + patch.shape[1], self.width), min(y + patch.shape[0], self.height)
        if x0 >= x1 or y0 >= y1:
            return
        seen = patch[y0 - y : y1 - y, x0 - x : x1 - x] * np.float32(areal)
        for material, share in mix:
            self.areal[index(material), y0:y1, x0:x1] += seen * np.float32(share)
        self._owner_map(owner)[y0:y1, x0:x1] += seen

    def fill(self, region: Region, mix: Mix, areal: float, owner: int) -> None:
        """Put a plain slab of ``areal`` g/cm2 into the region."""
        if self.sees(region.x0, region.x1):
            patch = np.ones((self.px(region.height), self.px(region.width)), dtype=np.float32)
            self.add(patch, (region.x0, region.y0), mix, areal, owner)

    def _owner_map(self, owner: int) -> Patch:
        if owner not in self.owned:
            self.owned[owner] = np.zeros((self.height, self.width), dtype=np.float32)
        return self.owned[owner]
