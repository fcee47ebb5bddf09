"""Headquarters' figures for the page of all sites: asked of its read API with a token that no browser ever sees."""

import asyncio
import http.client
import json
import ssl
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from edge_agent.console.config import Table
from edge_agent.domain.clock import Clock
from edge_agent.errors import AddressUnknown, ConfigUnreadable, PeerError, PeerSilent

_PAGES = {"daily": "/api/v1/days", "kpis": "/api/v1/kpis", "sites": "/api/v1/sites"}
_WITHIN_S = 8.0
_FRESH_S = 30.0
_MOST_BYTES = 4 << 20
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class HeadquartersTable(Table):
    """Where the read API answers. ``token``: the file with its token; ``ca``: certificates to believe, where not the system's."""

    url: str
    token: Annotated[Path, Field(strict=False)]
    ca: Annotated[Path | None, Field(strict=False)] = None

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        place = urlsplit(self.url)
        if place.scheme not in ("https", "http") or not place.hostname or place.path not in ("", "/") or place.query:
            raise ValueError("url must look like https://HOST:PORT")
        if place.scheme == "http" and place.hostname not in _LOOPBACK:
            raise ValueError("url: the token goes over https, or within this very machine")
        return self


class Headquarters:
    """Asks for one page at a time and remembers it for half a minute. Follows no redirection: the token is for one place."""

    def __init__(self, table: HeadquartersTable, clock: Clock) -> None:
        """Read the token.

        Raises:
            ConfigUnreadable: the token or the certificates cannot be read.
        """
        self._place = urlsplit(table.url)
        self._clock = clock
        self._known: dict[str, tuple[float, bytes]] = {}
        try:
            self._token = table.token.read_text("ascii").strip()
            self._tls = ssl.create_default_context(cafile=table.ca) if self._place.scheme == "https" else None
        except (OSError, ValueError) as problem:
            raise ConfigUnreadable(f"headquarters' token or certificates cannot be read: {table.token}") from problem

    async def page(self, name: str) -> bytes:
        """Give a page as JSON: ``daily``, ``kpis`` or ``sites``.

        Raises:
            AddressUnknown: another name. PeerSilent, PeerError: it does not answer, or refuses.
        """
        path = _PAGES.get(name)
        if path is None:
            raise AddressUnknown("headquarters is not asked for that")
        known = self._known.get(name)
        if known is None or self._clock.monotonic() - known[0] > _FRESH_S:
            known = self._known[name] = (self._clock.monotonic(), await asyncio.to_thread(self._ask, path))
        return known[1]

    def _ask(self, path: str) -> bytes:
        host, port = self._place.hostname or "", self._place.port
        line = (
            http.client.HTTPConnection(host, port, timeout=_WITHIN_S)
            if self._tls is None
            else http.client.HTTPSConnection(host, port, timeout=_WITHIN_S, context=self._tls)
        )
        try:
            line.request("GET", path, headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json"})
            with line.getresponse() as answer:
                status, content = answer.status, answer.read(_MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as problem:
            raise PeerSilent("headquarters does not answer") from problem
        finally:
            line.close()
        return _checked(status, content)


def _checked(status: int, content: bytes) -> bytes:
    """Let pass what is JSON and not too much."""
    if status != 200 or len(content) > _MOST_BYTES:
        raise PeerError("headquarters refuses, or answers too much", {"status": status, "bytes": len(content)})
    try:
        json.loads(content)
    except ValueError as problem:
        raise PeerError("headquarters' answer is not JSON", {"bytes": len(content)}) from problem
    return content
