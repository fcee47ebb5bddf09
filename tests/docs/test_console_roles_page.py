"""Who may ask the browser console for what: the table of docs/reference/console-api.md is the table in the code."""

import re
from pathlib import Path

from edge_agent.console import app
from edge_agent.console.deciding import Deciding
from edge_agent.console.looking import Looking
from edge_agent.web.session import EVERY_ROLE

PAGE = (Path(__file__).parents[2] / "docs/reference/console-api.md").read_text("utf-8")
ROW = re.compile(r"^\| `(GET|POST) (\S+)` \| .+ \| ([^|]+) \|$", re.MULTILINE)
TILE = "{view}/{quantity}/{energy}/{level}/{column}/{row}"


def documented() -> dict[str, object]:
    found: dict[str, object] = {}
    before: object = None
    for method, address, words in ROW.findall(PAGE):
        if words.startswith("anybody"):
            before = "anybody"
        elif words != "as above":
            before = {role.value for role in EVERY_ROLE} if words == "all" else set(words.split(", "))
        found[f"{method} {address.partition('?')[0].replace(TILE, '{tile:path}')}"] = before
    return found


def test_the_documented_roles_are_those_of_the_code() -> None:
    routes = [*app._looking_routes(Looking(None, None, None, None)), *app._deciding_routes(Deciding(None, None, None))]
    served = {
        f"{route.method} {route.path}": "anybody" if route.is_public else {role.value for role in route.roles}
        for route in routes
        if route.path.startswith("/api/")
    }
    assert documented() == served


def test_an_administrator_sees_the_queue_and_no_scan() -> None:
    """As the page for officers says of the role."""
    may = {address for address, roles in documented().items() if roles == "anybody" or "admin" in roles}
    assert may >= {"GET /api/queue", "GET /api/sites", "GET /api/stream"}
    assert not [address for address in may if "/api/scans/" in address or address == "POST /api/identities"]
