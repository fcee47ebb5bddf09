"""Our scan package ``*.scan.zip``: a write-once ZIP without compression of its own, one picture file a plane, ``scan.json``.

The bytes depend on the scan, its originals and the codec only. Assessments are facts of the journal and never enter a package;
neither do side-cars, which hold personal data. Grey planes are TIFF files with 512 x 512 tiles and coarser levels for viewers
(:mod:`edge_agent.formats.package_tiles`). Measured on 2 x 32 MB: levels add a third to the size and a tenth to the time.
"""

import hashlib
import io
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias

import numpy as np
from pydantic import ValidationError

from edge_agent.domain.member import MemberDigest
from edge_agent.domain.profile import Limits
from edge_agent.domain.scan import Energy, Origin, Plane, Quantity, Scan, View
from edge_agent.errors import UnreadableScan
from edge_agent.formats.catalogue import codec_of
from edge_agent.formats.codec import Pixels
from edge_agent.formats.encode import png_bytes, tiff_bytes
from edge_agent.formats.limits import admit_header
from edge_agent.formats.package_convert import describe, key_of, native_of, operation_parts, operations_of, origin_of, restore, view_of
from edge_agent.formats.package_model import EntryPart, ImagePart, ScanJson, ViewPart
from edge_agent.formats.package_sources import KeptFiles, kept_files
from edge_agent.formats.preview import preview_bytes
from edge_agent.imaging.normalise import canonical, replay
from edge_agent.imaging.pyramid import coarser

PackageCodec: TypeAlias = Literal["zstd", "deflate", "jxl"]

MIMETYPE: Final = b"application/vnd.nii-scan+zip;version=1"
SCAN_JSON: Final = "scan.json"
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest a ZIP can say: real times would make equal scans differ
_MAX_ENTRIES = 1024  # exports hold the facts of the journal too
_MAX_JSON_BYTES = 4 << 20
_DAMAGE = (OSError, zipfile.BadZipFile, ValidationError, ValueError, KeyError, RuntimeError, EOFError, struct.error)


@dataclass(frozen=True, slots=True)
class PackageRef:
    """A written package: path, size, and the SHA-256 (hex) of its ``scan.json``, which names the digest of every other entry."""

    path: Path
    bytes: int
    scan_json_sha256: str


def write_package(
    scan: Scan,
    originals: Sequence[tuple[MemberDigest, Path]],
    out: Path,
    codec: PackageCodec = "zstd",
    *,
    keeps_originals: bool = False,
) -> PackageRef:
    """Write the package of ``scan`` to ``out`` (its folder is made), whole or not at all.

    ``originals``: accepted files. A display plane that came as a JPEG is kept as that file, verbatim; every other plane is written
    without loss. Which other files lie in the package says :func:`edge_agent.formats.package_sources.kept_files`; the rest is named
    by its digest. ``codec``: ``zstd`` is fast, ``deflate`` is read by every TIFF viewer, ``jxl`` is the smallest. About 0.4 s for
    2 x 32 MB.

    Raises:
        OSError: the disk refuses; nothing lies at ``out`` then.
    """
    kept = kept_files(scan, originals, keeps_all=keeps_originals)
    entries, images = _encoded(scan, kept, codec)
    preview = preview_bytes(scan)
    if preview is not None:
        entries["preview.jpg"] = preview
    return write_entries(describe(scan, images, kept), entries, out)


def write_entries(content: ScanJson, entries: Mapping[str, bytes], out: Path) -> PackageRef:
    """Write a package of a document and its entries, whole or not at all; the document gets their digests.

    Raises:
        OSError: the disk refuses.
    """
    digests = {name: EntryPart(size=len(data), sha256=_sha256(data)) for name, data in sorted(entries.items())}
    document = content.model_copy(update={"entries": digests}).model_dump_json(indent=1).encode()
    _make_folder(out.parent)
    unfinished = out.with_name(f".{out.name}.part")
    try:
        _write_zip(unfinished, [("mimetype", MIMETYPE), (SCAN_JSON, document), *sorted(entries.items())])
        size = unfinished.stat().st_size
        unfinished.rename(out)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(out.parent)
    return PackageRef(out, size, _sha256(document))


def read_package(source: Path | BinaryIO, limits: Limits | None = None) -> Scan:
    """Read a package and verify every digest in it.

    Raises:
        UnreadableScan: not a package, damaged, or altered.
        LimitExceeded: it announces more pixels than ``limits`` allow.
    """
    return open_package(source, limits or Limits())[1]


def open_package(source: Path | BinaryIO, limits: Limits) -> tuple[ScanJson, Scan]:
    """Read a package as :func:`read_package` does; give its document too."""
    try:
        with zipfile.ZipFile(source) as archive:
            document, data = _verified(archive)
            return document, restore(document, tuple(_view(part, document, data, limits) for part in document.views))
    except _DAMAGE as error:
        raise UnreadableScan("not a readable scan package", {"error": type(error).__name__}) from error


