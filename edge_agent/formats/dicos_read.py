"""DICOS files to pixels, side-car values and third-party assessments, with pydicom. Runs inside the decode child.

Lengths in a file are never believed: reads are cut to what the file holds, deflated data sets are refused, and only the part
before the pixels is parsed until the size is admitted.
"""

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, BinaryIO, Final, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import pydicom
from pydicom.dataset import FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from edge_agent.domain.assessment import ControlOutcome, OfficerConclusion
from edge_agent.domain.capture import CaptureKind, Selection
from edge_agent.domain.clock import Stamp
from edge_agent.domain.drop import SideCar
from edge_agent.domain.geometry import Box, Orientation, Size
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.profile import Profile
from edge_agent.domain.third_party import ThirdPartyAssessment, ThirdPartyConclusion, ThirdPartyFinding
from edge_agent.errors import LimitExceeded, UnreadableScan, UnsupportedFormat
from edge_agent.formats import dicos
from edge_agent.formats.codec import Header, Pixels
from edge_agent.formats.members import OpenMember

SOURCE: Final = "dicos-tdr"
_IMPLICIT, _EXPLICIT, _BIG, _RLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"
_SYNTAXES = (_IMPLICIT, _EXPLICIT, _BIG, _RLE)
_PIXEL_DATA = (0x7FE0, 0x0010)
_UNDEFINED = 0xFFFFFFFF
_END_OF_SEQUENCE = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_META_START = 132
_MAX_HEADER_BYTES = 4 << 20
_MAX_REPORT_OBJECTS = 300
_MAX_TEXT = 200
_FAULTS = (
    *(InvalidDicomError, BytesLengthException, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError),
    *(NotImplementedError, struct.error, RecursionError, ArithmeticError, RuntimeError),
)


class _Cut:
    """A file of which no more than ``limit`` bytes from its start can be read, however many are asked for."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._limit = limit

    def read(self, count: int = -1) -> bytes:
        rest = max(0, self._limit - self._file.tell())
        return self._file.read(rest if count < 0 else min(count, rest))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        """Leave the file open: it is its owner's."""


def read_header(file: BinaryIO, size: int) -> Header | None:
    """Satisfy ``Codec.header``."""
    found = _before_pixels(file, size)
    if found is None:
        return None
    dataset, at = found
    _require_image(dataset)
    length = _pixel_length(file, dataset, at, size)
    if length is None:
        return None
    bits = int(dataset.BitsAllocated)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if rows <= 0 or columns <= 0:
        raise UnreadableScan("the DICOS header announces no pixels")
    stored = rows * columns * bits // 8
    if length.is_defined and length.bytes < stored:
        raise UnreadableScan("the DICOS file lacks pixel data", {"bytes": length.bytes, "expected": stored})
    return Header(columns, rows, 1, bits, length.start + length.bytes if length.is_defined else None)


def is_whole(file: BinaryIO, size: int) -> bool:
    """Satisfy ``Codec.is_whole``: the announced pixel bytes are there, or the end mark of compressed ones."""
    header = read_header(file, size)
    if header is None:
        return False
    if header.expected_bytes is not None:
        return header.expected_bytes <= size
    file.seek(max(0, size - 4096))
    return _END_OF_SEQUENCE in file.read(4096)


def decode(file: BinaryIO, header: Header) -> Pixels:
    """Satisfy ``Codec.decode``. Values of fewer than 16 stored bits are shifted up to the full scale, which loses nothing."""
    size = file.seek(0, io.SEEK_END)
    with _faults():
        file.seek(0)
        dataset = pydicom.dcmread(_Cut(file, size))
        pixels = np.asarray(dataset.pixel_array)
        wanted = np.dtype(np.uint16 if header.bits == 16 else np.uint8)
        if pixels.shape != (header.height, header.width) or pixels.dtype.newbyteorder("=") != wanted:
            raise UnreadableScan("the decoder gave other pixels than the header announced")
        spare = header.bits - int(dataset.BitsStored)
        full = np.left_shift(pixels.astype(wanted), spare) if spare else pixels.astype(wanted)
        return np.invert(full) if _is_dark_transmission(dataset) else np.ascontiguousarray(full)


