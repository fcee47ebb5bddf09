"""The form of examinations' results: asks by context, takes what it says, names each answer that is wrong."""

import json

import pytest

from edge_agent.domain import control_form
from edge_agent.domain.control_form import FORM, Kind, Problem, check_here, details, document, problems
from edge_agent.errors import FreeTextRefused
from edge_agent.wire.messages import CodeParams, FoundPart
from edge_agent.wire.redaction import refuse_free_text, refuse_free_text_found

RESULT = {"conclusion": "found", "office": "port-north", "examined_at": "2026-03-02T12:00:00+05:30", "irregularity": "smuggling"}
NOTHING = {"conclusion": "nothing-found", "office": "port-north", "examined_at": "2026-03-02T12:00:00Z"}
NOT = {"conclusion": "not-examined", "office": "port-north", "examined_at": "2026-03-02T12:00:00Z", "why_not": "no-staff"}


def asked_of(what):
    return {field.name for field in FORM.find if field.when is not None and what in field.when.values}


def test_a_find_is_asked_what_its_kind_needs():
    assert {"form", "packaging", "purity_percent"} <= asked_of("cocaine")
    assert {"calibre_mm", "pieces", "condition"} <= asked_of("handgun")
    assert {"calibre_mm", "rounds"} == asked_of("ammunition")
    assert "sticks" in asked_of("cigarettes")
    assert {"currency", "face_value"} == asked_of("banknotes")
    assert {"persons"} == asked_of("hidden-person")
    assert set() == asked_of("other")


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (RESULT, [{"what": "cocaine", "quantity": "12.5 kg", "form": "powder", "packaging": "bricks", "purity_percent": 71.5}]),
        (RESULT, [{"what": "handgun", "calibre_mm": 9, "pieces": 3, "condition": "in-parts"}, {"what": "ammunition", "rounds": 50}]),
        (RESULT, [{"what": "cigarettes", "sticks": 20_000, "hs": "2402", "where": "walls", "concealment": "false-wall"}]),
        ({**RESULT, "methods": ["dog", "field-test"], "disposal": "seized", "remarks": "Driver said nothing."}, [{"what": "other"}]),
        (NOTHING, []),
        ({**NOTHING, "disposal": "released", "irregularity": None, "remarks": ""}, []),
        (NOT, []),
    ],
)
def test_what_answers_the_form_is_taken(result, found):
    assert {} == problems(result, found)


@pytest.mark.parametrize(
    ("result", "found", "wrong"),
    [
        (RESULT, [], {"found": Problem.MISSING}),
        (NOTHING, [{"what": "cocaine"}], {"found": Problem.NOT_ASKED}),
        ({**NOTHING, "irregularity": "smuggling"}, [], {"irregularity": Problem.NOT_ASKED}),
        ({**RESULT, "irregularity": ""}, [{"what": "other"}], {"irregularity": Problem.MISSING}),
        ({**NOT, "methods": ["dog"]}, [], {"methods": Problem.NOT_ASKED}),
        ({**NOTHING, "methods": ["dog", "dog"]}, [], {"methods": Problem.NOT_A_CHOICE}),
        ({**NOTHING, "methods": "dog"}, [], {"methods": Problem.NOT_A_CHOICE}),
        ({**NOTHING, "office": "Mr Smith"}, [], {"office": Problem.NOT_A_WORD}),
        ({**NOTHING, "office": None}, [], {"office": Problem.MISSING}),
        ({**NOTHING, "examined_at": "2026-03-02T12:00:00"}, [], {"examined_at": Problem.NOT_A_MOMENT}),
        ({**NOTHING, "examined_at": 5}, [], {"examined_at": Problem.NOT_A_MOMENT}),
        ({**NOTHING, "remarks": "x" * 2001}, [], {"remarks": Problem.NOT_A_TEXT}),
        ({**NOTHING, "finder": "x"}, [], {"finder": Problem.UNKNOWN_FIELD}),
        (RESULT, [{"what": "sugar"}], {"found.0.what": Problem.NOT_A_CHOICE}),
        (RESULT, [{"what": ["cocaine"]}], {"found.0.what": Problem.NOT_A_CHOICE}),
        (RESULT, [{"what": "cocaine", "sticks": 4}], {"found.0.sticks": Problem.NOT_ASKED}),
        (RESULT, [{"what": "cocaine", "purity_percent": 100.1}], {"found.0.purity_percent": Problem.OUT_OF_RANGE}),
        (RESULT, [{"what": "cocaine", "purity_percent": float("nan")}], {"found.0.purity_percent": Problem.OUT_OF_RANGE}),
        (RESULT, [{"what": "cocaine", "purity_percent": True}], {"found.0.purity_percent": Problem.NOT_A_NUMBER}),
        (RESULT, [{"what": "cigarettes", "sticks": 2.5}], {"found.0.sticks": Problem.NOT_A_NUMBER}),
        (RESULT, [{"what": "other", "quantity": "12.5kg"}], {"found.0.quantity": Problem.NOT_A_QUANTITY}),
        (RESULT, [{"what": "other", "quantity": "12.5 stone"}], {"found.0.quantity": Problem.NOT_A_QUANTITY}),
        (RESULT, [{"what": "other", "hs": "24a"}], {"found.0.hs": Problem.NOT_A_HEADING}),
        (RESULT, [{"what": "other"}] * 33, {"found": Problem.TOO_MANY}),
        ({**RESULT, "conclusion": "maybe"}, [], {"conclusion": Problem.NOT_A_CHOICE, "irregularity": Problem.NOT_ASKED}),
    ],
)
def test_each_wrong_answer_is_named_with_what_is_wrong(result, found, wrong):
    assert wrong == problems(result, found)


