"""Identifiers in clear, as far as this console's role may see them: in memory only, beside the facts, never in a log line."""

from collections.abc import Iterator, Mapping

from edge_agent.wire.frames import Envelope
from edge_agent.wire.identities import decode_identities

_KEPT = 50_000


class Identities(Mapping[str, str]):
    """Values by token; the oldest leave when there are more than 50,000. Its text form tells how many there are and none of them."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def take(self, reply: Envelope) -> dict[str, str]:
        """Take what came behind the rows of an answer, and give it by token.

        Raises:
            MalformedMessage, TooLarge: the frame is none; its content is in no error.
        """
        told = decode_identities(reply.attachment) if reply.attachment is not None else ()
        came: dict[str, str] = {one.token: one.value for one in told}
        self._values.update(came)
        while len(self._values) > _KEPT:
            del self._values[next(iter(self._values))]
        return came

    def __getitem__(self, token: str) -> str:
        return self._values[token]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<identities of {len(self)} tokens>"
