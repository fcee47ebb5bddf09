"""What a settled drop means, given what is already known: the rule of identity, in one pure function."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import Capture, Subject
from edge_agent.domain.consignment import Consignment
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.ids import DropKey, ScanId, ScannerId, SiteId, scan_id
from edge_agent.domain.third_party import ThirdPartyAssessment


@dataclass(frozen=True, slots=True)
class Particulars:
    """What is known about a scan besides its pixels; it can change without new pixels (a metadata revision).

    ``notes``: findings of intake that the assessment must carry as obstacles or reasons (``sidecar-unreadable``, ...).
    ``partial``: roles of members that had not come by their deadline. ``third_party``: what the vendor's own algorithms said;
    it is theirs and concludes nothing here.
    """

    capture: Capture
    subject: Subject
    declaration: Declaration | None
    pitch_mm: tuple[float, float] | None = None
    notes: tuple[Reason, ...] = ()
    partial: tuple[str, ...] = ()
    consignment: Consignment = Consignment()
    third_party: tuple[ThirdPartyAssessment, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A settled drop after copying. ``content_digest`` is None when it holds no pixels; ``metadata_digest`` covers the particulars."""

    site: SiteId
    scanner: ScannerId
    drop_key: DropKey
    content_digest: str | None
    metadata_digest: str


@dataclass(frozen=True, slots=True)
class KnownDrop:
    """The newest accepted state of a drop key."""

    scan_id: ScanId
    revision: int
    metadata_revision: int
    content_digest: str | None
    metadata_digest: str
    first_accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of an arrival. ``twin``: a scan with the same pixels under another drop key."""

    drop: KnownDrop | None
    twin: ScanId | None
    twin_has_same_subject: bool


@dataclass(frozen=True, slots=True)
class NewScan:
    """Never seen: accept as revision 1. ``twin`` is set when another subject already had these very pixels."""

    scan_id: ScanId
    twin: ScanId | None


@dataclass(frozen=True, slots=True)
class NewRevision:
    """New pixels under a known drop key: assess again, supersede."""

    scan_id: ScanId
    revision: int


@dataclass(frozen=True, slots=True)
class MetadataRevision:
    """Known pixels, changed side-car or declaration: conclude again without inference."""

    scan_id: ScanId
    revision: int
    metadata_revision: int


@dataclass(frozen=True, slots=True)
class DuplicateOf:
    """Known pixels of the same subject under another name: journal it, do nothing."""

    scan_id: ScanId


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Touched, but nothing in it is new."""

    scan_id: ScanId


Decision: TypeAlias = NewScan | NewRevision | MetadataRevision | DuplicateOf | Unchanged


def decide(arrival: Arrival, known: Known, now: datetime, revision_window: timedelta) -> Decision:
    """Say what an arrival is.

    Pixels under a known drop key make a revision within ``revision_window`` of the first acceptance; later they are a scan of
    their own, for by then the scanner has begun to use its names again. When the scan's own first pixels come back so late, its
    identity is taken already, so they too make a revision.
    """
    drop = known.drop
    new_id = scan_id(arrival.site, arrival.scanner, arrival.drop_key, arrival.content_digest or "")
    if drop is not None and arrival.content_digest in (drop.content_digest, None):
        if arrival.metadata_digest == drop.metadata_digest:
            return Unchanged(drop.scan_id)
        return MetadataRevision(drop.scan_id, drop.revision, drop.metadata_revision + 1)
    if drop is not None and (now - drop.first_accepted_at <= revision_window or new_id == drop.scan_id):
        return NewRevision(drop.scan_id, drop.revision + 1)
    if known.twin is not None and known.twin_has_same_subject:
        return DuplicateOf(known.twin)
    return NewScan(new_id, known.twin)
