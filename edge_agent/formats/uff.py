"""The slot of the WCO Unified File Format. Its specification is not public, so nothing here claims to read it."""

from typing import BinaryIO

from edge_agent.errors import UnsupportedFormat
from edge_agent.formats.codec import Header, Pixels

_WHY = "the specification of the Unified File Format is not public; a customs administration must supply it with a sample"


class UffCodec:
    """Satisfies ``codec.Codec``, recognises nothing, and says why."""

    name = "uff"
    unavailable = _WHY

    def sniff(self, head: bytes) -> bool:  # noqa: ARG002 - its signature is not known
        return False

    def header(self, file: BinaryIO, size: int) -> Header | None:  # noqa: ARG002
        raise UnsupportedFormat(_WHY)

    def is_whole(self, file: BinaryIO, size: int) -> bool:  # noqa: ARG002
        raise UnsupportedFormat(_WHY)

    def decode(self, file: BinaryIO, header: Header) -> Pixels:  # noqa: ARG002
        raise UnsupportedFormat(_WHY)
