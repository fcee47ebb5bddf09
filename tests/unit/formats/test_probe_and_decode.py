import io
from dataclasses import replace

import numpy as np
import pytest

from edge_agent.domain.drop import Completeness
from edge_agent.domain.geometry import Box, Orientation, Size
from edge_agent.domain.profile import Limits
from edge_agent.domain.scan import Energy, Quantity
from edge_agent.errors import InconsistentScan, LimitExceeded, UnreadableScan, UnsupportedFormat
from edge_agent.formats.assemble import decode_scan
from edge_agent.formats.encode import jpeg_bytes, png_bytes, tiff_bytes
from edge_agent.formats.members import OpenMember
from edge_agent.formats.probe import probe
from edge_agent.imaging.normalise import canonical
from edge_agent.testing.drops import cargo_profile, dataform, limited, load_picture, picture_profile, png_file, sim_sidecar


def member(name, role, data):
    return OpenMember(name, role, io.BytesIO(data), len(data))


def cargo(high=None, low=None, sidecar=None):
    good = tiff_bytes(load_picture())
    parts = [("k_high.tif", "high", high or good), ("k_low.tif", "low", low or good), ("k.json", "sidecar", sidecar or sim_sidecar())]
    return [member(*part) for part in parts]


def dataform_drop(xml, name="k.jpg"):
    return [member(name, "picture", jpeg_bytes(load_picture(bits=8))), member("k.xml", "sidecar", xml)]


def test_a_whole_drop_is_complete_and_its_size_known():
    drop = cargo()
    result = probe(drop, cargo_profile())
    assert Completeness.COMPLETE is result.completeness
    assert sum(one.size for one in drop) == result.expected_bytes
    assert result.sidecar is not None
    assert result.reason == ""


def test_the_probe_tells_from_the_headers_what_the_planes_will_take_in_memory():
    drop = cargo()
    planes = [plane for view in decode_scan(drop, cargo_profile()).views for plane in view.planes]
    assert probe(drop, cargo_profile()).decoded_bytes == sum(plane.pixels.nbytes for plane in planes)
    assert probe(cargo(high=b"\x00"), cargo_profile()).decoded_bytes is None


@pytest.mark.parametrize("absent", [0, 1, 2])
def test_a_required_or_expected_member_is_waited_for(absent):
    drop = cargo()
    gone = drop.pop(absent)
    result = probe(drop, cargo_profile())
    assert Completeness.WAITING is result.completeness
    assert ("partial", (("roles", gone.role),)) == (result.reason, result.params)


def test_an_optional_member_is_not_waited_for():
    assert Completeness.COMPLETE is probe(dataform_drop(dataform().encode()), picture_profile("dataform")).completeness


@pytest.mark.parametrize("length", [0, 5, 100, 2000])
def test_a_growing_plane_is_waited_for(length):
    result = probe(cargo(high=tiff_bytes(load_picture())[:length] or b"\x00"), cargo_profile())
    assert (result.completeness, result.reason) == (Completeness.WAITING, "member-undecodable")
    assert result.params == (("role", "high"),)


def test_a_growing_side_car_is_waited_for():
    result = probe(cargo(sidecar=sim_sidecar()[:-5]), cargo_profile())
    assert (result.completeness, result.reason, result.sidecar) == (Completeness.WAITING, "sidecar-unreadable", None)


def test_a_malformed_side_car_beside_good_pixels_is_hopeless_but_names_only_itself():
    result = probe(cargo(sidecar=b'{"schema":1}'), cargo_profile())
    assert (result.completeness, result.reason, result.sidecar) == (Completeness.HOPELESS, "sidecar-unreadable", None)


def test_a_missing_member_may_still_come_although_the_side_car_is_malformed():
    assert Completeness.WAITING is probe(cargo(sidecar=b'{"schema":1}')[::2], cargo_profile()).completeness


def test_a_refused_required_plane_is_hopeless_and_the_side_car_is_still_read():
    result = probe(cargo(high=b"this is a text, not a picture"), cargo_profile())
    assert (result.completeness, result.reason) == (Completeness.HOPELESS, "unsupported-format")
    assert result.sidecar is not None


def test_a_refused_expected_plane_is_hopeless_as_a_member_not_as_a_scan():
    result = probe(cargo(low=b"this is a text, not a picture"), cargo_profile())
    assert (result.completeness, result.reason, result.params) == (Completeness.HOPELESS, "member-undecodable", (("role", "low"),))


def test_a_listed_picture_that_is_absent_is_waited_for():
    result = probe(dataform_drop(dataform(("k.jpg", "k2.jpg")).encode()), picture_profile("dataform"))
    assert (result.completeness, result.reason) == (Completeness.WAITING, "resource-missing")


def test_listed_files_without_pixels_for_us_are_not_waited_for():
    listed = ("K.JPG", "k_stamp.jpg", "k.DHE", "k_front_snap.jpg", "k.Img")
    assert Completeness.COMPLETE is probe(dataform_drop(dataform(listed).encode()), picture_profile("dataform")).completeness


