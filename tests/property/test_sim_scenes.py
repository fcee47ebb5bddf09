"""Laws of scenes: what is drawn, where it is said to be, and how much it weighs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from edge_agent.sim.beam import linac, transmission
from edge_agent.sim.goods import CLASSES, FOREIGN, HELD_OUT, LOADS, family
from edge_agent.sim.machine import draw_machine
from edge_agent.sim.scene import SEEN_AT, cargo_scene, draw_plan, draw_threats, parcel_scene, vehicle_scene
from edge_agent.sim.small_metal import MOST_STEEL_CM, SIZE_MM, steel_equivalent_cm, with_small_metal
from edge_agent.sim.threat import Shapes

COARSE_MM = 30.0
seeds = st.integers(0, 2**32 - 1)
shapes = st.sampled_from(Shapes)
kinds = st.sampled_from(["cargo", "parcel", "vehicle"])
few = settings(max_examples=15, deadline=None)


def scene_of(kind, seed):
    rng = default_rng(seed)
    if kind == "cargo":
        return cargo_scene(draw_plan(rng), COARSE_MM, rng)
    return parcel_scene(4.0, rng) if kind == "parcel" else vehicle_scene(COARSE_MM, rng)


def kilograms(areal, pitch_mm):
    return float(areal.sum(dtype=np.float64)) * (pitch_mm / 10.0) ** 2 / 1000.0


@given(kinds, seeds)
@few
def test_the_same_seed_gives_the_same_scene(kind, seed):
    first, second = scene_of(kind, seed), scene_of(kind, seed)
    assert first.areal.tobytes() == second.areal.tobytes()
    assert first.goods.tobytes() == second.goods.tobytes()
    assert (first.declared, first.identifier, first.room) == (second.declared, second.identifier, second.room)


@given(kinds, seeds)
@few
def test_there_is_no_negative_and_no_infinite_matter(kind, seed):
    scene = scene_of(kind, seed)
    assert np.isfinite(scene.areal).all()
    assert scene.areal.min() >= 0.0
    assert scene.goods.max() < len(CLASSES)


@given(kinds, seeds)
@few
def test_the_mass_is_the_areal_density_times_the_area(kind, seed):
    scene = scene_of(kind, seed)
    assert scene.mass_kg == pytest.approx(kilograms(scene.areal, scene.pitch_mm), rel=1e-6)
    if kind != "cargo":  # what the picture of a container does not show weighs as well
        assert 0.0 <= scene.load_kg <= scene.mass_kg * (1 + 1e-4)


@given(seeds)
@few
def test_a_container_weighs_the_same_wherever_its_picture_ends(seed):
    plan = replace(draw_plan(default_rng(seed)), chassis=False, cab=False, margins_mm=(150.0, 120.0, 0.0))
    whole, cut = (cargo_scene(replace(plan, margins_mm=(150.0, 120.0, below)), COARSE_MM, default_rng(seed)) for below in (0.0, -400.0))
    assert cut.load_kg == whole.load_kg
    assert cut.declared == whole.declared
    assert (whole.goods.shape[0] - cut.goods.shape[0]) * COARSE_MM == pytest.approx(400.0, abs=COARSE_MM)
    assert np.array_equal(cut.areal, whole.areal[:, : cut.goods.shape[0]])
    assert cut.room[3] <= cut.goods.shape[0]


@given(kinds, seeds, shapes)
@few
def test_a_threat_is_added_before_the_exponential(kind, seed, of):
    scene = scene_of(kind, seed)
    guilty = draw_threats(scene, default_rng(seed + 1), of)
    added = guilty.areal - scene.areal
    assert added.min() >= -1e-4
    assert not added[:, guilty.mask == 0].sum(axis=0).max(initial=0.0) > SEEN_AT + 1e-3
    gained = kilograms(added, scene.pitch_mm)
    assert guilty.load_kg - scene.load_kg == pytest.approx(gained, rel=2e-2, abs=0.05)
    beam = linac(6.0)
    assert (transmission(guilty.areal, beam) <= transmission(scene.areal, beam) * (1 + 1e-5)).all()


@given(kinds, seeds, shapes)
@few
def test_every_box_lies_in_its_picture_and_covers_its_mask(kind, seed, of):
    guilty = draw_threats(scene_of(kind, seed), default_rng(seed + 1), of)
    height, width = guilty.mask.shape
    for place, found in enumerate(guilty.hidden, start=1):
        x0, y0, x1, y1 = found.box
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        rows, columns = np.nonzero(guilty.mask == place)
        assert (x0, y0, x1, y1) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@given(seeds)
@settings(max_examples=200, deadline=None)
def test_the_ordinary_draw_never_gives_what_is_held_out(seed):
    plan = draw_plan(default_rng(seed))
    assert set(plan.loads) <= set(LOADS)
    assert plan.foreign is None
    machine = draw_machine(default_rng(seed))
    assert not machine.is_single
    assert machine.megavolts[0] < 9.0
    assert machine.bits > 12


@given(seeds)
@settings(max_examples=200, deadline=None)
def test_the_unseen_scanner_overlaps_with_no_ordinary_one(seed):
    ordinary, unseen = draw_machine(default_rng(seed)), draw_machine(default_rng(seed), unseen=True)
    assert unseen.photons < ordinary.photons
    assert unseen.electronic > ordinary.electronic
    assert unseen.scatter > ordinary.scatter
    assert unseen.spread > ordinary.spread
    assert unseen.kilovolt != ordinary.kilovolt
    assert unseen.megavolts != ordinary.megavolts


@given(seeds)
@few
def test_held_out_goods_are_foreign_and_in_no_declaration(seed):
    rng = default_rng(seed)
    plan = draw_plan(rng, held_out=True)
    scene = cargo_scene(plan, COARSE_MM, rng)
    assert plan.foreign in HELD_OUT
    assert {item.hs for item in scene.declared}.isdisjoint(family(plan.foreign).headings)
    if scene.hidden:
        assert (scene.goods == FOREIGN).any()
        assert scene.hidden[0].label == f"goods.{family(plan.foreign).name}"
        rows, columns = np.nonzero(scene.mask == 1)
        assert scene.hidden[0].box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@given(seeds, shapes)
@few
def test_small_metal_is_small_and_not_behind_too_much(seed, of):
    scene = scene_of("cargo", seed)
    drawn = with_small_metal(scene, default_rng(seed + 1), of)
    if drawn is None:
        return
    (found,) = drawn.scene.hidden[len(scene.hidden) :]
    longer = max(found.box[2] - found.box[0], found.box[3] - found.box[1]) * scene.pitch_mm
    assert SIZE_MM[0] <= longer <= SIZE_MM[1]
    mask = drawn.scene.mask == len(drawn.scene.hidden)
    behind = float(np.median(steel_equivalent_cm(scene.areal)[mask]))
    assert behind == pytest.approx(drawn.behind_cm, abs=1e-4)
    assert behind <= MOST_STEEL_CM
    assert np.isin(scene.goods[mask], LOADS).mean() >= 0.8


@given(seeds)
@few
def test_no_small_metal_stands_free_in_an_empty_container(seed):
    plan = replace(draw_plan(default_rng(seed)), loads=(), is_reefer=False)
    assert with_small_metal(cargo_scene(plan, COARSE_MM, default_rng(seed)), default_rng(seed)) is None
