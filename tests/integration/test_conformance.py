"""A vendor's folder from its files to the report: what is understood, what is not, and that no value of a side-car gets out."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge_agent.agent import conformance
from edge_agent.agent.conformance import PARTICULARS, Examiner, Presence, ScanState, masked, particulars_of, read_sample, report_of
from edge_agent.cli.main import main
from edge_agent.console.catalogue import sentence
from edge_agent.domain.clock import Stamp
from edge_agent.domain.consignment import Consignment, RiskFlag, Route
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.drop import SideCar
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.encode import jpeg_bytes, tiff_bytes
from edge_agent.formats.package import read_package
from edge_agent.testing.drops import cargo_profile, dataform, load_picture, picture_profile, sim_sidecar
from edge_agent.wire.messages import CodeParams

SECRETS = ("ZZZU6304941", "ZZZU3307660", "TST0039", "TST0040", "Nobody", "operator01", "frozen beef")


@pytest.fixture(scope="module")
def child():
    with DecodeChild() as started:
        started.start()
        yield started


def lay_scan(folder, key="ZZZU6304941", **changes):
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"_high.tif": tiff_bytes(load_picture()), "_low.tif": tiff_bytes(load_picture(seed=1)), ".json": sim_sidecar()} | changes
    for ending, data in parts.items():
        if data is not None:
            (folder / f"{key}{ending}").write_bytes(data)


def examined(folder, child, profile=None):
    profile = profile or cargo_profile()
    sample = read_sample(folder, profile)
    scans = tuple(Examiner(profile, child).examine(number, drop) for number, drop in enumerate(sample.drops, 1))
    return report_of(profile, child.sandbox().level, sample, scans)


def test_a_whole_folder_is_understood_and_comes_back_exactly(child, tmp_path):
    lay_scan(tmp_path / "2026" / "03", "k1")
    lay_scan(tmp_path, "k2")
    (tmp_path / "k3_high.tif.part").write_bytes(b"")
    report = examined(tmp_path, child)
    assert report.is_understood
    assert [(ScanState.UNDERSTOOD, True, 2)] * 2 == [(scan.state, scan.is_exact, len(scan.planes)) for scan in report.scans]
    assert 1 == sum(file.state == "ignored" for file in report.files)
    assert {"understood"} == {file.state for file in report.files if file.scan is not None}
    assert 2 == report.presence("container")[Presence.PRESENT]


@pytest.mark.parametrize(
    ("changes", "state", "code"),
    [
        ({"_low.tif": None}, ScanState.PARTIAL, "partial"),
        ({".json": b"{broken}"}, ScanState.PARTIAL, "sidecar-unreadable"),
        ({"_high.tif": tiff_bytes(load_picture())[:500]}, ScanState.REFUSED, "unreadable-scan"),
        ({"_high.tif": jpeg_bytes(load_picture(400, 600, bits=8))[:-200]}, ScanState.REFUSED, "unreadable-scan"),
        ({"_high.tif": b"text, renamed"}, ScanState.REFUSED, "unsupported-format"),
        ({"_low.tif": tiff_bytes(load_picture(20, 20))}, ScanState.REFUSED, "inconsistent-scan"),
    ],
)
def test_each_trouble_has_its_state_and_its_code(child, tmp_path, changes, state, code):
    lay_scan(tmp_path, **changes)
    report = examined(tmp_path, child)
    assert not report.is_understood
    assert (state, True) == (report.scans[0].state, code in [remark.code for remark in report.scans[0].remarks])


def test_a_file_that_no_pattern_fits_is_named_and_spoils_the_result(child, tmp_path):
    lay_scan(tmp_path)
    (tmp_path / "ZZZU3307660.raw").write_bytes(b"?")
    report = examined(tmp_path, child)
    assert [("unknown", "#.raw")] == [(file.state, file.name) for file in report.files if file.state != "understood"]
    assert not report.is_understood


def test_an_empty_folder_is_not_understood(child, tmp_path):
    assert not examined(tmp_path, child).is_understood


def test_a_package_that_comes_back_different_is_told(child, tmp_path, monkeypatch):
    lay_scan(tmp_path)
    monkeypatch.setattr(conformance, "read_package", lambda path: altered(read_package(path)))
    report = examined(tmp_path, child)
    assert (False, False) == (report.scans[0].is_exact, report.is_understood)


def altered(scan):
    view = scan.views[0]
    pixels = view.planes[0].pixels.copy()
    pixels[0, 0] ^= 1
    return replace(scan, views=(replace(view, planes=(replace(view.planes[0], pixels=pixels), *view.planes[1:])), *scan.views[1:]))


def test_no_value_of_a_side_car_or_a_name_is_in_the_report(tmp_path, capsys):
    """The profile is the shipped one for the vendor whose side-cars hold most."""
    (tmp_path / "S").mkdir()
    for number in range(2):
        stem = tmp_path / "S" / f"20251112{number:010d}"
        stem.with_suffix(".xml").write_text(dataform((f"{stem.name}S.jpg", "Nobody_TST0039.jpg")))
        stem.with_name(f"{stem.name}S.jpg").write_bytes(jpeg_bytes(load_picture(bits=8)))
    (tmp_path / "ZZZU6304941 TST0039.doc").write_bytes(b"Nobody")
    for option in ([], ["--json"]):
        assert 3 == main(["conformance", "--profile", "smiths-dataform", str(tmp_path), *option])
        shown = capsys.readouterr().out
        assert [] == [secret for secret in (*SECRETS, "20251112") if secret in shown]
    document = json.loads(shown)
    assert {"understood", "unknown"} == {file["state"] for file in document["files"]}
    assert 2 == document["particulars"]["container"]["present"]
    assert 2 == len(document["scans"])


def test_the_command_answers_0_for_a_folder_that_is_understood(tmp_path, capsys):
    (tmp_path / "k.png").write_bytes(jpeg_bytes(load_picture(bits=8)))
    assert 0 == main(["conformance", "--profile", "plain-image", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "1 understood, 0 partial, 0 refused" in " ".join(shown.split())
    assert 78 == main(["conformance", "--profile", "no-such", str(tmp_path)])
    assert 1 == main(["conformance", "--profile", "plain-image", str(tmp_path / "absent")])


@pytest.mark.parametrize(
    ("name", "key", "shown"),
    [
        ("ZZZU6304941_high.tif", "ZZZU6304941", "*_high.tif"),
        ("2026/0311/ZZZU6304941.xml", "ZZZU6304941", "#/#/*.xml"),
        ("ABC1D23 snap-2.jpg", "", "# snap-#.jpg"),
        ("k.jpg", "k.jpg", "*.jpg"),
        ("\u0663\u0664.png", "", "#.png"),
    ],
)
def test_names_lose_what_may_identify(name, key, shown):
    assert shown == masked(name, key)


@pytest.mark.parametrize(
    ("name", "pattern", "shown"),
    [
        ("k.E1.png", r"(?P<key>.+)\.E1\.png", "*.E1.png"),
        ("k.e1.png", r"(?P<key>.+)\.E1\.png", "*.e1.png"),
        ("k_ABC1D23_cam1.jpg", r"(?P<key>[^_]+)_\w+_cam1\.jpg", "*_#_cam1.jpg"),
        ("k_4711.png", r"(?P<key>[^_]+)_\d{4}\.png", "*_#.png"),
        ("k_d4.png", r"(?P<key>[^_]+)_\d4\.png", "*_#.png"),
    ],
)
def test_only_words_of_the_profile_itself_keep_their_digits(name, pattern, shown):
    assert shown == masked(name, "k", pattern)


FULL = SideCar(
    taken_at=Stamp(datetime(2026, 3, 2, tzinfo=UTC), "2026", tz_assumed=False),
    identities=(IdentityValue(IdentityClass.VENDOR_SCAN, "1"), IdentityValue(IdentityClass.PARCEL, "2")),
    items=(DeclaredItem("0202", gross_kg=1.0, volume_m3=2.0),),
    pitch_mm=(5.0, 4.0),
    system="HCVP",
    consignment=Consignment(Route("BR", "NL", "MV Somewhere"), (RiskFlag("A1"),)),
)


def test_every_particular_is_answered_for_every_side_car():
    assert set(PARTICULARS) == set(particulars_of(FULL)) == set(particulars_of(None))
    absent = {"plate", "seal", "declaration number", "purpose", "selection", "outcome"}
    assert absent == {name for name, state in particulars_of(FULL).items() if state is Presence.MISSING}
    derived = {name: state for name, state in particulars_of(None).items() if state is not Presence.MISSING}
    assert {"scan id": Presence.FILE_NAME, "time": Presence.FILE_TIME} == derived


def test_a_time_without_a_zone_is_told_from_none_at_all():
    taken = Stamp(datetime(2026, 3, 2, tzinfo=UTC), "2026", tz_assumed=True)
    assert Presence.ZONE_ASSUMED is particulars_of(replace(FULL, taken_at=taken))["time"]
    assert Presence.FILE_TIME is particulars_of(replace(FULL, taken_at=None))["time"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(IdentityClass.PLATE, "plate"), (IdentityClass.SEAL, "seal"), (IdentityClass.DECLARATION, "declaration number")],
)
def test_plate_seal_and_declaration_number_have_a_row(kind, name):
    assert Presence.PRESENT is particulars_of(SideCar(identities=(IdentityValue(kind, "x"),)))[name]
    assert Presence.MISSING is particulars_of(SideCar())[name]


def test_a_trader_is_not_taken_for_the_carrier():
    said = SideCar(identities=(IdentityValue(IdentityClass.TRADER, "x"),), matched=(("traders", "cnee"),))
    assert Presence.MISSING is particulars_of(said)["carrier"]
    assert Presence.PRESENT is particulars_of(replace(said, matched=(("carriers", "line"),)))["carrier"]
    assert Presence.MISSING is particulars_of(SideCar())["carrier"]


GATE = """
name = "gate"
sidecar = "map"
clock = "Europe/Berlin"
quiet_s = 0.5
unknown_after_s = 120.0
required_views = ["side"]

