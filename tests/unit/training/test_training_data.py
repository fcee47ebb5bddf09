"""Tiles and views for training, whole scans for calibration, and the frozen test sets."""

import itertools
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from edge_agent.domain.scan import Quantity
from edge_agent.sim.display import draw_palette, draw_rendering
from edge_agent.sim.goods import AIR, CLASSES, FOREIGN
from edge_agent.sim.scene import CargoPlan, cargo_scene, with_threats
from edge_agent.sim.threat import LABELS, TOLD_BY_MATTER, Shapes
from training import tiles as tiles_module
from training.calibrate import detector_thresholds, formula_from
from training.camera import draw_camera
from training.card import toml_text
from training.data import pick, rows_of, shuffled
from training.detectability import ROSE, rose_index
from training.formula import Formula
from training.observe import SHARES, Detected, Examined, _fill, _true_goods
from training.scans import CONTAINER, GUILTY_OF_13, TEST_SEED, container, contents_scan, detection_scan
from training.testsets import PART, SETS, digest, part_digest
from training.tiles import IGNORED, MOST_BOXES, TILE_PX, Source, boxes_in, targets_of, tiles_of
from training.views import IGNORED as UNCLEAR
from training.views import STRIDE, VIEW_PX, views_of


@pytest.fixture(scope="module")
def tiles():
    return [pair for seed in range(10) for pair in tiles_of(default_rng(seed))]


@pytest.fixture(scope="module")
def views():
    return [view for seed in range(8) for view in views_of(default_rng(seed))]


def test_tiles_hold_density_and_boxes_within_them(tiles):
    for image, boxes in tiles:
        assert image.shape == (2, TILE_PX, TILE_PX)
        assert image.dtype == np.float16
        assert float(image.min()) >= 0.0
        assert float(image[0].max()) < 2.0
        assert float(image[1].max()) < 2.7  # what colours tell of the low plane: black, of metal
        assert boxes.shape == (MOST_BOXES, 5)
        real = boxes[boxes[:, 0] != -1]
        assert ((real[:, 1:] >= 0) & (real[:, 1:] <= TILE_PX)).all()
        assert (real[:, 3:] > real[:, 1:3]).all()
        assert set(real[:, 0]) <= {*range(len(LABELS)), IGNORED}


def test_some_tiles_have_threats_and_some_have_none(tiles):
    counts = [(boxes[:, 0] >= 0).sum() for _, boxes in tiles]
    assert 0.2 < np.mean(np.array(counts) > 0) < 0.8


def test_a_benign_twin_differs_from_its_threat_tile_at_the_threats_only(tiles):
    pairs = [
        (one, other)
        for one, other in itertools.pairwise(tiles)
        if (one[1][:, 0] >= 0).any() and not (other[1][:, 0] != -1).any() and np.mean(np.abs(one[0] - other[0]) < 0.01) > 0.85
    ]
    assert pairs
    for (guilty, boxes), (clean, _) in pairs:
        change = np.abs(guilty.astype(np.float32) - clean.astype(np.float32)).max(axis=0)
        near = np.zeros_like(change, dtype=bool)
        for x0, y0, x1, y1 in boxes[boxes[:, 0] != -1, 1:].astype(int):
            near[max(0, y0 - 2) : y1 + 3, max(0, x0 - 2) : x1 + 3] = True
        assert change[near].mean() > 4 * change[~near].mean()  # elsewhere only the scattered light is a little less


def test_the_same_seed_gives_the_same_tiles():
    first, second = list(tiles_of(default_rng(3))), list(tiles_of(default_rng(3)))
    assert all(np.array_equal(a, c) and np.array_equal(b, d) for (a, b), (c, d) in zip(first, second, strict=True))


def test_held_out_threats_and_unseen_scanners_make_other_tiles():
    sources = (Source(), Source(Shapes.HELD_OUT, held_out=True), Source(unseen=True))
    plain, held, unseen = (list(tiles_of(default_rng(4), source)) for source in sources)
    assert digest(plain) != digest(held)
    assert digest(plain) != digest(unseen)


def test_undeclared_goods_are_no_threat_and_threats_may_lie_in_them():
    rng = default_rng(2)
    scene = cargo_scene(CargoPlan((17,), foreign=21, feet=20, is_high=False, window_mm=(1500.0, 3000.0)), 6.0, rng)
    assert [found.label for found in scene.hidden] == ["goods.scrap"]
    guilty = with_threats(scene, ("rifle",), rng)
    camera = draw_camera(default_rng(3), 0.0)
    rows = targets_of(guilty, camera.channels(scene, 5.0), camera.channels(guilty, 5.0))
    assert len(rows) == 1
    x0, y0, x1, y1 = (value * 6.0 / 5.0 for value in guilty.hidden[1].box)
    assert rows[0, 1:] == pytest.approx((x0, y0, x1, y1), abs=1.5)
    assert len(targets_of(scene, camera.channels(scene, 5.0), camera.channels(scene, 5.0))) == 0


