"""Whose word holds: examination before supervisor before analyst before machine."""

import pytest

from edge_agent.domain.assessment import (
    Assessment,
    ControlOutcome,
    ControlResult,
    Fact,
    MachineAssessment,
    MachineConclusion,
    OfficerConclusion,
    Provenance,
    Reason,
    Referral,
    Verdict,
)
from edge_agent.domain.ids import FactId, ScanId, Token
from edge_agent.domain.standing import Standing, Voice, standing
from edge_agent.testing.factories import NOON

PROVENANCE = Provenance("0.1.0", "onnxruntime", "CPUExecutionProvider", "cpu", (), "", "")


def fact(name: str, revision: int = 1) -> Fact:
    return Fact(FactId(name), ScanId("scan"), revision, name, NOON)


def machine(name: str, conclusion: MachineConclusion = MachineConclusion.ALERT, revision: int = 1) -> MachineAssessment:
    return MachineAssessment(fact(name, revision), conclusion, (), (), (), PROVENANCE, {})


def verdict(name: str, conclusion: OfficerConclusion, *, revision: int = 1, supervisor: bool = False) -> Verdict:
    return Verdict(fact(name, revision), conclusion, Token("officer"), "console-1", supervisor, ())


def control(name: str, outcome: ControlOutcome, office: str = "port") -> ControlResult:
    return ControlResult(fact(name), outcome, (), office)


def referral(name: str) -> Referral:
    return Referral(fact(name), Reason("clock-ran-out"))


SUSPICIOUS, NOT_SUSPICIOUS = OfficerConclusion.SUSPICIOUS, OfficerConclusion.NOT_SUSPICIOUS
FOUND, NOTHING, NOT_EXAMINED = ControlOutcome.FOUND, ControlOutcome.NOTHING_FOUND, ControlOutcome.NOT_EXAMINED


def test_a_scan_that_nobody_judged_has_no_standing() -> None:
    assert standing([]) is None
    assert standing([referral("r")]) is None
    assert standing([control("c", NOT_EXAMINED)]) is None


def test_the_machine_stands_until_a_person_speaks() -> None:
    assert standing([machine("m")]) == Standing(MachineConclusion.ALERT, Voice.MACHINE, FactId("m"))


@pytest.mark.parametrize(
    ("facts", "conclusion", "voice"),
    [
        ([machine("m"), verdict("v", NOT_SUSPICIOUS)], NOT_SUSPICIOUS, Voice.ANALYST),
        ([machine("m"), verdict("v", NOT_SUSPICIOUS), verdict("w", SUSPICIOUS)], SUSPICIOUS, Voice.ANALYST),
        ([machine("m"), verdict("s", SUSPICIOUS, supervisor=True), verdict("v", NOT_SUSPICIOUS)], SUSPICIOUS, Voice.SUPERVISOR),
        ([machine("m"), control("c", NOTHING), verdict("s", SUSPICIOUS, supervisor=True)], NOTHING, Voice.EXAMINATION),
        ([machine("m"), verdict("v", SUSPICIOUS), control("c", NOT_EXAMINED)], SUSPICIOUS, Voice.ANALYST),
    ],
)
def test_the_stronger_voice_wins_whatever_the_order_and_within_a_voice_the_last(
    facts: list[Assessment], conclusion: object, voice: Voice
) -> None:
    result = standing(facts)
    assert result is not None
    assert (conclusion, voice) == (result.conclusion, result.voice)


def test_the_machines_word_is_that_on_the_highest_revision_even_if_an_older_one_is_journalled_later() -> None:
    late = [machine("r2", MachineConclusion.NO_ALERT, revision=2), machine("r1", MachineConclusion.ALERT, revision=1)]
    result = standing(late)
    assert result is not None
    assert result.fact_id == "r2"


def test_the_same_revision_concluded_again_replaces_the_machines_first_word() -> None:
    result = standing([machine("first"), machine("again", MachineConclusion.NO_ALERT)])
    assert result is not None
    assert result.fact_id == "again"


