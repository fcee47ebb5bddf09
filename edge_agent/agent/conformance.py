"""A vendor's sample folder, read as the daemon would read it: what was understood, what was ignored, what is missing.

Pixels and side-cars are decoded in the confined child. No value of a side-car leaves this module, only whether it was there; names of
files are shown without the parts that may be a number of a container, a parcel or a plate. What is shown of a side-car that cannot be read
is the profile's own field and path, and a word for what is wrong.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final, Literal, TypeAlias

from edge_agent.agent.assemble import distinct
from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.drop import Completeness, Drop, SideCar
from edge_agent.domain.identity import IdentityClass
from edge_agent.domain.ids import ScannerId, SiteId, scan_id
from edge_agent.domain.profile import Profile
from edge_agent.domain.scan import Quantity, Scan, ScannerRef, View
from edge_agent.errors import Scalar, ScanRejected
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.inspection import SIDECAR_ROLE
from edge_agent.formats.members import MemberFile
from edge_agent.formats.package import read_package, write_package
from edge_agent.imaging.quality import polarity_faults
from edge_agent.intake.grouping import FileEntry, group, is_unknown
from edge_agent.intake.reconcile import read_folder

_SITE, _SCANNER = SiteId("conformance"), ScannerId("conformance")
_OWN_WORDS = ("role", "roles", "view", "cause", "field", "problem", "found")
_WORD_WITH_DIGIT = re.compile(r"[^\W_]*\d[^\W_]*")
_ESCAPE = re.compile(r"\\[A-Za-z]")

PARTICULARS: Final = (
    "scan id",
    "time",
    "scanner",
    "resolution",
    "container",
    "plate",
    "seal",
    "declaration number",
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
    ZONE_ASSUMED = "derived (zone assumed)"
    """A time that the side-car gives without its zone: the profile's clock says which."""
    FILE_TIME = "derived (file time)"
    """No time was found in a side-car: that of the files stands in."""
    FILE_NAME = "derived (file name)"
    MISSING = "missing"


class ScanState(StrEnum):
    """What became of a scan."""

    UNDERSTOOD = "understood"
    PARTIAL = "partial"
    """Decoded, but a member is missing or could not be read, or a picture may be inverted."""
    REFUSED = "refused"


