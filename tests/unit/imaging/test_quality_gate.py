"""What is wrong with a picture is found and named; what is right with it is left alone."""

import cv2
import numpy as np
import pytest

from edge_agent.domain.scan import Energy, Operation, Plane, Quantity
from edge_agent.imaging.quality import faults
from edge_agent.testing.drops import load_picture

GOOD = load_picture(300, 500, seed=1)


def plane(pixels, *operations):
    quantity = Quantity.TRANSMISSION if pixels.dtype == np.uint16 else Quantity.DISPLAY
    return Plane(quantity, Energy.SINGLE, pixels.copy(), operations)


def codes(pixels, *operations):
    return [fault.code for fault in faults(plane(pixels, *operations))]


def with_rows(rows, value):
    picture = GOOD.copy()
    picture[rows] = value
    return picture


def thresholded(pixels):
    return np.where(pixels > 40000, 65535, 0).astype(np.uint16)


def noisy(level, noise, bits=16, shape=(300, 500)):
    """A level, or a picture of levels, with noise of this standard deviation; 1 = full scale."""
    full = (1 << bits) - 1
    picture = np.random.default_rng(0).normal(level, noise, shape) * full
    return np.clip(np.rint(picture), 0, full).astype(np.uint16 if bits == 16 else np.uint8)


def uniform(low, high, kind, shape=(300, 500)):
    return np.random.default_rng(0).integers(low, high, shape).astype(kind)


def with_speckles(pixels, share):
    """Salt and pepper on a share of the pixels."""
    rng = np.random.default_rng(0)
    chosen = rng.random(pixels.shape) < share
    return np.where(chosen, rng.choice([0, np.iinfo(pixels.dtype).max], pixels.shape), pixels).astype(pixels.dtype)


def painted(pixels, where, value):
    picture = pixels.copy()
    picture[where] = value
    return picture


def slope(low, high, noise=0.0):
    """From one level to another, from side to side."""
    return noisy(np.linspace(low, high, 500), noise)


def posts(noise):
    """The inside of an empty container: a wall a little darker than air, its corrugation, and posts."""
    wall = np.full((300, 1000), 0.88)
    wall[:, ::24] -= 0.02
    for x in range(40, 1000, 120):
        wall[:, x : x + 6] -= 0.1
    return noisy(wall, noise, shape=wall.shape)


AIR = np.clip(np.random.default_rng(0).normal(60000, 300, (300, 500)), 0, 65535).astype(np.uint16)
RGB = np.dstack([load_picture(300, 500, bits=8, seed=seed) for seed in range(3)])


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (GOOD, []),
        (load_picture(300, 500, bits=8), []),
        (RGB, []),
        (np.zeros((300, 500), np.uint16), ["constant"]),
        (np.full((300, 500), 65535, np.uint16), ["constant"]),
        (np.full((300, 500, 3), 128, np.uint8), ["constant"]),
        (AIR, ["all-air"]),
        (GOOD[:1], ["too-small"]),
        (GOOD[:, :15], ["too-small"]),
        (GOOD[:1, :1], ["too-small"]),
        (thresholded(GOOD), ["saturated"]),
        (with_rows([77, 130], 0), ["dead-lines"]),
        (np.invert(GOOD), ["polarity-doubtful"]),
        (cv2.GaussianBlur(GOOD, (0, 0), 7), ["blurred"]),
    ],
    ids=[
        "good16",
        "good8",
        "rgb",
        "black",
        "white",
        "grey",
        "air",
        "one-row",
        "narrow",
        "one-pixel",
        "saturated",
        "dead",
        "inverted",
        "blurred",
    ],
)
def test_each_fault_is_named_and_a_good_picture_has_none(pixels, expected):
    assert expected == codes(pixels)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (uniform(100, 103, np.uint8), ["constant"]),
        (noisy(0.305, 0.0046), ["constant"]),
        (noisy(0.0046, 0.0023), ["constant"]),
        (noisy(0.02, 0.02), ["constant"]),
        (noisy(0.35, 0.024, bits=8), ["constant"]),
        (painted(np.zeros((300, 500), np.uint16), (150, 250), 65535), ["constant"]),
        (painted(np.zeros((300, 500), np.uint16), 150, 65535), ["constant"]),
        (painted(painted(noisy(0.3, 0.01), 150, 65535), np.s_[:, 70:73], 0), ["constant"]),
        (painted(noisy(0.3, 0.01), np.s_[:, :4], 65535), ["constant"]),
        (with_speckles(np.full((300, 500), 60, np.uint8), 0.03), ["constant"]),
        (uniform(0, 1 << 16, np.uint16), ["noise-only"]),
        (uniform(0, 256, np.uint8), ["noise-only"]),
        (uniform(0, 256, np.uint8, (300, 500, 3)), ["noise-only"]),
        (with_speckles(np.full((300, 500), 60, np.uint8), 0.5), ["noise-only"]),
        (with_speckles(np.full((300, 500), 60, np.uint8), 1.0), ["noise-only"]),
        (noisy(0.5, 0.2), ["noise-only"]),
        (noisy(0.92, 0.03), ["all-air"]),
        (noisy(0.98, 0.015, bits=8), ["all-air"]),
        (with_speckles(noisy(0.92, 0.01), 0.0002), ["all-air"]),
        (painted(noisy(0.92, 0.02), 150, 0), ["all-air", "dead-lines"]),
        (slope(0.92, 0.89, noise=0.01), ["all-air"]),
        (slope(0.0, 1.0), ["blurred"]),
        (slope(0.2, 0.9, noise=0.02), ["blurred"]),
        (slope(0.3, 0.35), ["blurred"]),
        (slope(0.3, 0.35, noise=0.01), ["blurred"]),
        (np.dstack([(slope(0.1, 0.9) >> 8).astype(np.uint8)] * 3), ["blurred"]),
    ],
)
def test_a_picture_that_shows_nothing_is_named_whatever_its_noise(pixels, expected):
    assert expected == codes(pixels)


