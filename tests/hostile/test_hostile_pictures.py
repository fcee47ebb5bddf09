"""Files made to hurt, given to the real child: refused in time, with the right word, and the child goes on or is replaced."""

import contextlib
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.domain.drop import Completeness
from edge_agent.domain.profile import Limits
from edge_agent.errors import LimitExceeded, ScanRejected, UnreadableScan, UnsupportedFormat
from edge_agent.formats.child import DecodeChild, MemberFile
from edge_agent.formats.encode import jpeg_bytes, png_bytes, tiff_bytes
from edge_agent.testing.drops import limited, load_picture, picture_profile, png_chunk, png_file

PROFILE = limited(picture_profile(), Limits(deadline_s=60.0, max_memory_bytes=2 << 30))


@pytest.fixture(scope="module")
def child():
    with DecodeChild() as started:
        started.start()
        yield started


def lay(folder, data, name="x.png"):
    path = folder / name
    path.write_bytes(data)
    return [MemberFile(name, "picture", path)]


def real_png_bomb():
    """30,000 x 30,000 grey pixels in under a megabyte: whole and valid, 0.9 GB when decoded."""
    packer = zlib.compressobj(9)
    row = bytes(30_001)
    body = b"".join(packer.compress(row) for _ in range(30_000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def tiff_with(tag, value, compression="none"):
    """A good TIFF with one LONG or SHORT tag's value overwritten."""
    data = bytearray(tiff_bytes(load_picture(), compression))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tiff:
        found = tiff.pages[0].tags[tag]
        struct.pack_into("<I" if found.dtype == 4 else "<H", data, found.valueoffset, value)
    return bytes(data)


def short_pixel_data():
    rows = b"".join(b"\x00" + bytes(60) for _ in range(20))
    return png_file(60, 40, rows)


def jpeg_cut_and_ended():
    whole = jpeg_bytes(load_picture(400, 600, bits=8))
    return whole[: len(whole) // 2] + b"\xff\xd9"


BOMBS = {
    "png-bomb": real_png_bomb,
    "png-header": lambda: png_file(0x7FFFFFFF, 0x7FFFFFFF, b""),
    "tiff": lambda: tiff_bytes(np.zeros((9000, 9000), np.uint8), "deflate"),
}


@pytest.mark.parametrize("kind", sorted(BOMBS))
def test_a_bomb_is_refused_by_its_header(child, tmp_path, kind):
    members, before = lay(tmp_path, BOMBS[kind]()), child.pid
    assert (Completeness.HOPELESS, "limit-exceeded") == (child.probe(members, PROFILE).completeness, child.probe(members, PROFILE).reason)
    with pytest.raises(LimitExceeded):
        child.decode(members, PROFILE)
    assert before == child.pid


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", UnreadableScan),
        (bytes(100_000), UnreadableScan),
        (b"Container ZZZU6304941: picture follows by mail.", UnsupportedFormat),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), UnreadableScan),
        (png_file(0, 40, b""), UnreadableScan),
        (short_pixel_data(), UnreadableScan),
        (png_bytes(load_picture())[:-20], UnreadableScan),
        (png_bytes(load_picture()).replace(b"IDAT", b"JUNK", 1), UnreadableScan),
        (b"\xff\xd8\xff\xd9" + bytes(20), UnreadableScan),
        (jpeg_bytes(load_picture(400, 600, bits=8))[:-1000], UnreadableScan),
        (jpeg_cut_and_ended(), UnreadableScan),
        (b"II*\x00" + bytes(100), UnreadableScan),
        (b"II*\x00\x08\x00\x00\x00" + b"\xff" * 5000, UnreadableScan),
        (tiff_with("StripOffsets", 0), UnreadableScan),
        (tiff_with("StripByteCounts", 10), UnreadableScan),
        (tiff_with("ImageWidth", 0), UnreadableScan),
        (tiff_with("ImageLength", 5000), UnreadableScan),
        (tiff_with("BitsPerSample", 12), UnsupportedFormat),
        (tiff_with("TileWidth", 1 << 24, "deflate"), UnreadableScan),
        (tiff_with("TileLength", 1 << 24, "zstd"), UnreadableScan),
        (tiff_with("TileWidth", 0, "deflate"), UnreadableScan),
        (tiff_with("SamplesPerPixel", 3), ScanRejected),
        (tiff_with("Compression", 7), ScanRejected),
        (cv2.imencode(".bmp", np.zeros((4, 4, 4), np.uint8))[1].tobytes(), UnsupportedFormat),
        (b"GIF89a" + bytes(100), UnsupportedFormat),
        (b"%PDF-1.7" + bytes(100), UnsupportedFormat),
        (b"PK\x03\x04" + bytes(100), UnsupportedFormat),
    ],
)
def test_a_bad_file_is_refused_with_the_right_word(child, tmp_path, data, error):
    with pytest.raises(error):
        child.decode(lay(tmp_path, data), PROFILE)


def test_a_tiff_directory_that_points_to_itself_is_read_once(child, tmp_path):
    data = bytearray(tiff_bytes(load_picture()))
    entries = struct.unpack_from("<H", data, 8)[0]
    struct.pack_into("<I", data, 10 + entries * 12, 8)
    assert len(child.decode(lay(tmp_path, bytes(data)), PROFILE).views) == 1


@pytest.mark.parametrize("length", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff"])
def test_a_cut_file_waits_as_long_as_it_may_still_grow_and_is_refused_then(child, tmp_path, kind, length):
    whole = {"png": png_bytes(load_picture()), "jpeg": jpeg_bytes(load_picture(bits=8)), "tiff": tiff_bytes(load_picture(), "zstd")}[kind]
    members = lay(tmp_path, whole[: int(length * len(whole))])
    assert Completeness.WAITING is child.probe(members, PROFILE).completeness
    with pytest.raises(UnreadableScan):
        child.decode(members, PROFILE)


@pytest.mark.parametrize("name", ["-rf.png", "a\nb.png", "\u202egnp.exe.png", "x" * 200 + ".png", "'; DROP TABLE job; --.png", "{0}%s.png"])
def test_a_strange_name_is_only_a_name(child, tmp_path, name):
    assert child.decode(lay(tmp_path, png_bytes(load_picture()), name), PROFILE).views
    assert name in child.probe(lay(tmp_path, png_bytes(load_picture()), name), PROFILE).members


FILES = [png_bytes(load_picture()), jpeg_bytes(load_picture(bits=8)), tiff_bytes(load_picture()), tiff_bytes(load_picture(), "deflate")]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(whole=st.sampled_from(FILES), edits=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_damage_brings_the_child_down(child, tmp_path, whole, edits):
    damaged = bytearray(whole)
    for at, value in edits:
        damaged[at % min(len(damaged), 400)] = value
    members, before = lay(tmp_path, bytes(damaged)), child.pid
    child.probe(members, PROFILE)
    with contextlib.suppress(UnreadableScan, UnsupportedFormat, LimitExceeded):
        child.decode(members, PROFILE)
    assert before == child.pid
