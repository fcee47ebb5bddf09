"""What is said of the scale: errors, coverage, and what its alert level is worth against wrong declarations."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from edge_agent.sim.scene import cargo_scene, draw_plan

pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
weight = pytest.importorskip("training.weight")
weight_bundle = pytest.importorskip("training.weight_bundle")

TRUE = np.array([0.0, 1_000.0, 4_000.0, 8_000.0, 20_000.0])
ONE_SITE = np.zeros(len(TRUE), dtype=np.intp)


def around(middle: np.ndarray, share: float) -> np.ndarray:
    """Intervals of a share of the middle to either side, (n, 3) kg."""
    return np.stack([middle * (1.0 - share), middle, middle * (1.0 + share)], axis=1)


def test_errors_are_shares_of_the_mass_and_of_two_tonnes_for_lighter_loads():
    table = weight.figures(weight.Weighed(around(TRUE + 200.0, 0.0), around(TRUE, 0.1), TRUE, ONE_SITE))
    assert (table["containers"], table["sites"]) == (5, 1)
    assert table["median_error"] == pytest.approx(200.0 / 4_000.0)  # of .1, .1, .05, .025 and .01
    assert table["p90_error"] == pytest.approx(0.1)
    assert table["median_error_after_site_fit"] == table["p90_error_after_site_fit"] == 0.0
    assert table["covered_by_90_after_site_fit"] == 1.0


def test_an_interval_tells_of_sites_and_not_of_the_containers_of_each():
    """Eight sites, each off by an amount of its own in every one of its containers: many containers make the interval no narrower."""
    off = np.linspace(0.0, 0.14, 8)

    def interval(count):
        mass, site = np.full(8 * count, 10_000.0), np.repeat(np.arange(8), count)
        seen = around(mass * (1.0 + off[site]), 0.01)
        low, high = weight.figures(weight.Weighed(seen, seen, mass, site))["median_error_after_site_fit_interval_95"]
        assert low < np.median(off) < high
        return high - low

    assert interval(200) == pytest.approx(interval(5), rel=0.2)
    assert interval(200) > 0.04


def test_heavy_loads_are_measured_alone_as_well_where_there_are_any():
    fitted = around(np.where(TRUE >= 5_000.0, TRUE * 1.03, TRUE * 1.5), 0.01)
    heavy = weight.figures(weight.Weighed(fitted, fitted, TRUE, ONE_SITE))["heavy"]
    assert (heavy["containers"], heavy["median_error_after_site_fit"], heavy["p90_error_after_site_fit"]) == (2, 0.03, 0.03)
    light = weight.Weighed(fitted[:3], fitted[:3], TRUE[:3], ONE_SITE[:3])
    assert "heavy" not in weight.figures(light)


def test_only_wrong_declarations_alert_where_the_scale_is_good():
    mass = np.linspace(3_000.0, 20_000.0, 50)
    table = weight_bundle.declaration_figures(around(mass, 0.15), mass, 0.99)
    assert table["honest_alerted"] == 0.0
    assert [table[name] for name in weight_bundle.WRONG] == [1.0] * 4
    assert table["half_found_n"] == 50


def test_nothing_is_found_where_the_scale_says_little():
    mass = np.linspace(3_000.0, 20_000.0, 50)
    table = weight_bundle.declaration_figures(around(mass, 0.9), mass, 0.99)
    assert [table[name] for name in ("honest_alerted", "half_found", "a_third_less_found")] == [0.0] * 3


def test_loads_that_are_not_worth_a_lie_are_in_no_share_of_wrong_declarations():
    mass = np.array([500.0, 2_000.0, 10_000.0])
    table = weight_bundle.declaration_figures(around(mass, 0.1), mass, 0.99)
    assert (table["honest_alerted_n"], table["twice_found_n"]) == (3, 1)


def test_a_container_may_be_packed_more_densely_and_weighs_that_much_more():
    loads = [replace(draw_plan(default_rng(4)), loads=(5,), packed=packed) for packed in (1.0, 2.5)]
    light, heavy = (cargo_scene(plan, 14.0, default_rng(9)) for plan in loads)
    assert light.load_kg > 500.0
    assert 2.0 < heavy.load_kg / light.load_kg <= 2.5  # the pallets are no heavier
    assert heavy.areal.shape == light.areal.shape
