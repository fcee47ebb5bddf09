"""What ``edge-agent explain`` says of a declaration: how strong an answer is stands beside it, and that there is none is said."""

from dataclasses import replace

from edge_agent.analysis.explain import Fit
from edge_agent.cli.explain import Compared, _sentence

HALF = Compared("side", ("beef",), 0.8541, 0.5, 0.8501, (), ("tyres", "paper"), Fit(0.0046, 0.001))


def test_what_is_missing_is_named_with_how_much_of_the_load_is_unexplained_before_and_after() -> None:
    words = (
        "Declared beef (0.854): 50% of the load looks more like other goods; with tyres, paper declared as well, it would be 0% (0.005)."
    )
    assert words == _sentence(HALF)


def test_that_no_few_goods_would_explain_the_load_is_said() -> None:
    words = "Declared beef (0.854): 50% of the load looks more like other goods, and no few goods declared in addition would explain it."
    assert words == _sentence(replace(HALF, missing=None, then=None))


def test_a_load_that_does_not_alert_is_not_said_to_be_wholly_explained() -> None:
    words = "Declared beef (0.524): 2% of the load looks more like other goods; that is below the alert level."
    assert words == _sentence(replace(HALF, score=0.5243, unexplained=0.02, missing=(), then=Fit(0.5243, 0.02)))


def test_without_a_declaration_nothing_is_said_of_it() -> None:
    assert "Nothing usable was declared, so there is no declaration to mend." == _sentence(
        replace(HALF, declared=(), unexplained=None, missing=None, then=None)
    )
