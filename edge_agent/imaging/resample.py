"""Another pixel grid for the same picture. Training and the runtime call the same function."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Size


def resampled(values: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Give ``values`` (h, w) on a grid of ``size``: area means when shrinking, linear interpolation when enlarging."""
    if values.shape == (size.height, size.width):
        return values
    shrinks = size.width * size.height < values.size
    grid = cv2.resize(values, (size.width, size.height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return grid.astype(np.float32, copy=False)
