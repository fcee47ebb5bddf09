"""Virtual scanners and display pictures."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from edge_agent.sim.beam import transmission, tube_high, tube_low
from edge_agent.sim.display import Rendering, draw_rendering, pseudo_colour, render
from edge_agent.sim.goods import AIR
from edge_agent.sim.machine import Machine, draw_machine, expose, expose_high
from edge_agent.sim.material import BASIS, index
from edge_agent.sim.scene import CargoPlan, cargo_scene, parcel_scene

IDEAL = Machine(photons=1e9, electronic=0.0, scatter=0.0, spread=0.0, pulse=0.0, channel=0.0, dead_rows=(), bits=16)


@pytest.fixture(scope="module")
def scene():
    return cargo_scene(CargoPlan((1,), feet=20, is_high=False, margins_mm=(400.0, 200.0, 60.0)), 12.0, default_rng(1))


def test_air_is_the_full_scale(scene):
    high, low = expose(scene, IDEAL, default_rng(2))
    air = scene.areal.sum(axis=0) == 0
    assert air.sum() > 500
    assert np.percentile(high[air], 50) > 65000
    assert np.percentile(low[air], 50) > 65000


def test_planes_are_16_bit_pictures_of_the_scene_s_size(scene):
    for plane in expose(scene, IDEAL, default_rng(2)):
        assert plane.dtype == np.uint16
        assert plane.shape == scene.goods.shape


def test_the_load_is_darker_than_air_and_darker_at_the_lower_energy(scene):
    high, low = (plane.astype(float) for plane in expose(scene, IDEAL, default_rng(2)))
    load = scene.goods == 1
    assert high[load].mean() < 0.3 * high[scene.goods == AIR].mean()
    assert low[load].mean() < high[load].mean()


def test_fewer_photons_make_more_noise(scene):
    clean = expose_high(scene, IDEAL, default_rng(2)).astype(float)
    noisy = [expose_high(scene, replace(IDEAL, photons=photons), default_rng(3)).astype(float) for photons in (1e3, 1e5)]
    spread = [np.std(plane - clean) for plane in noisy]
    assert spread[0] > 5 * spread[1] > 0


def test_the_same_seed_gives_the_same_picture(scene):
    machine = draw_machine(default_rng(4))
    first, second = (expose(scene, machine, default_rng(5)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(("says", "shown"), [(0.0, 0), (1.0, 65535)])
def test_a_dead_detector_is_a_flat_row_that_says_the_same_in_every_scan_and_plane(scene, says, shown):
    machine = replace(IDEAL, dead_rows=((0.5, says),))
    for seed in (6, 7):
        for plane in expose(scene, machine, default_rng(seed)):
            assert set(plane[plane.shape[0] // 2].tolist()) == {shown}


def test_a_detector_keeps_its_gain_from_scan_to_scan_and_another_machine_has_others(scene):
    def rows(pattern, seed):
        machine = replace(IDEAL, channel=0.01, stripe=0.005, pattern=pattern)
        ratio = expose_high(scene, machine, default_rng(seed)) / np.maximum(expose_high(scene, IDEAL, default_rng(seed)).astype(float), 1.0)
        return np.median(ratio[:, : scene.goods.shape[1] // 20], axis=1)  # air at the left: nothing is clipped twice

    first, again, other = rows(1, 5), rows(1, 6), rows(2, 5)
    darker = (first < 0.999) & (other < 0.999)
    assert darker.sum() > 10
    assert np.abs(first - again).max() < 1e-3
    assert np.corrcoef(first[darker], other[darker])[0, 1] < 0.5


def test_scatter_brightens_the_dark_parts(scene):
    load = scene.goods == 1
    plain = expose_high(scene, IDEAL, default_rng(7))[load].mean()
    hazy = expose_high(scene, replace(IDEAL, scatter=0.02), default_rng(7))[load].mean()
    assert hazy > plain


def test_fewer_bits_give_fewer_levels(scene):
    plane = expose_high(scene, replace(IDEAL, bits=8), default_rng(8))
    assert len(np.unique(plane)) <= 256


def test_a_parcel_is_seen_by_its_own_tube():
    parcel = parcel_scene(2.0, default_rng(1))
    high, low = expose(parcel, IDEAL, default_rng(2))
    dense = parcel.areal.sum(axis=0) > 3.0
    assert low[dense].mean() < 0.95 * high[dense].mean()


def test_drawn_machines_differ():
    assert len({draw_machine(default_rng(seed)) for seed in range(20)}) == 20


def test_a_display_picture_keeps_the_order_of_brightness():
    ramp = np.linspace(0, 65535, 500).astype(np.uint16)[None, :].repeat(3, axis=0)
    grey = render(ramp, Rendering(black=0.03, white=0.95, gamma=1.3, logarithmic=0.3, sharpen=0.0))
    assert grey.dtype == np.uint8
    assert np.all(np.diff(grey[1].astype(int)) >= 0)
    assert grey[1, 0] == 0
    assert grey[1, -1] == 255


def test_dense_loads_are_black_on_a_linear_display():
    plane = np.full((4, 4), int(0.02 * 65535), dtype=np.uint16)
    assert render(plane, Rendering(0.03, 0.95, 1.0, 0.0, 0.0)).max() == 0


def test_where_the_beam_was_off_the_picture_is_black():
    plane = np.full((4, 100), 65535, dtype=np.uint16)
    grey = render(plane, Rendering(0.0, 1.0, 1.0, 0.0, 0.0, dark_columns=0.1))
    assert grey[:, :10].max() == 0
    assert grey[:, 10:].min() == 255


def test_sharpening_makes_edges_stronger_and_leaves_flat_parts():
    plane = np.full((9, 20), 40000, dtype=np.uint16)
    plane[:, 10:] = 20000
    soft, sharp = (render(plane, Rendering(0.0, 1.0, 1.0, 0.0, amount)) for amount in (0.0, 0.8))
    assert sharp[4, 9] > soft[4, 9]
    assert sharp[4, 10] < soft[4, 10]
    assert sharp[4, 3] == soft[4, 3]


def test_stations_have_habits_of_their_own():
    assert len({draw_rendering(default_rng(seed)) for seed in range(20)}) == 20


def test_a_gamma_ray_portal_has_one_energy(scene):
    high, low = replace(IDEAL, isotope="Co-60").beams(scene)
    assert high is low
    assert replace(IDEAL, isotope="Co-60").is_single
    assert not IDEAL.is_single


def test_an_isotope_changes_nothing_for_parcels():
    parcel = parcel_scene(3.0, default_rng(1))
    assert replace(IDEAL, isotope="Co-60").beams(parcel) == IDEAL.beams(parcel)


def test_a_module_of_detectors_has_a_gain_of_its_own(scene):
    plane = expose_high(scene, replace(IDEAL, stripe=0.01, bits=16), default_rng(3)).astype(float) / 65535.0
    plain = expose_high(scene, IDEAL, default_rng(3)).astype(float) / 65535.0
    ratio = np.median(plane / np.maximum(plain, 1e-3), axis=1)
    assert np.std(ratio[:16]) < 1e-3
    assert abs(ratio[:16].mean() - ratio[16:32].mean()) > 1e-3


def test_a_bar_runs_from_side_to_side():
    plane = np.full((10, 20), 30000, dtype=np.uint16)
    grey = render(plane, Rendering(0.0, 1.0, 1.0, 0.0, 0.0, bars=((0.5, 1.0), (0.8, 0.0))))
    assert set(grey[5]) == {255}
    assert set(grey[8]) == {0}


def test_pseudo_colour_shows_air_white_food_orange_and_metal_blue():
    def seen(**matter):
        stack = np.zeros((len(BASIS), 4, 4), dtype=np.float32)
        for name, areal in matter.items():
            stack[index(name)] = areal
        planes = (np.rint(transmission(stack, beam) * 65535).astype(np.uint16) for beam in (tube_high(160.0), tube_low(160.0)))
        return pseudo_colour(*planes)[1, 1].astype(int)

    assert seen().tolist() == [255, 255, 255]
    red, _, blue = seen(water=8.0)
    assert red > blue + 60
    red, _, blue = seen(iron=2.5)
    assert blue > red + 20


def test_pseudo_colour_is_defined_for_dead_and_saturated_pixels():
    dead, full = np.zeros((2, 3), dtype=np.uint16), np.full((2, 3), 65535, dtype=np.uint16)
    for high in (dead, full):
        for low in (dead, full):
            assert pseudo_colour(high, low).shape == (2, 3, 3)
