"""The scale that models see; training uses the same functions."""

import numpy as np
import pytest

from edge_agent.imaging.attenuation import air_level, density, display_curve, luminance, transmission_curve


def test_air_is_nothing_and_a_quarter_percent_is_one() -> None:
    pixels = np.array([[65535, round(65535 * np.exp(-6.0)), 1, 0]], dtype=np.uint16)
    values = density(pixels)[0]
    assert values[0] == 0.0
    assert values[1] == pytest.approx(1.0, abs=1e-3)
    assert values[2] == pytest.approx(np.log(65535) / 6.0)
    assert values[2] < values[3] < values[2] + 1e-3


def test_every_16_bit_level_reaches_the_model_as_its_own_value() -> None:
    curve = transmission_curve()
    assert len(np.unique(curve)) == 65536
    assert (np.diff(curve[1:]) < 0).all()


def test_densities_of_materials_in_a_row_add_up() -> None:
    first, second = 0.5, 0.25
    levels = np.array([[first, second, first * second]]) * 65535
    values = density(levels.astype(np.uint16))[0]
    assert values[0] + values[1] == pytest.approx(values[2], abs=1e-4)


def test_display_black_is_full_scale_and_air_is_nothing() -> None:
    grey = np.full((40, 40), 255, dtype=np.uint8)
    grey[0, 0] = 0
    values = density(grey)
    assert values[0, 0] == pytest.approx(1.2)
    assert values[5, 5] == 0.0


def test_what_is_brighter_than_the_pictures_air_is_air_too() -> None:
    assert (display_curve(220.0)[220:] == 0.0).all()


def test_a_picture_filled_by_its_load_is_not_taken_for_air() -> None:
    assert air_level(np.full((40, 40), 90, dtype=np.uint8)) == 200.0


def test_colour_becomes_its_luminance() -> None:
    colour = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [70, 70, 70]]], dtype=np.uint8)
    assert luminance(colour)[0].tolist() == [76, 150, 29, 70]
