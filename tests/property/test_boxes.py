"""Laws of suppression, and of merging what was found in overlapping tiles."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.geometry import Size
from edge_agent.imaging.boxes import VOTING_IOU, Candidates, areas, iou_matrix, merge_across_tiles, merge_settled, suppress, voted
from edge_agent.imaging.tiles import Window, plan_tiles

SEEDS = st.integers(0, 2**32 - 1)
VIEW = Size(1500, 900)
TILE, OVERLAP = 400, 120


def _random_boxes(rng: np.random.Generator, count: int, clusters: int) -> Candidates:
    centres = rng.uniform(-50, 400, (clusters, 2)).repeat(-(-count // clusters), axis=0)[:count]
    centres = centres + rng.normal(0, 6, (count, 2))
    halves = rng.uniform(0, 60, (count, 2)) if clusters > count // 2 else np.full((count, 2), 30.0) + rng.normal(0, 4, (count, 2))
    boxes = np.hstack([centres - halves, centres + halves]).astype(np.float32)
    # Few distinct scores, so that equal ones occur.
    return Candidates(boxes, (rng.integers(1, 20, count) / 20).astype(np.float32), rng.integers(0, 3, count))


def _by_the_book(found: Candidates, iou: float) -> list[int]:
    order = np.argsort(-found.scores, kind="stable")
    overlap = iou_matrix(found.boxes, found.boxes)
    kept: list[int] = []
    for row in order:
        if not any(found.labels[other] == found.labels[row] and overlap[other, row] > iou for other in kept):
            kept.append(int(row))
    return kept


@settings(deadline=None)
@given(SEEDS, st.integers(1, 120), st.integers(1, 120), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_suppression_is_the_greedy_one_a_label(seed: int, count: int, clusters: int, iou: float) -> None:
    found = _random_boxes(np.random.default_rng(seed), count, clusters)
    assert _by_the_book(found, iou) == suppress(found.boxes, found.scores, found.labels, iou).tolist()


@settings(max_examples=5, deadline=None)
@given(SEEDS)
def test_suppression_in_blocks_is_the_greedy_one_too(seed: int) -> None:
    found = _random_boxes(np.random.default_rng(seed), 1300, 60)
    assert _by_the_book(found, 0.5) == suppress(found.boxes, found.scores, found.labels, 0.5).tolist()


@settings(deadline=None)
@given(SEEDS, st.integers(1, 80))
def test_suppressing_twice_changes_nothing(seed: int, count: int) -> None:
    found = _random_boxes(np.random.default_rng(seed), count, 10)
    once = found.take(suppress(found.boxes, found.scores, found.labels, 0.5))
    assert list(range(len(once))) == suppress(once.boxes, once.scores, once.labels, 0.5).tolist()


@settings(deadline=None)
@given(SEEDS, st.integers(1, 80), st.integers(1, 40))
def test_a_vote_moves_a_box_to_the_weighted_mean_of_those_that_agree_with_it(seed: int, count: int, clusters: int) -> None:
    found = _random_boxes(np.random.default_rng(seed), count, clusters)
    winners = found.take(suppress(found.boxes, found.scores, found.labels, 0.5))
    agree = (iou_matrix(winners.boxes, found.boxes) > VOTING_IOU) & (winners.labels[:, None] == found.labels[None, :])
    weights = agree * np.square(found.scores.astype(np.float64))[None, :]
    has_extent = weights.sum(axis=1) > 0
    means = np.where(has_extent[:, None], weights @ found.boxes / np.maximum(weights.sum(axis=1), 1e-9)[:, None], winners.boxes)
    after = voted(found)
    places = [int(np.abs(means - box).max(axis=1).argmin()) for box in after.boxes]
    np.testing.assert_allclose(after.boxes, means[places], atol=0.05)
    np.testing.assert_array_equal(after.scores, winners.scores[places])


def test_votes_counted_in_blocks_are_all_counted() -> None:
    boxes = np.tile(np.array([0, 0, 40, 40], dtype=np.float32), (1301, 1))
    boxes[1:, 2] = 41.0
    crowd = Candidates(boxes, np.full(1301, 0.5, dtype=np.float32), np.zeros(1301, dtype=np.intp))
    (only,) = voted(crowd).boxes
    np.testing.assert_allclose(only, [0.0, 0.0, 40.0 + 1300 / 1301, 40.0], atol=1e-4)


def test_a_lone_box_and_none_at_all_stay_as_they_are() -> None:
    lone = Candidates(np.array([[1, 2, 30, 40]], dtype=np.float32), np.array([0.0], dtype=np.float32), np.array([1]))
    np.testing.assert_array_equal(voted(lone).boxes, lone.boxes)
    assert len(voted(lone.take(np.zeros(0, dtype=np.intp)))) == 0


@settings(deadline=None)
@given(SEEDS, st.integers(1, 40))
def test_overlap_is_symmetric_bounded_and_one_with_itself(seed: int, count: int) -> None:
    boxes = _random_boxes(np.random.default_rng(seed), count, count).boxes
    overlap = iou_matrix(boxes, boxes)
    np.testing.assert_allclose(overlap, overlap.T, atol=1e-6)
    assert overlap.min() >= 0.0
    assert overlap.max() <= 1.0 + 1e-5
    has_extent = areas(boxes) > 1e-3
    np.testing.assert_allclose(np.diag(overlap)[has_extent], 1.0, atol=1e-3)


def _objects(rng: np.random.Generator, count: int, largest: int) -> Candidates:
    """Give objects that do not touch each other, anywhere in the view."""
    placed: list[tuple[float, float, float, float]] = []
    for _ in range(count * 20):
        width, height = rng.uniform(20, largest), rng.uniform(20, min(largest, VIEW.height - 10))
        x, y = rng.uniform(0, VIEW.width - width), rng.uniform(0, VIEW.height - height)
        if all(x > b[2] + 4 or b[0] > x + width + 4 or y > b[3] + 4 or b[1] > y + height + 4 for b in placed):
            placed.append((x, y, x + width, y + height))
        if len(placed) == count:
            break
    boxes = np.array(placed, dtype=np.float32)
    scores = np.linspace(0.9, 0.5, len(placed), dtype=np.float32)
    return Candidates(boxes, scores, rng.integers(0, 2, len(placed)))


def _seen_in(window: Window, objects: Candidates, rng: np.random.Generator, jitter: float) -> Candidates:
    """Give what a good detector finds in one tile: each object's part in it, several times, a little off inside the tile."""
    frame = np.array([window.x0, window.y0, window.x0, window.y0], dtype=np.float32)
    limit = np.array([window.size.width, window.size.height] * 2, dtype=np.float32)
    local = np.clip(objects.boxes - frame, 0, limit)
    is_visible = ((local[:, 2:] - local[:, :2]) > 12).all(axis=1)
    rows = np.flatnonzero(is_visible).repeat(3)
    boxes = local[rows] + rng.uniform(-jitter, jitter, (len(rows), 4)).astype(np.float32)
    at_border = (local[rows] <= 0) | (local[rows] >= limit)
    boxes = np.where(at_border, local[rows], boxes)
    scores = objects.scores[rows] - rng.uniform(0, 0.1, len(rows)).astype(np.float32)
    return Candidates(boxes.astype(np.float32), scores, objects.labels[rows])


