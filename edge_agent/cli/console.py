"""``edge-agent console``: the scans of one or several sites in a browser, where officers look and decide."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from edge_agent.telemetry.clock import SystemClock
from edge_agent.telemetry.setup import set_up_logging
from edge_agent.web.extra import need_extra


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "console",
        help="serve the console for officers' browsers: queue, viewer, decisions",
        description="Connects to the sites of its configuration with this workstation's key and serves a console to browsers, on this "
        "machine or, with a login, on the site's network. What officers decide is kept on the disk until its site has committed it. "
        "Officers are made with `edge-agent users`, the key with `edge-agent keys new`; each site enrols it with `edge-agent keys enrol`. "
        "Prints the address; the log goes to standard error. Ends on SIGTERM or Ctrl-C; exit 78 when the configuration cannot be used.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="console.toml; config/console.example.toml shows all")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop.

    Raises:
        ConfigError: the configuration, the keys or the address cannot be used.
    """
    need_extra("the browser console")
    set_up_logging(sys.stderr)
    asyncio.run(_serve(args.config.absolute()))
    return 0


async def _serve(path: Path) -> None:
    from edge_agent.console.app import run_console
    from edge_agent.console.web_config import load_web_console

    config = load_web_console(path)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run_console(config, path.parent, SystemClock(), stop, _say)


def _say(url: str) -> None:
    sys.stdout.write(f"The console is at {url}\n")
    sys.stdout.flush()
