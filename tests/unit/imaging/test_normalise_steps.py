"""Raw detector signals become transmission, and what a detector loses is mended: checked against what a made-up scanner saw."""

import cv2
import numpy as np
import pytest

from edge_agent.domain.profile import Normalise
from edge_agent.domain.scan import Operation
from edge_agent.imaging.lines import faulty_lines
from edge_agent.imaging.normalise import crop, levels, replay
from edge_agent.imaging.polarity import polarity
from edge_agent.testing.drops import load_picture

RNG = np.random.default_rng(3)


def truth(height=80, width=200) -> np.ndarray:
    """Transmission (h, w) in [0, 1]: air at both ends, a load between them."""
    picture = np.ones((height, width))
    picture[10:70, 40:160] = np.linspace(0.1, 0.9, 120)
    return picture


def detected(transmission: np.ndarray) -> np.ndarray:
    """What uneven detectors make of it: every row with its own gain and its own dark level; columns 0 to 7 without beam."""
    gain = RNG.uniform(20000, 40000, len(transmission))[:, None]
    dark = RNG.uniform(300, 900, len(transmission))[:, None]
    raw = dark + gain * transmission
    raw[:, :8] = dark
    return np.rint(raw).astype(np.uint16)


def test_air_and_dark_columns_take_the_gains_of_the_detectors_out():
    transmission = truth()
    pixels, operations = levels(detected(transmission), Normalise(air_columns=(10, 30), dark_columns=(0, 8)))
    assert [operation.name for operation in operations] == ["polarity", "air-dark"]
    np.testing.assert_allclose(pixels[:, 8:] / 65535.0, transmission[:, 8:], atol=1.5e-4)
    assert (pixels[:, :8] == 0).all()


def test_references_of_another_measurement_can_be_put_in_by_hand():
    transmission = truth()
    raw = np.rint(500 + 30000 * transmission).astype(np.uint16)
    rows = len(raw)
    step = Operation("air-dark", (("white", (30500,) * rows), ("black", (500,) * rows)))
    np.testing.assert_allclose(replay(raw, (step,)) / 65535.0, transmission, atol=1e-4)


def test_a_detector_without_air_signal_gives_opaque_rows_and_repair_mends_them():
    raw = detected(truth())
    raw[33] = 700
    rule = Normalise(air_columns=(10, 30), dark_columns=(0, 8))
    assert (levels(raw, rule)[0][33] == 0).all()
    mended, operations = levels(raw, Normalise(air_columns=(10, 30), dark_columns=(0, 8), repair=True))
    assert operations[-1].value("rows") == (33,)
    np.testing.assert_allclose(mended[33].astype(int), mended[32].astype(int), atol=40)


def test_air_that_is_dark_in_the_file_is_bright_afterwards():
    raw = np.rint(4000 - 3000 * truth()).astype(np.uint16)
    pixels, operations = levels(raw, Normalise(polarity="dark-air", white=1000, black=4000))
    assert operations[0].value("inverted") is True
    np.testing.assert_allclose(pixels / 65535.0, truth(), atol=4e-4)


@pytest.mark.parametrize("bits", [8, 16])
def test_polarity_is_told_and_turned_round_only_where_the_profile_asks(bits):
    upright = load_picture(200, 300, bits=bits, seed=2)
    inverted = np.invert(upright)
    assert ("bright-air", "dark-air") == (polarity(upright), polarity(inverted))
    np.testing.assert_array_equal(inverted, levels(inverted, Normalise())[0])
    np.testing.assert_array_equal(upright, levels(inverted, Normalise(polarity="detect"))[0])
    np.testing.assert_array_equal(upright, levels(upright, Normalise(polarity="detect"))[0])
    (recorded,) = levels(inverted, Normalise(polarity="dark-air"))[1]
    assert {"configured": "dark-air", "found": "dark-air", "inverted": True} == dict(recorded.params)


@pytest.mark.parametrize("pixels", [np.zeros((30, 40), np.uint16), np.full((30, 40, 3), 255, np.uint8), np.zeros((1, 1), np.uint8)])
def test_a_picture_without_contrast_has_no_polarity(pixels):
    assert polarity(pixels) == "unknown"


def test_a_picture_without_the_named_columns_is_an_error_not_a_guess():
    with pytest.raises(ValueError, match="columns"):
        levels(load_picture(40, 60), Normalise(air_columns=(100, 120)))


@pytest.mark.parametrize("lines", [(20,), (20, 21), (20, 50, 51, 52), (30, 31, 32, 33, 34, 35, 36, 37)])
@pytest.mark.parametrize("kind", ["dead", "stuck", "noisy"])
@pytest.mark.parametrize("axis", [0, 1])
def test_dead_stuck_and_noisy_lines_are_found_and_nothing_else(lines, kind, axis):
    picture = cv2.GaussianBlur(load_picture(150, 160, seed=4), (0, 0), 2)
    lined = picture if axis == 0 else picture.T.copy()
    for line in lines:
        lined[line] = {"dead": 0, "stuck": 65535, "noisy": RNG.integers(0, 65536, lined.shape[1])}[kind]
    found = faulty_lines(lined if axis == 0 else lined.T)
    assert (lines, ()) == ((found.rows, found.columns) if axis == 0 else (found.columns, found.rows))


@pytest.mark.parametrize(
    "pixels",
    [
        load_picture(100, 200),
        np.pad(load_picture(100, 200), ((3, 3), (0, 0))),
        np.full((100, 200), 255, np.uint8),
        np.repeat(np.arange(100, dtype=np.uint16)[:, None] * 600, 200, axis=1),
    ],
    ids=["load", "black frame", "air", "steps"],
)
def test_frames_air_and_even_loads_are_no_faulty_lines(pixels):
    found = faulty_lines(pixels)
    assert (found.rows, found.columns) == ((), ())


def test_mended_lines_lie_on_the_straight_line_between_their_neighbours():
    picture = np.zeros((6, 4), np.uint16)
    picture[:, :] = (np.arange(6) * 100)[:, None]
    damaged = picture.copy()
    damaged[[0, 2, 3, 5]] = 7
    mended = replay(damaged, (Operation("repair", (("rows", (0, 2, 3, 5)), ("columns", ()))),))
    assert [100, 100, 200, 300, 400, 400] == mended[:, 0].tolist()


def test_a_crop_leaves_the_load_and_its_margin():
    picture = np.full((100, 200), 65000, np.uint16)
    picture[30:60, 50:120] = 20000
    (operation,) = crop(picture, Normalise(crop=True, crop_margin_px=4))
    assert (46, 26, 124, 64) == tuple(operation.value(name) for name in ("x0", "y0", "x1", "y1"))
    assert crop(np.full((100, 200), 65000, np.uint16), Normalise(crop=True)) == ()
    assert crop(picture, Normalise()) == ()


@pytest.mark.parametrize(
    "operation",
    [
        Operation("sharpen"),
        Operation("crop", (("x0", 5), ("y0", 0), ("x1", 5), ("y1", 4))),
        Operation("crop", (("x0", 0), ("y0", 0), ("x1", 99), ("y1", 4))),
        Operation("crop", (("x0", "a"), ("y0", 0), ("x1", 9), ("y1", 4))),
        Operation("scale", (("black", 9), ("white", 9))),
        Operation("air-dark", (("white", (1,)), ("black", (0,)))),
        Operation("repair", (("rows", (40,)), ("columns", ()))),
        Operation("repair", (("rows", 3), ("columns", ()))),
    ],
)
def test_operations_that_do_not_fit_are_refused(operation):
    with pytest.raises(ValueError, match=r"."):
        replay(load_picture(40, 60), (operation,))
