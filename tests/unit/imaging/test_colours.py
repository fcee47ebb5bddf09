"""What colours tell of the matter: an order that all makers keep to, nothing of grey pictures, and about what two energies measured."""

import numpy as np
import pytest

from edge_agent.imaging.attenuation import density
from edge_agent.imaging.colours import low_density
from edge_agent.sim.display import pseudo_colour

ORANGE, GREEN, BLUE = (235, 120, 20), (70, 170, 60), (30, 70, 190)


def told(*colours: tuple[int, int, int]) -> list[float]:
    """Give how many times as dense each colour is for the lower energy, in a picture that has air around it."""
    rgb = np.full((8, 8 * len(colours), 3), 255, dtype=np.uint8)
    for place, colour in enumerate(colours):
        rgb[2:6, 8 * place + 2 : 8 * place + 6] = colour
    low = low_density(rgb)
    assert low is not None
    ratio = low / np.maximum(density(rgb), 1e-6)
    return [float(ratio[4, 8 * place + 4]) for place in range(len(colours))]


def test_metal_is_told_from_organic_matter_and_what_is_mixed_lies_between() -> None:
    organic, mixed, metal = told(ORANGE, GREEN, BLUE)
    assert 1.1 < organic < 1.4 < mixed < 1.9 < metal < 2.3


def test_thin_and_thick_matter_of_one_kind_have_one_ratio() -> None:
    pale = tuple(round(255 - (255 - level) * 0.3) for level in BLUE)
    dark = tuple(round(level * 0.3) for level in BLUE)
    assert told(BLUE, pale, dark) == pytest.approx([told(BLUE)[0]] * 3, abs=0.05)  # type: ignore[arg-type]


def test_what_has_no_colour_is_neither() -> None:
    organic, black, metal = told(ORANGE, (4, 4, 6), BLUE)
    assert organic + 0.2 < black < metal - 0.2


def test_air_stays_nothing() -> None:
    rgb = np.full((8, 8, 3), 255, dtype=np.uint8)
    rgb[2:6, 2:6] = BLUE
    low = low_density(rgb)
    assert low is not None
    assert low[0, 0] == 0.0


@pytest.mark.parametrize("noise", [0, 6])
def test_a_grey_picture_tells_nothing_though_a_codec_tinted_it(noise: int) -> None:
    rng = np.random.default_rng(1)
    grey = np.repeat(rng.integers(20, 240, (64, 64, 1)), 3, axis=2) + rng.integers(-noise, noise + 1, (64, 64, 3))
    assert low_density(grey.astype(np.uint8)) is None


def test_a_simulated_makers_colours_give_back_what_its_two_layers_measured() -> None:
    high = np.repeat(np.linspace(0.05, 0.8, 40)[None], 40, axis=0)
    ratio = np.repeat(np.linspace(1.2, 2.2, 40)[:, None], 40, axis=1)
    planes = [np.rint(65535 * np.exp(-6.0 * depth)).astype(np.uint16) for depth in (high / 4, high / 4 * ratio)]
    rgb = pseudo_colour(planes[0], planes[1])
    low = low_density(rgb)
    assert low is not None
    is_matter = density(rgb) > 0.05
    assert is_matter.mean() > 0.8
    found = low[is_matter] / density(rgb)[is_matter]
    assert np.corrcoef(found, ratio[is_matter])[0, 1] > 0.9
