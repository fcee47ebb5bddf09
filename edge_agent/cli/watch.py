"""``edge-agent watch``: the scans of one or several sites, live, in a terminal; sends verdicts."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from edge_agent.console.client import ConsoleClient, Newest, Only, Site, Start, Wish
from edge_agent.console.config import load_console, sites_of
from edge_agent.console.lines import json_line, plain_line
from edge_agent.console.terminal import Screen, Until, Watched, print_lines
from edge_agent.domain.ids import Seq
from edge_agent.errors import ConfigInvalid
from edge_agent.telemetry.clock import SystemClock
from edge_agent.transport.context import open_context
from edge_agent.transport.endpoints import split
from edge_agent.transport.keys import load_secret, load_server_keys
from edge_agent.transport.sockets import ClientSecurity, InsecureLoopback
from edge_agent.wire.verbs import MAX_SNAP

CONCLUSIONS = ("alert", "no-alert", "unassessable", "set-aside")
KINDS = ("assessment", "verdict", "control", "referral", "health", "audit", "shadow")
_NEWEST = 50


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "watch",
        help="live terminal console of one or several sites; sends verdicts",
        description="Shows the scans of sites as they are assessed, with reasons and a coarse picture, after catching up with what was "
        "missed. The screen tells its keys: ? helps, Enter opens a scan, s n r f make a verdict, q quits. Without a terminal it prints "
        "lines. Exit 1 when the only site refuses this console, or its journal diverged.",
    )
    parser.add_argument("--site", action="append", metavar="ENDPOINT", help="a site's SYNC endpoint, tcp://10.1.2.3:5571; may be repeated")
    parser.add_argument(
        "--server-key", action="append", metavar="Z85|FILE", help="that site's public key, or its .key file; one for each --site, in order"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="this console's .key_secret file (see `edge-agent keys new`)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="console.toml with key and sites, instead of the three above")
    parser.add_argument("--officer", default="", metavar="REF", help="who decides; without it no verdict can be sent")
    parser.add_argument("--scanner", action="append", default=[], metavar="ID", help="only this scanner; may be repeated")
    parser.add_argument(
        "--only",
        type=_words,
        default=(),
        metavar="WORDS",
        help=f"show only these, with commas: {', '.join(CONCLUSIONS)}; in lines also kinds",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--plain", action="store_true", help="one line of text for each fact")
    form.add_argument("--json", action="store_true", help="one JSON object for each fact and each change of the link")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--from", dest="after", type=_number, metavar="SEQ", help="begin after this number; 0 = everything: lines do so")
    start.add_argument(
        "--newest",
        type=_newest,
        metavar="K",
        help=f"begin with the newest K scans a scanner, to {MAX_SNAP}; the screen: {_NEWEST}",
    )
    parser.add_argument("--until-seq", type=_number, metavar="N", help="end after row N")
    parser.add_argument("--count", type=_number, metavar="N", help="end after N outcomes (assessments and scans set aside)")
    parser.add_argument("--insecure-loopback-only", action="store_true", help="no encryption; refused unless the site is on this machine")
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class _Target:
    name: str
    site: Site
    only: Only


def run(args: argparse.Namespace) -> int:
    """Watch until told to stop.

    Raises:
        ConfigInvalid, KeysMissing: an endpoint or the keys cannot be used.
        PeerError: the only site refuses this console, or its journal diverged.
    """
    return asyncio.run(_watch(args, _targets(args)))


def _targets(args: argparse.Namespace) -> list[_Target]:
    if args.config is not None:
        if args.site or args.server_key or args.key:
            raise ConfigInvalid("--config says sites and keys: leave --site, --server-key and --key out")
        entries = sites_of(load_console(args.config), args.config.absolute().parent)
        return [_Target(name, site, Only(tuple(args.scanner) or only.scanners)) for name, site, only in entries]
    if not args.site:
        raise ConfigInvalid("--site or --config is needed")
    return [_Target(site.endpoint, site, Only(tuple(args.scanner))) for site in _sites(args)]


def _sites(args: argparse.Namespace) -> list[Site]:
    for endpoint in args.site:
        split(endpoint)
    if args.insecure_loopback_only:
        return [Site(endpoint, InsecureLoopback()) for endpoint in args.site]
    if not args.server_key or args.key is None:
        raise ConfigInvalid("--server-key and --key are needed: the site's public key and this console's own secret key")
    if len(args.server_key) != len(args.site):
        raise ConfigInvalid("as many --server-key as --site are needed, in the same order")
    pair = load_secret(args.key)
    return [Site(endpoint, ClientSecurity(pair, *load_server_keys(key))) for endpoint, key in zip(args.site, args.server_key, strict=True)]


async def _watch(args: argparse.Namespace, targets: Sequence[_Target]) -> int:
    with _consoles(args, targets) as watched:
        await _until_signal(asyncio.create_task(_show(args, watched)))
    return 0


@contextmanager
def _consoles(args: argparse.Namespace, targets: Sequence[_Target]) -> Iterator[list[Watched]]:
    """Give a console at each site; on a screen they wait for their key to be enrolled, in lines they end."""
    clock = SystemClock()
    with open_context() as context:
        wishes = [Wish(_start(args), target.only, waits_for_key=_has_screen(args)) for target in targets]
        watched = [
            Watched(target.name, ConsoleClient(context, target.site, clock, wish)) for target, wish in zip(targets, wishes, strict=True)
        ]
        try:
            yield watched
        finally:
            for one in watched:
                one.client.close()


def _start(args: argparse.Namespace) -> Start:
    if args.after is not None:
        return Seq(args.after)
    if args.newest is not None:
        return Newest(args.newest)
    return Newest(_NEWEST) if _has_screen(args) else Seq(0)


def _has_screen(args: argparse.Namespace) -> bool:
    return not (args.json or args.plain) and sys.stdout.isatty()


async def _show(args: argparse.Namespace, watched: Sequence[Watched]) -> None:
    until = Until(args.until_seq, args.count)
    if _has_screen(args):
        await Screen(watched, args.officer, Console(), SystemClock(), args.only).run(until)
    else:
        await print_lines(watched, json_line if args.json else plain_line, args.only, until, sys.stdout)


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


def _newest(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_SNAP:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_SNAP}")
    return number


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    unknown = [word for word in words if word not in (*CONCLUSIONS, *KINDS)]
    if unknown:
        raise argparse.ArgumentTypeError(f"none of {', '.join((*CONCLUSIONS, *KINDS))}: {unknown[0][:40]!r}")
    return words
