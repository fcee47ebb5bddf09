"""Random access to the planes of our own packages: one 512 x 512 tile at any level, without decoding the rest.

For packages that this site wrote and verified: a tile is not checked against the digest of its entry. Packages from elsewhere are
verified first (``edge-agent scan validate``), in the decode child.
"""

import hashlib
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import tifffile

from edge_agent.domain.geometry import Size
from edge_agent.domain.scan import Energy, Plane, Quantity
from edge_agent.errors import UnreadableScan
from edge_agent.formats.codec import Pixels
from edge_agent.formats.package import SCAN_JSON, decode_image
from edge_agent.formats.package_model import ImagePart, ScanJson, ViewPart
from edge_agent.imaging.pyramid import TILE_PX, coarser, level_sizes

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of name and extra field
_DAMAGE = (OSError, zipfile.BadZipFile, ValueError, KeyError, IndexError, RuntimeError, struct.error, tifffile.TiffFileError)


class TileReader:
    """An open package. Tiles of TIFF planes are read one by one; a JPEG or PNG plane is decoded whole, once.

    Not for several threads at a time.
    """

    def __init__(self, path: Path) -> None:
        """Open a package and read its document.

        Raises:
            UnreadableScan: it is none.
        """
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise UnreadableScan("not a readable scan package", {"error": type(error).__name__}) from error
        try:
            with zipfile.ZipFile(self._file) as archive:
                raw = archive.read(SCAN_JSON)
                self.document = ScanJson.model_validate_json(raw)
                self.document_sha256 = hashlib.sha256(raw).hexdigest()
                self._entries: Mapping[str, zipfile.ZipInfo] = {info.filename: info for info in archive.infolist()}
        except _DAMAGE as error:
            self._file.close()
            raise UnreadableScan("not a readable scan package", {"error": type(error).__name__}) from error
        self._tiffs: dict[str, Any] = {}
        self._decoded: dict[str, list[Pixels]] = {}

    def __enter__(self) -> "TileReader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the package."""
        self._file.close()

    def sizes(self, view: str, quantity: Quantity, energy: Energy) -> tuple[Size, ...]:
        """Give the size of each level of a plane, the plane itself first.

        Raises:
            KeyError: the package has no such plane.
        """
        _, image = self._image(view, quantity, energy)
        return level_sizes(Size(image.cols, image.rows))

    def is_foreign(self, key: tuple[str, Quantity, Energy]) -> bool:
        """Tell whether a plane is the scanner's own file, which is not to be decoded outside the sandbox.

        Raises:
            KeyError: the package has no such plane.
        """
        return self._image(*key)[1].lossy

    def check(self, key: tuple[str, Quantity, Energy]) -> None:
        """Compare the entry of a plane with its digest.

        Raises:
            KeyError: no such plane.
            UnreadableScan: it was altered.
        """
        entry = self._image(*key)[1].entry
        try:
            offset, size = self._span(entry)
            self._file.seek(offset)
            is_whole = hashlib.sha256(self._file.read(size)).hexdigest() == self.document.entries[entry].sha256
        except _DAMAGE as error:
            raise UnreadableScan("a plane of the package is damaged", {"error": type(error).__name__}) from error
        if not is_whole:
            raise UnreadableScan("a plane of the package was altered")

    def tile(self, key: tuple[str, Quantity, Energy], level: int, column: int, row: int) -> Pixels:
        """Give tile (column, row) of a level of the plane ``key`` (view, quantity, energy); smaller at the right and lower border.

        (h, w) uint8 or uint16, or (h, w, 3) uint8 RGB. A few ms; the first tile of a JPEG or PNG plane costs its whole decoding.

        Raises:
            KeyError: no such plane. IndexError: no such level or tile.
            UnreadableScan: the entry is damaged.
        """
        part, image = self._image(*key)
        size = level_sizes(Size(image.cols, image.rows))[_not_negative(level)]
        left, top, width, height = _tile_box(size, column, row)
        try:
            if image.levels and image.entry.endswith(".tif"):
                return self._tiff_tile(image, level, column, row)[:height, :width]
            return self._whole(part, image)[level][top : top + height, left : left + width]
        except _DAMAGE as error:
            raise UnreadableScan("a plane of the package is damaged", {"error": type(error).__name__}) from error

    def _image(self, view: str, quantity: Quantity, energy: Energy) -> tuple[ViewPart, ImagePart]:
        for part in self.document.views:
            for image in part.images:
                if (part.name, image.quantity, image.energy) == (view, quantity, energy):
                    return part, image
        raise KeyError(f"{view}/{quantity}/{energy}")

    def _tiff_tile(self, image: ImagePart, level: int, column: int, row: int) -> Pixels:
        page = self._pages(image)[level]
        index = row * -(-page.imagewidth // page.tilewidth) + column
        data = page.parent.filehandle
        data.seek(page.dataoffsets[index])
        decoded = page.decode(data.read(page.databytecounts[index]), index)[0]
        pixels = np.asarray(decoded)[0, :, :, 0]
        return pixels.astype(np.uint16, copy=False) if image.bits == 16 else pixels.astype(np.uint8, copy=False)

    def _pages(self, image: ImagePart) -> list[Any]:
        """Give the page of each level (tifffile ``TiffPage``). The entry is stored, so the TIFF lies in the package as it is."""
        if image.entry not in self._tiffs:
            offset, size = self._span(image.entry)
            tiff = tifffile.TiffFile(self._file, name=image.entry, offset=offset, size=size)
            first = tiff.pages[0]
            self._tiffs[image.entry] = [first, *(page.aspage() for page in (first.pages or ()))]
        pages: list[Any] = self._tiffs[image.entry]
        return pages

    def _span(self, name: str) -> tuple[int, int]:
        """Give where an entry's bytes lie: offset and size."""
        info = self._entries[name]
        self._file.seek(info.header_offset)
        _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        return info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes, info.file_size

    def _whole(self, part: ViewPart, image: ImagePart) -> list[Pixels]:
        if image.entry not in self._decoded:
            offset, size = self._span(image.entry)
            self._file.seek(offset)
            pixels = decode_image(image, part, self._file.read(size))
            plane = Plane(image.quantity, image.energy, pixels)
            self._decoded[image.entry] = [plane.pixels, *coarser(plane.pixels, is_mean=image.quantity is not Quantity.MATERIAL)]
        return self._decoded[image.entry]


def tile_of(pixels: Pixels, column: int, row: int) -> Pixels:
    """Give tile (column, row) of a plane or level that is decoded.

    Raises:
        IndexError: no such tile.
    """
    left, top, width, height = _tile_box(Size(pixels.shape[1], pixels.shape[0]), column, row)
    return pixels[top : top + height, left : left + width]


def _tile_box(size: Size, column: int, row: int) -> tuple[int, int, int, int]:
    """Give left, top, width and height of a tile in px."""
    left, top = _not_negative(column) * TILE_PX, _not_negative(row) * TILE_PX
    if left >= size.width or top >= size.height:
        raise IndexError("no such tile")
    return left, top, min(TILE_PX, size.width - left), min(TILE_PX, size.height - top)


def _not_negative(number: int) -> int:
    if number < 0:
        raise IndexError("levels and tiles are counted from 0")
    return number