def test_what_somebody_typed_in_the_place_of_a_field_s_name_is_not_repeated():
    assert {"unknown": Problem.UNKNOWN_FIELD} == problems({**NOTHING, "Mr Smith": 1}, [])
    assert {"found.0.unknown": Problem.UNKNOWN_FIELD} == problems(RESULT, [{"what": "other", "Mr Smith": 1}])


def test_answers_to_another_version_of_the_form():
    wrong = [{"what": "a-new-kind-of-thing"}]
    major, minor = (int(part) for part in FORM.version.split("."))
    assert {"found.0.what": Problem.NOT_A_CHOICE} == check_here(FORM.version, RESULT, wrong)
    assert {} == check_here(f"{major}.{minor + 1}", RESULT, wrong)
    assert {"form": Problem.UNKNOWN_VERSION} == check_here(f"{major + 1}.0", RESULT, wrong)


def test_every_choice_may_enter_a_journal_body():
    for field in (*FORM.result, *FORM.find):
        if field.kind is not Kind.QUANTITY:
            refuse_free_text([CodeParams(code="x", params={field.name: choice}) for choice in field.choices])
    units = next(field.choices for field in FORM.find if field.name == "quantity")
    refuse_free_text_found([FoundPart(what="other", quantity=f"1.5 {unit}") for unit in units])
    with pytest.raises(FreeTextRefused):
        refuse_free_text([CodeParams(code="x", params={"note": "Mr Smith"})])


def test_no_choice_stands_twice_and_every_condition_names_answers_that_exist():
    for fields in (FORM.result, FORM.find):
        by_name = {field.name: field for field in fields}
        assert len(by_name) == len(fields)
        for field in fields:
            assert len(set(field.choices)) == len(field.choices), field.name
            if field.when is not None:
                assert set(field.when.values) <= set(by_name[field.when.field].choices), field.name


def test_the_form_can_be_drawn_from_its_json():
    drawn = json.loads(json.dumps(document()))
    assert FORM.version == drawn["version"]
    assert [field.name for field in FORM.find] == [field["name"] for field in drawn["find"]]
    what = next(field for field in drawn["find"] if field["name"] == "what")
    assert {code for codes in drawn["groups"].values() for code in codes} == set(what["choices"])
    assert control_form.codes() >= set(what["choices"]) | {"drugs", "purity_percent"}


def test_answers_without_a_place_of_their_own_are_details():
    assert {"purity_percent": 50.0} == details({"what": "cocaine", "form": "powder", "purity_percent": 50.0, "packaging": ""})
