"""The bundles that ship: whole, verified, what their cards say, and good enough to be worth starting."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edge_agent.analysis.ports import one_by_one
from edge_agent.errors import BundleCorrupt
from edge_agent.inference.bundle import find_bundles, load_bundle
from edge_agent.inference.load import load_models
from edge_agent.inference.selftest import golden_cases, run_selftest
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.sim.goods import FAMILIES
from edge_agent.sim.threat import LABELS
from training.data import rows_of
from training.metrics import summary, tidy
from training.testsets import named

ROOT = Path(__file__).parents[2] / "exported_models"
FOLDERS = find_bundles(ROOT)
SCENARIOS = ROOT.parent / "benchmarks/results/scenarios.json"
REAL_HEADINGS = ("0202", "0207", "0805", "0901", "1202", "1701", "2304", "4011", "5201", "0000")


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.parent.name)
def bundle(request):
    return load_bundle(request.param, WORKSHOP)


@pytest.fixture
def session(bundle):
    return ort.InferenceSession(bundle.model, providers=["CPUExecutionProvider"])


def test_one_bundle_of_each_purpose_ships_and_there_is_none_without_the_first_two():
    purposes = [load_bundle(folder, WORKSHOP).card.purpose for folder in FOLDERS]
    assert {"contents", "detection"} <= set(purposes) <= {"contents", "detection", "weight"}
    assert len(purposes) == len(set(purposes))


def test_a_bundle_lies_under_its_own_name_and_says_what_it_is(bundle):
    card = bundle.card
    assert (bundle.folder.parent.name, bundle.folder.name) == (card.name, card.version)
    assert card.state == "simulated"
    assert card.licence == "Apache-2.0"
    assert not card.research_only
    assert "simulated images only" in card.limits
    assert "simulated" in card.metrics["note"]


def test_the_detector_finds_the_known_threats_of_new_scenes():
    """The beginning of test set S0 through the shipped graph: 64 tiles are few, so the law asks less than the page shows."""
    one = named("s0")
    rows = list(rows_of(one.kind, one.seed, 64))
    (folder,) = (folder for folder in FOLDERS if folder.parent.name == "detector")
    session = ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    found = []
    for image, truth in rows:
        boxes, scores = session.run(["boxes", "scores"], {"image": image[None].astype(np.float32)})
        found.append(tidy(boxes[0], scores[0], truth))
    figures = summary(found, LABELS)
    assert figures["objects"] > 40
    assert figures["map50"] > 0.75
    assert figures["ap50_any_label"] > 0.8


def test_the_published_finds_are_found_and_the_same_loads_without_them_pass():
    """What ``benchmarks.scenarios`` wrote for these bundles; ``test_models_page`` holds that they are these."""
    rows = {row["name"]: row["value"] for row in json.loads(SCENARIOS.read_text())["figures"]}
    for name in ("firecrackers", "cosmetics", "cigarettes"):
        assert rows[f"{name}/alerts for its goods, concealed"] >= 5 / 6
        assert rows[f"{name}/evidence points at the concealed goods"] >= 5 / 6
        assert rows[f"{name}/alerts for its goods, without them"] <= 1 / 6


def test_an_altered_file_is_noticed(bundle, tmp_path):
    for path in bundle.folder.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(bundle.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (tmp_path / "golden" / f"{next(iter(golden_cases(bundle)))}.json").write_text("{}")
    with pytest.raises(BundleCorrupt, match="altered"):
        load_bundle(tmp_path, WORKSHOP)


def test_the_graph_is_one_file_of_the_promised_opset(bundle):
    model = onnx.load_from_string(bundle.model)
    onnx.checker.check_model(model)
    assert {one.domain: one.version for one in model.opset_import}[""] == 18
    assert all(not one.external_data for one in model.graph.initializer)


def test_labels_are_the_same_everywhere(bundle):
    labels = bundle.folder / "labels.txt"
    assert (labels.read_text().split() if labels.exists() else []) == list(bundle.card.labels.names)
    if bundle.card.purpose == "detection":
        assert bundle.card.labels.names == LABELS
    else:  # a contents bundle may be older than the newest families of the simulator
        assert set(bundle.card.labels.names) <= {family.name for family in FAMILIES}


def test_outputs_have_the_shapes_of_the_card(bundle, session):
    card, k = bundle.card, len(bundle.card.labels.names)
    if card.purpose == "detection":
        side = card.input.tile_px
        boxes, scores = session.run([card.output.boxes, card.output.scores], {"image": np.zeros((3, 2, side, side), dtype=np.float32)})
        assert boxes.shape == (3, scores.shape[1], 4)
        assert scores.shape == (3, boxes.shape[1], k)
        assert 0.0 <= scores.min() <= scores.max() <= 1.0
        return
    if card.purpose == "weight":
        features = np.zeros((3, session.get_inputs()[0].shape[1]), dtype=np.float32)
        (kg,) = session.run([card.output.mass_kg], {card.input.tensor: features, card.input.coarse: np.full((3, 1), 2e4, np.float32)})
        assert kg.shape == (3, 3)
        assert (np.diff(kg, axis=1) >= 0.0).all()
        assert (kg >= 0.0).all()
        return
    feeds = {"image": np.zeros((1, 2, 80, 168), dtype=np.float32), "declared": np.zeros((1, k), dtype=np.float32)}
    names = [card.output.score, card.output.heatmap, card.output.product, card.output.goods_map]
    score, heat, product, goods = session.run(names, feeds)
    assert score.shape == (1,)
    assert heat.shape == (1, 1, 20, 42)
    assert product.shape == (1, k)
    assert goods.shape == (1, k + len(card.labels.background), 20, 42)
    assert float(product.sum()) == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_allclose(goods * 255.0, np.rint(goods * 255.0), atol=1e-3)  # what is judged is what a stored map holds
    np.testing.assert_allclose(goods.sum(axis=1), 1.0, atol=goods.shape[1] / 510.0)


def test_the_golden_cases_are_small_and_pass_through_the_real_path():
    loaded = load_models(ROOT, DevicePolicy.CPU, WORKSHOP)
    assert run_selftest(loaded, one_by_one) == sum(len(golden_cases(bundle)) for bundle in loaded.bundles) >= 5
    for folder in FOLDERS:
        assert all(path.stat().st_size <= 300_000 for path in (folder / "golden").iterdir())


def test_the_headings_of_the_field_are_known_and_one_of_them_means_empty():
    goods = next(load_bundle(folder, WORKSHOP).goods for folder in FOLDERS if folder.parent.name == "contents")
    known = goods.families(REAL_HEADINGS)
    assert known.unlisted == ()
    assert goods.families(["0000"]).families == ("empty",)
    assert goods.families(["9999"]).unlisted == ("9999",)


def test_the_detector_finds_the_threats_of_its_golden_cases_and_alerts_on_no_clean_one():
    folder = next(folder for folder in FOLDERS if folder.parent.name == "detector")
    levels = load_bundle(folder, WORKSHOP).card.thresholds
    seen = {path.name.split(".")[0]: json.loads(path.read_text())["detections"] for path in (folder / "golden").glob("*.expected.json")}
    labels = {name: {one["label"] for one in found} for name, found in seen.items()}
    assert {one["label"] for one in seen["cargo-clean"] if one["score"] >= levels[one["label"]]} == set()
    assert labels["cargo-threat"] & {"handgun", "dense"}  # both lie in it
    assert "handgun" in labels["parcel-threat"]


def test_the_contents_network_sees_what_its_golden_cases_hold():
    folder = next(folder for folder in FOLDERS if folder.parent.name == "contents")
    seen = {path.name.split(".")[0]: json.loads(path.read_text()) for path in (folder / "golden").glob("*.expected.json")}
    assert {name: seen[name]["product"] for name in ("as-declared", "empty")} == {"as-declared": "beverages", "empty": "empty"}
    assert seen["foreign"]["heterogeneity"] > seen["as-declared"]["heterogeneity"]
    assert max(seen["as-declared"]["heterogeneity"], seen["empty"]["heterogeneity"]) < 0.2


@pytest.mark.parametrize("name", [folder.parent.name for folder in FOLDERS])
def test_the_results_in_the_repository_are_the_ones_on_the_card(name):
    card = load_bundle(next(folder for folder in FOLDERS if folder.parent.name == name), WORKSHOP).card
    results = json.loads((ROOT.parent / "training" / "results" / f"{name}.json").read_text())
    assert results["metrics"] == card.metrics


def test_the_detector_is_small_and_its_figures_name_the_frozen_sets():
    folder = next(folder for folder in FOLDERS if folder.parent.name == "detector")
    model = onnx.load(str(folder / "model.onnx"))
    assert sum(int(np.prod(one.dims)) for one in model.graph.initializer) <= 1_500_000
    metrics = load_bundle(folder, WORKSHOP).card.metrics
    assert all(len(metrics[f"tiles_{name}"]["sha256"]) == 64 for name in ("s0", "s1", "s2"))
