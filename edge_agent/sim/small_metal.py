"""Small metal threats for the container-level test: metal of 15 to 40 cm in a load of no more than 15 cm of steel-equivalent."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_agent.sim.goods import AIR, EMPTY, STRUCTURE
from edge_agent.sim.material import BASIS, mass_attenuation
from edge_agent.sim.scene import SEEN_AT, Scene, is_threat_at, lay, threat_stack
from edge_agent.sim.threat import Shapes

SIZE_MM = (150.0, 400.0)
"""Allowed length of the longer side of the object's box."""
MOST_STEEL_CM = 15.0
LABELS = ("handgun", "dense")

_REFERENCE_KEV = 2000.0
_STEEL_G_CM3 = 7.874
_TRIES = 60
_AMONG_GOODS = 0.8
"""Share of the object that goods must lie before or behind: what stands free in an empty container is hidden from nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class SmallMetal:
    """A scene with one small metal object. ``behind_cm``: steel-equivalent of what lies in the beam with it (median over the object)."""

    scene: Scene
    behind_cm: float


def steel_equivalent_cm(areal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give (h, w) cm of steel that attenuate photons of 2 MeV as ``areal`` (materials, h, w) g/cm2 does.

    Behind 10 cm of steel a 6 MV beam behaves about like 2 MeV.
    """
    coefficients = np.array([mass_attenuation(name, np.array(_REFERENCE_KEV)) for name in BASIS])
    iron = float(mass_attenuation("iron", np.array(_REFERENCE_KEV)))
    scale = (coefficients / (iron * _STEEL_G_CM3)).astype(np.float32)
    equivalent: NDArray[np.float32] = np.einsum("m,mhw->hw", scale, areal).astype(np.float32)
    return equivalent


def with_small_metal(scene: Scene, rng: Generator, shapes: Shapes = Shapes.KNOWN) -> SmallMetal | None:
    """Give the scene with one such object among the goods; None if no place was found where there are goods, and thin enough ones."""
    behind, is_taken = steel_equivalent_cm(scene.areal), is_threat_at(scene)
    is_load = ~np.isin(scene.goods, (EMPTY, AIR, STRUCTURE))
    x0, y0, x1, y1 = (int(value) for value in scene.room)
    for _ in range(_TRIES):
        label = str(rng.choice(LABELS))
        stack = threat_stack(scene, label, rng, shapes)
        height, width = stack.shape[1:]
        if not SIZE_MM[0] <= max(height, width) * scene.pitch_mm <= SIZE_MM[1] or height >= y1 - y0 or width >= x1 - x0:
            continue
        y, x = int(rng.integers(y0, y1 - height)), int(rng.integers(x0, x1 - width))
        window = (slice(y, y + height), slice(x, x + width))
        seen = stack.sum(axis=0) > SEEN_AT
        depth_cm = float(np.median(behind[window][seen]))
        is_among = is_load[window][seen].mean() >= _AMONG_GOODS
        if is_among and depth_cm <= MOST_STEEL_CM and not is_taken[window].any():
            return SmallMetal(lay(scene, label, stack, (y, x)), depth_cm)
    return None
