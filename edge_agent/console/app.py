"""The browser console put together: links to the sites, queue, outbox, and the web server before them."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from edge_agent.console.catalogue import MISSED_LABELS
from edge_agent.console.client import ConsoleClient, Recent, Wish
from edge_agent.console.config import sites_of
from edge_agent.console.deciding import Deciding
from edge_agent.console.desk import Desk, SiteLink
from edge_agent.console.headquarters import Headquarters
from edge_agent.console.looking import OVERSEERS, Looking, Offers
from edge_agent.console.outbox import Outbox
from edge_agent.console.owed import OwedViews
from edge_agent.console.queue import Queue
from edge_agent.console.web_config import WebConsoleConfig
from edge_agent.console.web_stream import Hub
from edge_agent.domain.clock import Clock
from edge_agent.errors import DiskLow, FormRefused, NotAllowed, PeerSilent, ReasonRequired, UnknownBlob, UnknownScan
from edge_agent.transport.context import open_context
from edge_agent.web.app import WebApp, build_app
from edge_agent.web.files import Assets
from edge_agent.web.routes import Route
from edge_agent.web.server import serve
from edge_agent.web.session import EVERY_ROLE, OfficerRole

_ROWS_A_SCAN = 5
"""Rows of the journal that tell of one scan, about: an assessment, a verdict, and who looked."""
_LEAST_ROWS = 2_000

_LOOKERS = EVERY_ROLE - {OfficerRole.ADMIN}
_DECIDERS = frozenset({OfficerRole.ANALYST, OfficerRole.SUPERVISOR})
_EXAMINERS = frozenset({OfficerRole.EXAMINER, OfficerRole.SUPERVISOR})
_REPORTERS = _DECIDERS | _EXAMINERS
_MANAGERS = OVERSEERS | {OfficerRole.ADMIN}


@dataclass(frozen=True, slots=True)
class WebConsole:
    """Everything of a running console. ``desk.run(outbox)`` keeps it going, ``web`` answers browsers."""

    desk: Desk
    outbox: Outbox
    hub: Hub
    web: WebApp


def build_console(config: WebConsoleConfig, sites: Sequence[SiteLink], clock: Clock) -> WebConsole:
    """Put a console together; nothing is asked before its desk runs.

    Raises:
        StateUnusable, ConfigInvalid, ConfigUnreadable: the outbox or the user file cannot be used.
    """
    queue = Queue(config.queue.newest, config.blind.share)
    views = OwedViews(config.state_dir / "views", clock)
    views.open()
    desk = Desk(sites, queue, clock, views)
    hub = Hub(desk, clock, secrets.token_hex(4))
    outbox = Outbox(config.state_dir / "outbox", desk.send, hub.tell)
    outbox.open()
    headquarters = Headquarters(config.headquarters, clock) if config.headquarters is not None else None
    looking = Looking(desk, outbox, hub, Offers(config.blind.share, MISSED_LABELS, headquarters))
    routes = [*_looking_routes(looking), *_deciding_routes(Deciding(desk, outbox, clock))]
    return WebConsole(desk, outbox, hub, build_app(routes, config.web, clock, Assets(files("edge_agent.web") / "static")))


async def run_console(
    config: WebConsoleConfig, folder: Path, clock: Clock, stop: asyncio.Event, ready: Callable[[str], None] = lambda _: None
) -> None:
    """Run a console until ``stop`` is set. ``folder``: where the configuration file lies; ``ready`` hears the URL.

    Raises:
        ConfigError: the keys, the outbox, the user file or the address cannot be used.
    """
    with ExitStack() as stack:
        context = stack.enter_context(open_context())
        start = Recent(max(_LEAST_ROWS, _ROWS_A_SCAN * config.queue.newest))
        links = []
        for name, site, only in sites_of(config, folder):
            client = ConsoleClient(context, site, clock, Wish(start, only, waits_for_key=True))
            stack.callback(client.close)
            links.append(SiteLink(name, client))
        console = build_console(config, links, clock)
        running = asyncio.create_task(console.desk.run(console.outbox))
        serving = asyncio.create_task(serve(console.web, stop, ready))
        try:
            await asyncio.wait({running, serving}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            stop.set()
            await serving
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _looking_routes(looking: Looking) -> list[Route]:
    scan = "/api/scans/{site}/{scan_id}"
    pictures = (UnknownScan, UnknownBlob, NotAllowed, PeerSilent)
    revision = f"{scan}/r{{revision}}"
    return [
        Route("GET", "/api/me", looking.me, keeps_session=False, tag="session"),
        Route("GET", "/api/texts", looking.languages, is_public=True, tag="texts"),
        Route("GET", "/api/texts/{language}", looking.texts, is_public=True, tag="texts"),
        Route("GET", "/api/sites", looking.sites, keeps_session=False, tag="sites"),
        Route("GET", "/api/queue", looking.queue, keeps_session=False, tag="queue"),
        Route("GET", "/api/stream", looking.stream, keeps_session=False, tag="queue"),
        Route("GET", scan, looking.scan, _LOOKERS, tag="scan", refusals=(UnknownScan,)),
        Route("GET", f"{revision}/planes", looking.planes, _LOOKERS, tag="scan", refusals=pictures),
        Route("GET", f"{revision}/tiles/{{tile:path}}", looking.tile, _LOOKERS, tag="scan", refusals=pictures),
        Route("GET", f"{scan}/blobs/{{sha256}}", looking.blob, _LOOKERS, tag="scan", refusals=pictures),
        Route("POST", "/api/identities", looking.identities, _LOOKERS, tag="scan", refusals=(UnknownScan, NotAllowed, PeerSilent)),
        Route("GET", "/api/faults", looking.faults, _REPORTERS | OVERSEERS, tag="trust"),
        Route("GET", "/api/mine", looking.mine, keeps_session=False, tag="trust"),
        Route("GET", "/api/headquarters/{page}", looking.headquarters, _MANAGERS, tag="sites", refusals=(PeerSilent,)),
        Route("GET", "/api/trust", looking.trust, tag="trust", refusals=(UnknownScan,)),
    ]


def _deciding_routes(deciding: Deciding) -> list[Route]:
    scan = "/api/scans/{site}/{scan_id}"
    refusals = (UnknownScan, NotAllowed, ReasonRequired, DiskLow)
    return [
        Route("POST", f"{scan}/verdict", deciding.verdict, _DECIDERS, tag="decision", refusals=refusals),
        Route("GET", "/api/control-form", deciding.control_form, _EXAMINERS, tag="decision"),
        Route("POST", f"{scan}/control", deciding.control, _EXAMINERS, tag="decision", refusals=(UnknownScan, FormRefused, DiskLow)),
        Route("POST", "/api/faults", deciding.fault, _REPORTERS, tag="decision", refusals=(UnknownScan, DiskLow)),
    ]
