"""Figures of whole scans, and the constants that are fitted to calibration scans, against values worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from edge_agent.sim.goods import FAMILIES
from edge_agent.sim.threat import LABELS
from training.calibrate import _platt, container_figures, contents_figures, detector_figures, formula_from, look_alikes
from training.formula import Formula
from training.observe import SHARES, Detected, Examined

LEVELS = dict.fromkeys(LABELS, 0.5)


def detected(role: str, score: float, label: str = "knife", *hits: tuple[str, float]) -> Detected:
    return Detected(role, dict.fromkeys(LABELS, 0.0) | {label: score}, hits)


def examined(role: str, score: float = 0.0, fill: float = 0.5, product: tuple[str, float] = ("coffee", 0.9), points: bool = False):
    evidence = 0.5 + (np.log(score / (1.0 - score)) / 10.0 if score else -0.5)
    return Examined(role, ("coffee",), (evidence,) * len(SHARES), fill, product, points, 1.0, score, "")


def test_a_threat_is_found_by_a_detection_on_it_and_an_alarm_elsewhere_finds_nothing() -> None:
    scans = [
        detected("parcel-threat", 0.9, "knife", ("knife", 0.9)),
        detected("parcel-threat", 0.9, "knife", ("knife", 0.4)),
        detected("parcel-threat", 0.9),
        detected("parcel-clean", 0.9),
        detected("parcel-clean", 0.49),
        detected("cargo-clean", 0.1),
    ]
    figures = detector_figures(scans, LEVELS)
    assert (figures["parcel_scans"]["threat_found"], figures["parcel_scans"]["threat_found_n"]) == (0.333, 3)
    assert (figures["parcel_scans"]["clean_alerted"], figures["parcel_scans"]["clean_alerted_n"]) == (0.5, 2)
    assert "threat_found" not in figures["vehicle_scans"]


def test_containers_are_found_where_they_stand_above_all_but_one_of_a_hundred_clean_ones() -> None:
    clean = [detected("clean", 0.001 + 0.004 * place) for place in range(200)]
    guilty = [detected("guilty", score) for score in (0.9, 0.8, 0.794, 0.5)]
    figures = container_figures([*clean, *guilty], LEVELS)
    low, high = figures["found_at_1pc_false_interval_95"]
    assert low < 0.75 < high
    assert figures["pointed_at_1pc_false"] == 0.0, "nothing was detected on the metal itself"
    assert container_figures([*clean, detected("guilty", 0.9, "knife", ("rifle", 0.85))], LEVELS)["pointed_at_1pc_false"] == 1.0
    assert (figures["clean"], figures["found_at_1pc_false"], figures["found_at_1pc_false_n"]) == (200, 0.75, 4)
    assert figures["found_at_5pc_false"] == 0.75
    assert container_figures([*clean, *guilty, detected("guilty", 0.77)], LEVELS)["found_at_5pc_false"] == 0.8


def test_the_margin_of_a_container_is_measured_from_the_level_of_each_label() -> None:
    """The odds of .9 over those of .8 are 2.25, the odds of .3 over those of .1 are 3.86: the weaker score stands out more."""
    levels = LEVELS | {"knife": 0.8, "rifle": 0.1}
    scans = [detected("clean", 0.9, "knife"), detected("guilty", 0.3, "rifle")]
    assert container_figures(scans, levels)["auc"] == 1.0
    assert container_figures(scans, LEVELS)["auc"] == 0.0


def test_the_logistic_score_of_two_groups_that_mirror_each_other_is_one_half_between_them() -> None:
    offsets = default_rng(1).normal(0.0, 0.1, 200)
    a, b = _platt(0.3 - offsets, 0.5 + offsets)
    assert a * 0.4 + b == pytest.approx(0.0, abs=1e-3)
    more, b_more = _platt(np.repeat(0.3 - offsets, 5), 0.5 + offsets)
    assert (more, b_more) == pytest.approx((a, b), rel=0.05), "both sides weigh the same, however many they are"


def test_the_logistic_score_of_groups_that_are_wholly_apart_is_bounded() -> None:
    a, _ = _platt(np.zeros(50), np.ones(50))
    assert 2.0 <= a <= 40.0
    turned, _ = _platt(np.ones(50), np.zeros(50))
    assert turned == 0.1, "more evidence is never less"


def test_a_load_points_right_or_not_and_an_empty_container_is_seen_as_empty_by_its_fill() -> None:
    formula = Formula(SHARES[2], a=10.0, b=-5.0, empty_fill=0.1, empty_slope=4.0)
    scans = [
        examined("clean", 0.2),
        examined("clean", 0.6, product=("tea", 0.95)),
        examined("empty", fill=0.0),
        examined("empty", 0.9, fill=0.3),
        examined("foreign", 0.7, points=True),
        examined("foreign", 0.3),
        examined("unknown", 0.9, points=True),
    ]
    figures = contents_figures(scans, formula, {"heterogeneity": 0.5, "empty": 0.9, "product": 0.5})
    assert (figures["clean_loads"]["alerted"], figures["empty_loads"]["alerted"]) == (0.5, 0.5)
    assert figures["empty"]["empty_seen_as_empty"] == 0.5
    assert figures["empty"]["loaded_seen_as_empty"] == 0.0
    assert figures["foreign_goods_s0"]["pointing_game"] == figures["foreign_goods_s0"]["found"] == 0.5
    assert "pointing_game" not in figures["unknown_goods_s1"]
    assert "hidden_overlay_s1" not in figures
    assert (figures["product"]["top1_of_all"], figures["product"]["coverage"]) == (0.5, 1.0)


def test_an_area_compares_loads_with_loads_whatever_empty_containers_score() -> None:
    loads = [examined("clean", 0.2), examined("clean", 0.6), examined("foreign", 0.5)]
    empties = [examined("empty", 0.0, fill=0.0) for _ in range(20)]
    levels = {"heterogeneity": 0.55, "empty": 0.9, "product": 0.5}
    figures = contents_figures([*loads, *empties], Formula(), levels)
    assert (figures["foreign_goods_s0"]["auc"], figures["foreign_goods_s0"]["auc_n"]) == (0.5, [1, 2])
    assert (figures["clean_loads"]["alerted"], figures["empty_loads"]["alerted"]) == (0.5, 0.0)


def test_a_product_is_named_from_the_level_at_which_that_is_right_often_enough() -> None:
    rng = default_rng(2)
    scans = [examined("clean", float(rng.uniform(0.1, 0.2)), product=("coffee", float(rng.uniform(0.5, 1.0)))) for _ in range(90)]
    scans += [examined("clean", float(rng.uniform(0.1, 0.2)), product=("tea", float(rng.uniform(0.2, 0.4)))) for _ in range(10)]
    scans += [examined(role, float(rng.uniform(0.5, 0.9))) for role in ("foreign", "overlay") for _ in range(20)]
    _, levels = formula_from(scans, Formula())
    named = [seen for seen in scans[:100] if seen.product[1] >= levels["product"]]
    below = [seen for seen in scans[:100] if seen.product[1] >= levels["product"] - 0.02]
    assert np.mean([seen.product[0] == "coffee" for seen in named]) >= 0.93
    assert np.mean([seen.product[0] == "coffee" for seen in below]) < 0.93


def of_family(name: str, count: int, **looks: float) -> list[Examined]:
    shares = tuple(looks.get(family.name, 0.0) for family in FAMILIES)
    one = Examined("clean", (name,), (0.0,) * len(SHARES), 0.5, (name, 1.0), False, 1.0, 0.0, "", shares)
    return [one] * count


def test_a_family_that_is_taken_for_another_one_load_in_ten_explains_a_tenth_of_it_and_not_the_other_way_round() -> None:
    scans = [*of_family("coffee", 90, coffee=1.0), *of_family("coffee", 10, sugar=1.0), *of_family("sugar", 100, sugar=1.0)]
    alike = look_alikes(scans)
    assert alike == {"coffee": {"sugar": pytest.approx(0.1, abs=0.002)}}


def test_look_alikes_are_told_from_clean_loads_of_one_family_and_families_without_any_have_none() -> None:
    scans = of_family("coffee", 20, coffee=0.9, sugar=0.1)
    assert look_alikes(scans) == {}, "no load of sugar was seen, so nobody knows how often sugar looks like sugar"
    mixed = [replace(seen, families=("coffee", "sugar")) for seen in scans]
    hidden = [replace(seen, role="foreign") for seen in scans]
    assert look_alikes([*mixed, *hidden, *of_family("sugar", 20, sugar=1.0)]) == {}


def test_one_load_says_little_of_what_its_family_is_taken_for() -> None:
    alike = look_alikes([*of_family("coffee", 1, sugar=1.0), *of_family("sugar", 50, sugar=1.0)])
    assert alike["coffee"]["sugar"] == pytest.approx(0.5, abs=0.05)
