"""JPEG files without what cameras and programs write beside the picture: names, places, comments, thumbnails. Pixels stay as they are."""

from edge_agent.errors import UnreadableScan

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_JFIF, _ADOBE = (0xE0, b"JFIF\0"), (0xEE, b"Adobe")  # these two say how colours are to be read
_BARE = (0x01, *range(0xD0, 0xD8))
_JFIF_BYTES = 14  # identifier, version, density, size of the thumbnail; the thumbnail itself is left out


def without_metadata(data: bytes) -> bytes:
    """Give the same picture without application segments, comments and thumbnails.

    Everything from the first scan on is kept as it is, up to the end marker; what follows that is dropped.

    Raises:
        UnreadableScan: no JPEG, or cut off before its first scan.
    """
    if data[:2] != bytes((0xFF, _START)):
        raise UnreadableScan("not a JPEG")
    kept, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _BARE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _SCAN:
            end = data.rfind(bytes((0xFF, _END)))
            if end < at:
                raise UnreadableScan("a JPEG without its end")
            return b"".join((*kept, data[at : end + 2]))
        length = int.from_bytes(data[at + 2 : at + 4])
        kept.append(_kept(marker, data[at : at + 2 + length]))
        at += 2 + length
    raise UnreadableScan("a JPEG without a scan")


def _kept(marker: int, segment: bytes) -> bytes:
    """Give what stays of a segment: all of those that describe the picture, nothing of the others."""
    if not 0xE0 <= marker <= 0xEF and marker != _COMMENT:
        return segment
    content = segment[4:]
    if marker == _JFIF[0] and content.startswith(_JFIF[1]) and len(content) >= _JFIF_BYTES:
        return bytes((0xFF, marker)) + (_JFIF_BYTES + 2).to_bytes(2) + content[: _JFIF_BYTES - 2] + b"\0\0"
    return segment if marker == _ADOBE[0] and content.startswith(_ADOBE[1]) else b""
