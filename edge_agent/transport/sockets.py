"""Options of every socket, in one place, with the reason beside each.

ZMTP heartbeats are never set: on libzmq 4.3.5 a full receive queue with heartbeats on aborts the whole process. Our own
heartbeats and TCP keepalive do their work.
"""

import asyncio
import errno
from dataclasses import dataclass

import zmq
import zmq.asyncio

from edge_agent.errors import ConfigInvalid
from edge_agent.transport.endpoints import is_loopback, readable
from edge_agent.transport.keys import KeyPair, is_key

MAX_MESSAGE_BYTES = 1 << 20
_MAX_SUBSCRIPTION_BYTES = 4096
LIVE_DOMAIN = "live"
SYNC_DOMAIN = "sync"
BLOB_DOMAIN = "blob"
DOMAINS = frozenset({LIVE_DOMAIN, SYNC_DOMAIN, BLOB_DOMAIN})
_HANDSHAKE_MS = 5000
_RECONNECT_FIRST_MS = 100
_RECONNECT_LAST_MS = 5000
_REBIND_TRIES = 100
_MOST_PINNED = 2
_REBIND_PAUSE_S = 0.005

Socket = zmq.asyncio.Socket
Context = zmq.asyncio.Context


@dataclass(frozen=True, slots=True)
class InsecureLoopback:
    """No CURVE at all. Refused for any address that is not loopback."""


@dataclass(frozen=True, slots=True)
class ServerSecurity:
    """CURVE server with its own key pair; the ZAP provider decides about every client."""

    keys: KeyPair


class ClientSecurity:
    """CURVE client: own key pair and the pinned public keys of the server, shown to it one at a time.

    There are two while a server changes its key. All links of a client share this object: what one finds out holds for all.
    """

    def __init__(self, keys: KeyPair, *server_keys: str) -> None:
        """Pin at least one key; the first is tried first."""
        self.keys = keys
        self._pinned = list(server_keys)

    @property
    def server_key(self) -> str:
        """Give the key to try now."""
        return self._pinned[0]

    @property
    def pinned(self) -> int:
        """How many keys are believed."""
        return len(self._pinned)

    def believe(self, server_key: str) -> None:
        """Pin one more key, which the server itself announced over a connection that proved a pinned one."""
        if is_key(server_key) and server_key not in self._pinned:
            del self._pinned[_MOST_PINNED - 1 :]  # keys that were announced before and never came
            self._pinned.append(server_key)

    def turn_from(self, server_key: str) -> None:
        """Try the next key, unless another link turned already: ``server_key`` did not work."""
        if self._pinned[0] == server_key:
            self._pinned.append(self._pinned.pop(0))


def bind(context: Context, kind: zmq.SocketType, endpoint: str, security: ServerSecurity | InsecureLoopback, domain: str) -> Socket:
    """Give a bound XPUB (LIVE) or ROUTER (SYNC, BLOB) socket with the options of its domain.

    Raises:
        ConfigInvalid: the address is in use or not of this machine, or insecure and not loopback.
    """
    if isinstance(security, InsecureLoopback) and not is_loopback(endpoint):
        raise ConfigInvalid(f"insecure_loopback_only refuses {endpoint}")
    socket = context.socket(kind)
    _common(socket)
    if isinstance(security, ServerSecurity):
        socket.set(zmq.CURVE_SERVER, 1)
        socket.set(zmq.CURVE_SECRETKEY, security.keys.secret.encode())
        socket.set(zmq.ZAP_DOMAIN, domain.encode())
        socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without it a stopped ZAP provider would let anybody in
    _OPTIONS[domain](socket)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as problem:
        socket.close(0)
        raise ConfigInvalid(f"cannot bind {endpoint}: {problem.strerror}") from problem
    return socket


