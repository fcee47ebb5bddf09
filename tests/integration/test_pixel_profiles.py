"""Profiles that say where pixels lie, through the real decode child: raw layouts, several planes a file, attachments, our own packages."""

import hashlib
import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from edge_agent.domain.attachment import AttachmentKind
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.drop import Completeness
from edge_agent.domain.geometry import Box, Orientation
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.profile import Normalise
from edge_agent.domain.scan import Energy, Operation, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import ConfigInvalid, InconsistentScan, UnreadableScan, UnsupportedFormat
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.encode import jpeg_bytes, png_bytes, tiff_bytes
from edge_agent.formats.members import MemberFile
from edge_agent.formats.package import read_package, write_package
from edge_agent.formats.profiles import load_profile
from edge_agent.imaging.normalise import replay
from edge_agent.testing.drops import load_picture, picture_profile
from edge_agent.testing.factories import NOON

SHIPPED = Path(__file__).parents[2] / "config" / "scanners"
HIGH, LOW, MATERIAL = load_picture(50, 70), load_picture(50, 70, seed=1), load_picture(50, 70, bits=8)


@pytest.fixture(scope="module")
def child():
    with DecodeChild() as started:
        started.sandbox()  # waits until it runs, so that no test counts it as its own
        yield started


def lay(folder, profile, **files):
    """Write files and give them the roles that the profile sees in their names."""
    members = []
    for name, data in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(data)
        rule, _ = profile.match(path.name)
        members.append(MemberFile(path.name, rule.role, path))
    return members


def idr(plane):
    """A raw plane as the IDR folder is described: 36 bytes of header, highest byte first, last row first."""
    header = bytearray(36)
    struct.pack_into(">HH", header, 2, plane.shape[1], plane.shape[0])
    struct.pack_into(">H", header, 14, plane.itemsize * 8)
    return bytes(header) + plane[::-1].astype(plane.dtype.newbyteorder(">")).tobytes()


def test_raw_planes_beside_each_other_become_one_upright_view(child, tmp_path):
    profile = load_profile(SHIPPED / "idr-raw.toml")
    drop = lay(tmp_path, profile, xhigh__img=idr(HIGH), xlow__img=idr(LOW), xmaterial__img=idr(MATERIAL))
    assert child.probe(drop, profile).completeness is Completeness.COMPLETE
    decoded = child.decode(drop, profile)
    (view,) = decoded.views
    assert [(plane.quantity, plane.energy) for plane in view.planes] == [
        (Quantity.TRANSMISSION, Energy.HIGH),
        (Quantity.TRANSMISSION, Energy.LOW),
        (Quantity.MATERIAL, Energy.SINGLE),
    ]
    for expected, plane in zip((HIGH, LOW, MATERIAL), view.planes, strict=True):
        np.testing.assert_array_equal(expected, plane.pixels)
        np.testing.assert_array_equal(plane.pixels, replay(expected[::-1], plane.operations))
    assert [note.code for note in decoded.notes] == ["profile-unverified"]


def test_a_raw_plane_that_is_still_being_written_is_waited_for_and_never_filled_up(child, tmp_path):
    profile = load_profile(SHIPPED / "idr-raw.toml")
    drop = lay(tmp_path, profile, xhigh__img=idr(HIGH), xlow__img=idr(LOW)[:-1000])
    assert child.probe(drop, profile).completeness is Completeness.WAITING
    decoded = child.decode(drop, profile)
    assert [plane.energy for plane in decoded.views[0].planes] == [Energy.HIGH]
    assert ("member-undecodable", "low") in [(note.code, note.params.get("role")) for note in decoded.notes]


def test_panels_that_stand_side_by_side_in_a_portrait_are_taken_apart_and_laid_down(child, tmp_path):
    profile = load_profile(SHIPPED / "raw-panels.toml")
    wide_material = MATERIAL.astype(np.uint16)
    portraits = [np.rot90(plane, -1) for plane in (LOW, HIGH, wide_material)]
    header = b"IM\0\0" + struct.pack("<HH", 3 * portraits[0].shape[1], portraits[0].shape[0]) + bytes(8)
    trailer = "<xml/>".encode("utf-16")
    drop = lay(tmp_path, profile, a__ase=header + np.hstack(portraits).astype("<u2").tobytes() + trailer)
    (view,) = child.decode(drop, profile).views
    for expected, plane in zip((LOW, HIGH, wide_material), view.planes, strict=True):
        np.testing.assert_array_equal(expected, plane.pixels)


def several(tmp_path, planes):
    profile = tmp_path / "several.toml"
    text = (SHIPPED / "plain-image.toml").read_text().replace('plane = { view = "side", quantity = "display", energy = "single" }', planes)
    profile.write_text(text)
    return load_profile(profile)


