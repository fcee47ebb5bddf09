"""A training that is stopped or killed goes on where its checkpoint was."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
loop = pytest.importorskip("training.loop")


class Line:
    """Fits y = 3 x, and counts how often it was asked."""

    def __init__(self):
        torch.manual_seed(1)
        self.network = torch.nn.Linear(1, 1)
        self.asked = 0

    def loss(self, rows, rng):
        self.asked += 1
        x = torch.from_numpy(rng.normal(0, 1, (len(rows), 1)).astype(np.float32))
        return ((self.network(x) - 3.0 * x).float() ** 2).mean()


def run(line, folder, images):
    return loop.train(line.network, line.loss, 64, loop.Recipe(images, 8, 0.1, seed=1, decay=0.9), folder)


def test_a_training_shows_as_many_images_as_asked_and_learns(tmp_path):
    line = Line()
    averaged = run(line, tmp_path, 4000)
    assert line.asked == 500
    assert averaged.state["weight"].item() == pytest.approx(3.0, abs=0.1)


def test_a_training_goes_on_from_its_checkpoint(tmp_path):
    first = Line()
    run(first, tmp_path, 1600)
    second = Line()
    averaged = run(second, tmp_path, 2400)
    assert (first.asked, second.asked) == (200, 100)
    assert averaged.steps == 300
    assert not torch.equal(second.network.weight, Line().network.weight)


def test_a_finished_training_is_not_repeated(tmp_path):
    run(Line(), tmp_path, 800)
    again = Line()
    run(again, tmp_path, 800)
    assert again.asked == 0


def test_a_stop_file_ends_a_training_with_what_it_has(tmp_path):
    (tmp_path / "stop").touch()
    line = Line()
    run(line, tmp_path, 800)
    assert line.asked == 0
    assert (tmp_path / "checkpoint.pt").exists()


def test_the_rate_rises_and_then_falls_to_a_fiftieth():
    rates = [loop._pace(step, 2000) for step in range(2000)]
    assert rates[0] < 0.01
    assert max(rates) == pytest.approx(rates[loop.WARM_UP_STEPS - 1])
    assert rates[-1] == pytest.approx(0.02, abs=0.001)
    assert rates[loop.WARM_UP_STEPS :] == sorted(rates[loop.WARM_UP_STEPS :], reverse=True)
