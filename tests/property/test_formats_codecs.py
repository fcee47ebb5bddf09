"""What goes into a lossless file comes out of it; what is cut off a file is noticed."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_agent.domain.geometry import Orientation
from edge_agent.domain.profile import Limits
from edge_agent.errors import ScanRejected
from edge_agent.formats.catalogue import codec_of
from edge_agent.formats.encode import jpeg_bytes, png_bytes, tiff_bytes
from edge_agent.formats.limits import admit_header
from edge_agent.imaging.normalise import canonical
from edge_agent.testing.drops import load_picture

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)
GREY = st.one_of(hnp.arrays(np.uint8, SHAPES), hnp.arrays(np.uint16, SHAPES))
COLOUR = hnp.arrays(np.uint8, SHAPES.map(lambda shape: (*shape, 3)))


def decoded(data):
    file = io.BytesIO(data)
    codec = codec_of(file)
    header = codec.header(file, len(data))
    admit_header(header, Limits())
    assert codec.is_whole(file, len(data))
    return codec.decode(file, header)


def is_whole(data):
    file = io.BytesIO(data)
    codec = codec_of(file)
    return codec is not None and codec.header(file, len(data)) is not None and codec.is_whole(file, len(data))


def assert_same(expected, found):
    assert expected.dtype == found.dtype
    np.testing.assert_array_equal(expected, found)


@given(GREY)
def test_png_keeps_every_grey_picture(pixels):
    assert_same(pixels, decoded(png_bytes(pixels)))


@given(GREY, st.sampled_from(["none", "deflate", "zstd"]))
@settings(deadline=None)
def test_tiff_keeps_every_grey_picture_and_its_bytes_depend_on_it_alone(pixels, compression):
    assert_same(pixels, decoded(tiff_bytes(pixels, compression)))
    assert tiff_bytes(pixels, compression) == tiff_bytes(pixels.copy(), compression)


@given(COLOUR)
def test_png_keeps_colour_and_reduces_equal_channels_to_grey(pixels):
    is_grey = bool((pixels[:, :, :1] == pixels).all())
    assert_same(pixels[:, :, 1] if is_grey else pixels, decoded(png_bytes(pixels)))


WHOLE_FILES = {
    "png8": png_bytes(load_picture(bits=8)),
    "png16": png_bytes(load_picture()),
    "tiff": tiff_bytes(load_picture()),
    "tiff-deflate": tiff_bytes(load_picture(), "deflate"),
    "tiff-zstd": tiff_bytes(load_picture(530, 600), "zstd"),
    "jpeg": jpeg_bytes(load_picture(bits=8)),
    "jpeg-colour": jpeg_bytes(np.dstack([load_picture(bits=8, seed=seed) for seed in range(3)])),
}


@pytest.mark.parametrize("kind", sorted(WHOLE_FILES))
def test_every_cut_of_a_file_is_unfinished_never_whole_and_never_hopeless(kind):
    whole = WHOLE_FILES[kind]
    step = max(1, len(whole) // 3000)
    lengths = [*range(min(len(whole), 800)), *range(800, len(whole), step), len(whole) - 1]
    assert [length for length in lengths if is_whole(whole[:length])] == []
    assert is_whole(whole)


@given(st.sampled_from(sorted(WHOLE_FILES)), st.data())
@settings(deadline=None, max_examples=300)
def test_a_damaged_file_gives_pixels_of_the_announced_size_or_a_refusal(kind, data):
    damaged = bytearray(WHOLE_FILES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    file = io.BytesIO(bytes(damaged))
    try:
        codec = codec_of(file)
        header = codec.header(file, len(damaged)) if codec is not None else None
        if codec is None or header is None or not codec.is_whole(file, len(damaged)):
            return
        admit_header(header, Limits(max_pixels=1 << 20))
        pixels = codec.decode(file, header)
    except ScanRejected:
        return
    assert (header.height, header.width) == pixels.shape[:2]
    assert pixels.dtype in (np.uint8, np.uint16)


@given(GREY, st.booleans(), st.booleans())
def test_turning_twice_by_a_flip_gives_the_picture_back(pixels, flipped_x, flipped_y):
    orientation = Orientation(flipped_x=flipped_x, flipped_y=flipped_y)
    assert_same(pixels, canonical(canonical(pixels, orientation), orientation))
