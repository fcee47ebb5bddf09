"""UNDECIDED on SYNC: which scans a person is still to speak about, however long ago they were judged."""

from typing import Annotated

from pydantic import Field

from edge_agent.wire.verbs import MAX_TOPICS, EpochHex, Number, Reply, Request, TopicStart

MAX_UNDECIDED = 50


class UndecidedRequest(Request):
    """Ask, from row ``before`` back, for scans about which a person is still to speak. ``most``: scans to tell of; 0: their names only.

    ``topics``: as in a PULL.
    """

    before: Annotated[int, Field(ge=1, lt=1 << 63)]
    most: Annotated[int, Field(ge=0, le=MAX_UNDECIDED)] = MAX_UNDECIDED
    topics: list[TopicStart] = Field(default=[], max_length=MAX_TOPICS)


class UndecidedReply(Reply):
    """The scans whose last assessment lies behind row ``after`` and before the row that was asked for, and the number of rows that follow.

    ``scans``: names, newest first. The rows are those about them, in the journal's order; none where only names were asked for.
    ``after`` below ``first``: there are no more. Else ask again with ``before = after + 1``.
    """

    epoch: EpochHex
    head: Number
    first: Number
    after: Number
    scans: list[str]
    n: Number
