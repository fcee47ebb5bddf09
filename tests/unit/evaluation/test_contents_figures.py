"""Figures of the contents checks, of weighing and of detection from records whose every value is told."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from edge_agent.analysis.ports import Models
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import WeightEstimate
from edge_agent.domain.geometry import Box
from edge_agent.evaluation.dataset import LabelledSet, TrueBox, Truth
from edge_agent.evaluation.detection import evaluate_detection
from edge_agent.evaluation.figure import Figure
from edge_agent.evaluation.record import Brightness, Placed, Record, Seen
from edge_agent.evaluation.report import evaluate
from edge_agent.testing.models import ToldContents, ToldDetector, ToldScale

LEVELS = {"handgun": 0.6, "heterogeneity": 0.8, "empty": 0.9, "weight": 0.99}
MODELS = Models((ToldDetector(),), ToldContents(), ToldScale())
PLACE = Box(10, 10, 20, 20)


def seen(scores: Mapping[str, float] | None = None, **more: object) -> Seen:
    given = {"has_alerted": False, "detections": (), "against": (), "product": None, "weight": None, "peak": None, **more}
    return Seen(scores=scores or {}, brightness=given.pop("brightness", Brightness(0.5, 0.5)), **given)  # type: ignore[arg-type]


def measured(records: Sequence[Record]) -> dict[str, Figure]:
    return {figure.name: figure for figure in evaluate(records, MODELS, SubjectKind.CARGO, LEVELS, resamples=3).figures}


def truth(**about: object) -> Truth:
    return Truth(Path("a.png"), **about)  # type: ignore[arg-type]


EMPTY = truth(declared=("0202",), conforms=False, seen_state="empty")
LOADED = truth(declared=("0202",), conforms=True)
OTHER = truth(declared=("0202",), conforms=False, seen_state="loaded")


def test_a_loads_state_is_what_was_labelled_else_what_was_truly_declared() -> None:
    assert ["empty", "loaded", "loaded"] == [EMPTY.state, LOADED.state, OTHER.state]
    assert "empty" == truth(declared=("0000",), conforms=True).state
    assert [None, None] == [truth(declared=("0202",)).state, truth(declared=("0202",), conforms=False).state]


def test_each_question_has_both_baselines_beside_it() -> None:
    light = Brightness(0.9, 0.1)
    records = [Record(EMPTY, seen({"empty": 0.95}, brightness=light)), Record(LOADED, seen({"empty": 0.1})), Record(OTHER, seen({}))]
    found = measured(records)
    for question in ("empty against loaded", "empty divergent against loaded conforming"):
        rows = [f"{question}/auc", f"{question}/auc of mean grey alone", f"{question}/auc of dark share alone"]
        assert [1.0, 1.0, 1.0] == [found[row].value for row in rows]
    assert 0.5 == found["loaded divergent against loaded conforming/auc of mean grey alone"].value
    assert {"guilty": 1, "clean": 2} == found["empty against loaded/auc"].n


def test_a_question_that_the_set_cannot_answer_is_not_answered() -> None:
    assert not [name for name in measured([Record(EMPTY, seen({"empty": 0.95}))]) if "auc" in name]


def test_right_at_the_level_counts_both_sides() -> None:
    records = [Record(EMPTY, seen({"empty": 0.95})), Record(EMPTY, seen({"empty": 0.85})), Record(LOADED, seen({"empty": 0.0}))]
    found = measured(records)
    figure = found["empty against loaded/right at the level in force"]
    assert (pytest.approx(2 / 3), {"scans": 3}) == (figure.value, figure.n)
    assert [0.5, 0.0] == [found[f"empty against loaded/{state} seen as empty"].value for state in ("empty", "loaded")]


def test_what_is_declared_empty_is_not_called_divergent_for_being_empty() -> None:
    declared_empty = truth(declared=("0000",), conforms=True)
    records = [Record(declared_empty, seen({"empty": 1.0})), Record(EMPTY, seen({"empty": 0.7}))]
    assert not [name for name in measured(records) if name.startswith("empty divergent")], "there is no loaded conforming scan here"


def test_the_pointing_game_asks_for_places_that_nobody_declared() -> None:
    boxes = (TrueBox("beef", Box(50, 50, 60, 60)), TrueBox("foreign", PLACE))
    inside, outside = seen(peak=(15.0, 15.0), against=("beef",)), seen(peak=(55.0, 55.0), against=("beef",))
    records = [Record(truth(boxes=boxes), inside), Record(truth(boxes=boxes), outside), Record(truth(boxes=boxes[:1]), outside)]
    figure = measured(records)["contents/pointing game"]
    assert (0.5, {"scans": 2}) == (figure.value, figure.n)


def test_a_product_is_measured_where_one_known_family_was_truly_declared() -> None:
    about = [
        (truth(declared=("0202",), conforms=True), "beef"),
        (truth(declared=("0202",), conforms=True), "tyres"),
        (truth(declared=("0202", "4011"), conforms=True), "tyres"),
        (truth(declared=("9999",), conforms=True), "tyres"),
        (truth(declared=("0000",), conforms=True), "empty"),
        (OTHER, "tyres"),
    ]
    figure = measured([Record(known, seen(product=family)) for known, family in about])["contents/product right"]
    assert (0.5, {"scans": 2}) == (figure.value, figure.n)


def test_errors_of_weighing_are_in_kg_and_in_shares() -> None:
    estimates = [WeightEstimate(9_000.0, 8_000.0, 10_500.0, "b"), WeightEstimate(30_000.0, 25_000.0, 35_000.0, "b"), None]
    records = [Record(truth(mass_kg=mass), seen(weight=one)) for mass, one in zip((10_000.0, 20_000.0, 5_000.0), estimates, strict=True)]
    found = measured(records)
    assert (5500.0, 0.3) == pytest.approx((found["weight/mean error kg"].value, found["weight/median error"].value))
    assert (2 / 3, 0.5) == pytest.approx((found["weight/weighed"].value, found["weight/in the 90 % interval"].value))
    assert 5000.0 == found["weight/mean error kg of the median mass"].value


def test_a_set_without_any_label_gives_no_figure() -> None:
    assert {} == measured([Record(truth(), seen({"empty": 0.3}))])


def detector_records() -> list[Record]:
    gun, hidden = TrueBox("handgun", PLACE, occlusion="1"), TrueBox("handgun", Box(50, 50, 70, 70), occlusion="2")
    right = Placed("handgun", 0.9, PLACE)
    return [
        Record(truth(boxes=(gun,)), seen(detections=(right,))),
        Record(truth(boxes=(gun, hidden)), seen(detections=(right,))),
        Record(truth(), seen(detections=(Placed("handgun", 0.7, PLACE),))),
        Record(truth(boxes=(TrueBox("saw", PLACE),)), seen(detections=(right,))),
        *(Record(truth(), seen()) for _ in range(39)),
    ]


def test_alarms_are_measured_between_pictures_with_objects_and_pictures_with_none() -> None:
    found = {figure.name: figure for figure in evaluate_detection(detector_records(), {"handgun": 0.6}, 3).figures}
    assert (1.0, {"with objects": 2, "without": 40}) == (found["alarms/auc"].value, found["alarms/auc"].n)
    assert (1.0, 0.025) == (found["alarms/found at the level in force"].value, found["alarms/false at the level in force"].value)
    at_five = found["alarms/found at 5% false"]
    assert (1.0, 1.0, {"with objects": 2, "without": 40}) == (at_five.value, at_five.high, at_five.n)
    assert at_five.low is not None
    assert at_five.low < 0.5, "two pictures with objects tell little"


@pytest.mark.parametrize(("clean", "shown"), [(39, []), (40, ["5%"]), (199, ["5%"]), (200, ["1%", "5%"])])
def test_a_rate_at_false_alarms_needs_clean_pictures_of_which_two_may_alarm(clean: int, shown: list[str]) -> None:
    records = [Record(truth(boxes=(TrueBox("handgun", PLACE),)), seen()), *(Record(truth(), seen()) for _ in range(clean))]
    names = [figure.name for figure in evaluate_detection(records, {"handgun": 0.6}, 3).figures]
    assert [f"alarms/found at {share} false" for share in shown] == [
        name for name in names if name.startswith("alarms/found at ") and "%" in name
    ]


def test_alarms_have_darkness_beside_them() -> None:
    marked, dark, light = truth(boxes=(TrueBox("handgun", PLACE),)), Brightness(0.4, 0.3), Brightness(0.8, 0.1)
    records = [Record(marked, seen(brightness=dark)), Record(truth(), seen(brightness=light)), Record(truth(), seen(brightness=dark))]
    found = {figure.name: figure for figure in evaluate_detection(records, {"handgun": 0.6}, 3).figures}
    assert [0.75, 0.75] == [found[f"alarms/auc of {name} alone"].value for name in ("mean grey", "dark share")]
    assert {"with objects": 1, "without": 2} == found["alarms/auc of mean grey alone"].n


def test_each_level_of_occlusion_is_measured_alone() -> None:
    found = {figure.name: figure for figure in evaluate_detection(detector_records(), {"handgun": 0.6}, 3).figures}
    assert (1.0, 0.0) == pytest.approx((found["detection occlusion 1/map50"].value, found["detection occlusion 2/map50"].value))
    assert {"pictures": 1, "objects": 1} == found["detection occlusion 2/map50"].n
    assert found["detection/map50"].value < 1.0


def test_a_limit_spreads_over_the_set() -> None:
    whole = LabelledSet(tuple(Truth(Path(f"{place}.png")) for place in range(10)), ())
    assert ["0.png", "3.png", "6.png"] == [one.path.name for one in whole.limited(3).truths]
    assert whole is whole.limited(None) is whole.limited(10)


def test_a_figure_is_rounded_and_keeps_its_n() -> None:
    assert {"name": "a/b", "value": 0.1235, "low": 0.1, "high": None, "n": {"scans": 3}} == Figure(
        "a/b", 0.12345, 0.1, None, {"scans": 3}
    ).table()
