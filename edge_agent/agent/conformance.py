"""A vendor's sample folder, read as the daemon would read it: what was understood, what was ignored, what is missing.

Pixels and side-cars are decoded in the confined child. No value of a side-car leaves this module, only whether it was there; names of
files are shown without the parts that may be a number of a container, a parcel or a plate.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from edge_agent.agent.assemble import distinct
from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.drop import Completeness, Drop, SideCar
from edge_agent.domain.identity import IdentityClass
from edge_agent.domain.ids import ScannerId, SiteId, scan_id
from edge_agent.domain.profile import Profile
from edge_agent.domain.scan import Scan, ScannerRef, View
from edge_agent.errors import Scalar, ScanRejected
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.members import MemberFile
from edge_agent.formats.package import read_package, write_package
from edge_agent.intake.grouping import FileEntry, group, is_unknown
from edge_agent.intake.reconcile import read_folder

_SITE, _SCANNER = SiteId("conformance"), ScannerId("conformance")
_OWN_WORDS = ("role", "roles", "view", "cause")
_WORD_WITH_DIGIT = re.compile(r"[^\W_]*\d[^\W_]*")

PARTICULARS: Final = (
    "scan id",
    "time",
    "scanner",
    "resolution",
    "container",
    "declared contents",
    "weight",
    "volume",
    "origin",
    "destination",
    "carrier",
    "purpose",
    "selection",
    "risk flags",
    "outcome",
)
"""What customs expect to know of a scan besides its pixels, in the order of the report."""


class Presence(StrEnum):
    """Whether a particular came with the scan."""

    PRESENT = "present"
    DERIVED = "derived"
    """Not given as such: from file names or times, with an assumed zone, or a trader of whom it is not said that he carries the
    goods."""
    MISSING = "missing"


class ScanState(StrEnum):
    """What became of a scan."""

    UNDERSTOOD = "understood"
    PARTIAL = "partial"
    """Decoded, but a member is missing or could not be read."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file. ``name``: without identifying parts. ``scan``: number of its scan in the report, None when it belongs to none."""

    name: str
    state: Literal["understood", "ignored", "unknown"]
    role: str | None = None
    scan: int | None = None


@dataclass(frozen=True, slots=True)
class PlaneReport:
    """One plane as decoded. ``bits``: a channel."""

    view: str
    quantity: str
    energy: str
    width: int
    height: int
    channels: int
    bits: int


@dataclass(frozen=True, slots=True)
class ScanReport:
    """One scan. ``remarks``: reasons and refusals, without words of the files.

    ``is_exact``: the planes came back from a package bit by bit; None: not tried.
    """

    number: int
    state: ScanState
    remarks: tuple[Reason, ...]
    planes: tuple[PlaneReport, ...]
    is_exact: bool | None
    particulars: Mapping[str, Presence]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole folder. ``sandbox``: the fences under which it was decoded."""

    profile: str
    sandbox: str
    files: tuple[FileReport, ...]
    scans: tuple[ScanReport, ...]

    @property
    def is_understood(self) -> bool:
        """Whether there are scans, all understood and exact, and no file that the profile does not know."""
        whole = all(scan.state is ScanState.UNDERSTOOD and scan.is_exact for scan in self.scans)
        return bool(self.scans) and whole and all(file.state != "unknown" for file in self.files)

    def presence(self, particular: str) -> Counter[Presence]:
        """Count how many scans have a particular."""
        return Counter(scan.particulars[particular] for scan in self.scans)


@dataclass(frozen=True, slots=True)
class Sample:
    """A vendor's folder, put into drops. ``files``: every file, with what the profile makes of it."""

    drops: tuple[Drop, ...]
    files: tuple[FileReport, ...]


def read_sample(folder: Path, profile: Profile, *, shows_names: bool = False) -> Sample:
    """Group the files of ``folder``; ``shows_names``: leave file names as they are.

    Raises:
        DropUnavailable: the folder cannot be read.
    """
    files = read_folder(folder, lambda _: False)
    drops = [drop for drop in group(_SCANNER, files, profile) if not is_unknown(drop)]
    places = {member.name: (number, drop, member.role) for number, drop in enumerate(drops, 1) for member in drop.members}

    def report(file: FileEntry) -> FileReport:
        place = places.get(file.name)
        name = file.name if shows_names else masked(file.name, place[1].key if place is not None else "")
        if place is None:
            return FileReport(name, "ignored" if profile.ignores(file.name) else "unknown")
        return FileReport(name, "understood", place[2], place[0])

    return Sample(tuple(drops), tuple(report(file) for file in files))


def masked(name: str, key: str) -> str:
    """Give a file's name with the scan's key as ``*`` and every other word that holds a digit as ``#``; its ending stays."""
    key = key.removesuffix(PurePosixPath(name).suffix)
    return "*".join(_WORD_WITH_DIGIT.sub("#", part) for part in (name.split(key) if key else [name]))


