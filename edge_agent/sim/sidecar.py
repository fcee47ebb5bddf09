"""Side-cars as scanners write them: JSON of the simulated scanners, and the Smiths ``DataForm``, version V01.20.

Simulated scans say so: ``kind`` is ``synthetic`` in the JSON, and a DataForm is marked as training (it has no better word).
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from edge_agent.sim.scene import Scene

_NAMESPACE = "dataforms.model.cargovision.smiths.com"


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a side-car says beside the scene. ``taken_at``: aware; ``resources``: names of the picture files; ``revision``: 0 = first."""

    key: str
    taken_at: datetime
    beam: str
    resources: tuple[str, ...]
    revision: int = 0


def json_sidecar(scene: Scene, about: Particulars) -> bytes:
    """Give ``sim-sidecar/1``. A later revision carries the operator's remark, as systems at the scanner add it."""
    content: dict[str, object] = {
        "schema": "sim-sidecar/1",
        "taken_at": about.taken_at.isoformat(timespec="milliseconds"),
        "kind": "synthetic",
        "selection": "random",
        _subject_key(scene): scene.identifier,
        "pitch_mm": [scene.pitch_mm, scene.pitch_mm],
        "beam": about.beam,
        "declared": [
            {"hs": item.hs, "description": item.description, "gross_kg": item.gross_kg, "packages": item.packages}
            for item in scene.declared
        ],
        "resources": list(about.resources),
    }
    if about.revision:
        content["remark"] = f"written again by the operator's station, revision {about.revision}"
    return (json.dumps(content, indent=1) + "\n").encode()


def _subject_key(scene: Scene) -> str:
    if scene.vehicle is not None:
        return "plate"
    return "container" if scene.is_cargo else "parcel"


def dataform_sidecar(scene: Scene, about: Particulars) -> bytes:
    """Give a DataForm as UTF-16 with a byte-order mark and no XML declaration, the way the vendor's stations write it."""
    at = _zulu(about.taken_at)
    resources = "".join(
        f'<Resource Type="img" IsLinked="false" IsPreview="false" IsDeleted="false">{escape(name)}</Resource>' for name in about.resources
    )
    is_empty = int(all(item.hs == "0000" for item in scene.declared))
    text = (
        f'<DataForm xmlns="{_NAMESPACE}"><Version>V01.20</Version><TruckId>{escape(about.key)}</TruckId><State>5</State>'
        f"<Site>SIM001</Site><Date>{at}</Date><InTraining>1</InTraining><InReference>0</InReference>"
        f"<Analysed>{int(about.revision > 0)}</Analysed><AdminData><FileId /><Comments>simulated</Comments><Vehicle><PlateNumber />"
        f"<Trailers><Trailer><PlateNumber /><Containers><Container><ContainerId>{scene.identifier}</ContainerId><OCR>99</OCR></Container>"
        "</Containers></Trailer></Trailers><Driver /></Vehicle><DeclarationID /></AdminData>"
        f"<ProcessInstructions><ScanPosition>1</ScanPosition><IsContainerEmpty>{is_empty}</IsContainerEmpty></ProcessInstructions>"
        f'<Operations><Operation Type="1"><Start>{at}</Start><End>{at}</End><Site>SIM001</Site><System>SIM</System>'
        f"<Resources>{resources}</Resources></Operation></Operations>"
        f"<UpdateDateTime>{at}</UpdateDateTime><UpdateCount>{6 + about.revision}</UpdateCount></DataForm>"
    )
    return text.encode("utf-16")


def _zulu(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
