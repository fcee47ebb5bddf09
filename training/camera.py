"""The scanner as a network meets it: a scene in, the network's input out, by the runtime's own ``density`` and ``resampled``."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from edge_agent.domain.geometry import Size
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.imaging.attenuation import density
from edge_agent.imaging.colours import low_density
from edge_agent.imaging.resample import resampled
from edge_agent.sim.display import draw_palette, draw_rendering, pseudo_colour, render
from edge_agent.sim.machine import Machine, draw_machine, expose, expose_high
from edge_agent.sim.scene import Scene

_SINGLE_SHARE = 0.3

Channels = NDArray[np.float32]
"""(2, h, w) float32: density of the high and the low plane; the low one is zero for a single-energy scan."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One virtual scanner.

    ``is_display``: it exports 8-bit pictures; ``is_single``: it has one energy; ``seed``: of noise and curve; ``unseen``: its curve and
    colours are such as the ordinary draw does not give.
    """

    machine: Machine
    is_display: bool
    is_single: bool
    seed: int
    unseen: bool = False

    def planes(self, scene: Scene) -> tuple[NDArray[np.uint16] | NDArray[np.uint8], ...]:
        """Give what the scanner writes: one 8-bit picture (grey for cargo, pseudo-colour for parcels), or 16-bit planes, high first.

        The same camera gives the same noise and the same curve.
        """
        rng = default_rng(self.seed)
        if self.is_display and not scene.is_cargo:
            palette = draw_palette(default_rng(self.seed + 1), unseen=self.unseen)
            return (pseudo_colour(*expose(scene, self.machine, rng), palette),)
        if self.is_display:
            picture = render(expose_high(scene, self.machine, rng), draw_rendering(default_rng(self.seed + 1), unseen=self.unseen))
            quality = int(default_rng(self.seed + 2).integers(60, 96))
            _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            return (cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE).astype(np.uint8, copy=False),)
        return (expose_high(scene, self.machine, rng),) if self.is_single else expose(scene, self.machine, rng)

    def channels(self, scene: Scene, pitch_mm: float) -> Channels:
        """Give the network's input for a scene at ``pitch_mm``."""
        size = grid_of(scene, pitch_mm)
        high, *others = self.planes(scene)
        low = density(others[0]) if others else low_density(high) if high.ndim == 3 else None
        taken = resampled(density(high), size)
        return np.stack([taken, np.zeros_like(taken) if low is None else resampled(low, size)])

    def view(self, scene: Scene) -> View:
        """Give the scan as the runtime gets it."""
        pitch_mm = (scene.pitch_mm, scene.pitch_mm)
        planes = self.planes(scene)
        if self.is_display:
            return View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, planes[0]),), pitch_mm)
        energies = (Energy.HIGH, Energy.LOW) if len(planes) == 2 else (Energy.SINGLE,)
        return View("side", tuple(Plane(Quantity.TRANSMISSION, e, plane) for e, plane in zip(energies, planes, strict=True)), pitch_mm)


def draw_camera(rng: Generator, display_share: float, *, unseen: bool = False) -> Camera:
    """Draw a virtual scanner; ``display_share``: how often it exports 8-bit pictures only; ``unseen``: of the family kept for tests."""
    machine = draw_machine(rng, unseen)
    is_display = bool(rng.random() < display_share)
    is_single = bool(rng.random() < _SINGLE_SHARE) or machine.is_single
    return Camera(machine, is_display, is_single, int(rng.integers(0, 2**31)), unseen)


def grid_of(scene: Scene, pitch_mm: float) -> Size:
    """Give the size of a scene's picture at ``pitch_mm``."""
    height, width = scene.mask.shape
    return Size(max(1, round(width * scene.pitch_mm / pitch_mm)), max(1, round(height * scene.pitch_mm / pitch_mm)))
