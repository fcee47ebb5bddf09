"""How a reader of some topics stays sure that it has all their rows, without I/O.

Its numbers have holes by nature, so it goes by ``prev_seq``: each row names the row before it in its own topic. Order is kept within a
topic; over all topics the reader ends with the same set of rows as a reader of the whole stream.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edge_agent.domain.ids import Seq
from edge_agent.errors import MalformedMessage
from edge_agent.wire.catchup import Arrival
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import LiveMessage


def matches(topic: str, starts: Sequence[str]) -> bool:
    """Tell whether a topic is among those that begin so; no beginnings = all topics, as a SUB socket does not say."""
    return not starts or topic.startswith(tuple(starts))


@dataclass(frozen=True, slots=True)
class FilteredCursor:
    """How far a reader of some topics is: it has all their rows up to ``upto``, where the chain hash is ``hash``.

    ``heads``: the last row of each topic that it has, where that is beyond ``upto``.
    """

    epoch: bytes
    upto: Seq
    hash: bytes
    heads: Mapping[str, Seq] = field(default_factory=dict)

    def held(self, topic: str) -> Seq:
        """Give the number up to which this reader has every row of ``topic``."""
        return max(self.upto, self.heads.get(topic, self.upto))


def filtered_arrival(cursor: FilteredCursor, message: LiveMessage) -> Arrival:
    """Judge a live message for a reader of some topics."""
    if message.epoch != cursor.epoch:
        return Arrival.OTHER_EPOCH
    held = cursor.held(message.topic)
    if message.seq <= held:
        return Arrival.OLD
    return Arrival.NEXT if message.prev_seq <= held else Arrival.GAP


def after_filtered_live(cursor: FilteredCursor, message: LiveMessage) -> FilteredCursor:
    """Give the cursor after a message that is NEXT."""
    if filtered_arrival(cursor, message) is not Arrival.NEXT:
        raise ValueError(f"row {message.seq} does not follow in its topic")
    return replace(cursor, heads={**cursor.heads, message.topic: message.seq})


def after_filtered_batch(
    cursor: FilteredCursor, rows: Sequence[JournalRow], upto: Seq, hash: bytes
) -> tuple[FilteredCursor, list[JournalRow]]:
    """Give the cursor after a filtered BATCH pulled from exactly this cursor, and those of its rows that are new to the reader.

    Raises:
        MalformedMessage: a row of another epoch, out of order, or beyond ``upto``, or a row whose predecessor in its topic is missing.
    """
    held = dict.fromkeys((row.topic for row in rows), cursor.upto)
    last = cursor.upto
    for row in rows:
        if row.epoch != cursor.epoch or not last < row.seq <= upto or row.prev_seq > held[row.topic]:
            raise MalformedMessage("the rows do not continue what this reader holds", {"seq": row.seq})
        last = held[row.topic] = row.seq
    if upto < cursor.upto:
        raise MalformedMessage("a filtered batch that goes back", {"seq": upto})
    new = [row for row in rows if row.seq > cursor.held(row.topic)]
    beyond = {topic: seq for topic, seq in cursor.heads.items() if seq > upto}
    return FilteredCursor(cursor.epoch, upto, hash, beyond), new


def is_behind(cursor: FilteredCursor, epoch: bytes, heads: Mapping[str, int], starts: Sequence[str]) -> bool:
    """Tell from the ``heads`` of a heartbeat or a SNAP whether the reader has to ask."""
    return epoch != cursor.epoch or any(head > cursor.held(topic) for topic, head in _among(heads, starts))


def _among(heads: Mapping[str, int], starts: Sequence[str]) -> Iterable[tuple[str, int]]:
    return ((topic, head) for topic, head in heads.items() if matches(topic, starts))
