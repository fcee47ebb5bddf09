"""What is published of the detector's rounds on one tile."""

import numpy as np

from benchmarks.tile_speed import summary, tile_ms
from edge_agent.inference.installed import installed_bundles


def test_the_published_time_is_the_median_and_stands_beside_the_least_and_the_95th_percentile() -> None:
    rounds = np.array([float(place) for place in range(1, 102)])
    assert {"ms_a_tile": 51.0, "ms_a_tile_p95": 96.0, "ms_a_tile_least": 1.0, "rounds": 101} == summary(rounds)


def test_one_quick_round_moves_the_least_alone() -> None:
    usual = np.full(100, 3.0)
    assert summary(usual) | {"ms_a_tile_least": 0.5} == summary(np.concatenate([[0.5], usual[1:]]))


def test_every_round_of_the_shipped_network_is_timed() -> None:
    ref, taken = tile_ms(installed_bundles(), rounds=3)
    assert ref.startswith("detector/")
    assert (3, True) == (len(taken), bool((taken > 0.0).all()))
