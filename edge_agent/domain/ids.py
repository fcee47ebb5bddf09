"""Names of things: typed strings, and the two identities that are computed.

``scan_id`` and ``fact_id`` are UUIDs of version 5 (RFC 9562) over an unambiguous JSON array, so the same input gives the same
identity after any restart, and a repeated fact is a no-op.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable
from typing import NewType

SiteId = NewType("SiteId", str)
ScannerId = NewType("ScannerId", str)
DropKey = NewType("DropKey", str)
ScanId = NewType("ScanId", str)
FactId = NewType("FactId", str)
Token = NewType("Token", str)
Commitment = NewType("Commitment", str)
Seq = NewType("Seq", int)

_NAMESPACE = uuid.UUID("6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11")


def content_digest(pixel_members: Iterable[tuple[str, str]]) -> str:
    """Give the SHA-256 (hex) over the sorted (role, sha256) pairs of the pixel-carrying members."""
    return hashlib.sha256(_array(*(list(pair) for pair in sorted(pixel_members)))).hexdigest()


def scan_id(site: SiteId, scanner: ScannerId, drop_key: DropKey, first_content_digest: str) -> ScanId:
    """Give the identity of a scan from its first accepted pixels; later revisions keep it."""
    return ScanId(str(uuid.uuid5(_NAMESPACE, _array(site, scanner, drop_key, first_content_digest).decode())))


def fact_id(subject: ScanId | SiteId, kind: str, revision: int, cause: str) -> FactId:
    """Give the identity of a fact about a scan, or about the site itself (then ``subject`` is the site)."""
    return FactId(str(uuid.uuid5(_NAMESPACE, _array(subject, kind, revision, cause).decode())))


def _array(*parts: object) -> bytes:
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=True).encode()
