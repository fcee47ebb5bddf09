"""Pictures in plain Python: what OpenCV wrote is read to the pixel, and nothing else is believed."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_agent.console.picture import GreyPicture, read_png
from edge_agent.errors import MalformedMessage
from edge_agent.formats.encode import png_bytes

FILTERS = {"none": 8, "sub": 16, "up": 32, "average": 64, "paeth": 128, "all": 248}
PIXELS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))
GOOD = png_bytes(np.arange(60, dtype=np.uint8).reshape(6, 10))


def encoded(pixels, line_filter):
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, FILTERS[line_filter]])
    assert done
    return data.tobytes()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width=2, height=1, form=(8, 0, 0, 0, 0), lines=b"\x00\x01\x02"):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *form))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


@given(PIXELS, st.sampled_from(sorted(FILTERS)))
def test_every_line_filter_is_undone_to_the_pixel(pixels, line_filter):
    picture = read_png(encoded(pixels, line_filter))
    assert pixels.tobytes() == picture.pixels
    assert pixels.shape == (picture.height, picture.width)


def test_a_picture_made_by_hand_is_read():
    assert GreyPicture(2, 1, b"\x01\x02") == read_png(png())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        GOOD[:40],
        GOOD[:-12],
        GOOD.replace(b"IDAT", b"IDAX"),
        png(form=(16, 0, 0, 0, 0)),
        png(form=(8, 2, 0, 0, 0)),
        png(form=(8, 0, 0, 0, 1)),
        png(width=0),
        png(width=1 << 20, height=1 << 20),
        png(height=2),
        png(lines=b"\x09\x01\x02"),
        png_bytes(np.zeros((4, 4, 3), np.uint8)),
        png_bytes(np.zeros((4, 4), np.uint16)),
    ],
    ids=[
        "nothing", "no PNG", "cut", "no end", "altered", "16 bits", "colour", "interlaced", "no width", "a bomb", "too few lines",
        "no such filter", "OpenCV's colour", "OpenCV's 16 bits",
    ],
)  # fmt: skip
def test_what_is_no_whole_8_bit_grey_picture_is_refused(content):
    with pytest.raises(MalformedMessage):
        read_png(content)


def test_a_picture_that_unpacks_to_more_than_it_says_is_never_unpacked_further():
    picture = read_png(png(lines=b"\x00\x01\x02" + bytes(50_000_000)))
    assert picture.pixels == b"\x01\x02"


@settings(max_examples=300)
@given(st.binary(max_size=80), st.integers(0, 60))
def test_any_bytes_give_a_picture_or_a_refusal(noise, at):
    content = GOOD[:at] + noise + GOOD[at + len(noise) :]
    try:
        picture = read_png(content)
    except MalformedMessage:
        return
    assert len(picture.pixels) == picture.width * picture.height
