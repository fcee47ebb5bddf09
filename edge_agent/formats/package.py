"""Our scan package ``*.scan.zip``: a write-once ZIP without compression of its own, one picture file a plane, ``scan.json``.

The bytes depend on the scan, its originals and the codec only. Assessments are facts of the journal and never enter a package;
neither do side-cars, which hold personal data.
"""

import hashlib
import io
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
from pydantic import ValidationError

from edge_agent.domain.member import MemberDigest
from edge_agent.domain.profile import Limits
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, View
from edge_agent.errors import UnreadableScan
from edge_agent.formats.assemble import canonical
from edge_agent.formats.catalogue import codec_of
from edge_agent.formats.codec import Pixels
from edge_agent.formats.encode import png_bytes, tiff_bytes
from edge_agent.formats.limits import admit_header
from edge_agent.formats.package_model import EntryPart, ImagePart, ScanJson, ViewPart, describe, key_of, restore
from edge_agent.formats.preview import preview_bytes

PackageCodec: TypeAlias = Literal["zstd", "deflate"]

MIMETYPE: Final = b"application/vnd.nii-scan+zip;version=1"
_JPEG_MAGIC = b"\xff\xd8\xff"
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest a ZIP can say: real times would make equal scans differ
_MAX_ENTRIES = 64
_MAX_JSON_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class PackageRef:
    """A written package: its path, SHA-256 (hex) and size, and the SHA-256 of its ``scan.json``, under which facts refer to it."""

    path: Path
    sha256: str
    bytes: int
    scan_json_sha256: str


def write_package(scan: Scan, originals: Sequence[tuple[MemberDigest, Path]], out: Path, codec: PackageCodec = "zstd") -> PackageRef:
    """Write the package of ``scan`` to ``out`` (its folder is made), whole or not at all.

    ``originals``: accepted pixel files. A display plane whose only possible original is one JPEG is kept as that file, verbatim;
    every other plane is written without loss, and its original only named by its digest. About 0.3 s for 2 x 32 MB.

    Raises:
        OSError: the disk refuses; nothing lies at ``out`` then.
    """
    entries, images = _encoded(scan, originals, codec)
    preview = preview_bytes(scan)
    if preview is not None:
        entries["preview.jpg"] = preview
    digests = {name: EntryPart(size=len(data), sha256=_sha256(data)) for name, data in sorted(entries.items())}
    document = describe(scan, images, digests).model_dump_json(indent=1).encode()
    out.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = out.with_name(f".{out.name}.part")
    try:
        _write_zip(unfinished, [("mimetype", MIMETYPE), ("scan.json", document), *sorted(entries.items())])
        digest = _sha256(unfinished.read_bytes())
        size = unfinished.stat().st_size
        unfinished.rename(out)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(out.parent)
    return PackageRef(out, digest, size, _sha256(document))


def read_package(path: Path, limits: Limits | None = None) -> Scan:
    """Read a package and verify every digest in it.

    Raises:
        UnreadableScan: not a package, damaged, or altered.
        LimitExceeded: it announces more pixels than ``limits`` allow.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            document, data = _verified(archive)
            return restore(document, tuple(_view(part, data, limits or Limits()) for part in document.views))
    except (OSError, zipfile.BadZipFile, ValidationError, ValueError, KeyError, RuntimeError, EOFError, struct.error) as error:
        raise UnreadableScan("not a readable scan package", {"error": type(error).__name__}) from error


def _encoded(
    scan: Scan, originals: Sequence[tuple[MemberDigest, Path]], codec: PackageCodec
) -> tuple[dict[str, bytes], dict[tuple[str, Quantity, Energy], ImagePart]]:
    """Encode each plane; give the entries' bytes by name, and the planes' descriptions."""
    verbatim = _verbatim_jpeg(scan, originals)
    entries: dict[str, bytes] = {}
    images: dict[tuple[str, Quantity, Energy], ImagePart] = {}
    for view in scan.views:
        for plane in view.planes:
            is_lossy = verbatim is not None and plane.quantity is Quantity.DISPLAY
            if is_lossy and verbatim is not None:
                name, data = verbatim
            else:
                name, data = _lossless(view, plane, codec)
            entries[name] = data
            images[key_of(view, plane)] = _image_part(plane, name, is_lossy=is_lossy)
    return entries, images


def _verbatim_jpeg(scan: Scan, originals: Sequence[tuple[MemberDigest, Path]]) -> tuple[str, bytes] | None:
    """Give entry name and bytes of the JPEG that the scan's one display plane came from; None if there is not exactly one of each."""
    displays = [plane for view in scan.views for plane in view.planes if plane.quantity is Quantity.DISPLAY]
    jpegs = []
    for member, path in originals:
        if member.is_pixels and _starts_as_jpeg(path):
            jpegs.append((f"source/{member.role}.jpg", path))
    if len(displays) != 1 or len(jpegs) != 1:
        return None
    name, path = jpegs[0]
    return name, path.read_bytes()


