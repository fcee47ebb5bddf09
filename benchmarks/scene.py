"""A cargo scan made for measuring: 16-bit, full of structure at every scale, from a fixed random state. It shows nothing real."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.arrival import Particulars
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Clock, Stamp
from edge_agent.domain.ids import DropKey, ScannerId, SiteId, scan_id
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View

SITE = SiteId("bench")
SCANNER = ScannerId("portal")
HEIGHT_PX, WIDTH_PX = 2000, 8000


def pixels(seed: int) -> NDArray[np.uint16]:
    """Give (2000, 8000) uint16 transmission: boxes of every size on air, with noise."""
    rng = np.random.default_rng(seed)
    log_transmission = np.zeros((HEIGHT_PX, WIDTH_PX), dtype=np.float32)
    for extent in (900, 300, 120, 60):
        for _ in range(24_000 // extent):
            height, width = rng.integers(extent // 3, extent, 2)
            y, x = rng.integers(0, HEIGHT_PX - 200), rng.integers(0, WIDTH_PX - 200)
            log_transmission[y : y + height, x : x + width] -= rng.uniform(0.1, 0.8)
    levels = 65535.0 * np.exp(np.maximum(log_transmission, -7.0)) * (1.0 + rng.normal(0.0, 0.01, log_transmission.shape))
    return np.clip(levels, 1, 65535).astype(np.uint16)


def particulars(clock: Clock) -> Particulars:
    """Give what goes with the scan: synthetic, so it counts in no statistics."""
    now = clock.now()
    capture = Capture(Stamp(now, now.isoformat(), tz_assumed=False), CaptureKind.SYNTHETIC, Selection.UNKNOWN)
    return Particulars(capture, Subject(SubjectKind.CARGO), None, pitch_mm=(4.0, 4.0))


def scan(levels: NDArray[np.uint16], about: Particulars) -> Scan:
    """Give the scan as the models see it: one view, one high-energy plane."""
    members = (MemberDigest("bench.tif", "high", levels.nbytes, "0" * 64, is_pixels=True),)
    view = View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, levels),), about.pitch_mm)
    return Scan(
        scan_id(SITE, SCANNER, DropKey("bench"), "0" * 64),
        1,
        ScannerRef(SCANNER, "bench"),
        about.capture,
        about.subject,
        (view,),
        None,
        members,
    )
