"""The canvas: what is put where."""

import numpy as np

from edge_agent.sim.canvas import Canvas, Region
from edge_agent.sim.material import index


def test_matter_lands_where_it_was_put_and_is_shared_among_its_materials():
    canvas = Canvas(100.0, 50.0, 5.0)
    canvas.fill(Region(10.0, 20.0, 30.0, 40.0), (("iron", 0.75), ("copper", 0.25)), 8.0, owner=3)
    assert canvas.areal[index("iron")].sum() == 4 * 4 * 6.0
    assert canvas.areal[index("copper"), 4, 2] == 2.0
    assert canvas.owned(3)[4:8, 2:6].min() == 8.0
    assert canvas.owned(3).sum() == 4 * 4 * 8.0


def test_what_sticks_out_of_the_window_is_cut_off():
    canvas = Canvas(50.0, 50.0, 5.0, left_mm=1000.0)
    canvas.fill(Region(980.0, -20.0, 1010.0, 10.0), (("water", 1.0),), 1.0, owner=0)
    assert canvas.areal.sum() == 2 * 2
    assert canvas.areal[index("water"), 0, 0] == 1.0


def test_what_is_outside_the_window_costs_and_leaves_nothing():
    canvas = Canvas(50.0, 50.0, 5.0, left_mm=1000.0)
    canvas.fill(Region(0.0, 0.0, 900.0, 50.0), (("water", 1.0),), 1.0, owner=0)
    assert not canvas.areal.any()
    assert canvas.owners == frozenset()


def test_matter_adds_up():
    canvas = Canvas(20.0, 20.0, 5.0)
    for _ in range(3):
        canvas.fill(Region(0.0, 0.0, 20.0, 20.0), (("lead", 1.0),), 2.0, owner=1)
    assert np.all(canvas.areal[index("lead")] == 6.0)
