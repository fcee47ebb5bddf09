"""Ways of stowing, vehicles, and what a low source makes of them."""

import numpy as np
import pytest
from numpy.random import default_rng

from edge_agent.sim import loose, vehicle
from edge_agent.sim.canvas import Canvas, Region
from edge_agent.sim.container import LENGTHS_MM
from edge_agent.sim.goods import FAMILIES, HELD_OUT, LOADS, family, map_class
from edge_agent.sim.packing import PACKINGS, stow
from edge_agent.sim.scene import VEHICLES, CargoPlan, cargo_scene, vehicle_scene

ROOM = Region(100.0, 100.0, 4100.0, 2500.0)


def packed(packing, slant=0.3, seed=1, place=None):
    place = place if place is not None else next(p for p in (*LOADS, *HELD_OUT) if packing in family(p).packings)
    canvas = Canvas(4200.0, 2600.0, 20.0)
    what = family(place)
    load = loose.Load(canvas, Region(100.0, 600.0, 4100.0, 2500.0), what, map_class(place), sum(what.areal) / 2, slant, default_rng(seed))
    PACKINGS[packing](load)
    return canvas.owned(map_class(place))


@pytest.mark.parametrize("packing", sorted(set(PACKINGS) - {"none"}))
def test_every_way_of_stowing_puts_goods_on_the_floor_and_stays_in_its_region(packing):
    for seed in range(3):
        matter = packed(packing, seed=seed)
        rows, columns = np.nonzero(matter > 0.05)
        assert rows.size > 200
        assert rows.max() >= 105
        assert rows.max() <= 126
        assert columns.min() >= 2
        assert columns.max() <= 209


def test_every_packing_of_a_family_exists_and_every_packing_is_used():
    used = {packing for place in (*LOADS, *HELD_OUT, 0) for packing in family(place).packings}
    assert used == set(PACKINGS)


def test_a_level_beam_shows_a_sharper_top_than_a_slanting_one():
    def blur(slant):
        matter = packed("rolls", slant)
        column = np.sort(matter, axis=0).max(axis=1)
        return float(((column > 0.15 * column.max()) & (column < 0.85 * column.max())).mean())

    assert blur(0.0) < blur(0.45)


@pytest.mark.parametrize("kind", VEHICLES)
def test_a_vehicle_stands_on_its_wheels_and_weighs_something(kind):
    scene = vehicle_scene(20.0, default_rng(3), kind)
    assert scene.vehicle == kind
    assert scene.mass_kg > 300.0
    assert scene.is_cargo
    matter = scene.areal.sum(axis=0) > 1.0
    lowest = np.flatnonzero(matter.any(axis=1)).max()
    assert 0.1 < matter[lowest - 2].mean() + 0.1 < 0.6


def test_the_kinds_of_vehicles_are_known_bodies():
    assert set(VEHICLES) - {"truck"} | {"cab"} == set(vehicle.BODIES)


def test_a_held_out_family_has_no_class_of_its_own():
    assert {map_class(place) for place in HELD_OUT} == {len(FAMILIES) - 1}
    assert [map_class(place) for place in LOADS] == list(LOADS)
    assert len(LOADS) >= 22
    assert len(HELD_OUT) >= 2
    names = [family(place).name for place in (*LOADS, *HELD_OUT)]
    assert len(set(names)) == len(names)


def test_part_of_the_same_load_may_be_stowed_low():
    tops = []
    for seed in range(30):
        canvas = Canvas(4200.0, 2600.0, 40.0)
        stow(canvas, LOADS[3], ROOM, 0.2, default_rng(seed))
        tops.append(np.flatnonzero(canvas.owned(LOADS[3]).any(axis=1)).min())
    assert max(tops) - min(tops) > 10


@pytest.mark.parametrize("feet", sorted(LENGTHS_MM))
def test_every_length_of_container_can_be_drawn(feet):
    scene = cargo_scene(CargoPlan((3,), feet=feet), 30.0, default_rng(1))
    assert scene.areal.shape[2] * 30.0 == pytest.approx(LENGTHS_MM[feet] + 300.0, abs=60.0)


def test_a_tilted_picture_keeps_its_truth_with_its_matter():
    scene = cargo_scene(CargoPlan((3,), tilt=0.02, sway_mm=10.0), 20.0, default_rng(1))
    load = scene.goods == 3
    tops = [np.flatnonzero(load[:, x]).max() for x in np.flatnonzero(load.any(axis=0))[[5, -5]]]
    assert tops[1] - tops[0] > 3
    assert scene.areal.sum(axis=0)[load].min() > 2.0


def test_matter_moves_down_by_columns_and_what_leaves_is_lost():
    canvas = Canvas(30.0, 40.0, 10.0)
    canvas.fill(Region(0.0, 20.0, 30.0, 40.0), (("water", 1.0),), 5.0, owner=1)
    canvas.shift_columns(np.array([-1, 0, 1]))
    assert canvas.owned(1).tolist() == [[0.0, 0.0, 0.0], [5.0, 0.0, 0.0], [5.0, 5.0, 0.0], [0.0, 5.0, 5.0]]


def test_mass_is_counted_by_owner():
    canvas = Canvas(1000.0, 1000.0, 10.0)
    canvas.fill(Region(0.0, 0.0, 500.0, 1000.0), (("water", 1.0),), 10.0, owner=1)
    canvas.fill(Region(0.0, 0.0, 1000.0, 1000.0), (("iron", 1.0),), 1.0, owner=2)
    assert canvas.mass_kg(1) == pytest.approx(50.0)
    assert canvas.mass_kg(2) == pytest.approx(10.0)
    assert canvas.mass_kg(3) == 0.0
