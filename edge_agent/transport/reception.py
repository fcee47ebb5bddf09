"""Outbound mode, headquarters' side: a ROUTER socket to which sites connect by themselves, and a way to ask each of them there.

Headquarters is the CURVE server here and lets in the keys of its sites only. A site is addressed by the connection over which it greeted;
every message counts for the site whose key was proved, whatever it says it is, so no site can speak for another.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import zmq

from edge_agent.domain.ids import SiteId
from edge_agent.errors import NotAllowed, PeerError, PeerSilent
from edge_agent.transport.keys import KeyPair
from edge_agent.transport.link import unless_refused
from edge_agent.transport.sockets import SYNC_DOMAIN, Context, ServerSecurity, bind, bound_endpoint
from edge_agent.transport.zap import Refusal, ZapProvider
from edge_agent.wire.frames import Envelope, decode_envelope, encode_envelope
from edge_agent.wire.verbs import GREETING_ID, HelloReply, PongReply, Verb, content, read, refusal


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question under way: over which connection, and who waits for the answer; None: it must be asked over another one."""

    route: bytes
    answer: asyncio.Future[Envelope | None]


class Reception:
    """Bound at once; :meth:`serve` must run while anything is asked."""

    def __init__(
        self, context: Context, endpoint: str, keys: KeyPair, sites: Mapping[str, SiteId], report: Callable[[Refusal], None]
    ) -> None:
        """``sites``: who is let in, by public key. ``report`` hears of every key that is not.

        Raises:
            ConfigInvalid: the address cannot be bound.
        """
        self._sites = dict(sites)
        self._zap = ZapProvider(context, self, frozenset({SYNC_DOMAIN}), report)
        self._socket = bind(context, zmq.ROUTER, endpoint, ServerSecurity(keys), SYNC_DOMAIN)
        self._numbers = itertools.count(GREETING_ID + 1 + secrets.randbits(48))
        self._routes: dict[SiteId, bytes] = {}
        self._came = asyncio.Event()
        self._asked: dict[tuple[SiteId, int], _Asked] = {}

    @property
    def endpoint(self) -> str:
        return bound_endpoint(self._socket)

    def admit(self, public: str) -> SiteId:
        """Give the site behind a key.

        Raises:
            NotAllowed: it is no site's.
        """
        site = self._sites.get(public)
        if site is None:
            raise NotAllowed("this key is no site's")
        return site

    async def serve(self) -> None:
        """Let sites in and take what they say, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._zap.serve())
            tasks.create_task(self._listen())

    def link(self, site: SiteId) -> "CalledLink":
        """Give the way to ask ``site``."""
        return CalledLink(self, site)

    async def ask(self, site: SiteId, verb: str, body: dict[str, Any]) -> Envelope:
        """Ask ``site`` as soon as it is connected, and again when it connects anew; wait for its answer without end."""
        request = Envelope(verb, next(self._numbers), body)
        key, answer = (site, request.request_id), None
        while answer is None:
            route = await self._route(site)
            if await self._send(site, route, request):
                self._asked[key] = asked = _Asked(route, asyncio.get_running_loop().create_future())
                try:
                    answer = await asked.answer
                finally:
                    del self._asked[key]
        return answer

    def close(self) -> None:
        self._socket.close(0)
        self._zap.close()

    async def _listen(self) -> None:
        while True:
            route, *frames = await self._socket.recv_multipart(copy=False)
            await asyncio.sleep(0)  # a site that only sends must not keep this loop to itself
            try:
                site = self.admit(str(frames[0].get("User-Id")) if frames else "")
                said = decode_envelope([frame.bytes for frame in frames])
            except PeerError:
                continue  # no message of this protocol: whoever waits for an answer asks again
            if said.request_id == GREETING_ID:
                await self._greeted(site, bytes(route.bytes), said)
            elif (asked := self._asked.get((site, said.request_id))) is not None and not asked.answer.done():
                asked.answer.set_result(said)

    async def _greeted(self, site: SiteId, route: bytes, said: Envelope) -> None:
        """Note where a site can be asked from now on, and say that it was heard."""
        try:
            hello = read(HelloReply, said.content)
            if hello.site != site:
                raise NotAllowed(f"this key is not the one of {hello.site}", {"site": hello.site})
        except PeerError as problem:
            reply = Envelope(Verb.ERR, GREETING_ID, content(refusal(problem)))
        else:
            self._moved(site, route)
            reply = Envelope(Verb.PONG, GREETING_ID, content(PongReply(epoch=hello.epoch, head=hello.head)))
        await self._send(site, route, reply)

    def _moved(self, site: SiteId, route: bytes) -> None:
        """Put another connection in the place of the one before; what was asked there is asked again."""
        self._routes[site] = route
        came, self._came = self._came, asyncio.Event()
        came.set()
        for (whose, _), asked in self._asked.items():
            if whose == site and asked.route != route and not asked.answer.done():
                asked.answer.set_result(None)

    async def _route(self, site: SiteId) -> bytes:
        """Give the connection of a site, as soon as there is one."""
        while site not in self._routes:
            came = self._came
            await came.wait()
        return self._routes[site]

    async def _send(self, site: SiteId, route: bytes, message: Envelope) -> bool:
        """Send over a connection; tell whether it is still there. A site that does not read is not waited for either."""
        try:
            await self._socket.send_multipart([route, *encode_envelope(message)], flags=zmq.NOBLOCK)
        except zmq.ZMQError:
            if self._routes.get(site) == route:
                del self._routes[site]
            return False
        return True


class CalledLink:
    """Asks one site over the connection that the site made. Satisfies ``collector.puller.Link``."""

    def __init__(self, reception: Reception, site: SiteId) -> None:
        self._reception = reception
        self._site = site

    async def request(self, verb: str, content: dict[str, Any], timeout_s: float) -> Envelope:
        """Send a request and give its reply.

        Raises:
            PeerSilent: the site is not connected, or gave no answer in ``timeout_s``.
            PeerError: the leaf that the site's ERR names.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return unless_refused(await self._reception.ask(self._site, verb, content))
        except TimeoutError as problem:
            raise PeerSilent(f"{self._site} is not connected or does not answer", {"timeout_s": timeout_s}) from problem
