"""The two commands on a foreign graph: from an ONNX file and a card to a signed bundle, to findings, to an explanation."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_agent.cli.main import main
from edge_agent.domain.capture import Subject, SubjectKind
from edge_agent.domain.ids import ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import BundleIncompatible, BundleRejected
from edge_agent.formats.encode import png_bytes
from edge_agent.formats.package import write_package
from edge_agent.inference.bundle import load_bundle, sign_bundle
from edge_agent.inference.load import load_models
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP, Trust
from edge_agent.testing import heads
from edge_agent.testing.bundles import TEST_KEY
from edge_agent.testing.factories import a_capture, a_scan_id
from edge_agent.testing.heads import write_fixture


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A graph, its card without [files], and a picture with one red mark."""
    fixture = heads.yolov8(more="pad = 0")
    (tmp_path / "model.onnx").write_bytes(fixture.graph)
    (tmp_path / "card.toml").write_text(fixture.card().partition("[files]")[0])
    pixels = np.zeros((96, 128, 3), dtype=np.uint8)
    pixels[16:32, 32:48, 0] = 255
    (tmp_path / "scan.png").write_bytes(png_bytes(pixels))
    return tmp_path


def adopt(place: Path, *more: str) -> int:
    arguments = ("--card", place / "card.toml", "--example", place / "scan.png", "--subject", "parcel", "--out", place / "bundles", *more)
    return main(["adopt", str(place / "model.onnx"), *map(str, arguments)])