def read_sidecar(members: Sequence[OpenMember], profile: Profile) -> SideCar | None:
    """Give what the headers of a scan's DX files and its reports say; None when none of them can be read yet.

    Images before reports give time, scanner and identity. Boxes and pitch are given in the canonical frame.

    Raises:
        LimitExceeded, UnreadableScan, UnsupportedFormat: for a damaged, foreign or oversized file among them.
    """
    images: list[FileDataset] = []
    reports: list[FileDataset] = []
    views: dict[str, _Shown] = {}
    for member in members:
        found = _before_pixels(member.file, member.size)
        if found is None:
            return None
        dataset, rule = found[0], profile.rule(member.role)
        if str(dataset.get("SOPClassUID", "")) == dicos.TDR:
            _admit_report(member, profile)
            reports.append(dataset)
        else:
            images.append(dataset)
            with _faults():
                size = Size(int(dataset.Columns), int(dataset.Rows))
            view = rule.plane.view if rule is not None and rule.plane is not None else None
            views[str(dataset.get("SOPInstanceUID", ""))] = _Shown(view, size, profile.orientation)
    if not images and not reports:
        return None
    with _faults():
        return _sidecar((images or reports)[0], [(report, views) for report in reports], profile)


@dataclass(frozen=True, slots=True)
class _Shown:
    """Where an image that a report points at is shown. ``size``: as the file has it."""

    view: str | None
    size: Size
    native: Orientation

    def box(self, x: float, y: float, width: float, height: float) -> Box:
        return self.native.from_native(Box(x, y, x + width, y + height), self.size)


_Views: TypeAlias = Mapping[str, _Shown]


def _admit_report(member: OpenMember, profile: Profile) -> None:
    allowed = profile.limits.max_sidecar_bytes
    if member.size > allowed:
        raise LimitExceeded("a report has more bytes than allowed", {"bytes": member.size, "allowed": allowed})


def _sidecar(first: FileDataset, reports: Sequence[tuple[FileDataset, _Views]], profile: Profile) -> SideCar:
    said = [(_text(report, "TDRType").replace("_", " "), _conclusion(report)) for report, _ in reports]
    operator = next((decision for kind, decision in said if kind == dicos.OPERATOR), None)
    truth = next((decision for kind, decision in said if kind == dicos.GROUND_TRUTH), None)
    own = first.private_block(dicos.OUR_GROUP, dicos.OUR_CREATOR) if _has_own_block(first) else None
    return SideCar(
        taken_at=_taken_at(first, profile.clock),
        kind=_kind(first, own),
        selection=Selection(str(own[2].value)) if own is not None and 2 in own else None,
        beam=f"{float(first.KVP):g} kV" if first.get("KVP") else "",
        identities=_identities(first, is_ours=own is not None),
        pitch_mm=_pitch(first, profile.orientation),
        system=" ".join(_text(first, keyword) for keyword in ("Manufacturer", "ManufacturerModelName")).strip(),
        third_party=tuple(_third_party(*report) for (kind, _), report in zip(said, reports, strict=True) if kind not in _PEOPLE),
        analyst=_ANALYST.get(operator) if operator is not None else None,
        examination=_EXAMINATION.get(truth) if truth is not None else None,
    )


_PEOPLE = (dicos.OPERATOR, dicos.GROUND_TRUTH)
_ANALYST = {
    ThirdPartyConclusion.ALERT: OfficerConclusion.SUSPICIOUS,
    ThirdPartyConclusion.NO_ALERT: OfficerConclusion.NOT_SUSPICIOUS,
}
_EXAMINATION = {ThirdPartyConclusion.ALERT: ControlOutcome.FOUND, ThirdPartyConclusion.NO_ALERT: ControlOutcome.NOTHING_FOUND}
_CONCLUSIONS = {dicos.ALARM: ThirdPartyConclusion.ALERT, dicos.CLEAR: ThirdPartyConclusion.NO_ALERT}


@contextmanager
def _faults() -> Iterator[None]:
    """Turn what pydicom raises over damaged bytes into our refusal."""
    try:
        yield
    except _FAULTS as error:
        raise UnreadableScan("the DICOS file is damaged", {"error": type(error).__name__}) from error


def _before_pixels(file: BinaryIO, size: int) -> tuple[FileDataset, int] | None:
    """Parse up to the pixels; give the data set and where it stopped. None when the file ends earlier than its header says."""
    file.seek(0)
    head = file.read(_META_START)
    if len(head) < _META_START:
        return None
    if head[128:] != b"DICM":
        raise UnsupportedFormat("the file is not DICOS")
    limit = min(size, _MAX_HEADER_BYTES)
    syntax = _transfer_syntax(file, limit)
    if syntax is None:
        return None
    if syntax not in _SYNTAXES:
        raise UnsupportedFormat("DICOS of this transfer syntax is not read: ask for uncompressed or RLE", {"syntax": syntax[:64]})
    with _faults():
        file.seek(0)
        dataset = pydicom.dcmread(_Cut(file, limit), stop_before_pixels=True)
        return dataset, file.tell()


