"""The whole way from nothing to bundles, scaled down: pools, test sets, trainings, calibration, figures, export, self-test."""

import json

import pytest

from edge_agent.inference.bundle import find_bundles, load_bundle
from edge_agent.signing.detached import WORKSHOP

pytest.importorskip("torch", reason="making models needs PyTorch (requirements/train.txt)")
make_models = pytest.importorskip("training.make_models")


@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("default")  # the exporter's own
def test_one_command_makes_bundles_that_pass_their_self_test(tmp_path):
    work, root, results = tmp_path / "work", tmp_path / "models", tmp_path / "results"
    make_models.make(work, root, results, 0.001)
    bundles = [load_bundle(folder, WORKSHOP) for folder in find_bundles(root)]
    assert sorted(bundle.card.name for bundle in bundles) == ["contents", "detector", "weight"]
    for bundle in bundles:
        report = json.loads((results / f"{bundle.card.name}.json").read_text())
        assert report["metrics"]["note"] == bundle.card.metrics["note"] == make_models.NOTE
        assert list((bundle.folder / "golden").glob("*.expected.json"))
    detector = json.loads((results / "detector.json").read_text())["metrics"]
    assert {"tiles_s0", "tiles_s1", "tiles_s2", "small_metal_containers", "cargo_scans"} <= set(detector)
    assert len(detector["tiles_s0"]["sha256"]) == 64
    weight = json.loads((results / "weight.json").read_text())["metrics"]
    assert weight["containers"] == weight["covered_by_90_after_site_fit_n"] == 8
    assert weight["declarations"]["honest_alerted_n"] == 20
    before = (work / "detector" / "checkpoint.pt").stat().st_mtime_ns
    make_models.make(work, root, results, 0.001)  # what is there is kept
    assert (work / "detector" / "checkpoint.pt").stat().st_mtime_ns == before
