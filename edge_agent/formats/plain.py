"""BMP, PGM/PPM and NPY: headers that say everything and samples without compression, so that sizes can be checked to the byte."""

import os
import re
import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import UnreadableScan, UnsupportedFormat
from edge_agent.formats.codec import LARGEST_SIDE, Header, Pixels
from edge_agent.formats.raster import decoded_by_opencv

_BMP_HEAD_BYTES = 54
_BMP_HEADERS = (40, 108, 124)
_BMP_CHANNELS = {8: 1, 24: 3}
_PNM_HEADER = re.compile(rb"P([56])(?:\s|#[^\n]*\n)+(\d{1,7})(?:\s|#[^\n]*\n)+(\d{1,7})(?:\s|#[^\n]*\n)+(\d{1,5})\s")
_PNM_HEAD_BYTES = 1024
_NPY_MAGIC = b"\x93NUMPY"
_NPY_MAX_HEADER = 1024
_NPY_MAX_SHAPE = 64
_NPY_HEADER = re.compile(
    rb"\{\s*['\"]descr['\"]\s*:\s*['\"](?P<descr>[<>|=][A-Za-z0-9]{1,15})['\"]\s*,\s*['\"]fortran_order['\"]\s*:\s*(?P<order>True|False)\s*,"
    rb"\s*['\"]shape['\"]\s*:\s*\((?P<shape>\d{1,7}(?: ?, ?\d{1,7})*,?)\)\s*,?\s*\}\s*"
)
_MOST_PLANES = 64