def _transfer_syntax(file: BinaryIO, limit: int) -> str | None:
    """Read the file meta information (group 2, always explicit and little-endian) for the transfer syntax.

    Ours, because pydicom inflates a deflated data set, whatever its size, before anybody can refuse it.
    """
    at = _META_START
    while at + 8 <= limit:
        file.seek(at)
        group, element, kind, short = struct.unpack("<HH2sH", file.read(8))
        if group != 2:
            return _IMPLICIT  # what the standard assumes without the element
        is_long = kind in (b"OB", b"OW", b"UN", b"UT", b"SQ")
        length = int.from_bytes(file.read(4), "little") if is_long else short
        at += (12 if is_long else 8) + length
        if element == 0x0010:
            return file.read(min(length, 64)).rstrip(b"\0 ").decode("ascii", "replace") if at <= limit else None
    return None


@dataclass(frozen=True, slots=True)
class _PixelLength:
    """Where the pixel bytes start and how many there are."""

    start: int
    bytes: int

    @property
    def is_defined(self) -> bool:
        """Whether the length is said; that of compressed pixels is not."""
        return self.bytes != _UNDEFINED


def _pixel_length(file: BinaryIO, dataset: FileDataset, at: int, size: int) -> _PixelLength | None:
    """Read the head of the pixel element at ``at``; None when the file does not hold it yet."""
    order = ">" if str(dataset.file_meta.TransferSyntaxUID) == _BIG else "<"
    file.seek(at)
    head = file.read(12)
    if at >= min(size, _MAX_HEADER_BYTES) and size > _MAX_HEADER_BYTES:
        raise LimitExceeded("the DICOS header is longer than allowed", {"bytes": at, "allowed": _MAX_HEADER_BYTES})
    if len(head) < 12:
        return None
    if struct.unpack(f"{order}HH", head[:4]) != _PIXEL_DATA:
        raise UnreadableScan("the DICOS file has no pixel data where its header ends")
    if str(dataset.file_meta.TransferSyntaxUID) == _IMPLICIT:
        return _PixelLength(at + 8, struct.unpack("<I", head[4:8])[0])
    return _PixelLength(at + 12, struct.unpack(f"{order}I", head[8:12])[0])


def _require_image(dataset: FileDataset) -> None:
    with _faults():
        if str(dataset.SOPClassUID) == dicos.TDR:
            raise UnsupportedFormat("a threat detection report holds no pixels")
        frames, samples = int(dataset.get("NumberOfFrames") or 1), int(dataset.SamplesPerPixel)
        bits, stored, sign = int(dataset.BitsAllocated), int(dataset.BitsStored), int(dataset.PixelRepresentation)
    fields = {"bits": bits, "stored": stored, "samples": samples, "frames": frames}
    if frames != 1 or samples != 1 or bits not in (8, 16) or not bits // 2 < stored <= bits or sign != 0:
        raise UnsupportedFormat("only one grey frame of 8 or 16 unsigned bits is read from DICOS", fields)
    if str(dataset.get("PixelIntensityRelationship", "LIN")) == "LOG":
        raise UnsupportedFormat("a DICOS image of logarithmic values is not read: ask for linear ones")


def _is_dark_transmission(dataset: FileDataset) -> bool:
    """Say whether low values mean much transmission: by the sign of the relationship, without it by how the picture is shown."""
    sign = dataset.get("PixelIntensityRelationshipSign")
    if sign is not None:
        return int(sign) < 0
    return str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1"


def _text(dataset: Any, keyword: str) -> str:  # noqa: ANN401 - pydicom's values have no common type
    value = dataset.get(keyword)
    return "" if value is None else " ".join(str(value).split())[:_MAX_TEXT]


def _has_own_block(dataset: FileDataset) -> bool:
    return dataset.get((dicos.OUR_GROUP, 0x0010)) is not None and str(dataset[dicos.OUR_GROUP, 0x0010].value) == dicos.OUR_CREATOR


def _kind(dataset: FileDataset, own: Any) -> CaptureKind | None:  # noqa: ANN401
    """Give what the scan is for: in our own words where we wrote it; a projected threat is never live."""
    if own is not None and 1 in own:
        return CaptureKind(str(own[1].value).lower())
    if _text(dataset, "TIPType"):
        return CaptureKind.TIP
    return {dicos.REAL_SCAN: CaptureKind.LIVE, dicos.OTHER_SCAN: CaptureKind.TEST}.get(_text(dataset, "ScanType"))


