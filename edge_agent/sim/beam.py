"""Beams and Beer-Lambert: from areal densities to the share of the detector's signal that is left.

A spectrum is cut into a few bins, narrower at both ends: its softest part decides what thin things do, its hardest part what is left
behind thick ones. Each bin has its mean coefficient for every basis material. The detector integrates energy, so a photon counts by its
energy times the chance that the scintillator stops it.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.sim.material import BASIS, mass_attenuation

_BINS = 8
_ROWS_AT_ONCE = 24


@dataclass(frozen=True, slots=True, eq=False)
class Beam:
    """A spectrum as the detector sees it. ``weights``: (b,) shares of the signal, sum 1. ``attenuation``: (b, materials) cm2/g."""

    weights: NDArray[np.float32]
    attenuation: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """Matter that every photon passes, or that detects it: material of the attenuation table and areal density in g/cm2."""

    material: str
    areal: float

    def passed(self, energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the share of photons that come through."""
        return np.exp(-mass_attenuation(self.material, energy_kev) * self.areal)


def bremsstrahlung(peak_kev: float, filters: tuple[Layer, ...], scintillator: Layer) -> Beam:
    """Give a thick tungsten target's beam (Kramers' law: photons per keV proportional to 1/E - 1/peak), filtered and detected."""
    energy = np.geomspace(max(18.0, peak_kev / 120.0), peak_kev * 0.999, 1500)
    photons = (1.0 / energy - 1.0 / peak_kev) * np.gradient(energy)
    for layer in filters:
        photons = photons * layer.passed(energy)
    signal = photons * energy * (1.0 - scintillator.passed(energy))
    return _binned(energy, signal)


def mono(energy_kev: float) -> Beam:
    """Give a beam of one energy."""
    return _binned(np.array([energy_kev]), np.array([1.0]))


LINES_KEV = {"Co-60": ((1173.2, 0.9985), (1332.5, 0.9998)), "Cs-137": ((661.7, 0.851),)}
"""Energies and photons per decay of the isotopes used in gamma-ray portals."""


@functools.cache
def isotope(name: str) -> Beam:
    """Give a gamma-ray portal's beam: the isotope's lines behind a steel capsule, in 50 mm of caesium iodide.

    Raises:
        KeyError: there is no such isotope.
    """
    energy, photons = (np.array(column, dtype=np.float64) for column in zip(*LINES_KEV[name], strict=True))
    detected = 1.0 - Layer("caesium-iodide", 22.5).passed(energy)
    return _binned(energy, photons * energy * Layer("iron", 2.0).passed(energy) * detected)


@functools.cache
def linac(megavolt: float) -> Beam:
    """Give a cargo scanner's beam: target, copper and steel filtration, 30 mm of cadmium tungstate."""
    filters = (Layer("tungsten", 3.9), Layer("copper", 4.5), Layer("iron", 2.4))
    return bremsstrahlung(megavolt * 1000.0, filters, Layer("cadmium-tungstate", 23.7))


@functools.cache
def tube_high(kilovolt: float) -> Beam:
    """Give the rear layer of a parcel scanner's dual-layer detector: thick scintillator behind the front one and copper."""
    filters = (Layer("aluminium", 0.8), Layer("caesium-iodide", 0.18), Layer("copper", 0.54))
    return bremsstrahlung(kilovolt, filters, Layer("caesium-iodide", 1.8))


@functools.cache
def tube_low(kilovolt: float) -> Beam:
    """Give the front layer of a parcel scanner's dual-layer detector: a thin scintillator that sees the soft photons."""
    return bremsstrahlung(kilovolt, (Layer("aluminium", 0.8),), Layer("caesium-iodide", 0.18))


def transmission(areal: NDArray[np.float32], beam: Beam) -> NDArray[np.float32]:
    """Give the share of signal left, (h, w) float32 in (0, 1], behind ``areal`` (materials, h, w) g/cm2."""
    left: NDArray[np.float32] = transmissions(areal, (beam,))[0]
    return left


def transmissions(areal: NDArray[np.float32], beams: Sequence[Beam]) -> NDArray[np.float32]:
    """Give ``transmission`` for several beams at once, (beams, h, w) float32."""
    materials, height, width = areal.shape
    table = np.concatenate([beam.attenuation for beam in beams])
    starts = np.cumsum([0, *(beam.weights.size for beam in beams)])
    out = np.empty((len(beams), height, width), dtype=np.float32)
    for top in range(0, height, _ROWS_AT_ONCE):
        part = areal[:, top : top + _ROWS_AT_ONCE].reshape(materials, -1)
        used = part.max(axis=1) > 0.0
        left = -table[:, used] @ part[used]
        np.exp(left, out=left)
        for place, beam in enumerate(beams):
            share = beam.weights @ left[starts[place] : starts[place + 1]]
            out[place, top : top + _ROWS_AT_ONCE] = share.reshape(-1, width)
    return out


def _binned(energy: NDArray[np.float64], signal: NDArray[np.float64]) -> Beam:
    share = signal / signal.sum()
    edges = np.linspace(0.0, 1.0, _BINS + 1)[1:-1]
    bins = np.searchsorted(edges * edges * (3.0 - 2.0 * edges), np.cumsum(share) - share / 2)
    coefficients = np.stack([mass_attenuation(name, energy) for name in BASIS], axis=1)
    weights = np.bincount(bins, share, minlength=_BINS)
    means = np.stack([np.bincount(bins, share * column, minlength=_BINS) for column in coefficients.T], axis=1)
    filled = weights > 0
    return Beam((weights[filled]).astype(np.float32), (means[filled] / weights[filled, None]).astype(np.float32))
