"""From what a side-car and the customs system say to a scan's particulars. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from edge_agent.domain.arrival import Particulars
from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.drop import Completeness, ProbeResult, SideCar
from edge_agent.domain.ids import Token

_ADAPTER: TypeAdapter[Particulars] = TypeAdapter(Particulars)


@dataclass(frozen=True, slots=True)
class Context:
    """What is known around a drop: its scanner's subject, when its files were written, tokens of its identifiers.

    ``looked_up``: goods that the customs system declares for those identifiers, None when it knows nothing of them.
    """

    subject: SubjectKind
    written_at: datetime
    tokens: tuple[Token, ...]
    looked_up: Sequence[DeclaredItem] | None


def gather(probe: ProbeResult, partial: tuple[str, ...], context: Context) -> Particulars:
    """Give the particulars of a drop.

    Without a time in the side-car the files' own time stands in, marked as assumed. The customs system's declaration counts more
    than the side-car's, for the side-car's was typed at the scanner.
    """
    sidecar = probe.sidecar or SideCar()
    taken_at = sidecar.taken_at or Stamp(context.written_at, "", tz_assumed=True)
    capture = Capture(taken_at, sidecar.kind or CaptureKind.LIVE, sidecar.selection or Selection.UNKNOWN, sidecar.beam)
    notes = () if probe.completeness is Completeness.COMPLETE or not probe.reason else (Reason(probe.reason, dict(probe.params)),)
    declaration = _declaration(sidecar, context.looked_up)
    return Particulars(capture, Subject(context.subject, context.tokens), declaration, sidecar.pitch_mm, notes, partial)


def metadata_digest(particulars: Particulars) -> str:
    """Give the SHA-256 that tells whether particulars changed; the files' own time does not count as a change."""
    content = _ADAPTER.dump_python(particulars, mode="json")
    if particulars.capture.taken_at.as_written == "":
        del content["capture"]["taken_at"]
    return hashlib.sha256(TypeAdapter(object).dump_json(content)).hexdigest()


def _declaration(sidecar: SideCar, looked_up: Sequence[DeclaredItem] | None) -> Declaration | None:
    if looked_up is not None:
        return Declaration(tuple(looked_up), "declarations")
    return Declaration(sidecar.items, "sidecar") if sidecar.items else None
