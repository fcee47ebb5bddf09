"""``edge-agent journal``: check a site's journal, or an exported one, row by row; export it for an auditor."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import ConfigUnreadable, LedgerFailed, MalformedMessage
from edge_agent.ledger.reader import LedgerReader
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.export import Segment, heading, read_heading, row_line, verified

STATE_DIR = Path("/var/lib/edge-agent")
_SQLITE_MAGIC = b"SQLite format 3\0"
_PAGE_ROWS = 500
_PAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """What a verification came to. ``bad_seq``: number of the first row that does not fit, None when all do."""

    file: str
    site: str
    epoch: str
    last_seq: int
    last_hash: str
    bad_seq: int | None


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("journal", help="verify or export a site's journal", description="The site's journal of facts.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser(
        "verify",
        help="recompute every link of the chain",
        description="Recomputes the hash chain, beside a running daemon if there is one. Exit 0 intact, 1 with the first bad row named. "
        "Rows cut off at the end leave a chain that fits: compare the last hash with one kept elsewhere.",
    )
    verify.add_argument("files", nargs="*", type=Path, metavar="FILE", help="ledgers or exported journals (default: the site's own ledger)")
    verify.add_argument("--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help=f"state_dir of agent.toml (default {STATE_DIR})")
    verify.add_argument("--json", action="store_true", help="one JSON object a file")
    verify.set_defaults(act=_verify)
    export = actions.add_parser("export", help="write the journal to one text file that can be verified anywhere")
    export.add_argument("--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help=f"state_dir of agent.toml (default {STATE_DIR})")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write; must not exist")
    export.set_defaults(act=_export)
    _add_results(actions)
    parser.set_defaults(run=run)


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


def run(args: argparse.Namespace) -> int:
    """Do the chosen action."""
    return int(args.act(args))


def _verify(args: argparse.Namespace) -> int:
    findings = [verify_file(path) for path in args.files or [args.state_dir / "ledger.db"]]
    for finding in findings:
        print(json.dumps(asdict(finding)) if args.json else _sentence(finding))
    return 1 if any(finding.bad_seq is not None for finding in findings) else 0


def _sentence(finding: Finding) -> str:
    if finding.bad_seq is not None:
        return f"{finding.file}: BROKEN at row {finding.bad_seq} of site {finding.site}; rows before it are intact"
    return f"{finding.file}: intact: site {finding.site}, {finding.last_seq} rows, last hash {finding.last_hash}"


def verify_file(path: Path) -> Finding:
    """Verify a ledger or an export.

    Raises:
        ConfigUnreadable: the file is absent or unreadable.
        MalformedMessage: it is neither; LedgerDamaged, LedgerFailed, LedgerForeign: the database itself is unusable.
    """
    try:
        with path.open("rb") as file:
            is_ledger = file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}", {"file": str(path)}) from problem
    return _verify_ledger(path) if is_ledger else _verify_export(path)


def _verify_ledger(path: Path) -> Finding:
    with closing(LedgerReader.open(path)) as reader:
        bad, head = reader.verify(), reader.head()
        return Finding(str(path), reader.site, head.epoch.hex(), head.seq, head.hash.hex(), bad)


def _verify_export(path: Path) -> Finding:
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            segment = read_heading(lines.readline())
            after, digest, bad = segment.after, segment.hash, None
            for step in verified(lines, segment):
                if isinstance(step, JournalRow):
                    after, digest = step.seq, step.hash
                else:
                    bad = step
    except UnicodeDecodeError as problem:
        raise MalformedMessage(f"{path}: neither a ledger nor a journal export") from problem
    return Finding(str(path), segment.site, segment.epoch.hex(), after, digest.hex(), bad)


def _export(args: argparse.Namespace) -> int:
    with closing(LedgerReader.open(args.state_dir / "ledger.db")) as reader:
        head = reader.head()
        after = Seq(head.first - 1)
        before = reader.hash_at(after)
        if before is None:
            raise LedgerFailed("the ledger does not know the hash before its oldest row", {"seq": after})
        segment = Segment(SiteId(reader.site), reader.epoch, after, before)
        _write_whole(args.out, _lines(reader, segment, head.seq))
    print(f"{args.out}: rows {head.first} to {head.seq} of site {segment.site}", file=sys.stderr)
    return 0


def _results(args: argparse.Namespace) -> int:
    from edge_agent.agent.results import write_results

    count = 0
    with closing(LedgerReader.open(args.state_dir / "ledger.db")) as reader:
        after = Seq(reader.head().first - 1)
        while rows := reader.rows(after, _PAGE_ROWS, _PAGE_BYTES):
            count += write_results(args.out, rows, args.format or ["json"])
            after = rows[-1].seq
    print(f"{args.out}: {count} assessments", file=sys.stderr)
    return 0


def _lines(reader: LedgerReader, segment: Segment, last: Seq) -> Iterator[str]:
    """Give the lines up to row ``last``; rows that come meanwhile are left to the next export."""
    yield heading(segment)
    after = segment.after
    while after < last:
        page = [row for row in reader.rows(after, _PAGE_ROWS, _PAGE_BYTES) if row.seq <= last]
        if not page:
            raise LedgerFailed("the journal ends before its head", {"seq": after})
        for row in page:
            yield row_line(row)
        after = page[-1].seq


def _write_whole(path: Path, lines: Iterator[str]) -> None:
    """Write a new file that is whole or not there."""
    part = path.with_name(path.name + ".part")
    try:
        if path.exists():
            raise ConfigUnreadable(f"{path}: exists; an export never overwrites", {"file": str(path)})
        with part.open("w", encoding="utf-8", newline="\n") as file:
            part.chmod(0o600)
            for line in lines:
                file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}", {"file": str(path)}) from problem
