"""Where a map is high: connected regions as boxes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Box

_PEAK_PX = 3
_TIE = np.float32(1e-4)


def mean_around(values: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """Give the mean of ``cells`` x ``cells`` around each cell, 0 beyond the edge; (h, w) float32, ``cells`` odd."""
    return np.asarray(cv2.blur(values, (cells, cells), borderType=cv2.BORDER_CONSTANT), dtype=np.float32)


def peak_of(values: NDArray[np.float32]) -> tuple[float, float]:
    """Give (x, y) of the strongest place of a map, as shares of its width and height.

    The middle of the 3 x 3 px whose mean is highest: what is worth an officer's look is larger than one cell, and a lone high cell at an
    edge is mostly an error. Beyond the map's edge lies 0; of equal means the one with the higher middle. ``values``: (h, w) float32, >= 0.
    """
    mean = mean_around(values, _PEAK_PX)
    row, column = np.unravel_index(int((mean + _TIE * values).argmax()), mean.shape)
    return (int(column) + 0.5) / values.shape[1], (int(row) + 0.5) / values.shape[0]


def strongest_regions(values: NDArray[np.float32], threshold: float, min_px: int, at_most: int) -> tuple[Box, ...]:
    """Give boxes (px of the map) around connected areas of ``values`` >= ``threshold``, largest sum first.

    ``values``: (h, w) float32. Areas under ``min_px`` pixels are noise and left out.
    """
    mask = (values >= threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    sums = np.bincount(labels.ravel(), weights=values.ravel(), minlength=count)
    order = [i for i in np.argsort(-sums) if i != 0 and stats[i, cv2.CC_STAT_AREA] >= min_px]
    boxes = []
    for i in order[:at_most]:
        x, y, w, h = (int(stats[i, column]) for column in range(4))
        boxes.append(Box(x, y, x + w, y + h))
    return tuple(boxes)
