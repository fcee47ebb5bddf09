"""Scans and journal facts as DICOS: one DX a plane, one threat detection report (TDR) an assessment.

Every identifier in a file is derived from ours, so the same scan and the same fact give the same bytes. Vehicles are written as
cargo, for DICOS has no word for them. Colour pictures have no DX form.
"""

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from edge_agent import __version__
from edge_agent.domain.capture import CaptureKind, SubjectKind
from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import Plane, Scan, View
from edge_agent.errors import UnsupportedFormat
from edge_agent.formats import dicos

_META_VERSION = (0x0002, 0x0004)  # without it the independent toolkit refuses a file
_IMPLEMENTATION = "edge-agent"
_UNKNOWN = "unknown"
_DEIDENTIFIED = "identifiers replaced by tokens of the site"
_COORDINATES, _ORIGIN, _EFFECTIVE_ENERGY = (0x0008, 0x2108), (0x0008, 0x0118), (0x4300, 0x0902)  # not in pydicom's dictionary
_IMAGE_SCALE = (0x4010, 0x1075)  # a DS in pydicom's dictionary, an FD to the independent toolkit
_STARTED, _ENDED, _TOOK_MS = (0x4010, 0x1080), (0x4010, 0x1081), (0x4010, 0x1082)  # nor these
_ORIGINS = {CaptureKind.SYNTHETIC: "SYNTHETIC", CaptureKind.TIP: "AUGMENTED"}
_MAX_LO, _MAX_SH = 64, 16  # characters of the value representations LO and SH


@dataclass(frozen=True, slots=True)
class ThreatObject:
    """One thing a report points at. ``box``: px in the frame of the referenced image, None for a whole-view remark.

    ``flag``: ``THREAT`` for what raised the alarm, else ``UNKNOWN``: a weaker sign is no clearance.
    """

    label: str
    score: float | None
    box: Box | None
    image_uid: str
    flag: Literal["THREAT", "UNKNOWN"]


@dataclass(frozen=True, slots=True)
class Report:
    """One assessment as a report says it. ``who``: MACHINE, OPERATOR or GROUND_TRUTH; ``decision``: ALARM, CLEAR or UNKNOWN.

    ``algorithm``: name, version, further parameters; ``remarks``: codes of reasons and obstacles.
    """

    fact_id: str
    scan_id: str
    revision: int
    kind: CaptureKind
    subject: SubjectKind
    taken_at: datetime
    decided_at: datetime
    who: str
    decision: str
    algorithm: tuple[str, ...]
    objects: tuple[ThreatObject, ...]
    remarks: tuple[str, ...]
    images: tuple[str, ...]
    processing_ms: float = 0.0


def image_uid(scan_id: str, revision: int, view: str, quantity: str, energy: str) -> str:
    """Give the SOP instance of the DX of a plane."""
    return dicos.uid_of("dx", scan_id, str(revision), view, quantity, energy)


def dx_bytes(scan: Scan, view: View, plane: Plane, identifier: str | None = None) -> bytes:
    """Give one plane as DX, uncompressed. ``identifier``: the object's number in clear, None = removed.

    Raises:
        UnsupportedFormat: a colour picture.
    """
    if plane.pixels.ndim != 2:
        raise UnsupportedFormat("a colour picture has no DX form", {"view": view.name})
    uid = image_uid(scan.scan_id, scan.revision, view.name, plane.quantity, plane.energy)
    dataset = _begun(dicos.DX_FOR_PRESENTATION, uid, scan.scan_id, scan.capture.taken_at.at)
    dataset.Modality = "DX"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.ImageType = [
        "ORIGINAL" if scan.capture.kind is CaptureKind.LIVE else "DERIVED",
        "PRIMARY",
        "SINGLE" if len(view.planes) == 1 else "DUAL",
    ]
    _name_object(dataset, scan.subject.kind, scan.capture.kind, identifier)
    _name_series(dataset, scan, view, plane)
    _add_pixels(dataset, view, plane)
    _add_own(dataset, scan, view, plane)
    return _written(dataset)