def test_a_role_twice_and_an_unknown_role_are_hopeless():
    twice = [*cargo(), member("k2_high.tif", "high", b"")]
    assert probe(twice, cargo_profile()).reason == "inconsistent-scan"
    assert probe([member("x.bin", "unknown", b"")], cargo_profile()).reason == "unsupported-format"


def test_limits_speak_before_any_pixel_is_decoded():
    bomb = png_file(30_000, 30_000, b"")
    result = probe([member("k.png", "picture", bomb)], picture_profile())
    assert (result.completeness, result.reason) == (Completeness.HOPELESS, "limit-exceeded")
    for limits in (Limits(max_file_bytes=10), Limits(max_planes=1), Limits(max_pixels=100)):
        assert probe(cargo(), limited(cargo_profile(), limits)).reason == "limit-exceeded"
        with pytest.raises(LimitExceeded):
            decode_scan(cargo(), limited(cargo_profile(), limits))


def test_a_decoded_cargo_scan_has_both_energies_and_the_side_cars_pitch():
    decoded = decode_scan(cargo(), cargo_profile())
    (view,) = decoded.views
    assert [(p.quantity, p.energy) for p in view.planes] == [(Quantity.TRANSMISSION, Energy.HIGH), (Quantity.TRANSMISSION, Energy.LOW)]
    assert view.pitch_mm == (5.0, 4.0)
    np.testing.assert_array_equal(load_picture(), view.planes[0].pixels)
    assert decoded.notes == ()


@pytest.mark.parametrize(
    ("data", "quantity"),
    [
        (png_bytes(load_picture(bits=16)), Quantity.TRANSMISSION),
        (png_bytes(load_picture(bits=8)), Quantity.DISPLAY),
        (jpeg_bytes(load_picture(bits=8)), Quantity.DISPLAY),
    ],
)
def test_what_a_file_holds_decides_between_transmission_and_display(data, quantity):
    decoded = decode_scan([member("k.png", "picture", data)], picture_profile())
    assert quantity is decoded.views[0].planes[0].quantity


def test_planes_that_contradict_each_other_are_refused():
    with pytest.raises(InconsistentScan):
        decode_scan(cargo(low=tiff_bytes(load_picture(41, 60))), cargo_profile())
    with pytest.raises(InconsistentScan):
        decode_scan(cargo(low=tiff_bytes(load_picture(bits=8))), cargo_profile())


def test_a_cut_required_plane_spoils_the_scan_and_a_cut_expected_one_is_noted():
    cut = tiff_bytes(load_picture())[:-1]
    with pytest.raises(UnreadableScan):
        decode_scan(cargo(high=cut), cargo_profile())
    decoded = decode_scan(cargo(low=cut), cargo_profile())
    assert [plane.energy for plane in decoded.views[0].planes] == [Energy.HIGH]
    assert [(note.code, note.params["role"]) for note in decoded.notes] == [("member-undecodable", "low")]


@pytest.mark.parametrize("sidecar", [b'{"schema":1}', b'{"schema"', b"\x00"])
def test_pixels_are_decoded_beside_a_bad_side_car_with_a_note(sidecar):
    decoded = decode_scan(cargo(sidecar=sidecar), cargo_profile())
    assert decoded.sidecar is None
    assert [note.code for note in decoded.notes] == ["sidecar-unreadable"]
    assert decoded.views[0].pitch_mm is None


def test_a_listed_picture_that_never_came_is_noted():
    decoded = decode_scan(dataform_drop(dataform(("k2.jpg",)).encode()), picture_profile("dataform"))
    assert [note.code for note in decoded.notes] == ["resource-missing"]


def test_a_drop_without_pixels_has_no_views():
    assert decode_scan(cargo()[2:], cargo_profile()).views == ()


def test_an_unknown_file_is_refused():
    with pytest.raises(UnsupportedFormat):
        decode_scan([member("x.bin", "unknown", b"x")], cargo_profile())


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("flipped_x", [False, True])
@pytest.mark.parametrize("flipped_y", [False, True])
def test_pixels_and_boxes_agree_on_what_the_canonical_frame_is(transposed, flipped_x, flipped_y):
    orientation = Orientation(transposed, flipped_x, flipped_y)
    native = np.zeros((4, 6), np.uint8)
    native[1, 2] = 9
    turned = canonical(native, orientation)
    y, x = (int(index[0]) for index in np.nonzero(turned))
    box = orientation.to_native(Box(x, y, x + 1, y + 1), Size(turned.shape[1], turned.shape[0]))
    assert Box(2, 1, 3, 2) == box


def test_the_profiles_orientation_is_applied_and_recorded():
    profile = replace(cargo_profile(), orientation=Orientation(transposed=True, flipped_y=True))
    (view,) = decode_scan(cargo(), profile).views
    np.testing.assert_array_equal(load_picture().T[::-1], view.planes[0].pixels)
    assert profile.orientation == view.native
    assert view.pitch_mm == (4.0, 5.0)
