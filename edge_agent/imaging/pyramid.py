"""Coarser copies of a plane for viewers: each half as wide and high as the one before."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Size

TILE_PX = 512
"""Side of a tile; the coarsest level fits into one."""


def level_sizes(size: Size) -> tuple[Size, ...]:
    """Give the sizes of all levels of a plane, the plane itself first; odd sides are rounded up."""
    sizes = [size]
    while max(sizes[-1].width, sizes[-1].height) > TILE_PX:
        sizes.append(Size((sizes[-1].width + 1) // 2, (sizes[-1].height + 1) // 2))
    return tuple(sizes)


def coarser(pixels: NDArray[np.uint16] | NDArray[np.uint8], *, is_mean: bool) -> list[NDArray[np.uint16] | NDArray[np.uint8]]:
    """Give the levels after the plane itself, (h, w) or (h, w, 3) of its own dtype.

    ``is_mean``: a coarse pixel is the mean of the area it covers; else one pixel of it (for codes, whose mean says nothing).
    """
    levels: list[NDArray[np.uint16] | NDArray[np.uint8]] = []
    for size in level_sizes(Size(pixels.shape[1], pixels.shape[0]))[1:]:
        before = levels[-1] if levels else pixels
        levels.append(_mean(before, size) if is_mean else _sampled(before))
    return levels


def _sampled(pixels: NDArray[np.uint16] | NDArray[np.uint8]) -> NDArray[np.uint16] | NDArray[np.uint8]:
    if pixels.dtype == np.uint16:
        return np.ascontiguousarray(pixels[::2, ::2], dtype=np.uint16)
    return np.ascontiguousarray(pixels[::2, ::2], dtype=np.uint8)


def _mean(pixels: NDArray[np.uint16] | NDArray[np.uint8], size: Size) -> NDArray[np.uint16] | NDArray[np.uint8]:
    small = np.asarray(cv2.resize(pixels, (size.width, size.height), interpolation=cv2.INTER_AREA))
    return small.astype(np.uint16, copy=False) if small.dtype == np.uint16 else small.astype(np.uint8, copy=False)
