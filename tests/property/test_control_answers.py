"""Whatever is answered is judged and never breaks anything; what is right survives the way to the site unchanged."""

import csv
import io
import json
import uuid
from contextlib import suppress
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.collector.import_results import COLUMNS, read_results
from edge_agent.domain.control_form import FORM, Kind, problems
from edge_agent.errors import ImportUnreadable
from edge_agent.wire.control import ControlRequest, answers_of, control_request
from edge_agent.wire.verbs import content, read

ZONES = {"north": ZoneInfo("Asia/Kolkata")}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
result_names = st.sampled_from([field.name for field in FORM.result]) | st.text(max_size=8)
find_names = st.sampled_from([field.name for field in FORM.find]) | st.text(max_size=8)
any_result = st.dictionaries(result_names, json_values | st.sampled_from(["found", "nothing-found"]), max_size=8)
any_found = st.lists(st.dictionaries(find_names, json_values | st.sampled_from(["cocaine", "handgun"]), max_size=8), max_size=3)


def answer_to(field):
    match field.kind:
        case Kind.CHOICE:
            return st.sampled_from(field.choices)
        case Kind.CHOICES:
            return st.lists(st.sampled_from(field.choices), min_size=1, max_size=5, unique=True)
        case Kind.NUMBER:
            return st.floats(field.low, field.high, allow_subnormal=False)
        case Kind.COUNT:
            return st.integers(int(field.low), int(field.high))
        case Kind.QUANTITY:
            return st.builds(lambda amount, unit: f"{amount / 10} {unit}", st.integers(0, 10_000), st.sampled_from(field.choices))
        case Kind.TARIFF:
            return st.integers(10, 999_999).map(str)
        case Kind.WORD:
            return st.sampled_from(["port", "usd", "harbour-2"])
        case Kind.MOMENT:
            return st.datetimes(timezones=st.just(ZoneInfo("Asia/Kolkata"))).map(lambda moment: moment.isoformat())
        case _:
            return st.text("abc ", min_size=1, max_size=30).filter(str.strip)


@st.composite
def right_answers(draw, fields):
    """Answer in the order of asking: what must be answered always, the rest now and then."""
    answers = {}
    for field in fields:
        is_asked = field.when is None or answers.get(field.when.field) in field.when.values
        if is_asked and (field.is_required or draw(st.booleans())):
            answers[field.name] = draw(answer_to(field))
    return answers


@st.composite
def right_results(draw):
    result = draw(right_answers(FORM.result))
    found = draw(st.lists(right_answers(FORM.find), min_size=1, max_size=4)) if result["conclusion"] == "found" else []
    return result, found


@given(any_result, any_found)
def test_any_answers_are_judged(result, found):
    assert all(isinstance(name, str) for name in problems(result, found))


@given(right_results())
def test_right_answers_reach_the_site_as_they_were_given(answers):
    result, found = answers
    assert {} == problems(result, found)
    request = control_request(str(uuid.uuid4()), str(uuid.uuid4()), result, found)
    arrived = read(ControlRequest, json.loads(json.dumps(content(request))))
    got, things = answers_of(arrived)
    assert {} == problems(got, things)
    assert {name: answer for name, answer in result.items() if name != "examined_at"} == {
        name: answer for name, answer in got.items() if answer and name != "examined_at"
    }
    assert found == [{name: answer for name, answer in thing.items() if answer not in ("", None)} for thing in things]


cells = st.sampled_from([*COLUMNS, "", "R-1", "north", '"', "\n"])
tables = st.lists(st.lists(cells, max_size=5), max_size=6).map(lambda rows: "\n".join(map(",".join, rows)))


@given(st.text(max_size=300) | tables)
def test_any_text_is_an_import_or_none(text):
    for is_json in (False, True):
        with suppress(ImportUnreadable):
            entries, faults = read_results(text, is_json=is_json, zones=ZONES)
            assert all(entry.record for entry in entries)
            assert all(fault.problem for fault in faults)


@given(st.lists(right_results(), min_size=1, max_size=4))
def test_a_csv_file_says_what_json_says(results):
    rows, objects = [], []
    for number, (result, found) in enumerate(results):
        about = {"record": f"R-{number}", "site": "north", "scan_id": "22bb960d-cbfa-4693-b9e2-00986ff014a7"}
        once = {**about, **{name: " ".join(answer) if isinstance(answer, list) else answer for name, answer in result.items()}}
        things = found or [{}]
        rows += [{**(once if place == 0 else {"record": f"R-{number}"}), **thing} for place, thing in enumerate(things)]
        objects.append({**about, **result, "found": found})
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    from_csv, faults = read_results(out.getvalue(), is_json=False, zones=ZONES)
    assert [] == faults
    from_json, _ = read_results(json.dumps(objects), is_json=True, zones=ZONES)
    assert [said(entry) for entry in from_json] == [said(entry) for entry in from_csv]


def said(entry):
    """What an entry says; remarks in CSV lose the blanks around them."""
    return {**entry.content, "remarks": entry.content.get("remarks", "").strip()}
