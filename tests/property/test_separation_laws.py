"""Laws of areas under the ROC curve, and of rates at fixed false alarms."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.evaluation.curves import auc, auc_interval, found_at, rate_at_false_alarms, roc, separation

SCORES = st.lists(st.floats(0.0, 1.0).map(lambda value: round(value, 2)), min_size=1, max_size=30)


@given(guilty=SCORES, clean=SCORES)
def test_reversed_scores_have_the_complement(guilty: list[float], clean: list[float]) -> None:
    seen = auc(separation("", guilty, clean))
    reversed_ = auc(separation("", [1.0 - score for score in guilty], [1.0 - score for score in clean]))
    assert abs(seen + reversed_ - 1.0) < 1e-9
    assert abs(seen + auc(separation("", clean, guilty)) - 1.0) < 1e-9


@given(guilty=SCORES, clean=SCORES)
def test_an_interval_holds_its_area_and_stays_in_range(guilty: list[float], clean: list[float]) -> None:
    area = auc(separation("", guilty, clean))
    found = auc_interval(area, len(guilty), len(clean))
    assert 0.0 <= found.low <= area + 1e-9
    assert area - 1e-9 <= found.high <= 1.0


@given(guilty=SCORES, clean=SCORES, allowed=st.floats(0.0, 1.0))
def test_a_threshold_keeps_its_false_alarms_and_finds_what_the_curve_says(guilty: list[float], clean: list[float], allowed: float) -> None:
    groups = separation("", guilty, clean)
    false, true = roc(groups)
    best = max(found for alarmed, found in zip(false, true, strict=True) if alarmed * len(clean) <= allowed * len(clean) + 1e-6)
    assert abs(best - (found_at(groups, allowed).value or 0.0)) < 1e-9


@given(guilty=SCORES, clean=SCORES)
def test_the_area_is_the_one_under_the_drawn_curve(guilty: list[float], clean: list[float]) -> None:
    groups = separation("", guilty, clean)
    false, true = roc(groups)
    drawn = sum((false[i + 1] - false[i]) * (true[i + 1] + true[i]) / 2.0 for i in range(len(false) - 1))
    assert abs(drawn - auc(groups)) < 1e-9


@given(guilty=SCORES, clean=SCORES, allowed=st.floats(0.0, 1.0))
def test_an_interval_of_a_rate_holds_that_of_a_known_threshold(guilty: list[float], clean: list[float], allowed: float) -> None:
    rate, low, high = rate_at_false_alarms(np.array(clean), np.array(guilty), allowed)
    known = found_at(separation("", guilty, clean), allowed)
    assert known.value == rate
    assert 0.0 <= low <= known.interval.low <= known.interval.high <= high <= 1.0


@given(guilty=SCORES, clean=SCORES, allowed=st.floats(0.0, 1.0), shift=st.sampled_from([-3.0, 2.5]))
def test_a_rate_depends_on_the_order_of_scores_alone(guilty: list[float], clean: list[float], allowed: float, shift: float) -> None:
    ours, theirs = np.round(np.array(clean) * 100), np.round(np.array(guilty) * 100)
    assert rate_at_false_alarms(ours, theirs, allowed) == rate_at_false_alarms(ours + shift, theirs + shift, allowed)