def test_a_foreign_graph_becomes_a_whole_bundle_with_a_golden_case(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == adopt(place, "--json")
    done = json.loads(capsys.readouterr().out)
    folder = place / "bundles/fixture/1.0.0"
    assert ("fixture/1.0.0", str(folder)) == (done["bundle"], done["folder"])
    ((name, (found,)),) = done["examples"].items()
    assert (name.startswith("example-1-"), "red", [32.0, 16.0, 48.0, 32.0]) == (True, found["label"], found["box"])
    assert {"model.onnx", f"golden/{name}.npz", f"golden/{name}.json", f"golden/{name}.expected.json"} == set(
        load_bundle(folder, WORKSHOP).card.files
    )
    assert ["fixture"] == [path.name for path in (place / "bundles").iterdir()]


def test_an_adopted_bundle_is_believed_once_it_is_signed_and_explained_where_it_looks(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == adopt(place)
    common = [str(place / "scan.png"), "--subject", "parcel", "--bundles", str(place / "bundles"), "--device", "cpu", "--json"]
    assert 78 == main(["explain", *common])  # nobody vouches for it yet
    sign_bundle(place / "bundles/fixture/1.0.0", TEST_KEY)
    capsys.readouterr()
    arguments = [*common, "--trust", TEST_KEY.public.text, "--masks", "60", "--out", str(place / "out")]
    assert 0 == main(["explain", *arguments])
    told = capsys.readouterr()
    assert re.search(r"explaining red \d+%.*: 60 masks, one look of fixture/1\.0\.0 each, about \d+ s", " ".join(told.err.split()))
    (first,) = json.loads(told.out)["detections"]
    assert first["seconds"] > 0
    assert ("red", "fixture/1.0.0", 60, 0) == (first["label"], first["bundle"], first["masks"], first["seed"])
    assert Path(first["picture"]).read_bytes().startswith(b"\x89PNG")


def test_a_bundle_that_is_there_is_never_written_over(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [0, 78] == [adopt(place), adopt(place)]
    assert BundleRejected.code in capsys.readouterr().err


def test_a_card_that_does_not_fit_leaves_nothing_behind(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = place / "card.toml"
    card.write_text(card.read_text().replace('["red", "blue"]', '["red"]').replace('["test.red", "test.blue"]', '["test.red"]'))
    assert 78 == adopt(place)
    assert "expected [1, 5, any] (head yolov8, 1 labels), the graph gives [1, 6, 64]" in capsys.readouterr().err
    assert [] == list((place / "bundles").rglob("*.onnx"))


def test_weights_in_a_file_beside_the_graph_are_refused_wherever_the_command_is_given(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = onnx.load_from_string((place / "model.onnx").read_bytes())
    onnx.save(graph, place / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=200)
    for folder in (place, place.parent):
        monkeypatch.chdir(folder)
        assert 78 == adopt(place)
        assert "keeps weights in other files" in capsys.readouterr().err
    assert [] == list((place / "bundles").rglob("*.onnx"))
    onnx.save(onnx.load(place / "model.onnx"), place / "model.onnx")  # as the message says
    assert 0 == adopt(place)


def test_a_signed_graph_never_runs_on_weights_that_lie_in_the_working_directory(
    place: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    onnx.save(onnx.load(place / "model.onnx"), elsewhere / "m.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    folder = write_fixture(place / "signed", replace(heads.yolov8(), graph=(elsewhere / "m.onnx").read_bytes()))
    sign_bundle(folder, TEST_KEY)
    monkeypatch.chdir(elsewhere)
    with pytest.raises(BundleIncompatible, match="no signature covers"):
        load_models(place / "signed", DevicePolicy.CPU, Trust.of([TEST_KEY.public]))


def test_examples_that_show_nothing_are_refused_unless_it_is_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "scan.png").write_bytes(png_bytes(np.zeros((96, 128, 3), dtype=np.uint8)))
    assert 78 == adopt(place)
    assert "expected an example that shows an object, found none among 1" in capsys.readouterr().err
    assert [] == list((place / "bundles").rglob("*.onnx"))
    assert 0 == adopt(place, "--without-object")
    assert "no example shows an object" in capsys.readouterr().out
    sign_bundle(place / "bundles/fixture/1.0.0", TEST_KEY)
    assert 0 == main(["bundle", "verify", str(place / "bundles/fixture/1.0.0"), "--trust", TEST_KEY.public.text])


def test_a_golden_case_that_shows_an_object_can_be_read_by_every_version(place: Path) -> None:
    assert 0 == adopt(place)
    (case,) = (path for path in (place / "bundles").rglob("golden/*.json") if "expected" not in path.name)
    assert {"subject", "pitch_mm", "why"} == set(json.loads(case.read_text()))


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "Upper"])
def test_a_name_that_no_store_could_take_is_refused(place: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    card = place / "card.toml"
    card.write_text(card.read_text().replace('name = "fixture"', f'name = "{name}"'))
    assert 78 == adopt(place)
    assert "cannot be a folder" in capsys.readouterr().err


def test_a_card_with_hashes_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (place / "card.toml").open("a") as file:
        file.write("\n[files]\n")
    assert 78 == adopt(place)
    assert "leave it out" in capsys.readouterr().err


def test_an_example_that_cannot_be_read_is_refused(place: Path) -> None:
    (place / "scan.png").write_bytes(b"no picture")
    assert 1 == adopt(place)


@pytest.mark.parametrize("scan", ["../../etc", "*", "no-such-scan"])
def test_a_scan_id_is_neither_path_nor_pattern(tmp_path: Path, scan: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 78 == main(["explain", scan, "--state-dir", str(tmp_path)])
    assert "scan" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["assess", "explain"])
def test_a_folder_that_cannot_be_made_is_refused_before_the_work(place: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 78 == main([command, str(place / "scan.png"), "--out", str(place / "card.toml/out")])
    assert "config-unreadable: --out " in capsys.readouterr().err


@pytest.mark.parametrize("masks", ["0", "-1", "many"])
def test_a_number_of_masks_that_is_none_is_said_in_words(place: Path, masks: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", str(place / "scan.png"), f"--masks={masks}"])
    assert "argument --masks: a whole number from 1" in capsys.readouterr().err


def test_two_scans_at_once_are_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "other.png").write_bytes((place / "scan.png").read_bytes())
    assert 78 == main(["explain", str(place / "scan.png"), str(place / "other.png")])
    assert "one scan is explained at a time" in capsys.readouterr().err


def test_a_scan_of_a_site_is_explained_by_its_id_in_its_latest_revision(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == adopt(place)
    sign_bundle(place / "bundles/fixture/1.0.0", TEST_KEY)
    for revision, x in ((2, 0), (10, 32)):
        pixels = np.zeros((96, 128), dtype=np.uint16)
        pixels[16:32, x : x + 16] = 65535
        view = View("side", (Plane(Quantity.TRANSMISSION, Energy.SINGLE, pixels),), None)
        capture, subject = a_capture(), Subject(SubjectKind.PARCEL)
        scan = Scan(a_scan_id(), revision, ScannerRef(ScannerId("x"), "p"), capture, subject, (view,), None, ())
        write_package(scan, (), place / f"state/packages/2026/03/02/{scan.scan_id}.r{revision}.scan.zip")
    capsys.readouterr()
    common = ["--bundles", str(place / "bundles"), "--device", "cpu", "--trust", TEST_KEY.public.text, "--masks", "5", "--json"]
    assert 0 == main(["explain", a_scan_id(), "--state-dir", str(place / "state"), "--subject", "parcel", *common])
    (first,) = json.loads(capsys.readouterr().out)["detections"]
    assert [32.0, 16.0, 48.0, 32.0] == first["box"]
