"""Fine-tuning: which labels become targets, which scans are refused, and a whole small run to a bundle that passes its self-test."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (requirements/train.txt)")

from edge_agent.analysis.ports import one_by_one  # noqa: E402
from edge_agent.errors import BundleUnsigned  # noqa: E402
from edge_agent.inference.bundle import SIGNATURE, Bundle, load_bundle  # noqa: E402
from edge_agent.inference.installed import installed_bundles  # noqa: E402
from edge_agent.inference.load import open_models  # noqa: E402
from edge_agent.inference.selftest import run_selftest  # noqa: E402
from edge_agent.inference.session import DevicePolicy  # noqa: E402
from edge_agent.signing.detached import WORKSHOP, Trust  # noqa: E402
from edge_agent.sim.threat import LABELS  # noqa: E402
from training import finetune  # noqa: E402
from training.network import Averaged, Detector  # noqa: E402
from training.tiles import IGNORED, NONE  # noqa: E402

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def parent() -> Bundle:
    return load_bundle(next(installed_bundles().glob("detector/*")), WORKSHOP)


def labels_in(folder: Path, images: list[dict[str, Any]], annotations: list[dict[str, Any]], names: tuple[str, ...] = LABELS) -> Path:
    (folder / "images").mkdir(parents=True)
    for number, image in enumerate(images):
        image |= {"id": number, "file_name": f"images/{number}.png"}
        pixels = np.full((120, 200), 30000 + 100 * number, dtype=np.uint16)
        pixels[40:70, 60:110] = 3000
        cv2.imwrite(str(folder / "images" / f"{number}.png"), pixels)
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def box(image: int, category: int = 0, **more: object) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": [60, 40, 50, 30], **more}


def test_what_people_said_decides_what_a_box_becomes(tmp_path: Path, parent: Bundle) -> None:
    images = [{"pitch_mm": [5.0, 5.0], "kind": "live", "standing": {"conclusion": "found"}} for _ in range(4)]
    annotations = [box(0, 2, confirmed=True), box(1, confirmed=False), box(2, confirmed=None)]
    labels = finetune.read_labels(labels_in(tmp_path, images, annotations), simulated=False)
    assert [image["id"] for image in labels.images] == [0, 1, 2], "of the fourth nobody has said where"
    tiles = finetune.tiles_of_labels(labels, labels.images, parent)
    assert [2.0, NONE, IGNORED] == tiles.truth[:, 0, 0].tolist()
    assert [60.0, 40.0, 110.0, 70.0] == tiles.truth[0, 0, 1:].tolist()
    assert tiles.pixels.shape == (3, 2, 256, 256)


def test_boxes_follow_the_scan_onto_the_models_grid(tmp_path: Path, parent: Bundle) -> None:
    images = [{"pitch_mm": [10.0, 2.5], "kind": "live", "subject": "cargo"}]
    labels = finetune.read_labels(labels_in(tmp_path, images, [box(0)]), simulated=False)
    tiles = finetune.tiles_of_labels(labels, labels.images, parent)
    assert [120.0, 20.0, 220.0, 35.0] == tiles.truth[0, 0, 1:].tolist()


@pytest.mark.parametrize("kind", ["tip", "synthetic", "staged", "test", "calibration"])
def test_what_is_no_real_traffic_is_never_trained_on_as_real(tmp_path: Path, kind: str) -> None:
    folder = labels_in(tmp_path, [{"kind": "live"}, {"kind": kind}], [box(0), box(1)])
    with pytest.raises(SystemExit, match=kind):
        finetune.read_labels(folder, simulated=False)


def test_live_scans_are_not_mixed_into_a_simulated_trial(tmp_path: Path) -> None:
    folder = labels_in(tmp_path, [{"kind": "live"}], [box(0)])
    with pytest.raises(SystemExit, match="live"):
        finetune.read_labels(folder, simulated=True)


def test_a_label_that_the_detector_does_not_have_is_named(tmp_path: Path) -> None:
    folder = labels_in(tmp_path, [{}], [box(0)], names=("cigarettes",))
    with pytest.raises(SystemExit, match="cigarettes"):
        finetune.read_labels(folder, simulated=False)


def test_all_views_of_a_scan_are_on_the_same_side() -> None:
    sides = [finetune.is_check({"scan_id": f"scan-{number}", "file_name": str(view)}) for number in range(500) for view in range(2)]
    assert sides[::2] == sides[1::2]
    assert 60 <= sum(sides[::2]) <= 140


@pytest.mark.filterwarnings("default::FutureWarning", "default::DeprecationWarning")  # torch's exporter warns of itself
@pytest.mark.parametrize("has_checkpoint", [True, False], ids=["from a checkpoint", "from the parent's graph"])
def test_a_small_run_gives_an_unsigned_bundle_in_shadow_that_names_its_parent(
    tmp_path: Path, parent: Bundle, *, has_checkpoint: bool
) -> None:
    network = Detector(len(LABELS))
    averaged = Averaged(network, 0.9)
    torch.save({"averaged": averaged.state}, tmp_path / "parent.pt")
    images = [{"pitch_mm": [5.0, 5.0], "kind": "synthetic", "scan_id": f"scan-{number}"} for number in range(12)]
    folder = labels_in(tmp_path / "labels", images, [box(number) for number in range(12)])
    options = ["--labels", str(folder), "--parent", str(parent.folder), "--simulated"]
    options += ["--checkpoint", str(tmp_path / "parent.pt")] if has_checkpoint else []
    options += ["--out", str(tmp_path / "out"), "--version", "9.0.0-site", "--work", str(tmp_path / "work"), "--images", "16"]
    signed = shutil.copytree(parent.folder, tmp_path / "out" / parent.card.name / parent.card.version)
    made = finetune.finetune(finetune.parser().parse_args(options))
    assert (signed / SIGNATURE).exists(), "the bundle that lay beside is left alone"
    bundle = load_bundle(made, WORKSHOP)
    assert (bundle.ref, bundle.card.state.value) == (f"{parent.card.name}/9.0.0-site", "shadow")
    assert bundle.card.training["parent_sha256"] == parent.use.sha256
    assert "simulated" in bundle.card.metrics["note"]
    assert run_selftest(open_models([bundle], DevicePolicy.CPU), one_by_one) >= 1
    with pytest.raises(BundleUnsigned):
        load_bundle(made, Trust.of([]))


def test_a_work_folder_of_other_labels_is_refused_instead_of_passing_for_this_fine_tuning(tmp_path: Path, parent: Bundle) -> None:
    (tmp_path / "parent.pt").write_bytes(b"weights")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "order.json").write_text('{"labels": "of another site"}')
    folder = labels_in(tmp_path / "labels", [{"pitch_mm": [5.0, 5.0], "kind": "synthetic"}], [box(0)])
    options = ["--labels", str(folder), "--parent", str(parent.folder), "--checkpoint", str(tmp_path / "parent.pt"), "--simulated"]
    options += ["--out", str(tmp_path / "out"), "--version", "9.0.0-site", "--work", str(tmp_path / "work")]
    with pytest.raises(SystemExit, match="begun for another order"):
        finetune.finetune(finetune.parser().parse_args(options))
    assert not (tmp_path / "out").exists()
