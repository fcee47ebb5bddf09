"""What a picture tells about the mass in it: a physical first estimate, and the numbers from which a network corrects it.

The attenuation of a beam with many energies grows less than in proportion with the matter (beam hardening), scatter adds light behind
thick loads, and what is darker than the detector can see weighs more than it shows. So the sum of the attenuation alone is off by a
third; how it is off depends on the distribution of the attenuation, on both energies, on the share that is too dark, and on what it is
that lies there: steel of a mass attenuates less than goods of that mass, and the walls beside a load weigh too. So the features are
numbers of the whole region, and coarse maps of it, by which a network tells walls from goods and one kind of goods from another. They are
counted on every k-th pixel: a few milliseconds whatever the size of the scan.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import Plane
from edge_agent.imaging.attenuation import ATTENUATION_PER_UNIT, density
from edge_agent.imaging.dark import DARK_TRANSMISSION

AREAL_PER_UNIT = 150.0
"""g/cm2 of water that make one unit of density in a 6 MV beam; a first estimate that the network corrects."""

_EDGES = np.concatenate([[-np.inf], np.linspace(0.0, 1.0, 20)[1:] ** 1.6 * 1.5, [np.inf]])
_BANDS = (0.05, 0.2, 0.4, 0.7, np.inf)
_DARK_DENSITY = float(-np.log(DARK_TRANSMISSION) / ATTENUATION_PER_UNIT)
_GRID_CELLS = 1 << 16
_SMALLEST = 1e-3

_ROW_PARTS, _COLUMN_PARTS = 12, 8

NUMBERS = 2 * (len(_EDGES) - 1) + _ROW_PARTS + _COLUMN_PARTS + 5 + len(_BANDS) - 1
"""How many numbers describe the whole region."""

MAPS = (4, 24, 64)
"""Maps of the region, and their rows and columns: mean, spread and least density in each cell, and low over high attenuation there."""

FEATURES = NUMBERS + int(np.prod(MAPS))
"""How many values describe one view."""

_THIN = 0.02
"""Mean density of a cell below which the ratio of its energies is noise: it counts as none."""
_MOST_RATIO = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class MassFeatures:
    """What a weight network is fed with.

    ``values``: (FEATURES,) float32. ``coarse_kg``: physical estimate of everything in the region, container included. ``dark_share``:
    share of the region that nothing comes through.
    """

    values: NDArray[np.float32]
    coarse_kg: float
    dark_share: float


def mass_features(high: Plane, low: Plane | None, region: Box, pitch_mm: tuple[float, float]) -> MassFeatures:
    """Describe the matter in ``region`` (px) of one view.

    ``high``: TRANSMISSION, the high or only energy; ``low``: the other one, None for single-energy scanners. ``pitch_mm``: (x, y).
    The values are: square roots of the shares of 20 density classes; what share of all matter each class holds; mean density of 12 layers
    from the roof to the floor, which tells the container from its load; mean density of 8 sections of the length, sorted, because a load
    weighs the same from either end; mean density, area and aspect as logarithms; dark share; ratio of the low to the high attenuation,
    over all and in four bands of density (0 where there is none); then :data:`MAPS`, row by row.
    """
    step = max(1, int(np.ceil(np.sqrt(region.area / _GRID_CELLS))))
    rows = slice(int(region.y0), max(int(region.y0) + 1, round(region.y1)), step)
    columns = slice(int(region.x0), max(int(region.x0) + 1, round(region.x1)), step)
    above = density(high.pixels[rows, columns])
    area_cm2 = region.width * pitch_mm[0] * region.height * pitch_mm[1] / 100.0
    mean = float(above.mean())
    dark_share = float((above >= _DARK_DENSITY).mean())
    shares = np.histogram(above, _EDGES)[0] / above.size
    matter = np.histogram(above, _EDGES, weights=above)[0] / max(float(above.sum()), _SMALLEST)
    layers, sections = _parts(above.mean(axis=1), _ROW_PARTS), np.sort(_parts(above.mean(axis=0), _COLUMN_PARTS))
    shape = [np.log(mean + _SMALLEST), np.log(area_cm2 / 1e4 + _SMALLEST), np.log(region.width / max(region.height, 1.0) + _SMALLEST)]
    below = None if low is None else density(low.pixels[rows, columns])
    numbers = np.concatenate([np.sqrt(shares), matter, layers, sections, shape, [dark_share], _ratios(above, below)])
    values = np.concatenate([numbers, _maps(above, below).ravel()]).astype(np.float32)
    return MassFeatures(values, mean * AREAL_PER_UNIT * area_cm2 / 1000.0, dark_share)


def _maps(above: NDArray[np.float32], below: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Give :data:`MAPS` of a plane of densities; cells of a plane with fewer pixels than cells hold one pixel, some of them the same."""
    rows, columns = (np.arange(count) * size // count for count, size in zip(MAPS[1:], above.shape, strict=True))

    def of_cells(gather: np.ufunc, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        gathered: NDArray[np.float32] = gather.reduceat(gather.reduceat(plane, rows, axis=0), columns, axis=1)
        return gathered

    count = of_cells(np.add, np.ones_like(above))
    mean = of_cells(np.add, above) / count
    spread = np.sqrt(np.maximum(of_cells(np.add, np.square(above)) / count - np.square(mean), 0.0))
    ratio = np.zeros_like(mean)
    if below is not None:
        np.divide(of_cells(np.add, below) / count, mean, out=ratio, where=mean > _THIN)
    return np.stack([mean, spread, of_cells(np.minimum, above), np.clip(ratio, 0.0, _MOST_RATIO)])


def _parts(profile: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Give the means of ``count`` equal parts of a profile; a part of a very short one may be a single value."""
    starts = np.linspace(0, profile.size, count + 1)
    return np.array([profile[int(start) : max(int(start) + 1, int(end))].mean() for start, end in pairwise(starts)])


def _ratios(above: NDArray[np.float32], below: NDArray[np.float32] | None) -> list[float]:
    """Give sum(low) / sum(high) over all and in each band of the high plane's density."""
    if below is None:
        return [0.0] * len(_BANDS)
    masks = [above > _BANDS[0], *((above > start) & (above <= end) for start, end in pairwise(_BANDS))]
    return [float(below[mask].sum() / above[mask].sum()) if mask.sum() > 16 else 0.0 for mask in masks]
