"""Single cases of merging across a seam; two tiles of 100 px that share 40 px: [0, 100) and [60, 160)."""

import numpy as np
import pytest

from edge_agent.domain.geometry import Size
from edge_agent.imaging.boxes import Candidates, iou_matrix, merge_across_tiles, merge_settled, suppress
from edge_agent.imaging.tiles import Window

VIEW = Size(160, 100)
WINDOWS = (Window(0, 0, 100, 100), Window(60, 0, 160, 100))


def candidates(*rows: tuple[float, float, float, float, float, int]) -> Candidates:
    table = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return Candidates(table[:, :4].copy(), table[:, 4].copy(), table[:, 5].astype(np.intp))


def said(result: Candidates) -> list[tuple[list[float], float, int]]:
    return [
        (box.tolist(), round(float(score), 3), int(label))
        for box, score, label in zip(result.boxes, result.scores, result.labels, strict=True)
    ]


def merged(left: Candidates, right: Candidates) -> list[tuple[list[float], float, int]]:
    return said(merge_across_tiles(WINDOWS, [left, right], VIEW))


def settled(left: Candidates, right: Candidates) -> list[tuple[list[float], float, int]]:
    return said(merge_settled(WINDOWS, [left, right], VIEW))


def test_nothing_found_gives_nothing() -> None:
    assert merged(candidates(), candidates()) == []


def test_a_duplicate_in_the_overlap_counts_once_with_the_better_score() -> None:
    assert merged(candidates((70, 20, 90, 40, 0.7, 0)), candidates((10, 20, 30, 40, 0.8, 0))) == [([70, 20, 90, 40], 0.8, 0)]


def test_the_same_place_under_two_labels_is_two_findings() -> None:
    assert len(merged(candidates((70, 20, 90, 40, 0.7, 0)), candidates((10, 20, 30, 40, 0.8, 1)))) == 2


def test_an_object_over_the_whole_seam_becomes_one_box_with_the_better_score() -> None:
    left = candidates((30, 20, 100, 50, 0.6, 0))
    right = candidates((0, 20, 70, 50, 0.9, 0))
    assert merged(left, right) == [([30, 20, 130, 50], 0.9, 0)]


def test_a_cut_piece_vanishes_in_the_complete_box_and_lends_it_its_score() -> None:
    complete = candidates((50, 20, 90, 50, 0.6, 0))
    piece = candidates((0, 20, 30, 50, 0.9, 0))
    assert merged(complete, piece) == [([50, 20, 90, 50], 0.9, 0)]


def test_a_small_complete_object_inside_a_large_cut_one_is_not_lost() -> None:
    large = candidates((5, 5, 100, 95, 0.9, 0))
    small = candidates((10, 40, 30, 60, 0.5, 0))
    boxes = [box for box, _, _ in merged(large, small)]
    assert [70, 40, 90, 60] in boxes
    assert [5, 5, 100, 95] in boxes


def test_two_cut_objects_above_each_other_stay_two() -> None:
    left = candidates((30, 10, 100, 40, 0.8, 0), (30, 50, 100, 80, 0.7, 0))
    right = candidates((0, 10, 70, 40, 0.8, 0), (0, 50, 70, 80, 0.7, 0))
    assert merged(left, right) == [([30, 10, 130, 40], 0.8, 0), ([30, 50, 130, 80], 0.7, 0)]


def test_a_box_at_the_border_of_the_picture_is_complete() -> None:
    assert merged(candidates((0, 0, 40, 30, 0.7, 0)), candidates()) == [([0, 0, 40, 30], 0.7, 0)]


def test_a_cut_piece_without_a_partner_is_kept() -> None:
    assert merged(candidates((70, 20, 100, 40, 0.7, 0)), candidates()) == [([70, 20, 100, 40], 0.7, 0)]


# -------------------------------------------------------------------------------------- lists that name each object once already


def test_a_settled_list_of_one_window_is_taken_as_it_is() -> None:
    rows = [(10, 20, 50, 40, 0.6, 0), (12, 20, 52, 40, 0.9, 0), (12, 20, 52, 40, 0.7, 1), (10, 20, 50, 40, 0.5, 0)]
    result = merge_settled((Window(0, 0, 160, 100),), [candidates(*rows)], VIEW)
    assert said(result) == [([*row[:4]], row[4], row[5]) for row in sorted(rows, key=lambda row: -row[4])]


def test_two_objects_of_one_list_stay_two_where_both_tiles_saw_both() -> None:
    left = candidates((66, 20, 86, 40, 0.9, 0), (70, 20, 90, 40, 0.6, 0))  # they share two thirds of both
    right = candidates((10, 20, 30, 40, 0.8, 0), (6, 20, 26, 40, 0.7, 0))
    assert settled(left, right) == [([66, 20, 86, 40], 0.9, 0), ([70, 20, 90, 40], 0.8, 0)]


