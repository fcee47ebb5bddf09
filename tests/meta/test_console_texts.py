"""One catalogue of texts: the browser's and the terminal's sentences are the same, and every language says all of it."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from edge_agent import errors
from edge_agent.console import catalogue
from edge_agent.domain import control_form

TEXTS = files("edge_agent.console") / "texts"
PAGES = files("edge_agent.web") / "static" / "console"
LANGUAGES = sorted(entry.name.removesuffix(".json") for entry in TEXTS.iterdir() if entry.name.endswith(".json"))
OTHERS = [language for language in LANGUAGES if language != "en"]
GROUPS = ("ui", "sentences", "problems")


def _read(language: str) -> dict[str, Any]:
    text: dict[str, Any] = json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))
    return text


def _slots(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


def _sources() -> dict[str, str]:
    folders = [PAGES, PAGES / "viewer"]
    ends = (".js", ".html")
    return {entry.name: entry.read_text(encoding="utf-8") for folder in folders for entry in folder.iterdir() if entry.name.endswith(ends)}


def test_there_are_english_a_second_language_and_one_from_right_to_left() -> None:
    directions = {language: _read(language)["direction"] for language in LANGUAGES}
    assert directions["en"] == "ltr"
    assert "rtl" in directions.values()
    assert len(directions) >= 3


def test_the_browser_says_the_terminals_sentences() -> None:
    english = _read("en")
    assert english["sentences"] == catalogue._SENTENCES, "write en.json again: python tests/meta/test_console_texts.py"
    assert english["problems"] == catalogue._PROBLEMS
    told = {code: [(tuple(one["params"]), one["text"]) for one in lines] for code, lines in english["told"].items()}
    assert told == {code: list(lines) for code, lines in catalogue._TOLD.items()}


def test_conclusions_are_the_terminals_words() -> None:
    words = _read("en")["words"]["conclusions"]
    assert {code: words[code] for code in catalogue.CONCLUSIONS} == {code: word for code, (word, _) in catalogue.CONCLUSIONS.items()}


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("group", GROUPS)
def test_every_language_says_everything_with_the_same_parameters(language: str, group: str) -> None:
    english, other = _read("en")[group], _read(language)[group]
    assert other.keys() == english.keys()
    assert {key: _slots(text) for key, text in other.items()} == {key: _slots(text) for key, text in english.items()}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_every_word(language: str) -> None:
    english, other = _read("en")["words"], _read(language)["words"]
    assert {group: sorted(words) for group, words in other.items()} == {group: sorted(words) for group, words in english.items()}


@pytest.mark.parametrize("language", OTHERS)
def test_longer_sentences_have_the_same_variants(language: str) -> None:
    english, other = _read("en")["told"], _read(language)["told"]
    assert {code: [one["params"] for one in lines] for code, lines in other.items()} == {
        code: [one["params"] for one in lines] for code, lines in english.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_of_an_examination_has_words(language: str) -> None:
    assert control_form.codes() <= _read(language)["words"]["form"].keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_can_be_marked_as_missed_has_words(language: str) -> None:
    assert set(catalogue.MISSED_LABELS) <= _read(language)["words"]["labels"].keys()


def test_every_text_that_the_pages_ask_for_exists() -> None:
    known = _read("en")["ui"].keys()
    asked = {(name, key) for name, source in _sources().items() for key in re.findall(r"\bt\(\s*'([\w.\-]+)'", source)}
    asked |= {(name, key) for name, source in _sources().items() for key in re.findall(r"\b(?:text|group)(?: =|:) '([\w.\-]+)'", source)}
    assert len(asked) > 100, "the pattern finds the pages' texts no more"
    asked |= {(name, key) for name, source in _sources().items() for key in re.findall(r'data-text="([\w.\-]+)"', source)}
    assert {pair for pair in asked if pair[1] not in known} == set()


def test_every_refusal_that_has_words_can_happen() -> None:
    codes = {one.code for name in errors.__all__ if hasattr(one := getattr(errors, name), "code")}
    assert _read("en")["words"]["refusals"].keys() <= codes | {"no-answer"}  # that one is the page's own: nobody answered it


def test_every_group_of_words_that_the_pages_ask_for_exists() -> None:
    groups = _read("en")["words"].keys()
    asked = {(name, group) for name, source in _sources().items() for group in re.findall(r"\bword\('([\w\-]+)'", source)}
    assert {pair for pair in asked if pair[1] not in groups} == set()


def test_no_text_of_the_pages_is_left_over() -> None:
    everything = "\n".join(_sources().values())
    built = ("age.", "bar.", "filter.", "column.", "tool.", "key.")  # keys that are put together from parts
    assert {
        key for key in _read("en")["ui"] if f"'{key}'" not in everything and f'"{key}"' not in everything and not key.startswith(built)
    } == set()


def write_english() -> None:
    """Take the terminal's sentences into en.json; the other languages are translated by hand."""
    english = _read("en")
    english["sentences"] = dict(sorted(catalogue._SENTENCES.items()))
    english["problems"] = catalogue._PROBLEMS
    english["told"] = {code: [{"params": list(params), "text": text} for params, text in lines] for code, lines in catalogue._TOLD.items()}
    Path(str(TEXTS / "en.json")).write_text(json.dumps(english, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_english()
