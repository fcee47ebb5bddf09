import io
import struct

import cv2
import numpy as np
import pytest
import tifffile

from edge_agent.domain.profile import Limits
from edge_agent.errors import LimitExceeded, UnreadableScan, UnsupportedFormat
from edge_agent.formats.catalogue import CODECS, codec_of
from edge_agent.formats.codec import Header
from edge_agent.formats.encode import jpeg_bytes, png_bytes, tiff_bytes
from edge_agent.formats.limits import admit_header, admit_planes, admit_size
from edge_agent.testing.drops import load_picture, png_file


def read(data):
    file = io.BytesIO(data)
    codec = codec_of(file)
    header = codec.header(file, len(data))
    assert codec.is_whole(file, len(data))
    return header, codec.decode(file, header)


def test_each_file_is_known_by_its_content_alone():
    picture = load_picture(bits=8)
    assert [codec_of(io.BytesIO(data)).name for data in (png_bytes(picture), jpeg_bytes(picture), tiff_bytes(picture))] == [
        "png",
        "jpeg",
        "tiff",
    ]


def test_an_unavailable_codec_says_why():
    uff = next(codec for codec in CODECS if codec.name == "uff")
    assert "not public" in uff.unavailable


def test_text_is_no_picture():
    with pytest.raises(UnsupportedFormat):
        codec_of(io.BytesIO(b"container ZZZU6304941, see attached"))


@pytest.mark.parametrize("data", [b"", b"\x89PN", b"II*", bytes(4096)])
def test_too_little_content_is_not_judged(data):
    assert codec_of(io.BytesIO(data)) is None


def test_a_colour_jpeg_of_equal_channels_is_grey():
    grey = load_picture(bits=8)
    header, pixels = read(jpeg_bytes(np.repeat(grey[:, :, None], 3, axis=2)))
    assert header.channels == 3
    assert pixels.ndim == 2


def test_a_true_colour_picture_keeps_its_channels_in_rgb_order():
    colour = np.zeros((5, 7, 3), np.uint8)
    colour[:, :, 0] = 200
    _, pixels = read(png_bytes(colour))
    assert pixels.shape == (5, 7, 3)
    assert tuple(pixels[0, 0]) == (200, 0, 0)


def test_an_opaque_alpha_channel_is_dropped_and_a_transparent_one_refused():
    opaque = np.dstack([np.full((4, 4, 3), 7, np.uint8), np.full((4, 4), 255, np.uint8)])
    assert read(cv2.imencode(".png", opaque)[1].tobytes())[1].shape == (4, 4)
    opaque[0, 0, 3] = 0
    with pytest.raises(UnsupportedFormat):
        read(cv2.imencode(".png", opaque)[1].tobytes())


@pytest.mark.parametrize(("depth", "colour"), [(1, 0), (4, 0), (16, 2), (8, 4), (16, 6), (3, 0)])
def test_png_variants_that_would_lose_or_invent_precision_are_refused(depth, colour):
    data = png_file(4, 4, b"", depth, colour)
    with pytest.raises(UnsupportedFormat):
        codec_of(io.BytesIO(data)).header(io.BytesIO(data), len(data))


def test_a_tiff_whose_white_is_zero_is_turned_to_bright_is_air():
    picture, out = load_picture(), io.BytesIO()
    tifffile.imwrite(out, picture, photometric="miniswhite")
    np.testing.assert_array_equal(65535 - picture, read(out.getvalue())[1])


def test_big_endian_and_big_tiff_give_native_pixels():
    picture = load_picture()
    for options in ({"byteorder": ">"}, {"bigtiff": True}, {"byteorder": ">", "bigtiff": True, "rowsperstrip": 7}):
        out = io.BytesIO()
        tifffile.imwrite(out, picture, photometric="minisblack", **options)
        pixels = read(out.getvalue())[1]
        assert pixels.dtype == np.uint16
        assert pixels.dtype.isnative
        np.testing.assert_array_equal(picture, pixels)


