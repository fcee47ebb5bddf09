"""How long a training is, on either device and from pools of any size, and that what one device wrote the other reads."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")

from edge_agent.sim.goods import CLASSES  # noqa: E402
from edge_agent.sim.threat import LABELS  # noqa: E402
from training import command, contents, detector, loop, research  # noqa: E402
from training.contents_network import GoodsNetwork  # noqa: E402
from training.data import shuffled  # noqa: E402

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(("images", "batch", "count"), [(228_000, 16, 68_000), (104_000, 8, 19_000), (64, 16, 48), (64, 8, 32), (9, 8, 3)])
def test_a_cuda_device_takes_as_many_steps_and_shows_more_in_each(images, batch, count):
    recipe = loop.Recipe(images, batch, 0.1, seed=1)
    (steps, on_cpu), (again, on_cuda) = loop.schedule(recipe, count, CPU), loop.schedule(recipe, count, CUDA)
    assert steps == again
    assert images <= steps * on_cpu < images + on_cpu
    assert on_cuda == min(8 * on_cpu, count // 2 * 2)


@pytest.mark.parametrize("device", [CPU, CUDA], ids=str)
@pytest.mark.parametrize("count", [2, 3, 15, 32, 48, 63, 1000])
def test_a_batch_is_never_larger_than_the_pool(count, device):
    _, batch = loop.schedule(loop.Recipe(64, 16, 0.1, seed=1), count, device)
    assert batch == len(next(shuffled(count, batch, np.random.default_rng(1)))) <= count


@pytest.mark.parametrize("count", [0, 1])
def test_less_than_a_pair_of_images_is_refused(count):
    with pytest.raises(SystemExit, match="too little to train on"):
        loop.schedule(loop.Recipe(64, 16, 0.1, seed=1), count, CPU)


def train(folder, images, count=64):
    torch.manual_seed(1)
    network = torch.nn.Linear(1, 1)

    def loss(rows, rng):
        x = torch.from_numpy(rng.normal(0, 1, (len(rows), 1)).astype(np.float32))
        return ((network(x) - 3.0 * x).float() ** 2).mean()

    return loop.train(network, loss, count, loop.Recipe(images, 8, 0.1, seed=1, decay=0.9), folder)


def test_a_checkpoint_counts_what_was_shown_over_interruptions(tmp_path):
    train(tmp_path, 80)
    train(tmp_path, 160)
    assert (20, 160) == tuple(torch.load(tmp_path / loop.CHECKPOINT, weights_only=True)[name] for name in ("steps", "shown"))


def test_a_pool_smaller_than_a_batch_is_trained_on(tmp_path):
    train(tmp_path, 80, count=5)
    assert (20, 80) == tuple(torch.load(tmp_path / loop.CHECKPOINT, weights_only=True)[name] for name in ("steps", "shown"))


@pytest.fixture
def on_cuda(monkeypatch):
    """Whatever is saved says that it lay on a CUDA device, which is not here."""
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")

    def save(write):
        with monkeypatch.context() as there:
            there.setattr(torch.serialization, "location_tag", lambda _: "cuda:0")
            return write()

    return save


def test_a_training_goes_on_here_that_was_begun_on_a_cuda_device(tmp_path, on_cuda):
    on_cuda(lambda: train(tmp_path, 80))
    with pytest.raises(RuntimeError, match="CUDA device"):
        torch.load(tmp_path / loop.CHECKPOINT, weights_only=True)
    assert 20 == train(tmp_path, 160).steps


@pytest.mark.parametrize(
    ("module", "network"), [(detector, lambda: detector.Detector(len(LABELS))), (contents, lambda: GoodsNetwork(len(CLASSES)))]
)
def test_weights_that_a_cuda_device_wrote_are_read_here(tmp_path, on_cuda, module, network):
    on_cuda(lambda: torch.save({"averaged": network().state_dict()}, tmp_path / loop.CHECKPOINT))
    assert {"cpu"} == {value.device.type for value in module.load(tmp_path / loop.CHECKPOINT).state_dict().values()}


def test_what_images_are_is_said_for_both_devices(capsys):
    trainer = command.Trainer("Trains nothing.", 1234, 16, 0.1, lambda *_: None, lambda _: None, lambda *_: {})
    with pytest.raises(SystemExit):
        command.run(trainer, ["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "presentations in all on a CPU (default: 1234); a CUDA device takes as many steps" in said


def test_the_research_training_gives_the_weights_that_its_checkpoint_has(tmp_path):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 255, (4, research.SIDE_PX, research.SIDE_PX, 3), dtype=np.uint8)
    truth = np.full((4, 8, 5), -1.0, dtype=np.float32)
    truth[:, 0] = (1, 100, 100, 180, 160)
    pictures = research.Pictures(images, truth, ("knife", "scissor"), (None,) * 4)
    network = research.fit(pictures, tmp_path, loop.Recipe(4, 2, 1e-3, seed=1))
    kept = torch.load(tmp_path / loop.CHECKPOINT, weights_only=True)["averaged"]
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())
    assert set(research.evaluate(network, pictures)) >= {"map50", "ap50_scissor"}
