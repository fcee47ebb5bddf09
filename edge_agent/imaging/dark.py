"""Where the load is too dark to judge: almost nothing of the beam comes through, so that noise is all there is to see."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import Plane
from edge_agent.imaging.attenuation import ATTENUATION_PER_UNIT, air_level, density, display_curve, luminance

DARK_TRANSMISSION = 5e-4
"""16-bit: below 1 part in 2,000 (33 of 65,535 levels; about 25 cm of steel at 6 MV) detector noise and scatter outweigh the beam."""

DARK_GREY = 12
"""8-bit: a display picture keeps no difference between things that are this black (of 255) or blacker."""

_IN_BEAM_TRANSMISSION = 0.94
_IN_BEAM_GREY_BELOW_AIR = 10
_GRID_CELLS = 1 << 18
_MIN_SHARE = 0.001
_GAP_CELLS = 7
_MAX_BOXES = 16


@dataclass(frozen=True, slots=True, eq=False)
class DarkArea:
    """What cannot be judged. ``share``: dark part of everything that is in the beam, in [0, 1]; 0 when nothing is.

    ``boxes``: around connected dark areas in px of the picture, at most 16, largest area first. ``mask``: (h, w) bool, the dark cells on a
    grid that spans the picture and may be coarser than it.
    """

    share: float
    boxes: tuple[Box, ...]
    mask: NDArray[np.bool_]


def dark_area(plane: Plane, region: Box | None = None) -> DarkArea:
    """Find the dark area of a transmission or display plane; ``region`` (px) limits the judgement to the container.

    Works on every k-th pixel so that 16 megapixels cost about 3 ms: what is meant are areas, not specks.
    """
    step = max(1, int(np.ceil(np.sqrt(plane.size.width * plane.size.height / _GRID_CELLS))))
    # Noise makes single cells of a dark area light; their mean over three by three tells what came through.
    coarse = plane.pixels[::step, ::step].copy()
    cv2.blur(coarse, (3, 3), dst=coarse)
    if coarse.dtype == np.uint16:
        dark_from = -np.log(DARK_TRANSMISSION) / ATTENUATION_PER_UNIT
        in_beam_from = -np.log(_IN_BEAM_TRANSMISSION) / ATTENUATION_PER_UNIT
    else:
        air = air_level(luminance(coarse.astype(np.uint8, copy=False)))
        curve = display_curve(air)
        dark_from = curve[DARK_GREY]
        in_beam_from = curve[max(0, round(air) - _IN_BEAM_GREY_BELOW_AIR)]
    values = density(coarse)
    load = (values >= in_beam_from) & _inside(region, values.shape, step)
    found = dark_regions(values, load, float(dark_from))
    boxes = tuple(box.scaled(step, step).clipped(plane.size) for box in found.boxes)
    return DarkArea(found.share, boxes, found.mask)


def dark_regions(values: NDArray[np.float32], load: NDArray[np.bool_], threshold: float) -> DarkArea:
    """Find what is at least ``threshold`` dense in the load; boxes are in px of ``values``.

    ``values``: (h, w) float32 density. ``load``: (h, w) bool, what is to be judged. Structure of one or two cells' width (posts,
    floor beams) and areas under one thousandth of the load are no dark areas: behind them little can hide. Areas with a narrow
    gap between them share a box; the gap itself is not counted as dark.
    """
    mask = cv2.morphologyEx(((values >= threshold) & load).astype(np.uint8), cv2.MORPH_OPEN, _square(3))
    count, regions = cv2.connectedComponents(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _square(_GAP_CELLS)), connectivity=8)
    regions = regions * mask
    judged = int(np.count_nonzero(load))
    extent = np.bincount(regions.ravel(), minlength=count)
    extent[0] = 0
    counts = extent >= max(1.0, _MIN_SHARE * judged)
    order = [int(i) for i in np.argsort(-extent, kind="stable") if counts[i]]
    dark = counts[regions]
    share = float(np.count_nonzero(dark)) / judged if judged else 0.0
    return DarkArea(share, tuple(_around(regions == i) for i in order[:_MAX_BOXES]), dark)


def _square(side: int) -> NDArray[np.uint8]:
    return np.ones((side, side), dtype=np.uint8)


def _around(cells: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _inside(region: Box | None, shape: tuple[int, ...], step: int) -> NDArray[np.bool_]:
    inside = np.ones(shape, dtype=np.bool_)
    if region is not None:
        inside[:] = False
        inside[int(region.y0 / step) : int(np.ceil(region.y1 / step)), int(region.x0 / step) : int(np.ceil(region.x1 / step))] = True
    return inside