def test_what_one_tile_alone_saw_is_not_lost_to_its_neighbour_in_the_other_tile() -> None:
    left = candidates((66, 20, 86, 40, 0.9, 0))
    right = candidates((6, 20, 26, 40, 0.7, 0), (10, 20, 30, 40, 0.8, 0))
    assert settled(left, right) == [([66, 20, 86, 40], 0.9, 0), ([70, 20, 90, 40], 0.8, 0)]


def test_a_settled_duplicate_in_the_overlap_counts_once_and_the_better_box_is_not_moved() -> None:
    assert settled(candidates((70, 20, 90, 40, 0.7, 0)), candidates((11, 20, 31, 40, 0.8, 0))) == [([71, 20, 91, 40], 0.8, 0)]


def test_a_settled_object_over_the_whole_seam_becomes_one_box_with_the_better_score() -> None:
    assert settled(candidates((30, 20, 100, 50, 0.6, 0)), candidates((0, 20, 70, 50, 0.9, 0))) == [([30, 20, 130, 50], 0.9, 0)]


def test_two_settled_objects_over_the_seam_that_overlap_stay_two() -> None:
    left = candidates((30, 10, 100, 50, 0.8, 0), (30, 20, 100, 60, 0.7, 0))
    right = candidates((0, 20, 70, 60, 0.6, 0), (0, 10, 70, 50, 0.5, 0))
    assert settled(left, right) == [([30, 10, 130, 50], 0.8, 0), ([30, 20, 130, 60], 0.7, 0)]


def test_a_settled_cut_piece_vanishes_in_the_complete_box_and_lends_it_its_score() -> None:
    assert settled(candidates((50, 20, 90, 50, 0.6, 0)), candidates((0, 20, 30, 50, 0.9, 0))) == [([50, 20, 90, 50], 0.9, 0)]


def test_a_sliver_that_lies_in_the_complete_box_vanishes_however_little_of_it_it_shows() -> None:
    assert settled(candidates((30, 20, 96, 80, 0.9, 0)), candidates((0, 40, 10, 50, 0.4, 0))) == [([30, 20, 96, 80], 0.9, 0)]


def test_a_small_complete_object_inside_a_large_settled_cut_one_is_not_lost() -> None:
    boxes = [box for box, _, _ in settled(candidates((5, 5, 100, 95, 0.9, 0)), candidates((10, 40, 30, 60, 0.5, 0)))]
    assert boxes == [[5, 5, 100, 95], [70, 40, 90, 60]]


def test_the_same_place_under_two_labels_is_two_settled_findings() -> None:
    assert len(settled(candidates((70, 20, 90, 40, 0.7, 0)), candidates((10, 20, 30, 40, 0.8, 1)))) == 2


def test_two_objects_of_a_tile_are_never_chained_into_one_through_two_other_tiles() -> None:
    windows = (Window(0, 0, 100, 100), Window(30, 0, 130, 100), Window(60, 0, 160, 100))
    one, other = (64, 20, 84, 40, 0.9, 0), (70, 20, 90, 40, 0.8, 0)
    second, third = candidates((36, 20, 56, 40, 0.5, 0)), candidates((9, 20, 29, 40, 0.5, 0))  # at 66 and at 69: they agree with each other
    result = merge_settled(windows, [candidates(one, other), second, third], VIEW)
    assert said(result) == [([64, 20, 84, 40], 0.9, 0), ([70, 20, 90, 40], 0.8, 0)]


def test_two_objects_in_two_tiles_are_two_even_where_one_box_would_fit_both() -> None:
    left = candidates((70, 20, 90, 40, 0.9, 0), (66, 20, 86, 40, 0.8, 0))
    right = candidates((10, 20, 30, 40, 0.7, 0), (12, 20, 32, 40, 0.6, 0))  # at 70 and at 72
    assert settled(left, right) == [([70, 20, 90, 40], 0.9, 0), ([66, 20, 86, 40], 0.8, 0)]


def test_nothing_settled_gives_nothing() -> None:
    assert settled(candidates(), candidates()) == []


# ---------------------------------------------------------------------------------------------------------------- single functions


def test_boxes_that_only_touch_do_not_overlap() -> None:
    boxes = np.array([[0, 0, 10, 10], [10, 0, 20, 10]], dtype=np.float32)
    assert iou_matrix(boxes, boxes)[0, 1] == 0.0
    assert len(suppress(boxes, np.ones(2, dtype=np.float32), np.zeros(2, dtype=np.intp), 0.0)) == 2


def test_half_overlap_has_the_literal_value() -> None:
    first = np.array([[0, 0, 10, 10]], dtype=np.float32)
    second = np.array([[5, 0, 15, 10]], dtype=np.float32)
    assert pytest.approx(50 / 150) == float(iou_matrix(first, second)[0, 0])


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Candidates(np.zeros((2, 4), dtype=np.float32), np.zeros(3, dtype=np.float32), np.zeros(2, dtype=np.intp))
