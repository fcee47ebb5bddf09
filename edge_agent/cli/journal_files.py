"""Journals in files, a ledger's own or an export: verified whole, and written as an export. One read page at a time."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from edge_agent.domain.ids import Seq
from edge_agent.errors import ConfigUnreadable, LedgerFailed, MalformedMessage, SignatureInvalid, SignerUnknown
from edge_agent.ledger.connection import sync_folder
from edge_agent.ledger.reader import LedgerReader
from edge_agent.signing.heads import check_head
from edge_agent.signing.keys import VerifyKey
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.export import Segment, head_line, heading, read_heading, row_line, verified
from edge_agent.wire.heads import SignedHead

_SQLITE_MAGIC = b"SQLite format 3\0"
PAGE_ROWS = 500
PAGE_BYTES = 1 << 20
_BEFORE_ALL = (Seq(-1), b"")

Tell: TypeAlias = Callable[[int, int], None]
"""Hears how much of how much is done: rows of a ledger, bytes of an export."""
Believed: TypeAlias = Callable[[str], VerifyKey | None]
"""Gives the only key that may have signed a site's heads; None: any."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a verification came to. ``bad_seq``: number of the first row that does not fit, None when all do; ``why``: row or head.

    ``heads``: signed heads that fit; ``signed_seq``: the last row they vouch for, 0 without one; ``signers``: fingerprints of their keys.
    """

    file: str
    site: str
    epoch: str
    last_seq: int
    last_hash: str
    bad_seq: int | None
    why: str
    heads: int
    signed_seq: int
    signers: tuple[str, ...]


def is_ledger(path: Path) -> bool:
    """Tell a ledger from anything else.

    Raises:
        ConfigUnreadable: the file is absent or unreadable.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}", {"file": str(path)}) from problem


def verify_file(path: Path, believed: Believed, tell: Tell) -> Finding:
    """Verify a ledger or an export. ``believed``: gives the only key that may have signed a site's heads, None: any.

    Raises:
        ConfigUnreadable: the file is absent or unreadable.
        MalformedMessage: it is neither; LedgerDamaged, LedgerFailed, LedgerForeign: the database itself is unusable.
    """
    return _verify_ledger(path, believed, tell) if is_ledger(path) else _verify_export(path, believed, tell)


def _verify_ledger(path: Path, believed: Believed, tell: Tell) -> Finding:
    with closing(LedgerReader.open(path)) as reader:
        found, head = reader.verification(believed(reader.site), tell), reader.head()
    return Finding(
        str(path),
        reader.site,
        head.epoch.hex(),
        head.seq,
        head.hash.hex(),
        found.bad_seq,
        found.why,
        found.heads,
        found.signed_seq,
        found.signers,
    )


class _ExportWalk:
    """What was found so far in an export."""

    def __init__(self, segment: Segment, believed: VerifyKey | None) -> None:
        self._segment = segment
        self._believed = believed
        self._after, self._hash = segment.after, segment.hash
        self._bad: Seq | None = None
        self._why = ""
        self._heads, self._signed = 0, Seq(0)
        self._signers = dict[str, None]()

    def take(self, step: JournalRow | SignedHead | Seq) -> bool:
        """Take a step of ``wire.export.verified``; say whether to go on."""
        if isinstance(step, JournalRow):
            self._after, self._hash = step.seq, step.hash
        elif isinstance(step, SignedHead):
            self._take_head(step)
        else:
            self._bad, self._why = step, "row" if step > self._after else "head"
        return self._bad is None

    def _take_head(self, head: SignedHead) -> None:
        try:
            check_head(head, self._believed)
        except (SignatureInvalid, SignerUnknown):
            self._bad, self._why = Seq(max(head.seq, 1)), "head"
            return
        self._heads, self._signed = self._heads + 1, head.seq
        self._signers[VerifyKey(head.key).fingerprint] = None

    def finding(self, path: Path) -> Finding:
        whose = self._segment
        signed = (self._bad, self._why, self._heads, self._signed, tuple(self._signers))
        return Finding(str(path), whose.site, whose.epoch.hex(), self._after, self._hash.hex(), *signed)


def _verify_export(path: Path, believed: Believed, tell: Tell) -> Finding:
    size = path.stat().st_size
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            segment = read_heading(lines.readline())
            walk = _ExportWalk(segment, believed(segment.site))
            for step in verified(_told(lines, size, tell), segment):
                if not walk.take(step):
                    break
    except UnicodeDecodeError as problem:
        raise MalformedMessage(f"{path}: neither a ledger nor a journal export") from problem
    return walk.finding(path)


def _told(lines: Iterable[str], size: int, tell: Tell) -> Iterator[str]:
    """Pass lines on, telling now and then how many characters, which are bytes here, have gone by."""
    done = 0
    for number, line in enumerate(lines):
        done += len(line)
        if number % PAGE_ROWS == 0:
            tell(done, size)
        yield line


def export(reader: LedgerReader, out: Path, tell: Tell) -> tuple[Seq, Seq]:
    """Write the journal with its signed heads to a new file; give the numbers of its first and last row.

    Raises:
        ConfigUnreadable: the file exists, or cannot be written.
        LedgerFailed: the ledger lacks the hash before its oldest row.
    """
    head = reader.head()
    after = Seq(head.first - 1)
    before = reader.hash_at(after)
    if before is None:
        raise LedgerFailed("the ledger does not know the hash before its oldest row", {"seq": after})
    _write_whole(out, _lines(reader, Segment(reader.site, reader.epoch, after, before), head.seq, tell))
    return head.first, head.seq


def _lines(reader: LedgerReader, segment: Segment, last: Seq, tell: Tell) -> Iterator[str]:
    """Give the lines of an export up to row ``last``, so that a busy journal comes to an end; each head behind its row."""
    yield heading(segment)
    heads = _heads(reader)
    head = next(heads, None)
    after = segment.after
    while True:
        while head is not None and head.seq <= after:
            yield head_line(head)
            head = next(heads, None)
        if after >= last:
            return
        upto = last if head is None else min(last, head.seq)
        rows = reader.rows(after, min(PAGE_ROWS, upto - after), PAGE_BYTES)
        if not rows:
            raise LedgerFailed("the ledger lacks a row that it should have", {"seq": after + 1})
        yield from map(row_line, rows)
        after = rows[-1].seq
        tell(after, last)


def _heads(reader: LedgerReader) -> Iterator[SignedHead]:
    place = _BEFORE_ALL
    while page := reader.signed_heads(place, PAGE_ROWS):
        yield from page
        place = (page[-1].seq, page[-1].epoch)


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
        sync_folder(path.parent)
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}", {"file": str(path)}) from problem
