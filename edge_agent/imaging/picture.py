"""A picture brought to the size that a model wants, and boxes brought back."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Size
from edge_agent.imaging.boxes import Boxes
from edge_agent.imaging.tiles import Window

Picture = NDArray[np.uint8]
"""(h, w) grey or (h, w, 3) RGB."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies in a model's input: input px = ``scale`` * picture px + ``offset``, each (x, y)."""

    scale: tuple[float, float]
    offset: tuple[float, float]

    def to_picture(self, boxes: Boxes) -> Boxes:
        """Give (n, 4) boxes in px of the picture from boxes in px of the input."""
        moved = boxes - np.array(self.offset * 2, dtype=np.float32)
        return (moved / np.array(self.scale * 2, dtype=np.float32)).astype(np.float32, copy=False)


AS_IS = Placement((1.0, 1.0), (0.0, 0.0))


def stretched(picture: Picture, size: Size) -> Picture:
    """Give the picture at ``size``: area means when shrinking, linear interpolation when enlarging."""
    if picture.shape[:2] == (size.height, size.width):
        return picture
    shrinks = size.width * size.height < picture.shape[0] * picture.shape[1]
    grid = cv2.resize(picture, (size.width, size.height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return grid.astype(np.uint8, copy=False)


def stretch_placement(picture: Size, size: Size) -> Placement:
    """Say where a picture lies that was stretched to ``size``."""
    return Placement((size.width / picture.width, size.height / picture.height), (0.0, 0.0))


def letterbox_placement(picture: Size, size: Size, *, centred: bool) -> Placement:
    """Say where a picture lies that was brought into ``size`` with its shape kept: in the middle, or at the top left.

    Its extents are rounded to whole pixels, so the scales along x and y may differ by half a pixel over the picture.
    """
    ratio = min(size.width / picture.width, size.height / picture.height)
    inner = Size(max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio)))
    left, top = ((size.width - inner.width) // 2, (size.height - inner.height) // 2) if centred else (0, 0)
    return Placement((inner.width / picture.width, inner.height / picture.height), (float(left), float(top)))


def letterboxed(picture: Picture, size: Size, pad: int, placement: Placement) -> Picture:
    """Give the picture in ``size`` where ``placement`` says, with ``pad`` around it."""
    inner = stretched(picture, Size(round(picture.shape[1] * placement.scale[0]), round(picture.shape[0] * placement.scale[1])))
    left, top = int(placement.offset[0]), int(placement.offset[1])
    canvas = np.full((size.height, size.width, *picture.shape[2:]), pad, dtype=np.uint8)
    canvas[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return canvas


def cut(picture: Picture, window: Window, size: Size, pad: int) -> Picture:
    """Give the window of the picture at the top left of ``size``, with ``pad`` where the window is smaller."""
    canvas = np.full((size.height, size.width, *picture.shape[2:]), pad, dtype=np.uint8)
    canvas[: window.size.height, : window.size.width] = picture[window.y0 : window.y1, window.x0 : window.x1]
    return canvas
