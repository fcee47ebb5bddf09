"""``edge-agent adopt``: a bundle of an ONNX file by somebody else, described by a card alone."""

import argparse
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from rich.console import Console

from edge_agent.agent.at_hand import Rules, ScanReader, find_drops, member_digests
from edge_agent.agent.config import read_file
from edge_agent.agent.lanes import Lane
from edge_agent.agent.lifecycle import cores_granted
from edge_agent.cli import assess
from edge_agent.cli.profiles import named_profile
from edge_agent.domain.capture import SubjectKind
from edge_agent.errors import ConfigUnreadable
from edge_agent.formats.child import DecodeChild
from edge_agent.inference.adopt import Adopted, Example, adopt, destination


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "adopt",
        help="make a bundle of an ONNX file by somebody else and a card",
        description="Check that the graph is what the card says, run it on the examples, and write DIR/<name>/<version> with model, card, "
        "hashes and golden cases. The examples become part of the bundle: take scans that may leave the site with it. The bundle is "
        "unsigned; sign it with `edge-agent bundle sign`. Exit codes: 0, 1 an example cannot be read, 78 card and graph do not fit, or no "
        "example shows an object.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the graph, in one file")
    parser.add_argument("--card", type=Path, required=True, metavar="FILE", help="card.toml without its [files]")
    parser.add_argument("--example", type=Path, required=True, nargs="+", metavar="PATH", help="files or folders of scans")
    parser.add_argument("--subject", type=SubjectKind, choices=list(SubjectKind), help="what the examples show (default: cargo)")
    parser.add_argument(
        "--without-object", action="store_true", help="take examples that show no object; the self-test then hardly proves anything"
    )
    parser.add_argument("--out", type=Path, default=Path("bundles"), metavar="DIR", help="where the bundle goes (default: ./bundles)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the bundle and give 0."""
    model, card = read_file(args.model), read_file(args.card).decode("utf-8", "replace")
    destination(card, args.out)  # a card that cannot be right is refused before anything is decoded
    threads = Lane("device", cores_granted())
    try:
        done = adopt(model, card, list(_examples(args)), args.out, threads.fan, may_show_nothing=args.without_object)
    finally:
        threads.close()
    if args.json:
        seen = {name: expected.model_dump(mode="json")["detections"] for name, expected in done.seen.items()}
        print(json.dumps({"bundle": done.ref, "folder": str(done.folder), "examples": seen}))
    else:
        _say(done)
    return 0


def _examples(args: argparse.Namespace) -> Iterator[Example]:
    """Give every view of every scan among the examples.

    Raises:
        ScanRejected: one cannot be read. ConfigUnreadable: there is none.
    """
    profiles = [named_profile(name) for name in assess.PROFILES]
    drops = find_drops(args.example, profiles)
    if not drops:
        raise ConfigUnreadable("no scan among the examples")
    with closing(DecodeChild()) as child:
        reader = ScanReader(child, Rules(args.subject, None, None))
        for number, (drop, profile) in enumerate(drops, start=1):
            scan = reader.read(drop, profile, tuple(member_digests(drop, profile))).scan
            for view in scan.views:
                yield Example(f"example-{number}-{view.name}", scan.subject.kind, view, "an example given when the bundle was made")


def _say(done: Adopted) -> None:
    console = Console(soft_wrap=True)
    for name, expected in done.seen.items():
        found = ", ".join(f"{one.label} {one.score:.0%}" for one in expected.detections) or "nothing from 30 % up"
        console.print(f"{name}: {found}", highlight=False, markup=False)
    if not any(expected.shows_an_object for expected in done.seen.values()):
        console.print("no example shows an object: a wrong colour order or scale, or a detector that finds nothing, would not be noticed")
    console.print(f"bundle {done.ref} in {done.folder}, unsigned", highlight=False, markup=False)
    console.print(f"  next: edge-agent bundle sign {done.folder} --key FILE", highlight=False, markup=False)