def tdr_bytes(report: Report) -> bytes:
    """Give an assessment as a threat detection report of about 2 KB."""
    dataset = _begun(dicos.TDR, dicos.uid_of("tdr", report.fact_id), report.scan_id, report.taken_at)
    dataset.Modality = "TDR"
    dataset.SeriesInstanceUID = dicos.uid_of("tdr-series", report.scan_id)
    dataset.SeriesDescription = "assessments"
    dataset.ContentDate, dataset.ContentTime = _date(report.decided_at), _time(report.decided_at)
    _name_object(dataset, report.subject, report.kind, None)
    dataset.TDRType = report.who
    dataset.AlarmDecision = report.decision
    dataset.AlarmDecisionTime = _moment(report.decided_at)
    dataset.AbortFlag = "SUCCESS"
    if report.who == dicos.OPERATOR:
        dataset.OperatorIdentificationSequence = DicomSequence([_operator()])
    dataset.AdditionalScreeningPerformed = "NO"
    dataset.ThreatDetectionAlgorithmAndVersion = [word[:_MAX_LO] for word in (*report.algorithm, *report.remarks) if word] or ["none"]
    dataset.NumberOfTotalObjects = len(report.objects)
    dataset.NumberOfAlarmObjects = sum(1 for found in report.objects if found.flag == "THREAT")
    dataset.TotalProcessingTime = float(report.processing_ms)
    dataset.add_new(_IMAGE_SCALE, "FD", 1.0)
    dataset.ReferencedStudySequence = DicomSequence([_reference("1.2.840.10008.3.1.2.3.1", dataset.StudyInstanceUID)])
    if report.images:
        dataset.ReferencedInstanceSequence = DicomSequence([_reference(dicos.DX_FOR_PRESENTATION, uid) for uid in report.images])
    dataset.ThreatSequence = DicomSequence([_threat(number, found, report) for number, found in enumerate(report.objects, start=1)])
    return _written(dataset)


def _begun(sop_class: str, uid: str, scan_id: str, taken_at: datetime) -> FileDataset:
    """Give a data set with what every DICOS file says."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(dicos.uid_of("implementation", _IMPLEMENTATION))
    meta.ImplementationVersionName = f"{_IMPLEMENTATION} {__version__}"[:_MAX_SH]
    meta.add_new(_META_VERSION, "CS", dicos.VERSION)
    dataset = FileDataset(io.BytesIO(), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.DICOSVersion = dicos.VERSION
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uid
    dataset.StudyInstanceUID = dicos.uid_of("study", scan_id)
    dataset.FrameOfReferenceUID = dicos.uid_of("frame", scan_id)
    dataset.TimezoneOffsetFromUTC = "+0000"
    for name in ("InstanceCreation", "Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{name}Date", _date(taken_at))
        setattr(dataset, f"{name}Time", _time(taken_at))
    dataset.InstanceNumber = 1
    dataset.SeriesNumber = 1
    dataset.AcquisitionNumber = 1
    dataset.StudyID = scan_id[:_MAX_SH]
    dataset.PositionReferenceIndicator = ""
    dataset.AcquisitionStatus = "SUCCESSFUL"
    _name_system(dataset, taken_at)
    return dataset


def _name_system(dataset: Dataset, taken_at: datetime) -> None:
    """Fill what the standard requires of the scanner and we do not know: it is written as unknown, the calibration as the scan's day."""
    for keyword in ("Manufacturer", "ManufacturerModelName", "InstitutionName", "InstitutionAddress", "StationName"):
        setattr(dataset, keyword, _UNKNOWN)
    dataset.DeviceSerialNumber = _UNKNOWN
    dataset.SoftwareVersions = f"{_IMPLEMENTATION} {__version__}"
    dataset.DateOfLastCalibration, dataset.TimeOfLastCalibration = _date(taken_at), _time(taken_at)


def _name_object(dataset: Dataset, subject: SubjectKind, kind: CaptureKind, identifier: str | None) -> None:
    """Say what was scanned and what for; a scan that is not live says so in the standard's words and in ours."""
    dataset.OOIType = dicos.OOI_TYPES[subject]
    dataset.ScanType = dicos.scan_type(kind)
    if kind is CaptureKind.TIP:
        dataset.TIPType = "FTI"
    dataset.PatientName = ""
    dataset.PatientID = identifier or "REMOVED"
    dataset.IssuerOfPatientID, dataset.TypeOfPatientID = _UNKNOWN, "TEXT"
    dataset.PatientIdentityRemoved = "NO" if identifier else "YES"
    if not identifier:
        dataset.DeidentificationMethod = _DEIDENTIFIED
    if kind is not CaptureKind.LIVE:
        dataset.ImageComments = f"{kind.value}: not real traffic"
    block = dataset.private_block(dicos.OUR_GROUP, dicos.OUR_CREATOR, create=True)
    block.add_new(0x01, "CS", kind.value.upper())


