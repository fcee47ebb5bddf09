"""Faults that exported pictures have are part of the contents network's training, and of pictures only."""

import pytest
from numpy.random import default_rng

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
contents = pytest.importorskip("training.contents")


def test_only_pictures_of_one_plane_have_the_faults_of_exports():
    images, cells = torch.full((120, 2, 32, 64), 0.5), torch.zeros(120, 8, 16)
    images[60:, 1] = 0.0
    seen, _ = contents.varied(images, cells, default_rng(8))
    assert torch.isfinite(seen).all()
    is_spoilt = seen[:, 0].amax(dim=(1, 2)) - seen[:, 0].amin(dim=(1, 2)) > 1e-6
    has_low = seen[:, 1].any(dim=2).any(dim=1)
    assert has_low.sum() > 40
    assert not is_spoilt[has_low].any()
    assert 0.15 < float(is_spoilt[60:].float().mean()) < 0.6


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_of_air_alone_stays_one_that_can_be_trained_on(seed):
    images, cells = torch.zeros(30, 2, 32, 64), torch.zeros(30, 8, 16)
    seen, _ = contents.varied(images, cells, default_rng(seed))
    assert torch.isfinite(seen).all()
    assert float(seen.min()) >= 0.0
