"""``edge-agent evaluate`` from a folder of pictures to figures and curves, with a bundle whose every score can be worked out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.cli.main import main
from edge_agent.errors import DatasetUnusable
from edge_agent.evaluation.dataset import read_set
from edge_agent.formats.encode import png_bytes
from edge_agent.testing.bundles import TEST_KEY, write_detection_bundle

MARK = (24, 16, 8, 8)  # one cell of the fixture's grid


def write_picture(path: Path, marks: list[tuple[int, int, int, int]]) -> None:
    pixels = np.random.default_rng(len(path.name)).integers(1000, 4000, (64, 96)).astype(np.uint16)
    for x, y, width, height in marks:
        pixels[y : y + height, x : x + width] = 62000
    path.write_bytes(png_bytes(pixels))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Four pictures with a mark that is labelled, one of them at the wrong place, and four with none; a category nobody knows."""
    images, notes = [], []
    (tmp_path / "set/images").mkdir(parents=True)
    for number in range(1, 9):
        has_mark = number <= 4
        name = f"images/picture-{number}.png"
        write_picture(tmp_path / "set" / name, [MARK] if has_mark else [])
        images.append({"id": number, "file_name": name, "width": 96, "height": 64, "occlusion_level": number % 2 if has_mark else None})
        if has_mark:
            x = 56 if number == 4 else MARK[0]
            notes.append({"id": number, "image_id": number, "category_id": 1, "bbox": [x, *MARK[1:]], "area": 64, "iscrowd": 0})
    notes.append({"id": 9, "image_id": 1, "category_id": 2, "bbox": [0, 0, 9, 9], "area": 81, "iscrowd": 0})
    content = {"images": images, "annotations": notes, "categories": [{"id": 1, "name": "bright"}, {"id": 2, "name": "saw"}]}
    (tmp_path / "set/annotations.json").write_text(json.dumps(content))
    write_detection_bundle(tmp_path / "bundles")
    return tmp_path


def evaluate(place: Path, *more: str, bundle: str = "bundles") -> int:
    common = ["--bundle", str(place / bundle), "--trust", TEST_KEY.public.text, "--device", "cpu", "--pitch", "5,5"]
    return main(["evaluate", "--data", str(place / "set"), *common, *more])


