"""Planes of a package once more from the originals in it: the recorded steps, carried out on what the scanner wrote."""

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edge_agent.domain.profile import Limits
from edge_agent.domain.scan import Plane, Scan
from edge_agent.errors import UnreadableScan
from edge_agent.formats.catalogue import codec_of
from edge_agent.formats.codec import Codec, Pixels, decode_planes
from edge_agent.formats.limits import admit_header
from edge_agent.formats.package import open_package, read_entries
from edge_agent.formats.package_model import ScanJson
from edge_agent.formats.raw import RawCodec
from edge_agent.imaging.normalise import replay

_PACKAGE = ".zip"
_DAMAGE = (OSError, ValueError, KeyError, IndexError, RuntimeError, struct.error)


def replay_originals(source: Path | BinaryIO, scan: Scan, limits: Limits) -> int:
    """Compare every plane of ``scan``, as read from the package ``source``, with what its original in there gives.

    Give how many planes had theirs. A plane that is its original (a verbatim JPEG) or whose original is not in there is passed over.

    Raises:
        UnreadableScan: an original cannot be read, or gives other pixels.
        LimitExceeded: it announces more than ``limits`` allow.
    """
    document, entries = read_entries(source)
    compared = 0
    for part, view in zip(document.views, scan.views, strict=True):
        for image, plane in zip(part.images, view.planes, strict=True):
            again = None if image.lossy else recomputed(document, entries, plane, limits)
            if again is not None and not np.array_equal(again, plane.pixels):
                raise UnreadableScan("a plane is not what its original gives", {"view": view.name, "role": image.source or ""})
            compared += again is not None
    return compared


def recomputed(document: ScanJson, entries: Mapping[str, bytes], plane: Plane, limits: Limits) -> Pixels | None:
    """Give a plane made anew from its original among ``entries``; None when that is not there.

    Raises:
        UnreadableScan, UnsupportedFormat, LimitExceeded: as the decoder finds.
    """
    origin = plane.origin
    names = [source.entry for source in document.sources if origin is not None and source.role == origin.role]
    if origin is None or not names or names[0] is None:
        return None
    file = io.BytesIO(entries[names[0]])
    try:
        if names[0].endswith(_PACKAGE):
            return _from_package(file, origin.index, limits)
        count = len({image.source_plane for view in document.views for image in view.images if image.source == origin.role})
        codec: Codec | None = RawCodec(origin.layout, count) if origin.layout is not None else codec_of(file)
        return replay(_decoded(file, codec, limits)[origin.index], plane.operations)
    except _DAMAGE as error:
        raise UnreadableScan("an original in the package cannot be read", {"error": type(error).__name__}) from error


def _from_package(file: BinaryIO, index: int, limits: Limits) -> Pixels:
    """Give a plane of a package inside a package, which must come from its own originals too."""
    _, scan = open_package(file, limits)
    replay_originals(file, scan, limits)
    return [plane for view in scan.views for plane in view.planes][index].pixels


def _decoded(file: BinaryIO, codec: Codec | None, limits: Limits) -> tuple[Pixels, ...]:
    size = file.seek(0, io.SEEK_END)
    header = codec.header(file, size) if codec is not None else None
    if codec is None or header is None or not codec.is_whole(file, size):
        raise UnreadableScan("an original in the package is cut off")
    admit_header(header, limits)
    return decode_planes(codec, file, header)
