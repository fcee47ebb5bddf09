"""Identifiers in clear on the wire: one frame behind the rows of a BATCH or SNAP, outside every body and hash, never on LIVE.

A reader joins them to bodies by token and keeps them in memory only: the site may erase a value at any time, and then it is in no
further answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.domain.ids import Token
from edge_agent.errors import MalformedMessage, TooLarge
from edge_agent.wire.messages import AnyBody, AssessmentBody, AuditBody, ControlBody, ReferralBody, VerdictBody

MAX_FRAME_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Disclosed:
    """The value behind a token. ``kind``: class of identifiers, such as ``container``; a newer site may have others."""

    token: Token
    kind: str
    value: str

    def __repr__(self) -> str:
        """Hide the value, so that a traceback or a log of this object carries no personal data."""
        return f"Disclosed({self.token}, {self.kind}, hidden)"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    token: str = Field(max_length=64)
    kind: str = Field(max_length=32)
    value: str = Field(max_length=4096, repr=False)


class _Frame(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    identities: list[_Part]


def tokens_of(body: AnyBody) -> list[Token]:
    """Give the tokens in a body: of the scan's identifiers, of its declaration's number, of the officer, of what was said freely."""
    if isinstance(body, AssessmentBody):
        declared = [body.declared.ref] if body.declared is not None and body.declared.ref is not None else []
        return [Token(text) for text in (*(part.token for part in body.identities), *declared)]
    officer = body.officer if isinstance(body, VerdictBody | ReferralBody | ControlBody) else None
    remarks = body.remarks.token if isinstance(body, ControlBody) and body.remarks is not None else None
    note = body.note.token if isinstance(body, VerdictBody | ReferralBody) and body.note is not None else None
    told = [body.event.params.get(name) for name in ("officer", "note")] if isinstance(body, AuditBody) else []
    return [Token(str(text)) for text in (officer, remarks, note, *told) if text is not None]


def encode_identities(values: Sequence[Disclosed]) -> bytes:
    """Give the frame.

    Raises:
        TooLarge: ask for fewer rows.
    """
    parts = [_Part(token=one.token, kind=one.kind, value=one.value) for one in values]
    frame = _Frame(identities=parts).model_dump_json().encode()
    if len(frame) > MAX_FRAME_BYTES:
        raise TooLarge("too many identifiers for one answer: ask for fewer rows", {"bytes": len(frame)})
    return frame


def decode_identities(frame: bytes) -> tuple[Disclosed, ...]:
    """Read the frame.

    Raises:
        MalformedMessage, TooLarge; neither holds anything of the content.
    """
    if len(frame) > MAX_FRAME_BYTES:
        raise TooLarge("identities larger than 1 MiB", {"bytes": len(frame)})
    try:
        found = _Frame.model_validate_json(frame)
    except (ValidationError, RecursionError):
        raise MalformedMessage("not a frame of identities") from None
    return tuple(Disclosed(Token(part.token), part.kind, part.value) for part in found.identities)


def unique(tokens: Iterable[Token]) -> list[Token]:
    """Give each token once, in the order of its first place."""
    return list(dict.fromkeys(tokens))
