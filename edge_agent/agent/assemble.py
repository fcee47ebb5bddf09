"""From decoded views and a job's particulars to the scan that the models see. Pure."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edge_agent.agent.scanner import Scanner
from edge_agent.domain.arrival import Particulars
from edge_agent.domain.assessment import Reason
from edge_agent.domain.attachment import Attachment
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import UnreadableScan
from edge_agent.imaging.attenuation import density
from edge_agent.imaging.scale import TRANSMISSION_MATTER, ContainerFit, fit_container


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a scan besides its pixels."""

    scan_id: ScanId
    revision: int
    particulars: Particulars
    members: tuple[MemberDigest, ...]


def assemble(record: Record, views: Sequence[View], scanner: Scanner) -> Scan:
    """Give the scan of ``record``; each view gets its scale as the scanner's section says."""
    particulars = record.particulars
    return Scan(
        record.scan_id,
        record.revision,
        ScannerRef(ScannerId(scanner.section.id), scanner.profile.name),
        particulars.capture,
        particulars.subject,
        tuple(_scaled(view, scanner, particulars.pitch_mm) for view in views),
        particulars.declaration,
        record.members,
        particulars.partial,
        particulars.consignment,
        particulars.third_party,
    )


def with_attachments(scan: Scan, media_types: Sequence[tuple[str, str]], scanner: Scanner) -> Scan:
    """Give the scan with those of its members that the profile keeps as they came; ``media_types``: name and type of each."""
    kinds = {rule.role: rule.attachment for rule in scanner.profile.members}
    types = dict(media_types)
    found = []
    for member in scan.members:
        kind = kinds.get(member.role)
        if kind is not None and member.name in types:
            found.append(Attachment(kind, member.role, member.sha256, member.size, types[member.name]))
    return replace(scan, attachments=tuple(found))


def of_package(record: Record, notes: Sequence[Reason]) -> Record:
    """Give the record with the identity that a package of ours says it holds; as it is where nothing came from a package.

    Raises:
        UnreadableScan: what the package says is no identity.
    """
    origin = next((note.params for note in notes if note.code == "from-package"), None)
    if origin is None:
        return record
    try:
        identity, revision = uuid.UUID(str(origin.get("scan_id"))), int(origin.get("revision", 1))
    except ValueError as error:
        raise UnreadableScan("the package names no scan") from error
    return replace(record, scan_id=ScanId(str(identity)), revision=max(1, revision))


def missing_views(scan: Scan, scanner: Scanner) -> tuple[Reason, ...]:
    """Name the views that the profile requires and the scan lacks."""
    present = {view.name for view in scan.views}
    return tuple(Reason("view-missing", {"view": name}) for name in scanner.profile.required_views if name not in present)


def _scaled(view: View, scanner: Scanner, from_sidecar: tuple[float, float] | None) -> View:
    match scanner.section.pitch_mm:
        case (x_mm, y_mm):
            return replace(view, pitch_mm=(x_mm, y_mm))
        case "from-container":
            plane = view.plane(Energy.HIGH, Energy.SINGLE)
            fit = _container(plane) if plane is not None else None
            return view if fit is None else replace(view, pitch_mm=fit.pitch_mm, pitch_assumed=True, load=fit.box)
        case _:
            return view if from_sidecar is None else replace(view, pitch_mm=from_sidecar)


def _container(plane: Plane) -> ContainerFit | None:
    matter_from = TRANSMISSION_MATTER if plane.quantity is Quantity.TRANSMISSION else None
    return fit_container(density(plane.pixels), matter_from)


def distinct(*groups: Iterable[Reason]) -> tuple[Reason, ...]:
    """Give the notes of several groups, each once: the probe and the decoder remark the same things about the same view and role."""
    found: dict[tuple[str, object, object], Reason] = {}
    for note in (note for group in groups for note in group):
        found.setdefault((note.code, note.params.get("view"), note.params.get("role")), note)
    return tuple(found.values())
