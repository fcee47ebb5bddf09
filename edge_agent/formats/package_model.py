"""``scan.json`` of a package: the scan without its pixels, as published. Identifiers are tokens; file names are roles."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.geometry import Orientation
from edge_agent.domain.ids import ScanId, ScannerId, Token
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EntryName = Annotated[str, Field(pattern=r"^(images|source)/[a-z0-9_-]+\.(tif|png|jpg)$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FormatPart(_Part):
    """Name and major version of this document."""

    name: Literal["nii-scan"] = "nii-scan"
    version: Literal[1] = 1


class SystemPart(_Part):
    """Which scanner made the scan."""

    scanner_id: str
    profile: str


class ScanPart(_Part):
    """Identity of the scan. ``partial``: roles that had not come by their deadline."""

    id: str
    revision: Annotated[int, Field(ge=1)]
    status: Literal["complete", "partial"]
    partial: tuple[str, ...]


class CapturePart(_Part):
    """When, why and as what. ``taken_at`` is UTC; ``as_written`` the side-car's own text."""

    taken_at: datetime
    as_written: str
    tz_assumed: bool
    kind: CaptureKind
    selection: Selection
    beam: str


class SubjectPart(_Part):
    """What was scanned; ``equipment`` holds tokens into the site's erasable identity table."""

    kind: SubjectKind
    equipment: tuple[str, ...]


class DeclarationPart(_Part):
    """The declared goods; ``id`` is a token."""

    goods: tuple[DeclaredItem, ...]
    source: str
    id: str | None


class ImagePart(_Part):
    """One plane. ``entry``: where its pixels lie; ``lossy``: it is the scanner's own JPEG, in the scanner's frame.

    ``pixel_sha256``: over the canonical pixels, row by row, little-endian.
    """

    quantity: Quantity
    energy: Energy
    entry: EntryName
    rows: Annotated[int, Field(gt=0)]
    cols: Annotated[int, Field(gt=0)]
    channels: Literal[1, 3]
    bits: Literal[8, 16]
    lossy: bool
    pixel_sha256: Sha256


class ViewPart(_Part):
    """One geometry; ``native``: how the scanner's frame was turned into the canonical one."""

    name: str
    pitch_mm: tuple[float, float] | None
    pitch_assumed: bool
    native: Orientation
    images: tuple[ImagePart, ...]


class SourcePart(_Part):
    """One accepted file by its digest. Its own name is left out: scanners write container numbers into names."""

    role: str
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256
    is_pixels: bool


class EntryPart(_Part):
    """Digest of one entry of the package."""

    size: Annotated[int, Field(ge=0)]
    sha256: Sha256


class ScanJson(_Part):
    """The whole document."""

    format: FormatPart
    system: SystemPart
    scan: ScanPart
    capture: CapturePart
    subject: SubjectPart
    declaration: DeclarationPart | None
    views: tuple[ViewPart, ...]
    sources: tuple[SourcePart, ...]
    entries: dict[str, EntryPart]


def describe(scan: Scan, images: dict[tuple[str, Quantity, Energy], ImagePart], entries: dict[str, EntryPart]) -> ScanJson:
    """Give the document of ``scan``; ``images`` by view, quantity and energy."""
    taken, declaration = scan.capture.taken_at, scan.declaration
    return ScanJson(
        format=FormatPart(),
        system=SystemPart(scanner_id=scan.scanner.scanner_id, profile=scan.scanner.profile),
        scan=ScanPart(id=scan.scan_id, revision=scan.revision, status="partial" if scan.partial else "complete", partial=scan.partial),
        capture=CapturePart(
            taken_at=taken.at,
            as_written=taken.as_written,
            tz_assumed=taken.tz_assumed,
            kind=scan.capture.kind,
            selection=scan.capture.selection,
            beam=scan.capture.beam,
        ),
        subject=SubjectPart(kind=scan.subject.kind, equipment=scan.subject.identifiers),
        declaration=declaration and DeclarationPart(goods=declaration.items, source=declaration.source, id=declaration.ref),
        views=tuple(_view_part(view, images) for view in scan.views),
        sources=tuple(SourcePart(role=m.role, size=m.size, sha256=m.sha256, is_pixels=m.is_pixels) for m in scan.members),
        entries=entries,
    )


def restore(document: ScanJson, views: tuple[View, ...]) -> Scan:
    """Give the scan of a document and its views. Members are named by their roles.

    Raises:
        ValueError: the time is not in UTC.
    """
    capture = document.capture
    return Scan(
        ScanId(document.scan.id),
        document.scan.revision,
        ScannerRef(ScannerId(document.system.scanner_id), document.system.profile),
        Capture(
            Stamp(capture.taken_at, capture.as_written, capture.tz_assumed),
            capture.kind,
            capture.selection,
            capture.beam,
        ),
        Subject(document.subject.kind, tuple(Token(token) for token in document.subject.equipment)),
        views,
        _declaration(document.declaration),
        tuple(MemberDigest(source.role, source.role, source.size, source.sha256, source.is_pixels) for source in document.sources),
        document.scan.partial,
    )


def _declaration(part: DeclarationPart | None) -> Declaration | None:
    if part is None:
        return None
    return Declaration(part.goods, part.source, Token(part.id) if part.id is not None else None)


def _view_part(view: View, images: dict[tuple[str, Quantity, Energy], ImagePart]) -> ViewPart:
    return ViewPart(
        name=view.name,
        pitch_mm=view.pitch_mm,
        pitch_assumed=view.pitch_assumed,
        native=view.native,
        images=tuple(images[key_of(view, plane)] for plane in view.planes),
    )


def key_of(view: View, plane: Plane) -> tuple[str, Quantity, Energy]:
    """Give what tells a plane from the others of its scan."""
    return view.name, plane.quantity, plane.energy
