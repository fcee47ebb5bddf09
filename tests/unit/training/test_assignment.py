"""Loss, assignment, network geometry and metrics of the detector's training."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
assignment = pytest.importorskip("training.assignment")
network = pytest.importorskip("training.network")
metrics = pytest.importorskip("training.metrics")

CELLS = network.cells_of(64, 64)
MIDDLES = CELLS[:, :2]


def truth(*rows):
    out = torch.full((1, 6, 5), -1.0)
    for place, row in enumerate(rows):
        out[0, place] = torch.tensor(row)
    return out


def outputs(box, label, score=4.0):
    """Give raw outputs in which every cell within ``box`` predicts exactly it."""
    logits = torch.full((1, len(MIDDLES), 3), -6.0)
    corners = torch.tensor(box)
    inside = ((corners[:2] < MIDDLES) & (corners[2:] > MIDDLES)).all(dim=1)
    logits[0, inside, label] = score
    sides = torch.cat([MIDDLES - corners[:2], corners[2:] - MIDDLES], dim=1)[None]
    return logits, sides


def test_every_cell_of_a_level_has_its_middle_and_levels_follow_each_other():
    assert CELLS.shape == (64 + 16 + 4, 3)
    assert CELLS[:, 2].unique().tolist() == [4.0, 8.0, 16.0]
    assert MIDDLES[0].tolist() == [4.0, 4.0]
    assert MIDDLES[64].tolist() == [8.0, 8.0]
    assert MIDDLES[-1].tolist() == [48.0, 48.0]


def test_the_network_s_cells_are_those_of_its_geometry_and_it_is_small():
    detector = network.Detector(6).eval()
    with torch.inference_mode():
        logits, sides = detector(torch.zeros(1, 2, 64, 64))
    assert logits.shape == (1, len(MIDDLES), 6)
    assert sides.shape == (1, len(MIDDLES), 4)
    assert sides.min() >= -network.REACH * max(network.STRIDES)
    assert sum(value.numel() for value in detector.parameters()) <= 1_500_000


def test_equal_boxes_have_iou_one_and_distant_ones_a_negative_giou():
    a, b = torch.tensor([0.0, 0.0, 10.0, 10.0]), torch.tensor([30.0, 30.0, 40.0, 40.0])
    assert assignment.pair_iou(a, a)[0] == pytest.approx(1.0)
    assert assignment.pair_iou(a, b)[0] == 0.0
    assert assignment.pair_iou(a, b)[1] < -0.8


def test_cells_inside_a_box_answer_for_it_and_no_others():
    box = (8.0, 8.0, 40.0, 40.0)
    logits, sides = outputs(box, 1)
    wanted, owned, counts = assignment.assign(logits.sigmoid(), network.boxes_from(sides, MIDDLES), CELLS, truth((1.0, *box)))
    assert bool(counts.all())
    answering = wanted[0, :, 1] > 0
    assert 1 <= int(answering.sum()) <= assignment.TOP
    assert wanted[0, :, [0, 2]].max() == 0
    assert torch.equal(owned[0, answering], torch.tensor(box).expand(int(answering.sum()), 4))
    inside = ((MIDDLES > 8) & (MIDDLES < 40)).all(dim=1)
    assert bool(inside[answering].all())


def test_without_objects_no_cell_answers():
    logits, sides = outputs((8.0, 8.0, 40.0, 40.0), 1)
    wanted, _, counts = assignment.assign(logits.sigmoid(), network.boxes_from(sides, MIDDLES), CELLS, truth())
    assert bool(counts.all())
    assert wanted.max() == 0


def test_a_strip_between_the_middles_of_all_cells_is_answered_for():
    box = (6.0, 9.0, 60.0, 11.0)
    assert not ((MIDDLES[:, 1] > 9) & (MIDDLES[:, 1] < 11)).any()
    sides = torch.cat([MIDDLES - torch.tensor(box[:2]), torch.tensor(box[2:]) - MIDDLES], dim=1)[None]
    scores = torch.full((1, len(CELLS), 3), 0.1)
    wanted, _, _ = assignment.assign(scores, network.boxes_from(sides, MIDDLES), CELLS, truth((1.0, *box)))
    assert wanted[0, :, 1].max() > 0.9


def test_an_ignored_box_asks_nothing_of_its_cells_and_answers_none():
    box = (8.0, 8.0, 40.0, 40.0)
    logits, sides = outputs(box, 1)
    wanted, _, counts = assignment.assign(logits.sigmoid(), network.boxes_from(sides, MIDDLES), CELLS, truth((-2.0, *box)))
    assert wanted.max() == 0
    inside = ((MIDDLES > 8) & (MIDDLES < 40)).all(dim=1)
    assert not counts[0, inside].any()
    assert counts[0, MIDDLES.min(dim=1).values > 56].all()
    assert assignment.loss_of(outputs(box, 1), CELLS, truth((-2.0, *box))) < 0.1 * assignment.loss_of(outputs(box, 1), CELLS, truth())


def test_a_right_answer_costs_less_than_a_wrong_label_or_a_missed_box():
    box = (8.0, 8.0, 40.0, 40.0)
    right = assignment.loss_of(outputs(box, 1), CELLS, truth((1.0, *box)))
    wrong_label = assignment.loss_of(outputs(box, 2), CELLS, truth((1.0, *box)))
    missed = assignment.loss_of(outputs(box, 1, score=-6.0), CELLS, truth((1.0, *box)))
    shifted = assignment.loss_of(outputs((16.0, 16.0, 60.0, 60.0), 1), CELLS, truth((1.0, *box)))
    assert right < min(wrong_label, missed, shifted)


def test_a_false_alarm_on_a_clean_tile_costs_something():
    box = (8.0, 8.0, 40.0, 40.0)
    assert assignment.loss_of(outputs(box, 1), CELLS, truth()) > 5 * assignment.loss_of(outputs(box, 1, score=-6.0), CELLS, truth())


def test_the_loss_leads_to_the_object():
    """Some steps of descent on one picture find its one object."""
    torch.manual_seed(0)
    small = network.Detector(2).train()
    image = torch.zeros(2, 2, 64, 64)
    image[0, :, 16:40, 24:56] = 1.0
    wanted = truth((1.0, 24.0, 16.0, 56.0, 40.0)).repeat(2, 1, 1)
    wanted[1] = -1.0
    optimiser = torch.optim.AdamW(small.parameters(), lr=2e-3)
    first = None
    for _ in range(25):
        loss = assignment.loss_of(small(image), CELLS, wanted)
        first = first if first is not None else float(loss.detach())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.6 * first


def test_the_average_follows_the_weights():
    layer = torch.nn.Linear(2, 2)
    averaged = network.Averaged(layer, 0.9)
    with torch.no_grad():
        layer.weight.fill_(5.0)
    for _ in range(200):
        averaged.update(layer)
    assert torch.allclose(averaged.state["weight"], torch.full((2, 2), 5.0), atol=1e-3)


def found(boxes, scores, labels, true, ignored=()):
    as_rows = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    targets, neither = np.array(true, dtype=np.float32).reshape(-1, 5), np.array(ignored, dtype=np.float32).reshape(-1, 4)
    return metrics.Found(as_rows, np.array(scores, dtype=np.float32), np.array(labels, dtype=np.intp), targets, neither)


HERE, THERE = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)


def test_a_detection_within_an_ignored_box_is_no_false_alarm_and_a_target_in_it_still_counts():
    def ap(*tile):
        return metrics.summary([found(*tile)], ("a", "b"))["ap50_a"]

    assert ap([THERE, HERE], [0.9, 0.8], [0, 0], [(0, *HERE)]) == 0.5
    assert ap([THERE, HERE], [0.9, 0.8], [0, 0], [(0, *HERE)], [(49.0, 49.0, 70.0, 70.0)]) == 1.0
    assert ap([HERE], [0.8], [0], [(0, *HERE)], [(0.0, 0.0, 20.0, 20.0)]) == 1.0


def test_a_summary_has_the_field_s_figures_and_counts():
    tiles = [found([HERE, THERE], [0.9, 0.8], [0, 1], [(0, *HERE), (1, *THERE)], [(49.0, 49.0, 70.0, 70.0)]), found([], [], [], [])]
    figures = metrics.summary(tiles, ("a", "b", "c"))
    assert {figures[name] for name in ("map50", "map75", "map50_95", "ap50_a", "ap50_b", "ap50_any_label")} == {1.0}
    assert (figures["tiles"], figures["objects"], figures["ignored"]) == (2, 2, 1)
    assert "ap50_c" not in figures
    assert "map50" not in metrics.summary([found([], [], [], [])], ("a",))


def test_tidy_keeps_ignored_rows_apart_from_targets():
    rows = np.full((3, 5), -1.0, dtype=np.float32)
    rows[0], rows[1] = (1, *HERE), (-2, *THERE)
    one = metrics.tidy(np.zeros((0, 4), dtype=np.float32), np.zeros((0, 2), dtype=np.float32), rows)
    assert one.truth.tolist() == [[1, *HERE]]
    assert one.ignored.tolist() == [list(THERE)]


def test_a_perfect_detector_has_no_interval_and_that_of_a_mixed_one_holds_its_value():
    perfect = [found([HERE], [0.9], [0], [(0, *HERE)]) for _ in range(20)]
    scenes = np.arange(40, dtype=np.int32)
    assert metrics.intervals(perfect, ("a",), scenes[:20]) == {}
    mixed = [*perfect, *(found([THERE], [0.95], [0], [(0, *HERE)]) for _ in range(20))]
    low, high = metrics.intervals(mixed, ("a",), scenes)["map50_interval_95"]
    assert low < metrics.summary(mixed, ("a",))["map50"] < high


def test_what_is_found_under_another_label_counts_under_any_and_once():
    tile = found([HERE, HERE], [0.9, 0.8], [1, 0], [(2, *HERE)])
    figures = metrics.summary([tile], ("a", "b", "c"))
    assert (figures["map50"], figures["ap50_any_label"]) == (0.0, 1.0)


def test_an_area_under_the_curve_has_its_published_interval():
    rng = np.random.default_rng(1)
    table = metrics.auc_with_interval("auc", rng.normal(1.0, 1.0, 200), rng.normal(0.0, 1.0, 200))
    low, high = table["auc_interval_95"]
    assert low < 0.76 < high
    assert 0.05 < high - low < 0.12
    assert metrics.auc_with_interval("auc", np.ones(5), np.zeros(5))["auc"] == 1.0


def test_a_share_stands_with_its_wilson_interval_and_its_count():
    assert metrics.share("alerted", 30, 1000) == {"alerted": 0.03, "alerted_n": 1000, "alerted_interval_95": [0.021, 0.043]}
    assert metrics.share("alerted", 0, 0) == {"alerted": 0.0, "alerted_n": 0, "alerted_interval_95": [0.0, 1.0]}
