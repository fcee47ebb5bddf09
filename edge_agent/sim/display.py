"""Eight-bit display pictures as a viewing station exports them: one energy, an unknown curve, air nearly white."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a station shows transmission. ``black``, ``white``: transmissions shown as black and white; ``gamma``: the curve between.

    ``logarithmic``: share of a logarithmic curve mixed in (it opens the dark parts); ``sharpen``: strength of the edge enhancement.
    ``dark_columns``: share of the width at the left where the beam was off.
    """

    black: float
    white: float
    gamma: float
    logarithmic: float
    sharpen: float
    dark_columns: float = 0.0


def draw_rendering(rng: Generator) -> Rendering:
    """Draw a station's habits: mostly a nearly linear curve that leaves dense loads black."""
    return Rendering(
        black=float(rng.uniform(0.0, 0.06)),
        white=float(rng.uniform(0.9, 1.0)),
        gamma=float(np.exp(rng.normal(0.0, 0.25))),
        logarithmic=float(rng.uniform(0.2, 0.7)) if rng.random() < 0.25 else 0.0,
        sharpen=float(rng.uniform(0.0, 0.8)),
        dark_columns=float(rng.uniform(0.01, 0.2)) if rng.random() < 0.04 else 0.0,
    )


def render(high: NDArray[np.uint16], look: Rendering) -> NDArray[np.uint8]:
    """Give (h, w) uint8 grey of a 16-bit transmission plane."""
    level = high.astype(np.float32) / np.float32(65535.0)
    shown = np.clip((level - look.black) / (look.white - look.black), 0.0, 1.0) ** np.float32(look.gamma)
    if look.logarithmic > 0.0:
        opened = np.clip(1.0 + np.log(np.maximum(level, 1e-3)) / np.float32(6.9), 0.0, 1.0)
        shown = (1.0 - look.logarithmic) * shown + look.logarithmic * opened
    if look.sharpen > 0.0:
        padded = np.pad(shown, 1, mode="edge")
        around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
        shown = shown + np.float32(look.sharpen) * (shown - around / 4.0)
    shown[:, : int(look.dark_columns * shown.shape[1])] = 0.0
    grey: NDArray[np.uint8] = np.rint(np.clip(shown, 0.0, 1.0) * 255.0).astype(np.uint8)
    return grey
