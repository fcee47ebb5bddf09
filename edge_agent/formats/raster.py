"""PNG and JPEG: own readers of header and structure, OpenCV for the pixels.

OpenCV alone must never accept a file: it returns garbage for a cut JPEG and decodes a bomb. Pillow alone neither: it fills the rest
of a PNG with zeros when its pixel data is short. So header and structure are read here, and the decoder is listened to.
"""

import os
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import UnreadableScan, UnsupportedFormat
from edge_agent.formats.codec import Header, Pixels

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_BYTES = 33  # signature, length, "IHDR", 13 bytes, checksum
_PNG_CHANNELS = {(8, 0): 1, (16, 0): 1, (8, 2): 3, (8, 3): 3, (8, 6): 4}  # (bit depth, colour type) -> channels that OpenCV gives

_JPEG_MAGIC = b"\xff\xd8\xff"
_JPEG_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended sequential, progressive, all with Huffman coding
_JPEG_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)  # lossless, hierarchical, arithmetic
_JPEG_BARE = (0x01, *range(0xD0, 0xD8))  # markers without a length
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_JPEG_DAMAGE = re.compile(rb"premature end|Premature end|bad Huffman code|instead of RST", re.DOTALL)


class PngCodec:
    """Grey with 8 or 16 bits, colour with 8 bits (palette and opaque alpha included). Every chunk's checksum is verified."""

    name = "png"
    unavailable = ""

    def sniff(self, head: bytes) -> bool:
        return head.startswith(_PNG_MAGIC)

    def header(self, file: BinaryIO, size: int) -> Header | None:
        if size < _PNG_HEADER_BYTES:
            return None
        file.seek(len(_PNG_MAGIC))
        length, kind = struct.unpack(">I4s", file.read(8))
        body, checksum = file.read(13), file.read(4)
        if length != 13 or kind != b"IHDR" or struct.pack(">I", zlib.crc32(kind + body)) != checksum:
            raise UnreadableScan("the PNG header is damaged")
        width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        channels = _PNG_CHANNELS.get((depth, colour))
        if channels is None:
            raise UnsupportedFormat("a PNG of this depth and colour type is not read", {"bits": depth, "colour_type": colour})
        if not width or not height:
            raise UnreadableScan("the PNG header announces no pixels")
        return Header(width, height, channels, depth)

    def is_whole(self, file: BinaryIO, size: int) -> bool:
        return any(kind == b"IEND" for kind, _, _ in _png_chunks(file, size))

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        file.seek(0, os.SEEK_END)
        for kind, start, length in _png_chunks(file, file.tell()):
            file.seek(start)
            body = file.read(length)
            if struct.pack(">I", zlib.crc32(kind + body)) != file.read(4):
                raise UnreadableScan("a PNG chunk has a wrong checksum")
        return decoded_by_opencv(file, header)


class JpegCodec:
    """8-bit grey or colour with Huffman coding. The end marker must be there, and the decoder must not report damage."""

    name = "jpeg"
    unavailable = ""

    def sniff(self, head: bytes) -> bool:
        return head.startswith(_JPEG_MAGIC)

    def header(self, file: BinaryIO, size: int) -> Header | None:  # noqa: ARG002 - a JPEG's header has no fixed size
        file.seek(0)
        frame, _ = _walk_jpeg(file.read())
        return frame

    def is_whole(self, file: BinaryIO, size: int) -> bool:  # noqa: ARG002
        file.seek(0)
        frame, ended = _walk_jpeg(file.read())
        if ended and frame is None:
            raise UnreadableScan("a JPEG without a frame")
        return ended

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        with _decoder_words() as words:
            pixels = decoded_by_opencv(file, header)
        if _JPEG_DAMAGE.search(bytes(words)):
            raise UnreadableScan("the decoder reports damaged JPEG data")
        return pixels