def test_the_unseen_scanner_s_pixels_curves_and_colours_are_its_own():
    for seed in range(30):
        scenes = [tiles_module._scene(default_rng(seed), source) for source in (Source(), Source(unseen=True))]
        assert scenes[1].pitch_mm > max(6.0 if scenes[0].is_cargo else 1.8, scenes[0].pitch_mm)
        usual, unseen = (draw_rendering(default_rng(seed), unseen=choice) for choice in (False, True))
        assert unseen.black >= 0.06 >= usual.black
        assert unseen.white <= 0.9 <= usual.white
        usual, unseen = (draw_palette(default_rng(seed), unseen=choice) for choice in (False, True))
        assert unseen.depth < 0.9 <= usual.depth <= 1.35 or 1.35 < unseen.depth
        assert unseen.pale > usual.pale


def test_a_target_cut_to_a_sliver_is_ignored_and_one_outside_is_left_out():
    rows = np.array([[2, 250, 10, 290, 50], [1, 100, 100, 150, 150], [0, 400, 10, 440, 50]], dtype=np.float32)
    out = boxes_in(rows, (0, 0))
    assert out[0].tolist() == [IGNORED, 250, 10, 256, 50]
    assert out[1].tolist() == [1, 100, 100, 150, 150]
    assert (out[2:, 0] == -1).all()


def disc(contrast, noise, radius=8, seed=0):
    rng = default_rng(seed)
    y, x = np.mgrid[:64, :64]
    own = (y - 32) ** 2 + (x - 32) ** 2 <= radius**2
    before = np.full((2, 64, 64), 0.4, dtype=np.float32) + rng.normal(0, noise, (2, 64, 64)).astype(np.float32)
    return before, before + np.float32(contrast) * own, own


def test_the_rose_index_grows_with_contrast_and_size_and_falls_with_noise():
    usual = rose_index(*disc(0.02, 0.01))
    assert rose_index(*disc(0.04, 0.01)) == pytest.approx(2 * usual, rel=0.05)
    assert rose_index(*disc(0.02, 0.01, radius=16)) == pytest.approx(2 * usual, rel=0.1)
    assert rose_index(*disc(0.02, 0.04)) == pytest.approx(usual / 4, rel=0.1)


def test_a_faint_thing_does_not_show_and_nothing_has_no_index():
    assert rose_index(*disc(0.002, 0.02)) < ROSE < rose_index(*disc(0.05, 0.01))
    before, after, own = disc(0.1, 0.01)
    assert rose_index(before, after, np.zeros_like(own)) == 0.0


def test_views_carry_a_class_for_every_cell(views):
    for image, cells in views:
        assert image.shape == (2, *VIEW_PX)
        assert cells.shape == (VIEW_PX[0] // STRIDE, VIEW_PX[1] // STRIDE)
        assert set(np.unique(cells)) <= {*range(len(CLASSES)), UNCLEAR}
    assert np.mean([(cells != UNCLEAR).mean() for _, cells in views]) > 0.7
    assert any((cells == AIR).any() for _, cells in views)


def test_strange_matter_is_labelled_where_it_changes_the_picture_only(views):
    strange = 0
    for (before, plain), (after, cells) in itertools.pairwise(views):
        if np.mean(before == after) < 0.3:
            continue  # not a pair
        change = np.abs(after.astype(np.float32) - before.astype(np.float32)).max(axis=0)
        means = change.reshape(cells.shape[0], STRIDE, cells.shape[1], STRIDE).mean(axis=(1, 3))
        added = (cells == FOREIGN) & (plain != FOREIGN)
        strange += int(added.sum())
        assert (means[added] > 0.025).all()
    assert strange > 20


def test_display_pictures_are_as_frequent_as_asked():
    assert not any(draw_camera(default_rng(seed), 0.0).is_display for seed in range(60))
    assert 20 < sum(draw_camera(default_rng(seed), 0.5).is_display for seed in range(60)) < 40


def test_a_scan_can_be_made_again_alone_and_its_view_is_what_its_scanner_writes():
    role, scene, camera = contents_scan(5, 4)
    again = contents_scan(5, 4)
    assert role == again[0] == "overlay"
    assert np.array_equal(scene.areal, again[1].areal)
    assert scene.hidden
    view = camera.view(scene)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(view.planes, again[2].view(again[1]).planes, strict=True))
    assert (view.planes[0].quantity is Quantity.DISPLAY) == camera.is_display


