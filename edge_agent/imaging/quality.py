"""What is wrong with a picture itself, whatever it shows: the gate in front of the models. Findings are codes with parameters.

How much of the load is too dark to judge (penetration) is :mod:`edge_agent.imaging.dark`'s question.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.scan import Plane
from edge_agent.errors import Scalar
from edge_agent.imaging.attenuation import grey_of
from edge_agent.imaging.lines import faulty_lines
from edge_agent.imaging.polarity import polarity

Cells: TypeAlias = NDArray[np.float32]
"""(h, w): a sample of a picture's grey, 1 = full scale."""

MIN_SIDE_PX = 16
"""Fewer rows or columns are a line, not a picture."""

_CELLS = 1 << 16
_CONSTANT_RANGE = 1 / 256  # of full scale: what is left of a picture that shows nothing is noise
_LINE_NOISES = 3.0  # by which a lost line differs from what lies beside it
_LOST_ALONG = 0.9  # of its length
_LOST_SHARE = 0.01  # of the lines: the posts of an empty container are more
_RIM_CELLS = 2  # of the sample, at each side: a frame that a station draws is no picture
_NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=np.uint8)
_WINDOW = 5  # cells
_NOISES = 2.0  # a mean over 25 cells strays by a fifth of the noise; on 450 real pictures, but a black one, it strays by 4 times the noise
_STEEP_SHARE = 0.2  # of the picture's own range, from one window to the next; those pictures have 0.42 and more
_NOISE_RANGE = 0.2  # of full scale, for the middle 80 % of the pixels: no detector is that noisy
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

    ``too-small``: a side under 16 px. ``constant``: one level all over, but for noise, single pixels and lines. ``noise-only``: no pixel is
    like its neighbours. ``all-air``: nothing in the beam. ``saturated``: nearly every pixel is fully black or fully white. ``dead-lines``:
    rows or columns without picture. ``polarity-doubtful``: air seems to be dark, or cannot be told. ``blurred``: the sharpest edges spread
    over many pixels, or there are none. The first three exclude all others. Some 6 ms for 16 megapixels: areas are judged on every k-th
    pixel, lines on segments, blur on a few patches.
    """
    if min(plane.pixels.shape[:2]) < MIN_SIDE_PX:
        return (Fault("too-small", {"width": plane.size.width, "height": plane.size.height}),)
    steps = _steps(plane)
    full = float(np.iinfo(plane.pixels.dtype).max)
    sample = grey_of(plane.pixels[:: steps[0], :: steps[1]]).astype(np.float32) / full
    sound = _without_lines(sample)
    noise, smooth = _noise(sound), _smooth(sound)
    is_flat = _is_flat(smooth, noise)
    if is_flat and (nothing := _of_nothing(sound)) is not None:
        return (nothing,)
    levels = tuple(_of_levels(sound, is_air=is_flat))
    is_air = any(fault.code == "all-air" for fault in levels)
    edges = () if is_air else _of_edges(smooth, noise) or _of_sharpness(plane, sample, steps)
    return (*levels, *polarity_faults(plane), *_of_lines(plane), *edges)


def _steps(plane: Plane) -> tuple[int, int]:
    """Give every how many-th row and column is looked at: some 65,536 pixels in all, but never fewer than 16 a side."""
    height, width = plane.pixels.shape[:2]
    step = int(np.ceil(np.sqrt(height * width / _CELLS)))
    return max(1, min(step, height // MIN_SIDE_PX)), max(1, min(step, width // MIN_SIDE_PX))


def _without_lines(sample: Cells) -> Cells:
    """Leave out lost rows and columns, which say nothing about the picture between them. Where there are many, they are posts or bars."""
    limit = max(_LINE_NOISES * _noise(sample), _CONSTANT_RANGE)
    return np.delete(np.delete(sample, _lost_rows(sample, limit), axis=0), _lost_rows(sample.T, limit), axis=1)


def _lost_rows(sample: Cells, limit: float) -> NDArray[np.intp]:
    """Give the rows that differ from what is two cells above and two below, nearly all along; none where they are many."""
    middle = sample[2:-2]
    unlike = np.minimum(np.abs(middle - sample[:-4]), np.abs(middle - sample[4:])) > limit
    lost = np.flatnonzero(unlike.mean(axis=1) >= _LOST_ALONG) + 2
    return lost if len(lost) <= max(2, _LOST_SHARE * len(sample)) else lost[:0]


def _smooth(sample: Cells) -> Cells:
    """Give what remains without hot pixels and noise: the mean over 5 x 5 cells.

    A median takes groups of hot pixels away, but also a wire on a bare belt: where it is bright, only single ones are taken away.
    """
    inner = np.ascontiguousarray(sample[_RIM_CELLS:-_RIM_CELLS, _RIM_CELLS:-_RIM_CELLS])
    if inner.mean() < _AIR_LEVEL:
        tame = cv2.medianBlur(inner, 3)
    else:
        tame = cv2.min(cv2.max(inner, cv2.erode(inner, _NEIGHBOURS)), cv2.dilate(inner, _NEIGHBOURS))
    return cv2.blur(tame, (_WINDOW, _WINDOW)).astype(np.float32, copy=False)


def _noise(sample: Cells) -> float:
    """Give the noise of one cell from what neighbours differ by; across the posts of a container they differ by more, along them not."""
    beside = (sample[1:], sample[:-1]), (sample[:, 1:], sample[:, :-1])
    return float(min(cv2.norm(a, b) / np.sqrt(2.0 * a.size) for a, b in beside))


def _is_flat(smooth: Cells, noise: float) -> bool:
    """Say whether no window differs from the picture's mean by more than noise does, but for a speck of dust."""
    stray = np.abs(smooth - smooth.mean())
    return float(np.mean(stray > max(_NOISES * noise, _CONSTANT_RANGE))) < _LOAD_SHARE


