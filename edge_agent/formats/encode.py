"""Pixels to picture files in memory: previews, blobs, simulator, tests. Lossless for PNG and TIFF; nothing here touches the disk."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint16] | NDArray[np.uint8]
TiffCompression: TypeAlias = Literal["none", "zstd", "deflate", "jxl"]

_TILE_PX = 512
_REDUCED = 1  # the tag by which a TIFF page says that it is a smaller copy of another
_HORIZONTAL = 2  # the tag by which it says that samples are differences to their left neighbour


@dataclass(frozen=True, slots=True)
class _TileCodec:
    """How tiles are encoded: TIFF's name of the compression, and one contiguous (512, 512) tile to bytes."""

    name: str
    has_predictor: bool
    encode: Callable[[Pixels], bytes | bytearray]


# Effort 1 everywhere: more costs twice the time and more, and saves about 2 % on noisy transmission.
_TILE_CODECS: Mapping[TiffCompression, _TileCodec] = {
    "zstd": _TileCodec("zstd", has_predictor=True, encode=partial(imagecodecs.zstd_encode, level=1)),
    "deflate": _TileCodec("adobe_deflate", has_predictor=True, encode=partial(imagecodecs.deflate_encode, level=1)),
    "jxl": _TileCodec("jpegxl", has_predictor=False, encode=partial(imagecodecs.jpegxl_encode, lossless=True, level=100, effort=1)),
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
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as tiff:
        _write_page(tiff, pixels, compression, subifds=len(coarser) or None)
        for level in coarser:
            _write_page(tiff, level, compression, subfiletype=_REDUCED)
    return out.getvalue()


def _write_page(
    tiff: tifffile.TiffWriter, pixels: Pixels, compression: TiffCompression, *, subifds: int | None = None, subfiletype: int | None = None
) -> None:
    """Write one page. Tiles are encoded here: tifffile's own way takes a quarter longer."""
    plain: dict[str, Any] = {"photometric": "minisblack", "metadata": None, "software": False}
    plain |= {"subifds": subifds, "subfiletype": subfiletype}
    codec = _TILE_CODECS.get(compression)
    if codec is None:
        tiff.write(pixels, **plain)
        return
    tiff.write(
        _encoded_tiles(pixels, codec),
        shape=pixels.shape,
        dtype=pixels.dtype,
        tile=(_TILE_PX, _TILE_PX),
        compression=codec.name,
        predictor=_HORIZONTAL if codec.has_predictor else None,
        **plain,
    )


def _encoded_tiles(pixels: Pixels, codec: _TileCodec) -> Iterator[bytes]:
    """Give the tiles of (h, w) pixels line by line; those at the right and lower border are filled up with zeros."""
    tile = np.empty((_TILE_PX, _TILE_PX), pixels.dtype)
    for top in range(0, pixels.shape[0], _TILE_PX):
        for left in range(0, pixels.shape[1], _TILE_PX):
            part = pixels[top : top + _TILE_PX, left : left + _TILE_PX]
            if part.shape != tile.shape:
                tile[:] = 0
            tile[: part.shape[0], : part.shape[1]] = part
            yield bytes(codec.encode(imagecodecs.delta_encode(tile, axis=-1) if codec.has_predictor else tile))


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