def test_lzw_with_the_directory_at_the_end_is_read():
    picture = load_picture()
    np.testing.assert_array_equal(picture, read(cv2.imencode(".tiff", picture, [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes())[1])


def pages_of_two_sizes(out):
    with tifffile.TiffWriter(out) as tiff:
        for height in (8, 9):
            tiff.write(np.zeros((height, 9), np.uint16), photometric="minisblack")


@pytest.mark.parametrize(
    "write",
    [
        pages_of_two_sizes,
        lambda out: tifffile.imwrite(out, np.zeros((8, 9, 3), np.uint8), photometric="rgb"),
        lambda out: tifffile.imwrite(out, np.zeros((8, 9), np.float32)),
        lambda out: tifffile.imwrite(out, np.zeros((8, 9), np.int16)),
        lambda out: tifffile.imwrite(out, np.zeros((8, 9), np.uint16), compression="lzma"),
    ],
    ids=["pages", "rgb", "float", "signed", "compression"],
)
def test_other_tiff_variants_are_refused(write):
    out = io.BytesIO()
    write(out)
    with pytest.raises(UnsupportedFormat):
        codec_of(out).header(out, len(out.getvalue()))


def test_a_sparse_tiff_is_refused_for_its_holes_would_be_opaque_cargo():
    data = bytearray(tiff_bytes(load_picture(600, 600), "deflate"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tiff:
        counts = tiff.pages[0].tags["TileByteCounts"].valueoffset
    data[counts : counts + 4] = bytes(4)
    with pytest.raises(UnreadableScan):
        codec_of(io.BytesIO(data)).header(io.BytesIO(data), len(data))


@pytest.mark.parametrize("coding", [0xC3, 0xC9, 0xCF])
def test_jpeg_codings_that_no_scanner_writes_are_refused(coding):
    data = bytearray(jpeg_bytes(load_picture(bits=8)))
    data[data.index(b"\xff\xc0") + 1] = coding
    with pytest.raises(UnsupportedFormat):
        codec_of(io.BytesIO(data)).header(io.BytesIO(data), len(data))


def test_a_jpeg_with_two_frames_is_refused():
    data = jpeg_bytes(load_picture(bits=8))
    start = data.index(b"\xff\xc0")
    end = start + 2 + struct.unpack(">H", data[start + 2 : start + 4])[0]
    doubled = data[:end] + data[start:end] + data[end:]
    with pytest.raises(UnreadableScan):
        codec_of(io.BytesIO(doubled)).header(io.BytesIO(doubled), len(doubled))


def test_a_thumbnail_inside_a_jpeg_does_not_end_it():
    data = jpeg_bytes(load_picture(bits=8))
    thumbnail = b"\xff\xe1" + struct.pack(">H", 2 + len(data)) + data
    with_thumbnail = data[:2] + thumbnail + data[2:]
    codec = codec_of(io.BytesIO(with_thumbnail))
    assert codec.is_whole(io.BytesIO(with_thumbnail), len(with_thumbnail))
    cut = with_thumbnail[: 2 + len(thumbnail) + 300]
    assert not codec.is_whole(io.BytesIO(cut), len(cut))


def test_limits_are_inclusive():
    limits = Limits(max_pixels=100, max_planes=2, max_file_bytes=10)
    admit_header(Header(10, 10, 1, 8), limits)
    admit_planes(2, limits)
    admit_size(10, limits)
    for over in (lambda: admit_header(Header(101, 1, 1, 8), limits), lambda: admit_planes(3, limits), lambda: admit_size(11, limits)):
        with pytest.raises(LimitExceeded):
            over()


@pytest.mark.parametrize(
    ("encode", "pixels"),
    [
        (png_bytes, np.zeros((0, 4), np.uint8)),
        (png_bytes, np.zeros((2, 4, 3), np.uint16)),
        (png_bytes, np.zeros((2, 4), np.float32)),
        (jpeg_bytes, np.zeros((2, 4), np.uint16)),
        (tiff_bytes, np.zeros((2, 4, 3), np.uint8)),
    ],
)
def test_encoders_refuse_what_they_cannot_keep(encode, pixels):
    with pytest.raises(ValueError, match="cannot encode"):
        encode(pixels)
