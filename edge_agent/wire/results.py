"""One machine assessment as a file for the vendor's viewer or the risk system: JSON or XML. Pure.

It is a copy of a journal fact. Boxes are in the scanner's own picture where the fact says how to get there; identifiers are tokens,
and the scan is matched by the SHA-256 of its files. XML has the same names: objects are elements, their values child elements.
"""

import re
import xml.etree.ElementTree as ET
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from edge_agent.domain.assessment import BundleState
from edge_agent.domain.geometry import Box
from edge_agent.wire.convert import frames_of
from edge_agent.wire.findings import DetectionPart, HeterogeneityPart
from edge_agent.wire.messages import AssessmentBody, BundlePart, CodeParams, MemberPart, ObstaclePart

_UNLIKE_LOADS = ("heterogeneity", "mixed-load")  # reasons that rest on a heterogeneity
_ROUNDING = 1e-4  # of scores and thresholds in a body
ADVISORY = "advisory, not commissioned"
_XML_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ResultFinding(_Part):
    """One thing found. ``boxes``: x0, y0, x1, y1, half-open, px; ``frame``: of the scanner's own picture, or of our canonical view."""

    type: str
    label: str | None = None
    score: float | None = None
    alerts: bool = False
    view: str | None = None
    frame: Literal["native", "canonical"] | None = None
    boxes: list[tuple[float, float, float, float]] = []
    bundle: str


class Result(_Part):
    """The whole file. ``advisory`` is empty when every bundle behind it is commissioned."""

    schema_: Literal["result/1.0"] = "result/1.0"
    fact_id: str
    supersedes: str | None
    site: str
    scanner: str | None
    scan_id: str | None
    revision: int
    capture_kind: str
    taken_at: datetime
    selection: str
    subject: str
    produced_at: datetime
    conclusion: str
    advisory: str
    reasons: list[CodeParams]
    obstacles: list[ObstaclePart]
    findings: list[ResultFinding]
    findings_left_out: int
    bundles: list[BundlePart]
    policy_digest: str
    config_digest: str
    members: list[MemberPart]


def result_of(body: AssessmentBody) -> Result:
    """Give the result that belongs to a journal body."""
    provenance = body.provenance
    return Result(
        fact_id=body.fact_id,
        supersedes=body.supersedes,
        site=body.site,
        scanner=body.scanner,
        scan_id=body.scan_id,
        revision=body.revision,
        capture_kind=body.capture.kind,
        taken_at=body.capture.taken_at,
        selection=body.selection,
        subject=body.subject,
        produced_at=body.produced_at,
        conclusion=body.conclusion,
        advisory=ADVISORY if is_advisory(body) else "",
        reasons=body.reasons,
        obstacles=body.obstacles,
        findings=_findings(body),
        findings_left_out=body.findings_left_out,
        bundles=provenance.bundles,
        policy_digest=provenance.policy_digest,
        config_digest=provenance.config_digest,
        members=provenance.members,
    )


def json_bytes(result: Result) -> bytes:
    """Give a result as JSON."""
    return _renamed(result.model_dump_json(indent=1)).encode()


def xml_bytes(result: Result) -> bytes:
    """Give a result as XML 1.0 in UTF-8."""
    root = ET.Element("result", {"schema": result.schema_})
    content = result.model_dump(mode="json", exclude={"schema_"})
    for name, value in content.items():
        _add(root, name, value)
    ET.indent(root, " ")
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def is_advisory(body: AssessmentBody) -> bool:
    """Say whether a bundle behind a body is not commissioned at its site."""
    return any(bundle.state != BundleState.COMMISSIONED for bundle in body.provenance.bundles)


def has_alerted(part: DetectionPart | HeterogeneityPart, body: AssessmentBody) -> bool:
    """Say whether a finding is among those that put its scan on alert."""
    if isinstance(part, HeterogeneityPart):
        return any(reason.code in _UNLIKE_LOADS and reason.params.get("view", part.view) == part.view for reason in body.reasons)
    for reason in body.reasons:
        params = reason.params
        if reason.code == "detection-alert" and params.get("label") == part.label and params.get("view", part.view) == part.view:
            threshold = params.get("threshold", 0.0)
            return not isinstance(threshold, int | float) or part.score >= threshold - _ROUNDING
    return False


def _findings(body: AssessmentBody) -> list[ResultFinding]:
    frames = {frame.view: frame for frame in frames_of(body)}
    found = []
    for part in body.findings:
        view: str | None = getattr(part, "view", None)
        frame = frames.get(view or "")
        corners = _corners(part)
        boxes = corners if frame is None else [frame.to_native(Box(*one)).rounded() for one in corners]
        found.append(
            ResultFinding(
                type=part.type,
                label=part.label if isinstance(part, DetectionPart) else None,
                score=part.score if isinstance(part, DetectionPart | HeterogeneityPart) else None,
                alerts=isinstance(part, DetectionPart | HeterogeneityPart) and has_alerted(part, body),
                view=view,
                frame=None if not corners else ("canonical" if frame is None else "native"),
                boxes=boxes,
                bundle=part.bundle,
            )
        )
    return found


def _corners(part: object) -> list[tuple[float, float, float, float]]:
    match part:
        case DetectionPart():
            return [part.box]
        case HeterogeneityPart():
            return part.regions
        case _:
            return []


def _renamed(text: str) -> str:
    return text.replace('"schema_":', '"schema":', 1)


def _add(parent: ET.Element, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Add a value as an element; lists become one element an item, null is left out."""
    if value is None:
        return
    is_name = _XML_NAME.fullmatch(name) is not None
    element = ET.SubElement(parent, name if is_name else "param", {} if is_name else {"name": _NOT_IN_XML.sub("?", name)})
    if isinstance(value, dict):
        for key, inner in value.items():
            _add(element, str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            _add(element, "item", inner)
    else:
        element.text = _NOT_IN_XML.sub("?", str(value).lower() if isinstance(value, bool) else str(value))
