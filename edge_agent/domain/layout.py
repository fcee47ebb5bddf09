"""How planes lie in a file that has no format of its own: bytes of a header, then samples. Read by ``formats.raw``."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from edge_agent.domain.geometry import Orientation


class Interleave(StrEnum):
    """In which order the samples of several planes follow each other."""

    PLANE = "plane"
    """One whole plane after the other."""
    LINE = "line"
    """Line 0 of every plane, then line 1: panels that stand side by side in one picture."""
    PIXEL = "pixel"
    """All planes of pixel 0, then of pixel 1."""


@dataclass(frozen=True, slots=True)
class HeaderField:
    """An unsigned number in the header: ``bytes`` wide (1, 2 or 4) at offset ``at``."""

    at: int
    bytes: int = 2


@dataclass(frozen=True, slots=True)
class Chunks:
    """A file of chunks (four letters, four bytes of length, content): offsets count in ``fields``, the samples are ``samples``."""

    fields: str
    samples: str


@dataclass(frozen=True, slots=True)
class RawLayout:
    """Where a raw file keeps width, height, depth and samples. Numbers and samples share one byte order.

    ``magic``: hexadecimal bytes at the start. ``header_bytes``: what precedes the samples (with ``chunks``: what precedes the first
    chunk). ``width_spans_planes``: the width is that of all panels of a line together. ``trailer``: more may follow the samples; else
    the file must end with them: header_bytes + width x height x planes x bits / 8. ``orientation``: turns the file's rows into an
    upright picture.
    """

    width: int | HeaderField
    height: int | HeaderField
    bits: int | HeaderField = 16
    byte_order: Literal["little", "big"] = "little"
    magic: str = ""
    header_bytes: int = 0
    interleave: Interleave = Interleave.PLANE
    width_spans_planes: bool = False
    trailer: bool = False
    chunks: Chunks | None = None
    orientation: Orientation = Orientation()
