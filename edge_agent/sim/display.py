"""Eight-bit display pictures as a viewing station exports them: one energy, an unknown curve, air nearly white."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a station shows transmission. ``black``, ``white``: transmissions shown as black and white; ``gamma``: the curve between.

    ``logarithmic``: share of a logarithmic curve mixed in (it opens the dark parts); ``sharpen``: strength of the edge enhancement.
    ``dark_columns``: share of the width at the left where the beam was off. ``bars``: rows shown white (1.0) or black (0.0) from side to
    side, as (share of the height, level): a detector that failed after the calibration.
    """

    black: float
    white: float
    gamma: float
    logarithmic: float
    sharpen: float
    dark_columns: float = 0.0
    bars: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Palette:
    """How a parcel scanner colours.

    ``hues``: RGB at the ``_RATIOS`` of the two attenuations; ``depth``: how fast matter darkens; ``pale``: the attenuation from which on a
    hue is full.
    """

    hues: tuple[tuple[float, ...], ...]
    depth: float
    pale: float


_RATIOS = (1.2, 1.45, 1.75, 2.2)
USUAL_PALETTE = Palette(((235.0, 120.0, 20.0), (240.0, 150.0, 40.0), (70.0, 170.0, 60.0), (30.0, 70.0, 190.0)), 1.1, 0.5)
"""Organic matter orange, mixed matter green, metal blue: the convention of baggage screening."""


def draw_palette(rng: Generator, *, unseen: bool = False) -> Palette:
    """Draw a maker's shades of the usual colours; ``unseen``: darker or paler ones than the ordinary draw gives."""
    hues = tuple(tuple(float(np.clip(level + rng.normal(0.0, 12.0), 0.0, 255.0)) for level in hue) for hue in USUAL_PALETTE.hues)
    if unseen:
        is_dark = rng.random() < 0.5
        return Palette(hues, float(rng.uniform(1.5, 1.8) if is_dark else rng.uniform(0.6, 0.8)), float(rng.uniform(0.7, 0.9)))
    return Palette(hues, float(rng.uniform(0.9, 1.35)), float(rng.uniform(0.35, 0.65)))


def draw_rendering(rng: Generator, *, unseen: bool = False) -> Rendering:
    """Draw a station's habits: mostly a linear curve with air at 254, walls at 210 to 230 and dense loads below 15, as on real exports.

    ``unseen``: a curve further from the line than the ordinary draw gives, and stronger edges.
    """
    if unseen:
        bend = float(np.exp(rng.uniform(0.5, 0.7) * rng.choice((-1.0, 1.0))))
        return Rendering(float(rng.uniform(0.06, 0.1)), float(rng.uniform(0.84, 0.9)), bend, 0.0, float(rng.uniform(0.8, 1.2)))
    is_plain = rng.random() < 0.65
    bars = tuple((float(rng.random()), float(rng.random() < 0.8)) for _ in range(int(rng.integers(1, 4)))) if rng.random() < 0.12 else ()
    return Rendering(
        black=float(rng.uniform(0.0, 0.015) if is_plain else rng.uniform(0.0, 0.06)),
        white=float(rng.uniform(0.97, 1.0) if is_plain else rng.uniform(0.9, 1.0)),
        gamma=float(np.exp(rng.normal(0.0, 0.08 if is_plain else 0.25))),
        logarithmic=float(rng.uniform(0.2, 0.7)) if not is_plain and rng.random() < 0.4 else 0.0,
        sharpen=float(rng.uniform(0.0, 0.8)),
        dark_columns=float(rng.uniform(0.01, 0.2)) if rng.random() < 0.04 else 0.0,
        bars=bars,
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
    for place, grey_level in look.bars:
        shown[int(place * shown.shape[0])] = grey_level
    grey: NDArray[np.uint8] = np.rint(np.clip(shown, 0.0, 1.0) * 255.0).astype(np.uint8)
    return grey


def pseudo_colour(high: NDArray[np.uint16], low: NDArray[np.uint16], palette: Palette = USUAL_PALETTE) -> NDArray[np.uint8]:
    """Give the (h, w, 3) uint8 RGB picture of a two-layer parcel scanner; air is white.

    The hue follows the ratio of the two attenuations, the brightness the transmission.
    """
    depth_high, depth_low = (-np.log(np.maximum(plane, 1).astype(np.float32) / np.float32(65535.0)) for plane in (high, low))
    ratio = depth_low / np.maximum(depth_high, np.float32(0.02))
    hues = np.array(palette.hues, dtype=np.float32)
    colour = np.stack([np.interp(ratio, _RATIOS, hues[:, channel]) for channel in range(3)], axis=2).astype(np.float32)
    light = np.exp(-palette.depth * depth_high)[:, :, None]
    near_air = np.clip(1.0 - depth_high[:, :, None] / np.float32(palette.pale), 0.0, 1.0)
    mixed = (colour + (255.0 - colour) * near_air) * (0.15 + 0.85 * light)
    rgb: NDArray[np.uint8] = np.rint(np.clip(mixed, 0.0, 255.0)).astype(np.uint8)
    return rgb
