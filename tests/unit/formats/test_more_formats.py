"""Formats beside PNG, JPEG and one-page TIFF: what is written comes back, what is cut is not accepted, what is announced is checked."""

import io
import struct

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile

from edge_agent.domain.geometry import Orientation
from edge_agent.domain.layout import Chunks, HeaderField, Interleave, RawLayout
from edge_agent.domain.profile import Limits
from edge_agent.errors import LimitExceeded, ScanRejected, UnreadableScan, UnsupportedFormat
from edge_agent.formats.catalogue import codec_of
from edge_agent.formats.codec import Header, decode_planes, require
from edge_agent.formats.limits import admit_header
from edge_agent.formats.raw import RawCodec
from edge_agent.testing.drops import load_picture

WIDE, NARROW = load_picture(37, 53), load_picture(37, 53, bits=8)
COLOUR = np.dstack([load_picture(37, 53, bits=8, seed=seed) for seed in range(3)])


def npy(array) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def pgm(array) -> bytes:
    highest = 255 if array.dtype == np.uint8 else 65535
    kind = 6 if array.ndim == 3 else 5
    return (
        b"P%d\n# made for a test\n%d %d\n%d\n" % (kind, array.shape[1], array.shape[0], highest)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def bmp(array) -> bytes:
    return cv2.imencode(".bmp", array[:, :, ::-1] if array.ndim == 3 else array)[1].tobytes()


def tiff(array, **options) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, array, photometric="minisblack", metadata=None, **options)
    return out.getvalue()


FILES = {
    "npy16": (npy(WIDE), WIDE),
    "npy8": (npy(NARROW), NARROW),
    "npy-big-endian": (npy(WIDE.astype(">u2")), WIDE),
    "npy-columns-first": (npy(np.asfortranarray(WIDE)), WIDE),
    "npy-colour": (npy(COLOUR), COLOUR),
    "pgm16": (pgm(WIDE), WIDE),
    "pgm8": (pgm(NARROW), NARROW),
    "ppm": (pgm(COLOUR), COLOUR),
    "bmp8": (bmp(NARROW), NARROW),
    "bmp24": (bmp(COLOUR), COLOUR),
    "jls16": (imagecodecs.jpegls_encode(WIDE), WIDE),
    "jls8": (imagecodecs.jpegls_encode(NARROW), NARROW),
    "jls-colour": (imagecodecs.jpegls_encode(COLOUR), COLOUR),
    "jp2-16": (imagecodecs.jpeg2k_encode(WIDE, level=0, reversible=True), WIDE),
    "j2k-8": (imagecodecs.jpeg2k_encode(NARROW, level=0, reversible=True, codecformat="j2k"), NARROW),
    "jp2-colour": (imagecodecs.jpeg2k_encode(COLOUR, level=0, reversible=True), COLOUR),
    "htj2k": (imagecodecs.htj2k_encode(WIDE), WIDE),
    "jxl16": (imagecodecs.jpegxl_encode(WIDE, lossless=True, effort=1, usecontainer=True), WIDE),
    "jxl8-bare": (imagecodecs.jpegxl_encode(NARROW, lossless=True, effort=1, usecontainer=False), NARROW),
    "jxl-colour": (imagecodecs.jpegxl_encode(COLOUR, lossless=True, effort=1, usecontainer=True), COLOUR),
    "tiff-lzw": (tiff(WIDE, compression="lzw", predictor=2), WIDE),
    "tiff-big-endian-tiles": (tiff(WIDE, byteorder=">", tile=(16, 32), compression="zstd", predictor=2), WIDE),
}


LIMITS = Limits()


def read(data, limits=LIMITS):
    """What the decode child does with one file: gate, end, pixels."""
    file = io.BytesIO(data)
    codec = codec_of(file)
    header = codec.header(file, len(data)) if codec is not None else None
    if header is None:
        raise UnreadableScan("not yet whole")
    admit_header(header, limits)
    if not codec.is_whole(file, len(data)):
        raise UnreadableScan("not yet whole")
    return decode_planes(codec, file, header)


@pytest.mark.parametrize("kind", sorted(FILES))
def test_every_format_gives_the_very_pixels_that_were_written(kind):
    data, expected = FILES[kind]
    (found,) = read(data)
    assert (expected.dtype, expected.shape) == (found.dtype, found.shape)
    np.testing.assert_array_equal(expected, found)