def figures(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    content = json.loads(capsys.readouterr().out)
    return content, {row["name"]: row for row in content["figures"]}


def test_figures_curves_and_json_come_from_the_whole_path(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == evaluate(place, "--json", "--out", str(place / "out"))
    content, found = figures(capsys)
    # Four marks alert; without a contents bundle, which the policy requires, the others are unassessable.
    assert {"judged": 8, "rejected": {}, "concluded": {"alert": 4, "unassessable": 4}} == content["pictures"]
    assert ["saw"] == content["categories_left_out"]
    assert [("bright", "1.0.0")] == [(bundle["name"], bundle["version"]) for bundle in content["bundles"]]
    # Four detections of one score, three of them right: which one comes first is not told, so precision lies between these.
    assert 0.5 < found["detection/map50"]["value"] < 0.77
    assert [1.0, 1.0, 0.0] == [
        found[f"alarms/{name}"]["value"] for name in ("auc", "found at the level in force", "false at the level in force")
    ]
    assert {"with objects": 4, "without": 4} == found["alarms/auc of dark share alone"]["n"]
    assert {"pictures": 8, "objects": 4} == found["detection/ap50 bright"]["n"]
    assert {"detection occlusion 0/map50", "detection occlusion 1/map50"} <= set(found)
    assert content == json.loads((place / "out/evaluation.json").read_text())
    for name in ("precision.png", "roc.png", "reliability.png"):
        assert (place / "out" / name).read_bytes().startswith(b"\x89PNG")
    assert "picture-1" not in (place / "out/evaluation.json").read_text()


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 78 == evaluate(place, "--out", str(place / "set/annotations.json/out"))
    said = capsys.readouterr()
    assert "config-unreadable: --out " in said.err
    assert "pictures judged" not in said.out


def test_one_bundles_own_folder_will_do_and_tables_are_for_people(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == evaluate(place, "--limit", "5", bundle="bundles/bright/1.0.0")
    said = capsys.readouterr().out
    assert "bright/1.0.0 (simulated): 5 pictures judged, 0 rejected" in said
    assert "left out, for no bundle has them: saw" in said
    assert "95 % interval" in said


def test_a_picture_that_cannot_be_read_is_counted_and_in_no_figure(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "set/images/picture-8.png").write_bytes(b"no picture")
    assert 0 == evaluate(place, "--json")
    content, found = figures(capsys)
    assert (7, {"unsupported-format": 1}) == (content["pictures"]["judged"], content["pictures"]["rejected"])
    assert {"with objects": 4, "without": 3} == found["alarms/auc"]["n"]


def test_a_subject_that_no_bundle_looks_at_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 78 == evaluate(place, "--subject", "vehicle")
    assert "they look at cargo, parcel" in capsys.readouterr().err


def test_a_research_bundle_runs_only_when_asked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_detection_bundle(place / "research", research_only=True)
    assert 78 == evaluate(place, bundle="research")
    assert 0 == evaluate(place, "--allow-research", "--limit", "1", bundle="research")


def changed(place: Path, **parts: Any) -> None:
    path = place / "set/annotations.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"images": []}, "needs pictures"),
        ({"images": [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}]}, "an id of its own"),
        ({"images": [{"id": n, "file_name": "a.png"} for n in range(1, 9)]}, "listed twice"),
        ({"images": [{"id": n, "file_name": f"../{n}.png"} for n in range(1, 9)]}, "outside of the folder"),
        ({"categories": []}, "a category that is not there"),
        ({"annotations": [{"id": 1, "image_id": 99, "category_id": 1, "bbox": [0, 0, 1, 1]}]}, "names a picture"),
        ({"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, -1, 1]}]}, "annotations.0.bbox.2"),
        ({"images": [{"id": 1, "file_name": "a.png", "declared_ncm4": "beef"}]}, "declared_ncm4"),
        ({"images": 3}, "images"),
    ],
)
def test_labels_that_do_not_fit_are_refused_by_name(place: Path, parts: dict[str, Any], words: str) -> None:
    changed(place, **parts)
    with pytest.raises(DatasetUnusable, match=words.replace(".", r"\.")):
        read_set(place / "set")


def test_a_folder_without_labels_or_a_picture_that_is_gone_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "set/images/picture-3.png").unlink()
    assert 1 == evaluate(place)
    assert "1 of 8 pictures are not there" in capsys.readouterr().err
    (place / "set/annotations.json").unlink()
    assert 1 == evaluate(place)
    assert DatasetUnusable.code in capsys.readouterr().err


def test_a_link_in_the_place_of_a_picture_is_refused_by_name(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = place / "set/images/picture-3.png"
    picture.rename(place / "elsewhere.png")
    picture.symlink_to(place / "elsewhere.png")
    assert 1 == evaluate(place)
    assert "1 of 8 pictures are links" in capsys.readouterr().err


def test_headings_and_states_are_read_from_the_images(place: Path) -> None:
    about = {"declared_ncm4": "0202", "customs_model_agrees": False, "visual_state_derived": "ambiguous", "mass_kg": 12000}
    changed(place, images=[{"id": 1, "file_name": "images/picture-1.png", **about}], annotations=[])
    (truth,) = read_set(place / "set").truths
    assert (("0202",), False, None, 12000.0) == (truth.declared, truth.conforms, truth.state, truth.mass_kg)


def test_simulated_scans_bring_their_own_labels_and_are_read_with_side_car_and_both_energies(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place / "simulated"
    order = ["--profile", "sim-parcel", "--scans", "3", "--interval", "0", "--threat-share", "1", "--seed", "7"]
    assert 0 == main(["sim", "--out", str(folder / "images"), "--labels", str(folder / "annotations.json"), *order])
    labelled = read_set(folder)
    assert all(truth.boxes and truth.declared == ("9999",) and truth.conforms is False for truth in labelled.truths)
    capsys.readouterr()
    common = ["--bundle", str(place / "bundles"), "--trust", TEST_KEY.public.text, "--device", "cpu"]
    assert 0 == main(["evaluate", "--data", str(folder), "--profile", "sim-parcel", "--subject", "parcel", "--json", *common])
    content, found = figures(capsys)
    assert (3, {}) == (content["pictures"]["judged"], found), "the fixture knows none of these threats"
    assert set(labelled.categories) == set(content["categories_left_out"])


def test_labels_of_the_simulator_lie_beside_its_folder_or_nowhere(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 78 == main(["sim", "--out", str(place / "a/images"), "--labels", str(place / "b.json"), "--scans", "1"])
    assert "--labels must lie in the folder above" in capsys.readouterr().err
