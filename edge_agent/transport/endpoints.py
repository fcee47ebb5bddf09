"""Addresses of sockets: which are loopback, and how a client reaches what a site bound."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator

from edge_agent.errors import ConfigInvalid

_TCP = re.compile(r"tcp://(?P<host>\[[0-9a-fA-F:.]+\]|[^:/\[\]]+):(?P<port>[0-9]{1,5}|\*)")
_ANY = ("*", "0.0.0.0", "[::]")  # noqa: S104 - recognised here, bound by configuration only


def split(endpoint: str) -> tuple[str, str]:
    """Give host and port of a ``tcp://host:port`` endpoint; IPv6 hosts keep their brackets.

    Raises:
        ConfigInvalid: anything else.
    """
    match = _TCP.fullmatch(endpoint)
    if match is None or (match["port"] != "*" and int(match["port"]) > 65535):
        raise ConfigInvalid(f"not an endpoint of the form tcp://host:port: {endpoint[:80]!r}")
    return match["host"], match["port"]


def _to_connect(text: str) -> str:
    try:
        _, port = split(text)
    except ConfigInvalid as problem:
        raise ValueError("must look like tcp://HOST:PORT") from problem
    if port == "*" or int(port) == 0:
        raise ValueError("needs the port at which the other side listens")
    return text


def _to_bind(text: str) -> str:
    try:
        split(text)
    except ConfigInvalid as problem:
        raise ValueError("must look like tcp://ADDRESS:PORT, * for every address") from problem
    return text


Endpoint = Annotated[str, AfterValidator(_to_connect)]
"""Where somebody listens, as configuration files give it."""
BindEndpoint = Annotated[str, AfterValidator(_to_bind)]
"""Where we listen: ``*`` stands for every address, or for a free port."""


def is_loopback(endpoint: str) -> bool:
    """Tell whether an endpoint can be reached from this machine only. No name but ``localhost`` counts: others may change."""
    host, _ = split(endpoint)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(_plain(host).strip("[]")).is_loopback
    except ValueError:
        return False


def readable(endpoint: str) -> str:
    """Give the same endpoint with an IPv4 address in its usual form, where the system wrote it as a mapped IPv6 one."""
    host, port = split(endpoint)
    return f"tcp://{_plain(host)}:{port}"


def reachable(advertised: str, asked: str) -> str:
    """Give the endpoint to connect to: a site that bound every address is reached where it was asked (``asked``)."""
    host, port = split(advertised)
    return f"tcp://{split(asked)[0] if host in _ANY else host}:{port}"


def _plain(host: str) -> str:
    try:
        mapped = ipaddress.IPv6Address(host.strip("[]")).ipv4_mapped
    except ValueError:
        return host
    return str(mapped) if mapped is not None else host