class BmpCodec:
    """Windows bitmaps of 8 or 24 bits without compression."""

    name = "bmp"
    unavailable = ""

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"BM") and head[6:10] == b"\0\0\0\0"

    def header(self, file: BinaryIO, size: int) -> Header | None:
        if size < _BMP_HEAD_BYTES:
            return None
        file.seek(10)
        start, kind, width, height, _, bits, compression, colours = struct.unpack("<IIiiHHI12xI", file.read(40))
        channels = _BMP_CHANNELS.get(bits)
        if kind not in _BMP_HEADERS or channels is None or compression != 0:
            raise UnsupportedFormat("a BMP of this kind is not read", {"bits": bits, "compression": compression})
        if not (0 < width <= LARGEST_SIDE and 0 < abs(height) <= LARGEST_SIDE) or start < 14 + kind + _palette_bytes(bits, colours):
            raise UnreadableScan("the BMP header is damaged")
        stride = -(-width * channels // 4) * 4
        return Header(width, abs(height), channels, 8, start + stride * abs(height))

    def is_whole(self, file: BinaryIO, size: int) -> bool:
        header = self.header(file, size)
        return header is not None and header.expected_bytes is not None and header.expected_bytes <= size

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        return decoded_by_opencv(file, header)


def _palette_bytes(bits: int, colours: int) -> int:
    """Give the length of the palette between header and samples; 0 colours means as many as the depth allows."""
    return 4 * (colours or 256) if bits == 8 else 0


class PnmCodec:
    """PGM of 8 or 16 bits and PPM of 8 bits, binary. Levels are taken as they are, whatever the header calls the highest."""

    name = "pnm"
    unavailable = ""

    def sniff(self, head: bytes) -> bool:
        return head[:2] in (b"P5", b"P6") and head[2:3] in (b" ", b"\t", b"\n", b"\r")

    def header(self, file: BinaryIO, size: int) -> Header | None:
        found = _pnm(file, size)
        return found[0] if found is not None else None

    def is_whole(self, file: BinaryIO, size: int) -> bool:
        header = self.header(file, size)
        return header is not None and _is_exactly(header, size)

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        found = _pnm(file, _size_of(file))
        if found is None:
            raise UnreadableScan("the file ends in its header")
        file.seek(found[1])
        shape = (header.height, header.width, 3) if header.channels == 3 else (header.height, header.width)
        return _samples(file, np.dtype(">u2" if header.bits == 16 else "u1"), shape)


class NpyCodec:
    """NumPy arrays of unsigned 8 or 16 bits: (h, w), (h, w, 3) of 8 bits as colour, or (n, h, w) as n planes. Nothing is unpickled."""

    name = "npy"
    unavailable = ""

    def sniff(self, head: bytes) -> bool:
        return head.startswith(_NPY_MAGIC)

    def header(self, file: BinaryIO, size: int) -> Header | None:
        if size < 10:
            return None
        file.seek(0)
        head = file.read(12)
        length = struct.unpack("<H", head[8:10])[0] + 10 if head[6] == 1 else struct.unpack("<I", head[8:12].ljust(4, b"\0"))[0] + 12
        if length > _NPY_MAX_HEADER:
            raise UnreadableScan("the NPY header is longer than it can be", {"bytes": length})
        if length > size:
            return None
        shape, dtype, _ = _npy_header(file)
        count, height, width, channels = _meaning(shape, dtype)
        return Header(width, height, channels, dtype.itemsize * 8, length + int(np.prod(shape)) * dtype.itemsize, count)

    def is_whole(self, file: BinaryIO, size: int) -> bool:
        header = self.header(file, size)
        return header is not None and _is_exactly(header, size)

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        return self.decode_planes(file, header)[0]

    def decode_planes(self, file: BinaryIO, header: Header) -> tuple[Pixels, ...]:
        shape, dtype, is_fortran = _npy_header(file)
        count, *_ = _meaning(shape, dtype)
        stored = _samples(file, dtype, shape[::-1] if is_fortran else shape)
        pixels = _native(stored.transpose()) if is_fortran else stored
        return (pixels,) if len(shape) == 2 or header.channels == 3 else tuple(_native(pixels[index]) for index in range(count))


def grey_if_equal(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give (h, w) when the three channels of (h, w, 3) are equal, else the colour picture as it is."""
    equal = np.array_equal(pixels[:, :, 0], pixels[:, :, 1]) and np.array_equal(pixels[:, :, 1], pixels[:, :, 2])
    return np.ascontiguousarray(pixels[:, :, 1]) if equal else pixels


def _pnm(file: BinaryIO, size: int) -> tuple[Header, int] | None:
    """Give header and offset of the samples; None while the header is not wholly written."""
    file.seek(0)
    head = file.read(_PNM_HEAD_BYTES)
    found = _PNM_HEADER.match(head)
    if found is None:
        if size < _PNM_HEAD_BYTES:
            return None
        raise UnreadableScan("the PNM header is damaged")
    kind, width, height, highest = (int(group) for group in found.groups())
    channels, bits = (3 if kind == 6 else 1), (8 if highest < 256 else 16)
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE and 0 < highest < 65536):
        raise UnreadableScan("the PNM header announces impossible pixels")
    if channels == 3 and bits == 16:
        raise UnsupportedFormat("a PPM of 16 bits is not read", {"bits": bits})
    return Header(width, height, channels, bits, found.end() + width * height * channels * bits // 8), found.end()


def _npy_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[np.generic], bool]:
    """Give shape, type and order; the file then stands at the first sample.

    NumPy's own reader takes the header for Python source and can fail in more ways than it documents; the few words that a writer
    puts there are matched here instead.
    """
    file.seek(8)
    width = 2 if _at(file, 6) == 1 else 4
    file.seek(8)
    text = file.read(int.from_bytes(file.read(width), "little"))
    found = _NPY_HEADER.fullmatch(text)
    if found is None or len(found["shape"]) > _NPY_MAX_SHAPE:
        raise UnreadableScan("the NPY header is damaged")
    shape = tuple(int(side) for side in found["shape"].split(b",") if side.strip())
    if any(not 0 < side <= LARGEST_SIDE for side in shape):
        raise UnreadableScan("the NPY header announces impossible pixels")
    return shape, _npy_dtype(found["descr"].decode("ascii")), found["order"] == b"True"


def _npy_dtype(word: str) -> np.dtype[np.generic]:
    """Give the sample type; only unsigned numbers of 1 or 2 bytes are made, so that no other word reaches NumPy.

    Raises:
        UnsupportedFormat: another type: floats (which could be NaN), signed numbers, objects.
    """
    if word[1:] not in ("u1", "u2"):
        raise UnsupportedFormat("only arrays of 8 or 16 unsigned bits are read", {"dtype": word[:16]})
    return np.dtype(word)


def _at(file: BinaryIO, offset: int) -> int:
    file.seek(offset)
    return file.read(1)[0]


def _meaning(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> tuple[int, int, int, int]:
    """Give planes, height, width and channels of an array.

    Raises:
        UnsupportedFormat: it is no picture of ours: floats (which could be NaN), signed numbers, objects, other dimensions.
    """
    if dtype.kind != "u" or dtype.itemsize > 2 or len(shape) not in (2, 3):
        raise UnsupportedFormat("only arrays of 8 or 16 unsigned bits are read", {"dtype": dtype.str, "dims": len(shape)})
    if len(shape) == 2:
        return 1, shape[0], shape[1], 1
    if shape[2] == 3 and dtype.itemsize == 1:
        return 1, shape[0], shape[1], 3
    if shape[0] > _MOST_PLANES:
        raise UnsupportedFormat("an array with more planes than a scan can have", {"planes": shape[0]})
    return shape[0], shape[1], shape[2], 1


def _is_exactly(header: Header, size: int) -> bool:
    """Say whether all announced bytes are there.

    Raises:
        UnreadableScan: there are more: this is not the file that its header describes.
    """
    if header.expected_bytes is None or size < header.expected_bytes:
        return False
    if size > header.expected_bytes:
        raise UnreadableScan("the file is longer than its header says", {"bytes": size, "expected": header.expected_bytes})
    return True


def _size_of(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _samples(file: BinaryIO, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Pixels:
    """Read the samples from where the file stands."""
    count = int(np.prod(shape))
    data = file.read(count * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise UnreadableScan("the file is cut off", {"bytes": len(data)})
    pixels = _native(np.frombuffer(data, dtype).reshape(shape))
    return grey_if_equal(pixels.astype(np.uint8, copy=False)) if len(shape) == 3 and shape[2] == 3 and dtype.itemsize == 1 else pixels


def _native(pixels: NDArray[np.generic]) -> Pixels:
    """Give contiguous samples in the byte order of this machine."""
    if pixels.dtype.itemsize == 2:
        return np.ascontiguousarray(pixels, dtype=np.uint16)
    return np.ascontiguousarray(pixels, dtype=np.uint8)
