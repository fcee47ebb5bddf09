"""What the colours of a baggage scanner's picture say of the matter: what is left of its second energy where no more is exported."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.imaging.attenuation import density

_HUE_DEGREES = (0.0, 28.0, 60.0, 115.0, 225.0, 300.0, 360.0)
_RATIO_AT = (1.2, 1.2, 1.5, 1.75, 2.2, 2.2, 1.2)
_UNKNOWN_RATIO = 1.5
_FULL_CHROMA = 24
_COLOURED_SHARE = 1e-3


def _ratio_table() -> NDArray[np.float32]:
    """Give (256, _FULL_CHROMA + 1) ratios by OpenCV's 8-bit hue, of two degrees a step, and by chroma, from which the hue is certain."""
    by_hue = np.interp(np.arange(256) * 2.0, _HUE_DEGREES, _RATIO_AT)[:, None]
    certain = np.linspace(0.0, 1.0, _FULL_CHROMA + 1)
    table: NDArray[np.float32] = (_UNKNOWN_RATIO + (by_hue - _UNKNOWN_RATIO) * certain).astype(np.float32)
    return table


_RATIOS = _ratio_table()


def low_density(pixels: NDArray[np.uint16] | NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Give the density of a lower energy as far as colours tell it: (h, w) float32 from (h, w, 3) uint8 RGB; None for a grey picture.

    All makers of baggage scanners show organic matter in orange, what lies between in green and metal in blue (Mery and Pieringer,
    "Computer Vision for X-Ray Testing", 2021), each in shades of its own. At 160 kV the lower energy is held back 1.2 times as much as
    the higher one by organic matter and 2.2 times by steel; hues between them are read as ratios between. What has hardly any colour
    (air, and what is black) has a ratio in the middle.
    """
    rgb = pixels.astype(np.uint8, copy=False)
    red, green, blue = cv2.split(rgb)
    chroma = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    if np.count_nonzero(chroma >= _FULL_CHROMA) < _COLOURED_SHARE * chroma.size:
        return None
    hue = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)[:, :, 0]
    place = hue.astype(np.uint16) * np.uint16(_FULL_CHROMA + 1) + np.minimum(chroma, np.uint8(_FULL_CHROMA))
    low = density(rgb)
    low *= _RATIOS.ravel()[place]
    return low
