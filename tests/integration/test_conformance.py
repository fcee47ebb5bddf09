"""A vendor's folder from its files to the report: what is understood, what is not, and that no value of a side-car gets out."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge_agent.agent import conformance
from edge_agent.agent.conformance import PARTICULARS, Examiner, Presence, Report, ScanState, masked, particulars_of, read_sample
from edge_agent.cli.main import main
from edge_agent.domain.clock import Stamp
from edge_agent.domain.consignment import Consignment, RiskFlag, Route
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.drop import SideCar
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.encode import jpeg_bytes, tiff_bytes
from edge_agent.formats.package import read_package
from edge_agent.testing.drops import cargo_profile, dataform, load_picture, picture_profile, sim_sidecar

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
    return Report(profile.name, child.sandbox().level, sample.files, scans)


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
    assert {"purpose", "selection", "outcome"} == {name for name, state in particulars_of(FULL).items() if state is Presence.MISSING}
    derived = {name for name, state in particulars_of(None).items() if state is Presence.DERIVED}
    assert {"scan id", "time"} == derived


def test_a_trader_is_not_taken_for_the_carrier():
    said = SideCar(identities=(IdentityValue(IdentityClass.TRADER, "x"),))
    assert Presence.DERIVED is particulars_of(said)["carrier"]
    assert Presence.MISSING is particulars_of(SideCar())["carrier"]


def test_a_dataform_of_the_vendor_is_read_by_the_reader_that_its_profile_names(child, tmp_path):
    (tmp_path / "k.xml").write_text(dataform())
    (tmp_path / "k.jpg").write_bytes(jpeg_bytes(load_picture(bits=8)))
    report = examined(tmp_path, child, picture_profile("dataform"))
    assert Presence.PRESENT is report.scans[0].particulars["container"]
    assert np.prod([report.scans[0].planes[0].width, report.scans[0].planes[0].height]) == load_picture().size
