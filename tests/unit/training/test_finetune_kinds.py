"""Only scans that say that they are real traffic are trained on as real traffic."""

import json

import numpy as np
import pytest

from edge_agent.domain.capture import CaptureKind
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.formats.coco import CocoSet
from edge_agent.sim.labels import coco_labels
from edge_agent.wire.lineage import About

pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
finetune = pytest.importorskip("training.finetune")


def read(folder, content, *, simulated=False):
    (folder / "annotations.json").write_text(json.dumps(content))
    return finetune.read_labels(folder, simulated=simulated)


def exported(kind):
    """What ``edge-agent scan export --format coco`` writes of a scan."""
    view = View("top", (Plane(Quantity.TRANSMISSION, Energy.HIGH, np.ones((4, 6), dtype=np.uint16)),), (5.0, 5.0))
    found = CocoSet()
    found.add(About("scan-1", 1, kind, "random", "cargo", "2026-01-01T00:00:00Z", "scanner-1", "sim-cargo"), view, ())
    return found.document()


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("silent", [{}, {"kind": None}])
def test_images_that_do_not_say_their_kind_are_refused_with_what_to_do(tmp_path, silent, simulated):
    said = CaptureKind.SYNTHETIC if simulated else CaptureKind.LIVE
    images = [{"id": 1, "file_name": "a.png", "kind": said.value}, {"id": 2, "file_name": "b.png", **silent}]
    with pytest.raises(SystemExit, match=r'1 of 2 images .* b\.png: write "kind" into each, "live" for real traffic alone') as refused:
        read(tmp_path, {"images": images, "annotations": [], "categories": []}, simulated=simulated)
    assert all(kind.value in str(refused.value) for kind in CaptureKind)


def test_our_own_exports_of_live_scans_are_taken(tmp_path):
    document = exported(CaptureKind.LIVE)
    read(tmp_path, document)
    document["images"][0].pop("kind")
    with pytest.raises(SystemExit, match="do not say what kind"):
        read(tmp_path, document)


@pytest.mark.parametrize("kind", [kind for kind in CaptureKind if kind is not CaptureKind.LIVE])
def test_our_own_exports_of_other_scans_are_refused(tmp_path, kind):
    with pytest.raises(SystemExit, match=kind.value):
        read(tmp_path, exported(kind))


def test_labels_of_the_simulator_are_taken_as_simulated_only(tmp_path):
    truth = {"kind": "synthetic", "size_px": (6, 4), "declared": [], "hidden": [], "load_kg": 0.0}
    document = coco_labels([("a.png", truth)], "images")
    assert 1 == len(read(tmp_path, document, simulated=True).images)
    with pytest.raises(SystemExit, match=r"images of kind \['synthetic'\]"):
        read(tmp_path, document)
