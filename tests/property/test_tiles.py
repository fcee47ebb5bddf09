"""Laws of the tile plan."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.geometry import Size
from edge_agent.imaging.tiles import Window, plan_tiles

SIZES = st.builds(Size, st.integers(1, 3000), st.integers(1, 3000))
TILES = st.integers(64, 900).flatmap(lambda tile: st.tuples(st.just(tile), st.integers(0, tile - 32)))


def _axis(windows: tuple[Window, ...], low: str, high: str) -> list[tuple[int, int]]:
    return sorted({(getattr(window, low), getattr(window, high)) for window in windows})


@settings(deadline=None)
@given(SIZES, TILES)
def test_every_pixel_lies_in_a_tile_and_no_tile_hangs_over(size: Size, tile: tuple[int, int]) -> None:
    windows = plan_tiles(size, *tile)
    columns, rows = _axis(windows, "x0", "x1"), _axis(windows, "y0", "y1")
    for spans, length in ((columns, size.width), (rows, size.height)):
        assert spans[0][0] == 0
        assert length == max(end for _, end in spans)
        assert all(later <= end for (_, end), (later, _) in itertools.pairwise(spans))
    assert len(columns) * len(rows) == len(windows) == len(set(windows))


@settings(deadline=None)
@given(SIZES, TILES)
def test_tiles_are_whole_where_the_picture_is_larger(size: Size, tile: tuple[int, int]) -> None:
    expected = Size(min(size.width, tile[0]), min(size.height, tile[0]))
    assert {expected} == {window.size for window in plan_tiles(size, *tile)}


@settings(deadline=None)
@given(SIZES, TILES)
def test_an_object_as_small_as_the_overlap_is_whole_in_one_tile(size: Size, tile: tuple[int, int]) -> None:
    windows = plan_tiles(size, *tile)
    for spans in (_axis(windows, "x0", "x1"), _axis(windows, "y0", "y1")):
        assert all(end - later >= tile[1] for (_, end), (later, _) in itertools.pairwise(spans))


@settings(deadline=None)
@given(SIZES, TILES)
def test_no_axis_has_a_tile_too_many(size: Size, tile: tuple[int, int]) -> None:
    tile_px, overlap_px = tile
    windows = plan_tiles(size, tile_px, overlap_px)
    for spans, length in ((_axis(windows, "x0", "x1"), size.width), (_axis(windows, "y0", "y1"), size.height)):
        fewer = len(spans) - 1
        reach = fewer * (tile_px - overlap_px) + overlap_px
        assert fewer == 0 or reach < length


def test_a_cargo_scan_of_2000_by_8000_takes_64_tiles() -> None:
    windows = plan_tiles(Size(8000, 2000), 640, 128)
    assert len(windows) == 64
    assert Window(0, 0, 640, 640) == windows[0]
    assert Window(512, 0, 1152, 640) == windows[1]
    assert Window(7360, 1360, 8000, 2000) == windows[-1]


def test_a_picture_smaller_than_a_tile_is_one_window_of_its_own_size() -> None:
    assert (Window(0, 0, 100, 50),) == plan_tiles(Size(100, 50), 640, 128)


@pytest.mark.parametrize(("tile_px", "overlap_px"), [(0, 0), (-1, 0), (64, 64), (64, 100), (64, -1)])
def test_a_plan_that_leads_nowhere_is_refused(tile_px: int, overlap_px: int) -> None:
    with pytest.raises(ValueError, match="cannot tile"):
        plan_tiles(Size(100, 100), tile_px, overlap_px)
