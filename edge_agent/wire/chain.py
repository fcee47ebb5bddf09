"""The hash chain of the journal: each row's hash covers the row before it, its number and its exact body bytes.

``hash_n = SHA-256(hash_(n-1) || seq as 8 bytes big-endian || body)``; the epoch (16 bytes) stands in for the hash before the
first row. A body names its kind, site and scanner, so the topic needs no place under the hash.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.domain.ids import Seq

EPOCH_BYTES = 16
HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One row of a site's journal as it is stored and sent.

    ``prev_seq``: number of the previous row of the same topic, 0 if none. ``body``: UTF-8 JSON, never re-encoded.
    """

    epoch: bytes
    seq: Seq
    prev_seq: Seq
    topic: str
    body: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class JournalHead:
    """The ends of a journal: ``seq`` 0 and ``hash`` = epoch when it is empty; ``first`` is the oldest number still kept."""

    epoch: bytes
    first: Seq
    seq: Seq
    hash: bytes


def link(previous: bytes, seq: Seq, body: bytes) -> bytes:
    """Give the hash of row ``seq``; ``previous`` is the hash of the row before, or the epoch for the first row."""
    return hashlib.sha256(previous + seq.to_bytes(8, "big") + body).digest()


def first_break(rows: Iterable[JournalRow], previous: bytes, after: Seq) -> Seq | None:
    """Give the number where ``rows`` stop being the continuation of (``after``, ``previous``), or None when all fit."""
    expected = Seq(after + 1)
    for row in rows:
        if row.seq != expected or row.hash != link(previous, row.seq, row.body):
            return expected
        previous, expected = row.hash, Seq(row.seq + 1)
    return None
