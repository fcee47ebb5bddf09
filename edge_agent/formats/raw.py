"""Planes in files without a format of their own, read as a profile's :class:`RawLayout` describes them."""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np

from edge_agent.domain.layout import HeaderField, Interleave, RawLayout
from edge_agent.errors import UnreadableScan, UnsupportedFormat
from edge_agent.formats.codec import LARGEST_SIDE, Header, Pixels

_CHUNK_HEAD = 8
_MOST_CHUNKS = 256


@dataclass(frozen=True, slots=True)
class _Found:
    """What a file's header says. ``start``: offset of the samples."""

    header: Header
    start: int


@dataclass(frozen=True, slots=True)
class _Span:
    """The content of a chunk, in bytes from the start of the file."""

    start: int
    length: int


class RawCodec:
    """Reads files of one layout with ``count`` planes; satisfies ``codec.Codec`` and ``codec.ManyPlanesCodec``."""

    name = "raw"
    unavailable = ""

    def __init__(self, layout: RawLayout, count: int) -> None:
        self._layout = layout
        self._count = count

    def sniff(self, head: bytes) -> bool:
        magic = bytes.fromhex(self._layout.magic)
        return head.startswith(magic[: len(head)] if len(head) < len(magic) else magic)

    def header(self, file: BinaryIO, size: int) -> Header | None:
        found = self._find(file, size)
        return found.header if found is not None else None

    def is_whole(self, file: BinaryIO, size: int) -> bool:
        header = self.header(file, size)
        if header is None or header.expected_bytes is None or size < header.expected_bytes:
            return False
        if size > header.expected_bytes and not self._layout.trailer and self._layout.chunks is None:
            raise UnreadableScan("the file is longer than its layout says", {"bytes": size, "expected": header.expected_bytes})
        return True

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        return self.decode_planes(file, header)[0]

    def decode_planes(self, file: BinaryIO, header: Header) -> tuple[Pixels, ...]:
        file.seek(0, 2)
        found = self._find(file, file.tell())
        if found is None:
            raise UnreadableScan("the file is cut off")
        file.seek(found.start)
        wide = header.bits == 16
        dtype = np.dtype((">" if self._layout.byte_order == "big" else "<") + "u2") if wide else np.dtype("u1")
        count = header.width * header.height * self._count
        data = file.read(count * dtype.itemsize)
        if len(data) != count * dtype.itemsize:
            raise UnreadableScan("the file is cut off", {"bytes": len(data)})
        samples = np.frombuffer(data, dtype)
        return tuple(self._plane(samples, header, index, wide=wide) for index in range(self._count))

    def _plane(self, samples: np.ndarray[tuple[int], np.dtype[np.generic]], header: Header, index: int, *, wide: bool) -> Pixels:
        height, width, count = header.height, header.width, self._count
        match self._layout.interleave:
            case Interleave.PLANE:
                plane = samples.reshape(count, height, width)[index]
            case Interleave.LINE:
                plane = samples.reshape(height, count, width)[:, index]
            case Interleave.PIXEL:
                plane = samples.reshape(height, width, count)[:, :, index]
        return np.ascontiguousarray(plane, dtype=np.uint16) if wide else np.ascontiguousarray(plane, dtype=np.uint8)

    def _find(self, file: BinaryIO, size: int) -> _Found | None:
        """Read the header; None while it is not wholly written.

        Raises:
            UnreadableScan: it announces what cannot be.
            UnsupportedFormat: the magic or the depth is another one.
        """
        layout = self._layout
        magic = bytes.fromhex(layout.magic)
        file.seek(0)
        if file.read(len(magic)) != magic[: max(0, min(len(magic), size))]:
            raise UnsupportedFormat("the file does not begin as its layout says")
        if size < max(layout.header_bytes, len(magic)):
            return None
        fields, samples = _Span(0, size), _Span(layout.header_bytes, size)
        if layout.chunks is not None:
            chunks = _chunks(file, size, layout.header_bytes, layout.byte_order)
            if layout.chunks.fields not in chunks or layout.chunks.samples not in chunks:
                return None
            fields, samples = chunks[layout.chunks.fields], chunks[layout.chunks.samples]
        numbers = [_number(file, value, fields, layout.byte_order) for value in (layout.width, layout.height, layout.bits)]
        width, height, bits = (number if number is not None else -1 for number in numbers)
        return None if -1 in (width, height, bits) else self._checked(width, height, bits, samples)

    def _checked(self, width: int, height: int, bits: int, samples: _Span) -> _Found:
        if bits not in (8, 16):
            raise UnsupportedFormat("raw samples of this depth are not read", {"bits": bits})
        across = self._count if self._layout.width_spans_planes else 1
        if width % across or not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
            raise UnreadableScan("the header announces impossible pixels", {"width": width, "height": height})
        width //= across
        needed = width * height * self._count * bits // 8
        if self._layout.chunks is not None and needed != samples.length:
            raise UnreadableScan("the samples are not as many as the header says", {"bytes": samples.length, "expected": needed})
        return _Found(Header(width, height, 1, bits, samples.start + needed, self._count), samples.start)


def _number(file: BinaryIO, value: int | HeaderField, span: _Span, order: Literal["little", "big"]) -> int | None:
    """Give a fixed number, or read it; None while the file ends before it."""
    if isinstance(value, int):
        return value
    if value.at + value.bytes > span.length:
        return None
    file.seek(span.start + value.at)
    data = file.read(value.bytes)
    return int.from_bytes(data, order) if len(data) == value.bytes else None


def _chunks(file: BinaryIO, size: int, start: int, order: Literal["little", "big"]) -> dict[str, _Span]:
    """Give the first chunk of each name; a last one whose content is not wholly there counts too."""
    found: dict[str, _Span] = {}
    for _ in range(_MOST_CHUNKS):
        if start + _CHUNK_HEAD > size:
            return found
        file.seek(start)
        tag, length = struct.unpack("<4sI" if order == "little" else ">4sI", file.read(_CHUNK_HEAD))
        found.setdefault(tag.decode("latin-1"), _Span(start + _CHUNK_HEAD, length))
        start += _CHUNK_HEAD + length
    raise UnreadableScan("a file of more chunks than can be", {"allowed": _MOST_CHUNKS})
