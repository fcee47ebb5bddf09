"""Pools on disk, and the order in which a training sees their rows."""

import itertools

import numpy as np
import pytest
from numpy.random import default_rng

from edge_agent.sim.goods import FOREIGN
from edge_agent.sim.threat import LABELS
from training import data
from training.tiles import NONE, tiles_of
from training.views import views_of


def numbers(number, rng):
    """A scene of as many images as its number over 3 leaves, which is none now and then."""
    for _ in range(number % 3):
        yield np.full(1, number, dtype=np.float16), rng.random(1, dtype=np.float32)


@pytest.fixture
def small(monkeypatch):
    """A kind of pool that is drawn in this process, from 8 scenes at most: 7 images."""
    kind = data.Kind(numbers, ((1,), np.float16), ((1,), np.float32))
    monkeypatch.setattr(data, "KINDS", {"numbers": kind})
    monkeypatch.setattr(data, "_MOST_SCENES", 8)
    monkeypatch.setattr(data, "each", lambda work, orders, workers, together: (work(order) for order in orders))


def test_each_row_of_a_pool_tells_which_scene_it_is_from(small, tmp_path):
    data.make_pool("numbers", tmp_path, 6, 1, workers=1)
    images, _ = data.open_pool(tmp_path)
    scenes = data.open_scenes(tmp_path)
    assert [1, 2, 2, 4, 5, 5] == scenes.tolist() == images[:, 0].tolist()
    assert scenes.dtype == np.int32


def test_scenes_are_there_when_the_pool_is(small, tmp_path, monkeypatch):
    with monkeypatch.context() as cut:
        cut.setattr(np, "save", lambda *_: pytest.fail("cut short"))
        with pytest.raises(pytest.fail.Exception, match="cut short"):
            data.make_pool("numbers", tmp_path, 6, 1, workers=1)
    assert not (tmp_path / "targets.npy").exists()


def test_a_pool_that_its_scenes_cannot_fill_is_refused_and_leaves_nothing(small, tmp_path):
    data.make_pool("numbers", tmp_path / "all", 7, 1, workers=1)
    assert 7 == len(data.open_pool(tmp_path / "all")[1])
    with pytest.raises(SystemExit, match="8 scenes gave 7 of 9 images; make several pools"):
        data.make_pool("numbers", tmp_path / "more", 9, 1, workers=1)
    assert [] == list((tmp_path / "more").iterdir())


@pytest.mark.parametrize(("count", "batch"), [(32, 64), (7, 8), (1, 2), (0, 2), (8, 0)])
def test_a_batch_that_cannot_be_filled_is_refused_instead_of_waited_for(count, batch):
    with pytest.raises(ValueError, match=f"a batch of {batch} out of"):
        next(data.shuffled(count, batch, default_rng(1)))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 40, 41])
def test_a_row_that_leads_is_beside_the_one_that_follows_it_and_no_row_comes_twice(count):
    leads = default_rng(count).random(count) < 0.5
    pairs = data.twins(leads)
    assert (count // 2, 2) == pairs.shape
    assert pairs.size == np.unique(pairs).size
    assert set(pairs.ravel()) <= set(range(count))
    wanted = [(row, row + 1) for row in range(count - 1) if leads[row] and not leads[row + 1]]
    assert set(wanted) <= {tuple(pair) for pair in pairs.tolist()}


def test_every_tile_with_threats_meets_its_twin_in_a_round():
    detector = pytest.importorskip("training.detector", reason="training tests need PyTorch (requirements/train.txt)")
    tiles = [tile for seed in range(16) for tile in tiles_of(default_rng(seed))]
    twins = {
        (row, row + 1)
        for row, (one, other) in enumerate(itertools.pairwise(tiles))
        if (one[1][:, 0] >= 0).any() and not (other[1][:, 0] != NONE).any() and np.mean(np.abs(one[0] - other[0]) < 0.01) > 0.85
    }
    shown = detector.rare_again(np.stack([boxes[:, 0] for _, boxes in tiles]))
    assert len(twins) > 5
    assert twins <= {tuple(pair) for pair in shown.reshape(-1, 2).tolist()}


def test_tiles_with_rare_labels_come_twice_and_so_do_their_twins():
    detector = pytest.importorskip("training.detector", reason="training tests need PyTorch (requirements/train.txt)")
    common, rare = [*range(1, len(LABELS))] * 4, [0]
    classes = np.array([[NONE], [NONE], *([label] for label in common + rare), [NONE]])
    shown = detector.rare_again(classes).tolist()
    last = len(classes) - 1
    assert {2} == {shown.count(row) for row in (last - 1, last)}
    assert {1} == {shown.count(row) for row in range(last - 1)}
    places = [place for place, row in enumerate(shown) if row == last - 1]
    assert [last, last] == [shown[place + 1] for place in places]
    assert {0} == {place % 2 for place in places}


def test_every_view_with_strange_matter_meets_its_twin():
    views = [list(views_of(default_rng(seed))) for seed in range(12)]
    cells = [target for scene in views for _, target in scene]
    is_strange = np.array([bool((target == FOREIGN).any()) for target in cells])
    starts = np.cumsum([0, *(len(scene) for scene in views)])
    wanted = {(start, start + 1) for start, scene in zip(starts, views, strict=False) if len(scene) == 2 and is_strange[start + 1]}
    assert len(wanted) > 3
    assert wanted <= {tuple(pair) for pair in data.twins(~is_strange).tolist()}


def test_rows_that_are_alike_by_way_of_others_are_one_group():
    values = np.array([0.0, 10.0, 1.0, 20.0, 2.0, 10.5])
    groups = data.chains(len(values), lambda row: np.flatnonzero(np.abs(values[row + 1 :] - values[row]) <= 1.0) + row + 1)
    assert groups[0] == groups[2] == groups[4]
    assert groups[1] == groups[5]
    assert 3 == len(set(groups.tolist()))
