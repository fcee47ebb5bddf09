"""From what a side-car and the customs system say to a scan's particulars. Pure."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter

from edge_agent.domain.arrival import Particulars
from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import Capture, CaptureKind, Reading, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.consignment import Consignment
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.drop import Completeness, ProbeResult, SideCar
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import Token
from edge_agent.domain.linking import Linked
from edge_agent.domain.numbering import check

_ADAPTER: TypeAdapter[Particulars] = TypeAdapter(Particulars)


@dataclass(frozen=True, slots=True)
class Context:
    """What is known around a drop: its scanner's subject, when its files were written, its identifiers with their tokens.

    ``declared``: what the customs system declares for it, None when it knows nothing of it. ``selection``: why it was selected for
    scanning, by the lists; the side-car's own word counts more.
    """

    subject: SubjectKind
    written_at: datetime
    tokens: tuple[tuple[IdentityValue, Token], ...]
    declared: "Declared | None"
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """The customs system's word about a scan: goods, what else it hands over, and tokens of the declaration's numbers and traders."""

    declaration: Declaration
    consignment: Consignment
    related: tuple[Token, ...] = ()


RELATED = frozenset({IdentityClass.TRADER, IdentityClass.OFFICER, IdentityClass.VENDOR_SCAN})
"""Identifiers that travel with a scan and do not tell its subject from another."""
_NUMBERED = (IdentityClass.CONTAINER, IdentityClass.PARCEL)


def from_customs(linked: Linked, tokens: tuple[tuple[IdentityValue, Token], ...]) -> Declared:
    """Give the declaration of what was linked; ``tokens``: of the identifiers in its records."""
    ref = next((token for value, token in tokens if value.kind is IdentityClass.DECLARATION), None)
    consignment = next((record.consignment for record in linked.records if record.consignment != Consignment()), Consignment())
    related = tuple(dict.fromkeys(token for _, token in tokens))
    return Declared(Declaration(linked.items, "declarations", ref, linked.link), consignment, related)


def gather(probe: ProbeResult, partial: tuple[str, ...], context: Context) -> Particulars:
    """Give the particulars of a drop.

    Without a time in the side-car the files' own time stands in, marked as assumed. The customs system's declaration counts more
    than the side-car's, for the side-car's was typed at the scanner.
    """
    sidecar = probe.sidecar or SideCar()
    taken_at = sidecar.taken_at or Stamp(context.written_at, "", tz_assumed=True)
    capture = Capture(
        taken_at,
        sidecar.kind or CaptureKind.LIVE,
        sidecar.selection or context.selection or Selection.UNKNOWN,
        sidecar.beam,
        sidecar.system,
    )
    notes = () if probe.completeness is Completeness.COMPLETE or not probe.reason else (Reason(probe.reason, dict(probe.params)),)
    particulars = Particulars(
        capture,
        _subject(context),
        _own_declaration(sidecar, context),
        sidecar.pitch_mm,
        notes,
        partial,
        sidecar.consignment,
        sidecar.third_party,
    )
    return particulars if context.declared is None else amended(particulars, context.declared)


def amended(particulars: Particulars, by: Declared) -> Particulars:
    """Give the particulars under the customs system's declaration. What it does not hand over stays as the side-car said."""
    own, theirs = particulars.consignment, by.consignment
    consignment = Consignment(
        theirs.route if theirs.route != Consignment().route else own.route,
        theirs.risk_flags or own.risk_flags,
        theirs.gross_kg if theirs.gross_kg is not None else own.gross_kg,
        theirs.volume_m3 if theirs.volume_m3 is not None else own.volume_m3,
    )
    subject = particulars.subject
    related = tuple(dict.fromkeys((*subject.related, *by.related)))
    return replace(particulars, subject=replace(subject, related=related), declaration=by.declaration, consignment=consignment)


def metadata_digest(particulars: Particulars) -> str:
    """Give the SHA-256 that tells whether particulars changed; the files' own time does not count as a change."""
    content = _ADAPTER.dump_python(particulars, mode="json")
    if particulars.capture.taken_at.as_written == "":
        del content["capture"]["taken_at"]
    return hashlib.sha256(TypeAdapter(object).dump_json(content)).hexdigest()


def _subject(context: Context) -> Subject:
    readings = tuple(Reading(token, check(value.value), value.confidence) for value, token in context.tokens if value.kind in _NUMBERED)
    of_subject = tuple(token for value, token in context.tokens if value.kind not in RELATED)
    related = tuple(token for value, token in context.tokens if value.kind in RELATED)
    return Subject(context.subject, of_subject, readings, related)


def _own_declaration(sidecar: SideCar, context: Context) -> Declaration | None:
    """Give what the side-car itself declares; it came together with the pixels."""
    if not sidecar.items:
        return None
    ref = next((token for value, token in context.tokens if value.kind is IdentityClass.DECLARATION), None)
    return Declaration(sidecar.items, "sidecar", ref)
