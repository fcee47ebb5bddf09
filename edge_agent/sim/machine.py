"""Virtual scanners: what a machine makes of a scene, with the faults of real ones."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from edge_agent.sim.beam import Beam, isotope, linac, transmissions, tube_high, tube_low
from edge_agent.sim.chance import log_uniform
from edge_agent.sim.scene import Scene
from edge_agent.sim.shape import blurred

Levels = NDArray[np.float32]
"""(h, w) float32: share of the signal without anything in the beam."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One scanner. ``photons``: quanta a pixel behind air; ``electronic``: read-out noise; ``scatter``: share of blurred signal added.

    ``spread``: weight of each neighbour in the point-spread; ``pulse``, ``channel``: spread of the gain from column to column (pulses)
    and row to row (detectors); ``dead_rows``: shares of the height at which a detector is dead, and what it then says, 0 or 1; ``bits``:
    of the converter. ``stripe``: spread of the gain from one detector module to the next. ``megavolts``: of the two pulses of a linac;
    ``isotope``: the source of a gamma-ray portal, which then stands in the linac's place and has one energy only; ``kilovolt``: of a
    parcel scanner. ``pattern``: seed of its detectors' gains, which stay the same from scan to scan.
    """

    photons: float
    electronic: float
    scatter: float
    spread: float
    pulse: float
    channel: float
    dead_rows: tuple[tuple[float, float], ...]
    bits: int
    megavolts: tuple[float, float] = (6.0, 4.0)
    kilovolt: float = 160.0
    stripe: float = 0.0
    isotope: str | None = None
    pattern: int = 0

    @property
    def is_single(self) -> bool:
        """Tell whether this cargo scanner has one energy only."""
        return self.isotope is not None

    def beam_words(self, scene: Scene) -> str:
        """Say what beam this kind of scene is seen with, as a side-car does."""
        if not scene.is_cargo:
            return f"{self.kilovolt:g} kV"
        return self.isotope or f"{self.megavolts[0]:g}/{self.megavolts[1]:g} MV"

    def beams(self, scene: Scene) -> tuple[Beam, Beam]:
        """Give the high and the low beam for this kind of scene; both are the same for a gamma-ray portal."""
        if scene.is_cargo and self.isotope is not None:
            return isotope(self.isotope), isotope(self.isotope)
        if scene.is_cargo:
            return linac(self.megavolts[0]), linac(self.megavolts[1])
        return tube_high(self.kilovolt), tube_low(self.kilovolt)


def draw_machine(rng: Generator, unseen: bool = False) -> Machine:  # noqa: FBT001, FBT002 - "which distribution"
    """Draw a scanner from the range of those in use.

    ``unseen``: from a family that the ordinary draw never gives (other energies or an isotope, noisier, more scatter and spread, fewer
    bits): test set S2 is made with it.
    """
    return _unseen_machine(rng) if unseen else _ordinary_machine(rng)


def _ordinary_machine(rng: Generator) -> Machine:
    dead = _dead_rows(rng, 2) if rng.random() < 0.25 else ()
    high = float(rng.choice((5.5, 6.0, 6.5)))
    return Machine(
        photons=log_uniform(rng, 8e3, 2e5),
        electronic=log_uniform(rng, 6e-5, 6e-4),
        scatter=float(rng.uniform(0.002, 0.02)),
        spread=float(rng.uniform(0.03, 0.16)),
        pulse=float(rng.uniform(0.0005, 0.008)),
        channel=float(rng.uniform(0.0005, 0.006)),
        dead_rows=dead,
        bits=int(rng.choice((14, 16))),
        megavolts=(high, float(rng.choice((3.5, 4.0)))),
        kilovolt=float(rng.choice((150.0, 160.0, 170.0))),
        stripe=float(rng.uniform(0.0, 0.004)),
        pattern=int(rng.integers(0, 2**31)),
    )


def _unseen_machine(rng: Generator) -> Machine:
    kind = int(rng.integers(0, 4))
    return Machine(
        photons=log_uniform(rng, 3e3, 8e3),
        electronic=float(rng.uniform(7e-4, 1.2e-3)),
        scatter=float(rng.uniform(0.022, 0.035)),
        spread=float(rng.uniform(0.165, 0.2)),
        pulse=float(rng.uniform(0.008, 0.012)),
        channel=float(rng.uniform(0.006, 0.01)),
        dead_rows=_dead_rows(rng, 4),
        bits=12,
        megavolts=(9.0, 6.0) if kind < 2 else (4.5, 3.0),
        kilovolt=float(rng.choice((140.0, 180.0))),
        stripe=float(rng.uniform(0.004, 0.008)),
        isotope=str(rng.choice(("Co-60", "Cs-137"))) if kind == 3 else None,
        pattern=int(rng.integers(0, 2**31)),
    )


def _dead_rows(rng: Generator, most: int) -> tuple[tuple[float, float], ...]:
    """Draw where detectors are dead, and whether each says that nothing or everything comes through."""
    return tuple((float(rng.random()), float(rng.integers(0, 2))) for _ in range(int(rng.integers(0, most + 1))))


def expose(scene: Scene, machine: Machine, rng: Generator) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Give the (high, low) planes of a scene: (h, w) uint16 transmission, 65535 = air."""
    rows = _row_gains(machine, scene.areal.shape[1])
    high, low = transmissions(scene.areal, machine.beams(scene))
    return _plane(high, machine, rows, rng), _plane(low, machine, rows, rng)


