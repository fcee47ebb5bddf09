"""JPEG-LS, JPEG 2000 (with its high-throughput coding) and JPEG XL: own header readers, pixels by imagecodecs.

A few hundred bytes of these formats can announce gigabytes, and their decoders fill in what is cut off; so dimensions and, where the
format has one, the structural end are read here before a decoder sees the file.
"""

import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import imagecodecs
import numpy as np

from edge_agent.errors import UnreadableScan, UnsupportedFormat
from edge_agent.formats.bits import Bits
from edge_agent.formats.codec import LARGEST_SIDE, Header, Pixels
from edge_agent.formats.plain import grey_if_equal

_MOST_TILES = 65535

# Named here so that the decoders are loaded with this module: in the decode child nothing can be loaded later.
_JPEGLS, _JPEG2K, _JPEGXL = imagecodecs.jpegls_decode, imagecodecs.jpeg2k_decode, imagecodecs.jpegxl_decode
_DAMAGE = (RuntimeError, ValueError, TypeError)  # those of imagecodecs are RuntimeErrors


class JpegLsCodec:
    """JPEG-LS (ISO 14495-1), grey of 8 to 16 bits or 8-bit colour, without loss."""

    name = "jpeg-ls"
    unavailable = ""

    def sniff(self, head: bytes) -> bool:
        return head.startswith((b"\xff\xd8\xff\xf7", b"\xff\xd8\xff\xe8"))

    def header(self, file: BinaryIO, size: int) -> Header | None:  # noqa: ARG002 - a JPEG-LS header has no fixed size
        file.seek(0)
        return _walk_jpegls(file.read())[0]

    def is_whole(self, file: BinaryIO, size: int) -> bool:  # noqa: ARG002
        file.seek(0)
        return _walk_jpegls(file.read())[1]

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        return _decoded(_JPEGLS, file, header)


class Jpeg2000Codec:
    """JPEG 2000 (ISO 15444-1) as bare code stream or JP2 file, and HTJ2K (part 15): grey of 8 to 16 bits or 8-bit colour."""

    name = "jpeg-2000"
    unavailable = ""

    def sniff(self, head: bytes) -> bool:
        return head.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"))

    def header(self, file: BinaryIO, size: int) -> Header | None:
        file.seek(0)
        start = _code_stream(file.read(_JP2_HEAD_BYTES), size)
        if start is None:
            return None
        file.seek(start)
        return _siz(file.read(_JP2_HEAD_BYTES))

    def is_whole(self, file: BinaryIO, size: int) -> bool:
        header = self.header(file, size)
        if header is None:
            return False
        file.seek(0)
        data = file.read()
        return _ends(data, _code_stream(data[:_JP2_HEAD_BYTES], size) or 0)

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        return _decoded(_JPEG2K, file, header)


class JpegXlCodec:
    """JPEG XL (ISO 18181), grey of 8 to 16 bits or 8-bit colour, one picture.

    In a container the boxes tell whether the file is whole. A bare code stream has no end of its own: there a cut shows when the
    decoder refuses it.
    """

    name = "jpeg-xl"
    unavailable = ""

    def sniff(self, head: bytes) -> bool:
        return head.startswith((b"\xff\x0a", _JXL_SIGNATURE))

    def header(self, file: BinaryIO, size: int) -> Header | None:  # noqa: ARG002 - its header has no fixed size
        file.seek(0)
        start = _jxl_stream(file.read(_JXL_HEAD_BYTES))
        if start is None:
            return None
        file.seek(start)
        head = file.read(_JXL_HEADER_BYTES)
        try:
            return _jxl_header(head)
        except EOFError:
            if len(head) == _JXL_HEADER_BYTES:
                raise UnreadableScan("the JPEG XL header is damaged") from None
            return None

    def is_whole(self, file: BinaryIO, size: int) -> bool:
        if self.header(file, size) is None:
            return False
        file.seek(0)
        if file.read(2) == b"\xff\x0a":
            return True
        return _boxes_end(file, size)

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        return _decoded(_JPEGXL, file, header)


_JP2_HEAD_BYTES = 4096
_JXL_SIGNATURE = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_JXL_HEAD_BYTES = 4096
_JXL_HEADER_BYTES = 64
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_MOST_BOXES = 256


