"""Raw outputs by hand: which candidates they are, and what a stored goods map says under another declaration."""

import numpy as np
import pytest

from edge_agent.inference.card import ContentsCard
from edge_agent.inference.heads import MOST_CANDIDATES, GoodsClasses, boxes_scores, highest_evidence_score, judge_goods

FORMULA = ContentsCard(top_share=0.5, a=10.0, b=-5.0, load_threshold=0.5)
CLASSES = GoodsClasses(("empty", "beef", "tyres"), ("air",))


def test_only_scores_at_their_own_floor_are_candidates_with_their_box_and_label() -> None:
    boxes = np.array([[0, 0, 1, 1], [2, 2, 3, 3]], dtype=np.float32)
    scores = np.array([[0.5, 0.2], [0.49, 0.9]], dtype=np.float32)
    found = boxes_scores(boxes, scores, np.array([0.5, 0.3], dtype=np.float32))
    assert [(0, 0.5), (1, 0.9)] == [(int(label), round(float(score), 3)) for label, score in zip(found.labels, found.scores, strict=True)]
    assert boxes.tolist() == found.boxes.tolist()


def test_a_model_gone_wild_is_bounded_and_its_best_are_kept() -> None:
    count = 3 * MOST_CANDIDATES
    scores = np.linspace(0.5, 1.0, count, dtype=np.float32)[:, None]
    found = boxes_scores(np.zeros((count, 4), np.float32), scores, np.array([0.5], dtype=np.float32))
    assert len(found) == MOST_CANDIDATES
    assert float(found.scores.min()) >= float(np.sort(scores[:, 0])[-MOST_CANDIDATES])


def goods(*cells: tuple[float, float, float, float]) -> np.ndarray:
    """Give a goods map of one row: shares of empty, beef, tyres, air a cell."""
    return np.rint(np.array(cells).T[:, None, :] * 255).astype(np.uint8)


def test_declared_goods_give_no_evidence_and_others_give_their_share() -> None:
    score, heat = judge_goods(goods((0, 1, 0, 0), (0, 0, 1, 0), (1, 0, 0, 0), (0, 0, 0, 1)), CLASSES, ("beef",), FORMULA)
    assert heat.tolist() == [[0.0, 1.0, 0.0, 0.0]]
    assert score == pytest.approx(0.5)  # the stronger half of three cells inside, rounded to two: the tyres and a cell without evidence


def test_a_speck_in_an_empty_container_is_not_a_load() -> None:
    full = judge_goods(goods(*[(0, 0, 1, 0)] * 8), CLASSES, ("empty",), FORMULA)[0]
    speck = judge_goods(goods((0, 0, 1, 0), *[(1, 0, 0, 0)] * 7), CLASSES, ("empty",), FORMULA)[0]
    assert full > 0.99
    assert speck < 0.1


def test_air_around_the_container_changes_no_score() -> None:
    cells = ((0, 1, 0, 0), (0, 0, 1, 0), (1, 0, 0, 0), (1, 0, 0, 0))
    alone = judge_goods(goods(*cells), CLASSES, ("beef",), FORMULA)[0]
    assert judge_goods(goods(*cells, *[(0, 0, 0, 1)] * 20), CLASSES, ("beef",), FORMULA)[0] == alone == pytest.approx(0.5)


def test_a_load_under_an_empty_declaration_is_evidence_everywhere() -> None:
    score, heat = judge_goods(goods((0, 1, 0, 0), (0.9, 0.1, 0, 0)), CLASSES, ("empty",), FORMULA)
    assert heat.tolist() == [[1.0, 0.0]]
    assert score > 0.99


def test_without_load_nothing_can_differ() -> None:
    assert judge_goods(goods((1, 0, 0, 0), (0, 0, 0, 1)), CLASSES, ("beef",), FORMULA)[0] == 0.0


