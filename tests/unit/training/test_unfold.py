"""A network filled from a shipped graph gives what the graph gives, and can be trained from its first step on."""

import numpy as np
import onnxruntime as ort
import pytest

from edge_agent.inference.installed import installed_bundles
from edge_agent.sim.goods import CLASSES
from edge_agent.sim.threat import LABELS

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
unfold = pytest.importorskip("training.unfold")
contents, contents_network, network = (pytest.importorskip(f"training.{name}") for name in ("contents", "contents_network", "network"))

TILE = 256


def shipped(name):
    (graph,) = (installed_bundles() / name).glob("*/model.onnx")
    return graph


def pictures(count, height=TILE, width=TILE):
    """Give densities that are smooth in part, as pictures are."""
    rng = np.random.default_rng(4)
    coarse = rng.random((count, 2, height // 16, width // 16), dtype=np.float32)
    return np.repeat(np.repeat(coarse, 16, axis=2), 16, axis=3) + rng.normal(0, 0.02, (count, 2, height, width)).astype(np.float32)


@pytest.fixture(scope="module")
def detector():
    made = network.Detector(len(LABELS))
    unfold.unfold(shipped("detector"), made, unfold.batches(pictures(16)))
    return made


def test_a_detector_from_a_graph_gives_the_same_boxes_and_scores(detector):
    images = pictures(2)
    boxes, scores = ort.InferenceSession(str(shipped("detector"))).run(["boxes", "scores"], {"image": images})
    with torch.inference_mode():
        found = network.ExportedDetector(detector.eval(), TILE)(torch.from_numpy(images))
    assert scores.max() > 1e-3
    np.testing.assert_allclose(found[0].numpy(), boxes, atol=2e-2)
    # A side that lies between two squares of what is measured falls to the one or the other, and its cell's scores with it.
    apart = np.abs(found[1].numpy() - scores)
    assert np.mean(apart < 1e-4) > 0.999
    assert apart.max() < 1e-2


def test_a_contents_network_from_a_graph_gives_the_same_order_of_classes():
    images = pictures(2, 160, 256)
    made = contents_network.GoodsNetwork(len(CLASSES))
    unfold.unfold(shipped("contents"), made, unfold.batches(images))
    feeds = {"image": images, "declared": np.zeros((2, len(CLASSES) - 2), dtype=np.float32)}
    (wanted,) = ort.InferenceSession(str(shipped("contents"))).run(["goods_map"], feeds)
    with torch.inference_mode():
        found = made.eval()(torch.from_numpy(images)).softmax(dim=1).numpy()
    sure = np.sort(wanted, axis=1)[:, -1] > 0.6
    assert sure.any()
    assert np.array_equal(found.argmax(axis=1)[sure], wanted.argmax(axis=1)[sure])


def test_the_norms_know_the_images_so_that_a_training_step_begins_where_the_graph_is(detector):
    images = torch.from_numpy(pictures(16))
    with torch.no_grad():
        still = detector.eval()(images)[0]
        moving = detector.train()(images)[0]
    assert float((moving - still).abs().mean()) < 0.02 * float(still.abs().mean())


def test_a_checkpoint_from_a_graph_is_one_that_a_training_begins_with(tmp_path):
    made, images = contents_network.GoodsNetwork(len(CLASSES)), pictures(2, 160, 256)
    read = contents.load(unfold.checkpoint_from(shipped("contents"), made, unfold.batches(images), tmp_path / "new" / "start.pt"))
    with torch.inference_mode():
        assert torch.equal(read(torch.from_numpy(images)), made.eval()(torch.from_numpy(images)))


def test_without_an_image_nothing_is_begun(tmp_path):
    with pytest.raises(SystemExit, match="no image"):
        unfold.checkpoint_from(shipped("contents"), contents_network.GoodsNetwork(len(CLASSES)), [], tmp_path / "start.pt")
    assert not (tmp_path / "start.pt").exists()


def test_a_graph_of_another_network_is_refused_by_its_name():
    with pytest.raises(SystemExit, match=r"model\.onnx was not exported from this network"):
        unfold.unfold(shipped("contents"), network.Detector(len(LABELS)), [])
