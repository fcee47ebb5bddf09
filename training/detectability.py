"""Which hidden things a picture shows at all: the Rose criterion.

A. Rose ("The sensitivity performance of the human eye on an absolute scale", J. Opt. Soc. Am. 38, 1948) found that a detail is told
from its surroundings when

    k = contrast / noise * sqrt(n) >= 5

with ``contrast`` the difference of the means, ``noise`` the standard deviation of one independent sample around the detail, and ``n``
the number of independent samples in it. Here the noise is what the surroundings vary by on a scale of a few pixels, so that the
texture of the goods counts as well as the quanta; neighbours are correlated by the detector's point spread and by the resampling,
hence one independent sample for every 3 x 3 px. What stays below 5 is neither a target nor background: it is left out of training
and of every figure, and its share is reported.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

ROSE = 5.0
_SAMPLE_PX = 9.0
_TEXTURE_PX = 3.0
_FLOOR = 0.003
"""Noise cannot be less than this: half a grey level of an 8-bit picture, on the model's scale."""

Channels = NDArray[np.float32]


def rose_index(before: Channels, after: Channels, own: NDArray[np.bool_]) -> float:
    """Give k of a thing that turns ``before`` into ``after``; the better of the two channels counts.

    ``before``, ``after``: (2, h, w) float32 on the network's scale, with the same noise; ``own``: (h, w) where the thing is.
    """
    y, x = np.nonzero(own)
    if y.size == 0:
        return 0.0
    rows, columns = _around(y, own.shape[0]), _around(x, own.shape[1])
    inside = own[rows, columns]
    samples = np.sqrt(max(1.0, y.size / _SAMPLE_PX))
    return max(_contrast_to_noise(b[rows, columns], a[rows, columns], inside) for b, a in zip(before, after, strict=True)) * float(samples)


def _contrast_to_noise(before: NDArray[np.float32], after: NDArray[np.float32], own: NDArray[np.bool_]) -> float:
    contrast = abs(float((after - before)[own].mean()))
    texture = before - cv2.GaussianBlur(before, (0, 0), _TEXTURE_PX)
    return contrast / max(float(texture.std()), _FLOOR)


def _around(places: NDArray[np.intp], limit: int) -> slice:
    """Give the span of ``places`` with half of its length more on either side, at least 6 px."""
    low, high = int(places.min()), int(places.max()) + 1
    margin = max(6, (high - low) // 2)
    return slice(max(0, low - margin), min(limit, high + margin))
