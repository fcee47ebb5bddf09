"""Transmission to attenuation, the scale on which materials add up. Training and the runtime call the same functions."""

import numpy as np
from numpy.typing import NDArray

ATTENUATION_PER_UNIT = 6.0
"""A model sees ``-ln(transmission) / 6``: 1.0 is a transmission of 0.25 %, about 20 cm of steel at 6 MV."""

DISPLAY_FULL_SCALE = 1.2
"""What black in a vendor's 8-bit picture becomes on the model's scale."""

_MIN_AIR_LEVEL = 200.0
_LEVEL_ZERO = 0.999  # no signal has no logarithm; this keeps it apart from level 1 and changes nothing else


def density(pixels: NDArray[np.uint16] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give the model's view of one plane: (h, w) float32, 0 = air, growing with the matter in the beam.

    16-bit transmission (65535 = air) becomes ``-ln(t) / 6``, at most 1.85 for the darkest level. An 8-bit display picture has an
    unknown curve, so its grey is taken as it is: black = 1.2, the picture's own air level = 0. Colour pictures are reduced to
    their luminance.
    """
    if pixels.dtype == np.uint16:
        return transmission_curve()[pixels]
    grey = luminance(pixels.astype(np.uint8, copy=False))
    return display_curve(air_level(grey))[grey]


def transmission_curve() -> NDArray[np.float32]:
    """Give the (65536,) table from 16-bit transmission to density, all entries distinct; level 0 counts as hardly less than level 1."""
    levels = np.maximum(np.arange(65536, dtype=np.float64), _LEVEL_ZERO) / 65535.0
    return (-np.log(levels) / ATTENUATION_PER_UNIT).astype(np.float32)


def display_curve(air: float) -> NDArray[np.float32]:
    """Give the (256,) table from 8-bit grey to density for a picture whose air has grey level ``air``."""
    levels = np.minimum(np.arange(256, dtype=np.float64) / air, 1.0)
    return ((1.0 - levels) * DISPLAY_FULL_SCALE).astype(np.float32)


def air_level(grey: NDArray[np.uint8]) -> float:
    """Give the grey level of air: the 99.5th percentile, but at least 200, for a picture filled by its load shows no air."""
    counts = np.bincount(grey[::4, ::4].ravel(), minlength=256)
    level = int(np.searchsorted(np.cumsum(counts), 0.995 * counts.sum()))
    return max(float(level), _MIN_AIR_LEVEL)


def grey_of(pixels: NDArray[np.uint16] | NDArray[np.uint8]) -> NDArray[np.uint16] | NDArray[np.uint8]:
    """Give (h, w) of a plane's pixels: grey as it is, colour as its luminance."""
    return luminance(pixels.astype(np.uint8, copy=False)) if pixels.ndim == 3 else pixels


def luminance(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give (h, w) uint8 grey of a grey or RGB picture (ITU-R BT.601 weights)."""
    if pixels.ndim == 2:
        return pixels
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    grey: NDArray[np.uint8] = np.rint(pixels @ weights).astype(np.uint8)
    return grey
