"""Puts headquarters' read API together from its configuration."""

from contextlib import ExitStack

from edge_agent.collector.api import ReadApi
from edge_agent.collector.api_figures import FigureDesk
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.config import CollectorConfig
from edge_agent.collector.read_lane import ReadLane
from edge_agent.domain.clock import Clock
from edge_agent.errors import ConfigInvalid
from edge_agent.web.app import About, WebApp, build_api
from edge_agent.web.tokens import Tokens

ABOUT = About(
    "edge-agent headquarters",
    "What headquarters knows of its sites, read only. Send `Authorization: Bearer TOKEN` with a token of the scope `read` "
    "(`metrics` for /metrics). Refusals have a stable `code`; docs/reference/errors.md lists every one. Answers carry an `ETag`. "
    "No officer is named anywhere, not even by token.",
)


def api_app(config: CollectorConfig, clock: Clock, stack: ExitStack) -> WebApp:
    """Open the archive for reading and make the application; ``stack`` closes both.

    Raises:
        ConfigInvalid, ConfigUnreadable: there is no [api] table, no archive yet, or the token file is not usable.
        ArchiveDamaged, ArchiveAway: the archive cannot be read.
    """
    if config.api is None:
        raise ConfigInvalid("there is no [api] table: where to listen, and the file of tokens", {"key": "api"})
    tokens = Tokens(config.api.tokens, clock)
    short, long = (_lane(config, clock, stack) for _ in range(2))
    handlers = ReadApi(short, FigureDesk(long, config, clock), config, clock)
    return build_api(handlers.routes(), config.api, clock, tokens, ABOUT)


def _lane(config: CollectorConfig, clock: Clock, stack: ExitStack) -> ReadLane:
    lane = ReadLane(Archive.read(config.archive, clock))
    stack.callback(lane.close)
    return lane
