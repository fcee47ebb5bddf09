"""What a codec must offer: recognise a file, read its header, tell whether its end is written, decode it."""

from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import UnreadableScan

Pixels: TypeAlias = NDArray[np.uint16] | NDArray[np.uint8]

HEAD_BYTES = 132
"""How many bytes of a file :meth:`Codec.sniff` gets to see; every signature we know is shorter."""

LARGEST_SIDE = 1 << 20
"""More rows or columns than any scanner writes: a header that announces them is damaged, whatever the limits of a profile are."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file's header announces. ``bits``: a channel. ``expected_bytes``: the size it implies, None when the format does not say.

    ``planes``: how many planes of this size the file holds.
    """

    width: int
    height: int
    channels: int
    bits: int
    expected_bytes: int | None = None
    planes: int = 1


class Codec(Protocol):
    """One file format. The caller has checked the file's size against the limits, nothing else."""

    @property
    def name(self) -> str:
        """Short name for the catalogue, ``png``."""

    @property
    def unavailable(self) -> str:
        """Why this codec cannot be used here, in one sentence; empty when it can."""

    def sniff(self, head: bytes) -> bool:
        """Say whether the first ``HEAD_BYTES`` bytes (fewer in a shorter file) are this format's."""

    def header(self, file: BinaryIO, size: int) -> Header | None:
        """Read the header of a file of ``size`` bytes without touching pixels; None when it is not wholly written yet.

        Raises:
            UnreadableScan: the header contradicts the format.
            UnsupportedFormat: a variant of the format that we do not read.
        """

    def is_whole(self, file: BinaryIO, size: int) -> bool:
        """Say whether the file has its structural end (never by decoding); False when more bytes could still make it whole.

        Raises:
            UnreadableScan: more bytes cannot help.
        """

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        """Give the first plane: (h, w) uint8 or uint16, or (h, w, 3) uint8 RGB, of the size that ``header`` announced.

        Raises:
            UnreadableScan: the content is damaged.
            UnsupportedFormat: a variant that shows only in the content.
        """


@runtime_checkable
class ManyPlanesCodec(Protocol):
    """A codec whose files can hold several planes of one size."""

    def decode_planes(self, file: BinaryIO, header: Header) -> tuple[Pixels, ...]:
        """Give all ``header.planes`` planes in the file's order, each as :meth:`Codec.decode` gives the first.

        Raises:
            UnreadableScan: the content is damaged.
            UnsupportedFormat: a variant that shows only in the content.
        """


def decode_planes(codec: Codec, file: BinaryIO, header: Header) -> tuple[Pixels, ...]:
    """Give all planes of a file, and check that they are what its header announced, whoever decoded them.

    Raises:
        UnreadableScan, UnsupportedFormat: as :meth:`Codec.decode`.
    """
    planes = codec.decode_planes(file, header) if isinstance(codec, ManyPlanesCodec) else (codec.decode(file, header),)
    for pixels in planes:
        require(pixels, header)
    if len(planes) != header.planes:
        raise UnreadableScan("the decoder gave another number of planes than the header announced")
    return planes


def require(pixels: Pixels, header: Header) -> None:
    """Check shape and type of decoded pixels against what was announced; colour may have become grey.

    Raises:
        UnreadableScan: they differ, or there are none.
    """
    wanted = np.uint16 if header.bits > 8 else np.uint8
    if pixels.dtype != wanted or pixels.shape[:2] != (header.height, header.width) or pixels.size == 0:
        raise UnreadableScan("the decoder gave other pixels than the header announced")
