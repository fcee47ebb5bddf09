"""Open members to views: decode each plane, turn it into the canonical frame, put planes of one view together."""

from collections.abc import Iterable, Sequence

import numpy as np

from edge_agent.domain.assessment import Reason
from edge_agent.domain.drop import SideCar
from edge_agent.domain.geometry import Orientation
from edge_agent.domain.profile import Need, PlaneRule, Profile
from edge_agent.domain.scan import Plane, Quantity, View
from edge_agent.errors import InconsistentScan, UnreadableScan, UnsupportedFormat
from edge_agent.formats.codec import Pixels
from edge_agent.formats.inspection import inspect, missing_pictures, rules_of, sidecar_state
from edge_agent.formats.limits import admit_planes
from edge_agent.formats.members import Decoded, OpenMember

_EITHER = (Quantity.TRANSMISSION, Quantity.DISPLAY)


def decode_scan(members: Sequence[OpenMember], profile: Profile) -> Decoded:
    """Decode all pixel members of a scan and read its side-car. Pixels are in the canonical frame.

    A member that is not required and cannot be read is left out and noted as ``member-undecodable``; a required one spoils the scan.

    Raises:
        ScanRejected: one of its leaves, for the reason given there.
    """
    ruled = [(member, rule, rule.plane) for member, rule in rules_of(members, profile) if rule.plane is not None]
    admit_planes(len(ruled), profile.limits)
    state = sidecar_state(members, profile)
    planes: list[tuple[str, Plane]] = []
    notes: list[Reason] = []
    for member, rule, plane_rule in ruled:
        try:
            pixels = canonical(_decode_member(member, profile), profile.orientation)
        except (UnreadableScan, UnsupportedFormat) as refusal:
            if rule.need is Need.REQUIRED:
                raise
            notes.append(Reason("member-undecodable", {"role": rule.role, "cause": refusal.code}))
        else:
            planes.append((plane_rule.view, _plane(pixels, plane_rule, rule.role)))
    if state.refusal is not None or state.is_pending:
        notes.append(Reason("sidecar-unreadable"))
    missing = missing_pictures(state.sidecar, members, profile)
    if missing:
        notes.append(Reason("resource-missing", {"roles": ",".join(missing)}))
    return Decoded(_views(planes, state.sidecar, profile.orientation), state.sidecar, tuple(notes))


def canonical(pixels: Pixels, orientation: Orientation) -> Pixels:
    """Turn (h, w) or (h, w, 3) from the scanner's frame into the canonical one; transposing comes before the flips."""
    rows, columns = slice(None, None, -1 if orientation.flipped_y else 1), slice(None, None, -1 if orientation.flipped_x else 1)
    if pixels.dtype == np.uint16:
        return np.ascontiguousarray(_transposed(pixels, orientation)[rows, columns], dtype=np.uint16)
    return np.ascontiguousarray(_transposed(pixels, orientation)[rows, columns], dtype=np.uint8)


def _transposed(pixels: Pixels, orientation: Orientation) -> Pixels:
    return pixels.swapaxes(0, 1) if orientation.transposed else pixels


def _decode_member(member: OpenMember, profile: Profile) -> Pixels:
    found = inspect(member, profile)
    if found.codec is None or found.header is None or not found.is_whole:
        raise UnreadableScan("a member is empty or cut off", {"role": member.role, "bytes": member.size})
    return found.codec.decode(member.file, found.header)


def _plane(pixels: Pixels, rule: PlaneRule, role: str) -> Plane:
    """Make the plane. What the file really holds decides between transmission and display: 8 bits are never widened."""
    quantity = rule.quantity
    if quantity in _EITHER:
        quantity = Quantity.TRANSMISSION if pixels.dtype == np.uint16 else Quantity.DISPLAY
    try:
        return Plane(quantity, rule.energy, pixels)
    except ValueError as error:
        found = {"role": role, "dtype": str(pixels.dtype), "dims": str(pixels.ndim)}
        raise InconsistentScan("a member's pixels are not what the profile says", found) from error


def _views(planes: Iterable[tuple[str, Plane]], sidecar: SideCar | None, native: Orientation) -> tuple[View, ...]:
    by_view: dict[str, list[Plane]] = {}
    for name, plane in planes:
        by_view.setdefault(name, []).append(plane)
    pitch = sidecar.pitch_mm if sidecar is not None else None
    return tuple(_view(name, group, pitch, native) for name, group in by_view.items())


def _view(name: str, planes: Sequence[Plane], pitch: tuple[float, float] | None, native: Orientation) -> View:
    sizes = {plane.size for plane in planes}
    if len(sizes) != 1:
        raise InconsistentScan("planes of one view differ in size", {"view": name})
    if len({plane.quantity for plane in planes if plane.quantity in _EITHER}) > 1:
        raise InconsistentScan("planes of one view differ in depth", {"view": name})
    return View(name, tuple(planes), pitch, native=native)