@pytest.mark.parametrize("kind", sorted(FILES))
def test_no_cut_of_a_file_is_accepted(kind):
    data, _ = FILES[kind]
    lengths = {*range(min(len(data), 120)), *range(0, len(data), max(1, len(data) // 60)), len(data) - 1}
    for length in sorted(lengths):
        with pytest.raises(ScanRejected):
            read(data[:length])


@pytest.mark.parametrize("kind", sorted(FILES))
def test_every_format_is_gated_by_its_header_before_any_pixel_is_decoded(kind):
    with pytest.raises(LimitExceeded):
        read(FILES[kind][0], Limits(max_pixels=37 * 53 - 1))


@pytest.mark.parametrize("kind", ["npy16", "pgm8", "ppm"])
def test_bytes_beyond_what_the_header_announces_are_refused(kind):
    with pytest.raises(UnreadableScan, match="longer"):
        read(FILES[kind][0] + b"\0")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.float32),
        np.full((4, 4), np.nan),
        np.zeros((4, 4), np.int16),
        np.zeros((4, 4), np.uint32),
        np.zeros(4, np.uint8),
        np.zeros((2, 2, 2, 2), np.uint8),
        np.array([[None]], dtype=object),
    ],
    ids=["float", "nan", "signed", "wide", "line", "four-dims", "pickled"],
)
def test_arrays_that_are_no_picture_are_refused_and_nothing_is_unpickled(array):
    with pytest.raises(UnsupportedFormat):
        read(npy(array))


@pytest.mark.parametrize("text", ["(4, -1)", "(0, 4)", "(2097152, 1)", "(4,4),'x':__import__('os')"])
def test_an_array_header_that_cannot_be_is_refused(text):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {text}, }}\n".encode()
    with pytest.raises(ScanRejected):
        read(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64))


def test_an_announced_gigabyte_is_refused_by_its_header_alone():
    jls = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHB", 11, 8, 60000, 60000, 1) + b"\x01\x11\x00"
    jls += b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + bytes(20) + b"\xff\xd9"
    siz = struct.pack(">HH8IH", 41, 0, 60000, 60000, 0, 0, 60000, 60000, 0, 0, 1) + b"\x07\x01\x01"
    j2k = b"\xff\x4f\xff\x51" + siz + bytes(20)
    for data in (jls, j2k, b"P5 60000 60000 255\n" + bytes(2000)):
        with pytest.raises(LimitExceeded):
            read(data)


def test_a_picture_of_countless_tiles_is_refused_by_its_header():
    siz = struct.pack(">HH8IH", 41, 0, 8000, 8000, 0, 0, 1, 1, 0, 0, 1) + b"\x07\x01\x01"
    with pytest.raises(UnreadableScan, match="tiles"):
        read(b"\xff\x4f\xff\x51" + siz + bytes(20))


@pytest.mark.parametrize("kind", sorted(kind for kind in FILES if kind.startswith(("j", "h"))))
def test_a_flipped_bit_never_escapes_as_a_foreign_exception(kind):
    data = FILES[kind][0]
    rng = np.random.default_rng(7)
    for at in rng.integers(0, len(data), 40):
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(0, 8))
        try:
            read(bytes(changed))
        except ScanRejected:
            continue


def test_each_page_of_a_tiff_is_a_plane_and_smaller_copies_are_none():
    planes = [load_picture(40, 60, seed=seed) for seed in range(3)]
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for plane in planes:
            writer.write(plane, photometric="minisblack", metadata=None)
            writer.write(plane[::2, ::2], photometric="minisblack", metadata=None, subfiletype=1)
    found = read(out.getvalue())
    assert len(found) == 3
    for expected, pixels in zip(planes, found, strict=True):
        np.testing.assert_array_equal(expected, pixels)


def test_an_array_of_three_dimensions_is_several_planes():
    planes = np.stack([load_picture(seed=seed) for seed in range(2)])
    for array in (planes, np.asfortranarray(planes)):
        found = read(npy(array))
        np.testing.assert_array_equal(planes, np.stack(found))


def test_more_planes_than_a_scan_may_have_are_refused_by_the_header():
    with pytest.raises(LimitExceeded):
        read(npy(np.zeros((9, 40, 60), np.uint16)))


@pytest.mark.parametrize(
    "pixels", [np.empty((0, 4), np.uint8), np.zeros((4, 5), np.uint8), np.zeros((4, 4), np.uint16)], ids=["empty", "shape", "type"]
)
def test_pixels_are_compared_with_the_header_whoever_decoded_them(pixels):
    with pytest.raises(UnreadableScan):
        require(pixels, Header(4, 4, 1, 8))


# ------------------------------------------------------------------------------------------------------------------------- raw


