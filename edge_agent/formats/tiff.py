"""Grey TIFF: tifffile for directory and pixels, with checks of our own on where the pixel data lies."""

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
import tifffile

from edge_agent.errors import UnreadableScan, UnsupportedFormat
from edge_agent.formats.codec import LARGEST_SIDE, Header, Pixels

_MAGICS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_COMPRESSIONS = {1: "none", 5: "lzw", 8: "deflate", 32946: "deflate", 50000: "zstd", 50002: "jxl"}
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_LARGEST_TILE = 2048
_DEMANDED_TAGS = (258, 259, 262)  # BitsPerSample, Compression, PhotometricInterpretation: a guess could turn the picture's polarity
_MOST_PAGES = 64
_REDUCED = 1
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a TIFF keeps what, in bytes: the first link stands at the end of the head; counts of values are as wide as links."""

    head_bytes: int
    link_at: int
    count_bytes: int
    entry_bytes: int
    value_bytes: int


_CLASSIC_TIFF = _Layout(head_bytes=8, link_at=4, count_bytes=2, entry_bytes=12, value_bytes=4)
_BIG_TIFF = _Layout(head_bytes=16, link_at=8, count_bytes=8, entry_bytes=20, value_bytes=8)


class TiffCodec:
    """Grey, unsigned, 8 or 16 bits, in strips or tiles; uncompressed, LZW, deflate, Zstandard or JPEG XL.

    Several pages of one size are several planes. Pages that say they are smaller copies of another are left out.
    """

    name = "tiff"
    unavailable = ""

    def sniff(self, head: bytes) -> bool:
        return head.startswith(_MAGICS)

    def header(self, file: BinaryIO, size: int) -> Header | None:
        if not _directories_are_inside(file, size):
            return None
        with _pages(file) as pages:
            first = pages[0]
            for page in pages:
                _require_supported(page)
                if (page.imagewidth, page.imagelength, page.bitspersample) != (first.imagewidth, first.imagelength, first.bitspersample):
                    raise UnsupportedFormat("a TIFF whose pages differ in size or depth is not read", {"pages": len(pages)})
            ends = [offset + count for page in pages for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
            return Header(first.imagewidth, first.imagelength, 1, first.bitspersample, max(ends), planes=len(pages))

    def is_whole(self, file: BinaryIO, size: int) -> bool:
        header = self.header(file, size)
        return header is not None and header.expected_bytes is not None and header.expected_bytes <= size

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        return self.decode_planes(file, header)[0]

    def decode_planes(self, file: BinaryIO, header: Header) -> tuple[Pixels, ...]:
        with _pages(file) as pages:
            return tuple(_decoded(page, header) for page in pages)


def _decoded(page: Any, header: Header) -> Pixels:  # noqa: ANN401
    wanted = np.dtype(np.uint16 if header.bits == 16 else np.uint8)
    pixels = np.asarray(page.asarray())
    if pixels.shape != (header.height, header.width) or pixels.dtype.newbyteorder("=") != wanted:
        raise UnreadableScan("the decoder gave other pixels than the header announced")
    grey: Pixels = np.ascontiguousarray(pixels, dtype=wanted)
    return grey if page.photometric == _BLACK_IS_ZERO else np.invert(grey)


def _directories_are_inside(file: BinaryIO, size: int) -> bool:
    """Say whether every directory and all values that it points to lie inside the file.

    While they do not, the file is still being written (some writers put them last); tifffile would read an empty picture from it.

    Raises:
        UnreadableScan: more pages than a scan can have.
    """
    file.seek(0)
    head = file.read(16)
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    layout = _BIG_TIFF if head[2:4] in (b"+\x00", b"\x00+") else _CLASSIC_TIFF
    if len(head) < layout.head_bytes:
        return False
    start = int.from_bytes(head[layout.link_at : layout.head_bytes], order)
    seen = {start}
    for _ in range(_MOST_PAGES):
        following = _next_directory(file, size, start, layout, order)
        if not following or following in seen:  # tifffile, too, ends where a directory points back
            return following is not None
        seen.add(start := following)
    raise UnreadableScan("a TIFF with more pages than a scan can have", {"allowed": _MOST_PAGES})


def _next_directory(file: BinaryIO, size: int, start: int, layout: _Layout, order: Literal["little", "big"]) -> int | None:
    """Give where the directory after the one at ``start`` lies, 0 behind the last one; None when this one is not wholly there."""
    if start == 0 or start + layout.count_bytes > size:  # zero: the writer does not know yet where the directory will lie
        return None
    file.seek(start)
    entries = int.from_bytes(file.read(layout.count_bytes), order)
    if start + layout.count_bytes + entries * layout.entry_bytes + layout.value_bytes > size:
        return None
    directory = file.read(entries * layout.entry_bytes)
    following = int.from_bytes(file.read(layout.value_bytes), order)
    cuts = range(0, len(directory), layout.entry_bytes)
    inside = all(_value_end(directory[at : at + layout.entry_bytes], layout, order) <= size for at in cuts)
    return following if inside else None


def _value_end(entry: bytes, layout: _Layout, order: Literal["little", "big"]) -> int:
    """Give the offset behind an entry's value; 0 when the value stands in the entry itself."""
    kind = int.from_bytes(entry[2:4], order)
    stored = int.from_bytes(entry[4 : 4 + layout.value_bytes], order) * _VALUE_BYTES.get(kind, 0)
    return 0 if stored <= layout.value_bytes else int.from_bytes(entry[-layout.value_bytes :], order) + stored


