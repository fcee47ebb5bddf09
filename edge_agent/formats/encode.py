"""Pixels to picture files in memory: previews, blobs, simulator, tests. Lossless for PNG and TIFF; nothing here touches the disk."""

import io
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint16] | NDArray[np.uint8]
TiffCompression: TypeAlias = Literal["none", "zstd", "deflate", "jxl"]

_TILE = (512, 512)
_REDUCED = 1  # the tag by which a TIFF page says that it is a smaller copy of another
# Effort 1 everywhere: more costs twice the time and more, and saves about 2 % on noisy transmission.
_TIFF_OPTIONS: dict[TiffCompression, dict[str, Any]] = {
    "none": {},
    "zstd": {"tile": _TILE, "compression": "zstd", "compressionargs": {"level": 1}, "predictor": 2},
    "deflate": {"tile": _TILE, "compression": "adobe_deflate", "compressionargs": {"level": 1}, "predictor": 2},
    "jxl": {"tile": _TILE, "compression": "jpegxl", "compressionargs": {"lossless": True, "level": 100, "effort": 1}},
}


def png_bytes(pixels: Pixels) -> bytes:
    """Encode (h, w) uint8 or uint16 grey, or (h, w, 3) uint8 RGB, as PNG.

    Raises:
        ValueError: another shape or dtype, or an empty array.
    """
    _check(pixels, colour_allowed=True, wide_allowed=True)
    native = pixels[:, :, ::-1] if pixels.ndim == 3 else pixels  # OpenCV keeps blue first
    return _encode(".png", native, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def jpeg_bytes(pixels: NDArray[np.uint8], quality: int = 90) -> bytes:
    """Encode (h, w) uint8 grey or (h, w, 3) uint8 RGB as baseline JPEG (lossy).

    Raises:
        ValueError: another shape or dtype, or an empty array.
    """
    _check(pixels, colour_allowed=True, wide_allowed=False)
    native = pixels[:, :, ::-1] if pixels.ndim == 3 else pixels
    return _encode(".jpg", native, [cv2.IMWRITE_JPEG_QUALITY, quality])


def tiff_bytes(pixels: Pixels, compression: TiffCompression = "none", coarser: Sequence[Pixels] = ()) -> bytes:
    """Encode (h, w) uint8 or uint16 grey as TIFF with one page, without loss; compressed ones have 512 x 512 tiles.

    ``coarser``: smaller copies, largest first, kept as sub-directories of the page (as pyramid viewers expect them). The bytes
    depend on the pixels only: no date and no software tag is written.

    Raises:
        ValueError: another shape or dtype, or an empty array.
    """
    for plane in (pixels, *coarser):
        _check(plane, colour_allowed=False, wide_allowed=True)
    options = {"photometric": "minisblack", "metadata": None, "software": False, **_TIFF_OPTIONS[compression]}
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as tiff:
        tiff.write(pixels, subifds=len(coarser) or None, **options)
        for level in coarser:
            tiff.write(level, subfiletype=_REDUCED, **options)
    return out.getvalue()


def _check(pixels: Pixels, *, colour_allowed: bool, wide_allowed: bool) -> None:
    grey = pixels.ndim == 2 and pixels.dtype in ((np.uint8, np.uint16) if wide_allowed else (np.uint8,))
    colour = colour_allowed and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
    if pixels.size == 0 or not (grey or colour):
        raise ValueError(f"cannot encode {pixels.dtype} {pixels.shape}")


def _encode(suffix: str, pixels: Pixels, options: list[int]) -> bytes:
    done, buffer = cv2.imencode(suffix, np.ascontiguousarray(pixels), options)
    if not done:
        raise ValueError(f"OpenCV did not encode {pixels.dtype} {pixels.shape} as {suffix}")
    return buffer.tobytes()
