"""``edge-agent api``: headquarters' read API, as a process beside the collector."""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from edge_agent.telemetry.clock import SystemClock
from edge_agent.telemetry.setup import set_up_logging
from edge_agent.web.extra import need_extra


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "api",
        help="headquarters: serve the read API",
        description="Serves headquarters' figures, scans and states of sites over HTTP, for programs: JSON below /api/v1, its description "
        "at /api/v1/openapi.json, Prometheus' figures at /metrics. It only reads; the collector runs beside it. [api] in collector.toml "
        "says where it listens; `edge-agent tokens` makes the tokens that it asks for.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="collector.toml with [api]")
    parser.add_argument("--describe", action="store_true", help="print the OpenAPI description, and end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop.

    Raises:
        ConfigError: the configuration, its files or the address are not usable.
        ArchiveDamaged, ArchiveAway: the archive cannot be read.
    """
    need_extra("the read API")
    with ExitStack() as stack:
        asyncio.run(_serve(args, stack))
    return 0


async def _serve(args: argparse.Namespace, stack: ExitStack) -> None:
    from edge_agent.collector.api_app import api_app
    from edge_agent.collector.config import load
    from edge_agent.web.server import serve

    app = api_app(load(args.config), SystemClock(), stack)
    if args.describe:
        print(json.dumps(app.openapi(), indent=1))
        return
    set_up_logging(sys.stdout)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(app, stop)
