"""DICOS (NEMA IIC 1): the words and identities that reading and writing share, and the codec of its DX images.

pydicom comes with the extra ``dicos``; without it the codec says so. It parses untrusted bytes in the decode child only.
"""

import uuid
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO, Final

from edge_agent.domain.capture import CaptureKind, SubjectKind
from edge_agent.domain.drop import SideCar
from edge_agent.domain.profile import Profile
from edge_agent.errors import UnsupportedFormat
from edge_agent.formats.codec import Header, Pixels
from edge_agent.formats.members import OpenMember

if TYPE_CHECKING:
    from types import ModuleType

DICOS_SIDECAR: Final = "dicos"
"""The word of a profile whose pictures are DICOS files and carry their own metadata."""

VERSION: Final = "V03"
DX_FOR_PRESENTATION: Final = "1.2.840.10008.5.1.4.1.1.501.2.1"
TDR: Final = "1.2.840.10008.5.1.4.1.1.501.3"

OUR_GROUP: Final = 0x0071
OUR_CREATOR: Final = "NII-SCAN 1"
"""Private block for what DICOS has no word for: capture kind, selection, quantity, energy, view (elements 01 to 05)."""

MACHINE, OPERATOR, GROUND_TRUTH = "MACHINE", "OPERATOR", "GROUND TRUTH"
"""Values of TDRType (4010,1027) that we write: who judged."""

ALARM, CLEAR, UNKNOWN = "ALARM", "CLEAR", "UNKNOWN"
"""Values of AlarmDecision (4010,1031)."""

REAL_SCAN, OTHER_SCAN = "OPERATIONAL", "NON_OPERATIONAL"
"""Values of ScanType (4010,1048)."""

OOI_TYPES: Final = {SubjectKind.CARGO: "CARGO", SubjectKind.PARCEL: "BAGGAGE", SubjectKind.VEHICLE: "CARGO"}
"""OOIType (4010,1042) of a subject. There is no word for vehicles."""

_NAMESPACE = uuid.UUID("0d3cf2a4-3a9e-5c39-8a35-3c5a0e6f3b52")
_UUID_ROOT = "2.25."  # the arc of ISO/IEC 9834-8 under which every UUID is an object identifier


def uid_of(*parts: str) -> str:
    """Give the unique identifier that belongs to ``parts``: the same in every export of the same thing."""
    return f"{_UUID_ROOT}{uuid.uuid5(_NAMESPACE, chr(0).join(parts)).int}"


def scan_type(kind: CaptureKind) -> str:
    """Give the ScanType of a capture. Only live scans are operational; our private block says what the others are."""
    return REAL_SCAN if kind is CaptureKind.LIVE else OTHER_SCAN


def unavailable() -> str:
    """Say why DICOS cannot be read or written here; empty when it can."""
    return "" if find_spec("pydicom") is not None else "DICOS needs pydicom: install the extra dicos"


def read_headers(members: Sequence[OpenMember], profile: Profile) -> SideCar | None:
    """Give what headers and reports among ``members`` say; None when none can be read yet.

    Raises:
        ScanRejected: one of its leaves, for a damaged or oversized one, or without pydicom.
    """
    if unavailable():
        raise UnsupportedFormat(unavailable())
    found: SideCar | None = _reading().read_sidecar(members, profile)
    return found


class DicosCodec:
    """DX with one grey frame of 8 or 16 unsigned bits, uncompressed or RLE; the pixels are turned to bright = transmission."""

    name = "dicos"

    @property
    def unavailable(self) -> str:
        return unavailable()

    def sniff(self, head: bytes) -> bool:
        return head[128:132] == b"DICM"

    def header(self, file: BinaryIO, size: int) -> Header | None:
        header: Header | None = _reading().read_header(file, size)
        return header

    def is_whole(self, file: BinaryIO, size: int) -> bool:
        whole: bool = _reading().is_whole(file, size)
        return whole

    def decode(self, file: BinaryIO, header: Header) -> Pixels:
        pixels: Pixels = _reading().decode(file, header)
        return pixels


def _reading() -> "ModuleType":
    """Give the module that imports pydicom: a third of a second, spent only where there is DICOS to read."""
    from edge_agent.formats import dicos_read

    return dicos_read