@pytest.mark.parametrize(
    "pixels",
    [
        painted(noisy(0.95, 0.015), np.s_[100:108, 200:208], 30000),
        painted(noisy(0.95, 0.015), np.s_[100:101, 50:350], 30000),
        painted(noisy(0.95, 0.025), np.s_[100:200, 200:300], 54000),
        painted(noisy(0.3, 0.01), np.s_[100:130, 200:230], 26000),
        posts(0.02),
        noisy(load_picture(300, 500, seed=4) / 65535, 0.08),
    ],
    ids=["thing", "wire", "pale", "dark", "posts", "noisy"],
)
def test_what_stands_out_from_the_noise_is_a_picture(pixels):
    assert not {"constant", "noise-only", "all-air", "blurred"} & set(codes(pixels))


@pytest.mark.parametrize("shape", [(400_000, 16), (16, 400_000)])
def test_a_strip_of_hundreds_of_thousands_of_rows_or_columns_is_judged(shape):
    assert ["noise-only"] == codes(uniform(0, 1 << 16, np.uint16, shape))


def test_counts_and_shares_come_with_a_fault():
    (fault,) = faults(plane(with_rows([77, 130], 0)))
    assert {"rows": 2, "columns": 0, "share": round(2 / 300, 4)} == fault.params


@pytest.mark.parametrize(
    ("found", "inverted", "doubtful"), [("dark-air", True, False), ("dark-air", False, True), ("bright-air", True, True)]
)
def test_a_recorded_polarity_counts_more_than_another_look(found, inverted, doubtful):
    record = Operation("polarity", (("found", found), ("inverted", inverted)))
    assert doubtful == ("polarity-doubtful" in codes(GOOD, record))


@pytest.mark.parametrize(("configured", "doubtful"), [("detect", True), ("dark-air", False), ("bright-air", False)])
def test_a_picture_that_does_not_tell_is_doubtful_only_where_the_profile_asks_it(configured, doubtful):
    record = Operation("polarity", (("configured", configured), ("found", "unknown"), ("inverted", configured == "dark-air")))
    assert doubtful == ("polarity-doubtful" in codes(GOOD, record))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("shape", [(16, 16), (17, 900), (700, 40), (64, 64)])
def test_pictures_of_any_shape_are_judged_without_an_error(shape, bits, seed):
    picture = np.random.default_rng(seed).integers(0, 1 << bits, shape).astype(np.uint8 if bits == 8 else np.uint16)
    assert isinstance(faults(plane(picture)), tuple)
