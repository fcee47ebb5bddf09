"""Several journals beside each other: a summary for the auditor, and whether two of the same site tell the same story."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from edge_agent.cli.journal_files import Finding, is_ledger
from edge_agent.collector.config import load
from edge_agent.console.catalogue import clean
from edge_agent.domain.ids import Seq
from edge_agent.errors import MalformedMessage
from edge_agent.ledger.reader import LedgerReader
from edge_agent.signing.keys import VerifyKey
from edge_agent.wire.export import read_heading, read_row

FORK = "fork"
"""Why a journal is bad that fits in itself: another one of the same site and epoch has other rows."""


def keys_of_sites(config: Path) -> Callable[[str], VerifyKey | None]:
    """Give who may have signed a site's heads, by ``[[site]] journal_key`` of collector.toml; None where it names no key.

    Raises:
        ConfigInvalid, ConfigUnreadable.
    """
    keys: Mapping[str, VerifyKey | None] = {entry.id: entry.believed for entry in load(config).site}
    return keys.get


def with_forks(findings: Sequence[Finding]) -> list[Finding]:
    """Give the findings, those that contradict a longer journal of the same site and epoch marked at their last row."""
    return [_against(one, findings) for one in findings]


def _against(one: Finding, findings: Sequence[Finding]) -> Finding:
    for other in findings:
        is_longer = (other.site, other.epoch) == (one.site, one.epoch) and other.last_seq >= one.last_seq
        if one.bad_seq is not None or other.bad_seq is not None or other is one or not is_longer:
            continue
        held = _hash_at(Path(other.file), Seq(one.last_seq))
        if held not in (None, one.last_hash):
            return replace(one, bad_seq=one.last_seq, why=FORK)
    return one


def _hash_at(path: Path, seq: Seq) -> str | None:
    """Give the chain's hash at a row of a journal that was verified, None where it does not hold that row."""
    if is_ledger(path):
        with closing(LedgerReader.open(path)) as reader:
            found = reader.hash_at(seq)
        return None if found is None else found.hex()
    with path.open(encoding="utf-8", newline="\n") as lines:
        segment = read_heading(lines.readline())
        if segment.after == seq:
            return segment.hash.hex()
        for line in lines:
            try:
                row = read_row(line, segment.epoch)
            except MalformedMessage:
                continue  # the line of a head
            if row.seq == seq:
                return row.hash.hex()
    return None


def show_summary(findings: Sequence[Finding], console: Console) -> None:
    """Draw a line for each journal, the bad ones first."""
    table = Table(
        "", "site", "file", Column("last row", justify="right"), Column("signed to", justify="right"), "signed by", show_edge=False
    )
    for one in sorted(findings, key=lambda finding: finding.bad_seq is None):
        is_bad = one.bad_seq is not None
        signers = ", ".join(signer[:9] for signer in one.signers) or "nobody"
        verdict = f"[bold red]BROKEN at {one.bad_seq}[/]" if is_bad else "[green]intact[/]"
        table.add_row(
            verdict, escape(clean(one.site)), escape(clean(Path(one.file).name)), f"{one.last_seq:,}", f"{one.signed_seq:,}", signers
        )
    console.print(table)
    sites = len({one.site for one in findings})
    bad = sum(one.bad_seq is not None for one in findings)
    console.print(f"{len(findings)} journals of {sites} sites: {len(findings) - bad} intact, {bad} broken")
