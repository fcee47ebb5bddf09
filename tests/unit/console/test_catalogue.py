"""Words for codes: every code of the machine has a sentence, and nothing from the wire can harm a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.analysis.policy import OBSTACLES
from edge_agent.console.catalogue import VERDICT_REASONS, clean, codes, conclusion, sentence
from edge_agent.domain.assessment import MachineConclusion, OfficerConclusion
from edge_agent.errors import ScanRejected
from edge_agent.wire.messages import CodeParams, ObstaclePart
from edge_agent.wire.redaction import refuse_free_text


def test_every_obstacle_of_the_policy_has_words():
    assert codes() >= OBSTACLES


def test_every_reason_for_setting_a_scan_aside_has_words():
    assert {leaf.code for leaf in ScanRejected.__subclasses__()} | {ScanRejected.code} <= codes()


@pytest.mark.parametrize(
    "code",
    [
        "detection-alert",
        "heterogeneity",
        "mixed-load",
        "declared-empty-but-loaded",
        "declared-goods-but-empty",
        "pixels-seen-before",
        "model-missing",
        "self-test-failed",
    ],
)
def test_every_other_code_of_the_machine_has_words(code):
    assert code in codes()


@pytest.mark.parametrize("word", [*MachineConclusion, *OfficerConclusion])
def test_every_conclusion_has_words(word):
    assert conclusion(word)[1] != conclusion("invented")[1]


def test_the_sentence_of_a_detection_names_label_score_threshold_and_view():
    part = CodeParams(code="detection-alert", params={"label": "knife", "score": 0.876, "threshold": 0.5, "count": 2, "view": "top"})
    assert sentence(part) == "knife in view top, 2 found: best score 0.88, alert from 0.50"


def test_shares_are_shown_in_percent_and_an_obstacle_names_its_view():
    assert (
        sentence(ObstaclePart(code="dark", params={"share": 0.314, "regions": 2}, view="side"))
        == "31 % of the load is too dark to judge (view side)"
    )


def test_an_unknown_code_is_shown_with_its_parameters_never_hidden():
    assert sentence(CodeParams(code="new-code", params={"n": 3})) == "new-code (n 3)"


def test_a_missing_parameter_leaves_a_question_mark():
    assert sentence(CodeParams(code="detection-alert", params={})) == "? in view ?, ? found: best score ?, alert from ?"


def test_braces_in_a_parameter_are_only_text():
    part = CodeParams(code="detection-alert", params={"label": "{view.__class__}", "score": 1.0, "threshold": 0.5, "view": "top"})
    assert "{view.__class__}" in sentence(part)


@given(st.text())
def test_cleaned_text_holds_no_control_characters(text):
    assert clean(text).isprintable()


@given(
    st.sampled_from(sorted(codes())),
    st.dictionaries(
        st.text(max_size=8),
        st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()),
        max_size=4,
    ),
)
def test_no_parameters_whatever_break_a_sentence(code, params):
    assert sentence(CodeParams(code=code, params=params)).isprintable()


def test_every_reason_an_officer_can_choose_passes_the_site_s_check_for_free_text():
    refuse_free_text([CodeParams(code=code) for code in VERDICT_REASONS])


def test_there_is_a_key_for_every_reason_an_officer_can_choose():
    assert len(VERDICT_REASONS) <= 9
