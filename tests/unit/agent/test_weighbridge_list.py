"""The weighbridge's list: every wrong line is named, and a row finds the one scan it means or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.weighbridge import Seen, match, parse_masses, spelling
from edge_agent.domain.ids import DropKey
from edge_agent.errors import ConfigInvalid
from edge_agent.inference.weight import ScaleReading

READING = ScaleReading((900.0, 1000.0, 1100.0), 0.0)


def seen(key: str, *names: str, reading: ScaleReading | None = READING) -> Seen:
    return Seen(DropKey(key), frozenset({spelling(key), *(spelling(name) for name in names)}), reading, "" if reading else "not-weighable")


@pytest.mark.parametrize(
    "text",
    [
        "scan,mass_kg\na,1200.5\nb,0\n",
        "Scan;Mass_kg;Remark\na;1200.5;wet\nb;0;\n",
        "scan, gross_kg, tare_kg\na, 15700.5, 14500\nb, 14500, 14500\n",
        "scan,mass_kg,gross_kg,tare_kg\na,1200.5,9,1\nb,,14500,14500\n",
        "scan,mass_kg\r\na,1200.5\r\n\r\nb,0\r\n",
    ],
)
def test_the_net_mass_is_read_or_worked_out(text: str) -> None:
    assert {"a": pytest.approx(1200.5), "b": 0.0} == parse_masses(text, "w.csv")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must name the columns"),
        ("scan,weight\na,1\n", "must name the columns"),
        ("scan,gross_kg\na,1\n", "must name the columns"),
        ("scan,mass_kg\na,1\nb,heavy\n", "line 3"),
        ("scan,mass_kg\na,1\nb\n", "line 3"),
        ("scan;mass_kg\na;12,5\n", "decimal point"),
        ("scan,mass_kg\na,nan\n", "line 2: the load must weigh"),
        ("scan,mass_kg\na,-1\n", "line 2: the load must weigh"),
        ("scan,mass_kg\na,inf\n", "line 2: the load must weigh"),
        ("scan,gross_kg,tare_kg\na,14000,15000\n", "line 2: the load must weigh"),
        ("scan,mass_kg\nXQXU 994638-3,1\nxqxu9946383,2\n", "line 3: the scan is not named"),
        ("scan,mass_kg\n,1\n", "line 2: the scan is not named"),
    ],
)
def test_a_wrong_line_is_named(text: str, told: str) -> None:
    with pytest.raises(ConfigInvalid, match=told) as refused:
        parse_masses(text, "w.csv")
    assert refused.value.detail.startswith("w.csv")


@given(st.text(max_size=200))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        masses = parse_masses("scan,mass_kg\n" + text, "w.csv")
    except ConfigInvalid:
        return
    assert all(0.0 <= mass <= 100_000.0 for mass in masses.values())


def test_rows_find_scans_by_key_scan_id_and_container_number_however_it_is_written() -> None:
    scans = [seen("k-1", "9F0A-11"), seen("k-2", "XQXU9946383")]
    assert 2 == len(match({"9f0a11": 1.0, "xqxu 994638-3": 2.0}, scans).loads)
    assert [1.0] == [load.true_kg for load in match({"K-1": 1.0}, scans).loads]


def test_a_row_that_could_mean_two_scans_and_a_scan_that_two_rows_name_are_in_no_pair() -> None:
    twice = [seen("k-1", "XQXU1"), seen("k-2", "XQXU1")]
    assert [("XQXU1", "several-scans")] == [(one.name, one.why) for one in match({"XQXU1": 1.0}, twice).unmatched]
    found = match({"k-1": 1.0, "XQXU9": 2.0, "gone": 3.0}, [seen("k-1", "XQXU9")])
    assert {"k-1": "several-rows", "XQXU9": "several-rows", "gone": "no-scan"} == {one.name: one.why for one in found.unmatched}
    assert () == found.loads


def test_a_scan_that_tells_no_mass_is_named_with_its_reason() -> None:
    found = match({"k-1": 1.0}, [seen("k-1", reading=None)])
    assert ((), [("k-1", "not-weighable")]) == (found.loads, [(one.name, one.why) for one in found.unweighable])


def test_scans_without_a_row_are_no_error() -> None:
    assert ((), (), ()) == (match({}, [seen("k-1")]).loads, match({}, [seen("k-1")]).unmatched, match({}, [seen("k-1")]).unweighable)
