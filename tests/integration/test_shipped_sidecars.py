"""Every shipped profile reads a scan that was written for it: names, members, every field that customs expect, and what is wrong.

The documents here are our own. The real side-cars are read where EDGE_AGENT_REAL_DATA names the folder that holds them.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.domain.assessment import ControlOutcome, OfficerConclusion
from edge_agent.domain.capture import CaptureKind, Selection
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.drop import SideCar
from edge_agent.domain.identity import IdentityClass
from edge_agent.domain.ids import ScannerId
from edge_agent.domain.numbering import NumberCheck, check
from edge_agent.domain.profile import Profile
from edge_agent.domain.third_party import ThirdPartyConclusion
from edge_agent.errors import UnreadableScan, UnsupportedFormat
from edge_agent.formats.profiles import load_profile
from edge_agent.formats.sidecar import read_sidecar
from edge_agent.intake.grouping import FileEntry, group
from edge_agent.testing.drops import dataform, picture_profile

SCANNERS = Path(__file__).parents[2] / "config" / "scanners"
REAL = os.getenv("EDGE_AGENT_REAL_DATA")

MANIFEST = """<?xml version="1.0"?><manifest><accession>77001</accession><system>NORTH_GATE</system>
<createdate>2026-03-02T12:00:00Z</createdate><xraydone>-1</xraydone><inspectdone>{inspected}</inspectdone>
<inspectionsuspicious>{suspicious}</inspectionsuspicious><searchdone>{searched}</searchdone><searchfound>{found}</searchfound>
<attributes><attribute name="Container1">ZZZU6304941</attribute><attribute name="Container2">ZZZU3307660</attribute>
<attribute name="ANPR">TST0039</attribute><attribute name="Comments">call A. Nobody</attribute></attributes>
<files><file type="XRAYJPEG">XRAY-77001-001--Array-0000-xray.jpg</file><file type="SNAPSHOT">XRAY-77001-002.jpg</file></files></manifest>"""

IDR = """<?xml version="1.0" encoding="UTF-16"?><IDR><IDR_IMAGE><PICNO>0042</PICNO><SCANTIME>2026-03-02 17:30:00</SCANTIME>
<OPERATORID>op-7</OPERATORID><IDR_CHECK_UNIT><UNITID>ZZZU6304941</UNITID><g_v_no>D-9</g_v_no>
<shipping_company>Blue & Sons</shipping_company><descripion_of_goods>frozen beef</descripion_of_goods></IDR_CHECK_UNIT></IDR_IMAGE></IDR>"""

JSON = """{"scan": {"vendor_id": "S-1"}, "system": {"model": "NG-9"}, "files": ["1_high.tif", "1_low.tif"],
"capture": {"taken_at": "2026-03-02T17:30:00", "beam": "6/4 MV", "pitch_x_mm": 5, "pitch_y_mm": 4, "kind": "live", "selection": "random",
 "operator": "op-7"},
"subject": {"containers": ["ZZZU6304941", "ZZZU33O7660"], "ocr_confidence": [99, 0.5], "plates": ["TST0039"], "seals": ["S1"]},
"declaration": {"id": "D-9", "carrier": "Blue & Sons", "consignee": "Acme", "gross_kg": 21500, "volume_m3": 60.5, "origin": "BR",
 "destination": "INNSA", "vessel": "Sea Hare", "voyage": "12E",
 "goods": [{"hs": "0202.30", "description": "frozen beef", "gross_kg": 21000, "net_kg": "20000,5", "volume_m3": 55, "packages": 800}]},
"risk": {"source": "RMS", "flags": [{"code": "R-12"}, {"code": "R-40"}]},
"third_party": [{"algorithm": "ATR-X", "version": "2", "conclusion": "alert"}, {"algorithm": "ATR-Y", "conclusion": "maybe"}],
"outcome": {"analyst": "suspicious", "examination": "found"}}"""

XML = """<scan id="S-1"><system>NG-9</system><capture><taken_at>2026-03-02T17:30:00+05:30</taken_at><kind>test</kind></capture>
<subject><container ocr="98">ZZZU6304941</container></subject><declaration id="D-9"><origin>BR</origin>
<goods hs="0202" gross_kg="21000" packages="800">frozen beef</goods><goods hs="4011">tyres</goods></declaration></scan>"""

CSV = """scan_id,taken_at,container,hs,description,gross_kg,packages,risk,pitch_mm
S-1,2026-03-02T12:00:00Z,ZZZU6304941,0202,"beef, frozen",21000,800,R-12,5
,,,4011,tyres,300,4,,
"""


def profile(name: str) -> Profile:
    return load_profile(SCANNERS / f"{name}.toml")


def manifest(inspected: int = -1, suspicious: int = 0, searched: int = 0, found: int = 0) -> bytes:
    return MANIFEST.format(inspected=inspected, suspicious=suspicious, searched=searched, found=found).encode()


def values(sidecar: SideCar, kind: IdentityClass) -> list[str]:
    return [identity.value for identity in sidecar.identities if identity.kind is kind]


def drops(name: str, *files: str) -> list[tuple[str, list[str]]]:
    rules = profile(name)
    entries = [FileEntry(file, Path("/nowhere") / file, 1, 1) for file in files]
    return [(drop.key, sorted(member.role for member in drop.members)) for drop in group(ScannerId("g"), entries, rules)]


def read(name: str, data: bytes) -> SideCar:
    sidecar = read_sidecar(data, profile(name))
    assert sidecar is not None
    return sidecar


@pytest.mark.parametrize(
    ("name", "files", "expected"),
    [
        (
            "manifest-xml",
            ["d/77001.xml", "d/XRAY-77001-001--Array-0000-xray.jpg", "d/XRAY-77001-002.jpg", "d/XRAY-77001-003--Array-0000.img"],
            [("77001", ["picture", "sidecar"])],
        ),
        (
            "idr-folder",
            [
                "2026/0302/0001/a.jpg",
                "2026/0302/0001/a_icon.jpg",
                "2026/0302/0001/a.xml",
                "2026/0302/0001/ahigh.img",
                "2026/0302/0002/b.jpg",
            ],
            [("2026/0302/0001", ["picture", "sidecar"]), ("2026/0302/0002", ["picture"])],
        ),
        ("generic-json", ["2026/03/1_high.tif", "2026/03/1_low.png", "2026/03/1.json"], [("2026/03/1", ["high", "low", "sidecar"])]),
        (
            "generic-xml",
            ["2026/03/02/x/scan.done", "2026/03/02/x/scan.xml", "2026/03/02/x/picture.tif"],
            [("2026/03/02/x", ["done", "picture", "sidecar"])],
        ),
        ("generic-csv", ["a.png", "a.csv", "b.JPG"], [("a", ["picture", "sidecar"]), ("b", ["picture"])]),
    ],
)
def test_the_files_of_a_scan_come_together(name, files, expected):
    assert expected == drops(name, *files)


def test_the_manifest_of_a_terminal_is_read_and_its_picture_awaited():
    sidecar = read("manifest-xml", manifest())
    assert sidecar.taken_at is not None
    assert (datetime(2026, 3, 2, 12, tzinfo=UTC), False) == (sidecar.taken_at.at, sidecar.taken_at.tz_assumed)
    assert values(sidecar, IdentityClass.CONTAINER) == ["ZZZU6304941", "ZZZU3307660"]
    assert (["TST0039"], ["77001"]) == (values(sidecar, IdentityClass.PLATE), values(sidecar, IdentityClass.VENDOR_SCAN))
    assert ("NORTH_GATE", ("XRAY-77001-001--Array-0000-xray.jpg",)) == (sidecar.system, sidecar.resources)
    assert "Nobody" not in repr(sidecar)


@pytest.mark.parametrize(
    ("given", "analyst", "examination"),
    [
        ((-1, 0, 0, 0), OfficerConclusion.NOT_SUSPICIOUS, None),
        ((-1, -1, 0, 0), OfficerConclusion.SUSPICIOUS, None),
        ((0, 0, 0, 0), None, None),
        ((-1, -1, -1, -1), OfficerConclusion.SUSPICIOUS, ControlOutcome.FOUND),
        ((-1, 0, -1, 0), OfficerConclusion.NOT_SUSPICIOUS, ControlOutcome.NOTHING_FOUND),
    ],
)
def test_what_people_found_counts_only_where_the_manifest_says_that_they_looked(given, analyst, examination):
    sidecar = read("manifest-xml", manifest(*given))
    assert (analyst, examination) == (sidecar.analyst, sidecar.examination)


def test_a_word_that_the_profile_does_not_know_is_refused_and_never_guessed():
    with pytest.raises(UnreadableScan) as caught:
        read("manifest-xml", manifest(suspicious=7))
    assert caught.value.fields == {"field": "analyst", "problem": "unknown-word"}


def test_an_idr_document_is_read_with_its_bare_ampersands():
    sidecar = read("idr-folder", IDR.encode("utf-16"))
    assert sidecar.taken_at is not None
    assert (datetime(2026, 3, 2, 17, 30, tzinfo=UTC), True) == (sidecar.taken_at.at, sidecar.taken_at.tz_assumed)
    assert (["ZZZU6304941"], ["D-9"]) == (values(sidecar, IdentityClass.CONTAINER), values(sidecar, IdentityClass.DECLARATION))
    assert (["Blue & Sons"], ["op-7"]) == (values(sidecar, IdentityClass.TRADER), values(sidecar, IdentityClass.OFFICER))
    assert sidecar.items == (DeclaredItem("", "frozen beef"),)


def test_every_field_that_customs_expect_is_read_from_json():
    sidecar = read("generic-json", JSON.encode())
    assert sidecar.taken_at is not None
    assert sidecar.taken_at.tz_assumed
    assert (CaptureKind.LIVE, Selection.RANDOM, "6/4 MV", "NG-9") == (sidecar.kind, sidecar.selection, sidecar.beam, sidecar.system)
    assert (5.0, 4.0) == sidecar.pitch_mm
    containers = [(one.value, one.confidence) for one in sidecar.identities if one.kind is IdentityClass.CONTAINER]
    assert [("ZZZU6304941", 0.99), ("ZZZU33O7660", 0.5)] == containers
    assert [NumberCheck.VALID, NumberCheck.REPAIRABLE] == [check(number) for number, _ in containers]
    assert ["Blue & Sons", "Acme"] == values(sidecar, IdentityClass.TRADER)
    assert (DeclaredItem("020230", "frozen beef", 21000.0, 800, 20000.5, 55.0),) == sidecar.items
    route, about = sidecar.consignment.route, sidecar.consignment
    assert ("BR", "INNSA", "Sea Hare", "12E") == (route.origin, route.destination, route.vessel, route.voyage)
    assert (21500.0, 60.5) == (about.gross_kg, about.volume_m3)
    assert [("R-12", "RMS"), ("R-40", "RMS")] == [(flag.code, flag.source) for flag in about.risk_flags]
    assert [("ATR-X", ThirdPartyConclusion.ALERT), ("ATR-Y", ThirdPartyConclusion.UNKNOWN)] == [
        (one.algorithm, one.conclusion) for one in sidecar.third_party
    ]
    assert (OfficerConclusion.SUSPICIOUS, ControlOutcome.FOUND) == (sidecar.analyst, sidecar.examination)


def test_xml_and_csv_give_the_same_as_json():
    sidecar = read("generic-xml", XML.encode())
    assert (CaptureKind.TEST, "BR") == (sidecar.kind, sidecar.consignment.route.origin)
    assert (DeclaredItem("0202", "frozen beef", 21000.0, 800), DeclaredItem("4011", "tyres")) == sidecar.items
    sidecar = read("generic-csv", CSV.encode())
    assert (DeclaredItem("0202", "beef, frozen", 21000.0, 800), DeclaredItem("4011", "tyres", 300.0, 4)) == sidecar.items
    assert (["ZZZU6304941"], (5.0, 5.0)) == (values(sidecar, IdentityClass.CONTAINER), sidecar.pitch_mm)


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ('"kind": "live"', '"kind": "rehearsal"', "kind", "unknown-word"),
        ('"selection": "random"', '"selection": "whim"', "selection", "unknown-word"),
        ('"pitch_x_mm": 5', '"pitch_x_mm": 5000', "pitch_x_mm", "not-an-amount"),
        ('"gross_kg": 21500', '"gross_kg": -1', "gross_kg", "not-an-amount"),
        ('"gross_kg": 21500', '"gross_kg": "heavy"', "gross_kg", "not-an-amount"),
        ('"gross_kg": 21500', '"gross_kg": 1e400', "gross_kg", "not-an-amount"),
        ('"0202.30"', '"beef"', "goods.hs", "not-a-heading"),
        ('"packages": 800', '"packages": "nan"', "goods.packages", "not-an-amount"),
    ],
)
def test_a_value_that_makes_no_sense_refuses_the_side_car_with_the_fields_name(old, new, field, problem):
    assert old in JSON
    with pytest.raises(UnreadableScan) as caught:
        read("generic-json", JSON.replace(old, new, 1).encode())
    assert caught.value.fields == {"field": field, "problem": problem}


@pytest.mark.parametrize("name", ["manifest-xml", "idr-folder", "generic-xml"])
def test_a_doctype_and_another_document_are_refused_by_every_xml_profile(name):
    for text in ('<!DOCTYPE x [<!ENTITY e "ha">]><manifest>&e;</manifest>', "<other/>"):
        with pytest.raises(UnsupportedFormat):
            read(name, text.encode())


ATR = (
    "<Operation Type='1'><System>HCVP</System><End>2026-03-02T12:00:09Z</End><ATR_Results><ATR ATRType='IRU'><Status>{status}</Status>"
    "<Result>{result}</Result><Comments><Label><Param>cooling unit seen</Param><Param>0.5</Param></Label></Comments>"
    "<Version>1.4</Version></ATR></ATR_Results></Operation>"
)


@pytest.mark.parametrize(
    ("status", "result", "expected"),
    [
        ("Success", "Alarm", "alert"),
        ("Success", "Clear", "no-alert"),
        ("Success", "Info", "unknown"),
        ("Success", "None", "unknown"),
        ("Failure", "Alarm", "unknown"),
        ("", "", "unknown"),
    ],
)
def test_the_vendors_own_recognition_is_carried_as_theirs_and_never_guessed(status, result, expected):
    text = dataform().replace("<Operations>", "<Operations>" + ATR.format(status=status, result=result))
    sidecar = read_sidecar(text.encode("utf-16"), picture_profile("dataform"))
    assert sidecar is not None
    (said,) = sidecar.third_party
    assert ("dataform", "IRU", "1.4", expected) == (said.source, said.algorithm, said.version, said.conclusion)
    assert ["cooling unit seen"] == [finding.label for finding in said.findings]
    assert datetime(2026, 3, 2, 12, 0, 9, tzinfo=UTC) == said.at
    assert sidecar.system == "HCVP"


def test_how_surely_a_dataform_read_a_number_stays_with_the_number():
    sidecar = read_sidecar(dataform().encode(), picture_profile("dataform"))
    assert sidecar is not None
    assert [("ZZZU6304941", 0.99), ("ZZZU3307660", None)] == [
        (one.value, one.confidence) for one in sidecar.identities if one.kind is IdentityClass.CONTAINER
    ]


def test_a_dataform_that_the_operator_analysed_says_nothing_new():
    before = dataform(("a.jpg",))
    analysed = "<Operation Type='3'><Login>operator42</Login><Verdict Value='2'>2</Verdict></Operation></Operations>"
    after = before.replace("</Operations>", analysed).replace("</DataForm>", "<UpdateCount>11</UpdateCount></DataForm>")
    rules = picture_profile("dataform")
    assert before != after
    assert read_sidecar(before.encode(), rules) == read_sidecar(after.encode("utf-16"), rules)


@pytest.mark.real
@pytest.mark.skipif(REAL is None, reason="EDGE_AGENT_REAL_DATA is not set")
def test_all_eleven_real_side_cars_are_read_with_every_container_number_valid():
    assert REAL is not None
    files = sorted(Path(REAL).rglob("scanner_sidecars/*.xml"))
    assert len(files) == 11
    for file in files:
        data = file.read_bytes()
        name = "manifest-xml" if b"<manifest" in data else "smiths-dataform"
        sidecar = read(name, data)
        assert sidecar.taken_at is not None
        assert not sidecar.taken_at.tz_assumed
        containers = values(sidecar, IdentityClass.CONTAINER)
        assert containers
        assert all(check(number) is NumberCheck.VALID for number in containers)
        pictures = [resource for resource in sidecar.resources if (match := profile(name).match(resource)) and match[0].role == "picture"]
        assert len(pictures) == 1
        match = profile(name).match(file.name)
        assert match is not None
        assert (match[0].role, profile(name).match(pictures[0])[1]) == ("sidecar", match[1])
