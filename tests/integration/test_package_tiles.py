"""Tiles of a package: the same pixels as the whole plane, at every level, and never a cut one."""

import itertools

import numpy as np
import pytest
import tifffile

from edge_agent.domain.geometry import Size
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import UnreadableScan
from edge_agent.formats.package import read_package, write_package
from edge_agent.formats.package_tiles import TileReader
from edge_agent.imaging.pyramid import coarser, level_sizes
from edge_agent.testing.drops import load_picture
from edge_agent.testing.factories import a_capture, particulars

HIGH = ("side", Quantity.TRANSMISSION, Energy.HIGH)
MATERIAL = ("side", Quantity.MATERIAL, Energy.SINGLE)
COLOUR = ("top", Quantity.DISPLAY, Energy.SINGLE)


@pytest.fixture
def scan():
    rows, columns = 700, 1301
    side = View(
        "side",
        (
            Plane(Quantity.TRANSMISSION, Energy.HIGH, load_picture(rows, columns)),
            Plane(Quantity.MATERIAL, Energy.SINGLE, load_picture(rows, columns, bits=8)),
        ),
        (5.0, 5.0),
    )
    top = View("top", (Plane(Quantity.DISPLAY, Energy.SINGLE, np.dstack([load_picture(600, 90, bits=8, seed=n) for n in range(3)])),), None)
    about = particulars()
    ref = ScannerRef(ScannerId("gate-1"), "sim-cargo")
    return Scan(ScanId("6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11"), 1, ref, a_capture(), about.subject, (side, top), about.declaration, ())


@pytest.fixture(params=["zstd", "deflate", "jxl"])
def package(request, scan, tmp_path):
    return write_package(scan, (), tmp_path / "a.scan.zip", request.param).path


def whole(reader, key, level):
    """The level put together from its tiles."""
    size = reader.sizes(*key)[level]
    rows = range(-(-size.height // 512))
    return np.concatenate([np.concatenate([reader.tile(key, level, c, r) for c in range(-(-size.width // 512))], axis=1) for r in rows])


def test_tiles_put_together_are_the_plane_and_its_levels(package, scan):
    with TileReader(package) as reader:
        for key, plane, is_mean in (
            (HIGH, scan.views[0].planes[0], True),
            (MATERIAL, scan.views[0].planes[1], False),
            (COLOUR, scan.views[1].planes[0], True),
        ):
            for level, expected in enumerate([plane.pixels, *coarser(plane.pixels, is_mean=is_mean)]):
                np.testing.assert_array_equal(expected, whole(reader, key, level))


def test_a_package_with_levels_reads_back_bit_by_bit(package, scan):
    for mine, theirs in zip(scan.views[0].planes, read_package(package).views[0].planes, strict=True):
        np.testing.assert_array_equal(mine.pixels, theirs.pixels)


@pytest.mark.parametrize(("level", "column", "row"), [(0, 3, 0), (0, 0, 2), (9, 0, 0), (-1, 0, 0), (0, -1, 0)])
def test_what_lies_outside_is_no_tile(package, level, column, row):
    with TileReader(package) as reader, pytest.raises(IndexError):
        reader.tile(HIGH, level, column, row)


def test_a_plane_that_is_not_there_has_no_tile(package):
    with TileReader(package) as reader, pytest.raises(KeyError):
        reader.tile(("side", Quantity.TRANSMISSION, Energy.LOW), 0, 0, 0)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"no zip at all"])
def test_what_is_no_package_is_refused(tmp_path, content):
    path = tmp_path / "a.scan.zip"
    path.write_bytes(content)
    with pytest.raises(UnreadableScan):
        TileReader(path)


def test_levels_lie_where_pyramid_viewers_look_for_them(scan, tmp_path):
    from edge_agent.formats.encode import tiff_bytes

    pixels = scan.views[0].planes[0].pixels
    path = tmp_path / "plane.tif"
    path.write_bytes(tiff_bytes(pixels, "deflate", coarser(pixels, is_mean=True)))
    with tifffile.TiffFile(path) as tiff:
        assert 1 == len(tiff.pages)
        assert [(700, 1301), (350, 651), (175, 326)] == [level.shape for level in tiff.series[0].levels]


@pytest.mark.parametrize("side", [(1, 1), (512, 512), (513, 1), (8000, 2000), (1, 70000)])
def test_levels_halve_until_one_fits_a_tile(side):
    sizes = level_sizes(Size(*side))
    assert Size(*side) == sizes[0]
    assert max(sizes[-1].width, sizes[-1].height) <= 512
    for larger, smaller in itertools.pairwise(sizes):
        assert ((larger.width + 1) // 2, (larger.height + 1) // 2) == (smaller.width, smaller.height)