[normalise]
polarity = "detect"

[[member]]
role = "high"
pattern = '(?P<key>.+)\\.E2\\.tif'
need = "required"
deadline_s = 120.0
plane = { view = "side", quantity = "transmission", energy = "high" }

[[member]]
role = "low"
pattern = '(?P<key>.+)\\.E1\\.tif'
need = "optional"
deadline_s = 120.0
plane = { view = "side", quantity = "transmission", energy = "low" }

[[member]]
role = "sidecar"
pattern = '(?P<key>.+)\\.xml'
need = "required"
deadline_s = 120.0

[map]
format = "xml"
root = "Report"
time_format = "%d.%m.%Y %H:%M"

[map.fields]
taken_at = "@begin"
kind = "@purpose"
plates = "@plate"
traders = ["cnee", "shipper"]
seals = "nowhere/@x"

[map.goods]
rows = "line"
hs = "@tar"
gross_kg = "@kg"

[map.words]
kind = { P = "live" }
"""
SAID = '<Report begin="21.11.2026 14:03" purpose="P" plate="TST0039"><cnee>Nobody</cnee><line tar="0202" kg="7"/></Report>'


def gate(folder, text=SAID, picture=None):
    """A scan as GATE describes it, and the profile's file."""
    (folder / "in").mkdir(exist_ok=True)
    picture = load_picture() if picture is None else picture
    (folder / "in" / "L3_4711.E2.tif").write_bytes(tiff_bytes(picture))
    (folder / "in" / "L3_4711.E1.tif").write_bytes(tiff_bytes(picture))
    (folder / "in" / "L3_4711.xml").write_text(text)
    (folder / "gate.toml").write_text(GATE)
    return folder / "in"


