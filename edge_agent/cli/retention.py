"""``edge-agent retention``: what would go and why, and legal holds, which keep a scan whatever its age."""

import argparse
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from edge_agent.cli.journal import STATE_DIR
from edge_agent.domain.ids import ScanId, Seq
from edge_agent.errors import UnknownScan
from edge_agent.inference.owner import keep_owner
from edge_agent.ledger.connection import sync_folder
from edge_agent.ledger.inventory import held_by_file, hold_file, open_inventory
from edge_agent.ledger.reader import LedgerReader
from edge_agent.ledger.retention import Eviction, Holding, Rules, guard, plan
from edge_agent.telemetry.clock import SystemClock

_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "retention",
        help="what goes when, and legal holds",
        description="What retention would take away, and scans that are kept whatever their age. All of it works beside a running daemon.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    planned = actions.add_parser(
        "plan",
        help="what would go now, and why the rest stays",
        description="A dry run: reads the ledger and the disk as the daily sweep does and removes nothing. Evidence, undecided scans, "
        "scans on hold or in work, and rows that a durable collector lacks never go, however short the space.",
    )
    planned.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    planned.add_argument("--need-mb", type=float, default=0.0, metavar="N", help="as if so many megabytes had to be freed (default 0)")
    planned.add_argument("--json", action="store_true", help="print a JSON object")
    planned.set_defaults(act=_plan)
    _add_holds(actions)
    parser.set_defaults(run=run)


def _add_holds(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    held = actions.add_parser(
        "hold",
        help="keep scans whatever their age",
        description="Puts scans on legal hold: nothing of them goes until the hold is released. The daemon journals it, at once or at its "
        "next start. Exit 1 when the ledger does not know a scan; then nothing was changed.",
    )
    held.add_argument("scans", nargs="+", metavar="SCAN", help="identity of a scan")
    held.add_argument("--reason", type=_code, required=True, metavar="CODE", help="why, in words with dashes: court-order, appeal-2026-17")
    held.set_defaults(act=_hold)
    released = actions.add_parser("release", help="end the hold of scans", description="Exit 1 when a scan is not on hold.")
    released.add_argument("scans", nargs="+", metavar="SCAN", help="identity of a scan, as list shows it")
    released.set_defaults(act=_release)
    shown = actions.add_parser("list", help="scans on hold, and why", description="Lists the holds.")
    shown.add_argument("--json", action="store_true", help="print a JSON list")
    shown.set_defaults(act=_list)
    for action in (held, released, shown):
        action.add_argument(
            "--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help=f"state_dir of agent.toml (default {STATE_DIR})"
        )


def run(args: argparse.Namespace) -> int:
    """Do the chosen action."""
    return int(args.act(args))


def _code(text: str) -> str:
    if len(text) > 63 or _CODE.fullmatch(text) is None:
        raise argparse.ArgumentTypeError("lower-case words and digits joined by dashes, at most 63: no names, no numbers of containers")
    return text


def _hold(args: argparse.Namespace) -> int:
    with closing(LedgerReader.open(args.state_dir / "ledger.db")), open_inventory(args.state_dir) as inventory:
        known = inventory.of(ScanId(scan) for scan in args.scans)
    unknown = sorted(set(args.scans) - known.keys())
    if unknown:
        raise UnknownScan(f"the ledger does not know {', '.join(unknown)}")
    for scan in known:
        _place(hold_file(args.state_dir, scan), args.reason)
        print(f"{scan}: on hold ({args.reason})")
    return 0


def _place(path: Path, reason: str) -> None:
    """Write a hold that the daemon can read, whoever runs this: it gets the owner of the state directory."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "w") as file:
        json.dump({"reason": reason, "placed_at": SystemClock().now().isoformat()}, file)
        file.flush()
        os.fsync(file.fileno())
    keep_owner(path.parent)
    part.rename(path)
    sync_folder(path.parent)


def _release(args: argparse.Namespace) -> int:
    unknown = sorted(set(args.scans) - set(held_by_file(args.state_dir)))
    if unknown:
        raise UnknownScan(f"not on hold: {', '.join(unknown)}")
    for scan in args.scans:
        hold_file(args.state_dir, ScanId(scan)).unlink()
        print(f"{scan}: released")
    sync_folder(args.state_dir / "holds")
    return 0


def _list(args: argparse.Namespace) -> int:
    with open_inventory(args.state_dir):
        holds = [{"scan": scan, **_said(hold_file(args.state_dir, ScanId(scan)))} for scan in held_by_file(args.state_dir)]
    if args.json:
        print(json.dumps(holds, indent=1))
        return 0
    table = Table(Column("scan", no_wrap=True, min_width=36), "reason", "placed UTC", title=f"{len(holds)} on hold", title_justify="left")
    for hold in holds:
        table.add_row(hold["scan"], hold["reason"], hold["placed_at"][:19])
    Console().print(table)
    return 0


def _said(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text("utf-8"))
        return {"reason": str(content["reason"]), "placed_at": str(content["placed_at"])}
    except (ValueError, KeyError, TypeError):
        return {"reason": "unknown", "placed_at": ""}


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What would go, and how many scans stay for which reason (``young``: their time has not come)."""

    going: Sequence[Eviction]
    staying: Counter[str]


def _plan(args: argparse.Namespace) -> int:
    from edge_agent.agent.config import load_config

    sections = load_config(args.config).sections
    durable = [consumer.name for consumer in sections.consumer if consumer.durable]
    with closing(LedgerReader.open(sections.state_dir / "ledger.db")) as reader:
        head, known = reader.head(), reader.acknowledged()
    places = [known[name].seq if name in known and known[name].epoch == head.epoch else Seq(0) for name in durable]
    rules = Rules(sections.retention.periods, SystemClock().now(), min(places, default=head.seq))
    with open_inventory(sections.state_dir) as inventory:
        scans = track(inventory.all(), "reading", total=None, console=Console(stderr=True), transient=True, disable=args.json)
        outlook = _outlook(list(scans), rules, int(args.need_mb * 1e6))
    if args.json:
        print(json.dumps(_document(outlook), indent=1))
    else:
        _print(outlook)
    return 0


def _outlook(holdings: Sequence[Holding], rules: Rules, need_bytes: int) -> _Outlook:
    going = plan(holdings, rules, need_bytes)
    moved = {one.item.scan_id for one in going}
    staying = Counter(str(guard(holding, rules) or "young") for holding in holdings if holding.scan_id not in moved)
    return _Outlook(going, staying)


def _document(outlook: _Outlook) -> dict[str, object]:
    going = [
        {
            "scan": one.item.scan_id,
            "revision": one.item.revision,
            "kind": one.item.kind.name.lower(),
            "bytes": one.item.bytes,
            "why": one.why.value,
        }
        for one in outlook.going
    ]
    return {"going": going, "bytes": sum(one.item.bytes for one in outlook.going), "staying": dict(sorted(outlook.staying.items()))}


def _print(outlook: _Outlook) -> None:
    table = Table(
        Column("scan", no_wrap=True, min_width=36),
        "revision",
        "what",
        "bytes",
        "why",
        title=f"{len(outlook.going)} would go",
        title_justify="left",
    )
    for one in outlook.going:
        revision = str(one.item.revision or "all")
        table.add_row(one.item.scan_id, revision, one.item.kind.name.lower(), f"{one.item.bytes:,}", one.why.value)
    Console().print(table)
    print(f"about {sum(one.item.bytes for one in outlook.going) / 1e6:.1f} MB")
    for why, count in sorted(outlook.staying.items()):
        print(f"{count} {'scan stays' if count == 1 else 'scans stay'}: {why}")
