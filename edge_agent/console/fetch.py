"""Pictures of a site: blobs by their SHA-256 and tiles of stored planes, asked for in pieces over a few connections."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge_agent.domain.ids import ScanId
from edge_agent.errors import MalformedMessage
from edge_agent.transport.link import Retry, SyncLink
from edge_agent.transport.sockets import ClientSecurity, Context, InsecureLoopback
from edge_agent.wire.frames import Envelope
from edge_agent.wire.pictures import BlobRequest, ChunkReply, PlanesReply, PlanesRequest, TileRequest
from edge_agent.wire.verbs import Request, Verb, content, read

_TIMEOUT_S = 10.0
_LINES = 4
"""Requests under way at once. The site lets one connection have eight: this console can never ask for more than it takes."""
MAX_BLOB_BYTES = 32 << 20


class Pictures:
    """Fetches from one site's BLOB socket. May be asked by many tasks at once: they share ``_LINES`` connections."""

    def __init__(self, context: Context, endpoint: str, security: ClientSecurity | InsecureLoopback) -> None:
        self._free: asyncio.LifoQueue[SyncLink] = asyncio.LifoQueue()
        self._links = [SyncLink(context, endpoint, security, Retry(attempts=2)) for _ in range(_LINES)]
        for link in self._links:
            self._free.put_nowait(link)

    async def blob(self, sha256: str) -> bytes:
        """Give the bytes whose digest is ``sha256``: altered or mixed-up ones are never given.

        Raises:
            UnknownBlob, BlobGone: the site has none of that name (any more). NotAllowed: not for this role.
            PeerSilent: no answer. MalformedMessage: not the bytes that were asked for.
        """
        first, total = await self._chunk(sha256, 0)
        if not 0 < total <= MAX_BLOB_BYTES:
            raise MalformedMessage("a blob of a size that is not fetched", {"bytes": total, "limit": MAX_BLOB_BYTES})
        parts = bytearray(first)
        while len(parts) < total:
            more, _ = await self._chunk(sha256, len(parts))
            parts += more
        if hashlib.sha256(parts).hexdigest() != sha256:
            raise MalformedMessage("the bytes are not the ones that were asked for")
        return bytes(parts)

    async def planes(self, scan: ScanId, revision: int) -> PlanesReply:
        """Give which planes of a revision are stored, with their sizes and the levels that tiles are cut from.

        Raises:
            UnknownScan, UnknownBlob: none. NotAllowed, PeerSilent, MalformedMessage.
        """
        reply = await self._ask(Verb.PLANES, PlanesRequest(scan_id=scan, revision=revision))
        return read(PlanesReply, reply.content)

    async def tile(self, request: TileRequest) -> bytes:
        """Give one tile of a plane, encoded as asked, at most 512 x 512 px.

        Raises:
            UnknownScan, UnknownBlob, BlobGone: no such tile. NotAllowed, PeerSilent, MalformedMessage.
        """
        reply = await self._ask(Verb.TILE, request)
        chunk = read(ChunkReply, reply.content)
        data = reply.attachment or b""
        if len(data) != chunk.bytes or hashlib.sha256(data).hexdigest() != chunk.sha256:
            raise MalformedMessage("a tile that is damaged", {"bytes": len(data)})
        return data

    def close(self) -> None:
        for link in self._links:
            link.close()

    async def _chunk(self, sha256: str, offset: int) -> tuple[bytes, int]:
        reply = await self._ask(Verb.BLOB, BlobRequest(sha256=sha256, offset=offset))
        chunk = read(ChunkReply, reply.content)
        data = reply.attachment or b""
        if chunk.sha256 != sha256 or chunk.offset != offset or not 0 < len(data) <= chunk.bytes - offset:
            raise MalformedMessage("a piece of another blob or place", {"offset": chunk.offset, "wanted": offset})
        return data, chunk.bytes

    async def _ask(self, verb: Verb, request: Request) -> Envelope:
        async with self._line() as link:
            return await link.request(verb, content(request), _TIMEOUT_S)

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[SyncLink]:
        link = await self._free.get()
        try:
            yield link
        finally:
            self._free.put_nowait(link)
