"""Where a map is high: connected regions as boxes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Box


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
