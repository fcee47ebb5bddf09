"""Which accepted files lie in a package as they came.

Originals that a plane cannot be traced back to without them, JPEG pictures, and attachments that show neither people nor numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.domain.attachment import Attachment
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.scan import Plane, Quantity, Scan
from edge_agent.formats.codec import HEAD_BYTES
from edge_agent.formats.media import media_type, suffix
from edge_agent.imaging.normalise import is_reversible

SOURCES: Final = "source/"
ATTACHMENTS: Final = "attachments/"
_JPEG = ".jpg"


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """Bytes of the entries by name; names of originals by role, of attachments by role and SHA-256."""

    entries: Mapping[str, bytes]
    sources: Mapping[str, str]
    attachments: Mapping[tuple[str, str], str]

    def jpeg_of(self, plane: Plane) -> str | None:
        """Give the name of the JPEG that a display plane came as; None for every other plane."""
        name = self.sources.get(plane.origin.role) if plane.origin is not None else None
        return name if name is not None and name.endswith(_JPEG) and plane.quantity is Quantity.DISPLAY else None


def kept_files(scan: Scan, originals: Sequence[tuple[MemberDigest, Path]], *, keeps_all: bool) -> KeptFiles:
    """Read what is to lie in the package of ``scan`` verbatim. Entries are called after roles: file names may hold numbers.

    An original is kept when a display plane came from it and it is a JPEG, when something was done to one of its planes that cannot be
    undone (scale, air correction, repair, crop), and with ``keeps_all`` always.

    Raises:
        OSError: a file cannot be read.
    """
    entries: dict[str, bytes] = {}
    sources: dict[str, str] = {}
    for member, path in originals:
        kind = _media_type(path) if member.is_pixels else ""
        if member.is_pixels and (keeps_all or _is_needed(scan, member.role, kind)):
            sources[member.role] = f"{SOURCES}{member.role}.{suffix(kind)}"
            entries[sources[member.role]] = path.read_bytes()
    attachments = dict(_attached(scan.attachments, originals))
    for (role, sha256), name in attachments.items():
        path = next(path for member, path in originals if (member.role, member.sha256) == (role, sha256))
        entries[name] = path.read_bytes()
    return KeptFiles(entries, sources, attachments)


def _media_type(path: Path) -> str:
    with path.open("rb") as file:
        return media_type(file.read(HEAD_BYTES))


def _is_needed(scan: Scan, role: str, kind: str) -> bool:
    planes = [plane for view in scan.views for plane in view.planes if plane.origin is not None and plane.origin.role == role]
    is_picture = kind == "image/jpeg" and any(plane.quantity is Quantity.DISPLAY for plane in planes)
    return is_picture or not all(is_reversible(plane.operations) for plane in planes)


def _attached(found: Sequence[Attachment], originals: Sequence[tuple[MemberDigest, Path]]) -> Iterator[tuple[tuple[str, str], str]]:
    """Name the entries of attachments that are at hand and not personal, by role and SHA-256."""
    at_hand = {(member.role, member.sha256) for member, _ in originals}
    of_role: dict[str, int] = {}
    for one in dict.fromkeys(found):
        if one.kind.is_personal or (one.role, one.sha256) not in at_hand:
            continue
        of_role[one.role] = of_role.get(one.role, 0) + 1
        number = f"-{of_role[one.role]}" if of_role[one.role] > 1 else ""
        yield (one.role, one.sha256), f"{ATTACHMENTS}{one.role}{number}.{suffix(one.media_type)}"
