"""Make ``edge_agent/sim/attenuation.csv`` from NIST's tables.

Run once, in an environment of its own: ``pip install roentgen==2.4.0 && python -m training.attenuation_table``. The package
(Apache-2.0) carries the tables of J. H. Hubbell and S. M. Seltzer, "Tables of X-Ray Mass Attenuation Coefficients and Mass
Energy-Absorption Coefficients", NISTIR 5632, as text files; only its data files are read.
Mixtures are weighted by mass (the usual additivity rule) on the union of their elements' energies.
"""

import importlib.util
from pathlib import Path

import numpy as np

LOWEST_KEV, HIGHEST_KEV = 15.0, 20000.0
EDGE_STEP = 1e-6

ATOMIC = {"H": 1, "C": 6, "N": 7, "O": 8, "Al": 13, "Si": 14, "Fe": 26, "Cu": 29, "Cd": 48, "I": 53, "Cs": 55, "W": 74, "Pb": 82}
MOLAR_G = {
    "H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "Al": 26.982, "Si": 28.085, "Fe": 55.845,
    "Cu": 63.546, "Cd": 112.414, "I": 126.904, "Cs": 132.905, "W": 183.84, "Pb": 207.2,
}  # fmt: skip
FORMULAS = {
    "polyethylene": {"C": 1, "H": 2},
    "cellulose": {"C": 6, "H": 10, "O": 5},
    "water": {"H": 2, "O": 1},
    "rdx": {"C": 3, "H": 6, "N": 6, "O": 6},
    "aluminium": {"Al": 1},
    "silica": {"Si": 1, "O": 2},
    "iron": {"Fe": 1},
    "copper": {"Cu": 1},
    "tungsten": {"W": 1},
    "lead": {"Pb": 1},
    "caesium-iodide": {"Cs": 1, "I": 1},
    "cadmium-tungstate": {"Cd": 1, "W": 1, "O": 4},
}

HEADER = """# X-ray mass attenuation coefficients with coherent scattering, cm2/g. Two rows just below and at an absorption edge.
# Source: J. H. Hubbell, S. M. Seltzer, NISTIR 5632, physics.nist.gov/xaamdi (public domain data of the United States government),
# as packaged by roentgen 2.4.0 (Apache-2.0). Mixtures by mass fractions. Made by training/attenuation_table.py.
material,energy_kev,cm2_per_g
"""


def element_table(folder: Path, symbol: str) -> tuple[np.ndarray, np.ndarray]:
    """Give energies in keV, strictly growing, and coefficients of one element; an edge keeps its two rows."""
    rows = np.loadtxt(folder / "elements" / f"z{ATOMIC[symbol]:02d}.csv", delimiter=",", comments="#")
    energies, values = rows[:, 0] * 1e3, rows[:, 1]
    below_edge = np.append(energies[:-1] == energies[1:], False)
    return np.where(below_edge, energies * (1.0 - EDGE_STEP), energies), values


def mixture(folder: Path, formula: dict[str, int]) -> list[tuple[float, float]]:
    """Give (keV, cm2/g) rows of a compound within the table's range."""
    tables = {symbol: element_table(folder, symbol) for symbol in formula}
    total_g = sum(MOLAR_G[symbol] * count for symbol, count in formula.items())
    grid = np.unique(np.concatenate([energies for energies, _ in tables.values()]))
    grid = grid[(grid >= LOWEST_KEV) & (grid <= HIGHEST_KEV)]
    sums = np.zeros_like(grid)
    for symbol, count in formula.items():
        energies, values = tables[symbol]
        share = MOLAR_G[symbol] * count / total_g
        sums += share * np.exp(np.interp(np.log(grid), np.log(energies), np.log(values)))
    return list(zip(grid.tolist(), sums.tolist(), strict=True))


def main() -> None:
    """Write the table."""
    spec = importlib.util.find_spec("roentgen")
    if spec is None or spec.origin is None:
        raise SystemExit("install roentgen==2.4.0 first")
    folder = Path(spec.origin).parent / "data"
    lines = [f"{name},{energy:.10g},{value:.6g}\n" for name, formula in FORMULAS.items() for energy, value in mixture(folder, formula)]
    target = Path(__file__).parents[1] / "edge_agent" / "sim" / "attenuation.csv"
    target.write_text(HEADER + "".join(lines))
    print(f"{target}: {len(lines)} rows")


if __name__ == "__main__":
    main()
