"""Features of mass, and the correction that a site fits on its weighbridge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import Energy, Plane, Quantity
from edge_agent.errors import NotWeighable
from edge_agent.imaging.attenuation import density
from edge_agent.imaging.weighing import FEATURES, MAPS, NUMBERS, mass_features
from edge_agent.inference.weight import SiteFit, fit_site

PIXELS = arrays(np.uint16, st.tuples(st.integers(1, 40), st.integers(1, 40)))


def plane(pixels: np.ndarray, energy: Energy = Energy.HIGH) -> Plane:
    return Plane(Quantity.TRANSMISSION, energy, pixels.copy())


def whole(pixels: np.ndarray) -> Box:
    return Box(0, 0, pixels.shape[1], pixels.shape[0])


@given(PIXELS, st.booleans())
def test_any_picture_gives_finite_features(pixels: np.ndarray, dual: bool) -> None:
    seen = mass_features(plane(pixels), plane(pixels, Energy.LOW) if dual else None, whole(pixels), (5.0, 5.0))
    assert (FEATURES,) == seen.values.shape
    assert np.isfinite(seen.values).all()
    assert seen.coarse_kg >= 0.0
    assert 0.0 <= seen.dark_share <= 1.0


def maps_of(pixels: np.ndarray, low: np.ndarray | None = None) -> np.ndarray:
    seen = mass_features(plane(pixels), None if low is None else plane(low, Energy.LOW), whole(pixels), (5.0, 5.0))
    return seen.values[NUMBERS:].reshape(MAPS)


@given(PIXELS)
def test_the_maps_of_a_region_are_within_what_is_in_it(pixels: np.ndarray) -> None:
    mean, spread, least, ratio = maps_of(pixels)
    seen = density(pixels)
    assert (least <= mean + 1e-6).all()
    assert seen.min() - 1e-6 <= least.min()
    assert mean.max() <= seen.max() + 1e-6
    assert (spread >= 0.0).all()
    assert not ratio.any()


def test_each_cell_holds_the_mean_the_spread_the_least_and_the_ratio_of_its_pixels() -> None:
    pixels = np.random.default_rng(1).integers(3_000, 60_000, (2 * MAPS[1], 3 * MAPS[2])).astype(np.uint16)
    low = (pixels // 2).astype(np.uint16)
    mean, spread, least, ratio = maps_of(pixels, low)
    high, below = density(pixels)[4:6, 9:12], density(low)[4:6, 9:12]
    assert (mean[2, 3], spread[2, 3], least[2, 3]) == pytest.approx((high.mean(), high.std(), high.min()), rel=1e-4)
    assert ratio[2, 3] == pytest.approx(below.sum() / high.sum(), rel=1e-4)


def test_a_container_seen_from_its_other_side_has_the_same_numbers_and_mirrored_maps() -> None:
    pixels = np.random.default_rng(2).integers(3_000, 60_000, (2 * MAPS[1], 4 * MAPS[2])).astype(np.uint16)
    here, there = (mass_features(plane(some), None, whole(some), (5.0, 5.0)).values for some in (pixels, pixels[:, ::-1]))
    assert there[:NUMBERS] == pytest.approx(here[:NUMBERS], rel=1e-4, abs=1e-6)
    assert there[NUMBERS:].reshape(MAPS)[:, :, ::-1] == pytest.approx(here[NUMBERS:].reshape(MAPS), rel=1e-4)


@given(PIXELS, st.floats(1.0, 20.0), st.floats(1.0, 20.0))
def test_the_coarse_mass_grows_with_the_area_of_a_pixel(pixels: np.ndarray, x_mm: float, y_mm: float) -> None:
    one, other = (mass_features(plane(pixels), None, whole(pixels), pitch).coarse_kg for pitch in ((1.0, 1.0), (x_mm, y_mm)))
    assert other == pytest.approx(one * x_mm * y_mm, rel=1e-6)


@given(PIXELS)
def test_less_light_never_weighs_less(pixels: np.ndarray) -> None:
    light, dark = (mass_features(plane(some), None, whole(pixels), (5.0, 5.0)).coarse_kg for some in (pixels, pixels // 2))
    assert dark >= light


def test_air_weighs_nothing_and_a_large_picture_is_counted_coarsely_without_being_off() -> None:
    air = np.full((300, 900), 65535, dtype=np.uint16)
    assert 0.0 == mass_features(plane(air), None, whole(air), (5.0, 5.0)).coarse_kg
    ramp = np.tile(np.linspace(2000, 65000, 3000).astype(np.uint16), (1200, 1))
    exact = mass_features(plane(ramp[:, :200].repeat(1, axis=0)[:20]), None, Box(0, 0, 200, 20), (5.0, 5.0)).coarse_kg
    twice = mass_features(plane(ramp[:, :200]), None, Box(0, 0, 200, 1200), (5.0, 5.0)).coarse_kg
    assert twice == pytest.approx(exact * 60, rel=0.01)


@given(st.floats(0.8, 1.25), st.floats(-400.0, 400.0), st.integers(0, 2**31))
def test_a_site_fit_finds_what_this_site_does_differently(scale: float, constant: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    middle = rng.uniform(3_000.0, 30_000.0, 60)
    seen, dark = np.stack([middle * 0.95, middle, middle * 1.05], axis=1), rng.uniform(0.0, 0.1, 60)
    true = np.maximum(500.0, scale * middle + constant) * rng.normal(1.0, 0.004, 60)
    fit = fit_site(seen, dark, true)
    after = np.array([fit.interval(tuple(row), share)[1] for row, share in zip(seen, dark, strict=True)])
    assert np.median(np.abs(after - true) / true) < 0.01


def test_nine_of_ten_weighed_containers_lie_in_the_interval_after_the_fit() -> None:
    rng = np.random.default_rng(1)
    middle = rng.uniform(5_000.0, 25_000.0, 200)
    seen = np.stack([middle * 0.999, middle, middle * 1.001], axis=1)
    true = middle * rng.normal(1.0, 0.05, 200)
    fit = fit_site(seen, np.zeros(200), true)
    inside = [fit.interval(tuple(row), 0.0)[0] <= mass <= fit.interval(tuple(row), 0.0)[2] for row, mass in zip(seen, true, strict=True)]
    assert fit.widening > 10.0
    assert 0.9 <= np.mean(inside) <= 0.95


def test_one_slip_of_the_weighbridge_does_not_bend_the_fit() -> None:
    rng = np.random.default_rng(2)
    middle = rng.uniform(5_000.0, 25_000.0, 40)
    seen = np.stack([middle * 0.95, middle, middle * 1.05], axis=1)
    true = middle * rng.normal(1.0, 0.01, 40)
    true[7] *= 10.0
    fit = fit_site(seen, np.zeros(40), true)
    assert fit.applied(10_000.0, 0.0) == pytest.approx(10_000.0, rel=0.03)


def test_a_mass_is_never_negative() -> None:
    assert 0.0 == SiteFit(constant_kg=-500.0).applied(100.0, 0.0)
    assert (0.0, 0.0, 0.0) == SiteFit(constant_kg=-500.0).interval((50.0, 100.0, 150.0), 0.0)


@given(st.floats(0.5, 2.0), st.floats(-500.0, 500.0), st.floats(0.1, 3.0), st.floats(0.0, 5000.0), st.floats(0.0, 5000.0))
def test_a_load_that_may_be_nothing_may_be_nothing_after_the_fit_too(
    scale: float, constant: float, widening: float, middle: float, more: float
) -> None:
    fit = SiteFit(scale=scale, constant_kg=constant, widening=widening)
    low, corrected, high = fit.interval((0.0, middle, middle + more), 0.0)
    assert 0.0 == low <= corrected <= high


def test_too_few_weighed_containers_are_refused_with_their_number() -> None:
    with pytest.raises(NotWeighable) as refused:
        fit_site(np.ones((9, 3)), np.zeros(9), np.ones(9))
    assert 9 == refused.value.fields["weighed"]
