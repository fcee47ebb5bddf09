"""Where scenes are drawn: areal-density maps by basis material, and who put how much where."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_agent.sim.material import BASIS, index

Patch = NDArray[np.float32]
"""(h, w) float32: the beam's path through a thing, relative to its full depth (1 = full depth)."""

Mix: TypeAlias = tuple[tuple[str, float], ...]
"""Materials and their shares of the mass; the shares add up to 1."""


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


class Canvas:
    """Areal density in a window into a scene, one map for every owner and mix of materials.

    Positions are in mm of the scene; ``left_mm`` is the scene's x at the window's left edge. What lies outside the window is cut off.
    """

    def __init__(self, width_mm: float, height_mm: float, pitch_mm: float, left_mm: float = 0.0) -> None:
        self.pitch_mm = pitch_mm
        self.left_mm = left_mm
        self.height, self.width = round(height_mm / pitch_mm), round(width_mm / pitch_mm)
        self._maps: dict[tuple[int, Mix], Patch] = {}

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
        if x0 < x1 and y0 < y1:
            seen = patch[y0 - y : y1 - y, x0 - x : x1 - x]
            self._map(owner, mix)[y0:y1, x0:x1] += seen * np.float32(areal)

    def fill(self, region: Region, mix: Mix, areal: float, owner: int) -> None:
        """Put a plain slab of ``areal`` g/cm2 into the region."""
        x = round((region.x0 - self.left_mm) / self.pitch_mm)
        y = round(region.y0 / self.pitch_mm)
        x1, y1 = min(x + self.px(region.width), self.width), min(y + self.px(region.height), self.height)
        if max(x, 0) < x1 and max(y, 0) < y1:
            self._map(owner, mix)[max(y, 0) : y1, max(x, 0) : x1] += np.float32(areal)

    def shift_columns(self, down_px: NDArray[np.int64]) -> None:
        """Move every column down by (w,) px of its own, as a scanner that does not stand level shows them; nothing comes in."""
        edges = [0, *(np.flatnonzero(np.diff(down_px)) + 1).tolist(), self.width]
        for key, matter in self._maps.items():
            moved = np.zeros_like(matter)
            for x0, x1 in itertools.pairwise(edges):
                step = int(down_px[x0])
                moved[max(step, 0) : self.height + min(step, 0), x0:x1] = matter[max(-step, 0) : self.height - max(step, 0), x0:x1]
            self._maps[key] = moved

    def cut(self, height_mm: float) -> None:
        """Leave what lies above ``height_mm``: the picture ends there."""
        self.height = round(height_mm / self.pitch_mm)
        self._maps = {key: matter[: self.height] for key, matter in self._maps.items()}

    @property
    def areal(self) -> NDArray[np.float32]:
        """Give the (materials, h, w) float32 areal density, g/cm2."""
        stack = np.zeros((len(BASIS), self.height, self.width), dtype=np.float32)
        for (_, mix), matter in self._maps.items():
            for material, share in mix:
                stack[index(material)] += matter if share == 1.0 else matter * np.float32(share)
        return stack

    @property
    def owners(self) -> frozenset[int]:
        """Give who has put matter in."""
        return frozenset(owner for owner, _ in self._maps)

    def owned(self, owner: int) -> Patch:
        """Give (h, w) float32: what this owner has put in, g/cm2 over all materials; zeros for one who has not."""
        maps = list(self._maps_of(owner))
        return sum(maps[1:], maps[0]) if maps else np.zeros((self.height, self.width), dtype=np.float32)

    def mass_kg(self, owner: int) -> float:
        """Give the mass of this owner's matter in the window."""
        return sum(float(matter.sum(dtype=np.float64)) for matter in self._maps_of(owner)) * (self.pitch_mm / 10.0) ** 2 / 1000.0

    def _maps_of(self, owner: int) -> Iterator[Patch]:
        return (matter for (whose, _), matter in self._maps.items() if whose == owner)

    def _map(self, owner: int, mix: Mix) -> Patch:
        if (owner, mix) not in self._maps:
            self._maps[owner, mix] = np.zeros((self.height, self.width), dtype=np.float32)
        return self._maps[owner, mix]
