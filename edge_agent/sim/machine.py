"""Virtual scanners: what a machine makes of a scene, with the faults of real ones."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_agent.sim.beam import Beam, linac, transmission, tube_high, tube_low
from edge_agent.sim.scene import Scene
from edge_agent.sim.shape import blurred

Levels = NDArray[np.float32]
"""(h, w) float32: share of the signal without anything in the beam."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One scanner. ``photons``: quanta a pixel behind air; ``electronic``: read-out noise; ``scatter``: share of blurred signal added.

    ``spread``: weight of each neighbour in the point-spread; ``pulse``, ``channel``: spread of the gain from column to column (pulses)
    and row to row (detectors); ``dead_rows``: shares of the height at which a detector is dead; ``bits``: of the converter.
    """

    photons: float
    electronic: float
    scatter: float
    spread: float
    pulse: float
    channel: float
    dead_rows: tuple[float, ...]
    bits: int
    megavolts: tuple[float, float] = (6.0, 4.0)
    kilovolt: float = 160.0

    def beams(self, scene: Scene) -> tuple[Beam, Beam]:
        """Give the high and the low beam for this kind of scene."""
        if scene.is_cargo:
            return linac(self.megavolts[0]), linac(self.megavolts[1])
        return tube_high(self.kilovolt), tube_low(self.kilovolt)


def draw_machine(rng: Generator) -> Machine:
    """Draw a scanner from the range of those in use."""
    dead = tuple(float(place) for place in rng.uniform(0.0, 1.0, int(rng.integers(0, 3)))) if rng.random() < 0.25 else ()
    return Machine(
        photons=float(np.exp(rng.uniform(np.log(8e3), np.log(2e5)))),
        electronic=float(np.exp(rng.uniform(np.log(6e-5), np.log(6e-4)))),
        scatter=float(rng.uniform(0.002, 0.02)),
        spread=float(rng.uniform(0.03, 0.16)),
        pulse=float(rng.uniform(0.0005, 0.008)),
        channel=float(rng.uniform(0.0005, 0.006)),
        dead_rows=dead,
        bits=int(rng.choice((14, 16))),
    )


def expose(scene: Scene, machine: Machine, rng: Generator) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Give the (high, low) planes of a scene: (h, w) uint16 transmission, 65535 = air."""
    high, low = machine.beams(scene)
    rows = _gains(machine.channel, scene.areal.shape[1], rng)
    return _plane(scene, high, machine, rows, rng), _plane(scene, low, machine, rows, rng)


def expose_high(scene: Scene, machine: Machine, rng: Generator) -> NDArray[np.uint16]:
    """Give the plane of a single-energy scanner."""
    rows = _gains(machine.channel, scene.areal.shape[1], rng)
    return _plane(scene, machine.beams(scene)[0], machine, rows, rng)


def _plane(scene: Scene, beam: Beam, machine: Machine, rows: Levels, rng: Generator) -> NDArray[np.uint16]:
    level = _spread(transmission(scene.areal, beam), machine.spread)
    level += machine.scatter * _haze(level)
    level /= np.float32(1.0 + machine.scatter)
    noise = rng.standard_normal(level.shape, dtype=np.float32)
    level += noise * np.sqrt(level / np.float32(machine.photons) + np.float32(machine.electronic**2))
    level *= _gains(machine.pulse, level.shape[1], rng)
    level *= rows[:, None]
    for place in machine.dead_rows:
        level[min(int(place * level.shape[0]), level.shape[0] - 1)] = rng.choice((0.0, 1.0))
    steps = float(2**machine.bits - 1)
    counts = np.rint(np.clip(level, 0.0, 1.0) * steps)
    plane: NDArray[np.uint16] = np.rint(counts * (65535.0 / steps)).astype(np.uint16)
    return plane


def _gains(spread: float, count: int, rng: Generator) -> Levels:
    """Give (count,) gains around 1."""
    gains: Levels = rng.normal(1.0, spread, (count,)).astype(np.float32)
    return gains


def _spread(level: Levels, weight: float) -> Levels:
    """Give the signal after the detector's point spread: each pixel shares with its four neighbours."""
    padded = np.pad(level, 1, mode="edge")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return ((1.0 - 4.0 * weight) * level + weight * around).astype(np.float32)


def _haze(level: Levels) -> Levels:
    """Give the scattered background: the signal, blurred over about 40 px, on a grid eight times coarser."""
    step = 8
    height, width = level.shape
    rows, columns = np.arange(height) // step, np.arange(width) // step
    coarse = level[::step, ::step]
    soft = blurred(coarse, 3)
    haze: Levels = soft[rows[:, None], columns[None, :]]
    return haze
