"""Explanations of models whose secrets are known: the saliency peaks where the model looks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.analysis.explain import (
    MaskPlan,
    Question,
    Saliency,
    cropped,
    draw_mask,
    explain_detection,
    hidden,
    overlap,
)
from edge_agent.analysis.ports import DetectorEvidence, Fan, one_by_one
from edge_agent.domain.assessment import BundleUse
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection
from edge_agent.domain.geometry import Box, Size
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.testing.models import USE, ToldDetector

PLAN = MaskPlan(count=150, cells=8, seed=3)


@dataclass
class Looker:
    """Finds a handgun in ``box`` of the whole view; its score is how dark ``secret`` (px of the view) is there."""

    box: Box
    secret: Box
    window: Size | None = None
    origin: tuple[int, int] = (0, 0)
    """Where the view it is shown lies in the whole one, for tests of regions."""
    alert_levels: Mapping[str, float] = None  # type: ignore[assignment]

    @property
    def bundle(self) -> BundleUse:
        return USE

    def applies_to(self, subject: SubjectKind) -> bool:
        return True

    def reach(self, view: View, subject: SubjectKind) -> Size | None:
        return self.window

    def detect(self, view: View, subject: SubjectKind, show_at: Mapping[str, float], fan: Fan) -> DetectorEvidence:
        secret, box = (part.moved(-self.origin[0], -self.origin[1]) for part in (self.secret, self.box))
        pixels = view.planes[0].pixels[int(secret.y0) : int(secret.y1), int(secret.x0) : int(secret.x1)]
        score = 1.0 - float(pixels.mean()) / (65535.0 if pixels.dtype == np.uint16 else 255.0)
        return DetectorEvidence((Detection("handgun", score, box, view.name, "told/1"),) if score >= show_at["handgun"] else ())


def dark_view(width: int, height: int, quantity: Quantity = Quantity.TRANSMISSION) -> View:
    pixels = np.full((height, width), 600, np.uint16) if quantity is Quantity.TRANSMISSION else np.full((height, width, 3), 20, np.uint8)
    return View("side", (Plane(quantity, Energy.HIGH, pixels),), None)


def question(looker: Looker, view: View, plan: MaskPlan = PLAN) -> Question:
    return Question(looker, view, SubjectKind.CARGO, Detection("handgun", 0.9, looker.box, "side", "told/1"), plan)


def explained(asked: Question) -> Saliency:
    return explain_detection(asked, one_by_one, lambda: None)


@pytest.mark.parametrize("quantity", [Quantity.TRANSMISSION, Quantity.DISPLAY])
@pytest.mark.parametrize("place", [(20, 30), (120, 60), (5, 70)])
def test_the_peak_lies_where_the_model_looks_not_where_its_box_is(place: tuple[int, int], quantity: Quantity) -> None:
    x, y = place
    secret = Box(x, y, x + 16, y + 16)
    found = explained(question(Looker(Box(60, 20, 100, 60), secret), dark_view(160, 96, quantity)))
    assert secret.x0 - 4 <= found.peak[0] <= secret.x1 + 4
    assert secret.y0 - 4 <= found.peak[1] <= secret.y1 + 4
    assert found.drop.max() > 0.2


def test_only_what_one_look_takes_in_is_masked_and_the_peak_is_in_px_of_the_view() -> None:
    secret = Box(310, 40, 330, 60)
    looker = Looker(Box(300, 30, 340, 70), secret, window=Size(120, 90), origin=(260, 5))
    asked = question(looker, dark_view(600, 200))
    assert Box(260, 5, 380, 95) == asked.region
    found = explained(asked)
    assert 306 <= found.peak[0] <= 334
    assert 36 <= found.peak[1] <= 64
    heat = found.over(Size(600, 200))
    assert (200, 600) == heat.shape
    assert heat[:, :259].max() == heat[:, 381:].max() == 0.0
    assert 1.0 == pytest.approx(float(heat.max()), abs=0.02)


@given(
    st.tuples(st.integers(0, 400), st.integers(0, 300), st.integers(1, 300), st.integers(1, 300)),
    st.tuples(st.integers(1, 500), st.integers(1, 500)),
)
def test_the_region_lies_inside_the_view_and_holds_the_target(corner: tuple[int, int, int, int], reach: tuple[int, int]) -> None:
    x, y, width, height = corner
    view = dark_view(x + width + 3, y + height + 5)
    region = question(Looker(Box(x, y, x + width, y + height), Box(0, 0, 1, 1), window=Size(*reach)), view).region
    assert 0 <= region.x0 <= x
    assert x + width <= region.x1 <= view.size.width
    assert 0 <= region.y0 <= y
    assert y + height <= region.y1 <= view.size.height


def test_the_same_seed_gives_the_same_saliency_whatever_the_order_of_threads() -> None:
    asked = question(Looker(Box(10, 10, 40, 40), Box(20, 20, 30, 30)), dark_view(96, 64), MaskPlan(40, 8, 1))

    def backwards(work, items):
        return [work(item) for item in reversed(items)][::-1]

    first, second = explained(asked), explain_detection(asked, backwards, lambda: None)
    np.testing.assert_array_equal(first.drop, second.drop)
    other = explained(replace(asked, plan=MaskPlan(40, 8, 2)))
    assert not np.array_equal(first.drop, other.drop)


def test_every_mask_is_told() -> None:
    told: list[None] = []
    explain_detection(
        question(Looker(Box(0, 0, 9, 9), Box(0, 0, 5, 5)), dark_view(30, 20), MaskPlan(7)), one_by_one, lambda: told.append(None)
    )
    assert 7 == len(told)


def test_a_model_that_never_sees_the_target_again_gives_no_heat() -> None:
    blind = Question(
        ToldDetector(), dark_view(30, 20), SubjectKind.CARGO, Detection("handgun", 0.9, Box(0, 0, 5, 5), "side", "t"), MaskPlan(5)
    )
    found = explained(blind)
    assert 0.0 == found.unmasked == float(found.heat.max())


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 30), st.integers(0, 5))
def test_a_mask_fits_its_picture_and_lies_between_0_and_1(width: int, height: int, cells: int, number: int) -> None:
    mask = draw_mask(MaskPlan(6, cells, 0), number, Size(width, height))
    assert ((height, width), np.float32) == (mask.shape, mask.dtype)
    assert 0.0 <= mask.min() <= mask.max() <= 1.0


def test_every_place_is_visible_about_half_of_the_time() -> None:
    masks = np.stack([draw_mask(MaskPlan(400, 8, 0), number, Size(40, 24)) for number in range(400)])
    assert 0.4 < masks.mean(axis=0).min() <= masks.mean(axis=0).max() < 0.6


def test_hiding_takes_matter_out_of_the_beam_and_nothing_hidden_changes_nothing() -> None:
    transmission = View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, np.full((4, 4), 6554, np.uint16)),), None)
    display = View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, np.full((4, 4, 3), 55, np.uint8)),), None)
    mask = np.ones((4, 4), dtype=np.float32)
    mask[0, 0], mask[0, 1] = 0.0, 0.5
    seen = hidden(transmission, mask).planes[0].pixels
    assert (65535, 6554) == (seen[0, 0], seen[3, 3])
    assert 65535 * 0.1**0.5 == pytest.approx(float(seen[0, 1]), rel=1e-3)  # half of the attenuation is left
    assert [[255] * 3, [155] * 3] == hidden(display, mask).planes[0].pixels[0, :2].tolist()


def test_a_part_of_a_view_is_its_pixels() -> None:
    view = View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, np.arange(20, dtype=np.uint16).reshape(4, 5)),), (5.0, 5.0))
    part = cropped(view, Box(1, 2, 4, 4))
    assert [[11, 12, 13], [16, 17, 18]] == part.planes[0].pixels.tolist()
    assert (5.0, 5.0) == part.pitch_mm


def test_overlap_is_intersection_over_union() -> None:
    assert 1 / 3 == pytest.approx(overlap(Box(0, 0, 2, 1), Box(1, 0, 3, 1)))
    assert 0.0 == overlap(Box(0, 0, 1, 1), Box(1, 0, 2, 1)) == overlap(Box(0, 0, 0, 0), Box(0, 0, 0, 0))
