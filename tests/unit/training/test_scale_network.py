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


def test_network_and_loss_make_nothing_on_another_device_than_the_batch_is_on():
    network = scale.ScaleNetwork().to("meta")
    seen = network(torch.zeros(3, FEATURES, device="meta"))
    loss = scale.pinball(seen[None], torch.ones(3, device="meta"), torch.ones(3, device="meta"))
    assert ("meta", "meta") == (seen.device.type, loss.device.type)


def fit(folder, rounds=3, rows=128, seed=1):
    features = some_rows(rows)
    ones = np.ones(rows, dtype=np.float32)
    return scale.fit_scale(features, features[:, NUMBERS], ones, rounds, seed, folder)


def same(one, other):
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


@pytest.mark.parametrize("steps", [2, 5], ids=["between two rounds", "in the middle of one"])
def test_an_interrupted_training_of_the_scale_ends_with_the_weights_of_one_that_was_not(tmp_path, monkeypatch, steps):
    left = iter(range(steps))

    def cut(*parts):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return pinball(*parts)

    pinball = scale.pinball
    whole = fit(None)
    with monkeypatch.context() as short:
        short.setattr(scale, "pinball", cut)
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path)
    counted = []
    monkeypatch.setattr(scale, "pinball", lambda *parts: counted.append(1) or pinball(*parts))
    assert same(whole, fit(tmp_path))
    assert 3 * 2 - steps // 2 * 2 == len(counted)


def test_a_finished_training_of_the_scale_is_not_repeated(tmp_path, monkeypatch):
    whole = fit(tmp_path)
    monkeypatch.setattr(scale, "pinball", lambda *_: pytest.fail("trained again"))
    assert same(whole, fit(tmp_path))


@pytest.mark.parametrize("other", [{"rounds": 4}, {"rows": 192}, {"seed": 2}])
def test_a_checkpoint_of_another_training_of_the_scale_is_refused(tmp_path, other):
    fit(tmp_path)
    with pytest.raises(SystemExit, match="begun for another order"):
        fit(tmp_path, **other)
