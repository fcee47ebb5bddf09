"""Packages on a real disk: the same bytes for the same scan, the same scan out of them, and no alteration unnoticed."""

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
import tifffile

from edge_agent.domain.attachment import Attachment, AttachmentKind
from edge_agent.domain.capture import Capture, CaptureKind, Reading, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.consignment import Consignment, RiskFlag, Route
from edge_agent.domain.declaration import Declaration, DeclaredItem, Link, LinkBasis
from edge_agent.domain.geometry import Box, Orientation
from edge_agent.domain.ids import ScanId, ScannerId, Token
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.numbering import NumberCheck
from edge_agent.domain.profile import Limits
from edge_agent.domain.scan import Energy, Operation, Origin, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.domain.third_party import ThirdPartyAssessment, ThirdPartyConclusion, ThirdPartyFinding
from edge_agent.errors import LimitExceeded, UnreadableScan
from edge_agent.formats import package as package_module
from edge_agent.formats.encode import jpeg_bytes, tiff_bytes
from edge_agent.formats.package import read_package, write_package
from edge_agent.imaging.normalise import replay
from edge_agent.testing.drops import load_picture
from edge_agent.testing.factories import NOON

PLATE = "ZZZU6304941"
PICTURE = Origin("picture")


def scan_of(*views, members=()):
    return Scan(
        ScanId("6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11"),
        2,
        ScannerRef(ScannerId("gate-1"), "sim-cargo"),
        Capture(
            Stamp(datetime(2026, 3, 2, 12, tzinfo=UTC), "02/03/2026", tz_assumed=True), CaptureKind.SYNTHETIC, Selection.RANDOM, "6 MV"
        ),
        Subject(SubjectKind.CARGO, (Token("t-1"),)),
        tuple(views),
        Declaration((DeclaredItem("0202", "frozen beef", 21000.0, None),), "sidecar", Token("t-2")),
        tuple(members),
        ("low",),
    )


def dual_view():
    planes = (
        Plane(Quantity.TRANSMISSION, Energy.HIGH, load_picture(600, 700)),
        Plane(Quantity.TRANSMISSION, Energy.LOW, load_picture(600, 700, seed=1)),
        Plane(Quantity.MATERIAL, Energy.SINGLE, load_picture(600, 700, bits=8)),
    )
    return View("side", planes, (5.0, 4.0), pitch_assumed=True, native=Orientation(flipped_x=True))


def colour_view():
    colour = np.dstack([load_picture(bits=8, seed=seed) for seed in range(3)])
    return View("top", (Plane(Quantity.DISPLAY, Energy.SINGLE, colour),), None)


def digest_of(path, role, is_pixels=True):
    data = path.read_bytes()
    return MemberDigest(path.name, role, len(data), hashlib.sha256(data).hexdigest(), is_pixels)


def assert_same(expected: Scan, found: Scan):
    assert [view.name for view in expected.views] == [view.name for view in found.views]
    for mine, theirs in zip(expected.views, found.views, strict=True):
        assert (mine.pitch_mm, mine.pitch_assumed, mine.native) == (theirs.pitch_mm, theirs.pitch_assumed, theirs.native)
        for a, b in zip(mine.planes, theirs.planes, strict=True):
            assert (a.quantity, a.energy) == (b.quantity, b.energy)
            np.testing.assert_array_equal(a.pixels, b.pixels)
    kept = ("scan_id", "revision", "scanner", "capture", "subject", "declaration", "partial")
    assert {name: getattr(expected, name) for name in kept} == {name: getattr(found, name) for name in kept}


@pytest.mark.parametrize("codec", ["zstd", "deflate", "jxl"])
def test_a_scan_comes_out_of_its_package_as_it_went_in(tmp_path, codec):
    scan = scan_of(dual_view(), colour_view())
    ref = write_package(scan, (), tmp_path / "2026" / "a.scan.zip", codec)
    assert_same(scan, read_package(ref.path))
    data = ref.path.read_bytes()
    assert len(data) == ref.bytes


def test_a_scan_without_pixels_can_be_kept_too(tmp_path):
    scan = replace(scan_of(), declaration=None)
    assert_same(scan, read_package(write_package(scan, (), tmp_path / "a.scan.zip").path))


def test_equal_scans_give_equal_bytes(tmp_path):
    first, second = (write_package(scan_of(dual_view()), (), tmp_path / name) for name in ("a.scan.zip", "b.scan.zip"))
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.scan_json_sha256 == second.scan_json_sha256


