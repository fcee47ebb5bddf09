"""A bundle from disk through real onnxruntime: contract, provider, tiles, seams, golden cases, and every way to be refused."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_agent.analysis.ports import one_by_one
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.errors import (
    BundleCorrupt,
    BundleIncompatible,
    BundleNotAllowed,
    BundleRejected,
    DeviceRequired,
    EnergyMissing,
    SelfTestFailed,
)
from edge_agent.inference.load import LoadedModels, load_models
from edge_agent.inference.selftest import run_selftest
from edge_agent.inference.session import CPU, DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.testing.bundles import TEST_TRUST, bright_cells_graph, write_card, write_detection_bundle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_detection_bundle(tmp_path)
    return tmp_path


def loaded(root: Path) -> LoadedModels:
    return load_models(root, DevicePolicy.CPU, TEST_TRUST)


def view(pixels: np.ndarray, energy: Energy = Energy.HIGH) -> View:
    return View("side", (Plane(Quantity.TRANSMISSION, energy, pixels),), (5.0, 5.0))


def _npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def cells(pixels: np.ndarray, root: Path) -> set[tuple[float, float, float, float]]:
    (detector,) = loaded(root).models.detectors
    found = detector.detect(view(pixels), SubjectKind.CARGO, {"bright": 0.5}, one_by_one).detections
    assert all(detection.label == "bright" and detection.bundle == "bright/1.0.0" for detection in found)
    return {(d.box.x0, d.box.y0, d.box.x1, d.box.y1) for d in found}


def test_a_bright_cell_is_found_where_it_is(root: Path) -> None:
    pixels = np.zeros((64, 64), dtype=np.uint16)
    pixels[24:32, 40:48] = 65535
    assert {(40.0, 24.0, 48.0, 32.0)} == cells(pixels, root)


def test_cells_of_a_large_view_are_found_once_each_also_in_the_overlap_of_tiles(root: Path) -> None:
    pixels = np.zeros((112, 160), dtype=np.uint16)  # tiles start at 0 and 48 (and 96), multiples of a cell
    expected = set()
    for x, y in ((0, 0), (48, 48), (56, 8), (96, 104), (152, 104), (16, 56)):
        pixels[y : y + 8, x : x + 8] = 65535
        expected.add((float(x), float(y), float(x + 8), float(y + 8)))
    assert expected == cells(pixels, root)


def test_a_view_smaller_than_a_tile_is_padded_with_air_and_boxes_stay_inside(root: Path) -> None:
    pixels = np.full((8, 12), 65535, dtype=np.uint16)
    found = cells(pixels, root)
    assert (0.0, 0.0, 8.0, 8.0) in found
    assert all(x1 <= 12 and y1 <= 8 for _, _, x1, y1 in found)


def test_every_one_of_the_65536_levels_reaches_the_model_as_a_level_of_its_own() -> None:
    levels = np.arange(65536, dtype=np.uint16)
    scaled = np.multiply(levels, np.float32(1 / 65535), dtype=np.float32)
    assert len(np.unique(scaled)) == 65536


def test_without_a_high_plane_the_check_cannot_be_done(root: Path) -> None:
    (detector,) = loaded(root).models.detectors
    with pytest.raises(EnergyMissing):
        detector.detect(view(np.zeros((8, 8), np.uint16), Energy.LOW), SubjectKind.CARGO, {"bright": 0.5}, one_by_one)


def test_the_provider_really_used_is_stated(root: Path) -> None:
    assert loaded(root).placement.provider == CPU


def test_require_gpu_refuses_a_machine_without_cuda(root: Path) -> None:
    with pytest.raises(DeviceRequired):
        load_models(root, DevicePolicy.REQUIRE_GPU, TEST_TRUST)


def test_prefer_gpu_runs_on_the_cpu_and_says_so(root: Path) -> None:
    assert load_models(root, DevicePolicy.PREFER_GPU, TEST_TRUST).placement.device == "cpu"


def test_the_golden_case_passes_and_a_changed_expectation_fails(root: Path) -> None:
    assert run_selftest(loaded(root), one_by_one) == 1
    folder = root / "bright" / "1.0.0"
    path = folder / "golden" / "one.expected.json"
    path.write_text(path.read_text().replace("16.0, 8.0", "24.0, 8.0").replace("24.0, 16.0]", "32.0, 16.0]"))
    write_card(folder, {"name": "bright", "research_only": "false"})
    with pytest.raises(SelfTestFailed, match="one"):
        run_selftest(loaded(root), one_by_one)


def test_a_bundle_without_golden_cases_never_passes(root: Path) -> None:
    folder = root / "bright" / "1.0.0"
    shutil.rmtree(folder / "golden")
    write_card(folder, {"name": "bright", "research_only": "false"})
    with pytest.raises(SelfTestFailed, match="no golden case"):
        run_selftest(loaded(root), one_by_one)


def test_a_signed_detector_whose_cases_show_nothing_never_passes_unless_its_maker_took_that(root: Path) -> None:
    folder = root / "bright" / "1.0.0"
    (folder / "golden" / "one.npz").write_bytes(_npz(high=np.zeros((40, 48), dtype=np.uint16)))
    (folder / "golden" / "one.expected.json").write_text('{"detections": []}')
    write_card(folder, {"name": "bright", "research_only": "false"})
    with pytest.raises(SelfTestFailed, match="expected a golden case that shows an object, found 1 that show none"):
        run_selftest(loaded(root), one_by_one)
    assert 1 == run_selftest(load_models(root, DevicePolicy.CPU, WORKSHOP), one_by_one), "what is not released yet may know nothing"
    case = folder / "golden" / "one.json"
    case.write_text(json.dumps({**json.loads(case.read_text()), "may_show_nothing": True}))
    write_card(folder, {"name": "bright", "research_only": "false"})
    assert 1 == run_selftest(loaded(root), one_by_one)


def test_an_expectation_that_is_no_number_is_refused(root: Path) -> None:
    folder = root / "bright" / "1.0.0"
    path = folder / "golden" / "one.expected.json"
    path.write_text(path.read_text().replace("0.9999546", "NaN"))
    write_card(folder, {"name": "bright", "research_only": "false"})
    with pytest.raises(BundleCorrupt, match="readable expectation"):
        run_selftest(loaded(root), one_by_one)


@pytest.mark.parametrize("name", ["model.onnx", "labels.txt", "golden/one.npz"])
def test_any_altered_file_is_refused(root: Path, name: str) -> None:
    path = root / "bright" / "1.0.0" / name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(BundleCorrupt, match="altered"):
        loaded(root)


def test_a_missing_and_an_unlisted_file_are_refused_and_named(root: Path) -> None:
    folder = root / "bright" / "1.0.0"
    (folder / "labels.txt").rename(folder / "extra.txt")
    with pytest.raises(BundleCorrupt, match=r"missing files \['labels.txt'\], unlisted files \['extra.txt'\]"):
        loaded(root)


@pytest.mark.parametrize(
    ("graph", "named"),
    [
        (bright_cells_graph(classes=2), r"scores: expected \[1, any, 1\] .* gives \[1, 64, 2\]"),
        (bright_cells_graph(output="marks"), "scores"),
        (b"not a graph", "refuses"),
    ],
)
def test_a_graph_that_is_not_what_the_card_says_is_refused(tmp_path: Path, graph: bytes, named: str) -> None:
    write_detection_bundle(tmp_path, graph=graph)
    with pytest.raises(BundleIncompatible, match=named):
        loaded(tmp_path)


def test_a_card_nested_too_deeply_to_be_read_is_refused_and_not_a_crash(root: Path) -> None:
    (root / "bright" / "1.0.0" / "card.toml").write_text("a = " + "[" * 5000)
    with pytest.raises(BundleIncompatible, match="nested too deeply"):
        loaded(root)


def test_research_bundles_are_refused_unless_allowed(tmp_path: Path) -> None:
    write_detection_bundle(tmp_path, research_only=True)
    with pytest.raises(BundleNotAllowed):
        loaded(tmp_path)
    assert len(load_models(tmp_path, DevicePolicy.CPU, TEST_TRUST, allow_research=True).models.detectors) == 1


def test_two_bundles_that_share_a_label_for_one_subject_are_refused_and_both_named(root: Path) -> None:
    write_detection_bundle(root, name="second")
    with pytest.raises(BundleRejected, match=r"bright/1.0.0 and second/1.0.0 both give bright"):
        loaded(root)


def test_an_empty_folder_is_no_set_of_bundles(tmp_path: Path) -> None:
    with pytest.raises(BundleCorrupt, match="no bundle"):
        loaded(tmp_path)
