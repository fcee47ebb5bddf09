"""LIVE, the site's side: an XPUB socket that sends committed rows and heartbeats, and never waits for a slow reader."""

import asyncio
from collections.abc import Callable, Sequence

import zmq

from edge_agent.domain.ids import SiteId
from edge_agent.transport.handshakes import HandshakeMonitor
from edge_agent.transport.sockets import LIVE_DOMAIN, Context, InsecureLoopback, ServerSecurity, bind, bound_endpoint, rebind
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import encode_live
from edge_agent.wire.heartbeat import INTERVAL_S, Heartbeat, encode_heartbeat

_MIN_GAP_S = 0.02  # whatever readers do, no more than fifty heartbeats a second
_DRAIN = 256


class LivePublisher:
    """Sends to whoever subscribed. Losses are allowed here: sequence numbers show them and PULL repairs them."""

    def __init__(self, context: Context, site: SiteId, endpoint: str, security: ServerSecurity | InsecureLoopback) -> None:
        """Bind ``endpoint``.

        Raises:
            ConfigInvalid: the address cannot be bound.
        """
        self._site = site
        self._socket = bind(context, zmq.XPUB, endpoint, security, LIVE_DOMAIN)

    @property
    def endpoint(self) -> str:
        return bound_endpoint(self._socket)

    async def publish(self, rows: Sequence[JournalRow]) -> None:
        """Send committed rows in their order. XPUB drops for a reader whose queue is full; it never blocks the others."""
        for row in rows:
            await self._socket.send_multipart(encode_live(row))

    async def heartbeat(self, content: Heartbeat) -> None:
        """Send one heartbeat."""
        await self._socket.send_multipart(encode_heartbeat(self._site, content))

    async def beat(self, content: Callable[[], Heartbeat]) -> None:
        """Send a heartbeat each second, and at once when somebody subscribes, until cancelled."""
        while True:
            await self.heartbeat(content())
            await asyncio.sleep(_MIN_GAP_S)
            await self._subscription(INTERVAL_S - _MIN_GAP_S)

    def handshakes(self, context: Context) -> HandshakeMonitor:
        """Watch handshakes that fail."""
        return HandshakeMonitor(context, self._socket)

    async def kick(self) -> None:
        """End every connection, for a key that is no longer let in goes on listening on one that is open.

        The others come back by themselves and pull what they missed.
        """
        await rebind(self._socket)

    def close(self) -> None:
        self._socket.close(0)

    async def _subscription(self, within_s: float) -> None:
        """Wait until a reader changes its subscriptions, at most ``within_s``; take what is there, one heartbeat answers it all."""
        if await self._socket.poll(int(within_s * 1000)):
            for _ in range(_DRAIN):
                await self._socket.recv_multipart()
                if not await self._socket.poll(0):
                    break