class Examiner:
    """Takes drops through completeness, decode and a package and back, one after the other."""

    def __init__(self, profile: Profile, child: DecodeChild) -> None:
        self._profile = profile
        self._child = child

    def examine(self, number: int, drop: Drop) -> ScanReport:
        """Report on one drop.

        Raises:
            TryLater: a file vanished, or no child starts.
        """
        members = [MemberFile(member.name, member.role, member.path) for member in drop.members]
        try:
            probe = self._child.probe(members, self._profile)
            decoded = self._child.decode(members, self._profile)
        except ScanRejected as refusal:
            return ScanReport(number, ScanState.REFUSED, (Reason(refusal.code, _harmless(refusal.fields)),), (), None, particulars_of(None))
        probed = (Reason(probe.reason, _harmless(dict(probe.params))),) if probe.reason else ()
        remarks = distinct(probed, (Reason(note.code, _harmless(note.params)) for note in decoded.notes))
        is_whole = probe.completeness is Completeness.COMPLETE and not remarks and bool(decoded.views)
        scan = self._scan(drop, probe.sidecar or SideCar(), decoded.views)
        return ScanReport(
            number,
            ScanState.UNDERSTOOD if is_whole else ScanState.PARTIAL,
            remarks,
            tuple(_planes(decoded.views)),
            comes_back(scan) if decoded.views else None,
            particulars_of(probe.sidecar),
        )

    def _scan(self, drop: Drop, sidecar: SideCar, views: tuple[View, ...]) -> Scan:
        """Make a scan of the pixels and the goods, without identifiers, to be written into a package."""
        taken_at = sidecar.taken_at or Stamp(datetime.fromtimestamp(drop.members[0].mtime_ns / 1e9, UTC), "", tz_assumed=True)
        return Scan(
            scan_id=scan_id(_SITE, _SCANNER, drop.key, ""),
            revision=1,
            scanner=ScannerRef(_SCANNER, self._profile.name),
            capture=Capture(taken_at, sidecar.kind or CaptureKind.TEST, sidecar.selection or Selection.UNKNOWN, sidecar.beam),
            subject=Subject(SubjectKind.CARGO),
            views=views,
            declaration=Declaration(sidecar.items, "sidecar") if sidecar.items else None,
            members=(),
        )


def _harmless(params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Give the parameters that hold numbers or the profile's own words, none that a file could have filled."""
    return {name: value for name, value in params.items() if not isinstance(value, str) or name in _OWN_WORDS}


def comes_back(scan: Scan) -> bool:
    """Write ``scan`` as a package, read it back, and say whether time, goods and every pixel are the same.

    The planes are encoded anew from the decoded pixels: none of the vendor's own bytes enter the package.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.scan.zip"
        write_package(scan, (), path)
        back = read_package(path)
    same_facts = (scan.capture, scan.declaration) == (back.capture, back.declaration)
    return same_facts and [_content(view) for view in scan.views] == [_content(view) for view in back.views]


def _content(view: View) -> tuple[object, ...]:
    planes = tuple(
        (plane.quantity, plane.energy, plane.pixels.dtype.str, plane.pixels.shape, plane.pixels.tobytes()) for plane in view.planes
    )
    return view.name, view.pitch_mm, planes


def _planes(views: Sequence[View]) -> Iterator[PlaneReport]:
    for view in views:
        for plane in view.planes:
            pixels = plane.pixels
            channels = pixels.shape[2] if pixels.ndim == 3 else 1
            yield PlaneReport(view.name, plane.quantity, plane.energy, plane.size.width, plane.size.height, channels, 8 * pixels.itemsize)


def particulars_of(sidecar: SideCar | None) -> dict[str, Presence]:
    """Say of each of ``PARTICULARS`` whether a side-car has it; every scan has an identity and a time, if only from its files."""
    said = sidecar or SideCar()
    found = {**_identity(said), **_goods(said), **_circumstances(said)}
    answers = {name: Presence.PRESENT if found[name] else Presence.MISSING for name in PARTICULARS}
    if not found["scan id"]:
        answers["scan id"] = Presence.DERIVED
    if not found["carrier"] and any(identity.kind is IdentityClass.TRADER for identity in said.identities):
        answers["carrier"] = Presence.DERIVED
    if said.taken_at is None or said.taken_at.tz_assumed:
        answers["time"] = Presence.DERIVED
    return answers


def _identity(said: SideCar) -> dict[str, bool]:
    kinds = {identity.kind for identity in said.identities}
    return {
        "scan id": IdentityClass.VENDOR_SCAN in kinds,
        "time": said.taken_at is not None,
        "scanner": bool(said.system),
        "resolution": said.pitch_mm is not None,
        "container": bool({IdentityClass.CONTAINER, IdentityClass.PARCEL} & kinds),
    }


def _goods(said: SideCar) -> dict[str, bool]:
    return {
        "declared contents": bool(said.items),
        "weight": said.consignment.gross_kg is not None or any(item.gross_kg is not None for item in said.items),
        "volume": said.consignment.volume_m3 is not None or any(item.volume_m3 is not None for item in said.items),
    }


def _circumstances(said: SideCar) -> dict[str, bool]:
    route = said.consignment.route
    return {
        "origin": bool(route.origin),
        "destination": bool(route.destination),
        "carrier": bool(route.vessel or route.voyage),
        "purpose": said.kind is not None,
        "selection": said.selection is not None,
        "risk flags": bool(said.consignment.risk_flags),
        "outcome": said.analyst is not None or said.examination is not None or bool(said.third_party),
    }