def _taken_at(dataset: FileDataset, clock: str) -> Stamp | None:
    """Give content date and time, else the study's; the offset is the file's own, else the scanner's zone is assumed."""
    for name in ("Content", "Acquisition", "Series", "Study"):
        day, time = _text(dataset, f"{name}Date"), _text(dataset, f"{name}Time")
        if len(day) == 8 and len(time) >= 6:
            written = datetime.strptime(f"{day}{time[:6]}", "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone follows
            fraction = timedelta(microseconds=int(time[7:13].ljust(6, "0"))) if time[6:7] == "." and time[7:13].isdigit() else timedelta()
            offset = _text(dataset, "TimezoneOffsetFromUTC")
            zone = _offset(offset) if offset else ZoneInfo(clock)
            return Stamp((written + fraction).replace(tzinfo=zone).astimezone(UTC), f"{day} {time}", tz_assumed=not offset)
    return None


def _offset(text: str) -> timezone:
    sign = -1 if text.startswith("-") else 1
    return timezone(sign * timedelta(hours=int(text[-4:-2]), minutes=int(text[-2:])))


def _identities(dataset: FileDataset, *, is_ours: bool) -> tuple[IdentityValue, ...]:
    """Give the object's number and the vendor's of the scan, unless the file says that identities were removed from it.

    ``is_ours``: the study's number is then our own scan's, and no identifier.
    """
    if _text(dataset, "PatientIdentityRemoved") == "YES":
        return ()
    value = _text(dataset, "PatientID")
    kind = IdentityClass.PARCEL if _text(dataset, "OOIType") == "BAGGAGE" else IdentityClass.CONTAINER
    found = [IdentityValue(kind, value)] if value else []
    study = "" if is_ours else _text(dataset, "StudyID")
    return (*found, IdentityValue(IdentityClass.VENDOR_SCAN, study)) if study else tuple(found)


def _pitch(dataset: FileDataset, native: Orientation) -> tuple[float, float] | None:
    """Give millimetres a pixel (x, y) in the canonical frame; DICOM writes the distance of rows first."""
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    if not spacing or len(spacing) != 2 or not all(0 < float(one) < 1000 for one in spacing):
        return None
    along_rows, along_columns = float(spacing[0]), float(spacing[1])
    return (along_rows, along_columns) if native.transposed else (along_columns, along_rows)


def _conclusion(report: FileDataset) -> ThirdPartyConclusion:
    return _CONCLUSIONS.get(_text(report, "AlarmDecision"), ThirdPartyConclusion.UNKNOWN)


def _third_party(report: FileDataset, views: _Views) -> ThirdPartyAssessment:
    words = report.get("ThreatDetectionAlgorithmAndVersion") or ""
    named = [words] if isinstance(words, str) else list(words)
    algorithm, version = (str(named[place])[:_MAX_TEXT] if len(named) > place else "" for place in (0, 1))
    objects = list(report.get("ThreatSequence") or ())[:_MAX_REPORT_OBJECTS]
    findings = tuple(finding for one in objects for finding in _findings(one, views))
    return ThirdPartyAssessment(SOURCE, algorithm, version, _conclusion(report), findings, _decided_at(report))


def _findings(found: Any, views: _Views) -> Iterator[ThirdPartyFinding]:  # noqa: ANN401
    """Give one finding for each place where the object is shown; one without a place when none is given, or its image did not come."""
    assessments = list(found.get("ATDAssessmentSequence") or ())
    label = _text(assessments[0], "ThreatCategoryDescription") or _text(assessments[0], "ThreatCategory") if assessments else ""
    probability = assessments[0].get("ATDAssessmentProbability") if assessments else None
    score = None if probability is None else float(probability)
    places = [one for place in found.get("PTORepresentationSequence") or () for one in _places(place, views)]
    if not places:
        yield ThirdPartyFinding(label, score)
    for box, view in places:
        yield ThirdPartyFinding(label, score, box, view)


def _places(place: Any, views: _Views) -> Iterator[tuple[Box, str | None]]:  # noqa: ANN401
    references = list(place.get("ReferencedInstanceSequence") or ())
    named = [_text(one, "ReferencedSOPInstanceUID") for one in references]
    shown = next((views[uid] for uid in named if uid in views), None)
    for region in (place.get("ThreatROIVoxelSequence") or ()) if shown is not None else ():
        base, extents = region.get("ThreatROIBase"), region.get("ThreatROIExtents")
        if shown is not None and base and extents and len(base) >= 2 and len(extents) >= 2:
            yield shown.box(float(base[0]), float(base[1]), float(extents[0]), float(extents[1])), shown.view


def _decided_at(report: FileDataset) -> datetime | None:
    """Give when the report decided: a DICOM date and time with its offset; None without one, for its zone is not known."""
    text = _text(report, "AlarmDecisionTime")
    if len(text) < 19 or text[-5] not in "+-":
        return None
    moment = datetime.strptime(text[:14], "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone follows
    return moment.replace(tzinfo=_offset(text[-5:])).astimezone(UTC)
