"""What is wrong with a picture itself, whatever it shows: the gate in front of the models. Findings are codes with parameters.

How much of the load is too dark to judge (penetration) is :mod:`edge_agent.imaging.dark`'s question.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.scan import Plane
from edge_agent.errors import Scalar
from edge_agent.imaging.attenuation import grey_of
from edge_agent.imaging.lines import faulty_lines
from edge_agent.imaging.polarity import polarity

MIN_SIDE_PX = 16
"""Fewer rows or columns are a line, not a picture."""

_CELLS = 1 << 16
_CONSTANT_RANGE = 1 / 256  # of full scale: what is left of a picture that shows nothing is noise
_AIR_FROM = 0.94  # of the picture's own air level
_AIR_LEVEL = 0.5  # of full scale: what is darker all over is no air
_LOAD_SHARE = 0.0005  # of the picture, less than which is dust
_SATURATED_SHARE = 0.97
_PATCH_PX = 192
_PATCHES = 5
_ROW_STEP = 3  # of the rows of a patch, which say much the same
_EDGE_SPREAD_PX = 12
_SHARP_RATIO = 0.16  # good pictures of eight scanners have 0.28 and more; blurred by 4 px they have 0.1 to 0.19
_MIN_EDGE = 0.08  # of full scale, over 12 px: without such edges nothing is said about blur


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a picture: an obstacle's code and parameters (counts, shares)."""

    code: str
    params: dict[str, Scalar] = field(default_factory=dict)


def faults(plane: Plane) -> tuple[Fault, ...]:
    """Give what is wrong with a transmission or display plane; empty for a good one.

    ``too-small``: a side under 16 px. ``constant``: one level all over. ``all-air``: nothing in the beam. ``saturated``: nearly every
    pixel is fully black or fully white. ``dead-lines``: rows or columns without picture. ``polarity-doubtful``: air seems to be dark,
    or cannot be told. ``blurred``: the sharpest edges spread over many pixels. The first two exclude all others. Some 5 ms for 16
    megapixels: areas are judged on every k-th pixel, lines on segments, blur on a few patches.
    """
    if min(plane.pixels.shape[:2]) < MIN_SIDE_PX:
        return (Fault("too-small", {"width": plane.size.width, "height": plane.size.height}),)
    full = float(np.iinfo(plane.pixels.dtype).max)
    step = max(1, int(np.ceil(np.sqrt(plane.size.width * plane.size.height / _CELLS))))
    sample = grey_of(plane.pixels[::step, ::step]).astype(np.float32) / full
    low, high = float(sample.min()), float(sample.max())
    if high - low < _CONSTANT_RANGE:
        return (Fault("constant", {"level": round((low + high) / 2, 4)}),)
    return (*_of_levels(sample, plane), *_of_lines(plane), *_of_sharpness(plane, sample, step))


def _of_levels(sample: NDArray[np.float32], plane: Plane) -> Iterator[Fault]:
    """Judge the levels. ``sample``: (h, w) float32, 1 = full scale."""
    air = float(np.percentile(sample, 99.5))
    smooth = cv2.blur(sample, (3, 3))
    load = float(np.mean(smooth < _AIR_FROM * air))
    if load < _LOAD_SHARE and air >= _AIR_LEVEL:
        yield Fault("all-air", {"share": round(1.0 - load, 4)})
    extreme = float(np.mean((sample <= 0.0) | (sample >= 1.0)))
    if extreme >= _SATURATED_SHARE and load >= _LOAD_SHARE:
        yield Fault("saturated", {"share": round(extreme, 4)})
    yield from polarity_faults(plane)


def polarity_faults(plane: Plane) -> tuple[Fault, ...]:
    """Say whether air seems to be dark, from what was recorded when the file was read, else from the pixels.

    ``polarity-doubtful`` with ``found`` = ``unknown``: the profile leaves it to the picture (``detect``), and the picture does not tell.
    """
    recorded = next((dict(operation.params) for operation in plane.operations if operation.name == "polarity"), None)
    if recorded is None:
        return (Fault("polarity-doubtful"),) if polarity(plane.pixels) == "dark-air" else ()
    if recorded["found"] == "unknown" and recorded.get("configured") == "detect":  # packages of earlier versions do not say
        return (Fault("polarity-doubtful", {"found": "unknown"}),)
    is_dark = recorded["found"] == ("bright-air" if recorded["inverted"] else "dark-air")
    return (Fault("polarity-doubtful"),) if is_dark else ()


def _of_lines(plane: Plane) -> Iterator[Fault]:
    if plane.pixels.ndim == 3:
        return
    found = faulty_lines(plane.pixels)
    share = max(len(found.rows) / plane.size.height, len(found.columns) / plane.size.width)
    if found.rows or found.columns:
        yield Fault("dead-lines", {"rows": len(found.rows), "columns": len(found.columns), "share": round(share, 4)})


def _of_sharpness(plane: Plane, sample: NDArray[np.float32], step: int) -> Iterator[Fault]:
    """Compare the steepest change over one pixel with that over twelve, where the coarse picture changes most."""
    ratios = []
    for patch in _patches(plane, sample, step):
        near = cv2.absdiff(patch[:, 1:], patch[:, :-1])
        far = cv2.absdiff(patch[:, _EDGE_SPREAD_PX:], patch[:, :-_EDGE_SPREAD_PX])
        edge = float(np.percentile(far, 99.5))
        if edge >= _MIN_EDGE:
            ratios.append(float(np.percentile(near, 99.9)) / edge)
    if ratios and max(ratios) < _SHARP_RATIO:
        yield Fault("blurred", {"ratio": round(max(ratios), 4)})


def _patches(plane: Plane, sample: NDArray[np.float32], step: int) -> Iterator[NDArray[np.float32]]:
    """Give the patches, (h, w) float32 with 1 = full scale, in which the sampled picture has its strongest vertical edges."""
    side = max(1, _PATCH_PX // step)
    steps = np.abs(np.diff(sample, axis=1))
    coarse = cv2.boxFilter(steps, -1, (side, side), normalize=False)
    full = float(np.iinfo(plane.pixels.dtype).max)
    for _ in range(_PATCHES):
        row, column = np.unravel_index(int(coarse.argmax()), coarse.shape)
        if coarse[row, column] <= 0:
            return
        y, x = max(0, int(row) * step - _PATCH_PX // 2), max(0, int(column) * step - _PATCH_PX // 2)
        patch = plane.pixels[y : y + _PATCH_PX, x : x + _PATCH_PX]
        if patch.shape[1] > 2 * _EDGE_SPREAD_PX:
            yield grey_of(patch[::_ROW_STEP]).astype(np.float32) / full
        coarse[max(0, row - side) : row + side + 1, max(0, column - side) : column + side + 1] = 0.0
