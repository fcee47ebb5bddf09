"""Asking a web application in process, as a browser of ours would."""

import httpx

from edge_agent.web.app import WebApp
from edge_agent.web.guard import OWN_HEADER

HOST = "127.0.0.1"


def browser(app: WebApp, address: str = HOST, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """Give a client that keeps cookies and sends the header of our pages. ``address``: where its requests seem to come from.

    A fault of a handler is answered, not raised. Streams cannot be read with it: they need a server.
    """
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 40000))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", headers={OWN_HEADER: "1", **(headers or {})})
