"""A scan and its pixels. The only domain module that knows numpy; ``wire`` and ``kpi`` never reach it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.attachment import Attachment
from edge_agent.domain.capture import Capture, Subject
from edge_agent.domain.consignment import Consignment
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.geometry import Box, Frame, Orientation, Size
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.layout import RawLayout
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.third_party import ThirdPartyAssessment


class Quantity(StrEnum):
    """What a plane measures."""

    RAW = "raw"
    TRANSMISSION = "transmission"
    BACKSCATTER = "backscatter"
    GAMMA = "gamma"
    """Counts of a gamma-ray source's own picture; no check here reads it."""
    MATERIAL = "material"
    DISPLAY = "display"


class Energy(StrEnum):
    """Which beam energy a plane was measured with."""

    LOW = "low"
    HIGH = "high"
    SINGLE = "single"


OperationValue: TypeAlias = bool | int | float | str | tuple[int, ...]

_DEPTHS = {Quantity.RAW: (2,), Quantity.TRANSMISSION: (2,), Quantity.DISPLAY: (1,)}
"""Bytes a pixel; all other quantities come with one or two."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step from the decoded plane to the one in hand, as data: ``imaging.normalise.replay`` repeats it bit for bit."""

    name: str
    params: tuple[tuple[str, OperationValue], ...] = ()

    def value(self, name: str) -> OperationValue:
        """Give a parameter.

        Raises:
            KeyError: this operation has none of that name.
        """
        return dict(self.params)[name]

    def whole(self, name: str) -> int:
        """Give a parameter that is a whole number.

        Raises:
            KeyError: absent. ValueError: not a whole number.
        """
        value = self.value(name)
        if not isinstance(value, int):
            raise ValueError(f"{self.name}: {name} is not a whole number")  # noqa: TRY004 - it may come out of a file
        return value


@dataclass(frozen=True, slots=True)
class Origin:
    """Which accepted file a plane was decoded from.

    ``role``: the profile's word for the file; ``index``: which of the planes in it, from 0; ``layout``: how a file without a format of
    its own was read.
    """

    role: str
    index: int = 0
    layout: RawLayout | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One measured channel of one view. Row 0 is the top of the cargo, column 0 its front. Read-only.

    RAW, TRANSMISSION: (h, w) uint16; TRANSMISSION 0 = opaque, 65535 = air. BACKSCATTER, GAMMA, MATERIAL: (h, w) uint8 or uint16.
    DISPLAY: (h, w) or (h, w, 3) uint8, the vendor's rendered picture, bright = air, RGB order: pseudo-colour is never taken for
    transmission. 8-bit is never widened to pretend 16-bit. ``operations``: what was done to the pixels of ``origin``, in this order.
    """

    quantity: Quantity
    energy: Energy
    pixels: NDArray[np.uint16] | NDArray[np.uint8]
    operations: tuple[Operation, ...] = ()
    origin: Origin | None = None

    def __post_init__(self) -> None:
        depths = _DEPTHS.get(self.quantity, (1, 2))
        dims = (2, 3) if self.quantity is Quantity.DISPLAY else (2,)
        wrong_kind = self.pixels.dtype.kind != "u" or self.pixels.itemsize not in depths
        if wrong_kind or self.pixels.ndim not in dims or self.pixels.size == 0:
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

    def to_native(self, box: Box) -> Box:
        """Give the region of ``box`` (px of this view) in the scanner's own picture: crops undone, then the frame turned back."""
        size = self.size
        for operation in reversed(self.planes[0].operations):
            if operation.name == "crop":
                box = box.moved(operation.whole("x0"), operation.whole("y0"))
                size = Size(operation.whole("width"), operation.whole("height"))
        return self.native.to_native(box, size)

    @property
    def frame(self) -> Frame:
        """Give :meth:`to_native` as a value that can be kept without the pixels."""
        origin, right, down = (self.to_native(Box(x, y, x, y)) for x, y in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)))
        along_x, along_y = (right.x0 - origin.x0, down.x0 - origin.x0), (right.y0 - origin.y0, down.y0 - origin.y0)
        return Frame(self.name, self.size, (*along_x, origin.x0, *along_y, origin.y0))

    @property
    def leading(self) -> Plane:
        """Give the plane that stands for the view where one is shown: the high or only energy, else the first there is."""
        return self.plane(Energy.HIGH, Energy.SINGLE, Energy.LOW) or self.planes[0]

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
    consignment: Consignment = Consignment()
    third_party: tuple[ThirdPartyAssessment, ...] = ()
    attachments: tuple[Attachment, ...] = ()
