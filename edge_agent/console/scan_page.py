"""Everything about one scan for the page on which it is looked at and decided. Pure."""

from collections.abc import Iterator

from edge_agent.console.blind import order_of
from edge_agent.console.record import Said, ScanRecord
from edge_agent.console.views import FindingView, IdentityTokenView, MachineView, SaidView, ScanView
from edge_agent.domain.ids import Seq
from edge_agent.errors import UnknownScan
from edge_agent.wire.findings import DetectionPart, FindingPart, HeterogeneityPart, ProductPart
from edge_agent.wire.messages import (
    AnyBody,
    AssessmentBody,
    AuditBody,
    BlobPart,
    ControlBody,
    ReferralBody,
    SetAsideBody,
    VerdictBody,
    decode,
)
from edge_agent.wire.results import has_alerted
from edge_agent.wire.verbs import FindingWord, MissedItem

_PREVIEW = "preview:"
_FAULT = "systematic-fault"
_OPENED = "opened"
_LOOKS = (_OPENED, "viewed")
"""Rows that tell who looked, and nothing of what anybody or anything thinks of the scan."""
_MOST_NOTES = 10
"""Notes of a scan that are read: each costs the site a question."""


def scan_view(record: ScanRecord, my_token: str | None) -> ScanView:
    """Give the page's facts. ``my_token``: the asking officer's at this site, None while unknown.

    Raises:
        UnknownScan: only words of people are known of it: its assessment lies before what this console holds.
    """
    row = record.row()
    if row is None:
        raise UnknownScan("the scan is older than what this console holds", {"scan_id": record.scan_id})
    body, is_blind = record.body(), record.is_blind
    set_aside = decode(record.set_aside[2]) if row.conclusion == "set-aside" and record.set_aside is not None else None
    return ScanView(
        row=row,
        order=order_of(is_chosen=record.is_chosen, is_revealed=record.is_revealed),
        wants_reason=record.wants_reason,
        machine=_machine(body) if body is not None and not is_blind else None,
        set_aside=set_aside.reason if isinstance(set_aside, SetAsideBody) else None,
        capture=body.capture if body is not None else None,
        frames=body.frames if body is not None else [],
        blobs=shown_blobs(record, body),
        identities=_identities(body),
        readings=body.readings if body is not None else [],
        declared=body.declared if body is not None else None,
        consignment=body.consignment if body is not None else None,
        third_party=body.third_party if body is not None and not is_blind else [],
        provenance=body.provenance if body is not None and not is_blind else None,
        said=[view for one in record.said if (view := _said_view(one, my_token)).kind in _LOOKS or not is_blind],
        said_left_out=record.said_left_out,
    )


def shown_blobs(record: ScanRecord, body: AssessmentBody | None) -> list[BlobPart]:
    """Give the pictures that may be shown now: none of the machine's maps while its word is withheld."""
    blobs = body.blobs if body is not None else []
    return [blob for blob in blobs if not record.is_blind or blob.role.startswith(_PREVIEW)]


def note_rows(record: ScanRecord) -> list[Seq]:
    """Give the numbers of the rows that hold identifiers or the newest notes of a scan, for whoever may see them."""
    seqs = [record.judged.seq] if record.judged is not None else []
    noted = [one.seq for one in record.said if _note(decode(one.raw)) is not None]
    return seqs + noted[-_MOST_NOTES:]


def tokens_in(record: ScanRecord) -> list[tuple[str, str]]:
    """Give the tokens of a scan's identifiers and notes, each with its class."""
    notes = [("note", note) for one in record.said if (note := _note(decode(one.raw))) is not None]
    return [(one.kind, one.token) for one in _identities(record.body())] + notes


