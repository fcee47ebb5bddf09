"""What a file that nobody decodes says it is, by its first bytes."""

_OCTETS = "application/octet-stream"
_SIGNATURES = (
    (b"\xff\xd8\xff\xf7", "image/jls"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"BM", "image/bmp"),
    (b"\xff\x0a", "image/jxl"),
    (b"\x00\x00\x00\x0cJXL ", "image/jxl"),
    (b"\x00\x00\x00\x0cjP  ", "image/jp2"),
    (b"PK\x03\x04", "application/zip"),
    (b"%PDF-", "application/pdf"),
    (b"<?xml", "application/xml"),
    (b"\xef\xbb\xbf<", "application/xml"),
    (b"\xff\xfe<\x00", "application/xml"),
    (b"\xfe\xff\x00<", "application/xml"),
    (b"<", "application/xml"),
)


_SUFFIXES = {
    "image/jpeg": "jpg",
    "image/tiff": "tif",
    "image/png": "png",
    "application/zip": "zip",
    "application/pdf": "pdf",
    "application/xml": "xml",
}


def media_type(head: bytes) -> str:
    """Give the media type of a file that begins with ``head`` (16 bytes are enough); ``application/octet-stream`` when unknown."""
    return next((name for signature, name in _SIGNATURES if head.startswith(signature)), _OCTETS)


def suffix(kind: str) -> str:
    """Give the end of the name of a file of a media type, without a dot; ``bin`` for what ordinary programs do not open."""
    return _SUFFIXES.get(kind, "bin")