def _of_nothing(sample: Cells) -> Fault | None:
    """Say what a flat picture is, where it is not air."""
    low, level, high = (float(value) for value in np.percentile(sample, (10, 50, 90)))
    if high - low > _NOISE_RANGE:
        return Fault("noise-only", {"level": round(level, 4), "range": round(high - low, 4)})
    if level < _AIR_LEVEL or np.ptp(sample) < _CONSTANT_RANGE:
        return Fault("constant", {"level": round(level, 4)})
    return None


def _of_edges(smooth: Cells, noise: float) -> tuple[Fault, ...]:
    """Find a picture without any edge: from a window to the next one, its level changes little beside its whole range or its noise."""
    beside = (smooth[:, _WINDOW:], smooth[:, :-_WINDOW]), (smooth[_WINDOW:], smooth[:-_WINDOW])
    steepest = max(float(cv2.absdiff(a, b).max()) for a, b in beside)
    extent = float(np.ptp(smooth))
    return (Fault("blurred", {"ratio": round(steepest / extent, 4)}),) if steepest < max(_STEEP_SHARE * extent, _NOISES * noise) else ()


def _of_levels(sample: Cells, *, is_air: bool) -> Iterator[Fault]:
    """Judge the levels. ``is_air``: nothing stands out from the noise, and the picture is bright."""
    smooth = cv2.blur(sample, (3, 3))
    air = float(np.percentile(smooth, 99.5))
    load = 0.0 if is_air else float(np.mean(smooth < _AIR_FROM * air))
    if is_air or (load < _LOAD_SHARE and air >= _AIR_LEVEL):
        yield Fault("all-air", {"share": round(1.0 - load, 4)})
    extreme = float(np.mean((sample <= 0.0) | (sample >= 1.0)))
    if extreme >= _SATURATED_SHARE and load >= _LOAD_SHARE:
        yield Fault("saturated", {"share": round(extreme, 4)})


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


def _of_sharpness(plane: Plane, sample: Cells, steps: tuple[int, int]) -> Iterator[Fault]:
    """Compare the steepest change over one pixel with that over twelve, where the coarse picture changes most."""
    ratios = []
    for patch in _patches(plane, sample, steps):
        near = cv2.absdiff(patch[:, 1:], patch[:, :-1])
        far = cv2.absdiff(patch[:, _EDGE_SPREAD_PX:], patch[:, :-_EDGE_SPREAD_PX])
        edge = float(np.percentile(far, 99.5))
        if edge >= _MIN_EDGE:
            ratios.append(float(np.percentile(near, 99.9)) / edge)
    if ratios and max(ratios) < _SHARP_RATIO:
        yield Fault("blurred", {"ratio": round(max(ratios), 4)})


def _patches(plane: Plane, sample: Cells, steps: tuple[int, int]) -> Iterator[NDArray[np.float32]]:
    """Give the patches, (h, w) float32 with 1 = full scale, in which the sampled picture has its strongest vertical edges."""
    tall, wide = (max(1, _PATCH_PX // step) for step in steps)
    coarse = cv2.boxFilter(np.abs(np.diff(sample, axis=1)), -1, (wide, tall), normalize=False)
    full = float(np.iinfo(plane.pixels.dtype).max)
    for _ in range(_PATCHES):
        row, column = np.unravel_index(int(coarse.argmax()), coarse.shape)
        if coarse[row, column] <= 0:
            return
        y, x = max(0, int(row) * steps[0] - _PATCH_PX // 2), max(0, int(column) * steps[1] - _PATCH_PX // 2)
        patch = plane.pixels[y : y + _PATCH_PX, x : x + _PATCH_PX]
        if patch.shape[1] > 2 * _EDGE_SPREAD_PX:
            yield grey_of(patch[::_ROW_STEP]).astype(np.float32) / full
        coarse[max(0, row - tall) : row + tall + 1, max(0, column - wide) : column + wide + 1] = 0.0
