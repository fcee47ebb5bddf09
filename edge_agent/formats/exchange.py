"""What parent and decode child say to each other: JSON bodies, one memory file with the pixels.

A request is one message on a SOCK_SEQPACKET pair with the members' file descriptors. An answer is eight bytes (length of the body)
with one sealed memory file: the body, then each plane at an offset that is a multiple of ``ALIGNMENT``. The child may have been
taken over by the bytes it read, so the parent trusts nothing in an answer: it checks seals, lengths, shapes and every field.
"""

import struct
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from edge_agent.domain.assessment import Reason
from edge_agent.domain.drop import Completeness, ProbeResult, SideCar
from edge_agent.domain.geometry import Orientation
from edge_agent.domain.profile import Profile
from edge_agent.domain.scan import Energy, Operation, Origin, Quantity
from edge_agent.errors import Scalar
from edge_agent.formats.package_model import ScanJson
from edge_agent.formats.sandbox import SandboxReport

MAX_MEMBERS = 64
MAX_REQUEST_BYTES = 128 << 10
MAX_BODY_BYTES = 16 << 20
ALIGNMENT = 64
LENGTH = struct.Struct("!Q")
MAX_READY_BYTES = 4096

_Scalars: TypeAlias = tuple[tuple[str, Scalar], ...]


Task: TypeAlias = Literal["probe", "decode", "package", "replay"]
"""What the child can be asked: look at a drop's headers, decode a drop, open one of our packages, and compare it with its originals."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MemberBody(_Body):
    """A member of a request; its file descriptor has the same position in the message."""

    name: str
    role: str


class Request(_Body):
    """One task for the child. ``deadline_s`` and memory come with the profile's limits."""

    task: Task
    members: tuple[MemberBody, ...]
    profile: Profile


class Probed(_Body):
    """Answer to ``probe``. Identifiers of the side-car are in clear, so this body lives in memory only."""

    kind: Literal["probed"] = "probed"
    completeness: Completeness
    members: tuple[str, ...]
    expected_bytes: int | None
    sidecar: SideCar | None
    reason: str
    params: _Scalars
    decoded_bytes: Annotated[int, Field(ge=0)] | None = None


class PlaneBody(_Body):
    """One plane in the memory file. ``offset``: bytes from the start of the pixel part; ``shape``: (h, w) or (h, w, 3)."""

    quantity: Quantity
    energy: Energy
    dtype: Literal["uint8", "uint16"]
    shape: tuple[int, int] | tuple[int, int, int]
    offset: Annotated[int, Field(ge=0)]
    operations: tuple[Operation, ...] = ()
    origin: Origin | None = None


class ViewBody(_Body):
    """One view and its planes."""

    name: str
    planes: tuple[PlaneBody, ...]
    pitch_mm: tuple[float, float] | None
    native: Orientation
    pitch_assumed: bool = False


class DecodedBody(_Body):
    """Answer to ``decode``, and with ``document`` to ``package`` and ``replay``."""

    kind: Literal["decoded"] = "decoded"
    views: tuple[ViewBody, ...]
    sidecar: SideCar | None
    notes: tuple[tuple[str, _Scalars], ...]
    media_types: tuple[tuple[str, str], ...] = ()
    document: ScanJson | None = None


class Refused(_Body):
    """Answer when the task ended with one of our errors: its code, detail and fields."""

    kind: Literal["refused"] = "refused"
    code: str
    detail: Annotated[str, Field(max_length=4096)]
    fields: _Scalars


Answer: TypeAlias = Annotated[Probed | DecodedBody | Refused, Field(discriminator="kind")]
READY: TypeAdapter[SandboxReport] = TypeAdapter(SandboxReport)
"""The child's first word, before any untrusted byte: that it is ready, and which fences stand around it."""
ANSWERS: TypeAdapter[Probed | DecodedBody | Refused] = TypeAdapter(Answer)


def probed_body(result: ProbeResult) -> Probed:
    """Give the body of a probe's result."""
    return Probed(
        completeness=result.completeness,
        members=result.members,
        expected_bytes=result.expected_bytes,
        sidecar=result.sidecar,
        reason=result.reason,
        params=result.params,
        decoded_bytes=result.decoded_bytes,
    )


def probe_result(body: Probed) -> ProbeResult:
    """Give the result of a body."""
    return ProbeResult(body.completeness, body.members, body.expected_bytes, body.sidecar, body.reason, body.params, body.decoded_bytes)


def note_bodies(notes: Sequence[Reason]) -> tuple[tuple[str, _Scalars], ...]:
    """Give the bodies of notes."""
    return tuple((note.code, tuple(note.params.items())) for note in notes)


def notes_from(bodies: Sequence[tuple[str, _Scalars]]) -> tuple[Reason, ...]:
    """Give the notes of their bodies."""
    return tuple(Reason(code, dict(params)) for code, params in bodies)
