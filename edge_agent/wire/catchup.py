"""Cursor logic of both sides, without I/O: what a reader may take, what it must pull, and whether both see the same journal.

A reader stands at a :class:`Cursor`: it has every row up to ``seq``, and ``hash`` proves which rows these were. LIVE messages
carry no hash, but a reader without a gap can compute it, so its next PULL proves the whole way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from edge_agent.domain.ids import Seq
from edge_agent.errors import Diverged, EpochChanged, MalformedMessage
from edge_agent.wire.chain import JournalHead, JournalRow, first_break, link
from edge_agent.wire.frames import LiveMessage


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader is. ``hash``: chain hash of row ``seq`` (the epoch where ``seq`` is 0)."""

    epoch: bytes
    seq: Seq
    hash: bytes


def start_of(epoch: bytes) -> Cursor:
    """Give the cursor before the first row of an epoch that still has all its rows."""
    return Cursor(epoch, Seq(0), epoch)


class Arrival(Enum):
    """What a live message is to a reader of the whole stream."""

    NEXT = "next"
    """Take it: it follows the last row without a hole."""
    OLD = "old"
    """Drop it: it was taken before, live or from a batch."""
    GAP = "gap"
    """Pull: rows before it are missing."""
    OTHER_EPOCH = "other-epoch"
    """Pull: the site's journal is not the one the cursor belongs to."""


def arrival(cursor: Cursor, message: LiveMessage) -> Arrival:
    """Judge a live message for a reader of the whole stream."""
    if message.epoch != cursor.epoch:
        return Arrival.OTHER_EPOCH
    if message.seq <= cursor.seq:
        return Arrival.OLD
    return Arrival.NEXT if message.seq == cursor.seq + 1 else Arrival.GAP


def after_live(cursor: Cursor, message: LiveMessage) -> Cursor:
    """Give the cursor after a message that is NEXT, with the chain hash computed from its body."""
    if arrival(cursor, message) is not Arrival.NEXT:
        raise ValueError(f"row {message.seq} does not follow {cursor.seq}")
    return Cursor(cursor.epoch, message.seq, link(cursor.hash, message.seq, message.body))


def after_batch(cursor: Cursor, rows: Sequence[JournalRow]) -> Cursor:
    """Give the cursor after the rows of a BATCH that was pulled from exactly this cursor.

    Raises:
        Diverged: the rows are not the continuation of what the reader holds.
        MalformedMessage: a row of another epoch is among them.
    """
    if any(row.epoch != cursor.epoch for row in rows):
        raise MalformedMessage("a batch holds rows of another epoch")
    broken = first_break(rows, cursor.hash, cursor.seq)
    if broken is not None:
        raise Diverged("the rows do not continue what this reader holds", {"seq": broken})
    return Cursor(cursor.epoch, rows[-1].seq, rows[-1].hash) if rows else cursor


def must_pull(cursor: Cursor, epoch: bytes, head: Seq) -> bool:
    """Tell from a heartbeat or a HELLO whether the reader has to ask.

    Also when the site's head lies before the cursor: then a PULL with the hash finds out that the journal was rolled back.
    """
    return epoch != cursor.epoch or head != cursor.seq


def check_cursor(head: JournalHead, asked: Cursor, known_hash: bytes | None) -> None:
    """Check at the site that a reader's cursor lies in this journal. ``known_hash``: the site's own hash at ``asked.seq``, None if none.

    Raises:
        EpochChanged: the cursor belongs to another epoch.
        Diverged: the site has no such row, or another one.
    """
    check_epoch(head, asked.epoch)
    if known_hash is None:
        raise Diverged("this journal has no such row", {"seq": asked.seq, "head": head.seq, "first": head.first})
    if known_hash != asked.hash:
        raise Diverged("reader and journal hold different rows", {"seq": asked.seq})


def check_epoch(head: JournalHead, epoch: bytes) -> None:
    """Check that a reader speaks of this journal.

    Raises:
        EpochChanged: it speaks of another one.
    """
    if epoch != head.epoch:
        raise EpochChanged("the journal began a new epoch", {"epoch": head.epoch.hex()})
