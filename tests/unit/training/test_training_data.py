"""Tiles and views for training."""

import itertools
import tomllib

import numpy as np
import pytest
from numpy.random import default_rng

from edge_agent.sim.goods import AIR, CLASSES
from edge_agent.sim.threat import LABELS
from training.card import toml_text
from training.data import IGNORED, MOST_BOXES, STRIDE, TILE_PX, VIEW_PX, draw_camera, tiles_of, view_of


@pytest.fixture(scope="module")
def tiles():
    return [pair for seed in range(8) for pair in tiles_of(default_rng(seed))]


def test_tiles_hold_density_and_boxes_within_them(tiles):
    for image, boxes in tiles:
        assert image.shape == (2, TILE_PX, TILE_PX)
        assert image.dtype == np.float16
        assert float(image.min()) >= 0.0
        assert float(image.max()) < 2.0
        assert boxes.shape == (MOST_BOXES, 5)
        real = boxes[boxes[:, 0] >= 0]
        assert ((real[:, 1:] >= 0) & (real[:, 1:] <= TILE_PX)).all()
        assert (real[:, 3:] > real[:, 1:3]).all()
        assert set(real[:, 0]) <= set(range(len(LABELS)))


def test_some_tiles_have_threats_and_some_have_none(tiles):
    counts = [(boxes[:, 0] >= 0).sum() for _, boxes in tiles]
    assert 0.2 < np.mean(np.array(counts) > 0) < 0.8


def test_a_benign_twin_differs_from_its_threat_tile_at_the_threat_only(tiles):
    pairs = [
        (one, other)
        for one, other in itertools.pairwise(tiles)
        if (one[1][:, 0] >= 0).any() and not (other[1][:, 0] >= 0).any() and np.mean(one[0] == other[0]) > 0.5
    ]
    assert pairs
    for (guilty, boxes), (clean, _) in pairs:
        change = np.abs(guilty.astype(np.float32) - clean.astype(np.float32)).max(axis=0)
        y, x = np.unravel_index(int(change.argmax()), change.shape)
        assert change[y, x] > 0.02
        assert any(b[1] - 8 <= x <= b[3] + 8 and b[2] - 8 <= y <= b[4] + 8 for b in boxes if b[0] >= 0) or (boxes[:, 0] >= 0).sum() < 3


def test_the_same_seed_gives_the_same_tiles():
    first, second = list(tiles_of(default_rng(3))), list(tiles_of(default_rng(3)))
    assert all(np.array_equal(a, c) and np.array_equal(b, d) for (a, b), (c, d) in zip(first, second, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_views_carry_a_class_for_every_cell(seed):
    image, cells = view_of(default_rng(seed))
    assert image.shape == (2, *VIEW_PX)
    assert cells.shape == (VIEW_PX[0] // STRIDE, VIEW_PX[1] // STRIDE)
    assert set(np.unique(cells)) <= {*range(len(CLASSES)), IGNORED}
    blank = np.kron(cells == AIR, np.ones((STRIDE, STRIDE), dtype=bool))
    assert float(np.median(image[0][blank])) < 0.1  # a dead detector or a beam that was off darkens some of it
    assert (cells != IGNORED).mean() > 0.7


def test_display_pictures_are_as_frequent_as_asked():
    assert not any(draw_camera(default_rng(seed), 0.0).is_display for seed in range(60))
    assert 20 < sum(draw_camera(default_rng(seed), 0.5).is_display for seed in range(60)) < 40


def test_cards_are_written_as_toml_that_reads_back():
    content = {
        "name": 'with "quotes"',
        "numbers": [1, 2.5],
        "yes": True,
        "nested": {"of 1 %": 0.5, "deeper": {"list": ["a", "b"], "none": []}},
        "second": {"x": -1},
    }
    assert tomllib.loads(toml_text(content)) == content