def test_a_plane_is_a_file_that_ordinary_programs_read(tmp_path):
    ref = write_package(scan_of(dual_view()), (), tmp_path / "a.scan.zip", "deflate")
    with zipfile.ZipFile(ref.path) as archive:
        assert archive.namelist()[:2] == ["mimetype", "scan.json"]
        assert archive.namelist()[2:] == sorted(archive.namelist()[2:])
        data = archive.read("images/side_transmission_high.tif")
        preview = cv2.imdecode(np.frombuffer(archive.read("preview.jpg"), np.uint8), cv2.IMREAD_UNCHANGED)
        document = json.loads(archive.read("scan.json"))
    np.testing.assert_array_equal(load_picture(600, 700), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        assert (512, 512) == (tiff.pages[0].tilelength, tiff.pages[0].tilewidth)
    assert (600, 700) == preview.shape[:2]
    assert document["entries"]["images/side_transmission_high.tif"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert ref.scan_json_sha256 == hashlib.sha256(zipfile.ZipFile(ref.path).read("scan.json")).hexdigest()


def test_a_jpeg_original_is_kept_verbatim_and_turned_when_read(tmp_path):
    native = load_picture(bits=8)
    original = tmp_path / f"{PLATE}.jpg"
    original.write_bytes(jpeg_bytes(native))
    decoded = cv2.imdecode(np.frombuffer(original.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    canonical = np.ascontiguousarray(decoded[:, ::-1])
    view = View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, canonical, (), PICTURE),), None, native=Orientation(flipped_x=True))
    digest = digest_of(original, "picture")
    scan = scan_of(view, members=(digest,))
    ref = write_package(scan, [(digest, original)], tmp_path / "a.scan.zip")
    with zipfile.ZipFile(ref.path) as archive:
        assert archive.read("source/picture.jpg") == original.read_bytes()
        assert not [name for name in archive.namelist() if name.startswith("images/")]
    assert_same(scan, read_package(ref.path))


def test_neither_side_cars_nor_lossless_originals_nor_file_names_enter_a_package(tmp_path):
    sidecar, plane = tmp_path / f"{PLATE}.json", tmp_path / f"{PLATE}_high.tif"
    sidecar.write_bytes(json.dumps({"container": PLATE}).encode())
    plane.write_bytes(tiff_bytes(load_picture(600, 700)))
    members = (digest_of(plane, "high"), digest_of(sidecar, "sidecar", is_pixels=False))
    scan = scan_of(dual_view(), members=members)
    ref = write_package(scan, [(members[0], plane), (members[1], sidecar)], tmp_path / "a.scan.zip")
    assert PLATE.encode() not in ref.path.read_bytes()
    assert [(m.role, m.sha256, m.is_pixels) for m in members] == [(m.role, m.sha256, m.is_pixels) for m in read_package(ref.path).members]


def test_every_flipped_byte_of_an_entry_is_noticed(tmp_path):
    ref = write_package(scan_of(colour_view()), (), tmp_path / "a.scan.zip")
    whole = ref.path.read_bytes()
    with zipfile.ZipFile(ref.path) as archive:
        spans = [(info.header_offset + 30 + len(info.filename), info.file_size) for info in archive.infolist()]
    for start, size in spans:
        for at in range(start, start + size, max(1, size // 7)):
            damaged = bytearray(whole)
            damaged[at] ^= 0x20
            ref.path.write_bytes(damaged)
            with pytest.raises(UnreadableScan):
                read_package(ref.path)


def test_every_cut_of_a_package_is_noticed(tmp_path):
    ref = write_package(scan_of(colour_view()), (), tmp_path / "a.scan.zip")
    whole = ref.path.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        ref.path.write_bytes(whole[:length])
        with pytest.raises(UnreadableScan):
            read_package(ref.path)


def rewritten(path, change):
    """The same package with its entries changed and all checksums of the ZIP in order: what a forger would write."""
    with zipfile.ZipFile(path) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data, *how in change(entries):
            archive.writestr(name, data, *how)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda entries: [(n, d + b"x" if n == "preview.jpg" else d) for n, d in entries],
        lambda entries: [entry for entry in entries if entry[0] != "preview.jpg"],
        lambda entries: [*entries, ("extra", b"x")],
        lambda entries: [*entries, ("../escape", b"x")],
        lambda entries: [(n, d, zipfile.ZIP_DEFLATED) for n, d in entries],
        lambda entries: [(n, b"application/zip" if n == "mimetype" else d) for n, d in entries],
        lambda entries: [(n, d.replace(b"images/", b"../../") if n == "scan.json" else d) for n, d in entries],
        lambda entries: [(n, b"{}" if n == "scan.json" else d) for n, d in entries],
        lambda entries: [(n, d.replace(b'"rows": 40', b'"rows": 41') if n == "scan.json" else d) for n, d in entries],
        lambda entries: entries[:0],
    ],
    ids=["altered", "missing", "extra", "escape", "compressed", "mimetype", "paths", "empty-document", "size", "empty"],
)
def test_a_forged_package_is_refused(tmp_path, change):
    ref = write_package(scan_of(colour_view()), (), tmp_path / "a.scan.zip")
    with pytest.raises(UnreadableScan):
        read_package(rewritten(ref.path, change))


def test_a_package_over_the_limits_is_refused_by_its_headers(tmp_path):
    ref = write_package(scan_of(colour_view()), (), tmp_path / "a.scan.zip")
    with pytest.raises(LimitExceeded):
        read_package(ref.path, Limits(max_pixels=100))


def test_an_absent_package_is_unreadable(tmp_path):
    with pytest.raises(UnreadableScan):
        read_package(tmp_path / "nothing.scan.zip")


def test_a_disk_that_fails_leaves_neither_a_package_nor_a_part(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(5, "disk")

    monkeypatch.setattr(package_module.os, "fsync", fail)
    with pytest.raises(OSError, match="disk"):
        write_package(scan_of(colour_view()), (), tmp_path / "a.scan.zip")
    assert list(tmp_path.iterdir()) == []


def test_everything_that_is_known_of_a_scan_comes_out_as_it_went_in(tmp_path):
    bare = dual_view()
    steps = (
        Operation("polarity", (("found", "bright-air"), ("inverted", False))),
        Operation("air-dark", (("white", (1, 2)), ("black", (0, 0)))),
    )
    view = replace(bare, planes=tuple(replace(plane, operations=steps) for plane in bare.planes), load=Box(1.5, 2, 300, 400))
    box = ThirdPartyFinding("weapon", 0.4, Box(1, 2, 3, 4), "side")
    scan = replace(
        scan_of(view),
        capture=replace(scan_of().capture, system="HCVP"),
        subject=Subject(SubjectKind.CARGO, (Token("t-1"),), (Reading(Token("t-1"), NumberCheck.VALID, 0.9),), (Token("t-9"),)),
        declaration=Declaration((DeclaredItem("0202", "beef", 2.0, 3, 1.5, 4.5),), "declarations", None, Link(0.6, LinkBasis.CORRECTED)),
        consignment=Consignment(Route("BR", "IN", "Sea Hare", "12E"), (RiskFlag("R-1", "RMS", NOON),), 5.0, 6.0),
        third_party=(ThirdPartyAssessment("dataform", "ATR", "1.3", ThirdPartyConclusion.ALERT, (box,), NOON),),
        attachments=(Attachment(AttachmentKind.RADIATION, "radiation", "ab" * 32, 5, "image/png"),),
    )
    found = read_package(write_package(scan, (), tmp_path / "a.scan.zip").path)
    assert_same(scan, found)
    kept = ("consignment", "third_party", "attachments")
    assert {name: getattr(scan, name) for name in kept} == {name: getattr(found, name) for name in kept}
    assert (view.load, [steps] * 3) == (found.views[0].load, [plane.operations for plane in found.views[0].planes])
    assert [type(value) for step in steps for _, value in step.params] == [
        type(value) for step in found.views[0].planes[0].operations for _, value in step.params
    ]


def test_the_recorded_steps_are_repeated_on_a_verbatim_jpeg(tmp_path):
    original = tmp_path / "a.jpg"
    original.write_bytes(jpeg_bytes(load_picture(60, 90, bits=8)))
    decoded = cv2.imdecode(np.frombuffer(original.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    steps = (
        Operation("orient", (("transposed", False), ("flipped_x", True), ("flipped_y", False))),
        Operation("crop", (("x0", 5), ("y0", 6), ("x1", 70), ("y1", 50), ("width", 90), ("height", 60))),
    )
    plane = Plane(Quantity.DISPLAY, Energy.SINGLE, replay(decoded, steps), steps, PICTURE)
    digest = digest_of(original, "picture")
    scan = scan_of(View("side", (plane,), None, native=Orientation(flipped_x=True)), members=(digest,))
    ref = write_package(scan, [(digest, original)], tmp_path / "a.scan.zip")
    found = read_package(ref.path)
    assert ["source/picture.jpg"] == [name for name in zipfile.ZipFile(ref.path).namelist() if name.startswith(("source", "images"))]
    np.testing.assert_array_equal(plane.pixels, found.views[0].planes[0].pixels)