def _name_series(dataset: Dataset, scan: Scan, view: View, plane: Plane) -> None:
    dataset.SeriesInstanceUID = dicos.uid_of("series", scan.scan_id, str(scan.revision), view.name, plane.quantity, plane.energy)
    dataset.SeriesDescription = f"{view.name} {plane.quantity} {plane.energy}"[:_MAX_LO]
    dataset.ManufacturerModelName = scan.scanner.profile[:_MAX_LO]
    dataset.StationName = scan.scanner.scanner_id[:_MAX_SH]
    dataset.BurnedInAnnotation = "NO"
    dataset.KVP = 0  # the standard wants numbers here; 0 = not known
    dataset.DetectorType = "DIRECT"
    dataset.XRayTubeCurrentInuA = 0
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    dataset.AcquisitionContextSequence = DicomSequence([])
    dataset.add_new(_COORDINATES, "CS", "RHS")
    dataset.add_new(_ORIGIN, "CS", _ORIGINS.get(scan.capture.kind, "MACHINE"))
    dataset.add_new(_EFFECTIVE_ENERGY, "FL", 0.0)


def _add_pixels(dataset: Dataset, view: View, plane: Plane) -> None:
    bits = plane.pixels.itemsize * 8
    dataset.Rows, dataset.Columns = plane.size.height, plane.size.width
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = "LIN"
    dataset.PixelIntensityRelationshipSign = 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.WindowCenter, dataset.WindowWidth = str(2 ** (bits - 1)), str(2**bits)
    dataset.LossyImageCompression = "00"
    if view.pitch_mm is not None:
        dataset.PixelSpacingCalibrationType = "FIDUCIAL" if view.pitch_assumed else "GEOMETRY"
        dataset.PixelSpacingCalibrationDescription = "fitted to the container" if view.pitch_assumed else "as the scanner says"
        dataset.PixelSpacing = [f"{view.pitch_mm[1]:.6g}", f"{view.pitch_mm[0]:.6g}"]
    dataset.add_new(
        (0x7FE0, 0x0010), "OW" if bits == 16 else "OB", _even(np.ascontiguousarray(plane.pixels).astype(f"<u{bits // 8}").tobytes())
    )


def _even(data: bytes) -> bytes:
    return data + b"\0" if len(data) % 2 else data


def _add_own(dataset: Dataset, scan: Scan, view: View, plane: Plane) -> None:
    block = dataset.private_block(dicos.OUR_GROUP, dicos.OUR_CREATOR)
    words = (scan.capture.selection.value, plane.quantity.value, plane.energy.value, view.name)
    for element, word in enumerate(words, start=0x02):
        block.add_new(element, "LO", word[:_MAX_LO])


def _threat(number: int, found: ThreatObject, report: Report) -> Dataset:
    threat = Dataset()
    threat.PotentialThreatObjectID = number
    if found.box is not None:
        threat.PTORepresentationSequence = DicomSequence([_place(found, found.box)])
    assessment = Dataset()
    assessment.ThreatCategory = "CONTRABAND" if found.flag == "THREAT" else "ANOMALY"
    assessment.ThreatCategoryDescription = found.label
    assessment.ATDAbilityAssessment = "NO_INTERFERENCE"
    assessment.ATDAssessmentFlag = found.flag
    if found.score is not None:
        assessment.ATDAssessmentProbability = float(found.score)
    threat.ATDAssessmentSequence = DicomSequence([assessment])
    started = report.decided_at - timedelta(milliseconds=report.processing_ms)
    threat.add_new(_STARTED, "DT", _moment(started))
    threat.add_new(_ENDED, "DT", _moment(report.decided_at))
    threat.add_new(_TOOK_MS, "FL", report.processing_ms)
    return threat


def _operator() -> Dataset:
    """Give the operator as the standard asks for one; who it was stays at the site."""
    codes = []
    for meaning in ("operator", "kind of identification"):
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "REMOVED", "L", meaning
        codes.append(code)
    person = Dataset()
    person.PersonIdentificationCodeSequence = DicomSequence(codes)
    person.InstitutionName = _UNKNOWN
    return person


def _place(found: ThreatObject, box: Box) -> Dataset:
    place, region = Dataset(), Dataset()
    place.ReferencedInstanceSequence = DicomSequence([_reference(dicos.DX_FOR_PRESENTATION, found.image_uid)])
    region.ThreatROIBase = [box.x0, box.y0, 0.0]
    region.ThreatROIExtents = [box.width, box.height, 1.0]
    region.ThreatROIBitmap = b"\x01\x00"
    place.ThreatROIVoxelSequence = DicomSequence([region])
    corners = ((box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1))
    place.BoundingPolygon = [value for x, y in corners for value in (x, y, 0.0)]
    return place


def _reference(sop_class: str, uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, uid
    return reference


def _written(dataset: FileDataset) -> bytes:
    out = io.BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def _date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%d")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%H%M%S.%f")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000")