def _machine(body: AssessmentBody) -> MachineView:
    return MachineView(
        fact_id=body.fact_id,
        produced_at=body.produced_at,
        conclusion=body.conclusion,
        is_advisory=any(bundle.state != "commissioned" for bundle in body.provenance.bundles),
        reasons=body.reasons,
        reasons_left_out=body.reasons_left_out,
        obstacles=body.obstacles,
        findings=[_finding(part, body) for part in body.findings],
        findings_left_out=body.findings_left_out,
        timings_ms=body.timings_ms,
    )


def _finding(part: FindingPart, body: AssessmentBody) -> FindingView:
    base = FindingView(id=part.id, type=part.type, bundle=part.bundle)
    match part:
        case DetectionPart():
            more = {"label": part.label, "score": part.score, "view": part.view, "boxes": [part.box], "alerts": has_alerted(part, body)}
        case HeterogeneityPart():
            more = {"score": part.score, "view": part.view, "boxes": part.regions, "alerts": has_alerted(part, body)}
            more |= {"against": part.against, "declared": part.declared}
        case ProductPart():
            more = {"view": part.view, "ranked": part.ranked}
        case _:
            more = {"mass_kg": part.mass_kg, "low_kg": part.low_kg, "high_kg": part.high_kg}
            more["alerts"] = any(reason.code == "weight-mismatch" for reason in body.reasons)
    return base.model_copy(update=more)


def _identities(body: AssessmentBody | None) -> list[IdentityTokenView]:
    if body is None:
        return []
    found = [IdentityTokenView(kind=part.kind, token=part.token) for part in body.identities]
    if body.declared is not None and body.declared.ref is not None:
        found.append(IdentityTokenView(kind="declaration", token=body.declared.ref))
    return found


def _note(body: AnyBody) -> str | None:
    match body:
        case VerdictBody() | ReferralBody():
            return body.note.token if body.note is not None else None
        case ControlBody():
            return body.remarks.token if body.remarks is not None else None
        case AuditBody():
            note = body.event.params.get("note")
            return str(note) if note is not None and body.event.code == _FAULT else None
        case _:
            return None


def _said_view(said: Said, my_token: str | None) -> SaidView:
    body = decode(said.raw)
    more = dict(_said(body))
    by = more.get("by")
    about = {"seq": said.seq, "fact_id": body.fact_id, "kind": body.kind, "at": body.produced_at, "revision": body.revision}
    return SaidView.model_validate({**about, **more, "note": _note(body), "is_mine": by is not None and by == my_token})


def _said(body: AnyBody) -> Iterator[tuple[str, object]]:
    match body:
        case VerdictBody():
            yield from _verdict(body)
        case ReferralBody():
            yield from (("conclusion", "refer"), ("by", body.officer), ("workstation", body.workstation or ""), ("reasons", [body.reason]))
        case ControlBody():
            yield from (("conclusion", body.conclusion), ("by", body.officer), ("workstation", body.submitted_by or ""))
            yield from (("found", body.found), ("office", body.office))
        case AuditBody():
            yield from _audit(body)


def _verdict(body: VerdictBody) -> Iterator[tuple[str, object]]:
    yield from (("conclusion", body.conclusion), ("by", body.officer), ("workstation", body.workstation))
    yield from (("is_supervisor", body.is_supervisor), ("order", body.order or ""), ("reasons", body.reasons))
    yield "findings", [FindingWord(id=word.id, agrees=word.agrees) for word in body.findings]
    yield "missed", [MissedItem(view=one.view, box=list(one.box), label=one.label) for one in body.missed]


def _audit(body: AuditBody) -> Iterator[tuple[str, object]]:
    params = body.event.params
    kinds = {_FAULT: "fault", _OPENED: "opened", "viewed": "viewed"}
    yield "kind", kinds.get(body.event.code, "audit")
    yield from (("conclusion", str(params.get("what", ""))), ("workstation", str(params.get("workstation", params.get("consumer", "")))))
    officer = params.get("officer")
    yield "by", None if officer is None else str(officer)
    yield "reasons", [body.event]
