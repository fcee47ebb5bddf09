"""Files of one scan on their way through the decode child: as paths, as open files, and as what came of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from edge_agent.domain.assessment import Reason
from edge_agent.domain.drop import SideCar
from edge_agent.domain.member import DropMember
from edge_agent.domain.scan import View


@dataclass(frozen=True, slots=True)
class MemberFile:
    """A member that the parent will open. ``name`` is the one in the drop, ``path`` where it lies (scanner's folder or spool)."""

    name: str
    role: str
    path: Path


AnyMember: TypeAlias = MemberFile | DropMember
"""What the parent can open: a member in the spool, or one still in the scanner's folder."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenMember:
    """A member as the child has it: a readable, seekable file of ``size`` bytes."""

    name: str
    role: str
    file: BinaryIO
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What a scan's members hold. ``views`` is empty when no pixel member came.

    ``notes``: what the assessment must carry: ``sidecar-unreadable``, ``resource-missing``, ``member-undecodable`` (a member that
    is not required and cannot be read; its plane is missing), ``profile-unverified``. ``media_types``: name and type of each attachment.
    """

    views: tuple[View, ...]
    sidecar: SideCar | None
    notes: tuple[Reason, ...]
    media_types: tuple[tuple[str, str], ...] = ()
