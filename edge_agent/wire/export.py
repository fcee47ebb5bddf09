"""A journal as a text file that an auditor can check without this program's database: one JSON object a line.

The first line names the site, the epoch and the place before the first row; each further line is a row, or a signed head right behind
the row that it speaks of. Bodies are the exact journalled text, for the hashes are over their bytes. Format 1 had no heads.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import MalformedMessage
from edge_agent.wire.chain import EPOCH_BYTES, HASH_BYTES, JournalRow, first_break
from edge_agent.wire.heads import SignedHead, SignedHeadPart

FORMAT = "edge-agent-journal/2"
_READABLE = (FORMAT, "edge-agent-journal/1")


@dataclass(frozen=True, slots=True)
class Segment:
    """What a file begins with: whose journal, and the number and hash before its first row (0 and the epoch at the very beginning)."""

    site: SiteId
    epoch: bytes
    after: Seq
    hash: bytes


def heading(segment: Segment) -> str:
    """Give the first line, without its line end."""
    content = {"format": FORMAT, "site": segment.site, "epoch": segment.epoch.hex(), "after": segment.after, "hash": segment.hash.hex()}
    return json.dumps(content)


def row_line(row: JournalRow) -> str:
    """Give the line of one row."""
    body = row.body.decode(errors="surrogateescape")
    return json.dumps({"seq": row.seq, "prev_seq": row.prev_seq, "topic": row.topic, "hash": row.hash.hex(), "body": body})


def head_line(head: SignedHead) -> str:
    """Give the line of a signed head."""
    return json.dumps({"head": SignedHeadPart.of(head).model_dump()})


def read_heading(line: str) -> Segment:
    """Read the first line.

    Raises:
        MalformedMessage: it is not one of ours.
    """
    try:
        content = json.loads(line)
        if content["format"] not in _READABLE:
            raise MalformedMessage("a journal export of another format", {"format": str(content["format"])[:64]})
        epoch, digest = bytes.fromhex(content["epoch"]), bytes.fromhex(content["hash"])
        segment = Segment(SiteId(str(content["site"])), epoch, Seq(int(content["after"])), digest)
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise MalformedMessage("not a journal export") from problem
    if len(segment.epoch) != EPOCH_BYTES or segment.after < 0:
        raise MalformedMessage("not a journal export")
    return segment


def read_row(line: str, epoch: bytes) -> JournalRow:
    """Read the line of one row.

    Raises:
        MalformedMessage: it is not one.
    """
    try:
        content = json.loads(line)
        body = content["body"].encode(errors="surrogateescape")
        seq, prev = Seq(int(content["seq"])), Seq(int(content["prev_seq"]))
        row = JournalRow(epoch, seq, prev, str(content["topic"]), body, bytes.fromhex(content["hash"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise MalformedMessage("not the line of a row") from problem
    if len(row.hash) != HASH_BYTES or not 0 <= row.prev_seq < row.seq < 1 << 63:
        raise MalformedMessage("not the line of a row")
    return row


def read_head(line: str, site: SiteId) -> SignedHead | None:
    """Read the line of a signed head; None when it is not one. Nothing is said yet of its signature."""
    if not line.startswith('{"head":'):
        return None
    try:
        return SignedHeadPart.model_validate(json.loads(line)["head"]).head(site)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def verified(lines: Iterable[str], segment: Segment) -> Iterator[JournalRow | SignedHead | Seq]:
    """Give each row that continues the chain and each head that fits its row; at the first that does not, its number, and end.

    The number is of the first row that is in doubt: the next one, or the one that a head contradicts. Signatures are the caller's to
    check.
    """
    after, previous = segment.after, segment.hash
    for line in lines:
        head = read_head(line, segment.site)
        if head is not None:
            if (head.seq, head.hash) != (after, previous):
                yield Seq(max(min(head.seq, after), 1))
                return
            yield head
            continue
        row = _next_row(line, segment.epoch, after, previous)
        if row is None:
            yield Seq(after + 1)
            return
        yield row
        after, previous = row.seq, row.hash


def _next_row(line: str, epoch: bytes, after: Seq, previous: bytes) -> JournalRow | None:
    try:
        row = read_row(line, epoch)
    except MalformedMessage:
        return None
    return None if first_break([row], previous, after) is not None else row
