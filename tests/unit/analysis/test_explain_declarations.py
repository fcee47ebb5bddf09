"""Other declarations of loads whose contents are known: they are ranked by what they leave unexplained, and what is missing is named."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng

from edge_agent.analysis.explain import Load, alternatives, fit, missing_from_declaration
from edge_agent.domain.finding import Heterogeneity, ProductGuess
from edge_agent.domain.geometry import Size
from edge_agent.inference.card import ContentsCard
from edge_agent.inference.heads import EMPTY, GoodsClasses, judge_goods
from edge_agent.testing.models import ToldContents

GOODS = ("beef", "tyres", "paper", "citrus", "coffee", "cotton", "fireworks", "sugar", "tiles", "timber", "vehicles", "scrap")
CLASSES = GoodsClasses((EMPTY, *GOODS), ("air",))
FORMULA = ContentsCard(top_share=0.005, a=7.135, b=-5.368, load_threshold=0.5, evidence_cells=3)
"""Of the contents bundle 0.8.0: even a load without any likeness to its declaration scores no more than .854."""
ALERT_AT = 0.8501
ROWS = 24


class Stored(ToldContents):
    """Judges stored maps of ``CLASSES`` as the runtime does."""

    @property
    def headings(self) -> Mapping[str, tuple[str, ...]]:
        return {name: (f"{place:04}",) for place, name in enumerate(CLASSES.families)}

    def judge_again(
        self, earlier: Heterogeneity, goods: np.ndarray, view: Size, families: Sequence[str]
    ) -> tuple[Heterogeneity, np.ndarray]:
        score, heat = judge_goods(goods, CLASSES, families, FORMULA)
        return replace(earlier, score=score, against=tuple(families)), heat


def filled(columns: Mapping[str, int], rest: np.ndarray | float = 0.0) -> np.ndarray:
    """Give a map of goods side by side, each so many columns wide, below two rows of empty space and beside a column of air.

    ``rest``: (K, rows, columns) of shares that no cell's own family has, or none.
    """
    names = [name for name, width in columns.items() for _ in range(width)]
    shares = np.zeros((len(GOODS) + 2, ROWS + 2, len(names) + 1))
    own = np.array([[name == seen for seen in names] for name in CLASSES.families], dtype=float)[:, None, :]
    shares[:-1, 2:, :-1] = own * (1.0 - np.sum(rest, axis=0)) + rest
    shares[0, :2, :-1] = shares[-1, :, -1] = 1.0
    return np.rint(shares * 255.0).astype(np.uint8)


def random_rest(columns: int, share: float, seed: int) -> np.ndarray:
    """Give ``share`` of every cell to all goods at random."""
    weights = default_rng(seed).dirichlet(np.ones(len(GOODS)), (ROWS, columns))
    return share * np.concatenate([np.zeros((1, ROWS, columns)), np.moveaxis(weights, 2, 0)])


def even_rest(columns: int, share: float, *families: str) -> np.ndarray:
    """Give ``share`` of every cell to ``families``, as much to each."""
    seen = np.array([name in families for name in CLASSES.families], dtype=float)
    return np.broadcast_to(share / len(families) * seen[:, None, None], (len(seen), ROWS, columns))


LIKE_TYRES = even_rest(80, 0.08, "tyres")


def load(goods: np.ndarray, *declared: str) -> Load:
    verdict = Heterogeneity(0.0, (), declared, bool(declared), "side", "told/1")
    load = Load(verdict, None, goods, Size(60, 40), declared)
    return replace(load, verdict=replace(verdict, score=fit(Stored(), load, declared).score)) if declared else load


def missing(one: Load, alert_at: float = ALERT_AT) -> tuple[str, ...] | None:
    return missing_from_declaration(Stored(), one, alert_at)


# ------------------------------------------------------------------------------------------------------- what is missing


@pytest.mark.parametrize("rest", ["none", "fireworks all over", *range(6)])
@pytest.mark.parametrize(("first", "second", "third"), list(permutations(("beef", "tyres", "paper"))))
def test_two_families_that_are_missing_are_both_named_although_one_alone_changes_no_score(
    first: str, second: str, third: str, rest: str | int
) -> None:
    shares = random_rest(80, 0.08, rest) if isinstance(rest, int) else even_rest(80, 0.08 * (rest != "none"), "fireworks")
    half = load(filled({first: 40, second: 20, third: 20}, shares), first)
    named = missing(half)
    assert named is not None
    assert {second, third} == set(named)
    assert 2 == len(named)
    assert half.verdict.score == pytest.approx(fit(Stored(), half, (first, second)).score, abs=0.01)
    assert 0.5 == pytest.approx(fit(Stored(), half, (first,)).unexplained, abs=0.01)
    assert 0.25 == pytest.approx(fit(Stored(), half, (first, second)).unexplained, abs=0.01)
    assert 0.0 == fit(Stored(), half, (first, *named)).unexplained


@pytest.mark.parametrize("seed", range(6))
def test_what_fills_most_of_the_load_is_named_first(seed: int) -> None:
    assert ("paper", "tyres") == missing(load(filled({"beef": 20, "tyres": 20, "paper": 40}, random_rest(80, 0.08, seed)), "beef"))


@given(
    st.permutations(GOODS),
    st.integers(1, 2),
    st.lists(st.integers(3, 20), min_size=2, max_size=5),
    st.randoms(use_true_random=False),
)
def test_of_clear_goods_exactly_those_that_are_missing_are_named(names: list[str], declared: int, widths: list[int], order) -> None:
    widths = widths[: declared + 3]
    declared = min(declared, len(widths) - 1)
    laid = list(zip(names, widths, strict=False))
    order.shuffle(laid)
    named = missing(load(filled(dict(laid)), *names[:declared]))
    by_width = sorted(zip(widths[declared:], names[declared:], strict=False), key=lambda pair: (-pair[0], pair[1]))
    assert tuple(name for _, name in by_width) == named


def test_four_families_that_are_missing_are_too_many_to_be_named() -> None:
    assert missing(load(filled({"beef": 16, "tyres": 32, "paper": 16, "citrus": 8, "coffee": 4}), "beef")) is None


def test_a_large_part_that_no_longer_alerts_is_named_too_a_small_one_is_not() -> None:
    quarter, sliver = filled({"beef": 40, "tyres": 20, "paper": 20}, LIKE_TYRES), filled({"beef": 40, "tyres": 36, "paper": 4}, LIKE_TYRES)
    assert ALERT_AT > fit(Stored(), load(quarter, "beef"), ("beef", "tyres")).score
    assert ("tyres", "paper") == missing(load(quarter, "beef"))
    assert ("tyres",) == missing(load(sliver, "beef"))
    assert 0.05 == pytest.approx(fit(Stored(), load(sliver, "beef"), ("beef", "tyres")).unexplained, abs=0.01)


def test_a_load_of_traces_of_everything_is_explained_by_nothing() -> None:
    traces = filled({"tyres": 40}, even_rest(40, 0.95, *GOODS[1:]))
    mixed = load(np.concatenate([filled({"beef": 40}), traces], axis=2), "beef")
    assert 0.5 == pytest.approx(fit(Stored(), mixed, ("beef",)).unexplained, abs=0.01)
    assert missing(mixed) is None


def test_a_trace_that_ends_the_alert_by_a_hair_explains_nothing() -> None:
    strange = load(filled({"beef": 40}, even_rest(40, 1.0, *GOODS[1:])), "beef")
    assert strange.verdict.score > ALERT_AT > fit(Stored(), strange, ("beef", "fireworks")).score
    assert missing(strange) is None


def test_a_score_within_the_rounding_of_stored_shares_ends_no_alert() -> None:
    half = load(filled({"beef": 40, "tyres": 40}, even_rest(80, 0.2, *GOODS[2:])), "beef")
    then = fit(Stored(), half, ("beef", "tyres")).score
    assert missing(half, then + 1e-4) is None
    assert ("tyres",) == missing(half, then + 0.05)


def test_whether_there_is_an_alert_says_the_verdict_that_was_given_not_the_rounded_map() -> None:
    half = load(filled({"beef": 40, "tyres": 40}), "beef")
    assert () == missing(replace(half, verdict=replace(half.verdict, score=ALERT_AT - 1e-6)))
    alerted = replace(load(filled({"beef": 80}), "beef"), verdict=replace(half.verdict, score=ALERT_AT))
    assert missing(alerted) is None  # in the stored map there is nothing to explain


def test_a_load_as_declared_lacks_nothing_and_no_declaration_cannot_be_mended() -> None:
    goods = filled({"beef": 40, "tyres": 40})
    assert () == missing(load(goods, "beef", "tyres"))
    assert ("beef",) == missing(load(goods, "tyres"))
    assert missing(load(goods)) is None


class Stubborn(ToldContents):
    """Finds every declaration as wrong as the others."""

    def judge_again(
        self, earlier: Heterogeneity, goods: np.ndarray, view: Size, families: Sequence[str]
    ) -> tuple[Heterogeneity, np.ndarray]:
        return replace(earlier, score=0.9), np.ones((2, 3), np.float32)


def test_a_load_that_nothing_explains_is_said_to_be_so() -> None:
    stubborn = replace(load(np.zeros((14, 2, 3), np.uint8), "tyres"), verdict=Heterogeneity(0.9, (), ("tyres",), True, "side", "told/1"))
    assert missing_from_declaration(Stubborn(), stubborn, 0.8) is None


# ----------------------------------------------------------------------------------------------------- ranked alternatives


def test_families_are_ranked_by_how_well_they_would_explain_the_load() -> None:
    verdict = Heterogeneity(0.9, (), ("tyres",), True, "side", "told/1")
    guess = ProductGuess((("beef", 0.8), ("tyres", 0.2)), "side", "told/1")
    rows = alternatives(ToldContents(), Load(verdict, guess, np.zeros((3, 2, 3), np.uint8), Size(60, 40), ("tyres",)))
    assert [("beef", 0.0, 0.0, 0.8), ("tyres", 0.9, 0.9, 0.2), ("empty", 0.9, 0.9, 0.0)] == [
        (row.family, row.instead, row.besides, row.share) for row in rows
    ]
    assert [False, True, False] == [row.is_declared for row in rows]
    assert [("0202",), ("4011",), ("0000",)] == [row.headings for row in rows]


@pytest.mark.parametrize("seed", range(4))
def test_where_all_families_score_the_same_the_one_that_explains_most_of_the_load_is_ranked_first(seed: int) -> None:
    mixed = load(filled({"tyres": 40, "timber": 25, "beef": 15}, random_rest(80, 0.08, seed)), "beef")
    rows = alternatives(Stored(), mixed)
    assert ["tyres", "timber", "beef"] == [row.family for row in rows[:3]]
    assert max(row.instead for row in rows) - min(row.instead for row in rows) < 0.02
    assert [0.5, 0.69, 0.81, 1.0] == pytest.approx([row.unexplained_instead for row in rows[:4]], abs=0.01)
    assert [0.31, 0.5, 0.81] == pytest.approx([row.unexplained_besides for row in rows[:3]], abs=0.01)


@given(st.integers(0, 50), st.floats(0.0, 1.0), st.lists(st.sampled_from(GOODS), min_size=1, max_size=4), st.sampled_from(GOODS))
def test_to_declare_more_never_leaves_more_unexplained(seed: int, share: float, declared: list[str], more: str) -> None:
    one = load(filled({"beef": 6, "paper": 5, "scrap": 2}, random_rest(13, share, seed)), *declared)
    fewer, larger = (fit(Stored(), one, families).unexplained for families in (declared, [*declared, more]))
    assert 0.0 <= larger <= fewer <= 1.0


def test_of_a_view_without_load_nothing_is_unexplained() -> None:
    assert 0.0 == fit(Stored(), load(filled({EMPTY: 10}), "beef"), ("beef",)).unexplained
