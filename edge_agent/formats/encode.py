"""Pixels to picture files in memory: previews, blobs, simulator, tests. Lossless for PNG and TIFF; nothing here touches the disk."""

import io
from typing import Literal, TypeAlias

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint16] | NDArray[np.uint8]
TiffCompression: TypeAlias = Literal["none", "zstd", "deflate"]

_TILE = (512, 512)
_ADOBE_DEFLATE = 8
_LEVEL = 1  # higher levels cost twice the time and more, and save about 2 % on noisy transmission


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


def tiff_bytes(pixels: Pixels, compression: TiffCompression = "none") -> bytes:
    """Encode (h, w) uint8 or uint16 grey as one single-page TIFF; compressed ones have 512 x 512 tiles and a horizontal predictor.

    The bytes depend on the pixels only: no date and no software tag is written.

    Raises:
        ValueError: another shape or dtype, or an empty array.
    """
    _check(pixels, colour_allowed=False, wide_allowed=True)
    out = io.BytesIO()
    plain = compression == "none"
    tifffile.imwrite(
        out,
        pixels,
        photometric="minisblack",
        metadata=None,
        software=False,
        tile=None if plain else _TILE,
        compression=None if plain else (_ADOBE_DEFLATE if compression == "deflate" else "zstd"),
        compressionargs=None if plain else {"level": _LEVEL},
        predictor=None if plain else 2,
    )
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
