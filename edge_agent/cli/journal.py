"""``edge-agent journal``: check a site's journal, or an exported one, row by row and head by head; export it for an auditor."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from edge_agent.cli.journal_files import PAGE_BYTES, PAGE_ROWS, Believed, Finding, Tell, export, verify_file
from edge_agent.domain.ids import Seq
from edge_agent.ledger.reader import LedgerReader
from edge_agent.signing.keys import SigningKey, VerifyKey

STATE_DIR = Path("/var/lib/edge-agent")
_BAD = {
    "head": "a signed head contradicts the rows or is badly signed",
    "fork": "it fits in itself, and another journal of this site and epoch has other rows",
}


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("journal", help="verify or export a site's journal", description="The site's journal of facts.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_verify(actions)
    _add_export(actions)
    _add_results(actions)
    _add_new_key(actions)
    parser.set_defaults(run=run)


def _add_verify(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verify = actions.add_parser(
        "verify",
        help="recompute every link of the chain and check every signed head",
        description="Recomputes the hash chain and checks the heads that the site signed, beside a running daemon if there is one. "
        "Of several journals a summary is shown, and two of one site and epoch must tell the same. "
        "Exit 0 intact, 1 with the first bad row named. Rows cut off behind the last signed head leave a chain that fits: compare the "
        "last hash with one kept elsewhere.",
    )
    verify.add_argument("files", nargs="*", type=Path, metavar="FILE", help="ledgers or exported journals (default: the site's own ledger)")
    believed = verify.add_mutually_exclusive_group()
    believed.add_argument("--key", metavar="KEY", help="the site's public key, ed25519:... or a .sign file; heads of any other key are bad")
    believed.add_argument("--sites", type=Path, metavar="FILE", help="collector.toml: each site's journal_key counts for its journals")
    verify.add_argument("--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help=f"state_dir of agent.toml (default {STATE_DIR})")
    verify.add_argument("--json", action="store_true", help="one JSON object a file")
    verify.set_defaults(act=_verify)


def _add_export(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export_action = actions.add_parser(
        "export",
        help="write the journal to one text file that can be verified anywhere",
        description="Writes every row and every signed head to one text file, beside a running daemon if there is one. It never "
        "overwrites a file.",
    )
    export_action.add_argument(
        "--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help=f"state_dir of agent.toml (default {STATE_DIR})"
    )
    export_action.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write; must not exist")
    export_action.add_argument("--json", action="store_true", help="say as JSON what was written")
    export_action.set_defaults(act=_export)


def _add_results(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    results = actions.add_parser(
        "results",
        help="write the assessments back anew, as [results] does",
        description="Writes one file for each assessed scan, revision and format into a folder, from the whole journal; beside a running "
        "daemon if there is one. Files that are there are replaced by the same content.",
    )
    results.add_argument("--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help=f"state_dir of agent.toml (default {STATE_DIR})")
    results.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to; not one that is watched")
    results.add_argument("--format", choices=("json", "xml", "tdr"), action="append", help="may be given again (default: json)")
    results.set_defaults(act=_results)


def _add_new_key(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    new_key = actions.add_parser(
        "new-key",
        help="make the key by which a site signs its journal; never overwrites one",
        description="Makes NAME.sign (public) and NAME.sign_secret (mode 0600), and tells where each belongs.",
    )
    new_key.add_argument("name", metavar="NAME", help="such as the site's id")
    new_key.add_argument("--dir", type=Path, default=Path("keys"), metavar="DIR", help="folder of the keys (default: ./keys)")
    new_key.add_argument("--json", action="store_true", help="print JSON")
    new_key.set_defaults(act=_new_key)


def run(args: argparse.Namespace) -> int:
    """Do the chosen action."""
    return int(args.act(args))


def _verify(args: argparse.Namespace) -> int:
    from edge_agent.cli.journal_compare import show_summary, with_forks

    believed = _believed(args)
    found = []
    for path in args.files or [args.state_dir / "ledger.db"]:
        with progress(f"verifying {path.name}") as tell:
            found.append(verify_file(path, believed, tell))
    findings = with_forks(found)
    for finding in findings:
        print(json.dumps(asdict(finding)) if args.json else _sentence(finding))
    if len(findings) > 1 and not args.json:
        show_summary(findings, Console(width=None if sys.stdout.isatty() else 120))
    return 1 if any(finding.bad_seq is not None for finding in findings) else 0


def _believed(args: argparse.Namespace) -> Believed:
    """Give whose heads count, by site."""
    if args.sites is not None:
        from edge_agent.cli.journal_compare import keys_of_sites

        return keys_of_sites(args.sites)
    key = None if args.key is None else public_key(args.key)
    return lambda _site: key


def public_key(text: str) -> VerifyKey:
    """Read a public key as it is written, or from its file.

    Raises:
        ConfigInvalid, SigningKeyUnusable.
    """
    return VerifyKey.parse(text) if text.startswith("ed25519:") else VerifyKey.load(Path(text))


def _sentence(finding: Finding) -> str:
    if finding.bad_seq is not None:
        what = _BAD.get(finding.why, "rows before it are intact")
        return f"{finding.file}: BROKEN at row {finding.bad_seq} of site {finding.site}; {what}"
    signed = f"signed up to row {finding.signed_seq} by {', '.join(finding.signers)}" if finding.heads else "not signed"
    return f"{finding.file}: intact: site {finding.site}, {finding.last_seq} rows, last hash {finding.last_hash}; {signed}"


def _export(args: argparse.Namespace) -> int:
    with closing(LedgerReader.open(args.state_dir / "ledger.db")) as reader, progress("exporting") as tell:
        first, last = export(reader, args.out, tell)
    if args.json:
        print(json.dumps({"file": str(args.out), "site": reader.site, "first_seq": first, "last_seq": last}))
    else:
        print(f"{args.out}: rows {first} to {last} of site {reader.site}", file=sys.stderr)
    return 0


@contextmanager
def progress(what: str) -> Iterator[Tell]:
    """Show a bar on a terminal; anywhere else say nothing."""
    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _results(args: argparse.Namespace) -> int:
    from edge_agent.agent.results import write_results

    count = 0
    with closing(LedgerReader.open(args.state_dir / "ledger.db")) as reader:
        after = Seq(reader.head().first - 1)
        while rows := reader.rows(after, PAGE_ROWS, PAGE_BYTES):
            count += write_results(args.out, rows, args.format or ["json"])
            after = rows[-1].seq
    print(f"{args.out}: {count} assessments", file=sys.stderr)
    return 0


def _new_key(args: argparse.Namespace) -> int:
    key = SigningKey.new(args.name)
    public, secret = key.save(args.dir)
    if args.json:
        content = {"name": key.name, "public": key.public.text, "fingerprint": key.public.fingerprint, "files": [str(public), str(secret)]}
        print(json.dumps(content))
        return 0
    print(f"{secret}: the secret half, never to leave this machine\n{public}: the public half")
    print(f'in agent.toml of the site:     [journal] key = "{secret.resolve()}"')
    print(f'in headquarters\' configuration: [[site]] journal_key = "{key.public.text}"')
    print(f"fingerprint: {key.public.fingerprint}")
    return 0