def _decoded(decoder: Callable[[bytes], Any], file: BinaryIO, header: Header) -> Pixels:
    """Decode the whole file and check that it gave what the header announced."""
    file.seek(0)
    try:
        pixels = np.asarray(decoder(file.read()))
    except _DAMAGE as error:
        raise UnreadableScan("the decoder refuses the pixel data", {"error": type(error).__name__}) from error
    wanted = np.dtype(np.uint16 if header.bits > 8 else np.uint8)
    shape = (header.height, header.width) if header.channels == 1 else (header.height, header.width, 3)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.shape != shape or pixels.dtype != wanted:
        raise UnreadableScan("the decoder gave other pixels than the header announced")
    if header.bits > 8:
        return np.ascontiguousarray(pixels, dtype=np.uint16)
    narrow = np.ascontiguousarray(pixels, dtype=np.uint8)
    return grey_if_equal(narrow) if header.channels == 3 else narrow


def _admitted(width: int, height: int, channels: int, bits: int) -> Header:
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise UnreadableScan("the header announces impossible pixels", {"width": width, "height": height})
    if not 8 <= bits <= 16 or channels not in (1, 3) or (channels == 3 and bits > 8):
        raise UnsupportedFormat("pictures of this depth or colour model are not read", {"bits": bits, "channels": channels})
    return Header(width, height, channels, bits)


def _walk_jpegls(data: bytes) -> tuple[Header | None, bool]:
    """Follow the markers: the frame (None when not reached) and whether the end marker was reached.

    In the coded data a byte 0xFF is always followed by one below 0x80, so the next marker is found without decoding.
    """
    frame: Header | None = None
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            raise UnreadableScan("a JPEG-LS marker is missing where one must be")
        marker = data[at + 1]
        if marker == 0xD9:
            return frame, frame is not None
        if at + 4 > len(data):
            break
        length = int.from_bytes(data[at + 2 : at + 4])
        if marker == 0xF7 and at + 10 <= len(data):
            bits, height, width, channels = struct.unpack(">BHHB", data[at + 4 : at + 10])
            frame = _admitted(width, height, channels, bits)
        at += 2 + length
        if marker == 0xDA:
            at = _next_marker(data, at)
    return frame, False


def _next_marker(data: bytes, at: int) -> int:
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:
        if data[at + 1] >= 0x80:
            return at
        at += 1
    return len(data)


def _code_stream(head: bytes, size: int) -> int | None:
    """Give where the code stream of a JPEG 2000 file begins; None while that is not written."""
    if head.startswith(b"\xff\x4f"):
        return 0
    at = 0
    for _ in range(_MOST_BOXES):
        box = _box(head, at)
        if box is None:
            if at + 16 <= min(len(head), size):
                raise UnreadableScan("a box of the file has an impossible length")
            return None
        kind, start, end = box
        if kind == b"jp2c":
            return start
        if end is None or end > _JP2_HEAD_BYTES:
            if len(head) == _JP2_HEAD_BYTES:
                raise UnsupportedFormat("a JP2 file with a long preface is not read")
            return None
        at = end
    return None


def _box(data: bytes, at: int) -> tuple[bytes, int, int | None] | None:
    """Give kind, start and end of the content of the box at ``at``; an end of None is the file's. None: not written, or impossible."""
    if at + 8 > len(data):
        return None
    length, kind = struct.unpack(">I4s", data[at : at + 8])
    if length == 1:
        if at + 16 > len(data):
            return None
        (length,) = struct.unpack(">Q", data[at + 8 : at + 16])
        return (kind, at + 16, at + length) if length >= 16 else None
    if length == 0:
        return kind, at + 8, None
    return (kind, at + 8, at + length) if length >= 8 else None