def _merged(objects: Candidates, rng: np.random.Generator, jitter: float) -> Candidates:
    windows = plan_tiles(VIEW, TILE, OVERLAP)
    return merge_across_tiles(windows, [_seen_in(window, objects, rng, jitter) for window in windows], VIEW)


def _assert_same(objects: Candidates, merged: Candidates, tolerance_px: float) -> None:
    assert len(objects) == len(merged)
    distance = np.abs(objects.boxes[:, None] - merged.boxes[None]).max(axis=2)
    nearest = distance.argmin(axis=1)
    assert len(set(nearest.tolist())) == len(objects)
    assert distance.min(axis=1).max() <= tolerance_px
    assert objects.labels.tolist() == merged.labels[nearest].tolist()


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 25), st.floats(0, 1.5))
def test_each_object_no_larger_than_the_overlap_is_found_once_and_whole(seed: int, count: int, jitter: float) -> None:
    rng = np.random.default_rng(seed)
    objects = _objects(rng, count, OVERLAP - 10)
    _assert_same(objects, _merged(objects, rng, jitter), jitter + 3.5)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 6), st.floats(0, 1.0))
def test_an_object_longer_than_tiles_is_one_box_over_all_of_it(seed: int, count: int, jitter: float) -> None:
    rng = np.random.default_rng(seed)
    objects = _objects(rng, count, 1300)
    # A part of under 12 px in a tile is not found there, so that much of an end may be missing.
    _assert_same(objects, _merged(objects, rng, jitter), jitter + 13.0)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 25), st.floats(0, 1.5), st.booleans())
