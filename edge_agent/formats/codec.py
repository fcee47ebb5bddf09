"""What a codec must offer: recognise a file, read its header, tell whether its end is written, decode it."""

from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint16] | NDArray[np.uint8]

HEAD_BYTES = 16
"""How many bytes of a file :meth:`Codec.sniff` gets to see; every signature we know is shorter."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file's header announces. ``bits``: a channel. ``expected_bytes``: the size it implies, None when the format does not say."""

    width: int
    height: int
    channels: int
    bits: int
    expected_bytes: int | None = None


class Codec(Protocol):
    """One file format with one plane a file. The caller has checked the file's size against the limits, nothing else."""

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
        """Give (h, w) uint8 or uint16, or (h, w, 3) uint8 RGB, of the size that ``header`` announced.

        Raises:
            UnreadableScan: the content is damaged.
            UnsupportedFormat: a variant that shows only in the content.
        """
