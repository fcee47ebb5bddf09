"""What the viewer paints is the plane: every grey of 16 bits, every pixel at its place, no seam between tiles.

The pictures are taken once for all laws: each costs a software renderer a second or two.
"""

import cv2
import numpy as np
import pytest

from tests.console.viewer_page import Planes, painted, viewer

HEIGHT, WIDTH = 700, 1301
"""Neither is a multiple of the tile's side; the width is more than the screen's."""
GREYS = (0, 30_000, 65_534)
THIRD = HEIGHT // len(GREYS)
RESOLUTIONS = (4.0, 2.0, 1.5, 0.5)


def random_bits():
    """Each third of the rows holds one of ``GREYS`` or the next grey at random: no two places of it look alike."""
    rng = np.random.default_rng(8)
    base = np.array(GREYS).repeat([THIRD, THIRD, HEIGHT - 2 * THIRD])
    return (base[:, None] + rng.integers(0, 2, (HEIGHT, WIDTH))).astype(np.uint16)


def slope():
    """A plane whose grey tells the place, without any step."""
    rows, columns = np.mgrid[0:1600, 0:2600]
    return (10_000 + 12 * columns + 8 * rows).astype(np.uint16)


@pytest.fixture(scope="module")
def shots(chromium):
    """What is painted of the random bits at true size, by window, inverted, and mixed with a constant second energy."""
    plane = random_bits()

    async def law(stage):
        page = await viewer(stage, Planes(high=plane, low=np.full((HEIGHT, WIDTH), 50_000, np.uint16)))
        await page.evaluate("pic.trueSize()")
        taken = {}
        for low in (0, 29_999, 30_000, 30_001, 65_534):
            await page.evaluate(f"pic.setShade({{low: {low}, high: {low + 1}}})")
            taken[low] = await painted(page)
        await page.evaluate("pic.setShade({low: 30000, high: 30001, invert: true})")
        taken["inverted"] = await painted(page)
        await page.evaluate("pic.setShade({low: 0, high: 65535, invert: false, mix: 0.25})")
        taken["mixed"] = await painted(page)
        taken["samples"] = [await page.evaluate(f"[pic.placeAt([{x}, {y}]), pic.samplesAt([{x}, {y}])]") for x, y in SPOTS]
        return taken

    return chromium.run(law)


SPOTS = ((10, 60), (640, 400), (1270, 740))


@pytest.fixture(scope="module")
def slopes(chromium):
    """What is painted of the slope, by resolution (px of the plane a px of the screen), and which place is at the left top."""

    async def law(stage):
        page = await viewer(stage, Planes(high=slope()))
        taken = {}
        for resolution in RESOLUTIONS:
            await page.evaluate(f"pic.map.getView().setResolution({resolution})")
            shot = await painted(page)
            taken[resolution] = (shot[:, :, 0].astype(float), *await page.evaluate("pic.placeAt([0, 0])"))
        return taken

    return chromium.run(law)


def seen_of(shots, plane):
    """Where the screen's left top pixel lies in the plane, found by the only 24 x 24 px that look as the screen's middle does."""
    looks = np.ascontiguousarray((plane == 30_001) * np.uint8(255), dtype=np.uint8)
    seen = np.ascontiguousarray(shots[30_000][388:412, 400:424, 0])
    places = np.argwhere(cv2.matchTemplate(looks, seen, cv2.TM_SQDIFF) < 255**2 / 2)
    assert len(places) == 1, f"the picture's middle is at {len(places)} places of the plane"
    y, x = places[0]
    return int(x) - 400, int(y) - 388


@pytest.mark.parametrize("grey", GREYS)
def test_at_true_size_a_window_of_one_grey_tells_it_from_the_next_at_every_pixel(shots, grey):
    plane = random_bits()
    left, top = seen_of(shots, plane)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(WIDTH, left + 1280), min(HEIGHT, top + 800)
    assert (700, 1280) == (y1 - y0, x1 - x0)  # three tiles wide, two high: their seams are in it
    seen = shots[grey][y0 - top : y1 - top, x0 - left : x1 - left]
    wanted = np.where(plane[y0:y1, x0:x1] >= grey + 1, 255, 0)
    assert 0 == np.count_nonzero(seen != wanted[:, :, None])


@pytest.mark.parametrize(("low", "colour"), [(29_999, 255), (30_001, 0)])
def test_a_window_beside_the_greys_shows_all_of_them_alike(shots, low, colour):
    assert {colour} == set(np.unique(shots[low][300:500, 10:1270]))


def test_inverting_swaps_black_and_white_and_nothing_else(shots):
    assert np.array_equal(255 - shots[30_000][60:740], shots["inverted"][60:740])


def test_two_energies_are_mixed_by_their_shares(shots):
    wanted = (0.75 * 30_000 + 0.25 * 50_000) * 255 / 65_535
    assert round(wanted) == shots["mixed"][400, 640, 0]


def test_the_sample_under_the_pointer_is_the_stored_one(shots):
    plane = random_bits()
    for (x, y), seen in shots["samples"]:
        assert [int(plane[int(y), int(x)]), 50_000] == seen


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_every_place_is_painted_where_it_lies_and_no_seam_shows_between_tiles(slopes, resolution):
    shot, x0, y0 = slopes[resolution]
    ys, xs = np.mgrid[0:800, 0:1280]
    x, y = x0 + (xs + 0.5) * resolution, y0 + (ys + 0.5) * resolution
    inside = (x > 4) & (x < 2596) & (y > 4) & (y < 1596)
    wanted = (10_000 + 12 * (x - 0.5) + 8 * (y - 0.5)) * 255 / 65_535
    assert np.count_nonzero(inside) > 100_000
    assert np.abs(shot - wanted)[inside].max() < 1.2  # half a grey of the screen, and half a pixel of the coarse level
