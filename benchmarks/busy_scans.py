"""The scans of a site at its busiest, made from their number alone: bodies as a daemon journals them, and pictures to look at.

Everything is made up. Scan 0 carries a plane of random bits around one grey (:func:`bits`), by which a viewer can be shown to tell grey
``GREY`` from ``GREY + 1`` at every pixel; hostile scans carry what an attacker would write into goods.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.assessment import BlobRef
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.numbering import container_check_digit
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.ledger.records import IdentityRow
from edge_agent.testing.factories import a_capture, assessment_body, particulars
from edge_agent.wire.findings import DetectionPart, FindingPart, HeterogeneityPart, ProductPart, WeightPart
from edge_agent.wire.handed_over import DeclaredPart, GoodsPart
from edge_agent.wire.messages import AssessmentBody, BlobPart, BundlePart, CapturePart, CodeParams, FramePart, IdentityPart, ObstaclePart

SCANNERS = (ScannerId("gate-1"), ScannerId("gate-2"), ScannerId("parcels-1"))
WIDTH_PX, HEIGHT_PX = 2400, 800
BITS_WIDTH_PX, BITS_HEIGHT_PX = 1301, 700
"""Neither is a multiple of the tile side, so border tiles are smaller."""
GREY = 30_000
BOX = (2000.0, 400.0, 2100.0, 600.0)
"""Where the dark heap of every ordinary picture lies, canonical px, half-open."""
HEAT_SIDE_PX = 40
"""Canonical px of one pixel of a heat map."""

HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "javascript:document.title='owned'",
    "beef \u202exe.sterces\u202c \u2066gpj\u2069",
    "\"><svg onload=document.title='owned'>",
    "{{constructor.constructor('document.title=`owned`')()}}",
    "A" * 190,
    "\u0000\u0007\u001b[31mred",
)
"""What an attacker would write where he is free to write: goods, file names, fields of a side-car."""

BUNDLES = [
    BundlePart(name="detector", version="0.1.0", sha256="ab" * 32, state="simulated"),
    BundlePart(name="contents", version="0.1.0", sha256="cd" * 32, state="simulated"),
]
_ALERT_EVERY, _UNASSESSABLE_EVERY = 16, 25
_GOODS = (
    ("0202", "frozen boneless beef", 24_000),
    ("8528", "television sets, colour", 9_300),
    ("6109", "T-shirts of cotton, knitted", 11_800),
    ("0805", "fresh oranges", 21_500),
    ("4407", "sawn pine boards", 25_200),
)


def bits() -> NDArray[np.uint16]:
    """Give (700, 1301) uint16: each pixel ``GREY`` or ``GREY + 1`` at random, from a fixed seed."""
    rng = np.random.default_rng(8)
    return (GREY + rng.integers(0, 2, (BITS_HEIGHT_PX, BITS_WIDTH_PX))).astype(np.uint16)


def load(shift: int = 0) -> NDArray[np.uint16]:
    """Give (800, 2400) uint16 transmission: a container with heaps, the darkest of them in ``BOX``. ``shift`` tells planes apart."""
    rng = np.random.default_rng(5)
    level = np.full((HEIGHT_PX, WIDTH_PX), 62_000.0)
    level[100:-100, 150:-150] = 38_000 - shift
    for block in range(4):
        left = 300 + block * 400
        level[270:-100, left : left + 300] = 26_000 - 4_000 * block - shift
    x0, y0, x1, y1 = (int(side) for side in BOX)
    level[y0:y1, x0:x1] = 1_200
    noisy = level * rng.normal(1.0, 0.004, level.shape)
    return np.clip(noisy, 0, 65535).astype(np.uint16)


def heat() -> NDArray[np.uint8]:
    """Give (20, 60) uint8, strongest where ``BOX`` is."""
    pixels = np.zeros((HEIGHT_PX // HEAT_SIDE_PX, WIDTH_PX // HEAT_SIDE_PX), np.uint8)
    x0, y0, x1, y1 = (int(side) // HEAT_SIDE_PX for side in BOX)
    pixels[y0:y1, x0 : x1 + 1] = 230
    return pixels


def pictured(scan: ScanId, scanner: ScannerId, *, is_bits: bool) -> Scan:
    """Give the scan whose planes are stored: two views with two energies, or the plane of random bits."""
    about = particulars()
    if is_bits:
        views: tuple[View, ...] = (View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, bits()),), (5.0, 5.0)),)
    else:
        side = (Plane(Quantity.TRANSMISSION, Energy.HIGH, load()), Plane(Quantity.TRANSMISSION, Energy.LOW, load(4_000)))
        top = (Plane(Quantity.TRANSMISSION, Energy.HIGH, load()[:640].copy()),)
        views = (View("side", side, (5.0, 5.0)), View("top", top, (5.0, 5.0)))
    return Scan(scan, 1, ScannerRef(scanner, "sim-cargo"), a_capture(), about.subject, views, about.declaration, ())


def body(scan: ScanId, number: int, at: datetime, blobs: Sequence[BlobRef] = (), who: Sequence[IdentityRow] = ()) -> AssessmentBody:
    """Give what the site concludes about its scan ``number`` at ``at``."""
    conclusion = conclusion_of(number)
    size = (BITS_WIDTH_PX, BITS_HEIGHT_PX) if number == 0 else (WIDTH_PX, HEIGHT_PX)
    plain = assessment_body(scan, conclusion=conclusion, scanner=scanner_of(number))
    more = {
        "produced_at": at,
        "capture": CapturePart(kind="live", taken_at=at - timedelta(seconds=40), as_written=at.isoformat(), tz_assumed=False),
        "subject": "parcel" if scanner_of(number) == "parcels-1" else "cargo",
        "identities": [IdentityPart(kind=row.kind, token=row.token, commitment=row.commitment) for row in who],
        "declared": DeclaredPart(goods=[goods_of(number)], source="file", link=0.97, link_basis="container"),
        "findings": _findings(conclusion),
        "reasons": _reasons(conclusion),
        "obstacles": [ObstaclePart(code="dark", params={"share": 0.31}, blocking=True, view="side")]
        if conclusion == "unassessable"
        else [],
        "frames": [FramePart(view="side", width=size[0], height=size[1], to_native=(1, 0, 0, 0, 1, 0))],
        "blobs": [BlobPart(sha256=blob.sha256, bytes=blob.bytes, media_type=blob.media_type, role=blob.role) for blob in blobs],
        "provenance": plain.provenance.model_copy(update={"bundles": BUNDLES}),
        "timings_ms": {"queue": 3.0, "decode": 31.0, "detect": 402.0, "contents": 96.0, "conclude": 0.4},
    }
    return plain.model_copy(update=more)


def scanner_of(number: int) -> ScannerId:
    """Give which scanner took scan ``number``."""
    return SCANNERS[number % len(SCANNERS)]


def conclusion_of(number: int) -> str:
    """Give what is concluded about scan ``number``."""
    if number % _ALERT_EVERY == 1:
        return "alert"
    return "unassessable" if number % _UNASSESSABLE_EVERY == 2 else "no-alert"


def goods_of(number: int) -> GoodsPart:
    """Give the declared goods of scan ``number``; those of the first scans after 0 are hostile."""
    heading, text, mass_kg = _GOODS[number % len(_GOODS)]
    if 0 < number <= len(HOSTILE):
        text = HOSTILE[number - 1]
    return GoodsPart(hs=heading, description=text, gross_kg=mass_kg, packages=40 + number % 900)


def container_of(number: int) -> str:
    """Give a made-up container number of scan ``number`` with its check digit (ISO 6346; no owner has the code ZZZ)."""
    stem = f"ZZZU{number % 1_000_000:06d}"
    return f"{stem}{container_check_digit(stem)}"


def _findings(conclusion: str) -> list[FindingPart]:
    found: list[FindingPart] = [
        HeterogeneityPart(id=1, score=0.12, regions=[], against=["meat"], declared=True, view="side", bundle="contents/0.1.0"),
        ProductPart(id=2, ranked=[("meat", 0.83), ("fish", 0.11)], view="side", bundle="contents/0.1.0"),
        WeightPart(id=3, mass_kg=19_240, low_kg=17_100, high_kg=21_900, bundle="contents/0.1.0"),
    ]
    gun = DetectionPart(id=0, label="handgun", score=0.91, box=BOX, view="side", bundle="detector/0.1.0")
    return [gun, *found] if conclusion == "alert" else found


def _reasons(conclusion: str) -> list[CodeParams]:
    params = {"label": "handgun", "view": "side", "count": 1, "score": 0.91, "threshold": 0.6}
    return [CodeParams(code="detection-alert", params=params)] if conclusion == "alert" else []
