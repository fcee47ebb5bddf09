"""The detector as it is shipped gives what the trained one gives, and holds none of the operations that were folded away."""

import pytest

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
fold = pytest.importorskip("training.fold")
network = pytest.importorskip("training.network")

TILE = 64


@pytest.fixture(scope="module", params=[1, 2], ids=["one plane", "two planes"])
def trained(request):
    """A network whose batch norms have seen something, so that folding them away changes numbers if it is done wrongly."""
    torch.manual_seed(3)
    made = network.Detector(classes=3, inputs=request.param)
    for part in made.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.uniform_(-0.5, 0.5)
            part.running_var.uniform_(0.5, 2.0)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.uniform_(-0.5, 0.5)
    return made.eval()


def picture(trained):
    return torch.rand(2, trained.stem[1][0].in_channels // 4, TILE, TILE, generator=torch.Generator().manual_seed(1))


def test_the_folded_network_gives_the_same(trained):
    with torch.inference_mode():
        wanted, seen = trained(picture(trained)), fold.folded(trained)(picture(trained))
    for expected, found in zip(wanted, seen, strict=True):
        assert expected.abs().max() > 0.1
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_trained_network_is_left_as_it_was(trained):
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    fold.folded(trained)
    after = trained.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_nothing_is_unshuffled_or_split_any_more(trained):
    kinds = {type(part) for part in fold.folded(trained).modules()}
    assert {type(part) for part in trained.modules()} >= {torch.nn.PixelUnshuffle, network.Halves}
    assert not kinds & {torch.nn.PixelUnshuffle, network.Halves}
