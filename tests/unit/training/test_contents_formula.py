"""The judgement in the exported graph and the same judgement in numpy, by which a changed declaration is judged again."""

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.inference.card import ContentsCard
from edge_agent.inference.heads import GoodsClasses, judge_goods
from edge_agent.sim.goods import BACKGROUND, CLASSES, EMPTY, FAMILIES

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
formulas = pytest.importorskip("training.contents_network")
observe = pytest.importorskip("training.observe")

NAMES = tuple(family.name for family in FAMILIES)
FORMULA = formulas.Formula(
    top_share=0.05, a=1.0, b=-2.0, load_threshold=0.4, look_alikes={"coffee": {"machinery": 0.02, "tyres": 0.3}, "tyres": {"coffee": 0.6}}
)
ALONE = replace(FORMULA, look_alikes={})


class Fixed(torch.nn.Module):
    """A network that gives the logits it was made with."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, image):
        return self.logits


def judged(logits, declared, formula=FORMULA):
    """Give score, heat, product and goods map of the graph."""
    graph = formulas.ExportedContents(Fixed(logits), NAMES, formula)
    with torch.inference_mode():
        return tuple(value.numpy() for value in graph(torch.zeros(len(logits), 2, 8, 8), torch.tensor(declared, dtype=torch.float32)))


def hot(*families):
    return [1.0 if name in families else 0.0 for name in NAMES]


def a_load(share_of_machinery, *, of="coffee", fill=0.6):
    """Give logits of a container whose lower part holds ``of``, the rightmost share of it machinery."""
    classes = np.full((20, 30), EMPTY)
    top = int(20 * (1 - fill))
    classes[top:] = NAMES.index(of)
    if share_of_machinery:
        classes[top:, int(30 * (1 - share_of_machinery)) :] = NAMES.index("machinery")
    return torch.from_numpy(np.eye(len(CLASSES), dtype=np.float32)[classes].transpose(2, 0, 1)[None] * 12.0)


@pytest.mark.parametrize("declared", [(), ("coffee",), ("coffee", "machinery"), ("tyres",), ("empty",)])
@pytest.mark.parametrize("seed", range(4))
def test_graph_and_numpy_give_the_same_score_and_heat_map(seed, declared):
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 3, (1, len(CLASSES), 16, 24)).astype(np.float32))
    score, heat, _, goods = judged(logits, [hot(*declared)])
    classes = GoodsClasses(NAMES, BACKGROUND)
    stored = np.rint(goods[0] * 255).astype(np.uint8)
    again, heat_again = judge_goods(stored, classes, declared or classes.majority(stored), ContentsCard(**FORMULA.table()))
    assert float(score[0]) == pytest.approx(again, abs=1e-4)
    np.testing.assert_allclose(heat[0, 0], heat_again, atol=1e-5)


def test_declared_goods_are_no_evidence():
    assert judged(a_load(0.0), [hot("coffee")])[1].max() < 0.01


def test_undeclared_goods_are_evidence_where_they_are():
    _, heat, _, _ = judged(a_load(0.3), [hot("coffee")])
    assert heat[0, 0, 12:, 22:].min() > 0.95
    assert heat[0, 0, :, :20].max() < 0.05


def test_everything_is_evidence_when_the_container_was_declared_empty():
    score, heat, _, _ = judged(a_load(0.0), [hot("empty")])
    assert heat[0, 0, 12:].min() > 0.95
    assert float(score[0]) > 0.9


def test_of_what_the_declared_goods_are_taken_for_a_part_counts_as_declared():
    alone, alike = (judged(a_load(0.3), [hot("coffee")], formula) for formula in (ALONE, FORMULA))
    assert alike[1][0, 0, 12:, 22:].min() == pytest.approx(0.98, abs=0.01)
    assert 0.05 < float(alone[0][0]) - float(alike[0][0]), "two in a hundred are much less surprising than next to none"


def test_without_a_declaration_the_largest_family_stands_in():
    _, heat, _, _ = judged(a_load(0.3), [hot()])
    assert heat[0, 0, 12:, 22:].min() > 0.95
    assert heat[0, 0, 12:, :20].max() < 0.05


@pytest.mark.parametrize("cells", [1, 3])
def test_a_lone_cell_that_differs_counts_by_its_share_of_the_place_around_it(cells):
    logits = a_load(0.0)
    logits[0, :, 14, 10] = 0.0
    logits[0, NAMES.index("machinery"), 14, 10] = 12.0
    formula = formulas.Formula(top_share=1e-6, a=1.0, b=-2.0, evidence_cells=cells)
    score, _, _, goods = judged(logits, [hot("coffee")], formula)
    assert float(score[0]) == pytest.approx(1.0 / (1.0 + np.exp(-(np.log(512.0) / cells**2 - 2.0))), abs=0.01)
    stored = np.rint(goods[0] * 255).astype(np.uint8)
    again, _ = judge_goods(stored, GoodsClasses(NAMES, BACKGROUND), ("coffee",), ContentsCard(**formula.table()))
    assert again == pytest.approx(float(score[0]), abs=0.01)


def test_an_empty_container_gives_no_evidence_and_no_score():
    score, heat, product, _ = judged(a_load(0.0, fill=0.0), [hot("coffee")])
    assert float(score[0]) == 0.0
    assert heat.max() == 0.0
    assert product[0, EMPTY] > 0.95


@pytest.mark.parametrize("fill", [0.0, 0.2, 0.9])
def test_the_shares_of_the_products_add_up_to_one(fill):
    product = judged(a_load(0.3, fill=fill), [hot("coffee")])[2]
    assert float(product.sum()) == pytest.approx(1.0, abs=1e-3)
    assert product.min() >= 0.0


def test_the_product_is_the_family_that_fills_most():
    product = judged(a_load(0.3), [hot()])[2][0]
    assert NAMES[int(product.argmax())] == "coffee"
    assert float(product[NAMES.index("machinery")]) == pytest.approx(0.3, abs=0.02)


def test_air_around_the_container_changes_nothing():
    alone = a_load(0.3)
    air = torch.zeros(1, len(CLASSES), 20, 40)
    air[:, CLASSES.index("air")] = 12.0
    beside = torch.cat([alone, air], dim=3)
    for one, other in zip(judged(alone, [hot("coffee")])[::2], judged(beside, [hot("coffee")])[::2], strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


def test_scans_of_a_batch_are_judged_each_on_its_own():
    logits = torch.cat([a_load(0.3), a_load(0.0)])
    score = judged(logits, [hot("coffee"), hot("coffee")])[0]
    assert score[0] > 0.8 > 0.2 > score[1]


def test_a_temperature_takes_confidence_away_and_changes_no_order():
    logits = a_load(0.3)
    sharp, soft = (judged(logits, [hot("coffee")], formulas.Formula(temperature=value))[3] for value in (1.0, 4.0))
    assert soft.max() < sharp.max()
    assert np.array_equal(soft.argmax(axis=1), sharp.argmax(axis=1))
    np.testing.assert_allclose(soft.sum(axis=1), 1.0, atol=len(CLASSES) / 510.0)  # each is rounded to a step of 1/255


@pytest.mark.parametrize("fill", [0.05, 0.2, 0.9])
def test_the_graph_and_the_calibration_agree_how_probable_an_empty_container_is(fill):
    seen = max(0, 20 - int(20 * (1 - fill)) - 4) / 16  # whole rows of cells; the lowest fifth is the floor's
    product = judged(a_load(0.0, fill=fill), [hot("coffee")])[2][0]
    assert float(product[EMPTY]) == pytest.approx(FORMULA.p_empty(seen), rel=0.02)


def test_a_low_layer_that_may_be_the_floor_does_not_fill_a_container():
    floor, load = (judged(a_load(0.0, fill=fill), [hot("coffee")])[2][0] for fill in (0.2, 0.3))
    nothing = judged(a_load(0.0, fill=0.0), [hot("coffee")])[2][0]
    assert float(floor[EMPTY]) == pytest.approx(float(nothing[EMPTY]), abs=1e-6)
    assert load[EMPTY] < floor[EMPTY]


def test_what_is_thinner_than_goods_does_not_fill_a_container():
    empty = torch.from_numpy(np.eye(len(CLASSES), dtype=np.float32)[np.full((20, 30), EMPTY)].transpose(2, 0, 1)[None] * 12.0)

    def p_empty(rows, columns):
        logits = empty.clone()
        logits[0, EMPTY, rows, columns] = 0.0
        logits[0, NAMES.index("coffee"), rows, columns] = 12.0
        return float(judged(logits, [hot("coffee")])[2][0][EMPTY])

    nothing = p_empty(slice(0, 0), slice(0, 0))
    assert p_empty(slice(8, 10), slice(0, 30)) == pytest.approx(nothing, abs=1e-6)  # a rail
    assert p_empty(slice(0, 20), slice(4, 6)) == pytest.approx(nothing, abs=1e-6)  # a member
    assert p_empty(slice(8, 11), slice(0, 30)) < 0.5 * nothing


@pytest.mark.parametrize("seed", range(3))
def test_the_graph_and_the_calibration_see_the_same_fill(seed):
    logits = torch.from_numpy(np.random.default_rng(seed).normal(0, 3, (1, len(CLASSES), 16, 24)).astype(np.float32))
    logits[:, EMPTY] += 4.0
    logits[:, NAMES.index("coffee")] += 5.5
    _, _, product, goods = judged(logits, [hot("coffee")], formulas.Formula())
    seen = observe._fill(np.rint(goods[0] * 255).astype(np.uint8))
    assert 0.0 < seen < 1.0
    assert float(product[0][EMPTY]) == pytest.approx(formulas.Formula().p_empty(seen), rel=0.1)
