"""Small pictures of a scan: the one in its package, and the thumbnails that a console draws before it asks for more."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.scan import Plane, Scan, View
from edge_agent.formats.encode import jpeg_bytes, png_bytes
from edge_agent.imaging.pyramid import coarser

_LONGEST_SIDE = 1600
_LONGEST_THUMBNAIL = 512
_DARKEST, _BRIGHTEST = 0.5, 99.5  # percentiles that become black and white


def preview_bytes(scan: Scan) -> bytes | None:
    """Give a JPEG, at most 1600 px on its longer side, of the scan's first plane; None for a scan without pixels."""
    if not scan.views:
        return None
    return jpeg_bytes(_narrowed(scan.views[0].planes[0], _LONGEST_SIDE), quality=80)


def thumbnail_bytes(view: View) -> bytes:
    """Give a PNG of 8 bits grey, at most 512 px on its longer side, of the view's first plane: so plain that any program can read it."""
    small = _narrowed(view.planes[0], _LONGEST_THUMBNAIL)
    return png_bytes(small if small.ndim == 2 else np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)).astype(np.uint8, copy=False))


def _narrowed(plane: Plane, longest_px: int) -> NDArray[np.uint8]:
    """Shrink, and stretch 16-bit values between their percentiles to (h, w) or (h, w, 3) uint8."""
    scale = min(1.0, longest_px / max(plane.size.width, plane.size.height))
    size = (max(1, round(plane.size.width * scale)), max(1, round(plane.size.height * scale)))
    levels = [plane.pixels, *coarser(plane.pixels, is_mean=True)]  # halving is several times faster than one step of any other size
    near = next(level for level in reversed(levels) if level.shape[1] >= size[0] and level.shape[0] >= size[1])
    small = np.asarray(cv2.resize(near, size, interpolation=cv2.INTER_AREA))
    if small.dtype == np.uint8:
        return small.astype(np.uint8, copy=False)
    low, high = (float(value) for value in np.percentile(small, (_DARKEST, _BRIGHTEST)))
    stretched = (small.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
    narrow: NDArray[np.uint8] = np.clip(np.rint(stretched), 0, 255).astype(np.uint8)
    return narrow
