"""Laws of average precision on drawn boxes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.geometry import Box
from edge_agent.evaluation.coco import Picture, average_precisions
from edge_agent.evaluation.dataset import TrueBox
from edge_agent.evaluation.record import Placed

LABELS = ("knife", "gun")
CELL = 40


@st.composite
def pictures(draw: st.DrawFn) -> list[Picture]:
    """Objects in cells of a grid, so that no two overlap, and detections of some of them at drawn scores."""
    made = []
    for _ in range(draw(st.integers(1, 4))):
        cells = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=4, unique=True))
        boxes = [TrueBox(draw(st.sampled_from(LABELS)), Box(x * CELL + 4, y * CELL + 4, x * CELL + 30, y * CELL + 20)) for x, y in cells]
        found = [Placed(box.label, draw(st.floats(0.1, 0.9)), box.box) for box in boxes if draw(st.booleans())]
        made.append(Picture(boxes, found))
    return made


def score(made: list[Picture]) -> float | None:
    seen = average_precisions(made, LABELS, resamples=0)
    return None if seen is None else seen.map50


@settings(max_examples=40, deadline=None)
@given(made=pictures())
def test_a_perfect_detector_has_precision_one(made: list[Picture]) -> None:
    perfect = [Picture(one.boxes, [Placed(box.label, 0.5, box.box) for box in one.boxes]) for one in made]
    found = score(perfect)
    assert found is None or abs(found - 1.0) < 1e-9


@settings(max_examples=40, deadline=None)
@given(made=pictures(), label=st.sampled_from(LABELS), strength=st.floats(0.0, 1.0))
def test_a_false_alarm_never_helps(made: list[Picture], label: str, strength: float) -> None:
    before = score(made)
    first = made[0]
    after = score([Picture(first.boxes, [*first.found, Placed(label, strength, Box(900, 900, 930, 920))]), *made[1:]])
    assert before is None or (after is not None and after <= before + 1e-9)
