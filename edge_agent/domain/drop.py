"""A drop: the file or files by which a scanner delivers one scan."""

from dataclasses import dataclass, field
from enum import StrEnum

from edge_agent.domain.assessment import ControlOutcome, OfficerConclusion
from edge_agent.domain.capture import CaptureKind, Selection
from edge_agent.domain.clock import Stamp
from edge_agent.domain.consignment import Consignment
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import DropKey, ScannerId
from edge_agent.domain.member import DropMember
from edge_agent.domain.third_party import ThirdPartyAssessment
from edge_agent.errors import Scalar


@dataclass(frozen=True, slots=True)
class Drop:
    """Members that share one group key, sorted by name."""

    scanner: ScannerId
    key: DropKey
    members: tuple[DropMember, ...]

    @property
    def fingerprint(self) -> tuple[tuple[str, int, int], ...]:
        """Name, size and mtime of each member: equal means nothing was written in between."""
        return tuple((m.name, m.size, m.mtime_ns) for m in self.members)


@dataclass(frozen=True, slots=True)
class SideCar:
    """What a side-car says, before identifiers become tokens. Fields the side-car does not give are None or empty.

    ``resources``: names of the files that the side-car says belong to the scan. ``pitch_mm``: (x, y). ``system``: the vendor's words for
    its scanner. ``analyst``, ``examination``: what people at the vendor's console and at the opened container found. ``matched``: the
    fields of the profile's ``[map]`` that found a value (``goods.hs``), each with its path; it tells side-cars not apart.
    """

    taken_at: Stamp | None = None
    kind: CaptureKind | None = None
    selection: Selection | None = None
    beam: str = ""
    identities: tuple[IdentityValue, ...] = ()
    items: tuple[DeclaredItem, ...] = ()
    resources: tuple[str, ...] = ()
    pitch_mm: tuple[float, float] | None = None
    system: str = ""
    consignment: Consignment = Consignment()
    third_party: tuple[ThirdPartyAssessment, ...] = ()
    analyst: OfficerConclusion | None = None
    examination: ControlOutcome | None = None
    matched: tuple[tuple[str, str], ...] = field(default=(), compare=False)


class Completeness(StrEnum):
    """What the probe makes of a drop."""

    COMPLETE = "complete"
    WAITING = "waiting"
    """A required or expected member is absent, or a member's end has not been written."""
    HOPELESS = "hopeless"
    """More time will not help: wrong magic, a header over the limits."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Header facts of a drop, found by the decode child. ``reason`` is a code (with ``params``) when not complete.

    ``expected_bytes``: what the headers announce, None when a format does not say. ``decoded_bytes``: what the planes will take in
    memory, None when some header could not be read.
    """

    completeness: Completeness
    members: tuple[str, ...]
    expected_bytes: int | None
    sidecar: SideCar | None
    reason: str = ""
    params: tuple[tuple[str, Scalar], ...] = ()
    decoded_bytes: int | None = None
