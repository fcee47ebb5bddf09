"""The explicit list of codecs. A codec that cannot be used is listed with its reason, never hidden."""

from typing import BinaryIO

from edge_agent.errors import UnsupportedFormat
from edge_agent.formats.codec import HEAD_BYTES, Codec
from edge_agent.formats.dicos import DicosCodec
from edge_agent.formats.newer import Jpeg2000Codec, JpegLsCodec, JpegXlCodec
from edge_agent.formats.plain import BmpCodec, NpyCodec, PnmCodec
from edge_agent.formats.raster import JpegCodec, PngCodec
from edge_agent.formats.tiff import TiffCodec
from edge_agent.formats.uff import UffCodec

CODECS: tuple[Codec, ...] = (
    JpegLsCodec(),  # before JPEG, whose first three bytes it shares
    JpegCodec(),
    PngCodec(),
    TiffCodec(),
    JpegXlCodec(),
    Jpeg2000Codec(),
    BmpCodec(),
    PnmCodec(),
    NpyCodec(),
    DicosCodec(),
    UffCodec(),
)

_SHORTEST_SURE_HEAD = 8


def codec_of(file: BinaryIO) -> Codec | None:
    """Give the codec whose signature the file begins with, whatever its name says; None while too little is written to know.

    A head of zeros also means "not written yet": some shares reserve the space of a file before its content comes.

    Raises:
        UnsupportedFormat: the content is nothing we read.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    for codec in CODECS:
        if codec.sniff(head):
            if codec.unavailable:
                raise UnsupportedFormat(codec.unavailable)
            return codec
    if len(head) < _SHORTEST_SURE_HEAD or not any(head):
        return None
    raise UnsupportedFormat("the content is no picture format that we read")