def test_threat_scans_of_calibration_hold_threats_and_clean_ones_none():
    for number in (1, 6, 8):
        role, scene, _ = detection_scan(5, number)
        assert bool(scene.hidden) == role.endswith("threat")


def test_three_of_thirteen_containers_hold_small_metal():
    scans = [container(number, default_rng((7, number))) for number in (0, 3)]
    assert [bool((boxes[:, 0] >= 0).any()) for _, boxes in scans] == [True, False]
    assert GUILTY_OF_13 * 1300 // 13 == 300
    image, boxes = scans[0]
    assert image.shape == CONTAINER
    assert image.dtype == np.uint16
    longest = (boxes[0, 3:] - boxes[0, 1:3]).max() * 5.0
    assert 145.0 <= longest <= 405.0


@pytest.mark.parametrize("one", SETS, ids=lambda one: one.name)
def test_the_frozen_test_sets_are_the_ones_that_were_measured(one):
    assert part_digest(one) == one.part_sha256


def test_a_digest_overlooks_the_last_bit_but_no_change_to_picture_or_target():
    rows = list(rows_of("tiles", 1, PART))
    usual = digest(rows)
    image, target = rows[0]
    assert digest([((image.astype(np.float32) * (1 + 1e-6)), target), *rows[1:]]) == usual
    assert digest([(image[:, ::-1], target), *rows[1:]]) != usual
    moved = target.copy()
    moved[0, 1:] += 3.0
    assert digest([(image, moved), *rows[1:]]) != usual


def test_a_round_shows_every_image_once_and_keeps_pairs_together():
    batches = list(itertools.islice(shuffled(24, 8, default_rng(1)), 3))
    assert sorted(np.concatenate(batches)) == list(range(24))
    assert all((batch[::2] + 1 == batch[1::2]).all() for batch in batches)


def test_thresholds_keep_the_whole_scan_alarm_budget():
    rng = default_rng(2)
    scans = [Detected("cargo-clean", {label: float(rng.beta(1, 8)) for label in LABELS}) for _ in range(600)]
    levels = detector_thresholds(scans)
    alarms = np.mean([any(seen.best[label] >= levels[label] for label in LABELS) for seen in scans])
    assert 0.005 < alarms <= 0.02


def test_the_formula_alerts_on_three_of_a_hundred_clean_loads():
    rng = default_rng(3)

    def scan(role, level, fill):
        evidence = tuple(float(np.clip(rng.normal(level, 0.08), 0.0, 1.0)) for _ in SHARES)
        return Examined(role, ("coffee",), evidence, fill, ("coffee", 0.9), points=False, true_fill=1.0, score=0.0, digest="")

    clean = [scan("clean", 0.2, float(rng.uniform(0.2, 0.9))) for _ in range(300)]
    scans = [*clean, *(scan("foreign", 0.7, 0.7) for _ in range(100)), *(scan("overlay", 0.4, 0.7) for _ in range(100))]
    scans += [scan("empty", 0.1, 0.01) for _ in range(60)]
    formula, levels = formula_from(scans, Formula(temperature=1.5))
    chosen = SHARES.index(formula.top_share)
    scores = [1 / (1 + np.exp(-(formula.a * seen.evidence[chosen] + formula.b))) for seen in clean]
    assert 0.015 < np.mean(np.array(scores) >= levels["heterogeneity"]) < 0.06
    assert 0.01 < formula.empty_fill < 0.7
    assert formula.temperature == 1.5
    assert 0.1 <= formula.a <= 40.0


def test_the_alert_level_can_be_reached_where_clean_loads_come_near_the_highest_score():
    rng = default_rng(5)
    highest = float(np.log(512.0))

    def scan(role, level):
        evidence = tuple(float(min(highest, rng.normal(level, 0.01))) for _ in SHARES)
        return Examined(role, ("coffee",), evidence, 0.7, ("coffee", 0.9), points=False, true_fill=1.0, score=0.0, digest="")

    scans = [scan("clean", 0.2) for _ in range(190)] + [scan("clean", highest - 0.005) for _ in range(10)]
    scans += [scan("foreign", 7.0) for _ in range(50)] + [scan("overlay", 2.0) for _ in range(20)] + [scan("empty", 0.1) for _ in range(20)]
    formula, levels = formula_from(scans, Formula())
    assert levels["heterogeneity"] < 1.0 / (1.0 + np.exp(-(formula.a * highest + formula.b)))


