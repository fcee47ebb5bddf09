"""Laws of the gate in front of the models: what shows nothing blocks, whatever its noise; what stands out from the noise does not."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.analysis.policy import parse_policy
from edge_agent.domain.scan import Energy, Plane, Quantity
from edge_agent.imaging.quality import faults

POLICY = parse_policy((Path(__file__).parents[2] / "config/policy.example.toml").read_bytes())
RULES = (POLICY.cargo, POLICY.parcel, POLICY.vehicle)
NOTHING = {"constant", "noise-only", "all-air"}
SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.integers(48, 700)
BITS = st.sampled_from([8, 16])


def codes(levels: NDArray[np.float64], bits: int) -> set[str]:
    """Give the faults of a picture of so many bits; ``levels``: (h, w) or (h, w, 3), 1 = full scale."""
    full = (1 << bits) - 1
    pixels = np.clip(np.rint(levels * full), 0, full).astype(np.uint16 if bits == 16 else np.uint8)
    plane = Plane(Quantity.TRANSMISSION if bits == 16 else Quantity.DISPLAY, Energy.SINGLE, pixels)
    return {fault.code for fault in faults(plane)}


def assert_blocked(found: set[str]) -> None:
    """No subject is let through: one of the faults stands in the way of no-alert."""
    assert all(any(rules.blocks(code) for code in found) for rules in RULES)


@settings(max_examples=150, deadline=None)
@given(SEEDS, SIDES, SIDES, BITS, st.floats(0.0, 1.0), st.floats(0.0, 0.5), st.sampled_from(["normal", "uniform", "exponential"]))
def test_one_level_with_any_noise_is_never_a_silent_no_alert(
    seed: int, height: int, width: int, bits: int, level: float, noise: float, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    draw = {"normal": rng.standard_normal, "uniform": lambda shape: rng.uniform(-1.7, 1.7, shape), "exponential": rng.standard_exponential}
    found = codes(level + noise * draw[kind]((height, width)), bits)
    assert found & NOTHING
    assert_blocked(found)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SIDES, SIDES, st.floats(0.0, 1.0), st.floats(0.0, 0.5))
def test_nor_is_one_level_in_colour(seed: int, height: int, width: int, level: float, noise: float) -> None:
    found = codes(level + noise * np.random.default_rng(seed).standard_normal((height, width, 3)), 8)
    assert found & NOTHING
    assert_blocked(found)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SIDES, SIDES, BITS, st.floats(0.0, 0.98), st.one_of(st.just(0.0), st.floats(0.01, 1.0)))
def test_nor_is_salt_and_pepper(seed: int, height: int, width: int, bits: int, level: float, share: float) -> None:
    rng = np.random.default_rng(seed)
    found = codes(np.where(rng.random((height, width)) < share, rng.integers(0, 2, (height, width)), level), bits)
    assert found & NOTHING
    assert_blocked(found)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(120, 700), st.integers(120, 700), BITS, st.floats(0.1, 0.98), st.floats(0.0, 0.05), st.floats(0.0, 1.0))
def test_nor_is_one_level_with_a_lost_row_and_a_lost_column(
    seed: int, height: int, width: int, bits: int, level: float, noise: float, lost: float
) -> None:
    rng = np.random.default_rng(seed)
    levels = level + noise * rng.standard_normal((height, width))
    levels[int(rng.integers(10, height - 10))] = round(lost)
    levels[:, int(rng.integers(10, width - 10))] = 1 - round(lost)
    assert_blocked(codes(levels, bits))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(100, 700), st.integers(100, 700), st.floats(0.0, 0.6), st.floats(0.1, 0.4), st.floats(0.0, 0.01))
def test_nor_is_a_slope(seed: int, height: int, width: int, low: float, rise: float, noise: float) -> None:
    levels = np.linspace(low, low + rise, width) + noise * np.random.default_rng(seed).standard_normal((height, width))
    assert_blocked(codes(levels, 16))


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.integers(100, 700), st.integers(100, 700), BITS, st.floats(0.15, 0.97), st.floats(0.0, 0.03), st.floats(0.1, 0.8))
def test_a_thing_that_stands_out_from_the_noise_is_a_picture(
    seed: int, height: int, width: int, bits: int, level: float, noise: float, passed: float
) -> None:
    rng = np.random.default_rng(seed)
    levels = np.full((height, width), level)
    y, x = int(rng.integers(10, height - height // 6 - 10)), int(rng.integers(10, width - width // 6 - 10))
    thing = np.s_[y : y + height // 6, x : x + width // 6]
    levels[thing] *= passed
    # Twice the noise is where the gate sees something; four times, with 1/64 of full scale, leaves it no choice.
    if level * (1.0 - passed) < max(4.0 * noise, 1 / 64):
        levels[thing] = max(0.0, level - max(4.0 * noise, 1 / 64))
    assert not codes(levels + noise * rng.standard_normal((height, width)), bits) & NOTHING
