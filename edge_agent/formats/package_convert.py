"""A scan to the document of its package and back. What the document does not hold: pixels, and the names of files."""

from collections.abc import Sequence

from pydantic import TypeAdapter

from edge_agent.domain.attachment import Attachment
from edge_agent.domain.capture import Capture, Reading, Subject
from edge_agent.domain.clock import Stamp
from edge_agent.domain.consignment import Consignment, RiskFlag, Route
from edge_agent.domain.declaration import Declaration, DeclaredItem, Link
from edge_agent.domain.geometry import Box, Orientation
from edge_agent.domain.ids import ScanId, ScannerId, Token
from edge_agent.domain.layout import RawLayout
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.scan import Energy, Operation, Origin, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.domain.third_party import ThirdPartyAssessment, ThirdPartyFinding
from edge_agent.formats.package_model import (
    AttachmentPart,
    CapturePart,
    ConsignmentPart,
    DeclarationPart,
    FormatPart,
    GoodsPart,
    ImagePart,
    OperationPart,
    OrientationPart,
    ReadingPart,
    RiskFlagPart,
    ScanJson,
    ScanPart,
    SourcePart,
    SubjectPart,
    SystemPart,
    ThirdPartyFindingPart,
    ThirdPartyPart,
    ViewPart,
)
from edge_agent.formats.package_sources import KeptFiles

_LAYOUT = TypeAdapter(RawLayout)


def describe(scan: Scan, images: dict[tuple[str, Quantity, Energy], ImagePart], kept: KeptFiles) -> ScanJson:
    """Give the document of ``scan``, its entries' digests still missing; ``images`` by view, quantity and energy."""
    return ScanJson(
        format=FormatPart(),
        system=SystemPart(scanner_id=scan.scanner.scanner_id, profile=scan.scanner.profile),
        scan=ScanPart(id=scan.scan_id, revision=scan.revision, status="partial" if scan.partial else "complete", partial=scan.partial),
        capture=_capture_part(scan.capture),
        subject=_subject_part(scan.subject),
        declaration=_declaration_part(scan.declaration),
        consignment=_consignment_part(scan.consignment),
        third_party=tuple(_third_party_part(one) for one in scan.third_party),
        views=tuple(_view_part(view, images) for view in scan.views),
        attachments=tuple(_attachment_part(one, kept) for one in scan.attachments),
        sources=tuple(_source_part(member, scan, kept) for member in scan.members),
        entries={},
    )


def restore(document: ScanJson, views: tuple[View, ...]) -> Scan:
    """Give the scan of a document and its views. Members are named by their roles.

    Raises:
        ValueError: the time is not in UTC.
    """
    capture, subject = document.capture, document.subject
    return Scan(
        ScanId(document.scan.id),
        document.scan.revision,
        ScannerRef(ScannerId(document.system.scanner_id), document.system.profile),
        Capture(
            Stamp(capture.taken_at, capture.as_written, capture.tz_assumed), capture.kind, capture.selection, capture.beam, capture.system
        ),
        Subject(
            subject.kind,
            tuple(Token(token) for token in subject.equipment),
            tuple(Reading(Token(reading.token), reading.check, reading.confidence) for reading in subject.readings),
            tuple(Token(token) for token in subject.related),
        ),
        views,
        _declaration(document.declaration),
        tuple(MemberDigest(source.role, source.role, source.size, source.sha256, source.is_pixels) for source in document.sources),
        document.scan.partial,
        _consignment(document.consignment),
        tuple(_third_party(part) for part in document.third_party),
        tuple(Attachment(one.kind, one.role, one.sha256, one.size, one.media_type) for one in document.attachments),
    )


def view_of(part: ViewPart, planes: tuple[Plane, ...]) -> View:
    """Give the view of its part and its planes."""
    load = Box(*part.load) if part.load is not None else None
    return View(part.name, planes, part.pitch_mm, part.pitch_assumed, native_of(part), load)


def native_of(part: ViewPart) -> Orientation:
    """Give how the scanner's frame of a view was turned."""
    return Orientation(part.native.transposed, part.native.flipped_x, part.native.flipped_y)


def operations_of(part: ImagePart) -> tuple[Operation, ...]:
    """Give what was done to the decoded pixels of a plane."""
    return tuple(Operation(step.name, tuple(step.params.items())) for step in part.operations)


def origin_of(part: ImagePart, sources: Sequence[SourcePart]) -> Origin | None:
    """Give which file a plane was decoded from; None when the document does not say.

    Raises:
        ValueError: the layout of the file is none.
    """
    if part.source is None:
        return None
    layout = next((source.layout for source in sources if source.role == part.source), None)
    return Origin(part.source, part.source_plane, None if layout is None else _LAYOUT.validate_python(layout))


def operation_parts(plane: Plane) -> tuple[OperationPart, ...]:
    """Give the parts of what was done to the decoded pixels of a plane."""
    return tuple(OperationPart(name=step.name, params=dict(step.params)) for step in plane.operations)


