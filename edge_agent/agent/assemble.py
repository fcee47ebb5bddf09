"""From decoded views and a job's particulars to the scan that the models see. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from edge_agent.agent.config import Scanner
from edge_agent.domain.assessment import Reason
from edge_agent.domain.ids import ScannerId
from edge_agent.domain.scan import Energy, Scan, ScannerRef, View
from edge_agent.imaging.attenuation import density
from edge_agent.imaging.scale import fit_container
from edge_agent.ledger.records import Job


def assemble(job: Job, views: Sequence[View], scanner: Scanner) -> Scan:
    """Give the scan of ``job``; each view gets its scale as the scanner's section says."""
    particulars = job.particulars
    return Scan(
        job.scan_id,
        job.revision,
        ScannerRef(ScannerId(scanner.section.id), scanner.profile.name),
        particulars.capture,
        particulars.subject,
        tuple(_scaled(view, scanner, particulars.pitch_mm) for view in views),
        particulars.declaration,
        job.members,
        particulars.partial,
    )


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
            fit = fit_container(density(plane.pixels)) if plane is not None else None
            return view if fit is None else replace(view, pitch_mm=fit.pitch_mm, pitch_assumed=True, load=fit.box)
        case _:
            return view if from_sidecar is None else replace(view, pitch_mm=from_sidecar)
