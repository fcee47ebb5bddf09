"""Stored pictures and planes, as consoles ask for them. Everything here runs on a lane of its own, so no console delays a scan.

Our own packages are read in this process: their planes were written by this site, and each is compared with its digest before it is
decoded. A plane that was kept as the scanner's own JPEG is decoded in a sandboxed child, as every file of a scanner is.
"""

import hashlib
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np

from edge_agent.agent.lanes import Lane
from edge_agent.domain.scan import Energy, Quantity
from edge_agent.errors import BlobDamaged, BlobGone, BlobMissing, ScanRejected, UnknownBlob
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.codec import Pixels
from edge_agent.formats.encode import png_bytes
from edge_agent.formats.package_tiles import TileReader, tile_of
from edge_agent.imaging.pyramid import coarser
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.records import Packed
from edge_agent.telemetry import events
from edge_agent.wire.pictures import StoredPlane, TileRequest

_MOST_OPEN = 2
"""Packages kept open; each holds at most its display planes, decoded (some 20 MB a view)."""

_FASTEST = 1
"""Of zlib's levels: a tile crosses a cable on the site, so time counts more than bytes."""

PlaneKey = tuple[str, Quantity, Energy]


class Shelf:
    """Gives bytes of blobs and tiles of planes; nothing is given that differs from its digest."""

    def __init__(self, blobs: BlobStore, state_dir: Path, lane: Lane) -> None:
        """``lane``: of one thread, used by nobody else."""
        self._blobs = blobs
        self._root = state_dir
        self._lane = lane
        self._child = DecodeChild()
        self._open: OrderedDict[str, _OpenPackage] = OrderedDict()

    async def blob(self, sha256: str, offset: int, length: int) -> bytes:
        """Give ``length`` bytes of a blob from ``offset`` on, fewer at its end.

        Raises:
            BlobGone: it is not there any more, or damaged.
        """
        return await self._lane.run(self._read_blob, sha256, offset, length)

    async def planes(self, packed: Packed) -> list[StoredPlane]:
        """Give the planes of a package.

        Raises:
            BlobGone: it is not there any more, or damaged.
        """
        return await self._lane.run(self._list_planes, packed)

    async def tile(self, packed: Packed, asked: TileRequest) -> bytes:
        """Give one tile, encoded as asked.

        Raises:
            UnknownBlob: no such view, plane, level or tile.
            BlobGone: the package is not there any more, or damaged.
            TryLater: the decode child does not start now.
        """
        return await self._lane.run(self._encode_tile, packed, asked)

    def close(self) -> None:
        """Close packages and child; called when the loop no longer runs."""
        self._lane.finish(self._close)

    def _close(self) -> None:
        for package in self._open.values():
            package.close()
        self._open.clear()
        self._child.close()

    def _read_blob(self, sha256: str, offset: int, length: int) -> bytes:
        try:
            return self._blobs.get(sha256)[offset : offset + length]
        except BlobMissing as problem:
            raise BlobGone("the picture is not kept any more", {"why": "gone"}) from problem
        except BlobDamaged as problem:
            events.picture_damaged(sha256)
            raise BlobGone("the picture is damaged", {"why": "damaged"}) from problem

    def _list_planes(self, packed: Packed) -> list[StoredPlane]:
        return self._opened(packed).planes()

    def _encode_tile(self, packed: Packed, asked: TileRequest) -> bytes:
        package = self._opened(packed)
        try:
            quantity, _, energy = asked.plane.partition("/")
            key = (asked.view, Quantity(quantity), Energy(energy))
            pixels = package.tile(key, asked.level, asked.column, asked.row)
        except (ValueError, KeyError, IndexError) as problem:
            raise UnknownBlob("the scan has no such view, plane, level or tile", {"level": asked.level}) from problem
        except ScanRejected as problem:
            raise self._damaged(packed) from problem
        return png_bytes(pixels) if asked.encoding == "png" else bare_samples(pixels)

    def _opened(self, packed: Packed) -> "_OpenPackage":
        path = self._root / packed.path
        known = self._open.pop(packed.path, None)
        if not path.is_file():
            if known is not None:
                known.close()
            raise BlobGone("the scan's planes are not kept any more", {"why": "gone"})
        self._open[packed.path] = known or self._newly_opened(path, packed)
        while len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        return self._open[packed.path]

    def _newly_opened(self, path: Path, packed: Packed) -> "_OpenPackage":
        try:
            reader = TileReader(path)
        except ScanRejected as problem:
            raise self._damaged(packed) from problem
        if reader.document_sha256 != packed.sha256:
            reader.close()
            raise self._damaged(packed)
        return _OpenPackage(path, reader, self._child)

    def _damaged(self, packed: Packed) -> BlobGone:
        package = self._open.pop(packed.path, None)
        if package is not None:
            package.close()
        events.picture_damaged(packed.sha256)
        return BlobGone("the scan's package is damaged", {"why": "damaged"})


class _OpenPackage:
    """A package in hand, its entries compared with their digests as they are first used."""

    def __init__(self, path: Path, reader: TileReader, child: DecodeChild) -> None:
        self._path = path
        self._reader = reader
        self._child = child
        self._checked: set[PlaneKey] = set()
        self._foreign: dict[PlaneKey, list[Pixels]] = {}

    def planes(self) -> list[StoredPlane]:
        return [
            StoredPlane(
                view=view.name,
                plane=f"{image.quantity}/{image.energy}",
                width=image.cols,
                height=image.rows,
                channels=image.channels,
                bits=image.bits,
                levels=len(self._reader.sizes(view.name, image.quantity, image.energy)),
                pitch_mm=view.pitch_mm,
                pitch_assumed=view.pitch_assumed,
            )
            for view in self._reader.document.views
            for image in view.images
        ]

    def tile(self, key: PlaneKey, level: int, column: int, row: int) -> Pixels:
        """Give a tile. Raises as ``TileReader.tile``, and ScanRejected where the plane differs from its digest."""
        if self._reader.is_foreign(key):
            levels = self._foreign.get(key) or self._decoded(key)
            return tile_of(levels[level], column, row)
        if key not in self._checked:
            self._reader.check(key)
            self._checked.add(key)
        return self._reader.tile(key, level, column, row)

    def close(self) -> None:
        self._reader.close()

    def _decoded(self, key: PlaneKey) -> list[Pixels]:
        """Decode a JPEG of the scanner's in the child, which verifies the whole package first."""
        _, scan = self._child.open_package(self._path)
        view = next(view for view in scan.views if view.name == key[0])
        plane = next(plane for plane in view.planes if (plane.quantity, plane.energy) == key[1:])
        self._foreign[key] = [plane.pixels.copy(), *coarser(plane.pixels, is_mean=True)]
        return self._foreign[key]


def bare_samples(pixels: Pixels) -> bytes:
    """Give samples without a header as a zlib stream, 16 bits little-endian: some 10 ms a tile, for a browser that unpacks by itself."""
    little_endian = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    return zlib.compress(np.ascontiguousarray(little_endian).tobytes(), _FASTEST)


def digest(data: bytes) -> str:
    """Give the SHA-256 (hex) of a tile."""
    return hashlib.sha256(data).hexdigest()