def test_the_majority_is_the_family_that_fills_most_and_never_empty_space() -> None:
    assert CLASSES.majority(goods((1, 0, 0, 0), (1, 0, 0, 0), (0, 0.3, 0.7, 0))) == ("tyres",)
    assert CLASSES.majority(goods((1, 0, 0, 0))) == ()


def test_the_mask_has_a_place_for_every_family() -> None:
    assert CLASSES.multi_hot(("tyres", "unheard-of")).tolist() == [[0.0, 0.0, 1.0]]


def test_evidence_is_averaged_over_the_place_around_it_where_the_card_says_so() -> None:
    cells = [(0.0, 1.0, 0.0, 0.0)] * 4 + [(0.0, 0.0, 1.0, 0.0)] + [(0.0, 1.0, 0.0, 0.0)] * 4
    lone = FORMULA.model_copy(update={"top_share": 1e-6})
    sharp, smooth = (judge_goods(goods(*cells), CLASSES, ("beef",), lone.model_copy(update={"evidence_cells": n}))[0] for n in (1, 3))
    assert sharp == pytest.approx(1.0 / (1.0 + np.exp(-5.0)))
    assert smooth == pytest.approx(1.0 / (1.0 + np.exp(-(10.0 / 9.0 - 5.0))))


def test_evidence_does_not_run_out_of_the_load_into_the_air_beside_it() -> None:
    cells = [(0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0)]
    formula = FORMULA.model_copy(update={"top_share": 1.0, "evidence_cells": 3})
    assert judge_goods(goods(*cells), CLASSES, ("beef",), formula)[0] == pytest.approx(1.0 / (1.0 + np.exp(-(10.0 / 9.0 - 5.0))))


def test_nats_go_on_telling_loads_apart_where_shares_are_all_near_one():
    formula = FORMULA.model_copy(update={"evidence_unit": "nats", "a": 1.0, "b": -3.0, "top_share": 1.0})
    unlikely, unthinkable = (judge_goods(goods((0, part, 1 - part, 0)), CLASSES, ("beef",), formula)[0] for part in (6 / 255, 0.0))
    assert unlikely == pytest.approx(1 / (1 + np.exp(-(-np.log(6 / 255 * 511 / 512 + 1 / 512) - 3.0))), abs=1e-6)
    assert unthinkable == pytest.approx(highest_evidence_score(formula)) == pytest.approx(1 / (1 + np.exp(-(np.log(512) - 3.0))), abs=1e-6)
    assert unthinkable - unlikely > 0.1
    nothing = judge_goods(goods((0, 1, 0, 0)), CLASSES, ("beef",), formula)[0]
    assert nothing == pytest.approx(1 / (1 + np.exp(3.0)), abs=1e-6)


def test_the_highest_score_in_shares_is_that_of_a_load_of_which_nothing_is_explained():
    assert highest_evidence_score(FORMULA) == pytest.approx(judge_goods(goods((0, 0, 1, 0)), CLASSES, ("beef",), FORMULA)[0])


def test_of_what_a_declared_family_is_taken_for_a_part_counts_as_declared_and_nothing_the_other_way_round():
    formula = FORMULA.model_copy(update={"look_alikes": {"beef": {"tyres": 0.25}}})
    map_of_tyres = goods((0, 0, 1, 0), (0, 0.2, 0.8, 0))
    assert judge_goods(map_of_tyres, CLASSES, ("beef",), formula)[1].tolist() == [[pytest.approx(0.75), pytest.approx(0.6, abs=1e-6)]]
    assert judge_goods(map_of_tyres, CLASSES, ("tyres",), formula)[1].tolist() == [[0.0, pytest.approx(0.2, abs=1e-6)]]
    assert judge_goods(map_of_tyres, CLASSES, ("beef", "tyres"), formula)[1].max() == pytest.approx(0.0, abs=1e-6)
    assert judge_goods(map_of_tyres, CLASSES, ("empty",), formula)[1].tolist() == [[1.0, 1.0]], "free space explains no load"
