"""Journal bodies to DICOS reports: who judged, what they concluded, where. ``unassessable`` is never CLEAR."""

from collections.abc import Callable, Iterator
from typing import Final, Literal

from edge_agent.domain.capture import CaptureKind, SubjectKind
from edge_agent.domain.geometry import Box
from edge_agent.formats import dicos
from edge_agent.formats.dicos_write import Report, ThreatObject, image_uid
from edge_agent.wire.convert import frames_of
from edge_agent.wire.findings import DetectionPart, HeterogeneityPart
from edge_agent.wire.messages import AssessmentBody, ControlBody, VerdictBody
from edge_agent.wire.results import ADVISORY, has_alerted, is_advisory

DECISIONS: Final = {
    "alert": dicos.ALARM,
    "no-alert": dicos.CLEAR,
    "unassessable": dicos.UNKNOWN,
    "suspicious": dicos.ALARM,
    "not-suspicious": dicos.CLEAR,
    "rescan": dicos.UNKNOWN,
    "refer": dicos.UNKNOWN,
    "found": dicos.ALARM,
    "nothing-found": dicos.CLEAR,
    "not-examined": dicos.UNKNOWN,
}
"""AlarmDecision of every conclusion."""

_IMAGE = ("transmission", "high")  # the plane that boxes refer to, where the package does not say which planes there are


def machine_report(body: AssessmentBody, images: tuple[tuple[str, str], ...] = (), *, native: bool = False) -> Report:
    """Give the report of a machine assessment.

    ``images``: view and SOP instance of each exported DX. ``native``: boxes in the scanner's own picture, as far as the fact says
    how to get there, instead of the canonical view of our DX files.
    """
    by_view = dict(reversed(images))
    codes = (*(f"reason {reason.code}" for reason in body.reasons), *(f"obstacle {obstacle.code}" for obstacle in body.obstacles))
    advisory = (ADVISORY,) if is_advisory(body) else ()
    bundles = body.provenance.bundles
    named = (" ".join(bundle.name for bundle in bundles), " ".join(bundle.version for bundle in bundles))
    digests = tuple(f"{bundle.name} sha256 {bundle.sha256[:40]}" for bundle in bundles)
    refer = _references(body, by_view)
    objects = tuple(_objects(body, refer, native=native))
    return Report(
        fact_id=body.fact_id,
        scan_id=body.scan_id or "",
        revision=body.revision,
        kind=CaptureKind(body.capture.kind),
        subject=SubjectKind(body.subject),
        taken_at=body.capture.taken_at,
        decided_at=body.produced_at,
        who=dicos.MACHINE,
        decision=DECISIONS[body.conclusion],
        algorithm=(*named, *digests),
        objects=objects,
        remarks=(f"conclusion {body.conclusion}", *advisory, f"fact {body.fact_id}", *dict.fromkeys(codes)),
        images=tuple(uid for _, uid in images),
        processing_ms=sum(body.timings_ms.values()),
    )


def human_report(body: VerdictBody | ControlBody, machine: AssessmentBody, images: tuple[tuple[str, str], ...] = ()) -> Report:
    """Give the report of an officer's verdict or an examination; ``machine``: an assessment of the same scan, which says what it is."""
    is_verdict = isinstance(body, VerdictBody)
    found = () if isinstance(body, VerdictBody) else tuple(f"found {item.what}" for item in body.found)
    return Report(
        fact_id=body.fact_id,
        scan_id=body.scan_id or "",
        revision=body.revision,
        kind=CaptureKind(machine.capture.kind),
        subject=SubjectKind(machine.subject),
        taken_at=machine.capture.taken_at,
        decided_at=body.produced_at,
        who=dicos.OPERATOR if is_verdict else dicos.GROUND_TRUTH,
        decision=DECISIONS[body.conclusion],
        algorithm=("analyst" if is_verdict else "examination", ""),
        objects=(),
        remarks=(f"conclusion {body.conclusion}", f"fact {body.fact_id}", *found),
        images=tuple(uid for _, uid in images),
    )


def _references(body: AssessmentBody, by_view: dict[str, str]) -> Callable[[str], str]:
    """Give what names the image of a view: an exported one, else the one that an export would write."""
    scan, revision = body.scan_id or "", body.revision
    return lambda view: by_view.get(view) or image_uid(scan, revision, view, *_IMAGE)


def _objects(body: AssessmentBody, refer: Callable[[str], str], *, native: bool) -> Iterator[ThreatObject]:
    frames = {frame.view: frame for frame in frames_of(body)} if native else {}
    for part in body.findings:
        if not isinstance(part, DetectionPart | HeterogeneityPart):
            continue
        flag: Literal["THREAT", "UNKNOWN"] = "THREAT" if has_alerted(part, body) else "UNKNOWN"
        if isinstance(part, DetectionPart):
            box = Box(*part.box)
            placed = frames[part.view].to_native(box) if part.view in frames else box
            yield ThreatObject(part.label, part.score, placed, refer(part.view), flag)
        else:
            for corners in part.regions:
                region = Box(*corners)
                placed = frames[part.view].to_native(region) if part.view in frames else region
                yield ThreatObject("load unlike the declared goods", part.score, placed, refer(part.view), flag)
