"""Where a map is high, and pictures on another grid."""

import numpy as np
import pytest

from edge_agent.domain.geometry import Box, Size
from edge_agent.imaging.regions import peak_of, strongest_regions
from edge_agent.imaging.resample import resampled


def test_regions_come_strongest_first_and_small_ones_are_left_out() -> None:
    heat = np.zeros((40, 60), dtype=np.float32)
    heat[5:10, 5:10] = 0.6
    heat[20:30, 30:50] = 0.9
    heat[0, 59] = 1.0
    assert strongest_regions(heat, 0.5, min_px=4, at_most=5) == (Box(30, 20, 50, 30), Box(5, 5, 10, 10))
    assert strongest_regions(heat, 0.5, min_px=4, at_most=1) == (Box(30, 20, 50, 30),)
    assert strongest_regions(heat, 1.5, min_px=1, at_most=5) == ()


def test_shrinking_keeps_the_mean_and_enlarging_the_level() -> None:
    values = np.random.default_rng(0).random((64, 96)).astype(np.float32)
    half = resampled(values, Size(48, 32))
    assert half.shape == (32, 48)
    assert half[0, 0] == pytest.approx(values[:2, :2].mean(), abs=1e-6)
    flat = resampled(np.full((10, 10), 0.25, dtype=np.float32), Size(35, 21))
    assert flat.shape == (21, 35)
    assert np.allclose(flat, 0.25)


def test_the_same_grid_costs_nothing() -> None:
    values = np.ones((10, 20), dtype=np.float32)
    assert resampled(values, Size(20, 10)) is values


def test_the_strongest_place_is_an_area_and_not_one_high_cell():
    heat = np.zeros((40, 80), dtype=np.float32)
    heat[10:13, 60:63] = 0.8
    heat[30, 0] = 1.0
    assert peak_of(heat) == (61.5 / 80, 11.5 / 40)
    heat[10:13, 60:63] = 0.0
    assert peak_of(heat) == (0.5 / 80, 30.5 / 40)
