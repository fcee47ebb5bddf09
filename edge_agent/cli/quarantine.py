"""``edge-agent quarantine``: what was set aside and why; let it wait for assessment again."""

import argparse
import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edge_agent.cli.journal import STATE_DIR
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import SiteId
from edge_agent.errors import DropUnavailable, NotQuarantined
from edge_agent.ledger.audit import About, audit_entry
from edge_agent.ledger.connection import sync_folder
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.ledger.records import Entry, Quarantined
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire.messages import CodeParams

RETRIED = "quarantine-retried"
"""Code of the audit fact that says a person asked for another try."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("quarantine", help="scans that were set aside", description="Accepted scans that could not be assessed.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    shown = actions.add_parser("list", help="what was set aside, and why", description="Works beside a running daemon.")
    shown.add_argument("--json", action="store_true", help="print a JSON list")
    shown.set_defaults(act=_list)
    again = actions.add_parser(
        "retry",
        help="assess again what was set aside",
        description="Puts the scan's files back into the spool and lets it wait for assessment. The daemon must be stopped meanwhile: "
        "it alone writes its ledger. Exit 1 when a scan is not in quarantine; then nothing was changed.",
    )
    again.add_argument("scans", nargs="+", metavar="SCAN", help="identity of a scan, as list shows it")
    again.set_defaults(act=_retry)
    for action in (shown, again):
        action.add_argument(
            "--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help=f"state_dir of agent.toml (default {STATE_DIR})"
        )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the chosen action."""
    return int(args.act(args))


def _list(args: argparse.Namespace) -> int:
    with closing(LedgerReader.open(args.state_dir / "ledger.db")) as reader:
        items = reader.quarantined()
    if args.json:
        # The drop key is a file name, which often is a container number: it stays on the screen of the site's own terminal.
        print(json.dumps([{**asdict(item), "set_aside_at": item.set_aside_at.isoformat()} for item in items], indent=1))
        return 0
    table = Table("set aside", "scan", "revision", "scanner", "drop", "reason", title=f"{len(items)} in quarantine", title_justify="left")
    for item in items:
        at = item.set_aside_at.isoformat(sep=" ", timespec="seconds")
        table.add_row(at, item.scan_id, str(item.revision), item.scanner, _plain(item.drop_key), item.reason)
    Console().print(table)
    return 0


def _retry(args: argparse.Namespace) -> int:
    clock = SystemClock()
    with closing(LedgerReader.open(args.state_dir / "ledger.db")) as reader:
        site, items = reader.site, reader.quarantined()
    chosen = [item for item in items if item.scan_id in args.scans]
    unknown = sorted(set(args.scans) - {item.scan_id for item in chosen})
    if unknown:
        raise NotQuarantined(f"not in quarantine: {', '.join(unknown)}")
    with closing(Ledger.open(args.state_dir / "ledger.db", site, clock)) as ledger:
        for item in chosen:
            _put_back(args.state_dir, item)
            ledger.retry(item.scan_id, item.revision, _entry(site, item, clock))
            print(f"{item.scan_id} revision {item.revision}: waits for assessment")
    return 0


def _put_back(state_dir: Path, item: Quarantined) -> None:
    """Rename the copy from quarantine to its place in the spool. After a crash in between, the next try, or the next start, mends it."""
    source = state_dir / "quarantine" / item.scan_id / f"r{item.revision}"
    target = state_dir / item.spool
    if not source.is_dir():
        if target.is_dir():
            return
        raise DropUnavailable(f"the copy of {item.scan_id} revision {item.revision} is not in quarantine", {"scan_id": item.scan_id})
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source.rename(target)
    for folder in (target.parent, source.parent):
        sync_folder(folder)


def _entry(site: SiteId, item: Quarantined, clock: Clock) -> Entry:
    now = clock.now()
    cause = f"retry {now.isoformat()}"
    event = CodeParams(code=RETRIED, params={"reason": item.reason})
    return audit_entry(site, event, cause, now, About(item.scan_id, item.revision, item.scanner))


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text).replace("[", r"\[")
