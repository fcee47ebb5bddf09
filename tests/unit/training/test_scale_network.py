"""The scale's network: what it gives is in order, and it learns what a cell shows too little of."""

import numpy as np
import pytest

from edge_agent.imaging.weighing import FEATURES, MAPS, NUMBERS

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
scale = pytest.importorskip("training.scale_network")


def some_rows(count: int, seed: int = 1) -> np.ndarray:
    """Features of regions whose right half is densest, (count, FEATURES)."""
    rng = np.random.default_rng(seed)
    maps = rng.uniform(0.0, 0.4, (count, *MAPS)).astype(np.float32)
    maps[:, 0, :, MAPS[2] // 2 :] += rng.uniform(0.0, 1.0, (count, 1, 1)).astype(np.float32)
    return np.concatenate([rng.normal(0.0, 1.0, (count, NUMBERS)).astype(np.float32), maps.reshape(count, -1)], axis=1)


def test_the_three_quantiles_are_in_order_whatever_is_seen():
    torch.manual_seed(3)
    network = scale.ScaleNetwork().eval()
    with torch.inference_mode():
        low, middle, high = network(torch.from_numpy(some_rows(40) * 50.0 - 10.0)).unbind(dim=1)
    assert bool(((low < middle) & (middle < high)).all())


def test_a_region_of_air_has_an_answer():
    with torch.inference_mode():
        assert bool(torch.isfinite(scale.ScaleNetwork().eval()(torch.zeros(2, FEATURES))).all())


def test_it_learns_that_what_is_dense_weighs_more_than_it_shows():
    rows = some_rows(256)
    mean = rows[:, NUMBERS:].reshape(-1, *MAPS)[:, 0]
    wanted = ((mean * np.where(mean > 0.5, 1.6, 0.9)).sum(axis=(1, 2)) / mean.sum(axis=(1, 2))).astype(np.float32)
    network = scale.fit_scale(rows[:192], wanted[:192], np.ones(192, dtype=np.float32), 25, 1)
    with torch.inference_mode():
        middle = network(torch.from_numpy(rows[192:]))[:, 1].numpy()
    assert np.median(np.abs(middle - wanted[192:])) < 0.3 * np.median(np.abs(wanted[:192].mean() - wanted[192:]))


def test_containers_are_learnt_from_either_side_with_the_same_numbers():
    rows = torch.from_numpy(some_rows(64))
    seen = scale._mirrored(rows, np.random.default_rng(4))
    as_it_was = (seen == rows).all(dim=1)
    turned = rows[:, NUMBERS:].reshape(-1, *MAPS).flip(3).flatten(1)
    assert 10 < int(as_it_was.sum()) < 54
    assert bool((seen[:, :NUMBERS] == rows[:, :NUMBERS]).all())
    assert bool((seen[~as_it_was][:, NUMBERS:] == turned[~as_it_was]).all())
