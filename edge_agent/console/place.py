"""How far a console has read, without I/O: what of LIVE it may take, and when it must pull.

A reader of the whole stream computes the chain hash of every row, so each PULL proves its whole way. A reader of some topics cannot:
it goes from the last proven place again, compares what it has with what comes, and does so at the latest every ``PROVE_ROWS`` rows.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

from edge_agent.domain.ids import Seq
from edge_agent.errors import Diverged, MalformedMessage
from edge_agent.wire.catchup import Arrival, Cursor, after_batch, after_live, arrival, must_pull
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.filtering import FilteredCursor, after_filtered_batch, after_filtered_live, filtered_arrival, is_behind, matches
from edge_agent.wire.frames import LiveMessage
from edge_agent.wire.heartbeat import Heartbeat
from edge_agent.wire.verbs import BatchReply

PROVE_ROWS = 200


class Place(Protocol):
    """How far a reader is. ``cursor``: where its next PULL begins; ``seq``: last number it has, or knows not to concern it."""

    @property
    def cursor(self) -> Cursor: ...

    @property
    def seq(self) -> Seq: ...

    def judge(self, message: LiveMessage) -> Arrival:
        """Say what a live message is to this reader, and note it if it is NEXT."""

    def must_pull(self, beat: Heartbeat) -> bool:
        """Tell from a heartbeat whether rows are missing."""

    def take(self, rows: Sequence[JournalRow], reply: BatchReply) -> list[JournalRow]:
        """Note the answer to a PULL from ``cursor``; give the rows that are new.

        Raises:
            Diverged, MalformedMessage: they do not continue what this reader holds.
        """


class WholeStream:
    """Reads every row, so it can compute and compare every hash."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    @property
    def cursor(self) -> Cursor:
        return self._cursor

    @property
    def seq(self) -> Seq:
        return self._cursor.seq

    def judge(self, message: LiveMessage) -> Arrival:
        kind = arrival(self._cursor, message)
        if kind is Arrival.NEXT:
            self._cursor = after_live(self._cursor, message)
        return kind

    def must_pull(self, beat: Heartbeat) -> bool:
        return must_pull(self._cursor, bytes.fromhex(beat.epoch), Seq(beat.head))

    def take(self, rows: Sequence[JournalRow], reply: BatchReply) -> list[JournalRow]:  # noqa: ARG002 - the rows' own hashes say more
        self._cursor = after_batch(self._cursor, rows)
        return list(rows)


class SomeTopics:
    """Reads the topics that begin with one of ``starts``: in order within a topic, and in the end all of them."""

    def __init__(self, cursor: Cursor, starts: Sequence[str]) -> None:
        self._held = FilteredCursor(cursor.epoch, cursor.seq, cursor.hash)
        self._starts = tuple(starts)
        self._level = cursor.seq
        self._unproven: dict[Seq, bytes] = {}

    @property
    def cursor(self) -> Cursor:
        return Cursor(self._held.epoch, self._held.upto, self._held.hash)

    @property
    def seq(self) -> Seq:
        return max(self._held.upto, self._level, *self._held.heads.values())

    def judge(self, message: LiveMessage) -> Arrival:
        kind = filtered_arrival(self._held, message)
        if kind is Arrival.NEXT:
            self._held = after_filtered_live(self._held, message)
            self._unproven[message.seq] = _digest(message.body)
        return kind

    def must_pull(self, beat: Heartbeat) -> bool:
        is_missing = is_behind(self._held, bytes.fromhex(beat.epoch), beat.heads, self._starts) or beat.head < self.seq
        if not is_missing:
            self._level = Seq(beat.head)
        return is_missing or len(self._unproven) >= PROVE_ROWS

    def take(self, rows: Sequence[JournalRow], reply: BatchReply) -> list[JournalRow]:
        if reply.upto is None or reply.hash is None or not all(matches(row.topic, self._starts) for row in rows):
            raise MalformedMessage("the answer to a filtered pull is not what was asked for", {"n": reply.n})
        self._prove(rows, reply.head, Seq(reply.upto))
        self._held, new = after_filtered_batch(self._held, rows, Seq(reply.upto), bytes.fromhex(reply.hash))
        return new

    def _prove(self, rows: Sequence[JournalRow], head: int, upto: Seq) -> None:
        """Hold the rows that LIVE brought against the journal's: it may have been put back, and its numbers given to other rows."""
        if self._unproven and head < max(self._unproven):
            raise Diverged("the site's journal is shorter than what it has sent", {"head": head, "seq": max(self._unproven)})
        brought = {row.seq: _digest(row.body) for row in rows}
        for seq in [seq for seq in sorted(self._unproven) if seq <= upto]:
            if self._unproven.pop(seq) != brought.get(seq):
                raise Diverged("the site sent another row under this number before", {"seq": seq})


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
