"""``edge-agent selections``: what was selected for scanning, and what became of it; named at the site's own terminal only."""

import argparse
import json
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from edge_agent.cli.journal import STATE_DIR
from edge_agent.domain.selection import Listed, SelectionState
from edge_agent.ledger.reader import LedgerReader

_ALL = tuple(state.value for state in SelectionState)
_WHAT = ("number", "scanner", "reason", "campaign")


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "selections",
        help="consignments selected for scanning, and what became of them",
        description="Lists consignments of the lists in [selections] by what became of them: pending, scanned, missed (not scanned by "
        "their due time) or late (scanned after it). Without --state: what is missed. Works beside a running daemon. The numbers "
        "come from the erasable identity table and leave the site nowhere else. Exit 0, or 1 when something is missed.",
    )
    parser.add_argument("--state", choices=_ALL, action="append", help="show these; may be given again")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument("--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help=f"state_dir of agent.toml (default {STATE_DIR})")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the selections."""
    with closing(LedgerReader.open(args.state_dir / "ledger.db")) as reader:
        listed = reader.selections(datetime.min.replace(tzinfo=UTC, year=1970))
    wanted = args.state or [SelectionState.MISSED.value]
    shown = [one for one in listed if one.state.value in wanted]
    if args.json:
        print(json.dumps([_fields(one) for one in shown], indent=1))
    else:
        _print(shown, Counter(one.state.value for one in listed))
    return 1 if any(one.state is SelectionState.MISSED for one in listed) else 0


def _fields(one: Listed) -> dict[str, str]:
    selected = one.selected
    return {
        "number": selected.number,
        "token": one.token,
        "scanner": selected.scanner or "",
        "reason": selected.reason.value,
        "campaign": selected.campaign,
        "selected_at": selected.since.isoformat(),
        "due": selected.due.isoformat(),
        "state": one.state.value,
        "scan_id": one.scan_id or "",
    }


def _print(shown: list[Listed], counts: Counter[str]) -> None:
    total = ", ".join(f"{counts[state]} {state}" for state in _ALL)
    columns: list[Column | str] = [Column("number", overflow="fold", min_width=11), *_WHAT[1:]]
    columns += [Column(name, min_width=10) for name in ("selected UTC", "due UTC")]
    table = Table(*columns, "state", title=total, title_justify="left", show_edge=False, pad_edge=False)
    for one in shown:
        times = [moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M") for moment in (one.selected.since, one.selected.due)]
        fields = _fields(one)
        table.add_row(*(Text(text) for text in (*(fields[name] for name in _WHAT), *times, fields["state"])))
    Console().print(table)
