"""Our own packages as input: views as they were written, bit for bit, and what the document says in place of a side-car."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from edge_agent.domain.assessment import Reason
from edge_agent.domain.drop import Completeness, ProbeResult, SideCar
from edge_agent.domain.profile import Profile
from edge_agent.domain.scan import Origin, Scan, View
from edge_agent.errors import LimitExceeded, UnreadableScan
from edge_agent.formats.limits import admit_planes, admit_size
from edge_agent.formats.members import Decoded, OpenMember
from edge_agent.formats.package import open_package, read_entries
from edge_agent.formats.package_convert import restore


def package_of(members: Sequence[OpenMember], profile: Profile) -> OpenMember | None:
    """Give the member that is a scan package; None in any other drop."""
    for member in members:
        rule = profile.rule(member.role)
        if rule is not None and rule.package:
            return member
    return None


def probe_package(member: OpenMember, profile: Profile) -> ProbeResult:
    """Say whether a package is all there, every digest in it verified; no pixel is decoded.

    The directory of a ZIP stands at its end: while that is missing, more may come.
    """
    member.file.seek(0)
    try:
        admit_size(member.size, profile.limits)
        document, _ = read_entries(member.file)
        admit_planes(sum(len(view.images) for view in document.views), profile.limits)
    except LimitExceeded as refusal:
        return ProbeResult(Completeness.HOPELESS, (member.name,), None, None, refusal.code, tuple(sorted(refusal.fields.items())))
    except UnreadableScan:
        return ProbeResult(Completeness.WAITING, (member.name,), None, None, "member-undecodable", (("role", member.role),))
    return ProbeResult(Completeness.COMPLETE, (member.name,), member.size, _sidecar(restore(document, ())))


def decode_package(member: OpenMember, profile: Profile) -> Decoded:
    """Read a package; the note ``from-package`` says which scan it holds.

    Raises:
        UnreadableScan: not a package, damaged, or altered.
        LimitExceeded: larger than the profile's limits allow.
    """
    admit_size(member.size, profile.limits)
    member.file.seek(0)
    _, scan = open_package(member.file, profile.limits)
    origin = Reason("from-package", {"scan_id": scan.scan_id, "revision": scan.revision})
    return Decoded(_from(member.role, scan.views), _sidecar(scan), (origin, *(Reason("partial", {"role": role}) for role in scan.partial)))


def _from(role: str, views: Sequence[View]) -> tuple[View, ...]:
    """Give the views with the package as the file that their planes came from; the planes count through all views."""
    count = itertools.count()
    return tuple(replace(view, planes=tuple(replace(plane, origin=Origin(role, next(count))) for plane in view.planes)) for view in views)


def _sidecar(scan: Scan) -> SideCar:
    """Give what a package says besides its pixels. Identifiers are tokens of the site that wrote it and tell nothing here."""
    return SideCar(
        taken_at=scan.capture.taken_at,
        kind=scan.capture.kind,
        selection=scan.capture.selection,
        beam=scan.capture.beam,
        items=scan.declaration.items if scan.declaration is not None else (),
        consignment=scan.consignment,
        third_party=scan.third_party,
    )