def asked(folder, capsys, *options):
    """Exit code and output of the command, on one line."""
    code = main(["conformance", "--profile", str(folder.parent / "gate.toml"), str(folder), *options])
    shown = capsys.readouterr().out
    return code, shown if options else " ".join(shown.split())


def test_a_path_that_finds_nothing_in_any_side_car_is_named(tmp_path, capsys):
    folder = gate(tmp_path)
    (folder / "L3_4712.xml").write_text(SAID.replace("cnee", "shipper"))
    (folder / "L3_4712.E2.tif").write_bytes(tiff_bytes(load_picture(seed=3)))
    code, shown = asked(folder, capsys)
    assert (0, True) == (code, "maps to nothing in any side-car: seals = nowhere/@x 2 scans" in shown)
    _, text = asked(folder, capsys, "--json")
    assert [{"field": "seals", "path": "nowhere/@x"}] == json.loads(text)["maps_to_nothing"]


@pytest.mark.parametrize(
    ("old", "new", "field", "path", "problem"),
    [
        ("21.11.2026", "2026-11-21", "taken_at", "@begin", "not-a-time"),
        ('purpose="P"', 'purpose="ZZZU6304941"', "kind", "@purpose", "unknown-word"),
        ('kg="7"', 'kg="Nobody"', "goods.gross_kg", "@kg", "not-an-amount"),
        ('tar="0202"', 'tar="Nobody"', "goods.hs", "@tar", "not-a-heading"),
        ("Report", "TST0039", None, None, "other-root"),
        ("<cnee>", "<Nobody>", None, None, "not-well-formed"),
        ("</Report>", "", None, None, "cut-off"),
    ],
)
def test_why_a_side_car_is_not_read_is_said_without_its_values(tmp_path, capsys, old, new, field, path, problem):
    folder = gate(tmp_path, SAID.replace(old, new))
    code, text = asked(folder, capsys, "--json")
    document = json.loads(text)
    told = document["scans"][0]["remarks"][0]
    assert (3, "sidecar-unreadable") == (code, told["code"])
    assert (field, path, problem) == tuple(told["params"].get(name) for name in ("field", "path", "problem"))
    assert {"sidecar": "unreadable", "high": "understood", "low": "understood"} == {
        file["role"]: file["state"] for file in document["files"]
    }
    assert document["maps_to_nothing"] == []
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_side_car_that_is_not_read_is_not_called_understood(tmp_path, capsys):
    code, shown = asked(gate(tmp_path, SAID.replace("21.11.2026", "2026-11-21")), capsys)
    assert (3, True, True) == (code, "2 understood, 1 unreadable" in shown, "1 partial" in shown)