def test_the_line_between_empty_and_loaded_is_graded_and_the_alert_level_lies_on_the_side_of_the_empty_ones():
    formula = Formula(empty_fill=0.1, empty_slope=4.0)
    fills = [0.0, 0.02, 0.06, 0.099, 0.2, 0.5, 0.9]
    chances = [formula.p_empty(fill) for fill in fills]
    assert chances == sorted(chances, reverse=True)
    assert len(set(chances)) == len(chances)
    assert chances[3] == pytest.approx(0.5)
    assert chances[1] > 0.9 > chances[2]


def test_two_of_a_hundred_loads_pass_for_an_empty_container():
    rng = default_rng(6)
    evidence = (0.5,) * len(SHARES)
    fills = [float(fill) for fill in np.exp(rng.normal(np.log(0.3), 0.8, 1000))]
    scans = [
        Examined("clean", ("coffee",), evidence, fill, ("coffee", 0.9), points=False, true_fill=1.0, score=0.0, digest="") for fill in fills
    ]
    scans += [
        Examined(role, ("coffee",), evidence, 0.3, ("coffee", 0.9), points=False, true_fill=1.0, score=0.0, digest="")
        for role in ("foreign", "overlay")
    ]
    formula, levels = formula_from(scans, Formula())
    chances = np.array([formula.p_empty(fill) for fill in fills])
    assert 0.018 <= np.mean(chances >= levels["empty"]) <= 0.022
    assert 0.045 <= np.mean(chances >= 0.5) <= 0.055


def test_loads_that_show_nowhere_above_the_floor_do_not_set_the_level_of_an_empty_container():
    rng = default_rng(7)
    evidence = (0.5,) * len(SHARES)
    scans = [
        Examined(role, ("coffee",), evidence, float(fill), ("coffee", 0.9), points=False, true_fill=1.0, score=0.0, digest="")
        for fill in np.exp(rng.normal(np.log(0.3), 0.8, 400))
        for role in ("clean", "foreign", "overlay")
    ]
    hidden = [
        Examined("clean", ("steel",), evidence, 0.0, ("steel", 0.9), points=False, true_fill=0.0, score=0.0, digest="") for _ in range(40)
    ]
    (usual, _), (beside, _) = formula_from(scans, Formula()), formula_from([*scans, *hidden], Formula())
    assert (beside.empty_fill, beside.empty_slope) == (usual.empty_fill, usual.empty_slope)
    shown = [replace(seen, true_fill=0.5) for seen in hidden]
    assert formula_from([*scans, *shown], Formula())[0].empty_fill < usual.empty_fill


@pytest.mark.parametrize(("number", "is_full"), [(5, False), (0, True)], ids=["empty", "loaded"])
def test_a_faultless_goods_map_has_the_fill_of_the_scene(number, is_full):
    role, scene, _ = contents_scan(TEST_SEED, number)
    goods = _true_goods(scene, (30, 100))
    assert role == ("clean" if is_full else "empty")
    assert (goods.sum(axis=0, dtype=int) == 255).all()
    assert (_fill(goods) > 0.05) is is_full


def test_undeclared_goods_that_found_no_room_make_no_guilty_scan():
    scans = [contents_scan(77, number) for number in (2, 242)]  # 242: between the beef is no gap for more
    assert [("foreign", True), ("clean", False)] == [(role, bool(scene.hidden)) for role, scene, _ in scans]


def test_cards_are_written_as_toml_that_reads_back():
    content = {
        "name": 'with "quotes"',
        "numbers": [1, 2.5],
        "yes": True,
        "nested": {"of 1 %": 0.5, "deeper": {"list": ["a", "b"], "none": []}},
        "second": {"x": -1},
    }
    assert tomllib.loads(toml_text(content)) == content


def test_rows_of_several_pools_are_those_of_one_pool_made_of_them():
    numbers = np.arange(10, dtype=np.float16)
    pools = [(numbers[:4], numbers[:4].astype(np.float32)), (numbers[4:], numbers[4:].astype(np.float32))]
    images, targets = pick(pools, np.array([9, 0, 4, 3]))
    assert [0, 3, 4, 9] == sorted(images.tolist())
    assert images.tolist() == targets.tolist()


def test_matter_tiles_have_two_energies_and_only_threats_that_these_tell_apart():
    rows = list(rows_of("tiles-matter", 6, PART))
    assert all(np.any(image[1]) for image, _ in rows if np.any(image[0]))
    labels = {int(label) for _, targets in rows for label in targets[:, 0] if label >= 0}
    assert labels == {LABELS.index(label) for label in TOLD_BY_MATTER}
