"""The whole way from nothing to bundles, scaled down: pools, test sets, trainings, calibration, figures, export, self-test."""

import json

import pytest

from edge_agent.inference.bundle import find_bundles, load_bundle
from edge_agent.signing.detached import WORKSHOP

pytest.importorskip("torch", reason="making models needs PyTorch (requirements/train.txt)")
make_models = pytest.importorskip("training.make_models")
measure = pytest.importorskip("training.measure")


@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("default")  # the exporter's own
def test_one_command_makes_bundles_that_pass_their_self_test(tmp_path):
    work, root, results = tmp_path / "work", tmp_path / "models", tmp_path / "results"
    make_models.make(work, root, results, 0.001)
    bundles = [load_bundle(folder, WORKSHOP) for folder in find_bundles(root)]
    assert sorted(bundle.card.name for bundle in bundles) == ["contents", "detector", "weight"]
    for bundle in bundles:
        report = json.loads((results / f"{bundle.card.name}.json").read_text())
        assert report["metrics"]["note"] == bundle.card.metrics["note"] == measure.NOTE
        assert list((bundle.folder / "golden").glob("*.expected.json"))
    detector = json.loads((results / "detector.json").read_text())["metrics"]
    assert {"tiles_s0", "tiles_s1", "tiles_s2", "tiles_s3", "small_metal_containers", "cargo_scans"} <= set(detector)
    assert len(detector["tiles_s0"]["sha256"]) == 64
    weight = json.loads((results / "weight.json").read_text())["metrics"]
    assert (weight["containers"], weight["sites"]) == (8, 1)
    assert weight["declarations"]["honest_alerted_n"] == 20
    before = (work / "detector" / "checkpoint.pt").stat().st_mtime_ns
    make_models.make(work, root, results, 0.001)  # what is there is kept
    assert (work / "detector" / "checkpoint.pt").stat().st_mtime_ns == before


def test_a_trial_stays_away_from_the_bundles_that_ship():
    shipped = make_models.folders(None, None, None, is_trial=False)
    trial = make_models.folders(None, None, None, is_trial=True)
    assert [str(folder) for folder in shipped] == ["training/runs", "exported_models", "training/results"]
    assert all(folder.is_relative_to(trial[0]) for folder in trial[1:])
    assert trial[0] != shipped[0]
