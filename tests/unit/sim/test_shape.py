"""Path-length profiles."""

import numpy as np
import pytest

from edge_agent.sim import shape


def test_the_mean_chord_of_a_cylinder_is_a_quarter_of_pi():
    assert float(shape.cylinder(3, 400).mean()) == pytest.approx(np.pi / 4, abs=2e-3)


def test_the_mean_chord_of_a_ball_is_a_sixth_of_pi():
    assert float(shape.ball(300, 300).mean()) == pytest.approx(np.pi / 6, abs=3e-3)


def test_a_disc_covers_a_quarter_of_pi():
    assert float(shape.disc(300, 300).mean()) == pytest.approx(np.pi / 4, abs=3e-3)


def test_a_shell_and_its_filling_make_a_cylinder():
    wall = 0.2
    inner = np.sqrt(np.maximum((1 - wall) ** 2 - ((np.arange(200) + 0.5) / 100 - 1) ** 2, 0))
    np.testing.assert_allclose(shape.shell(1, 200, wall)[0] + inner, shape.cylinder(1, 200)[0], atol=1e-5)


def test_a_polygon_is_filled_between_its_corners():
    triangle = shape.polygon(200, 200, ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)))
    assert float(triangle.mean()) == pytest.approx(0.5, abs=0.01)
    assert triangle[10, 10] == 1.0
    assert triangle[190, 190] == 0.0


@pytest.mark.parametrize("degrees", [0.0, 37.0, 90.0, 213.0])
def test_turning_a_thing_keeps_its_mass(degrees):
    patch = np.pad(shape.block(40, 90), 2)
    assert float(shape.turned(patch, degrees).sum()) == pytest.approx(float(patch.sum()), rel=0.01)


def test_a_quarter_turn_swaps_height_and_width():
    turned = shape.turned(shape.block(20, 60), 90.0)
    assert abs(int((turned > 0.5).any(axis=1).sum()) - 60) <= 1
    assert abs(int((turned > 0.5).any(axis=0).sum()) - 20) <= 1


def test_blurring_keeps_a_plain_surface_and_the_mean_of_a_spot():
    assert np.allclose(shape.blurred(np.full((20, 30), 0.7, dtype=np.float32), 3), 0.7, atol=1e-6)
    spot = np.zeros((41, 41), dtype=np.float32)
    spot[20, 20] = 1.0
    assert float(shape.blurred(spot, 2).sum()) == pytest.approx(1.0, abs=1e-5)


def test_a_frame_is_empty_inside():
    assert shape.frame(20, 30, 3)[10, 15] == 0.0
    assert shape.frame(4, 4, 3).min() == 1.0
