"""The scale of a view of unknown pitch, read off the one thing in it whose size is known: the ISO container."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Box

LENGTHS_MM = {12192: 2896, 6058: 2591, 13716: 2896}
"""ISO 668 lengths and the height that goes with each as a rule, in mm.

The lengths of 9,125 and 2,991 mm are left out: they are so rare that most fits to them would be other containers, badly measured.
"""

_RARITY = {12192: 0.0, 6058: 0.3, 13716: 0.35}  # how much better a rarer length must fit to be preferred
_CASTING_MM = 178.0  # length of a corner casting, ISO 1161
_CASTING_ERROR = 0.3  # of its measured width, as a ratio
_CASTING_HEIGHT_SHARE = 0.035  # its height, 118 mm, as a share of the container's
_CASTING_REACH_SHARE = 0.06
_CASTING_DEPTH = 0.6  # of the darkest in the corner
_CASTING_MIN_DENSITY = 0.3
_CASTING_MIN_PX = 4

_GRID_PX = 1200
_MIN_PICTURE_PX = 64
_MIN_WIDTH_SHARE = 0.25
_MIN_HEIGHT_SHARE = 0.4
_MAX_ANISOTROPY = 8.0


@dataclass(frozen=True, slots=True)
class ContainerFit:
    """Where the container is and what follows: ``box`` px, ``pitch_mm`` (x, y) millimetres a pixel, ``length_mm`` as chosen."""

    box: Box
    pitch_mm: tuple[float, float]
    length_mm: int


TRANSMISSION_MATTER = 0.010
"""Density from which something is in the beam of a 16-bit scan, whose air is zero: above its noise, half of two walls of a container."""


def fit_container(values: NDArray[np.float32], matter_from: float | None = None) -> ContainerFit | None:
    """Fit the container box in a side view that shows one container; None when there is none to be seen.

    ``values``: (h, w) float32 density. ``matter_from``: density from which something is in the beam; None = found from the picture, for
    rendered ones whose air is only about zero. Pixels need not be square: where trucks drive through, the pitch along x depends on their
    speed. Which length it is follows from the width of the corner castings where they can be seen, and from pixels being not far
    from square. Expect errors up to 15 %, and a wrong length now and then: whoever uses the pitch must say that it is assumed.
    """
    if min(values.shape) < _MIN_PICTURE_PX:
        return None
    step = max(1, max(values.shape) // _GRID_PX)
    grid = values[::step, ::step]
    solid = grid > (_air_limit(grid) if matter_from is None else matter_from)
    columns = _container_columns(solid)
    if columns is None:
        return None
    rows = _container_rows(grid, solid, columns)
    if rows is None:
        return None
    box = Box(columns[0] * step, rows[0] * step, min(columns[1] * step, values.shape[1]), min(rows[1] * step, values.shape[0]))
    length_mm = _length(box, _casting_px(values, box))
    pitch_mm = (length_mm / box.width, LENGTHS_MM[length_mm] / box.height)
    anisotropy = pitch_mm[0] / pitch_mm[1]
    return ContainerFit(box, pitch_mm, length_mm) if 1 / _MAX_ANISOTROPY <= anisotropy <= _MAX_ANISOTROPY else None


def _air_limit(grid: NDArray[np.float32]) -> float:
    """Give the density above which something is in the beam: above the noise of air, below the two walls of an empty container."""
    clear = grid[grid < 0.03]
    noise = float(clear.std()) if clear.size else 0.0
    return min(max(0.012, 5.0 * noise), 0.04)


def _container_columns(solid: NDArray[np.bool_]) -> tuple[int, int] | None:
    """Give the widest run of columns without air in the upper half, where neither chassis nor low load stands beside the container."""
    height, width = solid.shape
    upper = solid[height // 5 : height // 2]
    runs = _runs(upper.mean(axis=0) > 0.6)
    if not len(runs):
        return None
    start, end = (int(edge) for edge in runs[np.argmax(runs[:, 1] - runs[:, 0])])
    return (start, end) if end - start >= _MIN_WIDTH_SHARE * width else None


def _container_rows(grid: NDArray[np.float32], solid: NDArray[np.bool_], columns: tuple[int, int]) -> tuple[int, int] | None:
    """Give roof and floor. The roof is where matter begins; the floor where the end posts stop or the chassis lets air through."""
    height = solid.shape[0]
    inside = solid[:, columns[0] : columns[1]]
    top = int(np.median(inside.argmax(axis=0)))
    middle = top + (height - top) * 6 // 10
    bottom = middle + _first_lasting(inside[middle:].mean(axis=1) < 0.93, height // 40)
    post = max(2, round(0.012 * (columns[1] - columns[0])))
    for start in (columns[0], columns[1] - post):
        bottom = min(bottom, _post_end(grid[:, start : start + post].mean(axis=1), top, middle))
    return (top, bottom) if bottom - top >= _MIN_HEIGHT_SHARE * height else None


def _post_end(profile: NDArray[np.float32], top: int, middle: int) -> int:
    """Give the row at which an end post stops: its density falls under half of what it is higher up, and stays there.

    A post that is already light at ``middle`` is none (the picture is cut beside it) and says nothing: the last row.
    """
    is_light = profile[middle:] < 0.5 * float(np.median(profile[top:middle]))
    return len(profile) if is_light[0] else middle + _first_lasting(is_light, len(profile) // 40)


def _first_lasting(flags: NDArray[np.bool_], length: int) -> int:
    """Give where the first run of at least ``length`` begins, the end if there is none: one missing detector line is no border."""
    runs = _runs(flags)
    lasting = runs[(runs[:, 1] - runs[:, 0] >= length) | (runs[:, 1] == len(flags))]
    return int(lasting[0, 0]) if len(lasting) else len(flags)


def _casting_px(values: NDArray[np.float32], box: Box) -> float | None:
    """Give the width in px of the upper corner castings, None where neither corner shows one."""
    depth = max(4, round(_CASTING_HEIGHT_SHARE * box.height))
    reach = max(12, round(_CASTING_REACH_SHARE * box.width))
    left, right = int(box.x0), int(box.x1)
    corners = (values[:, left : left + reach], values[:, max(0, right - reach) : right][:, ::-1])
    widths = [width for corner in corners if (width := _dark_block_px(corner, int(box.y0), depth)) > 0]
    return float(np.mean(widths)) if widths else None


def _dark_block_px(corner: NDArray[np.float32], roof: int, depth: int) -> int:
    """Give the width of the dark block at a corner's outer end (column 0), 0 when it is not there, is cut off or has no end."""
    top = _roof_row(corner, roof, depth)
    # Through the hole in the middle of a casting much more light comes, so the darkest rows of each column decide.
    profile = np.percentile(corner[top : top + depth], 80, axis=0)
    runs = _runs(profile > _CASTING_DEPTH * profile.max())
    if profile.max() < _CASTING_MIN_DENSITY or not len(runs):
        return 0
    start, end = (int(edge) for edge in runs[0])
    is_at_the_end = start <= len(profile) // 4
    return end - start if is_at_the_end and end < 0.8 * len(profile) and end - start >= _CASTING_MIN_PX else 0


def _roof_row(corner: NDArray[np.float32], roof: int, depth: int) -> int:
    """Give the first row of a corner that is dark somewhere near ``roof``: a tilted container has its corners at unequal heights."""
    first = max(0, roof - 3 * depth)
    rows = corner[first : roof + 3 * depth].max(axis=1)
    return first + int(np.argmax(rows > 0.5 * rows.max()))


def _length(box: Box, casting_px: float | None) -> int:
    """Choose the ISO length that fits best: pixels not far from square, and the pitch that the castings give."""

    def misfit(length_mm: int) -> float:
        pitch_x = length_mm / box.width
        cost = abs(math.log(pitch_x * box.height / LENGTHS_MM[length_mm])) + _RARITY[length_mm]
        if casting_px is not None:
            cost += abs(math.log(pitch_x * casting_px / _CASTING_MM)) / _CASTING_ERROR
        return cost

    return min(LENGTHS_MM, key=misfit)


def _runs(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give (n, 2) half-open runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2)
