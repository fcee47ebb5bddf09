"""Raw outputs by hand: what each layout means in px of the input, worked out on paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.geometry import Size
from edge_agent.errors import InferenceFailed
from edge_agent.imaging.boxes import Candidates
from edge_agent.inference.detection_heads import Readout, activated, anomaly_levels, corners, expected_shapes, on_grids, read, tensors
from edge_agent.inference.heads import MOST_CANDIDATES
from edge_agent.inference.outputs import (
    AnomalyMapOutput,
    ClassifierOutput,
    DetrOutput,
    SsdOutput,
    YoloColumnsOutput,
    YoloRowsOutput,
    YoloxOutput,
)

GRID = Size(100, 50)


def how(*floors: float) -> Readout:
    return Readout(GRID, np.array(floors, dtype=np.float32))


def array(*values: object) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def said(found: Candidates) -> list[tuple[int, float, list[float]]]:
    rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
    return [(label, round(score, 3), [round(value, 2) for value in box]) for label, score, box in rows]


@pytest.mark.parametrize(
    ("form", "four"), [("xyxy", (10, 20, 30, 44)), ("yxyx", (20, 10, 44, 30)), ("xywh", (10, 20, 20, 24)), ("cxcywh", (20, 32, 20, 24))]
)
def test_one_box_in_every_form(form: str, four: tuple[int, ...]) -> None:
    assert [[10, 20, 30, 44]] == corners(array(four), form, "px", GRID).tolist()


def test_normalised_boxes_are_shares_of_the_input() -> None:
    assert [[10, 10, 50, 25]] == corners(array((0.1, 0.2, 0.5, 0.5)), "xyxy", "normalised", GRID).tolist()


@given(st.lists(st.tuples(*[st.floats(0, 500, width=32)] * 2, *[st.floats(0.0, 100, width=32)] * 2), min_size=1, max_size=5))
def test_forms_agree_with_each_other(boxes: list[tuple[float, float, float, float]]) -> None:
    given_boxes = np.array(boxes, dtype=np.float32)
    centred = given_boxes + np.concatenate([given_boxes[:, 2:] / 2, np.zeros_like(given_boxes[:, 2:])], axis=1)
    np.testing.assert_allclose(corners(given_boxes, "xywh", "px", GRID), corners(centred, "cxcywh", "px", GRID), atol=1e-3)


def test_grid_cells_are_numbered_row_by_row_finest_first() -> None:
    # 16 x 8 px with strides 4 and 8: 4 x 2 cells, then 2 x 1.
    rows = np.zeros((10, 6), dtype=np.float32)
    rows[:, 2:4] = np.log(0.5)
    decoded = on_grids(rows, (4, 8), Size(16, 8))
    assert [[0, 0], [4, 0], [8, 0], [12, 0], [0, 4], [4, 4], [8, 4], [12, 4], [0, 0], [8, 0]] == decoded[:, :2].tolist()
    np.testing.assert_allclose([2.0] * 8 + [4.0] * 2, decoded[:, 2], rtol=1e-6)


def test_a_wild_extent_stays_a_number() -> None:
    rows = np.full((1, 6), 1e30, dtype=np.float32)
    assert np.isfinite(on_grids(rows, (8,), Size(8, 8))[:, 2:4]).all()


def test_yolox_multiplies_objectness_and_class() -> None:
    rows = np.zeros((1, 2, 7), dtype=np.float32)
    rows[0, 1] = [0.5, 0.5, 0.0, 0.0, 0.5, 0.2, 0.9]
    found = read(YoloxOutput(head="yolox", tensor="o", decoded=False, strides=(8,)), [rows], 0, Readout(Size(16, 8), array(0.3, 0.3)))
    assert [(1, 0.45, [8, 0, 16, 8])] == said(found)


def test_yolov5_rows_with_and_without_objectness() -> None:
    row = [20, 10, 8, 4, 0.5, 0.8, 0.1]
    with_it = YoloRowsOutput(head="yolov5", tensor="o")
    assert [(0, 0.4, [16, 8, 24, 12])] == said(read(with_it, [array([row])], 0, how(0.3, 0.3)))
    without = YoloRowsOutput(head="yolov5", tensor="o", objectness=False)
    assert [(0, 0.5, [16, 8, 24, 12]), (1, 0.8, [16, 8, 24, 12])] == said(read(without, [array([row[:6]])], 0, how(0.3, 0.3)))


def test_yolov7_rows_of_all_pictures_are_told_apart() -> None:
    rows = array((0, 1, 2, 11, 12, 1, 0.9), (1, 5, 5, 9, 9, 0, 0.8), (1, 0, 0, 3, 3, 1, 0.2))
    output = YoloRowsOutput(head="yolov7", tensor="o", nms="inside")
    assert [(1, 0.9, [1, 2, 11, 12])] == said(read(output, [rows], 0, how(0.3, 0.3)))
    assert [(0, 0.8, [5, 5, 9, 9])] == said(read(output, [rows], 1, how(0.3, 0.3)))
    assert [] == said(read(output, [np.zeros((0, 7), np.float32)], 0, how(0.3, 0.3)))


def test_yolov8_columns_are_turned() -> None:
    columns = array([[20, 50], [10, 25], [8, 100], [4, 50], [0.9, 0.1], [0.2, 0.6]])
    output = YoloColumnsOutput(head="yolov8", tensor="o")
    assert [(0, 0.9, [16, 8, 24, 12]), (1, 0.6, [0, 0, 100, 50])] == said(read(output, [columns], 0, how(0.5, 0.5)))


def test_detr_queries_by_sigmoid_and_by_softmax_with_no_object_last() -> None:
    boxes = array([[0.5, 0.5, 0.2, 0.4]])
    common = {"head": "detr", "boxes": "b", "logits": "l", "box": "cxcywh", "unit": "normalised"}
    found = read(DetrOutput(**common), [array([[0.0, 2.0]]), boxes], 0, how(0.6, 0.6))
    assert [(1, 0.881, [40, 15, 60, 35])] == said(found)
    softened = array([[0.0, np.log(3.0), np.log(4.0)]])  # 1 : 3 : 4
    found = read(DetrOutput(**common, activation="softmax"), [softened, boxes], 0, how(0.3, 0.3))
    assert [(1, 0.375, [40, 15, 60, 35])] == said(found)


def test_ready_detr_labels_are_counted_from_the_first_class() -> None:
    output = DetrOutput(head="detr", boxes="b", labels="l", scores="s", box="xyxy", unit="px", first_class=1)
    arrays = [array([[1, 2, 3, 4], [5, 6, 7, 8]]), np.array([[1, 2]]), array([0.9, 0.8])]
    assert ("b", "l", "s") == tensors(output)
    assert [(0, 0.9, [1, 2, 3, 4]), (1, 0.8, [5, 6, 7, 8])] == said(read(output, arrays, 0, how(0.5, 0.5)))


SSD = SsdOutput(head="ssd-nms", boxes="b", scores="s", classes="c", box="yxyx", unit="normalised", first_class=1)


def test_ssd_rows_that_only_fill_up_are_nobody() -> None:
    arrays = [array([[0.2, 0.1, 0.4, 0.5], [0, 0, 0, 0]]), array([0.7, 0.0]), array([2.0, 0.0])]
    assert [(1, 0.7, [10, 10, 50, 20])] == said(read(SSD, arrays, 0, how(0.5, 0.5)))


def test_a_list_gone_wild_is_bounded_and_its_best_are_kept() -> None:
    scores = np.linspace(0.5, 1.0, 3 * MOST_CANDIDATES, dtype=np.float32)
    found = read(SSD, [np.zeros((1, len(scores), 4), np.float32), scores[None], np.ones((1, len(scores)), np.float32)], 0, how(0.5, 0.5))
    assert (MOST_CANDIDATES, 1.0) == (len(found), float(found.scores.max()))
    assert float(found.scores.min()) >= float(np.sort(scores)[-MOST_CANDIDATES])


def test_a_class_without_label_is_an_error_and_no_finding() -> None:
    with pytest.raises(InferenceFailed, match="class 2, counted from the first label; the card has 2"):
        read(SSD, [array([[0, 0, 1, 1]]), array([0.7]), array([3.0])], 0, how(0.5, 0.5))


@pytest.mark.parametrize("score", [1.5, -0.5])
def test_a_score_that_is_no_probability_is_an_error(score: float) -> None:
    with pytest.raises(InferenceFailed, match="no probability"):
        read(SSD, [array([[0, 0, 1, 1]]), array([score]), array([1.0])], 0, how(0.5, 0.5))


def test_rounding_above_one_is_one() -> None:
    assert [1.0] == read(SSD, [array([[0, 0, 1, 1]]), array([1.0005]), array([1.0])], 0, how(0.5, 0.5)).scores.tolist()


def test_a_classifier_speaks_of_all_it_was_shown() -> None:
    output = ClassifierOutput(head="classifier", tensor="o", activation="softmax")
    assert [(1, 0.75, [0, 0, 100, 50])] == said(read(output, [array([0.0, np.log(3.0)])], 0, how(0.5, 0.5)))


def test_an_anomaly_map_is_scaled_between_its_low_and_high() -> None:
    output = AnomalyMapOutput(head="anomaly-map", tensor="o", low=2.0, high=6.0, region_at=0.5)
    assert [[0.0, 0.5, 1.0]] == anomaly_levels(output, array([[[1.0, 4.0, 9.0]]]), 0).tolist()
    assert [[0.0, 0.5, 1.0]] == anomaly_levels(output, array([[1.0, 4.0, 9.0]]), 0).tolist()


def test_activations_of_extreme_values_are_numbers() -> None:
    wild = array(-1e9, 0.0, 1e9)
    assert [0.0, 0.5, 1.0] == np.round(activated(wild, "sigmoid"), 6).tolist()
    assert [0.0, 0.0, 1.0] == activated(wild, "softmax").tolist()


def test_expected_shapes_count_labels_objectness_and_cells() -> None:
    assert {"o": [(1, 8400, 85)]} == expected_shapes(YoloxOutput(head="yolox", tensor="o", decoded=False), 80, 1, Size(640, 640))
    assert {"o": [(2, None, 85)]} == expected_shapes(YoloRowsOutput(head="yolov5", tensor="o"), 80, 2, GRID)
    assert {"o": [(2, 84, None)]} == expected_shapes(YoloColumnsOutput(head="yolov8", tensor="o"), 80, 2, GRID)
    assert {"o": [(1, 3)]} == expected_shapes(ClassifierOutput(head="classifier", tensor="o", activation="none"), 3, 1, GRID)
