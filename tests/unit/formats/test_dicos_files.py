"""DICOS: what we write comes back bit by bit, an independent toolkit reads it, and damaged files are refused without a fuss."""

import contextlib
import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge_agent.domain.assessment import ControlOutcome, OfficerConclusion
from edge_agent.domain.capture import CaptureKind, SubjectKind
from edge_agent.domain.geometry import Box, Orientation
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.profile import Limits, MemberRule, Need, PlaneRule, Profile
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.domain.third_party import ThirdPartyConclusion
from edge_agent.errors import LimitExceeded, UnreadableScan, UnsupportedFormat
from edge_agent.formats import dicos
from edge_agent.formats.catalogue import codec_of
from edge_agent.formats.members import OpenMember
from edge_agent.testing.drops import load_picture
from edge_agent.testing.factories import NOON, a_capture, particulars

pydicom = pytest.importorskip("pydicom", reason="the extra dicos is not installed")

from edge_agent.formats import dicos_read  # noqa: E402
from edge_agent.formats.dicos_report import DECISIONS, human_report, machine_report  # noqa: E402
from edge_agent.formats.dicos_write import Report, ThreatObject, dx_bytes, image_uid, tdr_bytes  # noqa: E402
from edge_agent.testing.site_journal import alert_for, assessment, detection, with_findings  # noqa: E402

UPRIGHT, USUAL, PLACE = Orientation(), Limits(), Box(10, 20, 50, 60)
SCAN = ScanId("6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11")


def scan_of(view, kind=CaptureKind.LIVE):
    about = particulars(kind=kind)
    return Scan(SCAN, 1, ScannerRef(ScannerId("gate-1"), "sim-cargo"), a_capture(kind), about.subject, (view,), None, ())


def view_of(pixels, quantity=Quantity.TRANSMISSION, energy=Energy.HIGH, pitch=(5.0, 4.0)):
    return View("side", (Plane(quantity, energy, pixels),), pitch)


def written(pixels=None, kind=CaptureKind.LIVE, identifier=None, **more):
    view = view_of(load_picture(40, 60) if pixels is None else pixels, **more)
    return dx_bytes(scan_of(view, kind), view, view.planes[0], identifier)