@contextmanager
def _pages(file: BinaryIO) -> Iterator[list[Any]]:
    """Open the pages (tifffile ``TiffPage``) that are no smaller copies of others; tifffile's own errors become ours."""
    file.seek(0)
    try:
        with tifffile.TiffFile(file, name="member.tif") as tiff:
            every: Iterator[Any] = (
                tiff.pages[index] for index in range(len(tiff.pages))
            )  # a plain loop would not end where pages go round
            pages = [page for page in every if not int(page.subfiletype) & _REDUCED]
            if not pages:
                raise UnreadableScan("a TIFF without a page in full size")
            yield pages
    except (tifffile.TiffFileError, ValueError, KeyError, IndexError, TypeError, struct.error, ArithmeticError, RuntimeError) as error:
        raise UnreadableScan("the TIFF is damaged", {"error": type(error).__name__}) from error


def _require_supported(page: Any) -> None:  # noqa: ANN401 - tifffile has no types
    fields = {"bits": int(page.bitspersample), "samples": int(page.samplesperpixel), "compression": int(page.compression)}
    if not all(tag in page.tags for tag in _DEMANDED_TAGS):
        raise UnreadableScan("the TIFF lacks a tag that says how its pixels are written")
    if page.bitspersample not in (8, 16) or page.samplesperpixel != 1 or page.sampleformat != 1 or page.imagedepth != 1:
        raise UnsupportedFormat("only grey TIFF of 8 or 16 unsigned bits is read", fields)
    if page.compression not in _COMPRESSIONS or page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
        raise UnsupportedFormat("a TIFF of this compression or colour model is not read", fields)
    if not (0 < page.imagewidth <= LARGEST_SIDE and 0 < page.imagelength <= LARGEST_SIDE):
        raise UnreadableScan("a TIFF with impossible sides", {"width": int(page.imagewidth), "height": int(page.imagelength)})
    _require_sane_tiles(page)
    _require_segments(page)


def _require_sane_tiles(page: Any) -> None:  # noqa: ANN401
    """Refuse tiles far larger than their picture: each is decoded whole, so a small picture could ask for gigabytes."""
    if not page.is_tiled:
        return
    width, length = int(page.tilewidth), int(page.tilelength)
    if not (0 < width <= max(_LARGEST_TILE, 2 * page.imagewidth) and 0 < length <= max(_LARGEST_TILE, 2 * page.imagelength)):
        raise UnreadableScan("a TIFF with impossible tiles", {"width": width, "height": length})


def _require_segments(page: Any) -> None:  # noqa: ANN401
    """Refuse absent pixel data: tifffile fills it with zeros, which would be opaque cargo."""
    if page.is_tiled:
        wanted = math.ceil(page.imagewidth / page.tilewidth) * math.ceil(page.imagelength / page.tilelength)
    else:
        wanted = math.ceil(page.imagelength / min(page.rowsperstrip or page.imagelength, page.imagelength))
    offsets, counts = page.dataoffsets, page.databytecounts
    if len(offsets) != wanted or len(counts) != wanted or not all(offsets) or not all(counts):
        raise UnreadableScan("the TIFF lacks pixel data", {"segments": len(offsets), "expected": wanted})
    stored = page.imagewidth * page.imagelength * page.bitspersample // 8
    if page.compression == 1 and sum(counts) < stored:
        raise UnreadableScan("the TIFF lacks pixel data", {"bytes": int(sum(counts)), "expected": int(stored)})
