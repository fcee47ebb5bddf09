"""The score of a whole scan by check: the highest over views, and only where it could alert."""

import pytest

from edge_agent.analysis.scores import check_scores
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.finding import Detection, Finding, Heterogeneity, ProductGuess, WeightEstimate
from edge_agent.domain.geometry import Box

GOODS = Declaration((DeclaredItem("0202", gross_kg=1000.0),), "sidecar")
EMPTY = Declaration((DeclaredItem("0000"),), "sidecar")
BOX = Box(0, 0, 1, 1)
FINDINGS: tuple[Finding, ...] = (
    Detection("knife", 0.3, BOX, "top", "d/1"),
    Detection("knife", 0.7, BOX, "side", "d/1"),
    Heterogeneity(0.4, (), (), declared=False, view="top", bundle="c/1"),
    ProductGuess((("beef", 0.8), ("empty", 0.2)), "top", "c/1"),
)


def test_the_highest_score_of_any_view_counts() -> None:
    assert check_scores(FINDINGS, GOODS) == {"knife": 0.7, "heterogeneity": 0.4, "empty": 0.2}


@pytest.mark.parametrize("declaration", [None, EMPTY, Declaration((), "sidecar")])
def test_emptiness_says_nothing_where_no_goods_are_declared(declaration: Declaration | None) -> None:
    assert check_scores(FINDINGS, declaration) == {"knife": 0.7, "heterogeneity": 0.4}


def test_nothing_seen_is_no_score() -> None:
    assert check_scores((), GOODS) == {}


def test_a_mass_is_compared_where_one_is_declared() -> None:
    heavy = WeightEstimate(2000.0, 1900.0, 2100.0, "w/1")
    assert check_scores((heavy,), GOODS)["weight"] > 0.99
    assert check_scores((heavy,), None) == {}
