"""Open members to views: decode each plane, turn it into the canonical frame, normalise it, put planes of one view together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from edge_agent.domain.assessment import Reason
from edge_agent.domain.drop import SideCar
from edge_agent.domain.geometry import Orientation
from edge_agent.domain.profile import MemberRule, Need, Normalise, PlaneRule, Profile
from edge_agent.domain.scan import Energy, Operation, Origin, Plane, Quantity, View
from edge_agent.errors import InconsistentScan, UnreadableScan, UnsupportedFormat
from edge_agent.formats.codec import HEAD_BYTES, Header, Pixels, decode_planes
from edge_agent.formats.inspection import inspect, missing_pictures, rules_of, sidecar_state
from edge_agent.formats.limits import admit_planes
from edge_agent.formats.media import media_type
from edge_agent.formats.members import Decoded, OpenMember
from edge_agent.formats.reingest import decode_package, package_of
from edge_agent.imaging import normalise

_EITHER = (Quantity.TRANSMISSION, Quantity.DISPLAY)
_LEVELLED = (*_EITHER, Quantity.RAW)


def decode_scan(members: Sequence[OpenMember], profile: Profile) -> Decoded:
    """Decode all pixel members of a scan and read its side-car. Pixels are in the canonical frame, as the profile normalises them.

    A member that is not required and cannot be read is left out and noted as ``member-undecodable``; a required one spoils the scan.

    Raises:
        ScanRejected: one of its leaves, for the reason given there.
    """
    found = rules_of(members, profile)
    package = package_of(members, profile)
    if package is not None:
        return decode_package(package, profile)
    ruled = [(member, rule) for member, rule in found if rule.planes]
    admit_planes(sum(len(rule.planes) for _, rule in ruled), profile.limits)
    state = sidecar_state(members, profile)
    planes: list[tuple[str, Plane]] = []
    notes = [] if profile.verified else [Reason("profile-unverified", {"profile": profile.name})]
    for member, rule in ruled:
        try:
            planes += _member_planes(member, rule, profile)
        except (UnreadableScan, UnsupportedFormat) as refusal:
            if rule.need is Need.REQUIRED:
                raise
            notes.append(Reason("member-undecodable", {"role": rule.role, "cause": refusal.code}))
    if state.refusal is not None or state.is_pending:
        notes.append(Reason("sidecar-unreadable", dict(state.trouble)))
    missing = missing_pictures(state.sidecar, members, profile)
    if missing:
        notes.append(Reason("resource-missing", {"roles": ",".join(missing)}))
    attached = tuple((member.name, _media_type(member)) for member, rule in found if rule.attachment is not None)
    return Decoded(_views(planes, state.sidecar, profile), state.sidecar, tuple(notes), attached)


def _media_type(member: OpenMember) -> str:
    member.file.seek(0)
    return media_type(member.file.read(HEAD_BYTES))


def _member_planes(member: OpenMember, rule: MemberRule, profile: Profile) -> list[tuple[str, Plane]]:
    """Give the planes of a member, each with the name of its view."""
    found = inspect(member, profile)
    if found.codec is None or found.header is None or not found.is_whole:
        raise UnreadableScan("a member is empty or cut off", {"role": member.role, "bytes": member.size})
    turns = normalise.orient(rule.layout.orientation) if rule.layout is not None else ()
    turns += normalise.orient(profile.orientation)
    planes = []
    for index, (plane_rule, decoded) in enumerate(zip(rule.planes, decode_planes(found.codec, member.file, found.header), strict=True)):
        first = (*_folded(decoded, found.header), *turns)
        pixels = normalise.replay(decoded, first)
        plane = _plane(pixels, first, plane_rule, profile.normalise, rule.role)
        planes.append((plane_rule.view, replace(plane, origin=Origin(rule.role, index, rule.layout))))
    return planes


def _folded(decoded: Pixels, header: Header) -> tuple[Operation, ...]:
    """Record that a file of three channels came out grey, because the three were equal."""
    return (normalise.fold_grey(),) if header.channels > 1 and decoded.ndim == 2 else ()


def _plane(pixels: Pixels, done: tuple[Operation, ...], rule: PlaneRule, wanted: Normalise, role: str) -> Plane:
    """Make the plane. What the file really holds decides between transmission and display: 8 bits are never widened."""
    quantity = rule.quantity
    try:
        if quantity in _LEVELLED:
            pixels, levelled = normalise.levels(pixels, wanted)
            done += levelled
        if quantity in _EITHER or (quantity is Quantity.RAW and wanted.gives_transmission):
            quantity = Quantity.TRANSMISSION if pixels.dtype == np.uint16 else Quantity.DISPLAY
        return Plane(quantity, rule.energy, pixels, done)
    except ValueError as error:
        found = {"role": role, "dtype": str(pixels.dtype), "dims": str(pixels.ndim)}
        raise InconsistentScan("a member's pixels are not what the profile says", found) from error


def _views(planes: Iterable[tuple[str, Plane]], sidecar: SideCar | None, profile: Profile) -> tuple[View, ...]:
    by_view: dict[str, list[Plane]] = {}
    for name, plane in planes:
        by_view.setdefault(name, []).append(plane)
    pitch = sidecar.pitch_mm if sidecar is not None else None
    views = (_view(name, group, pitch, profile.orientation) for name, group in by_view.items())
    return tuple(_cropped(view, profile.normalise) for view in views)


def _cropped(view: View, wanted: Normalise) -> View:
    """Cut all planes of a view alike, to the load in its high or only energy."""
    leading = view.plane(Energy.HIGH, Energy.SINGLE)
    cut = normalise.crop(leading.pixels, wanted) if leading is not None else ()
    return replace(view, planes=tuple(_after(view.planes, cut))) if cut else view


def _after(planes: Iterable[Plane], cut: tuple[Operation, ...]) -> Iterator[Plane]:
    for plane in planes:
        yield replace(plane, pixels=normalise.replay(plane.pixels, cut), operations=(*plane.operations, *cut))


def _view(name: str, planes: Sequence[Plane], pitch: tuple[float, float] | None, native: Orientation) -> View:
    sizes = {plane.size for plane in planes}
    if len(sizes) != 1:
        raise InconsistentScan("planes of one view differ in size", {"view": name})
    if len({plane.quantity for plane in planes if plane.quantity in _EITHER}) > 1:
        raise InconsistentScan("planes of one view differ in depth", {"view": name})
    return View(name, tuple(planes), pitch, native=native)
