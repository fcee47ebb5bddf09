"""Scenes: what is loaded, declared and hidden."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from edge_agent.sim.beam import linac, transmission
from edge_agent.sim.goods import AIR, CLASSES, EMPTY, FAMILIES, FOREIGN, LOADS, STRUCTURE
from edge_agent.sim.scene import CargoPlan, cargo_scene, draw_plan, draw_threats, parcel_scene, with_threats
from edge_agent.sim.threat import CARGO_LABELS, PARCEL_LABELS

SMALL = CargoPlan((4,), feet=20, is_high=False)
COARSE_MM = 12.0


@pytest.fixture(scope="module")
def coffee():
    return cargo_scene(SMALL, COARSE_MM, default_rng(1))


@pytest.mark.parametrize("place", LOADS)
def test_every_family_can_be_loaded_and_fills_a_part_of_the_container(place):
    scene = cargo_scene(replace(SMALL, loads=(place,)), COARSE_MM, default_rng(place))
    share = (scene.goods == place).mean()
    assert share > 0.04, f"{FAMILIES[place].name} covers {share:.3f} of the picture"
    assert scene.declared[0].hs in FAMILIES[place].headings
    assert scene.declared[0].gross_kg > 100.0


@pytest.mark.parametrize("place", LOADS)
def test_a_load_stays_inside_its_container(place):
    scene = cargo_scene(replace(SMALL, loads=(place,)), COARSE_MM, default_rng(place + 100))
    rows, columns = np.nonzero(scene.goods == place)
    x0, y0, x1, y1 = scene.room
    assert x0 - 6 <= columns.min()
    assert columns.max() <= x1 + 6
    assert y0 - 3 <= rows.min()
    assert rows.max() <= y1 + 3


def test_an_empty_container_holds_nothing_and_says_so():
    scene = cargo_scene(replace(SMALL, loads=()), COARSE_MM, default_rng(2))
    assert set(np.unique(scene.goods)) <= {EMPTY, AIR, STRUCTURE}
    assert [item.hs for item in scene.declared] == ["0000"]
    assert scene.families == ("empty",)


def test_undeclared_goods_are_in_the_truth_and_in_no_declaration():
    scene = cargo_scene(replace(SMALL, foreign=14), COARSE_MM, default_rng(3))
    assert [found.label for found in scene.hidden] == ["goods.machinery"]
    assert {item.hs for item in scene.declared} <= set(FAMILIES[4].headings)
    x0, y0, x1, y1 = (int(value) for value in scene.hidden[0].box)
    inside = (scene.goods[y0:y1, x0:x1] == 14).sum()
    assert inside == (scene.goods == 14).sum() > 0


def test_the_same_seed_gives_the_same_scene():
    plans = [draw_plan(default_rng(9)) for _ in range(2)]
    assert plans[0] == plans[1]
    first, second = (draw_threats(cargo_scene(SMALL, COARSE_MM, default_rng(9)), default_rng(10)) for _ in range(2))
    assert np.array_equal(first.areal, second.areal)
    assert (first.hidden, first.declared, first.identifier) == (second.hidden, second.declared, second.identifier)


def test_another_seed_gives_another_scene():
    assert not np.array_equal(cargo_scene(SMALL, COARSE_MM, default_rng(9)).areal, cargo_scene(SMALL, COARSE_MM, default_rng(11)).areal)


@pytest.mark.parametrize("label", CARGO_LABELS)
def test_the_box_of_a_threat_lies_exactly_around_its_matter(coffee, label):
    fine = cargo_scene(SMALL, 5.0, default_rng(1)) if label == "handgun" else coffee
    guilty = with_threats(fine, (label,), default_rng(4))
    added = (guilty.areal - fine.areal).sum(axis=0)
    rows, columns = np.nonzero(added > 0.2)
    (found,) = guilty.hidden
    assert found.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.array_equal(guilty.mask > 0, added > 0.2)
    assert added.min() >= 0.0


@pytest.mark.parametrize("label", PARCEL_LABELS)
def test_a_threat_in_a_parcel_is_boxed_within_the_case(label):
    scene = max((parcel_scene(2.0, default_rng(seed)) for seed in range(6)), key=lambda one: one.goods.size)
    guilty = with_threats(scene, (label,), default_rng(7))
    x0, y0, x1, y1 = scene.room
    for found in guilty.hidden:
        assert x0 <= found.box[0] < found.box[2] <= x1
        assert y0 <= found.box[1] < found.box[3] <= y1
    assert len(guilty.hidden) == 1


def test_a_threat_darkens_the_picture_where_it_is_and_nowhere_else(coffee):
    guilty = with_threats(coffee, ("dense",), default_rng(5))
    before, after = transmission(coffee.areal, linac(6.0)), transmission(guilty.areal, linac(6.0))
    assert (after < before)[guilty.mask > 0].all()
    assert np.array_equal(after[guilty.mask == 0], before[guilty.mask == 0]) or np.allclose(
        after[guilty.mask == 0], before[guilty.mask == 0], atol=0.01
    )


def test_a_threat_is_foreign_to_every_declaration(coffee):
    guilty = with_threats(coffee, ("bricks",), default_rng(8))
    assert (guilty.goods == FOREIGN).any()
    assert FAMILIES[FOREIGN].headings == ()


def test_threats_do_not_lie_upon_each_other(coffee):
    guilty = with_threats(coffee, ("dense",) * 4, default_rng(12))
    assert [int((guilty.mask == place + 1).sum() > 0) for place in range(len(guilty.hidden))] == [1] * len(guilty.hidden)


def test_a_threat_without_a_place_is_left_out():
    scene = cargo_scene(SMALL, 5.0, default_rng(1))
    tiny = replace(scene, room=(0.0, 0.0, 6.0, 6.0))
    assert with_threats(tiny, ("rifle",), default_rng(1)).hidden == ()


def test_the_original_scene_is_not_touched(coffee):
    before = coffee.areal.copy()
    with_threats(coffee, ("dense",), default_rng(13))
    assert np.array_equal(before, coffee.areal)


def test_a_window_shows_a_part_of_the_same_kind_of_scene():
    scene = cargo_scene(replace(SMALL, window_mm=(2000.0, 1500.0)), 10.0, default_rng(1))
    assert scene.areal.shape[2] == 150
    assert (scene.goods == 4).any()


def test_every_class_has_one_name():
    assert len(set(CLASSES)) == len(CLASSES)
    headings = [heading for family in FAMILIES for heading in family.headings]
    assert len(set(headings)) == len(headings)
    assert {"0202", "0207", "0805", "0901", "1202", "1701", "2304", "4011", "5201", "0000"} <= set(headings)


def test_the_shares_of_every_family_s_materials_add_up():
    for family in FAMILIES:
        if family.mix:
            assert sum(share for _, share in family.mix) == pytest.approx(1.0)