PAIR = (
    'planes = [{ view = "side", quantity = "transmission", energy = "high" }, { view = "side", quantity = "transmission", energy = "low" }]'
)


def test_pages_of_a_tiff_go_where_the_profile_says(child, tmp_path):
    profile = several(tmp_path, PAIR)
    out = io.BytesIO()
    tifffile.imwrite(out, np.stack([HIGH, LOW]), photometric="minisblack")
    (view,) = child.decode(lay(tmp_path, profile, a__tif=out.getvalue()), profile).views
    np.testing.assert_array_equal(HIGH, view.plane(Energy.HIGH).pixels)
    np.testing.assert_array_equal(LOW, view.plane(Energy.LOW).pixels)


def test_another_number_of_planes_than_the_profile_says_is_refused(child, tmp_path):
    profile = several(tmp_path, PAIR)
    with pytest.raises(UnsupportedFormat, match="number of planes"):
        child.decode(lay(tmp_path, profile, a__tif=tiff_bytes(HIGH)), profile)


@pytest.mark.parametrize(
    ("quantity", "pixels"), [("backscatter", MATERIAL), ("backscatter", HIGH), ("gamma", HIGH), ("material", MATERIAL)]
)
def test_other_quantities_keep_their_depth_and_are_not_touched(child, tmp_path, quantity, pixels):
    profile = several(tmp_path, f'plane = {{ view = "side", quantity = "{quantity}", energy = "single" }}')
    (view,) = child.decode(lay(tmp_path, profile, a__png=png_bytes(pixels)), profile).views
    (plane,) = view.planes
    assert (plane.quantity.value, plane.operations) == (quantity, ())
    np.testing.assert_array_equal(pixels, plane.pixels)


def test_pseudo_colour_is_a_display_picture_whatever_the_profile_hopes(child, tmp_path):
    profile = several(tmp_path, 'plane = { view = "side", quantity = "transmission", energy = "high" }')
    colour = np.dstack([load_picture(bits=8, seed=seed) for seed in range(3)])
    (view,) = child.decode(lay(tmp_path, profile, a__png=png_bytes(colour)), profile).views
    assert (view.planes[0].quantity, view.planes[0].pixels.shape) == (Quantity.DISPLAY, (40, 60, 3))
    raw = several(tmp_path, 'plane = { view = "side", quantity = "backscatter", energy = "high" }')
    with pytest.raises(InconsistentScan):
        child.decode(lay(tmp_path, raw, a__png=png_bytes(colour)), raw)


def test_equal_channels_become_grey_and_that_is_recorded(child, tmp_path):
    profile = picture_profile()
    (view,) = child.decode(lay(tmp_path, profile, a__png=png_bytes(np.dstack([MATERIAL] * 3))), profile).views
    np.testing.assert_array_equal(MATERIAL, view.planes[0].pixels)
    assert [operation.name for operation in view.planes[0].operations] == ["fold-grey", "polarity"]


def test_attachments_are_typed_by_profile_and_content_and_never_decoded(child, tmp_path):
    profile = load_profile(SHIPPED / "smiths-dataform.toml")
    names = {
        "7S.jpg": jpeg_bytes(MATERIAL),
        "7_1_Front_snap.jpg": jpeg_bytes(MATERIAL),
        "7_2_Rear_snap.jpg": b"\x89PNG\r\n\x1a\nbroken",
        "7S.rad": b"\x01\x02",
    }
    members = []
    for name, data in names.items():
        (tmp_path / name).write_bytes(data)
        members.append(MemberFile(name, profile.match(name)[0].role, tmp_path / name))
    decoded = child.decode(members, profile)
    assert dict(decoded.media_types) == {
        "7_1_Front_snap.jpg": "image/jpeg",
        "7_2_Rear_snap.jpg": "image/png",
        "7S.rad": "application/octet-stream",
    }
    assert len(decoded.views) == 1


@pytest.mark.parametrize(("kind", "personal"), [("optical", True), ("ocr", True), ("stamp", True), ("vendor", True), ("radiation", False)])
def test_what_may_show_people_is_personal(kind, personal):
    assert AttachmentKind(kind).is_personal is personal


