"""``edge-agent sim``: a simulated scanner writes scans into a folder."""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.sim.habit import HABITS, MIXED, choose
from edge_agent.sim.labels import coco_labels
from edge_agent.sim.scanner import CARGO_PROFILES, PROFILES, Order, Shot, shoot
from edge_agent.sim.scenario import SCENARIOS
from edge_agent.telemetry.clock import SystemClock


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "sim",
        help="simulated scanner: writes scans into a folder",
        description="Writes simulated scans into a folder, as a scanner would. Every side-car marks them as simulated, so that they are "
        "never counted as live ones. The same --seed and --start give the same bytes.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into; made if absent")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="sim-cargo", help="which scanner to be (default: sim-cargo)")
    parser.add_argument("--scans", type=_positive, default=10, metavar="N", help="how many scans (default: 10)")
    parser.add_argument("--interval", type=_seconds, default=2.0, metavar="S", help="seconds from scan to scan (default: 2)")
    parser.add_argument("--seed", type=_natural, default=1, metavar="K", help="number of the simulated scanner (default: 1)")
    parser.add_argument(
        "--threat-share", type=_share, default=0.3, metavar="P", help="share of scans with something to find, 0 to 1 (default: 0.3)"
    )
    parser.add_argument(
        "--scenario",
        choices=sorted(SCENARIOS),
        metavar="NAME",
        help="a fixed load with concealed goods instead of drawn ones: "
        + "; ".join(f"{name} ({one.words})" for name, one in sorted(SCENARIOS.items()))
        + ". With --threat-share 0 the same load without them",
    )
    parser.add_argument("--habit", choices=(*HABITS, MIXED), default="atomic", help="how files appear in the folder (default: atomic)")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="write what is in every scan, as JSON lines")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="write labels for edge-agent evaluate, in the folder above DIR")
    parser.add_argument("--start", type=_moment, metavar="TIME", help="when the first scan was taken, ISO 8601 with offset (default: now)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the scans.

    Raises:
        ConfigUnreadable: a folder or file cannot be written. ConfigInvalid: the truth file lies in the scanner's folder, the labels not
            beside it, or a parcel scanner is asked for a scenario.
    """
    if args.truth is not None and args.truth.resolve().parent == args.out.resolve():
        raise ConfigInvalid("--truth must not lie in the scanner's folder: a scanner does not write it")
    if args.labels is not None and args.labels.resolve().parent != args.out.resolve().parent:
        raise ConfigInvalid("--labels must lie in the folder above the scanner's, as set/annotations.json beside set/images")
    if args.scenario is not None and args.profile not in CARGO_PROFILES:
        raise ConfigInvalid(f"--scenario needs a cargo scanner (--profile {' or '.join(CARGO_PROFILES)}), not {args.profile}")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        if args.truth is None:
            _write_all(args, None)
        else:
            with args.truth.open("w") as truth:
                _write_all(args, truth)
    except OSError as problem:
        raise ConfigUnreadable(f"{problem.filename}: {problem.strerror}") from problem
    return 0


def _write_all(args: argparse.Namespace, truth: TextIO | None) -> None:
    order = Order(args.profile, args.seed, args.threat_share, args.scenario)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(f"{args.profile} to {args.out}", total=args.scans)
        scans: list[tuple[str, Mapping[str, Any]]] = []
        for number, taken_at in _moments(args):
            shot = shoot(order, number, taken_at)
            choose(args.habit, args.seed, number)(shot, args.out, time.sleep)
            if truth is not None:
                _note(shot, truth)
            scans.append((shot.pictures[0].name, shot.truth))
            progress.advance(bar)
    if args.labels is not None:
        args.labels.write_text(json.dumps(coco_labels(scans, args.out.name), indent=1) + "\n")


def _moments(args: argparse.Namespace) -> Iterator[tuple[int, datetime]]:
    """Give number and time of each scan when it is due; a scan that takes longer than the interval delays the next ones."""
    clock = SystemClock()
    begun = clock.monotonic()
    for number in range(1, args.scans + 1):
        offset_s = (number - 1) * args.interval
        wait_s = begun + offset_s - clock.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        yield number, clock.now() if args.start is None else args.start + timedelta(seconds=offset_s)


def _note(shot: Shot, truth: TextIO) -> None:
    truth.write(json.dumps(shot.truth) + "\n")
    truth.flush()


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 86400.0:
        raise argparse.ArgumentTypeError("must lie between 0 and 86400")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError("must lie between 0 and 1")
    return value


def _moment(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise argparse.ArgumentTypeError("needs an offset, such as 2026-01-31T08:00:00+00:00")
    return value
