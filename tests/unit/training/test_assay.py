"""What a box is measured to hold: means over squares of 4 px, contrasts with what lies around it, shares that tell matter from depth."""

import pytest

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
assay = pytest.importorskip("training.assay")
network = pytest.importorskip("training.network")

SIDE = 128
INNER, WHOLE, RING, SHARE, SHARE_AROUND, CONTRAST, OWN, OWN_OF_ALL, IS_DUAL, SIZE = 0, 2, 4, 6, 7, 8, 10, 11, 12, 13


def boxes(*rows):
    """Give (1, 4, A) of xyxy rows."""
    return torch.tensor(rows, dtype=torch.float32).T[None]


def scene(high=0.1, low=0.1, box=(32, 48, 64, 96), more=(0.0, 0.0)):
    """Give (1, 2, SIDE, SIDE): an even background, and in a box ``more`` of both planes."""
    image = torch.tensor([high, low])[None, :, None, None].expand(1, 2, SIDE, SIDE).clone()
    x0, y0, x1, y1 = box
    image[0, :, y0:y1, x0:x1] += torch.tensor(more)[:, None, None]
    return image


def test_the_means_are_those_of_the_pixels():
    image = torch.rand(2, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    seen = assay.measured(image, boxes((32, 48, 64, 112)).expand(2, -1, -1))
    difference = 8 * (image[:, 1] - image[:, 0])
    for plane, values in ((0, image[:, 0]), (1, difference)):
        middle, whole, wide = values[:, 64:96, 40:56], values[:, 48:112, 32:64], values[:, 32:128, 24:72]
        ring = (wide.sum((1, 2)) - whole.sum((1, 2))) / (wide[0].numel() - whole[0].numel())
        torch.testing.assert_close(seen[:, INNER + plane, 0], middle.mean((1, 2)), atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(seen[:, WHOLE + plane, 0], whole.mean((1, 2)), atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(seen[:, RING + plane, 0], ring, atol=1e-4, rtol=1e-3)


def test_the_share_in_what_stands_out_is_the_things_own_whatever_lies_before_and_behind_it():
    """The share of everything in the beam is drawn towards that of the load."""
    shares = []
    for load in (0.0, 0.2, 0.8):
        seen = assay.measured(scene(load, 1.3 * load, more=(0.4, 0.4 * 1.1)), boxes((32, 48, 64, 96)))
        shares.append((float(seen[0, OWN, 0]) / 8, float(seen[0, SHARE, 0]) / 8))
    assert [own for own, _ in shares] == pytest.approx([0.1] * 3, rel=0.02)
    assert shares[0][1] < shares[1][1] < shares[2][1]


def test_thick_and_thin_of_one_matter_have_one_share():
    thin, thick = (
        float(assay.measured(scene(more=(depth, 1.15 * depth)), boxes((32, 48, 64, 96)))[0, OWN_OF_ALL, 0]) for depth in (0.3, 1.2)
    )
    assert thin == pytest.approx(thick, rel=0.02)


def test_one_energy_has_no_difference_and_says_so():
    image = scene(more=(0.5, 0.5))
    image[:, 1] = 0.0
    seen = assay.measured(image, boxes((32, 48, 64, 96)))[0, :, 0]
    assert not seen[[INNER + 1, WHOLE + 1, RING + 1, SHARE, SHARE_AROUND, CONTRAST + 1, OWN, OWN_OF_ALL, IS_DUAL]].any()
    assert float(seen[CONTRAST]) == pytest.approx(0.5, rel=1e-3)
    assert float(assay.measured(scene(), boxes((32, 48, 64, 96)))[0, IS_DUAL, 0]) == 1.0


def test_scans_of_one_and_of_two_energies_in_a_batch_do_not_mix():
    image = torch.rand(2, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    image[0, 1] = 0.0
    rows = boxes((32, 48, 64, 96), (0, 0, 20, 20)).expand(2, -1, -1)
    both = assay.measured(image, rows)
    for row in range(2):
        torch.testing.assert_close(both[row : row + 1], assay.measured(image[row : row + 1], rows[:1]), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "box",
    [(-40, -40, 200, 200), (126, 126, 300, 300), (-90, 10, -20, 60), (50, 50, 50, 50), (51, 60, 50.5, 58), (0, 0, 128, 128)],
    ids=["larger than the tile", "beyond a corner", "outside", "empty", "turned inside out", "all of it"],
)
def test_whatever_box_a_cell_draws_there_are_numbers(box):
    image = torch.rand(1, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    seen = assay.measured(image, boxes(box))
    assert seen.shape == (1, assay.MEASURED, 1)
    assert torch.isfinite(seen).all()
    assert 0.0 < float(seen[0, INNER, 0]) < 1.0


def test_sizes_are_logarithms_in_units_of_32_px():
    seen = assay.measured(scene(), boxes((0, 0, 32, 64)))
    assert seen[0, SIZE:, 0].tolist() == pytest.approx([0.0, 1.0])


def test_a_detector_begins_without_it_and_learns_through_it():
    torch.manual_seed(5)
    made = network.Detector(3).train()
    logits, _ = made(torch.rand(2, 2, SIDE, SIDE))
    assert not made.assay.out.weight.any()
    logits.sum().backward()
    assert made.assay.out.weight.grad.abs().max() > 0


def test_matter_changes_scores_and_never_boxes():
    torch.manual_seed(5)
    made, image = network.Detector(3).eval(), torch.rand(1, 2, SIDE, SIDE)
    with torch.inference_mode():
        logits, sides = made(image)
        torch.nn.init.normal_(made.assay.out.weight)
        others, same = made(image)
    assert not torch.allclose(logits, others, atol=1e-3)
    assert torch.equal(sides, same)


def test_detectors_of_colour_pictures_have_none():
    assert network.Detector(3, inputs=3).assay is None
