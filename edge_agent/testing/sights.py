"""Assessments with pictures: thumbnails, heat maps and boxes, as a site stores and journals them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.domain.assessment import BlobRef, FactKind
from edge_agent.domain.ids import FactId, ScanId
from edge_agent.formats.encode import png_bytes
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.testing.factories import SCANNER, SITE, a_scan_id, assessment_body
from edge_agent.testing.loopback import LoopbackSite
from edge_agent.wire.findings import DetectionPart, HeterogeneityPart, ProductPart, WeightPart
from edge_agent.wire.frames import topic
from edge_agent.wire.handed_over import DeclaredPart, GoodsPart
from edge_agent.wire.messages import AssessmentBody, BlobPart, CodeParams, FramePart, ObstaclePart, encode

WIDTH, HEIGHT = 2400, 800
"""Canonical frame of the view, px."""


@dataclass(frozen=True)
class Sight:
    """A journalled scan and its stored pictures."""

    body: AssessmentBody
    preview: BlobRef
    heat: BlobRef

    @property
    def scan(self) -> ScanId:
        return ScanId(self.body.scan_id or "")


def preview_png(width: int = 512, height: int = 170) -> bytes:
    """Give the thumbnail of a container: bright air around, a grey load in blocks, a dark heap."""
    pixels = np.full((height, width), 245, np.uint8)
    pixels[height // 8 : -height // 8, width // 16 : -width // 16] = 150
    for block in range(4):
        left = width // 8 + block * width // 6
        pixels[height // 3 : -height // 8, left : left + width // 8] = 100 - 15 * block
    pixels[height // 2 : height * 3 // 4, width * 5 // 6 : width * 7 // 8] = 5
    return png_bytes(pixels)


def heat_png(width: int = 60, height: int = 20) -> bytes:
    """Give a heat map that is strongest at the dark heap."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[height // 2 : height * 3 // 4, width * 5 // 6 : width * 7 // 8] = 230
    return png_bytes(pixels)


async def a_sight(site: LoopbackSite, name: str = "a", conclusion: str = "alert", extra: Sequence[ObstaclePart] = ()) -> Sight:
    """Store the pictures of the scan ``name`` at a site, and journal its assessment with declared goods and findings of every kind."""
    store = BlobStore(site.state_dir / "blobs")
    preview = _stored(store, preview_png(), "preview:top")
    heat = _stored(store, heat_png(), "heatmap:top")
    body = _body(name, conclusion, (preview, heat), extra)
    where = topic(SITE, SCANNER, "assessment")
    await site.add(Entry(FactId(body.fact_id), ScanId(body.scan_id or ""), FactKind.ASSESSMENT, where, encode(body)))
    await site.ledger.call(_refer, FactId(body.fact_id), (preview, heat))
    return Sight(body, preview, heat)


def _body(name: str, conclusion: str, blobs: Sequence[BlobRef], extra: Sequence[ObstaclePart]) -> AssessmentBody:
    box = (WIDTH * 5 / 6, HEIGHT / 2, WIDTH * 7 / 8, HEIGHT * 3 / 4)
    found = [
        DetectionPart(id=0, label="handgun", score=0.91, box=box, view="top", bundle="detector/0.1.0"),
        HeterogeneityPart(id=1, score=0.12, regions=[], against=["meat"], declared=True, view="top", bundle="contents/0.1.0"),
        ProductPart(id=2, ranked=[("meat", 0.83), ("fish", 0.11)], view="top", bundle="contents/0.1.0"),
        WeightPart(id=3, mass_kg=19_240, low_kg=17_100, high_kg=21_900, bundle="contents/0.1.0"),
    ]
    alert = CodeParams(code="detection-alert", params={"label": "handgun", "view": "top", "count": 1, "score": 0.91, "threshold": 0.6})
    goods = GoodsPart(hs="0202", description="frozen boneless beef", gross_kg=24_000, packages=960)
    more = {
        "conclusion": conclusion,
        "findings": found if conclusion == "alert" else found[1:],
        "reasons": [alert] if conclusion == "alert" else [],
        "obstacles": list(extra),
        "declared": DeclaredPart(goods=[goods], source="file", link=0.8, link_basis="corrected"),
        "frames": [FramePart(view="top", width=WIDTH, height=HEIGHT, to_native=(1, 0, 0, 0, 1, 0))],
        "blobs": [BlobPart(sha256=blob.sha256, bytes=blob.bytes, media_type=blob.media_type, role=blob.role) for blob in blobs],
        "timings_ms": {"queue": 3.0, "decode": 31.0, "detect": 402.0, "contents": 96.0, "conclude": 0.4},
    }
    return assessment_body(a_scan_id(name), conclusion=conclusion).model_copy(update=more)


def _stored(store: BlobStore, content: bytes, role: str) -> BlobRef:
    sha256, size = store.put(content)
    return BlobRef(sha256, size, "image/png", role)


def _refer(ledger: Ledger, fact: FactId, blobs: Sequence[BlobRef]) -> None:
    ledger._jobs.refer_blobs(fact, blobs)  # noqa: SLF001 - in the runtime only the end of a job does this