def _png_chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, offset of the body, length) of each chunk that is wholly written, up to and with IEND."""
    at = len(_PNG_MAGIC)
    while at + 12 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if not kind.isalpha():
            raise UnreadableScan("a PNG chunk has an impossible name")
        if at + 12 + length > size:
            return
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at += 12 + length


def _walk_jpeg(data: bytes) -> tuple[Header | None, bool]:
    """Follow the markers: the frame header (None when not reached) and whether the end marker was reached."""
    frame: Header | None = None
    at = 2
    while at + 4 <= len(data) or data[at : at + 2] == b"\xff\xd9":
        if data[at] != 0xFF:
            raise UnreadableScan("a JPEG marker is missing where one must be")
        marker = data[at + 1]
        if marker == _JPEG_END:
            return frame, True
        if marker == 0xFF or marker in _JPEG_BARE:  # fill byte, or a marker that stands alone
            at += 1 if marker == 0xFF else 2
            continue
        frame = _frame(marker, data[at + 2 : at + 12], frame)
        at = _after_segment(marker, data, at)
    return frame, False


def _frame(marker: int, segment: bytes, before: Header | None) -> Header | None:
    """Give the frame header if this segment holds one, else what was known before."""
    if marker in _JPEG_OTHER_FRAMES:
        raise UnsupportedFormat("a JPEG with this kind of coding is not read", {"marker": marker})
    if marker not in _JPEG_FRAMES or len(segment) < 8:
        return before
    if before is not None:
        raise UnreadableScan("a JPEG with two frames")
    bits, height, width, channels = struct.unpack(">BHHB", segment[2:8])
    if bits != 8 or channels not in (1, 3):
        raise UnsupportedFormat("a JPEG of this depth or colour model is not read", {"bits": bits, "channels": channels})
    if not width or not height:
        raise UnsupportedFormat("a JPEG that does not announce its size is not read")
    return Header(width, height, channels, bits)


def _after_segment(marker: int, data: bytes, at: int) -> int:
    """Give the offset behind the segment at ``at``; after a scan header, behind its entropy-coded data."""
    length = int.from_bytes(data[at + 2 : at + 4])
    if length < 2:
        raise UnreadableScan("a JPEG segment has an impossible length")
    end = at + 2 + length
    if marker != _JPEG_SCAN:
        return end
    found = _NEXT_MARKER.search(data, end)
    return found.start() if found else len(data)


@contextmanager
def _decoder_words() -> Iterator[bytearray]:
    """Collect what C libraries print on the error stream meanwhile: libjpeg says only there that it made pixels up.

    It turns the whole process's file descriptor 2, which is why it belongs in the decode child, where nothing else runs.
    """
    words = bytearray()
    before, capture = os.dup(2), os.memfd_create("decoder-words")
    try:
        os.dup2(capture, 2)
        yield words
    finally:
        os.dup2(before, 2)
        words += os.pread(capture, 1 << 16, 0)
        os.close(before)
        os.close(capture)


def decoded_by_opencv(file: BinaryIO, header: Header) -> Pixels:
    """Decode the whole file with OpenCV and check that it gave what the header announced."""
    file.seek(0)
    pixels = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise UnreadableScan("the decoder refuses the pixel data")
    wanted = np.uint16 if header.bits == 16 else np.uint8
    if pixels.dtype != wanted or pixels.shape[:2] != (header.height, header.width):
        raise UnreadableScan("the decoder gave other pixels than the header announced")
    if header.bits == 16:
        return pixels.astype(np.uint16, copy=False)
    narrow = pixels.astype(np.uint8, copy=False)
    return narrow if narrow.ndim == 2 else _without_redundancy(narrow)


def _without_redundancy(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn OpenCV's (h, w, 3 or 4) into (h, w, 3) RGB, or into (h, w) when the three channels are equal."""
    if pixels.shape[2] == 4:
        if pixels[:, :, 3].min() != 255:
            raise UnsupportedFormat("a picture with transparent parts is not read")
        pixels = pixels[:, :, :3]
    blue, green, red = pixels[:, :, 0], pixels[:, :, 1], pixels[:, :, 2]
    if np.array_equal(blue, green) and np.array_equal(green, red):
        return np.ascontiguousarray(green)
    return np.ascontiguousarray(pixels[:, :, ::-1])
