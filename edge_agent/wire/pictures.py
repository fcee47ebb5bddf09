"""Requests and replies on BLOB: stored pictures and maps in chunks, and tiles of stored planes.

Each request is answered by one CHUNK, so a reader says by the requests it has open how much it can take: that is its credit.
"""

from typing import Annotated, Literal

from pydantic import Field

from edge_agent.wire.verbs import CHUNK_BYTES, Number, Reply, Request, Revision, Uuid

TILE_PX = 512
MAX_TILE_BYTES = 1 << 20
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Place = Annotated[int, Field(ge=0, lt=1 << 20)]


class BlobRequest(Request):
    """Ask for ``length`` bytes of a blob from ``offset`` on. Only blobs that a journalled fact names are given."""

    sha256: _Sha256
    offset: Number = 0
    length: Annotated[int, Field(ge=1, le=CHUNK_BYTES)] = CHUNK_BYTES


class ChunkReply(Reply):
    """What the frame behind it is: bytes from ``offset`` on of the ``bytes`` bytes whose digest is ``sha256``. A tile is one chunk."""

    sha256: str
    bytes: Number
    offset: Number
    media_type: str


class PlanesRequest(Request):
    """Ask which planes of a scan's revision are stored."""

    scan_id: Uuid
    revision: Revision


class StoredPlane(Reply):
    """One plane. ``plane``: its name in a TILE; ``width``, ``height`` in px; ``bits`` of a channel.

    ``levels``: sizes to choose from; level 0 is the plane itself, each further level half as wide and high, rounded up.
    ``pitch_mm``: size of a pixel (x, y) in the plane of the cargo, None where unknown; ``pitch_assumed``: fitted, not measured.
    """

    view: str
    plane: str
    width: Number
    height: Number
    channels: Number
    bits: Number
    levels: Number
    pitch_mm: Annotated[tuple[float, float] | None, Field(strict=False)] = None
    pitch_assumed: bool = False


class PlanesReply(Reply):
    """The planes of one revision, and the width and height of a tile in px."""

    scan_id: str
    revision: Number
    planes: list[StoredPlane]
    tile: Number = TILE_PX


class TileRequest(Request):
    """Ask for tile (``row``, ``column``), counted from 0, of a level of a plane; 512 x 512 px, smaller at the right and lower border.

    ``encoding``: ``png`` = 8 or 16 bits grey or 8 bits RGB; ``deflate`` = the bare samples (little-endian where 16 bits; channels of a
    pixel side by side; line by line) as a zlib stream (RFC 1950), which a browser unpacks by itself.
    """

    scan_id: Uuid
    revision: Revision
    view: Annotated[str, Field(min_length=1, max_length=64)]
    plane: Annotated[str, Field(pattern=r"^[a-z]{1,24}/[a-z]{1,12}$")]
    level: Annotated[int, Field(ge=0, lt=32)] = 0
    row: _Place = 0
    column: _Place = 0
    encoding: Literal["png", "deflate"] = "png"