FileState: TypeAlias = Literal["understood", "unreadable", "refused", "ignored", "unknown"]


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file. ``name``: without identifying parts. ``scan``: number of its scan in the report, None when it belongs to none.

    ``state``: ``unreadable`` is a file that a remark names, ``refused`` any other of a scan that was refused.
    """

    name: str
    state: FileState
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

    ``is_exact``: the planes came back from a package bit by bit; None: not tried. ``matched``: fields and paths of the profile's ``[map]``
    that found a value; None: no side-car was read.
    """

    number: int
    state: ScanState
    remarks: tuple[Reason, ...]
    planes: tuple[PlaneReport, ...]
    is_exact: bool | None
    particulars: Mapping[str, Presence]
    matched: frozenset[tuple[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole folder. ``sandbox``: the fences under which it was decoded.

    ``unmatched``: fields and paths of the profile's ``[map]`` that found a value in none of the side-cars.
    """

    profile: str
    sandbox: str
    files: tuple[FileReport, ...]
    scans: tuple[ScanReport, ...]
    unmatched: tuple[tuple[str, str], ...] = ()

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
        if place is None:
            name = file.name if shows_names else masked(file.name, "")
            return FileReport(name, "ignored" if profile.ignores(file.name) else "unknown")
        number, drop, role = place
        rule = profile.rule(role)
        name = file.name if shows_names else masked(file.name, drop.key, "" if rule is None else rule.pattern)
        return FileReport(name, "understood", role, number)

    return Sample(tuple(drops), tuple(report(file) for file in files))


def masked(name: str, key: str, pattern: str = "") -> str:
    """Give a file's name with the scan's key as ``*`` and every other word that holds a digit as ``#``; its ending stays.

    ``pattern``: of the member's rule; a word that stands in it (``E1``) is the profile's own and stays too.
    """
    own = {word.lower() for word in _WORD_WITH_DIGIT.findall(_ESCAPE.sub(" ", pattern))}
    key = key.removesuffix(PurePosixPath(name).suffix)

    def shown(word: re.Match[str]) -> str:
        return word[0] if word[0].lower() in own else "#"

    return "*".join(_WORD_WITH_DIGIT.sub(shown, part) for part in (name.split(key) if key else [name]))


def report_of(profile: Profile, sandbox: str, sample: Sample, scans: tuple[ScanReport, ...]) -> Report:
    """Put the scans of a sample together: files that could not be read are no longer called understood, idle paths are named."""
    read = [scan.matched for scan in scans if scan.matched is not None]
    paths = profile.map.paths if profile.map is not None and read else ()
    unmatched = tuple(path for path in paths if not any(path in matched for matched in read))
    states = {scan.number: scan for scan in scans}
    files = tuple(file if file.scan is None else _after(file, states[file.scan]) for file in sample.files)
    return Report(profile.name, sandbox, files, scans, unmatched)


def _after(file: FileReport, scan: ScanReport) -> FileReport:
    """Give a file of a scan with the state that the scan's remarks leave it."""
    spoilt = {role for remark in scan.remarks if remark.code != "partial" for role in str(remark.params.get("role", "")).split(",")}
    if any(remark.code == "sidecar-unreadable" for remark in scan.remarks):
        spoilt.add(SIDECAR_ROLE)
    if file.role in spoilt:
        return replace(file, state="unreadable")
    return replace(file, state="refused") if scan.state is ScanState.REFUSED else file


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
            remark = Reason(refusal.code, self._own(refusal.fields))
            return ScanReport(number, ScanState.REFUSED, (remark,), (), None, particulars_of(None))
        probed = (Reason(probe.reason, dict(probe.params)),) if probe.reason else ()
        noted = [Reason(note.code, self._own(note.params)) for note in (*probed, *decoded.notes)]
        remarks = distinct(noted, _doubts(decoded.views))
        is_whole = probe.completeness is Completeness.COMPLETE and not remarks and bool(decoded.views)
        scan = self._scan(drop, probe.sidecar or SideCar(), decoded.views)
        return ScanReport(
            number,
            ScanState.UNDERSTOOD if is_whole else ScanState.PARTIAL,
            remarks,
            tuple(_planes(decoded.views)),
            comes_back(scan) if decoded.views else None,
            particulars_of(probe.sidecar),
            None if probe.sidecar is None else frozenset(probe.sidecar.matched),
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

    def _own(self, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Give the parameters that hold numbers or the profile's own words, none that a file could have filled; paths join their field."""
        shown = {name: value for name, value in params.items() if not isinstance(value, str) or name in _OWN_WORDS}
        paths = [path for field, path in (self._profile.map.paths if self._profile.map is not None else ()) if field == params.get("field")]
        return {**shown, "path": " or ".join(paths)} if paths else shown


def _doubts(views: Sequence[View]) -> Iterator[Reason]:
    """Name the views that may be inverted. Raw planes are of any polarity."""
    for view in views:
        for plane in view.planes:
            if plane.quantity in (Quantity.TRANSMISSION, Quantity.DISPLAY):
                yield from (Reason(fault.code, {"view": view.name, **fault.params}) for fault in polarity_faults(plane))


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
        answers["scan id"] = Presence.FILE_NAME
    if said.taken_at is None:
        answers["time"] = Presence.FILE_TIME
    elif said.taken_at.tz_assumed:
        answers["time"] = Presence.ZONE_ASSUMED
    return answers


def _identity(said: SideCar) -> dict[str, bool]:
    kinds = {identity.kind for identity in said.identities}
    return {
        "scan id": IdentityClass.VENDOR_SCAN in kinds,
        "time": said.taken_at is not None,
        "scanner": bool(said.system),
        "resolution": said.pitch_mm is not None,
        "container": bool({IdentityClass.CONTAINER, IdentityClass.PARCEL} & kinds),
        "plate": IdentityClass.PLATE in kinds,
        "seal": IdentityClass.SEAL in kinds,
        "declaration number": IdentityClass.DECLARATION in kinds,
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
        "carrier": bool(route.vessel or route.voyage) or any(field == "carriers" for field, _ in said.matched),
        "purpose": said.kind is not None,
        "selection": said.selection is not None,
        "risk flags": bool(said.consignment.risk_flags),
        "outcome": said.analyst is not None or said.examination is not None or bool(said.third_party),
    }
