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
