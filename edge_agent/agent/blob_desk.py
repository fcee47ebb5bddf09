"""What the site answers on BLOB: stored pictures and maps in chunks, and tiles of stored planes. Whoever looks is journalled first."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from edge_agent.agent.ports import PictureStore
from edge_agent.agent.shelf import Shelf, digest
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import ScanId, SiteId
from edge_agent.errors import MalformedMessage, UnknownBlob, UnknownScan
from edge_agent.ledger.audit import About, audit_entry
from edge_agent.ledger.records import Packed
from edge_agent.transport.desk import Peer
from edge_agent.transport.keys import Consumer
from edge_agent.wire.frames import Envelope
from edge_agent.wire.messages import CodeParams
from edge_agent.wire.pictures import BlobRequest, ChunkReply, PlanesReply, PlanesRequest, TileRequest
from edge_agent.wire.verbs import PingRequest, PongReply, Verb, content, read

VIEWED = "viewed"
_TILE_TYPES = {"png": "image/png", "deflate": "application/octet-stream"}
_MOST_REMEMBERED = 4096


class PictureDesk:
    """Answers enrolled peers; each request by one message, so a reader's open requests are its credit."""

    def __init__(self, store: PictureStore, shelf: Shelf, site: SiteId, clock: Clock, committed: Callable[[], None]) -> None:
        """Take the ledger, the pictures, and whom to tell that a fact was committed."""
        self._store = store
        self._shelf = shelf
        self._site = site
        self._clock = clock
        self._committed = committed
        self._journalled: OrderedDict[str, None] = OrderedDict()
        self._verbs: dict[str, Callable[[Peer, Envelope], Awaitable[Envelope]]] = {
            Verb.BLOB: self._blob,
            Verb.PLANES: self._planes,
            Verb.TILE: self._tile,
            Verb.PING: self._ping,
        }

    async def answer(self, peer: Peer, request: Envelope) -> Envelope:
        """Answer one request.

        Raises:
            PeerError: the leaf to send back as ERR.
        """
        verb = self._verbs.get(request.verb)
        if verb is None:
            raise MalformedMessage("this socket does not know the verb")
        if request.rows or request.attachment is not None:
            raise MalformedMessage("a request carries nothing but its fields")
        return await verb(peer, request)

    async def _blob(self, peer: Peer, request: Envelope) -> Envelope:
        asked = read(BlobRequest, request.content)
        named = await self._store.named_blob(asked.sha256)
        if named is None:
            raise UnknownBlob("no fact of this site names such a blob")
        await self._journal_view(peer.consumer, named.scan_id, named.revision)
        data = await self._shelf.blob(asked.sha256, asked.offset, asked.length)
        reply = ChunkReply(sha256=asked.sha256, bytes=named.ref.bytes, offset=asked.offset, media_type=named.ref.media_type)
        return Envelope(Verb.CHUNK, request.request_id, content(reply), attachment=data)

    async def _planes(self, _peer: Peer, request: Envelope) -> Envelope:
        asked = read(PlanesRequest, request.content)
        planes = await self._shelf.planes(await self._package(asked.scan_id, asked.revision))
        reply = PlanesReply(scan_id=asked.scan_id, revision=asked.revision, planes=planes)
        return Envelope(Verb.PLANES, request.request_id, content(reply))

    async def _tile(self, peer: Peer, request: Envelope) -> Envelope:
        asked = read(TileRequest, request.content)
        packed = await self._package(asked.scan_id, asked.revision)
        await self._journal_view(peer.consumer, packed.scan_id, packed.revision)
        data = await self._shelf.tile(packed, asked)
        reply = ChunkReply(sha256=digest(data), bytes=len(data), offset=0, media_type=_TILE_TYPES[asked.encoding])
        return Envelope(Verb.CHUNK, request.request_id, content(reply), attachment=data)

    async def _ping(self, _peer: Peer, request: Envelope) -> Envelope:
        read(PingRequest, request.content)
        head = await self._store.head()
        return Envelope(Verb.PONG, request.request_id, content(PongReply(epoch=head.epoch.hex(), head=head.seq)))

    async def _package(self, scan_id: str, revision: int) -> Packed:
        packed = await self._store.package_of(ScanId(scan_id), revision)
        if packed is None:
            raise UnknownScan("no planes of such a scan are stored here", {"scan_id": scan_id, "revision": revision})
        return packed

    async def _journal_view(self, consumer: Consumer, scan: ScanId, revision: int) -> None:
        """Journal, once an hour, that a workstation looks at a revision; what cannot be journalled is not shown."""
        now = self._clock.now()
        cause = f"{VIEWED} {consumer.name} r{revision} {now:%Y-%m-%dT%H}"
        remembered = f"{scan} {cause}"
        if remembered in self._journalled:
            return
        event = CodeParams(code=VIEWED, params={"workstation": consumer.name, "revision": revision})
        appended = await self._store.append(audit_entry(self._site, event, cause, now, About(scan)))
        if appended.is_new:
            self._committed()
        self._journalled[remembered] = None
        while len(self._journalled) > _MOST_REMEMBERED:
            self._journalled.popitem(last=False)