def test_a_graph_that_suppresses_gives_each_object_once_and_whole_whatever_its_length(
    seed: int, count: int, jitter: float, is_long: bool
) -> None:
    rng = np.random.default_rng(seed)
    objects = _objects(rng, min(count, 6) if is_long else count, 1300 if is_long else OVERLAP - 10)
    windows = plan_tiles(VIEW, TILE, OVERLAP)
    found = []
    for window in windows:
        seen = _seen_in(window, objects, rng, jitter)
        found.append(seen.take(np.arange(0, len(seen), 3)))  # one of the three that a detector without suppression gives
    _assert_same(objects, merge_settled(windows, found, VIEW), jitter + (13.0 if is_long else 3.5))


@settings(deadline=None)
@given(SEEDS, st.integers(1, 40))
def test_no_two_boxes_of_one_list_ever_become_one_and_none_is_moved(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    windows = plan_tiles(VIEW, TILE, OVERLAP)
    found = [_random_boxes(rng, count, max(1, count // 2)) for _ in windows]
    merged = merge_settled(windows, found, VIEW)
    assert len(merged) >= max(len(part) for part in found)
    assert (np.diff(merged.scores) <= 0).all()
    assert max(part.scores.max() for part in found) == merged.scores[0]
    alone = found[0]
    kept = merge_settled([Window(0, 0, VIEW.width, VIEW.height)], [alone], VIEW)
    order = np.argsort(-alone.scores, kind="stable")
    assert (alone.boxes[order].tolist(), alone.labels[order].tolist()) == (kept.boxes.tolist(), kept.labels.tolist())


@settings(deadline=None)
@given(SEEDS, st.integers(1, 20))
def test_merging_leaves_no_two_boxes_for_one_object_and_sorts_by_score(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    windows = plan_tiles(VIEW, TILE, OVERLAP)
    found = [_random_boxes(rng, count, max(1, count // 2)) for _ in windows]
    merged = merge_across_tiles(windows, found, VIEW)
    overlap = iou_matrix(merged.boxes, merged.boxes) * (merged.labels[:, None] == merged.labels[None, :])
    np.fill_diagonal(overlap, 0.0)
    assert overlap.max(initial=0.0) <= 0.5 + 1e-4
    assert (np.diff(merged.scores) <= 0).all()
    assert max(part.scores.max() for part in found) == merged.scores[0]


@settings(deadline=None)
@given(SEEDS, st.integers(1, 20))
def test_a_complete_box_is_only_ever_beaten_by_a_complete_box(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    windows = plan_tiles(VIEW, TILE, OVERLAP)
    found = [_random_boxes(rng, count, max(1, count // 2)) for _ in windows]
    merged = merge_across_tiles(windows, found, VIEW, votes=False)
    offsets = [np.array([w.x0, w.y0, w.x0, w.y0], dtype=np.float32) for w in windows]
    inner = [part.take(((part.boxes[:, :2] > 4) & (part.boxes[:, 2:] < TILE - 4)).all(axis=1)) for part in found]
    boxes = np.concatenate([part.boxes + offset for part, offset in zip(inner, offsets, strict=True)])
    labels = np.concatenate([part.labels for part in inner])
    # The best complete box of a place may be one that another complete one beats in turn; overlap with something kept is the law.
    scores = np.concatenate([part.scores for part in inner])
    best = suppress(boxes, scores, labels, 0.5)
    near = iou_matrix(boxes[best], merged.boxes) * (labels[best][:, None] == merged.labels[None, :])
    assert (near.max(axis=1, initial=0.0) > 0.5 - 1e-4).all() or not len(best)
