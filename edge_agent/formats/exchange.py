"""What parent and decode child say to each other: JSON bodies, one memory file with the pixels.

A request is one message on a SOCK_SEQPACKET pair with the members' file descriptors. An answer is eight bytes (length of the body)
with one sealed memory file: the body, then each plane at an offset that is a multiple of ``ALIGNMENT``. The child may have been
taken over by the bytes it read, so the parent trusts nothing in an answer: it checks seals, lengths, shapes and every field.
"""

import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import CaptureKind, Selection
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.drop import Completeness, ProbeResult, SideCar
from edge_agent.domain.geometry import Orientation
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.profile import Profile
from edge_agent.domain.scan import Energy, Quantity
from edge_agent.errors import Scalar

MAX_MEMBERS = 64
MAX_REQUEST_BYTES = 128 << 10
MAX_BODY_BYTES = 16 << 20
ALIGNMENT = 64
LENGTH = struct.Struct("!Q")
READY = b"ready"

_Scalars: TypeAlias = tuple[tuple[str, Scalar], ...]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MemberBody(_Body):
    """A member of a request; its file descriptor has the same position in the message."""

    name: str
    role: str


class Request(_Body):
    """One task for the child. ``deadline_s`` and memory come with the profile's limits."""

    task: Literal["probe", "decode"]
    members: tuple[MemberBody, ...]
    profile: Profile


class StampBody(_Body):
    """A :class:`Stamp`."""

    at: datetime
    as_written: str
    tz_assumed: bool


class SideCarBody(_Body):
    """A :class:`SideCar`; its identifiers are in clear, so this body lives in memory only."""

    taken_at: StampBody | None
    kind: CaptureKind | None
    selection: Selection | None
    beam: str
    identities: tuple[tuple[IdentityClass, str], ...]
    items: tuple[DeclaredItem, ...]
    resources: tuple[str, ...]
    pitch_mm: tuple[float, float] | None


class Probed(_Body):
    """Answer to ``probe``."""

    kind: Literal["probed"] = "probed"
    completeness: Completeness
    members: tuple[str, ...]
    expected_bytes: int | None
    sidecar: SideCarBody | None
    reason: str
    params: _Scalars


class PlaneBody(_Body):
    """One plane in the memory file. ``offset``: bytes from the start of the pixel part; ``shape``: (h, w) or (h, w, 3)."""

    quantity: Quantity
    energy: Energy
    dtype: Literal["uint8", "uint16"]
    shape: tuple[int, int] | tuple[int, int, int]
    offset: Annotated[int, Field(ge=0)]


class ViewBody(_Body):
    """One view and its planes."""

    name: str
    planes: tuple[PlaneBody, ...]
    pitch_mm: tuple[float, float] | None
    native: Orientation


class DecodedBody(_Body):
    """Answer to ``decode``."""

    kind: Literal["decoded"] = "decoded"
    views: tuple[ViewBody, ...]
    sidecar: SideCarBody | None
    notes: tuple[tuple[str, _Scalars], ...]


class Refused(_Body):
    """Answer when the task ended with one of our errors: its code, detail and fields."""

    kind: Literal["refused"] = "refused"
    code: str
    detail: Annotated[str, Field(max_length=4096)]
    fields: _Scalars


Answer: TypeAlias = Annotated[Probed | DecodedBody | Refused, Field(discriminator="kind")]
ANSWERS: TypeAdapter[Probed | DecodedBody | Refused] = TypeAdapter(Answer)


def sidecar_body(sidecar: SideCar | None) -> SideCarBody | None:
    """Give the body of a side-car."""
    if sidecar is None:
        return None
    taken = sidecar.taken_at
    return SideCarBody(
        taken_at=None if taken is None else StampBody(at=taken.at, as_written=taken.as_written, tz_assumed=taken.tz_assumed),
        kind=sidecar.kind,
        selection=sidecar.selection,
        beam=sidecar.beam,
        identities=tuple((identity.kind, identity.value) for identity in sidecar.identities),
        items=sidecar.items,
        resources=sidecar.resources,
        pitch_mm=sidecar.pitch_mm,
    )


def sidecar_from(body: SideCarBody | None) -> SideCar | None:
    """Give the side-car of a body.

    Raises:
        ValueError: the time is not in UTC.
    """
    if body is None:
        return None
    taken = body.taken_at
    return SideCar(
        taken_at=None if taken is None else Stamp(taken.at, taken.as_written, taken.tz_assumed),
        kind=body.kind,
        selection=body.selection,
        beam=body.beam,
        identities=tuple(IdentityValue(kind, value) for kind, value in body.identities),
        items=body.items,
        resources=body.resources,
        pitch_mm=body.pitch_mm,
    )


def probed_body(result: ProbeResult) -> Probed:
    """Give the body of a probe's result."""
    return Probed(
        completeness=result.completeness,
        members=result.members,
        expected_bytes=result.expected_bytes,
        sidecar=sidecar_body(result.sidecar),
        reason=result.reason,
        params=result.params,
    )


def probe_result(body: Probed) -> ProbeResult:
    """Give the result of a body."""
    return ProbeResult(body.completeness, body.members, body.expected_bytes, sidecar_from(body.sidecar), body.reason, body.params)


def note_bodies(notes: Sequence[Reason]) -> tuple[tuple[str, _Scalars], ...]:
    """Give the bodies of notes."""
    return tuple((note.code, tuple(note.params.items())) for note in notes)


def notes_from(bodies: Sequence[tuple[str, _Scalars]]) -> tuple[Reason, ...]:
    """Give the notes of their bodies."""
    return tuple(Reason(code, dict(params)) for code, params in bodies)
