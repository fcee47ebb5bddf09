"""Materials and how they attenuate: NIST mass attenuation coefficients from the table beside this module."""

import csv
import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BASIS = ("polyethylene", "cellulose", "water", "rdx", "aluminium", "silica", "iron", "copper", "tungsten", "lead")
"""What scenes are made of, in the order of their areal-density maps. ``rdx`` stands for dense, nitrogen-rich organic matter."""

TABLE = Path(__file__).with_name("attenuation.csv")
TABLE_SHA256 = "16f5d8668f681f6e45f81a0c52c4b82dbc1b0f27e62e0db91e142205f2d1fc4f"
"""Of the table as it was made by ``training/attenuation_table.py``; a test compares."""

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def mass_attenuation(material: str, energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mass attenuation coefficient in cm2/g at each energy (any shape, keV), log-log between the rows of the table.

    Raises:
        KeyError: the table has no such material. ValueError: an energy outside the table; nothing is extrapolated.
    """
    log_energy, log_value = _curves()[material]
    wanted = np.log(energy_kev)
    if wanted.size and (wanted.min() < log_energy[0] or wanted.max() > log_energy[-1]):
        raise ValueError(f"{material}: energy outside the attenuation table")
    return np.exp(np.interp(wanted, log_energy, log_value))


def index(material: str) -> int:
    """Give the place of a basis material in an areal-density stack."""
    return BASIS.index(material)


@functools.cache
def _curves() -> Mapping[str, Curve]:
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {name: _curve([row for row in rows if row["material"] == name]) for name in {row["material"] for row in rows}}


def _curve(rows: list[dict[str, str]]) -> Curve:
    energies = np.array([float(row["energy_kev"]) for row in rows])
    values = np.array([float(row["cm2_per_g"]) for row in rows])
    return np.log(energies), np.log(values)
