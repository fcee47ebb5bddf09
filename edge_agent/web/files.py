"""Static files: read once at the start into memory, so that no address can reach anything else on the disk.

Everything under one digest of the whole tree is kept by browsers for ever: ``/static/DIGEST/console/main.js``. Pages are served with their
``/static/`` addresses led there; modules import each other by relative paths and stay under the digest. The same files without the digest
are asked for again each time (ETag).
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from edge_agent.errors import AddressUnknown

MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
_PAGE = ".html"
_COMPRESSED = (".js", ".css", ".json", ".svg", ".md", ".txt")
_SMALLEST_COMPRESSED = 1024
_PUBLIC_FOR_EVER = "public, max-age=31536000, immutable"
_STATIC = re.compile(rb'(["\'])/static/')


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent. ``compressed``: the same by gzip, where that is worth it."""

    content: bytes
    compressed: bytes | None
    media_type: str
    tag: str


class Assets:
    """All static files under a folder, and its pages (``.html``), which are served by name and not as files."""

    def __init__(self, root: Traversable) -> None:
        contents = dict(sorted(_walk(root, "")))
        whole = hashlib.sha256(repr([(name, hashlib.sha256(content).digest()) for name, content in contents.items()]).encode())
        self.digest = whole.hexdigest()[:16]
        self._assets = {name: _asset(name, content) for name, content in contents.items() if _suffix(name) in MEDIA_TYPES}
        lead = rb"\1/static/" + self.digest.encode() + b"/"
        self._pages = {name: _STATIC.sub(lead, content) for name, content in contents.items() if _suffix(name) == _PAGE}

    def page(self, name: str) -> Response:
        """Give the page in the file ``name``, such as ``console/index.html``.

        Raises:
            AddressUnknown: there is none.
        """
        content = self._pages.get(name)
        if content is None:
            raise AddressUnknown("no such page")
        return Response(content, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})

    async def file(self, request: Request, path: str) -> Response:
        """Answer a request for a file, with the digest before its path or without.

        Raises:
            AddressUnknown: there is none.
        """
        name = path.removeprefix(self.digest + "/")
        asset = self._assets.get(name)
        if asset is None:
            raise AddressUnknown("no such file")
        headers = {"ETag": asset.tag, "Cache-Control": "no-cache" if name == path else _PUBLIC_FOR_EVER, "Vary": "Accept-Encoding"}
        if asset.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if asset.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(asset.compressed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})
        return Response(asset.content, media_type=asset.media_type, headers=headers)


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _walk(entry, name + "/")
        elif _suffix(name) in MEDIA_TYPES or _suffix(name) == _PAGE:
            found.append((name, entry.read_bytes()))
    return found


def _suffix(name: str) -> str:
    return "." + name.rpartition(".")[2]


def _asset(name: str, content: bytes) -> Asset:
    is_worth_it = _suffix(name) in _COMPRESSED and len(content) >= _SMALLEST_COMPRESSED
    compressed = gzip.compress(content, 6, mtime=0) if is_worth_it else None
    return Asset(content, compressed, MEDIA_TYPES[_suffix(name)], f'W/"{hashlib.sha256(content).hexdigest()[:32]}"')