def expose_high(scene: Scene, machine: Machine, rng: Generator) -> NDArray[np.uint16]:
    """Give the plane of a single-energy scanner."""
    rows = _row_gains(machine, scene.areal.shape[1])
    return _plane(transmissions(scene.areal, machine.beams(scene)[:1])[0], machine, rows, rng)


def _plane(left: Levels, machine: Machine, rows: Levels, rng: Generator) -> NDArray[np.uint16]:
    """Give what the converter makes of the signal left behind the scene."""
    level = _spread(left, machine.spread)
    level += np.float32(machine.scatter) * _haze(level)
    level *= np.float32(1.0 / (1.0 + machine.scatter))
    noise = rng.standard_normal(level.shape, dtype=np.float32)
    noise *= np.sqrt(level * np.float32(1.0 / machine.photons) + np.float32(machine.electronic**2))
    level += noise
    level *= rows[:, None] * _gains(machine.pulse, level.shape[1], rng)
    for place, says in machine.dead_rows:
        level[min(int(place * level.shape[0]), level.shape[0] - 1)] = says
    steps = float(2**machine.bits - 1)
    np.clip(level, 0.0, 1.0, out=level)
    level *= np.float32(steps)
    np.rint(level, out=level)
    level *= np.float32(65535.0 / steps)
    level += np.float32(0.5)
    return level.astype(np.uint16)


def _row_gains(machine: Machine, count: int) -> Levels:
    """Give (count,) gains of the detectors, always the same for a machine: each has its own, and so has each module of sixteen."""
    modules = np.repeat(_gains(machine.stripe, count // 16 + 1, default_rng((machine.pattern, 0))), 16)[:count]
    return _gains(machine.channel, count, default_rng((machine.pattern, 1))) * modules


def _gains(spread: float, count: int, rng: Generator) -> Levels:
    """Give (count,) gains around 1."""
    gains: Levels = rng.normal(1.0, spread, (count,)).astype(np.float32)
    return gains


def _spread(level: Levels, weight: float) -> Levels:
    """Give the signal after the detector's point spread: each pixel shares with its four neighbours, at the rim with itself."""
    out = level * np.float32(1.0 - 4.0 * weight)
    shared = level * np.float32(weight)
    out[1:] += shared[:-1]
    out[:-1] += shared[1:]
    out[:, 1:] += shared[:, :-1]
    out[:, :-1] += shared[:, 1:]
    for rim in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        out[rim] += shared[rim]
    return out


def _haze(level: Levels) -> Levels:
    """Give the scattered background: the signal, blurred over about 40 px, on a grid eight times coarser."""
    step = 8
    height, width = level.shape
    soft = blurred(level[::step, ::step], 3)
    haze: Levels = np.repeat(np.repeat(soft, step, axis=0)[:height], step, axis=1)[:, :width]
    return haze