def test_the_words_name_field_path_and_cause():
    params = {"field": "kind", "path": "@purpose", "problem": "unknown-word", "cause": "unreadable-scan"}
    words = sentence(CodeParams(code="sidecar-unreadable", params=params))
    assert words == "the scanner's side-car cannot be read: kind = @purpose: a word that is neither ours nor in [map.words]"


def test_files_of_one_scan_can_be_told_apart_by_the_words_of_the_profile(tmp_path, capsys):
    _, shown = asked(gate(tmp_path), capsys)
    assert all(name in shown for name in ("*.E1.tif", "*.E2.tif"))


def test_no_file_of_a_refused_scan_counts_as_understood(tmp_path, capsys):
    folder = gate(tmp_path)
    (folder / "L3_4711.E2.tif").write_bytes(tiff_bytes(load_picture())[:500])
    document = json.loads(asked(folder, capsys, "--json")[1])
    assert {"high": "unreadable", "low": "refused", "sidecar": "refused"} == {file["role"]: file["state"] for file in document["files"]}


def test_a_picture_that_does_not_tell_its_polarity_is_remarked_where_the_profile_asks_it(tmp_path, capsys):
    """A load up to all borders: neither bright nor dark."""
    full = np.tile(np.linspace(20000, 45000, 300).astype(np.uint16), (200, 1))
    folder = gate(tmp_path, picture=full)
    code, text = asked(folder, capsys, "--json")
    remarks = json.loads(text)["scans"][0]["remarks"]
    assert (3, [{"code": "polarity-doubtful", "params": {"view": "side", "found": "unknown"}}]) == (code, remarks)
    (tmp_path / "gate.toml").write_text(GATE.replace('"detect"', '"dark-air"'))
    assert 0 == asked(folder, capsys)[0]


def test_a_dataform_of_the_vendor_is_read_by_the_reader_that_its_profile_names(child, tmp_path):
    (tmp_path / "k.xml").write_text(dataform())
    (tmp_path / "k.jpg").write_bytes(jpeg_bytes(load_picture(bits=8)))
    report = examined(tmp_path, child, picture_profile("dataform"))
    assert Presence.PRESENT is report.scans[0].particulars["container"]
    assert np.prod([report.scans[0].planes[0].width, report.scans[0].planes[0].height]) == load_picture().size