def key_of(view: View, plane: Plane) -> tuple[str, Quantity, Energy]:
    """Give what tells a plane from the others of its scan."""
    return view.name, plane.quantity, plane.energy


def _source_part(member: MemberDigest, scan: Scan, kept: KeptFiles) -> SourcePart:
    origins = (plane.origin for view in scan.views for plane in view.planes)
    layout = next((origin.layout for origin in origins if origin is not None and origin.role == member.role), None)
    return SourcePart(
        role=member.role,
        size=member.size,
        sha256=member.sha256,
        is_pixels=member.is_pixels,
        entry=kept.sources.get(member.role) if member.is_pixels else None,
        layout=None if layout is None else _LAYOUT.dump_python(layout, mode="json"),
    )


def _attachment_part(one: Attachment, kept: KeptFiles) -> AttachmentPart:
    return AttachmentPart(
        kind=one.kind,
        role=one.role,
        sha256=one.sha256,
        size=one.size,
        media_type=one.media_type,
        entry=kept.attachments.get((one.role, one.sha256)),
    )


def _capture_part(capture: Capture) -> CapturePart:
    taken = capture.taken_at
    return CapturePart(
        taken_at=taken.at,
        as_written=taken.as_written,
        tz_assumed=taken.tz_assumed,
        kind=capture.kind,
        selection=capture.selection,
        beam=capture.beam,
        system=capture.system,
    )


def _subject_part(subject: Subject) -> SubjectPart:
    readings = tuple(ReadingPart(token=one.token, check=one.check, confidence=one.confidence) for one in subject.readings)
    return SubjectPart(kind=subject.kind, equipment=subject.identifiers, readings=readings, related=subject.related)


def _declaration_part(declaration: Declaration | None) -> DeclarationPart | None:
    if declaration is None:
        return None
    return DeclarationPart(
        goods=tuple(_goods_part(item) for item in declaration.items),
        source=declaration.source,
        id=declaration.ref,
        link_score=declaration.link.score,
        link_basis=declaration.link.basis,
    )


def _goods_part(item: DeclaredItem) -> GoodsPart:
    return GoodsPart(
        hs=item.hs,
        description=item.description,
        gross_kg=item.gross_kg,
        packages=item.packages,
        net_kg=item.net_kg,
        volume_m3=item.volume_m3,
    )


def _declaration(part: DeclarationPart | None) -> Declaration | None:
    if part is None:
        return None
    items = tuple(DeclaredItem(line.hs, line.description, line.gross_kg, line.packages, line.net_kg, line.volume_m3) for line in part.goods)
    return Declaration(items, part.source, Token(part.id) if part.id is not None else None, Link(part.link_score, part.link_basis))


def _consignment_part(consignment: Consignment) -> ConsignmentPart:
    route = consignment.route
    return ConsignmentPart(
        origin=route.origin,
        destination=route.destination,
        vessel=route.vessel,
        voyage=route.voyage,
        risk_flags=tuple(RiskFlagPart(code=flag.code, source=flag.source, set_at=flag.set_at) for flag in consignment.risk_flags),
        gross_kg=consignment.gross_kg,
        volume_m3=consignment.volume_m3,
    )


def _consignment(part: ConsignmentPart) -> Consignment:
    route = Route(part.origin, part.destination, part.vessel, part.voyage)
    flags = tuple(RiskFlag(flag.code, flag.source, flag.set_at) for flag in part.risk_flags)
    return Consignment(route, flags, part.gross_kg, part.volume_m3)


def _third_party_part(one: ThirdPartyAssessment) -> ThirdPartyPart:
    findings = (
        ThirdPartyFindingPart(label=finding.label, score=finding.score, box=_corners(finding.box), view=finding.view)
        for finding in one.findings
    )
    return ThirdPartyPart(
        source=one.source,
        algorithm=one.algorithm,
        version=one.version,
        conclusion=one.conclusion,
        findings=tuple(findings),
        at=one.at,
    )


def _third_party(part: ThirdPartyPart) -> ThirdPartyAssessment:
    findings = tuple(ThirdPartyFinding(one.label, one.score, None if one.box is None else Box(*one.box), one.view) for one in part.findings)
    return ThirdPartyAssessment(part.source, part.algorithm, part.version, part.conclusion, findings, part.at)


def _view_part(view: View, images: dict[tuple[str, Quantity, Energy], ImagePart]) -> ViewPart:
    native = view.native
    return ViewPart(
        name=view.name,
        pitch_mm=view.pitch_mm,
        pitch_assumed=view.pitch_assumed,
        load=_corners(view.load),
        native=OrientationPart(transposed=native.transposed, flipped_x=native.flipped_x, flipped_y=native.flipped_y),
        images=tuple(images[key_of(view, plane)] for plane in view.planes),
    )


def _corners(box: Box | None) -> tuple[float, float, float, float] | None:
    return None if box is None else (box.x0, box.y0, box.x1, box.y1)