def connect(context: Context, kind: zmq.SocketType, endpoint: str, security: ClientSecurity | InsecureLoopback) -> Socket:
    """Give a client socket that connects in the background.

    Raises:
        ConfigInvalid: the endpoint cannot be one, or is insecure and not loopback.
    """
    if isinstance(security, InsecureLoopback) and not is_loopback(endpoint):
        raise ConfigInvalid(f"insecure_loopback_only refuses {endpoint}")
    socket = context.socket(kind)
    _common(socket)
    if kind == zmq.DEALER:
        # Never queue a request for a connection that may not come to be. Not for SUB: there its subscriptions would leave only when
        # the program next looks at the socket, which is after the first PULL, so rows in between would not be heard.
        socket.set(zmq.IMMEDIATE, 1)
    socket.set(zmq.RECONNECT_IVL, _RECONNECT_FIRST_MS)
    socket.set(zmq.RECONNECT_IVL_MAX, _RECONNECT_LAST_MS)
    socket.set(zmq.RCVHWM, 1000)
    if isinstance(security, ClientSecurity):
        socket.set(zmq.CURVE_SERVERKEY, security.server_key.encode())
        socket.set(zmq.CURVE_PUBLICKEY, security.keys.public.encode())
        socket.set(zmq.CURVE_SECRETKEY, security.keys.secret.encode())
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as problem:
        socket.close(0)
        raise ConfigInvalid(f"cannot connect to {endpoint}: {problem.strerror}") from problem
    return socket


async def rebind(socket: Socket) -> None:
    """Close a bound socket's address with every connection to it, and open it again.

    Whoever is still let in is back within a fraction of a second; nothing is sent to connections that had been there before.

    Raises:
        zmq.ZMQError: another process took the address meanwhile.
    """
    address = socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0")
    socket.unbind(address)
    for is_last in (*[False] * _REBIND_TRIES, True):
        try:
            socket.bind(address)
        except zmq.ZMQError as problem:
            if is_last or problem.errno != errno.EADDRINUSE:
                raise
            await asyncio.sleep(_REBIND_PAUSE_S)  # the old listener is closed by another thread, some milliseconds later
        else:
            return


def bound_endpoint(socket: Socket) -> str:
    """Give the address a socket is bound to, with the port chosen by the system where the configuration said 0 or ``*``."""
    return readable(socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0"))


def _common(socket: Socket) -> None:
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.IPV6, 1)
    socket.set(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)  # otherwise any TCP peer can fill our memory, before authentication
    socket.set(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    socket.set(zmq.TCP_KEEPALIVE, 1)
    socket.set(zmq.TCP_KEEPALIVE_IDLE, 10)
    socket.set(zmq.TCP_KEEPALIVE_INTVL, 5)
    socket.set(zmq.TCP_KEEPALIVE_CNT, 3)


def _live_options(socket: Socket) -> None:
    # A message that does not fit is dropped: a drop is a gap is a replay, and one hung console never stalls the others.
    socket.set(zmq.SNDHWM, 1000)
    # Readers send us nothing but beginnings of topics, and libzmq keeps each in a tree of some 50 bytes a letter.
    socket.set(zmq.MAXMSGSIZE, _MAX_SUBSCRIPTION_BYTES)
    socket.set(zmq.XPUB_VERBOSE, 1)  # tell of every subscription, so that each new reader gets its heartbeat at once


def _answering_options(socket: Socket) -> None:
    socket.set(zmq.ROUTER_MANDATORY, 1)  # the default drops replies to vanished peers without a word
    socket.set(zmq.ROUTER_HANDOVER, 0)  # no peer may take over the routing id of another
    socket.set(zmq.SNDHWM, 16)  # a peer that asks and never reads holds at most so many batches or tiles, of 1 MiB, in our memory
    socket.set(zmq.RCVHWM, 100)


_OPTIONS = {LIVE_DOMAIN: _live_options, SYNC_DOMAIN: _answering_options, BLOB_DOMAIN: _answering_options}