def _siz(stream: bytes) -> Header | None:
    """Read the SIZ segment that begins a code stream; None while it is not wholly written."""
    if len(stream) < 42:
        return None
    if stream[:4] != b"\xff\x4f\xff\x51":
        raise UnreadableScan("the code stream does not begin with its size")
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, count = struct.unpack(">8IH", stream[8:42])
    if not 0 < count <= 4 or len(stream) < 42 + 3 * count:
        if 0 < count <= 4:
            return None
        raise UnsupportedFormat("pictures of this depth or colour model are not read", {"channels": count})
    parts = [struct.unpack("BBB", stream[at : at + 3]) for at in range(42, 42 + 3 * count, 3)]
    if len(set(parts)) != 1 or parts[0][1:] != (1, 1) or parts[0][0] & 0x80:
        raise UnsupportedFormat("signed or subsampled components are not read")
    if not tile_x or not tile_y or x1 <= max(x0, tile_x0) or y1 <= max(y0, tile_y0):
        raise UnreadableScan("the header announces impossible tiles")
    if -(-(x1 - tile_x0) // tile_x) * -(-(y1 - tile_y0) // tile_y) > _MOST_TILES:
        raise UnreadableScan("the header announces impossible tiles")
    return _admitted(x1 - x0, y1 - y0, count, parts[0][0] + 1)


def _ends(data: bytes, start: int) -> bool:
    """Follow the segments and tile parts of a code stream to its end marker."""
    at = start + 2
    while at + 12 <= len(data) or data[at : at + 2] == b"\xff\xd9":
        marker = data[at : at + 2]
        if marker == b"\xff\xd9":
            return True
        if marker[:1] != b"\xff":
            raise UnreadableScan("a marker is missing where one must be")
        if marker == b"\xff\x90":  # start of a tile part: its whole length stands there; 0 means up to the end
            (length,) = struct.unpack(">I", data[at + 6 : at + 10])
            if length == 0:
                return data.endswith(b"\xff\xd9")
            if length < 14:
                raise UnreadableScan("a tile part has an impossible length")
            at += length
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return False


def _jxl_stream(head: bytes) -> int | None:
    """Give where the code stream of a JPEG XL file begins; None while that is not written."""
    if head.startswith(b"\xff\x0a"):
        return 0
    at = 0
    for _ in range(_MOST_BOXES):
        box = _box(head, at)
        if box is None:
            return None
        kind, start, end = box
        if kind == b"jxlc":
            return start
        if kind == b"jxlp":  # a part, behind its number of four bytes
            return start + 4
        if end is None:
            raise UnreadableScan("a JPEG XL file without a picture")
        at = end
    raise UnreadableScan("a JPEG XL file without a picture")


def _boxes_end(file: BinaryIO, size: int) -> bool:
    """Say whether the boxes fill the file to its last byte."""
    at = 0
    for _ in range(_MOST_BOXES):
        if at == size:
            return True
        file.seek(at)
        box = _box(file.read(16), 0)
        if box is None or at + 8 > size:
            return False
        end = box[2]
        if end is None:  # a box without a length goes on to the end of the file, wherever that is
            return True
        at += end
        if at > size:
            return False
    raise UnreadableScan("a file of more boxes than can be", {"allowed": _MOST_BOXES})


def _jxl_header(head: bytes) -> Header:
    """Read size, depth and channels from the start of a code stream (ISO 18181-1, SizeHeader and ImageMetadata).

    Raises:
        EOFError: it is not wholly there.
    """
    if len(head) < 2:
        raise EOFError("the code stream has not begun")
    if head[:2] != b"\xff\x0a":
        raise UnreadableScan("the code stream does not begin as JPEG XL")
    bits = Bits(head[2:])
    width, height = _jxl_size(bits)
    if bits.flag():  # everything as usual: 8-bit RGB
        return _admitted(width, height, 3, 8)
    if bits.flag():
        raise UnsupportedFormat("a JPEG XL picture with preview, animation or own orientation is not read")
    depth, _, extra = _jxl_depth(bits), bits.flag(), bits.choice((0, 0), (1, 0), (2, 4), (1, 12))
    if extra:
        raise UnsupportedFormat("a JPEG XL picture with extra channels is not read", {"channels": extra})
    bits.flag()  # whether the colours were transformed
    return _admitted(width, height, _jxl_channels(bits), depth)


def _jxl_size(bits: Bits) -> tuple[int, int]:
    small = bits.flag()
    height = (bits.take(5) + 1) * 8 if small else bits.choice((1, 9), (1, 13), (1, 18), (1, 30))
    ratio = bits.take(3)
    if ratio:
        across, down = _JXL_RATIOS[ratio - 1]
        return height * across // down, height
    return ((bits.take(5) + 1) * 8 if small else bits.choice((1, 9), (1, 13), (1, 18), (1, 30))), height


def _jxl_depth(bits: Bits) -> int:
    if bits.flag():
        raise UnsupportedFormat("a JPEG XL picture of floats is not read")
    return bits.choice((8, 0), (10, 0), (12, 0), (1, 6))


def _jxl_channels(bits: Bits) -> int:
    if bits.flag():  # the usual colours: sRGB
        return 3
    bits.flag()  # whether a profile follows
    return 1 if bits.choice((0, 0), (1, 0), (2, 4), (18, 6)) == 1 else 3
