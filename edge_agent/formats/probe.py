"""Header facts and completeness of a drop. Runs inside the decode child; implements what ``intake.ports.Probe`` asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edge_agent.domain.drop import Completeness, ProbeResult
from edge_agent.domain.profile import Need, Profile
from edge_agent.errors import Scalar, ScanRejected, UnreadableScan, UnsupportedFormat
from edge_agent.formats.inspection import Inspected, SideCarState, inspect, missing_pictures, rules_of, sidecar_state
from edge_agent.formats.limits import admit_planes
from edge_agent.formats.members import OpenMember
from edge_agent.formats.reingest import package_of, probe_package

_Why: TypeAlias = tuple[str, tuple[tuple[str, Scalar], ...]]


@dataclass(frozen=True, slots=True)
class _Pixels:
    """Pixel members by role: those whose header was read (or is still to come), and those that are not required and were refused."""

    inspected: dict[str, Inspected]
    refused: tuple[str, ...]


def probe(members: Sequence[OpenMember], profile: Profile) -> ProbeResult:
    """Say whether a drop is complete, may become so, or never will.

    A refused required plane makes the drop hopeless with the refusal's code. Then anything that may still come makes it wait:
    ``partial`` (a required or expected member is absent), ``member-undecodable`` or ``sidecar-unreadable`` (its end is not
    written), ``resource-missing``. Last, a refused side-car (``sidecar-unreadable``) or a refused plane that is not required
    (``member-undecodable``) makes it hopeless. The side-car's content is given whenever it could be read.
    """
    package = package_of(members, profile)
    if package is not None:
        return probe_package(package, profile)
    state = sidecar_state(members, profile)
    names = tuple(member.name for member in members)
    try:
        pixels = _inspect_pixels(members, profile)
    except ScanRejected as refusal:
        return ProbeResult(Completeness.HOPELESS, names, None, state.sidecar, refusal.code, tuple(sorted(refusal.fields.items())))
    expected, decoded = _expected_bytes(members, pixels.inspected), _decoded_bytes(pixels.inspected)
    waits = _waits_for(members, profile, pixels.inspected, state)
    if waits is not None:
        return ProbeResult(Completeness.WAITING, names, expected, state.sidecar, *waits)
    spoilt = _spoilt_by(pixels, state)
    if spoilt is not None:
        return ProbeResult(Completeness.HOPELESS, names, expected, state.sidecar, *spoilt)
    return ProbeResult(Completeness.COMPLETE, names, expected, state.sidecar, decoded_bytes=decoded)


def _inspect_pixels(members: Sequence[OpenMember], profile: Profile) -> _Pixels:
    ruled = [(member, rule) for member, rule in rules_of(members, profile) if rule.plane is not None]
    admit_planes(sum(len(rule.planes) for _, rule in ruled), profile.limits)
    inspected: dict[str, Inspected] = {}
    refused: list[str] = []
    for member, rule in ruled:
        try:
            inspected[member.role] = inspect(member, profile)
        except (UnreadableScan, UnsupportedFormat):
            if rule.need is Need.REQUIRED:
                raise
            refused.append(member.role)
    return _Pixels(inspected, tuple(refused))


def _waits_for(members: Sequence[OpenMember], profile: Profile, inspected: dict[str, Inspected], state: SideCarState) -> _Why | None:
    """Give the reason (code and parameters) for which more time may help, None if nothing is outstanding."""
    present = {member.role for member in members}
    absent = [rule.role for rule in profile.members if rule.need is not Need.OPTIONAL and rule.role not in present]
    if absent:
        return "partial", (("roles", ",".join(absent)),)
    unfinished = [role for role, one in inspected.items() if not one.is_whole]
    if unfinished:
        return "member-undecodable", (("role", ",".join(unfinished)),)
    if state.is_pending:
        return "sidecar-unreadable", state.trouble
    missing = missing_pictures(state.sidecar, members, profile)
    return ("resource-missing", (("roles", ",".join(missing)),)) if missing else None


def _spoilt_by(pixels: _Pixels, state: SideCarState) -> _Why | None:
    """Give the reason for which more time will not help although the required planes are good, None if there is none."""
    if pixels.refused:
        return "member-undecodable", (("role", ",".join(pixels.refused)),)
    return ("sidecar-unreadable", state.trouble) if state.refusal is not None else None


def _decoded_bytes(inspected: dict[str, Inspected]) -> int | None:
    """Give the bytes that all planes take in memory, as their headers announce them; None as soon as one was not read."""
    headers = [one.header for one in inspected.values()]
    known = [header for header in headers if header is not None]
    if len(known) < len(headers):
        return None
    return sum(header.width * header.height * header.channels * -(-header.bits // 8) * header.planes for header in known)


def _expected_bytes(members: Sequence[OpenMember], inspected: dict[str, Inspected]) -> int | None:
    """Give the sum of what headers announce; None as soon as one format does not say."""
    announced = [one.header.expected_bytes if one.header is not None else None for one in inspected.values()]
    known = [count for count in announced if count is not None]
    if len(known) < len(announced):
        return None
    return sum(known) + sum(member.size for member in members if member.role not in inspected)
