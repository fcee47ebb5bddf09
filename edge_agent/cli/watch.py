"""``edge-agent watch``: a site's scans, live, in a terminal; sends verdicts."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from rich.console import Console

from edge_agent.console.client import ConsoleClient, Site
from edge_agent.console.lines import json_line, plain_line
from edge_agent.console.terminal import Screen, Until, print_lines
from edge_agent.domain.ids import Seq
from edge_agent.errors import ConfigInvalid
from edge_agent.telemetry.clock import SystemClock
from edge_agent.transport.context import open_context
from edge_agent.transport.endpoints import split
from edge_agent.transport.keys import load_public, load_secret
from edge_agent.transport.sockets import ClientSecurity, InsecureLoopback


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "watch",
        help="live terminal console of a site; sends verdicts",
        description="Shows every scan of a site as it is assessed, after catching up with what was missed. Keys: up/down choose a scan, "
        "s suspicious, n not suspicious, r rescan, f refer; then reasons 1 to 9, Enter sends, Esc cancels; t sends an unconfirmed "
        "verdict again; q quits. Without a terminal it prints lines. Exit 1 when the site refuses this console.",
    )
    parser.add_argument("--site", required=True, metavar="ENDPOINT", help="the site's SYNC endpoint, such as tcp://10.1.2.3:5571")
    parser.add_argument("--server-key", metavar="Z85|FILE", help="the site's public key, or its .key file")
    parser.add_argument("--key", type=Path, metavar="FILE", help="this console's .key_secret file (see `edge-agent keys new`)")
    parser.add_argument("--officer", default="", metavar="REF", help="who decides; without it no verdict can be sent")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--plain", action="store_true", help="one line of text for each fact")
    form.add_argument("--json", action="store_true", help="one JSON object for each fact and each change of the link")
    parser.add_argument("--from", dest="after", type=_number, default=0, metavar="SEQ", help="begin after this number (0: everything)")
    parser.add_argument("--until-seq", type=_number, metavar="N", help="end after row N")
    parser.add_argument("--count", type=_number, metavar="N", help="end after N outcomes (assessments and scans set aside)")
    parser.add_argument("--insecure-loopback-only", action="store_true", help="no encryption; refused unless the site is on this machine")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Watch until told to stop.

    Raises:
        ConfigInvalid, KeysMissing: the endpoint or the keys cannot be used.
        PeerError: the site refuses this console, or its journal diverged.
    """
    return asyncio.run(_watch(args, _site(args)))


def _site(args: argparse.Namespace) -> Site:
    split(args.site)
    if args.insecure_loopback_only:
        return Site(args.site, InsecureLoopback())
    if not args.server_key or args.key is None:
        raise ConfigInvalid("--server-key and --key are needed: the site's public key and this console's own secret key")
    return Site(args.site, ClientSecurity(load_secret(args.key), load_public(args.server_key)))


async def _watch(args: argparse.Namespace, site: Site) -> int:
    until = Until(args.until_seq, args.count)
    with open_context() as context:
        client = ConsoleClient(context, site, SystemClock(), Seq(args.after))
        try:
            await _until_signal(asyncio.create_task(_show(args, client, until)))
        finally:
            client.close()
    return 0


async def _show(args: argparse.Namespace, client: ConsoleClient, until: Until) -> None:
    if args.json or args.plain or not sys.stdout.isatty():
        await print_lines(client, json_line if args.json else plain_line, until, sys.stdout)
    else:
        await Screen(client, args.officer, Console()).run(until)


async def _until_signal(task: "asyncio.Task[None]") -> None:
    """Wait for ``task``; SIGTERM and SIGINT end it in order, so that the terminal is put back as it was."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number
