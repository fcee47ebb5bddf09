"""Files of the national system: each record one result, every fault named, times in the site's zone."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.collector.import_results import COLUMNS, control_id, read_results
from edge_agent.errors import ImportUnreadable

ZONES = {"north": ZoneInfo("Asia/Kolkata"), "south": ZoneInfo("UTC")}
SCAN = "22bb960d-cbfa-4693-b9e2-00986ff014a7"
HEAD = "record,site,scan_id,reference,reference_kind,office,conclusion,examined_at,irregularity,methods,what,quantity,purity_percent,sticks"


def of_csv(*lines, head=HEAD):
    return read_results("\n".join([head, *lines]) + "\n", is_json=False, zones=ZONES)


def of_json(*rows):
    return read_results(json.dumps(list(rows)), is_json=True, zones=ZONES)


def a_row(**change):
    about = {"record": "R-1", "site": "north", "scan_id": SCAN, "office": "port-north"}
    return {**about, "conclusion": "nothing-found", "examined_at": "2026-03-02T12:00:00Z", **change}


def test_a_line_becomes_a_request_of_the_form():
    (entry,), faults = of_csv(
        f"R-1,north,{SCAN},,,port-north,found,2026-03-02T12:00:00Z,smuggling,dog field-test,cocaine,12.5 kg,71.5,", head=HEAD
    )
    assert [] == faults
    assert ("R-1", "north", control_id("R-1")) == (entry.record, entry.site, entry.control_id)
    sent = entry.content
    assert (SCAN, "1.0", ["dog", "field-test"]) == (sent["scan_id"], sent["form"], sent["methods"])
    assert ("cocaine", "12.5 kg", {"purity_percent": 71.5}) == tuple(sent["found"][0][name] for name in ("what", "quantity", "details"))
    assert "control_id" not in sent


def test_lines_of_one_record_are_one_result_with_several_finds():
    (entry,), faults = of_csv(
        f"R-1,north,{SCAN},,,port-north,found,2026-03-02T12:00:00Z,smuggling,,cocaine,,,",
        f"R-2,north,{SCAN},,,port-north,found,2026-03-02T12:00:00Z,smuggling,,sugar,,,",
        "R-1,,,,,,,,,,cigarettes,,,2000",
    )
    assert ["cocaine", "cigarettes"] == [find["what"] for find in entry.content["found"]]
    assert [("R-2", "found.0.what", "not-a-choice")] == [(one.record, one.field, one.problem) for one in faults]


def test_lines_of_one_record_that_contradict_each_other_are_refused():
    entries, faults = of_csv(
        f"R-1,north,{SCAN},,,port-north,nothing-found,2026-03-02T12:00:00Z,,,,,,",
        f"R-1,north,{SCAN},,,port-north,not-examined,2026-03-02T12:00:00Z,,,,,,",
    )
    assert [] == entries
    assert ["conclusion"] == [fault.field for fault in faults]


def test_a_number_stands_for_a_scan_whose_identity_the_national_system_does_not_know():
    (entry,), _ = of_json(a_row(scan_id=None, reference="MSCU 123456-5", reference_kind="container"))
    assert {"kind": "container", "value": "MSCU 123456-5"} == entry.content["reference"]
    assert "scan_id" not in entry.content
    assert "MSCU" not in repr(entry)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2026-03-02T12:00:00", "2026-03-02T12:00:00+05:30"),
        ("2026-03-02 12:00", "2026-03-02T12:00:00+05:30"),
        ("2026-03-02", "2026-03-02T23:59:59+05:30"),
        ("2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z"),
    ],
)
def test_a_time_without_a_zone_is_the_sites_and_a_date_the_end_of_its_day(written, sent):
    (entry,), _ = of_json(a_row(examined_at=written))
    assert sent == entry.content["at"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"record": ""}, "record"),
        ({"record": "x" * 65}, "record"),
        ({"record": "R\n1"}, "record"),
        ({"site": "west"}, "site"),
        ({"scan_id": None}, "scan_id"),
        ({"scan_id": "1"}, "scan_id"),
        ({"reference": "MSCU1234565", "reference_kind": "container"}, "scan_id"),
        ({"scan_id": None, "reference": "MSCU1234565"}, "reference_kind"),
        ({"scan_id": None, "reference": "x", "reference_kind": "driver"}, "kind"),
        ({"examined_at": "yesterday"}, "examined_at"),
        ({"examined_at": 12}, "examined_at"),
        ({"conclusion": "clean"}, "conclusion"),
        ({"finder": "x"}, "finder"),
        ({"found": [{"what": "cocaine"}]}, "found"),
    ],
)
def test_every_fault_is_named_by_record_and_field(change, field):
    entries, faults = of_json(a_row(**change))
    assert [] == entries
    assert field in [fault.field for fault in faults]


def test_a_record_that_stands_twice_in_one_file_is_named():
    entries, faults = of_json(a_row(), a_row(conclusion="not-examined"))
    assert (1, [("R-1", "record", "twice")]) == (len(entries), [(one.record, one.field, one.problem) for one in faults])


def test_the_identity_of_a_record_is_the_same_for_ever_and_another_for_each_amendment():
    assert control_id("R-1") == control_id("R-1", "0") == "14a74c60-884c-5e33-9614-6729b1d12503"
    assert len({control_id("R-1"), control_id("R-1", "1"), control_id("R-11"), control_id("R-1 1")}) == 4
    (first,), _ = of_json(a_row())
    (second,), _ = of_json(a_row(amendment=1))
    assert first.control_id != second.control_id


@pytest.mark.parametrize("text", ["{}", "[1]", "[[]]", "not json", '[{"found": 1}]', '[{"found": [1]}]', "[" * 100_000])
def test_what_is_no_list_of_objects_is_no_import(text):
    with pytest.raises(ImportUnreadable):
        list(read_results(text, is_json=True, zones=ZONES))


@pytest.mark.parametrize("text", ["", "record,colour\n", "record,site,record\n", "record\nR-1,x\n", 'record,site\n"R-1,north\n'])
def test_what_is_no_csv_of_our_columns_is_no_import(text):
    with pytest.raises(ImportUnreadable):
        read_results(text, is_json=False, zones=ZONES)


def test_a_byte_order_mark_and_windows_line_ends_are_read():
    text = "\ufeff" + HEAD + "\r\n" + f"R-1,south,{SCAN},,,port-north,nothing-found,2026-03-02,,,,,,\r\n"
    (entry,), _ = read_results(text, is_json=False, zones=ZONES)
    assert "R-1" == entry.record


def test_the_example_of_the_how_to_page_is_read_as_it_stands():
    page = (Path(__file__).resolve().parents[3] / "docs/how-to/import-control-results.md").read_text("utf-8")
    example = page.partition("```text\n")[2].partition("```")[0]
    entries, faults = read_results(example, is_json=False, zones={"mundra": ZoneInfo("Asia/Kolkata")})
    assert [] == faults
    assert [("2026-00017", 2), ("2026-00018", 0)] == [(entry.record, len(entry.content["found"])) for entry in entries]


def test_columns_are_those_of_the_form():
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert {"record", "remarks", "purity_percent", "what"} <= set(COLUMNS)
