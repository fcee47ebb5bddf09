"""Laws of the dark area."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import Energy, Plane, Quantity
from edge_agent.imaging.dark import dark_area, dark_regions

SEEDS = st.integers(0, 2**32 - 1)
AIR, LOAD, BLACK = 60000, 9000, 3


def cargo(height: int, width: int, black: tuple[int, int, int, int]) -> Plane:
    """Give a load with air around it and one black rectangle (x0, y0, x1, y1) in it."""
    pixels = np.full((height, width), 65535, dtype=np.uint16)
    pixels[height // 10 : -height // 10, width // 10 : -width // 10] = LOAD
    x0, y0, x1, y1 = black
    pixels[y0:y1, x0:x1] = BLACK
    return Plane(Quantity.TRANSMISSION, Energy.HIGH, pixels)


@settings(max_examples=30, deadline=None)
@given(st.integers(200, 1600), st.integers(200, 1600), st.floats(0.2, 0.5), st.floats(0.2, 0.5))
def test_a_black_rectangle_is_found_where_it_is(height: int, width: int, x: float, y: float) -> None:
    black = (int(x * width), int(y * height), int((x + 0.3) * width), int((y + 0.3) * height))
    found = dark_area(cargo(height, width, black))
    load = (height - 2 * (height // 10)) * (width - 2 * (width // 10))
    area = (black[2] - black[0]) * (black[3] - black[1])
    assert abs(found.share - area / load) < 0.04
    assert len(found.boxes) == 1
    box = found.boxes[0]
    distance = max(abs(a - b) for a, b in zip((box.x0, box.y0, box.x1, box.y1), black, strict=True))
    assert distance <= 0.02 * max(height, width)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.2, 1.5))
def test_share_and_boxes_agree_with_the_mask(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 1.8, (12, 20)).astype(np.float32)
    values = np.kron(coarse, np.ones((10, 10), dtype=np.float32))
    load = values > 0.1
    found = dark_regions(values, load, threshold)
    assert found.share == np.count_nonzero(found.mask) / np.count_nonzero(load)
    assert not (found.mask & ~load).any()
    covered = np.zeros_like(found.mask)
    for box in found.boxes:
        covered[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = True
    assert len(found.boxes) == 16 or not (found.mask & ~covered).any()


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_a_lower_threshold_never_makes_less_dark(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.kron(rng.uniform(0, 1.8, (8, 8)), np.ones((12, 12))).astype(np.float32)
    load = np.ones(values.shape, dtype=np.bool_)
    shares = [dark_regions(values, load, threshold).share for threshold in (0.2, 0.6, 1.0, 1.4)]
    assert sorted(shares, reverse=True) == shares


def test_air_alone_has_no_dark_share() -> None:
    air = Plane(Quantity.TRANSMISSION, Energy.HIGH, np.full((300, 400), 65535, dtype=np.uint16))
    found = dark_area(air)
    assert (found.share, found.boxes) == (0.0, ())


def test_a_picture_that_is_black_all_over_is_dark_all_over() -> None:
    black = Plane(Quantity.TRANSMISSION, Energy.HIGH, np.zeros((300, 400), dtype=np.uint16))
    found = dark_area(black)
    assert (found.share, found.boxes) == (1.0, (Box(0, 0, 400, 300),))


def test_noise_does_not_make_a_dark_area_look_judgeable() -> None:
    rng = np.random.default_rng(3)
    plane = cargo(400, 600, (200, 150, 400, 250))
    noisy = plane.pixels.astype(np.float64)
    noisy += rng.normal(0, 20, noisy.shape)
    found = dark_area(Plane(Quantity.TRANSMISSION, Energy.HIGH, np.clip(noisy, 0, 65535).astype(np.uint16)))
    clean = dark_area(plane)
    assert abs(found.share - clean.share) < 0.01


def test_a_thin_post_is_no_dark_area() -> None:
    plane = cargo(600, 900, (300, 60, 302, 540))
    assert dark_area(plane).boxes == ()


def test_in_display_pictures_grey_12_is_dark_and_grey_30_is_not() -> None:
    grey = np.full((300, 500), 255, dtype=np.uint8)
    grey[30:270, 50:450] = 120
    grey[100:200, 100:200] = 12
    grey[100:200, 300:400] = 30
    found = dark_area(Plane(Quantity.DISPLAY, Energy.SINGLE, grey))
    assert len(found.boxes) == 1
    assert found.boxes[0].x1 <= 202
    assert abs(found.share - 100 * 100 / (240 * 400)) < 0.01


def test_colour_display_pictures_are_judged_by_their_luminance() -> None:
    grey = np.full((300, 500), 255, dtype=np.uint8)
    grey[30:270, 50:450] = 120
    grey[100:200, 100:200] = 3
    colour = np.repeat(grey[..., None], 3, axis=2)
    as_grey = dark_area(Plane(Quantity.DISPLAY, Energy.SINGLE, grey))
    assert dark_area(Plane(Quantity.DISPLAY, Energy.SINGLE, colour)).share == as_grey.share


def test_a_region_limits_the_judgement_to_the_container() -> None:
    plane = cargo(600, 900, (600, 200, 800, 400))
    left = dark_area(plane, Box(0, 0, 500, 600))
    assert (left.share, left.boxes) == (0.0, ())
    assert dark_area(plane, Box(600, 200, 800, 400)).share > 0.95


def test_the_largest_area_comes_first() -> None:
    plane = cargo(600, 900, (600, 200, 700, 300))
    pixels = plane.pixels.copy()
    pixels[150:450, 150:400] = BLACK
    found = dark_area(Plane(Quantity.TRANSMISSION, Energy.HIGH, pixels))
    assert len(found.boxes) == 2
    assert found.boxes[0].area > found.boxes[1].area
    assert found.boxes[0].x0 < 200
