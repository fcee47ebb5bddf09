"""What the detector makes of the difference of two energies: nothing at first, nothing without a second plane, and never of air."""

import pytest

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
network = pytest.importorskip("training.network")

SIDE = 64


@pytest.fixture
def matter():
    """As it is after some training."""
    torch.manual_seed(5)
    made = network.Matter(8)
    torch.nn.init.normal_(made.out.weight)
    return made.eval()


def planes(high, low):
    return torch.stack([high, low], dim=1)


def high():
    return torch.rand(2, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def test_a_detector_begins_without_it():
    image = planes(high(), high() * 1.2)
    assert not network.Matter(8).eval()(image).any()


def test_a_scan_of_one_energy_has_no_difference(matter):
    one = matter(planes(high(), torch.zeros_like(high())))
    torch.testing.assert_close(one, matter(planes(high(), high())))
    assert not torch.allclose(one, matter(planes(high(), high() * 1.2)), atol=1e-2)


def test_the_share_of_the_difference_stays_where_there_is_more_of_the_same_matter(matter):
    """The last of what it looks at is the same for thin and thick: what tells matter from thickness."""
    seen = []
    matter.wide.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    thin = torch.full((1, SIDE, SIDE), 0.3)
    for depth in (thin, 3 * thin):
        matter(planes(depth, 1.15 * depth))
    shares = [float(maps[0, 2, 8, 8]) for maps in seen]
    assert shares[1] == pytest.approx(shares[0], rel=0.06)
    assert float(seen[1][0, 1, 8, 8]) == pytest.approx(3 * float(seen[0][0, 1, 8, 8]), rel=1e-4)


def test_scans_of_one_and_of_two_energies_in_a_batch_do_not_mix(matter):
    low = high() * 1.2
    low[0] = 0.0
    both = matter(planes(high(), low))
    for row in range(2):
        torch.testing.assert_close(both[row : row + 1], matter(planes(high(), low)[row : row + 1]))


def test_it_lies_on_the_grid_of_the_stem_and_says_what_is_there(matter):
    image = torch.zeros(1, 2, SIDE, SIDE)
    image[:, :, 32:48, 16:24] = torch.tensor([0.4, 0.5])[:, None, None]
    changed = (matter(image) - matter(torch.zeros_like(image))).abs().amax(dim=1)[0] > 1e-6
    rows, columns = (torch.nonzero(changed.any(dim=axis)).ravel() for axis in (1, 0))
    assert tuple(changed.shape) == (SIDE // 4, SIDE // 4)
    # A cell sees 8 px around its own four, and the convolution after it one cell more on each side.
    assert (int(rows.min()), int(rows.max())) == (8 - 2, 11 + 2)
    assert (int(columns.min()), int(columns.max())) == (4 - 2, 5 + 2)


def test_detectors_of_colour_pictures_have_none():
    assert network.Detector(3, inputs=3).matter is None