def raw(layout, planes, header=b"", trailer=b""):
    """A file of that layout with those (h, w) planes."""
    stacked = np.stack(planes)
    order = {Interleave.PLANE: (0, 1, 2), Interleave.LINE: (1, 0, 2), Interleave.PIXEL: (1, 2, 0)}[layout.interleave]
    dtype = stacked.dtype.newbyteorder(">" if layout.byte_order == "big" else "<")
    return header + stacked.transpose(order).astype(dtype).tobytes() + trailer


def read_raw(layout, data, count=1):
    file, codec = io.BytesIO(data), RawCodec(layout, count)
    header = codec.header(file, len(data))
    if header is None or not codec.is_whole(file, len(data)):
        raise UnreadableScan("not yet whole")
    return decode_planes(codec, file, header)


@pytest.mark.parametrize("interleave", list(Interleave))
@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("bits", [8, 16])
def test_raw_planes_come_back_from_every_order_of_samples(interleave, order, bits):
    planes = [load_picture(20, 30, bits=bits, seed=seed) for seed in range(3)]
    layout = RawLayout(HeaderField(0), HeaderField(2), bits, order, header_bytes=4, interleave=interleave)
    header = struct.pack(">HH" if order == "big" else "<HH", 30, 20)
    data = raw(layout, planes, header)
    for expected, found in zip(planes, read_raw(layout, data, 3), strict=True):
        assert expected.dtype == found.dtype
        np.testing.assert_array_equal(expected, found)


FIXED = RawLayout(30, 20, 16, magic="cafe", header_bytes=8)


@pytest.mark.parametrize("length", [0, 1, 4, 8, 100, 1207])
def test_a_raw_file_shorter_than_its_layout_says_is_not_whole(length):
    data = raw(FIXED, [load_picture(20, 30)], b"\xca\xfe" + bytes(6))
    assert len(data) == 1208
    with pytest.raises(UnreadableScan):
        read_raw(FIXED, data[:length])


def test_a_raw_file_longer_than_its_layout_says_is_refused_unless_a_trailer_is_expected():
    data = raw(FIXED, [load_picture(20, 30)], b"\xca\xfe" + bytes(6), trailer=b"<x/>")
    with pytest.raises(UnreadableScan, match="longer"):
        read_raw(FIXED, data)
    with_trailer = RawLayout(30, 20, 16, magic="cafe", header_bytes=8, trailer=True)
    np.testing.assert_array_equal(load_picture(20, 30), read_raw(with_trailer, data)[0])


def test_a_raw_file_with_another_magic_is_not_ours():
    with pytest.raises(UnsupportedFormat):
        read_raw(FIXED, b"\xca\xff" + bytes(1206))


@pytest.mark.parametrize("width", [0, 31])
def test_a_raw_header_that_cannot_be_is_refused(width):
    layout = RawLayout(HeaderField(0), 20, 16, header_bytes=2, width_spans_planes=True)
    with pytest.raises(UnreadableScan):
        read_raw(layout, struct.pack("<H", width) + bytes(20 * 62), 2)


def test_a_depth_that_is_not_read_is_named():
    with pytest.raises(UnsupportedFormat):
        read_raw(RawLayout(4, 4, HeaderField(0, 1), header_bytes=1), bytes([12]) + bytes(32))


def chunk(tag, body):
    return tag + struct.pack("<I", len(body)) + body


CHUNKED = RawLayout(
    HeaderField(0, 4), HeaderField(4, 4), 16, magic="a952", header_bytes=2, interleave=Interleave.PIXEL, chunks=Chunks("DIMS", "XRAY")
)


def test_chunks_are_found_by_their_letters():
    planes = [load_picture(20, 30, seed=seed) for seed in range(2)]
    samples = raw(CHUNKED, planes)
    file = (
        b"\xa9\x52" + chunk(b"NOTE", b"hello") + chunk(b"DIMS", struct.pack("<II", 30, 20)) + chunk(b"XRAY", samples) + chunk(b"END ", b"")
    )
    for expected, found in zip(planes, read_raw(CHUNKED, file, 2), strict=True):
        np.testing.assert_array_equal(expected, found)
    for length in (2, 9, 20, 40, len(file) - 100):
        with pytest.raises(UnreadableScan):
            read_raw(CHUNKED, file[:length], 2)


def test_samples_that_are_not_as_many_as_the_chunk_says_are_refused():
    file = b"\xa9\x52" + chunk(b"DIMS", struct.pack("<II", 30, 20)) + chunk(b"XRAY", bytes(100))
    with pytest.raises(UnreadableScan):
        read_raw(CHUNKED, file, 2)


def test_a_layout_does_not_turn_pictures_itself():
    layout = RawLayout(30, 20, orientation=Orientation(transposed=True))
    assert read_raw(layout, raw(layout, [load_picture(20, 30)]))[0].shape == (20, 30)
