"""``edge-agent evidence``: one signed file that proves what a site knows of a scan, for a court or an auditor."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from edge_agent.cli.reason import reason_word
from edge_agent.errors import ConfigInvalid
from edge_agent.telemetry.clock import SystemClock


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evidence",
        help="one signed file with all that the site knows of a scan",
        description="Writes the scanner's files, the package, every fact of the journal about the scan (assessments, verdicts, results of "
        "examinations, who looked at it), the pieces of the journal's chain that hold them, identifiers in clear, and a script that checks "
        "all of it on a machine without this program. The site's journal key ([journal] key) signs the whole file. The export is "
        "journalled before anything is written; it works beside a running daemon. Exit 0 written.",
    )
    parser.add_argument("scan", metavar="SCAN", help="whole identity of the scan; scan show --state-dir lists them")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write, such as evidence.zip; must not exist")
    parser.add_argument(
        "--reason", type=reason_word, required=True, metavar="WORD", help="why: one word, such as court-order; it is journalled"
    )
    parser.add_argument("--role", choices=("evidence", "supervisor"), default="evidence", help="in which role; it is journalled")
    parser.add_argument(
        "--earlier-key",
        action="append",
        default=[],
        metavar="KEY",
        help="a key with which this site signed its journal before, ed25519:... or a .sign file; may be given again",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file."""
    from edge_agent.agent.config import load_config
    from edge_agent.agent.departures import departure, journal_departure
    from edge_agent.agent.evidence import Grounds, write_evidence
    from edge_agent.cli.journal import public_key
    from edge_agent.domain.ids import ScanId, SiteId
    from edge_agent.signing.keys import SigningKey

    sections = load_config(args.config).sections
    if sections.journal.key is None:
        raise ConfigInvalid("evidence is signed with [journal] key; make one with `edge-agent journal new-key`", {"key": "journal.key"})
    grounds = Grounds(SigningKey.load(sections.journal.key), args.reason, tuple(public_key(text) for text in args.earlier_key))
    clock, scan, site = SystemClock(), ScanId(args.scan), SiteId(sections.site.id)
    _refuse_needless(sections.state_dir, scan, args.out)
    journal_departure(sections.state_dir, site, departure(scan, args.reason, args.role, "evidence"), clock)
    screen = Console(stderr=True)
    with screen.status("writing evidence") as status:
        written = write_evidence(sections.state_dir, scan, args.out, grounds, clock, lambda name: status.update(f"writing {name}"))
    if args.json:
        json.dump({**asdict(written), "path": str(written.path), "key": grounds.key.public.text}, sys.stdout)
        sys.stdout.write("\n")
        return 0
    print(f"{written.path}: {written.facts} facts, {written.rows} rows of the journal, {written.entries} entries, {written.bytes:,} bytes")
    print(f"sha256       {written.sha256}")
    print(f"key          {grounds.key.public.text}")
    print(f"fingerprint  {grounds.key.public.fingerprint}")
    print("check it anywhere: python3 -I verify_evidence.py FILE --key KEY; the script is in the file and in the program's release")
    return 0


def _refuse_needless(state_dir: Path, scan: str, out: Path) -> None:
    """Refuse before anything is journalled what could not be written anyway.

    Raises:
        PackageMissing, ConfigUnreadable, LedgerFailed, LedgerDamaged.
    """
    from contextlib import closing

    from edge_agent.domain.ids import ScanId
    from edge_agent.errors import ConfigUnreadable, PackageMissing
    from edge_agent.ledger.reader import LedgerReader

    if out.exists() or not out.absolute().parent.is_dir():
        raise ConfigUnreadable(f"{out}: exists, or its folder does not", {"file": str(out)})
    with closing(LedgerReader.open(state_dir / "ledger.db")) as reader:
        if not reader.facts_of(ScanId(scan)):
            raise PackageMissing(f"the journal says nothing of {scan}; a scan's whole id has 36 signs", {"scan_id": scan})
