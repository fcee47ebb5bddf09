"""Labels in the COCO layout (``images/`` and ``annotations.json``), as training reads it. Boxes: [x, y, width, height], px, canonical view.

Besides COCO's own keys, each image and annotation carries its lineage, and each image the scan's kind. Category names are our labels.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from edge_agent.domain.scan import Plane, View
from edge_agent.wire.facts import standing_of
from edge_agent.wire.findings import DetectionPart
from edge_agent.wire.lineage import About, bundle_digests, machine_word, standing_word
from edge_agent.wire.messages import AnyBody, ControlBody, VerdictBody
from edge_agent.wire.results import has_alerted

ANNOTATIONS: Final = "annotations.json"
IMAGES: Final = "images"


def image_name(about: About, view: str, plane: Plane) -> str:
    """Give the file name of a plane; a scan that is not real traffic says so there too."""
    prefix = "" if about.is_real else f"{about.kind.value}."
    return f"{prefix}{about.scan_id}.r{about.revision}.{view}_{plane.quantity}_{plane.energy}.png"


class CocoSet:
    """Collects images and annotations, one call a view; :meth:`document` gives the file."""

    def __init__(self) -> None:
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories: dict[str, int] = {}

    def add(self, about: About, view: View, facts: Sequence[AnyBody]) -> None:
        """Add a view with the machine's detections in it, and what people said of the scan.

        ``confirmed`` of an annotation: True when the scan was found or called suspicious, False when it was cleared, null when only the
        machine spoke, when examinations differ, or when it judged newer pixels since. It is the scan's word: nobody pointed at the box.
        """
        word = standing_word(facts)
        names = {f"{plane.quantity}_{plane.energy}": f"{IMAGES}/{image_name(about, view.name, plane)}" for plane in view.planes}
        image_id = len(self._images) + 1
        self._images.append(
            {
                "id": image_id,
                "file_name": f"{IMAGES}/{image_name(about, view.name, view.leading)}",
                "width": view.size.width,
                "height": view.size.height,
                "planes": names,
                "pitch_mm": view.pitch_mm,
                "scan_id": about.scan_id,
                "revision": about.revision,
                "view": view.name,
                "kind": about.kind.value,
                "is_real": about.is_real,
                "selection": about.selection,
                "subject": about.subject,
                "standing": {"conclusion": word.conclusion, "by": word.by, "fact_id": word.fact_id},
                "labels": [_label(fact) for fact in facts if isinstance(fact, VerdictBody | ControlBody)],
                "bundles": bundle_digests(facts),
            }
        )
        self._add_detections(image_id, about, view, facts)

    def _add_detections(self, image_id: int, about: About, view: View, facts: Sequence[AnyBody]) -> None:
        body = machine_word(facts, about.revision)
        now = standing_of(facts)
        confirmed = None if now is None else now.is_guilty
        for part in body.findings if body is not None else ():
            if body is None or not isinstance(part, DetectionPart) or part.view != view.name:
                continue
            x0, y0, x1, y1 = part.box
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": image_id,
                    "category_id": self._categories.setdefault(part.label, len(self._categories) + 1),
                    "bbox": [x0, y0, round(x1 - x0, 1), round(y1 - y0, 1)],
                    "area": round((x1 - x0) * (y1 - y0), 1),
                    "iscrowd": 0,
                    "score": part.score,
                    "source": "machine",
                    "alerts": has_alerted(part, body),
                    "confirmed": confirmed,
                    "kind": about.kind.value,
                    "scan_id": about.scan_id,
                    "fact_id": body.fact_id,
                    "bundle": part.bundle,
                    "bundle_sha256": bundle_digests([body]).get(part.bundle, ""),
                }
            )

    def document(self) -> Mapping[str, Any]:
        """Give ``annotations.json``; ``info.kinds`` names every kind of scan in it."""
        return {
            "info": {"description": "edge-agent export", "version": "1", "kinds": sorted({image["kind"] for image in self._images})},
            "licenses": [],
            "images": self._images,
            "annotations": self._annotations,
            "categories": [{"id": number, "name": label, "supercategory": "threat"} for label, number in self._categories.items()],
        }


def _label(fact: VerdictBody | ControlBody) -> dict[str, Any]:
    if isinstance(fact, VerdictBody):
        by = "supervisor" if fact.is_supervisor else "analyst"
        return {"by": by, "conclusion": fact.conclusion, "fact_id": fact.fact_id, "revision": fact.revision}
    found = [{"what": item.what, "hs": item.hs} for item in fact.found]
    return {"by": "examination", "conclusion": fact.conclusion, "fact_id": fact.fact_id, "revision": fact.revision, "found": found}