def changed(data, change):
    """The same file after ``change`` of its data set."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    change(dataset)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def decoded(data):
    file = io.BytesIO(data)
    codec = codec_of(file)
    header = codec.header(file, len(data))
    assert codec.is_whole(file, len(data))
    return codec.decode(file, header)


def profile(orientation=UPRIGHT, limits=USUAL):
    def rule(role, plane=None):
        return MemberRule(role, r"(?P<key>.+)", Need.OPTIONAL, 30.0, plane)

    members = (rule("high", PlaneRule("side", Quantity.TRANSMISSION, Energy.HIGH)), rule("sidecar"), rule("report"))
    return Profile("dicos", members, "dicos", "Asia/Kolkata", 1.0, 1.0, ("side",), orientation=orientation, limits=limits)


def sidecar(*files, **more):
    members = [OpenMember(f"{role}.dcs", role, io.BytesIO(data), len(data)) for role, data in files]
    return dicos.read_headers(members, profile(**more))


def report(who=dicos.MACHINE, decision=dicos.ALARM, box=PLACE):
    uid = image_uid(SCAN, 1, "side", "transmission", "high")
    found = (ThreatObject("handgun", 0.5, box, uid, "THREAT"),)
    return Report(
        "f1", SCAN, 1, CaptureKind.LIVE, SubjectKind.CARGO, NOON, NOON, who, decision, ("detector", "0.1.0"), found, ("dark",), (uid,), 12.0
    )


@pytest.mark.parametrize(
    ("pixels", "quantity"),
    [
        (load_picture(40, 60), Quantity.TRANSMISSION),
        (load_picture(41, 61), Quantity.RAW),
        (load_picture(40, 60, bits=8), Quantity.DISPLAY),
        (load_picture(41, 61, bits=8), Quantity.MATERIAL),
        (np.arange(65536, dtype=np.uint16).reshape(256, 256), Quantity.TRANSMISSION),
    ],
    ids=["transmission", "raw-odd", "display", "material-odd", "every-grey-level"],
)
def test_a_plane_comes_back_bit_by_bit(pixels, quantity):
    np.testing.assert_array_equal(pixels, decoded(written(pixels, quantity=quantity)))


def test_equal_planes_give_equal_bytes():
    assert written() == written()
    assert tdr_bytes(report()) == tdr_bytes(report())


def test_what_the_header_says_of_the_scan_comes_back():
    found = sidecar(("high", written()))
    assert NOON == found.taken_at.at
    assert not found.taken_at.tz_assumed
    assert (5.0, 4.0) == found.pitch_mm


@pytest.mark.parametrize("kind", CaptureKind)
def test_the_kind_of_a_scan_comes_back_and_only_live_is_operational(kind):
    data = written(kind=kind)
    assert kind is sidecar(("high", data)).kind
    dataset = pydicom.dcmread(io.BytesIO(data))
    assert (kind is CaptureKind.LIVE) == (dataset.ScanType == "OPERATIONAL") == ("ImageComments" not in dataset)


def test_another_s_projected_threat_is_never_live():
    def change(dataset):
        del dataset[0x0071, 0x0010], dataset[0x0071, 0x1001]
        dataset.TIPType = "FTI"

    assert CaptureKind.TIP is sidecar(("high", changed(written(), change))).kind


def test_identifiers_are_removed_unless_asked_for():
    assert b"MSKU" not in written()
    assert () == sidecar(("high", written())).identities
    assert ["MSKU1234565"] == [one.value for one in sidecar(("high", written(identifier="MSKU1234565"))).identities]


def test_a_time_without_offset_is_the_scanner_s():
    def change(dataset):
        del dataset.TimezoneOffsetFromUTC

    found = sidecar(("high", changed(written(), change))).taken_at
    assert (datetime(2026, 3, 2, 6, 30, tzinfo=UTC), True) == (found.at, found.tz_assumed)


def test_dark_transmission_is_turned_round():
    def change(dataset):
        dataset.PixelIntensityRelationshipSign = -1

    np.testing.assert_array_equal(np.invert(load_picture(40, 60)), decoded(changed(written(), change)))


def test_monochrome1_counts_where_no_sign_is_given():
    def change(dataset):
        del dataset.PixelIntensityRelationshipSign
        dataset.PhotometricInterpretation = "MONOCHROME1"

    np.testing.assert_array_equal(np.invert(load_picture(40, 60)), decoded(changed(written(), change)))


def test_twelve_stored_bits_reach_the_full_scale_without_loss():
    narrow = (load_picture(40, 60) >> 4).astype(np.uint16)

    def change(dataset):
        dataset.BitsStored, dataset.HighBit = 12, 11
        dataset.PixelData = narrow.tobytes()

    np.testing.assert_array_equal(narrow << 4, decoded(changed(written(), change)))


def test_run_length_encoding_is_read():
    data = changed(written(), lambda dataset: dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False))
    np.testing.assert_array_equal(load_picture(40, 60), decoded(data))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: setattr(d, "SamplesPerPixel", 3),
        lambda d: setattr(d, "NumberOfFrames", 2),
        lambda d: setattr(d, "PixelRepresentation", 1),
        lambda d: setattr(d, "BitsStored", 5),
        lambda d: setattr(d, "PixelIntensityRelationship", "LOG"),
        lambda d: setattr(d.file_meta, "TransferSyntaxUID", pydicom.uid.DeflatedExplicitVRLittleEndian),
    ],
    ids=["colour", "frames", "signed", "shallow", "logarithmic", "deflated"],
)
def test_what_is_not_read_is_refused_by_its_header(change):
    data = changed(written(), change)
    with pytest.raises(UnsupportedFormat):
        codec_of(io.BytesIO(data)).header(io.BytesIO(data), len(data))


def test_a_compressed_syntax_without_a_decoder_is_refused():
    data = written().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4\0")
    with pytest.raises(UnsupportedFormat, match="transfer syntax"):
        codec_of(io.BytesIO(data)).header(io.BytesIO(data), len(data))


def test_every_cut_is_waited_for_or_refused():
    data = written()
    for length in range(0, len(data), 97):
        part = io.BytesIO(data[:length])
        try:
            codec = codec_of(part)
            assert codec is None or not codec.is_whole(part, length)
        except (UnreadableScan, UnsupportedFormat):
            continue


def test_announced_lengths_are_not_believed():
    """A length of 4 GiB in any element costs no memory: no more is read than the file holds."""
    data = bytearray(written())
    at = data.index(b"\x08\x00\x08\x00CS")  # ImageType
    data[at + 4 : at + 8] = b"UN\0\0"
    data[at + 8 : at + 12] = b"\xf0\xff\xff\xff"
    file = io.BytesIO(bytes(data))
    with contextlib.suppress(UnreadableScan, UnsupportedFormat):
        assert dicos_read.read_header(file, len(data)) is None


def test_pixels_shorter_than_announced_are_refused():
    def change(dataset):
        dataset.Rows = 4000

    data = changed(written(), change)
    with pytest.raises(UnreadableScan, match="lacks pixel data"):
        codec_of(io.BytesIO(data)).header(io.BytesIO(data), len(data))


def test_a_colour_picture_has_no_dx_form():
    with pytest.raises(UnsupportedFormat):
        written(np.dstack([load_picture(4, 6, bits=8)] * 3), quantity=Quantity.DISPLAY)


@pytest.mark.parametrize(("decision", "conclusion"), [("ALARM", "alert"), ("CLEAR", "no-alert"), ("UNKNOWN", "unknown")])
def test_a_machine_s_report_is_a_third_party_s_assessment(decision, conclusion):
    (found,) = sidecar(("high", written()), ("sidecar", tdr_bytes(report(decision=decision)))).third_party
    assert ("dicos-tdr", "detector", "0.1.0", conclusion) == (found.source, found.algorithm, found.version, found.conclusion)
    assert ("handgun", 0.5, Box(10, 20, 50, 60), "side") == (
        found.findings[0].label,
        found.findings[0].score,
        found.findings[0].box,
        found.findings[0].view,
    )
    assert NOON == found.at


def test_boxes_are_turned_with_the_picture_they_point_at():
    found = sidecar(("high", written()), ("sidecar", tdr_bytes(report(box=Box(0, 0, 10, 5)))), orientation=Orientation(flipped_x=True))
    assert Box(50, 0, 60, 5) == found.third_party[0].findings[0].box


def test_a_box_whose_picture_did_not_come_is_left_out():
    found = sidecar(("sidecar", tdr_bytes(report())))
    assert [None] == [finding.box for finding in found.third_party[0].findings]


def test_people_s_reports_are_theirs():
    files = [
        ("high", written()),
        ("sidecar", tdr_bytes(report(dicos.OPERATOR, "CLEAR"))),
        ("report", tdr_bytes(report(dicos.GROUND_TRUTH, "ALARM"))),
    ]
    found = sidecar(*files)
    assert ((), OfficerConclusion.NOT_SUSPICIOUS, ControlOutcome.FOUND) == (found.third_party, found.analyst, found.examination)


def test_an_oversized_report_is_refused():
    with pytest.raises(LimitExceeded):
        sidecar(("sidecar", tdr_bytes(report())), limits=Limits(max_sidecar_bytes=100))


def test_the_name_of_an_algorithm_may_be_anything():
    odd = replace(report(), algorithm=("näme", "1"))
    assert "näme" == sidecar(("sidecar", tdr_bytes(odd))).third_party[0].algorithm


def test_unassessable_is_never_clear():
    assert {"CLEAR"} == {DECISIONS[word] for word in ("no-alert", "not-suspicious", "nothing-found")}
    assert {"UNKNOWN"} == {DECISIONS[word] for word in ("unassessable", "rescan", "refer", "not-examined")}
    body = assessment("harbour", "scan-1", "unassessable")
    assert ThirdPartyConclusion.UNKNOWN is sidecar(("sidecar", tdr_bytes(machine_report(body)))).third_party[0].conclusion


def test_only_what_alerted_is_a_threat():
    body = with_findings(assessment("harbour", "scan-1", "alert"), [detection("handgun"), detection("knife", 0.2)], ["handgun"])
    written_report = machine_report(body.model_copy(update={"reasons": [alert_for("handgun")]}))
    assert ["THREAT", "UNKNOWN"] == [found.flag for found in written_report.objects]
    assert "advisory, not commissioned" in written_report.remarks


def toolkit():
    return pytest.importorskip("pyDICOS", reason="the independent toolkit (pydicos) is not installed", exc_type=ImportError)


def read_by_toolkit(kind, path):
    tool = toolkit()
    found, log = getattr(tool, kind)(), tool.ErrorLog()
    is_read = found.Read(tool.Filename(str(path)), log, None)
    errors = [line for line in log.GetErrorLog().Get().splitlines() if line.startswith("Error")]
    assert (True, []) == (is_read, errors)
    return found


@pytest.mark.parametrize("kind", CaptureKind)
def test_the_independent_toolkit_reads_our_dx_without_an_error(tmp_path, kind):
    path = tmp_path / "a.dcs"
    path.write_bytes(written(kind=kind))
    pixels = np.asarray(read_by_toolkit("DX", path).GetXRayData().GetUnsigned16())
    np.testing.assert_array_equal(load_picture(40, 60), pixels)


@pytest.mark.parametrize("who", [dicos.MACHINE, dicos.OPERATOR, dicos.GROUND_TRUTH])
@pytest.mark.parametrize("decision", [dicos.ALARM, dicos.CLEAR, dicos.UNKNOWN])
def test_the_independent_toolkit_reads_our_reports_without_an_error(tmp_path, who, decision):
    path = tmp_path / "a.dcs"
    path.write_bytes(tdr_bytes(report(who, decision)))
    found = read_by_toolkit("TDR", path)
    names = {"ALARM": "enumAlarm", "CLEAR": "enumClear", "UNKNOWN": "enumUnknownAlarmDecision"}
    assert (names[decision], 1) == (found.GetAlarmDecision().name, found.GetNumPTOs())


def test_human_reports_name_who_spoke():
    from edge_agent.testing.factories import a_verdict
    from edge_agent.wire.messages import decode

    verdict = decode(a_verdict(SCAN).body)
    assert (dicos.OPERATOR, dicos.ALARM) == (
        human_report(verdict, assessment("harbour", "x")).who,
        human_report(verdict, assessment("harbour", "x")).decision,
    )
