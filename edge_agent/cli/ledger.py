"""``edge-agent ledger``: a backup while the daemon runs, its restore while it stands still, and a thorough check."""

import argparse
import json
import os
import pwd
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, count
from pathlib import Path

from rich.console import Console

from edge_agent.cli.journal import STATE_DIR, progress
from edge_agent.domain.ids import ScanId
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.ledger.backup import Copy, Restored, back_up, restore
from edge_agent.ledger.checks import check_whole
from edge_agent.ledger.connection import sync_folder
from edge_agent.ledger.reader import LedgerReader
from edge_agent.telemetry.clock import SystemClock

RECOVERED = "recovered"
"""Folder of the state directory for copies of scans that a restored ledger does not know; nothing removes them by itself."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A revision whose files and ledger do not agree after a restore; ``path``: relative to the state directory."""

    scan_id: str
    revision: int
    path: str


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("ledger", help="back up, restore and check a ledger", description="A site's durable memory.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    backup = actions.add_parser(
        "backup",
        help="copy the ledger to a file, beside a running daemon",
        description="Copies the ledger as it is at one moment, verifies the copy, and only then gives it its name; it never overwrites. "
        "The file holds identifiers in clear, as the ledger does, and is readable by its owner alone. Pictures, packages and files that "
        "wait in the spool are not in it.",
    )
    backup.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write; must not exist")
    backup.set_defaults(act=_backup)
    back = actions.add_parser(
        "restore",
        help="put a backup in the ledger's place, under a new epoch",
        description="The daemon must be stopped. The replaced ledger is kept in replaced/. Consoles and headquarters are told of the new "
        "epoch and read it from its beginning. Identifiers erased since the backup are erased again. Names every accepted scan whose "
        f"files are gone, and moves copies of scans that the backup does not know to {RECOVERED}/.",
    )
    back.add_argument("file", type=Path, metavar="FILE", help="a backup")
    back.set_defaults(act=_restore)
    check = actions.add_parser(
        "check",
        help="compare every index with its table, every row with the chain, every signed head with its row",
        description="Beside a running daemon if there is one. Exit codes: 0 sound, 1 the journal does not verify, 70 the file is damaged.",
    )
    check.set_defaults(act=_check)
    for action in (backup, back, check):
        action.add_argument(
            "--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help=f"state_dir of agent.toml (default {STATE_DIR})"
        )
        action.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the chosen action."""
    return int(args.act(args))


def _backup(args: argparse.Namespace) -> int:
    with _busy("copying and verifying"):
        copy = back_up(args.state_dir / "ledger.db", args.out)
    size = args.out.stat().st_size
    if args.json:
        print(json.dumps({"file": str(args.out), "bytes": size, **_plain(copy)}))
    else:
        print(f"{args.out}: {copy.last_seq} rows of site {copy.site}, {size / 1e6:.1f} MB, verified")
    return 0


def _restore(args: argparse.Namespace) -> int:
    _expect_owner(args.state_dir)
    with _busy("restoring and verifying"):
        restored = restore(args.file, args.state_dir / "ledger.db", SystemClock())
    missing, recovered = reconcile(args.state_dir)
    if args.json:
        print(
            json.dumps(
                {
                    **_plain(restored.copy),
                    "from_epoch": restored.from_epoch.hex(),
                    "erased_again": restored.erased,
                    "erasures_known": restored.is_complete,
                    "missing": [asdict(one) for one in missing],
                    "recovered": [asdict(one) for one in recovered],
                }
            )
        )
    else:
        _tell(restored, missing, recovered)
    return 0


def _expect_owner(state_dir: Path) -> None:
    """Refuse to leave files that the daemon's own user could not open.

    Raises:
        ConfigInvalid: the state directory belongs to somebody else.
        ConfigUnreadable: there is none.
    """
    try:
        owner = state_dir.stat().st_uid
    except OSError as problem:
        raise ConfigUnreadable(f"{state_dir}: {problem.strerror}", {"file": str(state_dir)}) from problem
    if owner != os.geteuid():
        name = _user(owner)
        raise ConfigInvalid(
            f"{state_dir} belongs to {name}, who must be able to open what is restored: `sudo -u {name} edge-agent ledger restore ...`",
            {"key": "state_dir"},
        )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"


def _tell(restored: Restored, missing: list[Leftover], recovered: list[Leftover]) -> None:
    print(f"restored: {restored.copy.last_seq} rows of site {restored.copy.site}, new epoch {restored.copy.epoch.hex()}")
    if not restored.is_complete:
        print("the replaced ledger could not be read: erase again by hand what was erased since the backup was taken")
    elif restored.erased:
        print(f"{restored.erased} identifiers that were erased since the backup are erased again")
    for one in missing:
        print(f"files gone: {one.scan_id} revision {one.revision} ({one.path})")
    if missing:
        print("what waits without files is set aside when its turn comes; look for a later package of it, and for the scan at the scanner")
    for one in recovered:
        print(f"not in the backup: {one.scan_id} revision {one.revision}; its files are in {one.path}")
    if recovered:
        print("scans that still lie with the scanner are taken again by themselves; hand in the others by copying their files there")


def reconcile(state_dir: Path) -> tuple[list[Leftover], list[Leftover]]:
    """Give accepted revisions whose files are gone, and what was moved to ``recovered/``: copies of revisions that nobody knows.

    Raises:
        LedgerDamaged, LedgerFailed, LedgerBusy.
    """
    with closing(LedgerReader.open(state_dir / "ledger.db")) as reader:
        waiting = [Leftover(job.scan_id, job.revision, job.spool) for job in reader.in_flight()]
        aside = [Leftover(one.scan_id, one.revision, f"quarantine/{one.scan_id}/r{one.revision}") for one in reader.quarantined()]
        copies = {(ScanId(path.parent.name), int(path.name[1:])): path for path in sorted((state_dir / "spool").glob("*/r[0-9]*"))}
        unknown = reader.unknown(list(copies))
    missing = [one for one in waiting if not (state_dir / one.path).is_dir()]
    missing += [one for one in aside if not (state_dir / one.path).is_dir() and not (state_dir / "spool" / one.path[11:]).is_dir()]
    return missing, [_recovered(state_dir, copies[one]) for one in unknown]


def _recovered(state_dir: Path, copy: Path) -> Leftover:
    """Move a copy to ``recovered/``, beside what an earlier restore left there of the same revision."""
    home = state_dir / RECOVERED / copy.parent.name
    names = chain((copy.name,), (f"{copy.name}-{number}" for number in count(2)))
    target = next(home / name for name in names if not (home / name).exists())
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy.rename(target)
    for folder in (home, home.parent, copy.parent):
        sync_folder(folder)
    return Leftover(copy.parent.name, int(copy.name[1:]), str(target.relative_to(state_dir)))


def _check(args: argparse.Namespace) -> int:
    with progress("checking") as tell:
        found = check_whole(args.state_dir / "ledger.db", None, tell)
    if args.json:
        print(json.dumps({"bad_seq": found.bad_seq, "why": found.why, "heads": found.heads, "signed_seq": found.signed_seq}))
    elif found.bad_seq is None:
        print(f"sound; {found.heads} signed heads, up to row {found.signed_seq}" if found.heads else "sound; not signed")
    else:
        print(f"BROKEN at row {found.bad_seq} of the journal")
    return 0 if found.bad_seq is None else 1


def _plain(copy: Copy) -> dict[str, str | int]:
    return {"site": copy.site, "epoch": copy.epoch.hex(), "last_seq": copy.last_seq}


@contextmanager
def _busy(words: str) -> Iterator[None]:
    """Show that work goes on, on a terminal only."""
    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield
        return
    with screen.status(words):
        yield
