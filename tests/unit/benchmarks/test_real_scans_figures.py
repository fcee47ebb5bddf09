"""How the benchmark on real scans reads its sets, groups its scans and says which commissioned levels nothing can reach."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.real_models import (
    AS_DECLARED,
    CLEAN_KINDS,
    Case,
    Half,
    after,
    label_source,
    left_out,
    outcomes_by_words,
    read_real,
    table,
)
from edge_agent.agent.certificate import Certificate, CheckPart, RatePart
from edge_agent.agent.commission import highest_scores, silenced
from edge_agent.domain.capture import SubjectKind
from edge_agent.evaluation.dataset import Truth
from edge_agent.inference.bundle import find_bundles, load_bundle
from edge_agent.inference.installed import installed_bundles
from edge_agent.kpi.rates import Rate
from edge_agent.signing.detached import WORKSHOP

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def write_set(folder: Path, *pictures: Mapping[str, Any]) -> Path:
    folder.mkdir()
    images = [{"id": number, "file_name": f"images/{number}.png", **about} for number, about in enumerate(pictures, start=1)]
    (folder / "annotations_coco.json").write_text(json.dumps({"images": images}))
    return folder


def test_the_makers_words_for_an_example_mean_that_it_conforms_and_no_other_words_do(tmp_path: Path) -> None:
    said = (AS_DECLARED, "some other words", False, True)
    real = read_real(write_set(tmp_path / "a", *({"customs_model_agrees": words, "declared_ncm4": "0202"} for words in said)))
    assert [True, None, False, True] == [truth.conforms for truth in real.labelled.truths]
    assert ["loaded", None, None, "loaded"] == [truth.state for truth in real.labelled.truths]


def test_what_is_neither_empty_nor_loaded_is_named_by_its_number(tmp_path: Path) -> None:
    states = ({"visual_state_derived": "empty"}, {"visual_state_derived": "ambiguous", "dark_fraction": 0.1, "declared_ncm4": "0901"}, {})
    real = read_real(write_set(tmp_path / "a", *states))
    assert [{"set": "a", "id": 2, "state": "ambiguous", "declared": "0901", "dark_share": 0.1}] == left_out([real])


def test_the_source_of_the_labels_names_each_states_dark_shares_where_they_made_it(tmp_path: Path) -> None:
    dark = [("empty", 0.001), ("empty", 0.004), ("ambiguous", 0.05), ("loaded", 0.47), ("loaded", 1.0)]
    derived = write_set(tmp_path / "a", *({"visual_state_derived": state, "dark_fraction": value} for state, value in dark))
    told = write_set(tmp_path / "b", {"visual_state_derived": "empty"})
    first, second = label_source([read_real(derived)]), label_source([read_real(told)])
    assert "told from the dark share" in first
    assert "1 ambiguous, 0.0500 to 0.0500; 2 empty, 0.0010 to 0.0040; 2 loaded, 0.4700 to 1.0000" in first
    assert "dark share" not in second


def case(truth: Truth, *, is_clean: bool) -> Case:
    outcome: Any = object()
    again: Any = object()
    return Case(truth, outcome, (outcome if truth.conforms else again) if is_clean else None)


def test_each_kind_of_clean_scan_and_of_divergent_scan_is_counted_by_itself() -> None:
    path = Path("a.png")
    conforming = case(Truth(path, declared=("0202",), conforms=True), is_clean=True)
    declared_empty = case(Truth(path, declared=("0000",), conforms=True), is_clean=True)
    empty = case(Truth(path, declared=("0202",), conforms=False, seen_state="empty"), is_clean=True)
    loaded = case(Truth(path, declared=("0202",), conforms=False, seen_state="loaded"), is_clean=False)
    unclear = case(Truth(path, declared=("0202",), conforms=False), is_clean=False)
    found = outcomes_by_words([conforming, declared_empty, empty, loaded, unclear])
    assert {
        "alerts of clean scans": [conforming.outcome, declared_empty.outcome, empty.clean],
        "alerts of conforming loaded scans": [conforming.outcome],
        "alerts of conforming empty scans": [declared_empty.outcome],
        "alerts of empty re-declared as empty scans": [empty.clean],
        "empty divergent found": [empty.outcome],
        "loaded divergent found": [loaded.outcome],
    } == found


def certificate(**levels: float) -> Certificate:
    rate = RatePart.of(Rate(0, 50))
    return Certificate(
        site="real",
        subject=SubjectKind.CARGO,
        source="scans",
        made_at=NOW,
        not_after=NOW,
        bundles=(),
        policy_sha256="",
        budget=0.05,
        whole_scan=rate,
        held_out=None,
        checks=tuple(CheckPart(check=check, threshold=level, is_fixed=False, rate=rate) for check, level in levels.items()),
        skipped=3,
    )


def half(heterogeneity: float, alerts: Rate) -> Half:
    words = ["alerts of clean scans", *(f"alerts of {kind} scans" for kind in CLEAN_KINDS), "loaded divergent found"]
    return Half(certificate(bricks=0.9, heterogeneity=heterogeneity), dict.fromkeys(words, alerts), {"bricks": 4, "heterogeneity": 5})


def test_a_check_can_alarm_up_to_its_highest_score_and_not_above() -> None:
    highest = {"heterogeneity": 0.854}
    named = [[part.check for part in silenced(certificate(heterogeneity=level), highest)] for level in (0.854, 0.8541)]
    assert [[], ["heterogeneity"]] == named
    assert [] == silenced(certificate(bricks=1.0), highest)


def test_the_shipped_formula_gives_heterogeneity_an_end_below_one() -> None:
    """Evidence is a share of the cells, so the most is sigmoid(a + b); the bundle's own level must lie below it."""
    bundles = [load_bundle(folder, WORKSHOP) for folder in find_bundles(installed_bundles())]
    (contents,) = [bundle.card for bundle in bundles if bundle.card.contents is not None]
    found = highest_scores(bundles)
    assert ["heterogeneity"] == list(found)
    assert contents.thresholds["heterogeneity"] < found["heterogeneity"] < 1.0
    assert {} == highest_scores([])


def test_both_halves_are_added_up_and_a_check_that_a_half_switched_off_is_named() -> None:
    halves, highest = [half(0.8, Rate(1, 40)), half(0.9, Rate(2, 60))], {"heterogeneity": 0.85}
    found = {figure.name.partition("/")[2]: figure for figure in after(halves, highest)}
    assert (0.03, {"scans": 100}) == (found["alerts of clean scans"].value, found["alerts of clean scans"].n)
    assert (0.05, {"scans": 40}) == (found["budget that could be kept"].value, found["budget that could be kept"].n)
    off = found["halves in which heterogeneity can still alarm"]
    assert (0.5, {"halves": 2}) == (off.value, off.n)
    assert not [name for name in found if "bricks" in name], "a check that can alarm everywhere needs no line"
    assert [] == after([], highest)


def test_a_halves_table_says_of_each_check_how_far_its_level_is_from_the_most_it_can_give() -> None:
    made = table(half(0.9, Rate(1, 40)), {"heterogeneity": 0.8540841})
    assert (0.05, 50, 3) == (made["budget"], made["clean_scans_used"], made["clean_scans_skipped"])
    assert {"level": 0.9, "highest_score": pytest.approx(0.854084), "can_alarm": False, "clean_scans_scored": 5} == made["checks"][
        "heterogeneity"
    ]
    assert {"level": 0.9, "highest_score": 1.0, "can_alarm": True, "clean_scans_scored": 4} == made["checks"]["bricks"]
