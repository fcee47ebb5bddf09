"""The page about health and the program agree: every reason, its state, its words, and something to do about it."""

import re
from pathlib import Path

from edge_agent.agent.health import FAILING
from edge_agent.console import catalogue

PAGE = Path(__file__).resolve().parents[2] / "docs/explanation/health.md"
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (degraded|failing) \| (.+?) \| (.+) \|$", re.MULTILINE)

ROWS = {code: (state, words, remedy) for code, state, words, remedy in ROW.findall(PAGE.read_text("utf-8"))}


def test_every_reason_stands_on_the_page_with_the_words_that_consoles_show() -> None:
    assert {code: words for code, (_, words, _) in ROWS.items()} == dict(catalogue._HEALTH)


def test_the_page_says_which_reasons_are_failing() -> None:
    assert {code for code, (state, _, _) in ROWS.items() if state == "failing"} == set(FAILING)


def test_every_reason_says_what_to_do() -> None:
    assert [code for code, (_, _, remedy) in ROWS.items() if not remedy.endswith(".")] == []
