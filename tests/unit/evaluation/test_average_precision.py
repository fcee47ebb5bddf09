"""Average precision against values worked out by hand, through the field's own program."""

import numpy as np
import pytest

from edge_agent.domain.geometry import Box
from edge_agent.evaluation.coco import Picture, average_precisions
from edge_agent.evaluation.dataset import TrueBox
from edge_agent.evaluation.record import Placed

KNIFE, GUN = Box(10, 10, 50, 30), Box(100, 100, 140, 160)


def shifted(box: Box, share: float) -> Box:
    """A box of the same size whose IoU with ``box`` is (1 - share) / (1 + share)."""
    return box.moved(box.width * share, 0.0)


def picture(*found: Placed, boxes: tuple[TrueBox, ...] = (TrueBox("knife", KNIFE),)) -> Picture:
    return Picture(boxes, found)


def precisions(*pictures: Picture, labels: tuple[str, ...] = ("knife", "gun")):
    seen = average_precisions(pictures, labels, resamples=5)
    assert seen is not None
    return seen


def test_a_detector_that_is_always_right_has_precision_one() -> None:
    seen = precisions(picture(Placed("knife", 0.9, KNIFE)), picture(Placed("knife", 0.4, KNIFE)))
    assert (1.0, 1.0, 1.0) == pytest.approx((seen.map50, seen.map50_95, seen.ap50["knife"]))
    assert seen.map50_interval is None, "every draw gives 1, which is no interval of no width"


def test_one_of_two_found_has_precision_one_up_to_half_of_the_recalls() -> None:
    """101 recalls: the 51 from 0 to 0.50 are reached at precision 1, the other 50 never."""
    seen = precisions(picture(Placed("knife", 0.9, KNIFE)), picture())
    assert 51 / 101 == pytest.approx(seen.map50)
    assert [1.0] * 51 + [0.0] * 50 == pytest.approx(seen.curves["knife"].tolist())


def test_a_stronger_false_alarm_halves_the_precision_of_what_follows() -> None:
    seen = precisions(picture(Placed("knife", 0.9, Box(200, 200, 240, 220)), Placed("knife", 0.8, KNIFE)))
    assert 0.5 == pytest.approx(seen.map50)


def test_a_second_detection_of_one_object_is_a_false_alarm() -> None:
    """Ranks: hit, double, hit. Precision 1 up to recall .5 (51 places), 2/3 for the 50 above."""
    found = (Placed("knife", 0.9, KNIFE), Placed("knife", 0.8, KNIFE.moved(1.0, 0.0)))
    seen = precisions(picture(*found), picture(Placed("knife", 0.7, KNIFE)))
    assert (51 + 50 * 2 / 3) / 101 == pytest.approx(seen.map50)


def test_the_stricter_figure_counts_only_the_overlaps_that_are_reached() -> None:
    """IoU (1 - .1) / (1 + .1) = .818: seven of the ten thresholds from .50 to .95 are below."""
    seen = precisions(picture(Placed("knife", 0.9, shifted(KNIFE, 0.1))))
    assert (1.0, 0.7) == pytest.approx((seen.map50, seen.map50_95))


def test_the_mean_goes_over_labels_that_occur() -> None:
    boxes = (TrueBox("knife", KNIFE), TrueBox("gun", GUN))
    assert 0.5 == pytest.approx(precisions(picture(Placed("knife", 0.9, KNIFE), boxes=boxes)).map50)
    assert 1.0 == pytest.approx(precisions(picture(Placed("knife", 0.9, KNIFE)), labels=("knife", "gun", "bottle")).map50)


def test_an_ignored_box_is_no_target_and_what_lies_in_it_no_false_alarm() -> None:
    boxes = (TrueBox("knife", KNIFE), TrueBox("knife", GUN, is_ignored=True))
    inside = Placed("knife", 0.95, Box(105, 105, 130, 150))
    assert 1.0 == pytest.approx(precisions(picture(inside, Placed("knife", 0.9, KNIFE), boxes=boxes)).map50)


def test_boxes_and_detections_of_labels_that_are_not_measured_are_left_out() -> None:
    boxes = (TrueBox("knife", KNIFE), TrueBox("saw", GUN))
    assert 1.0 == pytest.approx(precisions(picture(Placed("saw", 0.99, KNIFE), Placed("knife", 0.9, KNIFE), boxes=boxes)).map50)


@pytest.mark.parametrize("boxes", [(), (TrueBox("saw", GUN),), (TrueBox("knife", KNIFE, is_ignored=True),)])
def test_there_is_no_figure_where_no_object_counts(boxes: tuple[TrueBox, ...]) -> None:
    assert average_precisions([picture(Placed("knife", 0.9, KNIFE), boxes=boxes)], ("knife",), resamples=2) is None


def test_nothing_found_at_all_is_precision_nought() -> None:
    assert 0.0 == precisions(picture(), picture()).map50


def test_the_interval_holds_the_figure_and_is_the_same_each_time() -> None:
    rng = np.random.default_rng(3)
    pictures = [picture(Placed("knife", float(rng.random()), KNIFE if rng.random() < 0.6 else GUN)) for _ in range(30)]
    first, second = (average_precisions(pictures, ("knife",), resamples=40) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.map50_interval == second.map50_interval
    assert first.map50_interval is not None
    assert 0.0 < first.map50_interval.low < first.map50 < first.map50_interval.high < 1.0


def test_pictures_of_one_scene_are_drawn_together() -> None:
    """Ten scenes of six like pictures tell no more than ten pictures: the interval is as wide, and wider than that of sixty."""
    scenes = [picture(Placed("knife", 0.9 - 0.05 * place, KNIFE if place % 2 else GUN)) for place in range(10)]
    alone = average_precisions(scenes, ("knife",))
    sixfold = [one for one in scenes for _ in range(6)]
    together = average_precisions(sixfold, ("knife",), groups=[place // 6 for place in range(60)])
    apart = average_precisions(sixfold, ("knife",))
    assert alone is not None
    assert together is not None
    assert apart is not None
    widths = [seen.map50_interval.high - seen.map50_interval.low for seen in (alone, together, apart)]
    assert widths[1] == pytest.approx(widths[0], abs=0.06)
    assert widths[2] < 0.7 * widths[1]
