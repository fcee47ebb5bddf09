"""What probing and decoding share: roles, headers and side-cars of the open members, without touching pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.domain.drop import SideCar
from edge_agent.domain.profile import MemberRule, Profile
from edge_agent.errors import InconsistentScan, Scalar, ScanRejected, UnsupportedFormat
from edge_agent.formats.catalogue import codec_of
from edge_agent.formats.codec import Codec, Header
from edge_agent.formats.dicos import DICOS_SIDECAR, read_headers
from edge_agent.formats.limits import admit_header, admit_size
from edge_agent.formats.members import OpenMember
from edge_agent.formats.raw import RawCodec
from edge_agent.formats.sidecar import read_sidecar

SIDECAR_ROLE = "sidecar"


@dataclass(frozen=True, slots=True)
class Inspected:
    """A pixel member's header. ``header`` is None while it is not wholly written; ``is_whole``: the structural end is there."""

    codec: Codec | None
    header: Header | None
    is_whole: bool


@dataclass(frozen=True, slots=True)
class SideCarState:
    """What became of the side-car: read, not there or not yet written (then only ``is_pending`` is set), or refused."""

    sidecar: SideCar | None
    is_pending: bool
    refusal: ScanRejected | None

    @property
    def trouble(self) -> tuple[tuple[str, Scalar], ...]:
        """Give why nothing was read, as parameters of ``sidecar-unreadable``: words of ours and numbers, nothing that the file says."""
        if self.refusal is None:
            return (("problem", "cut-off"),) if self.is_pending else ()
        told = self.refusal.fields
        return (("cause", self.refusal.code), *((name, told[name]) for name in ("field", "line", "problem") if name in told))


def inspect(member: OpenMember, profile: Profile) -> Inspected:
    """Look at a pixel member's size, signature, header and end.

    Raises:
        LimitExceeded: size or announced pixels above the limits.
        UnsupportedFormat: no codec reads it.
        UnreadableScan: the header or the structure is damaged.
    """
    admit_size(member.size, profile.limits)
    rule = profile.rule(member.role)
    codec: Codec | None = RawCodec(rule.layout, len(rule.planes)) if rule is not None and rule.layout else codec_of(member.file)
    if codec is None:
        return Inspected(None, None, is_whole=False)
    header = codec.header(member.file, member.size)
    if header is None:
        return Inspected(codec, None, is_whole=False)
    admit_header(header, profile.limits)
    if rule is not None and header.planes != len(rule.planes):
        expected = {"planes": header.planes, "expected": len(rule.planes)}
        raise UnsupportedFormat("the file holds another number of planes than the profile says", expected)
    return Inspected(codec, header, codec.is_whole(member.file, member.size))


def rules_of(members: Sequence[OpenMember], profile: Profile) -> tuple[tuple[OpenMember, MemberRule], ...]:
    """Give each member its rule.

    Raises:
        UnsupportedFormat: a role that the profile does not know.
        InconsistentScan: a role twice.
    """
    found: dict[str, tuple[OpenMember, MemberRule]] = {}
    for member in members:
        rule = profile.rule(member.role)
        if rule is None:
            raise UnsupportedFormat("no rule of the profile knows the file")
        name = member.role if rule.attachment is None else member.name  # there may be many snapshots
        if name in found:
            raise InconsistentScan("two files have the same role", {"role": member.role})
        found[name] = (member, rule)
    return tuple(found.values())


def sidecar_state(members: Sequence[OpenMember], profile: Profile) -> SideCarState:
    """Read the side-car among ``members``. A refused one does not spoil the pixels, so the refusal is given back, not raised."""
    if profile.sidecar == DICOS_SIDECAR:
        return _dicos_state(members, profile)
    member = next((m for m in members if m.role == SIDECAR_ROLE), None)
    if member is None:
        return SideCarState(None, is_pending=False, refusal=None)
    member.file.seek(0)
    data = member.file.read(profile.limits.max_sidecar_bytes + 1)
    try:
        sidecar = read_sidecar(data, profile)
    except ScanRejected as refusal:
        return SideCarState(None, is_pending=False, refusal=refusal)
    return SideCarState(sidecar, is_pending=sidecar is None, refusal=None)


def _dicos_state(members: Sequence[OpenMember], profile: Profile) -> SideCarState:
    """Read the headers of DICOS members: there each picture is its own side-car, and reports come beside them."""
    try:
        sidecar = read_headers(members, profile)
    except ScanRejected as refusal:
        return SideCarState(None, is_pending=False, refusal=refusal)
    return SideCarState(sidecar, is_pending=sidecar is None, refusal=None)


def missing_pictures(sidecar: SideCar | None, members: Sequence[OpenMember], profile: Profile) -> tuple[str, ...]:
    """Give the roles of pixel files that the side-car lists and the drop does not hold.

    Listed files for which the profile has no rule with pixels (snapshots, previews, closed vendor formats) do not count.
    """
    if sidecar is None:
        return ()
    present = {member.name.rpartition("/")[2].lower() for member in members}
    roles = []
    for resource in sidecar.resources:
        base = resource.replace("\\", "/").rpartition("/")[2]
        match = profile.match(base[:255])
        if match is not None and match[0].plane is not None and base.lower() not in present:
            roles.append(match[0].role)
    return tuple(dict.fromkeys(roles))
