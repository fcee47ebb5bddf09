"""The container fit on drawn containers: walls, posts, castings, floor, load, chassis, at any pitch."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.imaging.scale import LENGTHS_MM, fit_container

SEEDS = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Drawn:
    values: np.ndarray
    box: tuple[float, float, float, float]
    pitch_mm: tuple[float, float]


def draw(length_mm: int, pitch_mm: tuple[float, float], rng: np.random.Generator, *, on_chassis: bool, loaded: bool) -> Drawn:
    """Draw the density of a side view, in the scale of 8-bit display pictures."""
    height_mm = LENGTHS_MM[length_mm]
    left_mm, top_mm = rng.uniform(300, 2500, 2) * (1, 0.3)
    below_mm = 1400.0 if on_chassis else 30.0
    right_mm = rng.uniform(300, 2500)
    shape_mm = (top_mm + height_mm + below_mm, left_mm + length_mm + right_mm)
    values = np.zeros((round(shape_mm[0] / pitch_mm[1]), round(shape_mm[1] / pitch_mm[0])), dtype=np.float32)

    def add(x0: float, y0: float, x1: float, y1: float, density: float) -> None:
        """Add a rectangle given in mm from the container's upper left corner."""
        rows = slice(round((top_mm + y0) / pitch_mm[1]), max(0, round((top_mm + y1) / pitch_mm[1])))
        columns = slice(max(0, round((left_mm + x0) / pitch_mm[0])), max(0, round((left_mm + x1) / pitch_mm[0])))
        values[rows, columns] += density

    add(0, 0, length_mm, height_mm, 0.11)
    for x0 in (0, length_mm - 178):
        add(x0 + 20, 0, x0 + 158, height_mm, 0.3)
        add(x0, 0, x0 + 178, 118, 0.8)
        add(x0 + 60, 40, x0 + 120, 80, -0.7)
        add(x0, height_mm - 118, x0 + 178, height_mm, 0.8)
    add(0, height_mm - 160, length_mm, height_mm, 0.35)
    if loaded:
        for x0 in np.arange(500, length_mm - 700, 700):
            add(x0, height_mm * rng.uniform(0.2, 0.5), x0 + 650, height_mm - 160, 0.8)
    if on_chassis:
        add(400, height_mm, length_mm - 400, height_mm + 250, 0.4)
        for x0 in (length_mm * 0.6, length_mm * 0.75):
            add(x0, height_mm + 300, x0 + 1000, height_mm + 1300, 0.9)
        add(-left_mm, height_mm + 200, -left_mm + 600, height_mm + 1300, 0.9)
    values = np.clip(values + rng.normal(0, 0.004, values.shape), 0, 1.2).astype(np.float32)
    box = (left_mm / pitch_mm[0], top_mm / pitch_mm[1], (left_mm + length_mm) / pitch_mm[0], (top_mm + height_mm) / pitch_mm[1])
    return Drawn(values, box, pitch_mm)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([6058, 12192]), st.floats(4.0, 7.0), st.floats(0.8, 2.2), st.booleans(), st.booleans())
def test_the_box_the_length_and_the_pitch_are_found(
    seed: int, length_mm: int, pitch_y: float, anisotropy: float, on_chassis: bool, loaded: bool
) -> None:
    pitch = (pitch_y * anisotropy, pitch_y)
    drawn = draw(length_mm, pitch, np.random.default_rng(seed), on_chassis=on_chassis, loaded=loaded)
    fit = fit_container(drawn.values)
    assert fit is not None
    found = (fit.box.x0, fit.box.y0, fit.box.x1, fit.box.y1)
    tolerance = [0.02 * (drawn.box[2] - drawn.box[0]) + 3, 0.13 * (drawn.box[3] - drawn.box[1]) + 3] * 2
    assert all(abs(a - b) <= limit for a, b, limit in zip(found, drawn.box, tolerance, strict=True))
    assert fit.length_mm == length_mm
    assert abs(fit.pitch_mm[0] / pitch[0] - 1) < 0.05
    assert abs(fit.pitch_mm[1] / pitch[1] - 1) < 0.16


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.sampled_from(sorted(LENGTHS_MM)), st.floats(4.0, 7.0))
def test_with_square_pixels_every_listed_length_is_told_apart(seed: int, length_mm: int, pitch: float) -> None:
    drawn = draw(length_mm, (pitch, pitch), np.random.default_rng(seed), on_chassis=False, loaded=False)
    fit = fit_container(drawn.values)
    assert fit is not None
    assert fit.length_mm == length_mm


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_a_missing_detector_line_is_no_floor(seed: int) -> None:
    drawn = draw(12192, (6.0, 5.0), np.random.default_rng(seed), on_chassis=False, loaded=False)
    values = drawn.values.copy()
    row = round(drawn.box[1] + 0.8 * (drawn.box[3] - drawn.box[1]))
    values[row : row + 3] = 0.0
    fit = fit_container(values)
    assert fit is not None
    assert abs(fit.box.y1 - drawn.box[3]) < 0.1 * (drawn.box[3] - drawn.box[1])


def test_there_is_no_container_in_air() -> None:
    noise = np.random.default_rng(0).normal(0, 0.004, (400, 1200))
    assert fit_container(np.clip(noise, 0, 1).astype(np.float32)) is None


def test_there_is_no_container_in_a_parcel() -> None:
    values = np.zeros((500, 900), dtype=np.float32)
    values[200:300, 400:550] = 0.5
    assert fit_container(values) is None


def test_a_view_too_flat_to_be_a_container_is_refused() -> None:
    values = np.zeros((100, 8000), dtype=np.float32)
    values[2:98, 10:7990] = 0.5
    assert fit_container(values) is None


def test_a_single_pixel_is_no_container() -> None:
    assert fit_container(np.ones((1, 1), dtype=np.float32)) is None