def test_normalisation_is_applied_as_the_profile_says_to_all_planes_of_a_view_alike(child, tmp_path):
    profile = replace(
        several(tmp_path, PAIR),
        normalise=Normalise(polarity="dark-air", crop=True, crop_margin_px=2),
        orientation=Orientation(flipped_x=True),
    )
    picture = np.full((2, 60, 90), 65000, np.uint16)
    picture[:, 20:40, 30:60] = 9000
    out = io.BytesIO()
    tifffile.imwrite(out, np.invert(picture[:, :, ::-1]), photometric="minisblack")
    (view,) = child.decode(lay(tmp_path, profile, a__tif=out.getvalue()), profile).views
    for plane in view.planes:
        np.testing.assert_array_equal(picture[0, 18:42, 28:62], plane.pixels)
    assert view.to_native(Box(0, 0, 34, 24)) == Box(90 - 62, 18, 90 - 28, 42)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("layout = { width = 4, height = 4 }\nattachment = 'optical'", "attachment"),
        ("planes = []\nlayout = { width = 0, height = 4 }", "layout.width"),
        ("layout = { width = 4, height = 4, bits = 12 }", "layout.bits"),
        ("layout = { width = 4, height = 4, magic = 'xyz' }", "layout.magic"),
        ("layout = { width = 4, height = 4, magic = 'cafe' }", "magic"),
        ("package = true", "package"),
        ("[normalise]\nwhite = 10\nblack = 20", "white"),
        ("[normalise]\nwhite = 10\nair_columns = [0, 4]", "air_columns"),
        ("[normalise]\nair_columns = [4, 0]", "air_columns"),
        ("[normalise]\nsharpen = true", "sharpen"),
    ],
)
def test_a_table_that_makes_no_sense_is_named_with_its_key(tmp_path, change, key):
    path = tmp_path / "bad.toml"
    path.write_text((SHIPPED / "plain-image.toml").read_text() + "\n" + change + "\n")
    with pytest.raises(ConfigInvalid, match=key):
        load_profile(path)


# -------------------------------------------------------------------------------------------------------------------- packages


def package(folder):
    """A package of two views with what was done to them, and the scan it holds."""
    done = (Operation("polarity", (("found", "bright-air"), ("inverted", False))),)
    views = (
        View(
            "side",
            (Plane(Quantity.TRANSMISSION, Energy.HIGH, HIGH.copy(), done), Plane(Quantity.TRANSMISSION, Energy.LOW, LOW.copy(), done)),
            (5.0, 4.0),
            pitch_assumed=True,
        ),
        View("top", (Plane(Quantity.BACKSCATTER, Energy.SINGLE, MATERIAL.copy()),), None, native=Orientation(flipped_y=True)),
    )
    capture = Capture(Stamp(NOON, "noon", tz_assumed=False), CaptureKind.SYNTHETIC, Selection.RANDOM, "6 MV")
    scan = Scan(
        ScanId("6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11"),
        3,
        ScannerRef(ScannerId("gate-1"), "p"),
        capture,
        Subject(SubjectKind.CARGO),
        views,
        None,
        (),
        ("low",),
    )
    write_package(scan, [], folder / "a.scan.zip")
    return scan


def test_our_own_package_comes_back_bit_for_bit_with_what_it_says(child, tmp_path):
    scan = package(tmp_path)
    profile = load_profile(SHIPPED / "scan-package.toml")
    drop = [MemberFile("a.scan.zip", "package", tmp_path / "a.scan.zip")]
    result = child.probe(drop, profile)
    assert result.completeness is Completeness.COMPLETE
    decoded = child.decode(drop, profile)
    for sidecar in (result.sidecar, decoded.sidecar):
        assert (sidecar.taken_at, sidecar.kind, sidecar.selection, sidecar.beam) == (
            scan.capture.taken_at,
            CaptureKind.SYNTHETIC,
            Selection.RANDOM,
            "6 MV",
        )
    origin = {"scan_id": scan.scan_id, "revision": 3}
    assert [(note.code, note.params) for note in decoded.notes] == [("from-package", origin), ("partial", {"role": "low"})]
    for expected, found in zip(scan.views, decoded.views, strict=True):
        assert (expected.name, expected.pitch_mm, expected.pitch_assumed, expected.native) == (
            found.name,
            found.pitch_mm,
            found.pitch_assumed,
            found.native,
        )
        for mine, theirs in zip(expected.planes, found.planes, strict=True):
            assert (mine.quantity, mine.energy, mine.operations) == (theirs.quantity, theirs.energy, theirs.operations)
            np.testing.assert_array_equal(mine.pixels, theirs.pixels)


def test_a_package_written_again_from_what_was_read_is_the_same_file(tmp_path):
    package(tmp_path)
    again = read_package(tmp_path / "a.scan.zip")
    assert again.scan_id == "6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11"
    write_package(again, [], tmp_path / "b.scan.zip")
    first, second = (hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a.scan.zip", "b.scan.zip"))
    assert first == second


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_package_waits_and_is_refused_in_the_end(child, tmp_path, share):
    package(tmp_path)
    data = (tmp_path / "a.scan.zip").read_bytes()
    (tmp_path / "a.scan.zip").write_bytes(data[: int(share * len(data))])
    profile = load_profile(SHIPPED / "scan-package.toml")
    drop = [MemberFile("a.scan.zip", "package", tmp_path / "a.scan.zip")]
    assert child.probe(drop, profile).completeness is Completeness.WAITING
    with pytest.raises(UnreadableScan):
        child.decode(drop, profile)
