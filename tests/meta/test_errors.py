"""The error tree and its page agree: every error has one code, says what it means, says what to do, and is documented."""

import re
from collections import Counter
from pathlib import Path

import pytest

from edge_agent import errors
from edge_agent.errors import EdgeAgentError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "errors.md"
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def tree(root: type[EdgeAgentError] = EdgeAgentError) -> list[type[EdgeAgentError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in tree(child))]


def expected_entry(error: type[EdgeAgentError]) -> str:
    """What the page says of an error, to be copied there when this test fails."""
    meaning = " ".join((error.__doc__ or "").split())
    parent = error.__base__.__name__ if error.__base__ else ""
    return f"### {error.code}\n`{error.__name__}` ({parent}). {meaning}\n\n*What to do:* {error.hint}\n"


ALL = tree()


def test_every_error_of_the_package_lives_in_the_one_tree() -> None:
    found = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert found == set(ALL)


def test_no_two_errors_share_a_code() -> None:
    assert [code for code, count in Counter(error.code for error in ALL).items() if count > 1] == []


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_an_error_says_what_it_means_and_what_to_do(error: type[EdgeAgentError]) -> None:
    own = vars(error)
    assert {"code", "hint", "__doc__"} <= set(own), "inherited words would say the wrong thing"
    assert CODE.fullmatch(error.code)
    assert error.__doc__ is not None
    assert error.hint.endswith(".")


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_an_error_carries_its_detail_and_fields(error: type[EdgeAgentError]) -> None:
    raised = error("what happened", {"count": 3})
    assert (str(raised), raised.detail, raised.fields) == ("what happened", "what happened", {"count": 3})
    assert error("nothing more").fields == {}


@pytest.mark.parametrize("error", ALL[1:], ids=lambda error: error.__name__)
def test_an_error_is_documented_word_for_word(error: type[EdgeAgentError]) -> None:
    assert expected_entry(error) in PAGE.read_text(encoding="utf-8")


def test_the_page_documents_nothing_that_no_longer_exists() -> None:
    headings = re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(headings) == sorted(error.code for error in ALL[1:])