def _starts_as_jpeg(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_JPEG_MAGIC)) == _JPEG_MAGIC


def _lossless(view: View, plane: Plane, codec: PackageCodec) -> tuple[str, bytes]:
    stem = f"images/{view.name}_{plane.quantity}_{plane.energy}"
    if plane.pixels.ndim == 3:
        return f"{stem}.png", png_bytes(plane.pixels)
    return f"{stem}.tif", tiff_bytes(plane.pixels, codec)


def _image_part(plane: Plane, entry: str, *, is_lossy: bool) -> ImagePart:
    return ImagePart(
        quantity=plane.quantity,
        energy=plane.energy,
        entry=entry,
        rows=plane.size.height,
        cols=plane.size.width,
        channels=1 if plane.pixels.ndim == 2 else 3,
        bits=16 if plane.pixels.dtype == np.uint16 else 8,
        lossy=is_lossy,
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
    if archive.read("mimetype") != MIMETYPE or infos["scan.json"].file_size > _MAX_JSON_BYTES:
        raise ValueError("not a scan package")
    document = ScanJson.model_validate_json(archive.read("scan.json"))
    if set(infos) - {"mimetype", "scan.json"} != set(document.entries):
        raise ValueError("entries differ from the document")
    return document, dict(_checked(archive, document.entries))


def _checked(archive: zipfile.ZipFile, entries: Mapping[str, EntryPart]) -> Iterator[tuple[str, bytes]]:
    for name, part in entries.items():
        data = archive.read(name)
        if len(data) != part.size or _sha256(data) != part.sha256:
            raise ValueError("an entry was altered")
        yield name, data


def _view(part: ViewPart, data: Mapping[str, bytes], limits: Limits) -> View:
    planes = tuple(Plane(image.quantity, image.energy, _pixels(image, part, data[image.entry], limits)) for image in part.images)
    return View(part.name, planes, part.pitch_mm, part.pitch_assumed, part.native)


def _pixels(image: ImagePart, view: ViewPart, data: bytes, limits: Limits) -> Pixels:
    """Decode one plane. A verbatim JPEG is turned into the canonical frame; its pixels may differ by a level between decoders."""
    file = io.BytesIO(data)
    codec = codec_of(file)
    header = codec.header(file, len(data)) if codec is not None else None
    if codec is None or header is None or not codec.is_whole(file, len(data)):
        raise ValueError("a plane is cut off")
    admit_header(header, limits)
    pixels = codec.decode(file, header)
    if image.lossy:
        pixels = canonical(pixels, view.native)
    elif _pixel_sha256(pixels) != image.pixel_sha256:
        raise ValueError("the pixels differ from their digest")
    if pixels.shape[:2] != (image.rows, image.cols):
        raise ValueError("a plane of another size than the document says")
    return pixels


def _pixel_sha256(pixels: Pixels) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