def read_entries(source: Path | BinaryIO) -> tuple[ScanJson, dict[str, bytes]]:
    """Give document and entries of a package, every digest verified and no pixel decoded.

    Raises:
        UnreadableScan: not a package, damaged, or altered.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            document, data = _verified(archive)
            return document, dict(data)
    except _DAMAGE as error:
        raise UnreadableScan("not a readable scan package", {"error": type(error).__name__}) from error


def _encoded(scan: Scan, kept: KeptFiles, codec: PackageCodec) -> tuple[dict[str, bytes], dict[tuple[str, Quantity, Energy], ImagePart]]:
    """Encode each plane; give the entries' bytes by name, kept files among them, and the planes' descriptions."""
    entries = dict(kept.entries)
    images: dict[tuple[str, Quantity, Energy], ImagePart] = {}
    for view in scan.views:
        for plane in view.planes:
            jpeg = kept.jpeg_of(plane)
            stored = _lossless(view, plane, codec) if jpeg is None else _Stored(jpeg, kept.entries[jpeg], levels=0, is_lossy=True)
            entries[stored.entry] = stored.data
            images[key_of(view, plane)] = _image_part(plane, stored)
    return entries, images


@dataclass(frozen=True, slots=True)
class _Stored:
    """A plane as an entry. ``levels``: coarser copies in it."""

    entry: str
    data: bytes
    levels: int
    is_lossy: bool


def _lossless(view: View, plane: Plane, codec: PackageCodec) -> _Stored:
    stem = f"images/{view.name}_{plane.quantity}_{plane.energy}"
    if plane.pixels.ndim == 3:
        return _Stored(f"{stem}.png", png_bytes(plane.pixels), levels=0, is_lossy=False)
    levels = coarser(plane.pixels, is_mean=plane.quantity is not Quantity.MATERIAL)
    return _Stored(f"{stem}.tif", tiff_bytes(plane.pixels, codec, levels), len(levels), is_lossy=False)


def _image_part(plane: Plane, stored: _Stored) -> ImagePart:
    return ImagePart(
        quantity=plane.quantity,
        energy=plane.energy,
        entry=stored.entry,
        rows=plane.size.height,
        cols=plane.size.width,
        channels=1 if plane.pixels.ndim == 2 else 3,
        bits=16 if plane.pixels.dtype == np.uint16 else 8,
        lossy=stored.is_lossy,
        source=plane.origin.role if plane.origin is not None else None,
        source_plane=plane.origin.index if plane.origin is not None else 0,
        levels=stored.levels,
        operations=operation_parts(plane),
        pixel_sha256=_pixel_sha256(plane.pixels),
    )


def _write_zip(path: Path, entries: Sequence[tuple[str, bytes]]) -> None:
    """Write all entries in the given order, stored, with fixed times and modes, and bring them to the disk."""
    with path.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in entries:
                info = zipfile.ZipInfo(name, _FIRST_DAY)
                info.create_system = 3
                info.external_attr = 0o600 << 16
                archive.writestr(info, data)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each name durable before the next.

    A package in a folder that a power cut takes is lost, and the files that it was made from may be gone by then.
    """
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _verified(archive: zipfile.ZipFile) -> tuple[ScanJson, Mapping[str, bytes]]:
    """Read the document and every entry that it names, each against its digest.

    Raises:
        ValueError: an entry is missing, altered, compressed, or not named by the document.
    """
    infos = {info.filename: info for info in archive.infolist()}
    if len(infos) != len(archive.infolist()) or len(infos) > _MAX_ENTRIES:
        raise ValueError("entries twice, or too many")
    if any(info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size for info in infos.values()):
        raise ValueError("a compressed entry")
    if archive.read("mimetype") != MIMETYPE or infos[SCAN_JSON].file_size > _MAX_JSON_BYTES:
        raise ValueError("not a scan package")
    document = ScanJson.model_validate_json(archive.read(SCAN_JSON))
    if set(infos) - {"mimetype", SCAN_JSON} != set(document.entries):
        raise ValueError("entries differ from the document")
    if not document.verbatim <= set(document.entries):
        raise ValueError("an original or attachment is missing")
    return document, dict(_checked(archive, document.entries))


def _checked(archive: zipfile.ZipFile, entries: Mapping[str, EntryPart]) -> Iterator[tuple[str, bytes]]:
    for name, part in entries.items():
        data = archive.read(name)
        if len(data) != part.size or _sha256(data) != part.sha256:
            raise ValueError("an entry was altered")
        yield name, data


def _view(part: ViewPart, document: ScanJson, data: Mapping[str, bytes], limits: Limits) -> View:
    planes = (_plane(image, part, origin_of(image, document.sources), data[image.entry], limits) for image in part.images)
    return view_of(part, tuple(planes))


def _plane(image: ImagePart, view: ViewPart, origin: Origin | None, data: bytes, limits: Limits) -> Plane:
    return Plane(image.quantity, image.energy, decode_image(image, view, data, limits), operations_of(image), origin)


def decode_image(image: ImagePart, view: ViewPart, data: bytes, limits: Limits | None = None) -> Pixels:
    """Decode one plane. The recorded steps are repeated on a verbatim JPEG; its pixels may differ by a level between decoders.

    Raises:
        UnreadableScan, UnsupportedFormat, LimitExceeded: as the codec finds.
        ValueError: the plane is cut off, or differs from what the document says.
    """
    file = io.BytesIO(data)
    codec = codec_of(file)
    header = codec.header(file, len(data)) if codec is not None else None
    if codec is None or header is None or not codec.is_whole(file, len(data)):
        raise ValueError("a plane is cut off")
    admit_header(header, limits or Limits())
    pixels = codec.decode(file, header)
    if image.lossy:
        done = operations_of(image)
        pixels = replay(pixels, done) if done else canonical(pixels, native_of(view))
    elif _pixel_sha256(pixels) != image.pixel_sha256:
        raise ValueError("the pixels differ from their digest")
    if pixels.shape[:2] != (image.rows, image.cols):
        raise ValueError("a plane of another size than the document says")
    return pixels


def _pixel_sha256(pixels: Pixels) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