def test_a_verdict_on_the_newest_assessment_is_fresh() -> None:
    result = standing([machine("r1"), machine("r2", revision=2), verdict("v", SUSPICIOUS, revision=2)])
    assert result is not None
    assert not result.is_stale


@pytest.mark.parametrize(
    "facts",
    [
        [machine("r1"), verdict("v", SUSPICIOUS), machine("r2", revision=2)],
        [machine("r1"), machine("r2", revision=2), verdict("v", SUSPICIOUS, revision=1)],
        [machine("m0"), verdict("v", SUSPICIOUS), machine("m1")],
    ],
    ids=["new pixels came later", "decided late on old pixels", "declared anew"],
)
def test_a_verdict_on_older_pixels_or_particulars_is_kept_and_marked_stale(facts: list[Assessment]) -> None:
    result = standing(facts)
    assert result is not None
    assert (result.conclusion, result.is_stale) == (SUSPICIOUS, True)


def test_an_old_revision_journalled_late_does_not_make_a_verdict_stale() -> None:
    result = standing([machine("r2", revision=2), verdict("v", SUSPICIOUS, revision=2), machine("r1", revision=1)])
    assert result is not None
    assert not result.is_stale


def test_examinations_that_differ_are_disputed_and_agreeing_ones_are_not() -> None:
    disputed = standing([control("a", FOUND), control("b", NOTHING, "laboratory")])
    agreed = standing([control("a", FOUND), control("b", NOT_EXAMINED), control("c", FOUND)])
    assert disputed == Standing(NOTHING, Voice.EXAMINATION, FactId("b"), is_disputed=True)
    assert agreed == Standing(FOUND, Voice.EXAMINATION, FactId("c"))


def test_an_office_that_corrects_itself_disputes_nothing_and_its_newest_word_stands() -> None:
    corrected = [control("a", FOUND), control("b", NOTHING)]
    assert standing(corrected) == Standing(NOTHING, Voice.EXAMINATION, FactId("b"))
    assert standing([*corrected, control("c", NOT_EXAMINED)]) == Standing(NOTHING, Voice.EXAMINATION, FactId("b"))


def test_a_dispute_ends_when_one_side_corrects_itself() -> None:
    disputed = [control("a", FOUND), control("b", NOTHING, "laboratory")]
    assert standing([*disputed, control("c", FOUND, "laboratory")]) == Standing(FOUND, Voice.EXAMINATION, FactId("c"))
    assert standing([*disputed, control("c", FOUND)]) == Standing(FOUND, Voice.EXAMINATION, FactId("c"), is_disputed=True)


def test_a_referral_changes_no_conclusion_and_holds_until_a_person_speaks_again() -> None:
    referred = standing([machine("m"), referral("r"), machine("again")])
    answered = standing([machine("m"), referral("r"), verdict("v", SUSPICIOUS)])
    ignored = standing([machine("m"), referral("r"), control("c", NOT_EXAMINED)])
    assert referred is not None
    assert answered is not None
    assert ignored is not None
    assert [referred.is_referred, answered.is_referred, ignored.is_referred] == [True, False, True]


@pytest.mark.parametrize(
    ("facts", "guilty"),
    [
        ([machine("m")], None),
        ([machine("m"), verdict("v", SUSPICIOUS)], True),
        ([machine("m"), verdict("v", NOT_SUSPICIOUS)], False),
        ([machine("m"), verdict("v", OfficerConclusion.RESCAN)], None),
        ([machine("m"), verdict("v", SUSPICIOUS), control("c", NOTHING)], False),
        ([machine("m"), control("c", FOUND), control("d", NOTHING, "laboratory")], None),
        ([machine("m"), control("c", FOUND), control("d", NOTHING)], False),
        ([machine("m"), verdict("v", NOT_SUSPICIOUS), machine("n", revision=2)], None),
    ],
)
def test_guilt_is_what_people_say_and_agree_on_of_the_pixels_they_saw(facts: list[Assessment | Referral], guilty: bool | None) -> None:
    now = standing(facts)
    assert now is not None
    assert guilty is now.is_guilty
