"""A scan and its pixels. The only domain module that knows numpy; ``wire`` and ``kpi`` never reach it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.capture import Capture, Subject
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.geometry import Box, Orientation, Size
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.member import MemberDigest


class Quantity(StrEnum):
    """What a plane measures."""

    RAW = "raw"
    TRANSMISSION = "transmission"
    BACKSCATTER = "backscatter"
    MATERIAL = "material"
    DISPLAY = "display"


class Energy(StrEnum):
    """Which beam energy a plane was measured with."""

    LOW = "low"
    HIGH = "high"
    SINGLE = "single"


_UINT16 = (Quantity.RAW, Quantity.TRANSMISSION, Quantity.BACKSCATTER)


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One measured channel of one view. Row 0 is the top of the cargo, column 0 its front. Read-only.

    RAW, TRANSMISSION, BACKSCATTER: (h, w) uint16; TRANSMISSION 0 = opaque, 65535 = air. MATERIAL: (h, w) uint8.
    DISPLAY: (h, w) or (h, w, 3) uint8, the vendor's rendered picture, bright = air, RGB order. 8-bit is never widened to pretend
    16-bit.
    """

    quantity: Quantity
    energy: Energy
    pixels: NDArray[np.uint16] | NDArray[np.uint8]

    def __post_init__(self) -> None:
        expected = np.uint16 if self.quantity in _UINT16 else np.uint8
        dims = (2, 3) if self.quantity is Quantity.DISPLAY else (2,)
        if self.pixels.dtype != expected or self.pixels.ndim not in dims or self.pixels.size == 0:
            raise ValueError(f"{self.quantity} plane cannot be {self.pixels.dtype} {self.pixels.shape}")
        if self.pixels.ndim == 3 and self.pixels.shape[2] != 3:
            raise ValueError(f"colour plane needs 3 channels, has {self.pixels.shape[2]}")
        self.pixels.flags.writeable = False

    @property
    def size(self) -> Size:
        return Size(self.pixels.shape[1], self.pixels.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One geometry of a scan. All planes have the same size.

    ``pitch_mm``: millimetres a pixel (x, y) in the plane of the cargo, None when unknown; ``pitch_assumed``: it was fitted, not measured.
    ``load``: where the load is (the container's box, px), None = anywhere.
    """

    name: str
    planes: tuple[Plane, ...]
    pitch_mm: tuple[float, float] | None
    pitch_assumed: bool = False
    native: Orientation = Orientation()
    load: Box | None = None

    def __post_init__(self) -> None:
        if not self.planes or len({plane.size for plane in self.planes}) != 1:
            raise ValueError(f"view {self.name} needs planes of one size")

    @property
    def size(self) -> Size:
        return self.planes[0].size

    def plane(self, *energies: Energy) -> Plane | None:
        """Give the first transmission or display plane whose energy is among ``energies``, in their order."""
        for energy in energies:
            for plane in self.planes:
                if plane.energy is energy and plane.quantity in (Quantity.TRANSMISSION, Quantity.DISPLAY):
                    return plane
        return None


@dataclass(frozen=True, slots=True)
class ScannerRef:
    """Which scanner, under which profile."""

    scanner_id: ScannerId
    profile: str


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One passage of one subject through a scanner, in the internal form.

    ``partial`` names the member roles that had not arrived by the deadline. ``members`` are the accepted files with their digests.
    """

    scan_id: ScanId
    revision: int
    scanner: ScannerRef
    capture: Capture
    subject: Subject
    views: tuple[View, ...]
    declaration: Declaration | None
    members: tuple[MemberDigest, ...]
    partial: tuple[str, ...] = ()
