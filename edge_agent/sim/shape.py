"""Path-length profiles of simple solids, seen from the side. Each gives a patch: 1 = the beam crosses the whole depth."""

import math
from collections.abc import Sequence

import numpy as np

from edge_agent.sim.canvas import Patch


def block(height: int, width: int) -> Patch:
    """Give a box, face on."""
    return np.ones((height, width), dtype=np.float32)


def cylinder(height: int, width: int) -> Patch:
    """Give an upright cylinder: the chord of a circle across, the same in every row."""
    chord = np.sqrt(np.maximum(1.0 - _axis(width) ** 2, 0.0))
    return np.broadcast_to(chord, (height, width)).astype(np.float32)


def pillow(height: int, width: int, power: float = 4.0) -> Patch:
    """Give a filled sack: flat in the middle, thin at its rim; a higher power has fuller corners."""
    across = np.power(np.abs(_axis(width)), power)[None, :]
    down = np.power(np.abs(_axis(height)), power)[:, None]
    patch: Patch = np.sqrt(np.maximum(1.0 - across - down + across * down, 0.0)).astype(np.float32)
    return patch


def ball(height: int, width: int) -> Patch:
    """Give an ellipsoid."""
    patch: Patch = np.sqrt(np.maximum(1.0 - _squared(height, width), 0.0))
    return patch


def disc(height: int, width: int) -> Patch:
    """Give a cylinder along the beam: the same depth all over an ellipse."""
    return (_squared(height, width) <= 1.0).astype(np.float32)


def ring(height: int, width: int, inner: float) -> Patch:
    """Give a tube along the beam; ``inner``: inner radius as a share of the outer one."""
    squared = _squared(height, width)
    return ((squared <= 1.0) & (squared >= inner * inner)).astype(np.float32)


def shell(height: int, width: int, wall: float) -> Patch:
    """Give an upright tube, side on: the outer chord less the inner one; ``wall``: its thickness as a share of the radius."""
    outer = np.sqrt(np.maximum(1.0 - _axis(width) ** 2, 0.0))
    inner = np.sqrt(np.maximum((1.0 - wall) ** 2 - _axis(width) ** 2, 0.0))
    return np.broadcast_to(outer - inner, (height, width)).astype(np.float32)


def frame(height: int, width: int, wall: int) -> Patch:
    """Give the rim of a rectangle, ``wall`` px wide."""
    patch = np.ones((height, width), dtype=np.float32)
    if height > 2 * wall and width > 2 * wall:
        patch[wall:-wall, wall:-wall] = 0.0
    return patch


def polygon(height: int, width: int, corners: Sequence[tuple[float, float]]) -> Patch:
    """Give a plate with straight edges; ``corners``: (x, y) as shares of width and height, in order (even-odd rule)."""
    x = (np.arange(width)[None, :] + 0.5) / width
    y = (np.arange(height)[:, None] + 0.5) / height
    inside = np.zeros((height, width), dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside.astype(np.float32)


def turned(patch: Patch, degrees: float) -> Patch:
    """Give the patch rotated about its middle, on a grid that holds it whole (linear interpolation)."""
    height, width = patch.shape
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    new_h = math.ceil(abs(height * cos) + abs(width * sin)) + 2
    new_w = math.ceil(abs(width * cos) + abs(height * sin)) + 2
    y = np.arange(new_h)[:, None] - (new_h - 1) / 2
    x = np.arange(new_w)[None, :] - (new_w - 1) / 2
    padded = np.pad(patch, 1)
    from_y = np.clip(-sin * x + cos * y + (height - 1) / 2 + 1, 0, height + 0.999)
    from_x = np.clip(cos * x + sin * y + (width - 1) / 2 + 1, 0, width + 0.999)
    iy, ix = from_y.astype(int), from_x.astype(int)
    fy, fx = (from_y - iy).astype(np.float32), (from_x - ix).astype(np.float32)
    upper = padded[iy, ix] * (1 - fx) + padded[iy, ix + 1] * fx
    lower = padded[iy + 1, ix] * (1 - fx) + padded[iy + 1, ix + 1] * fx
    rotated: Patch = (upper * (1 - fy) + lower * fy).astype(np.float32)
    return rotated


def blurred(patch: Patch, radius: int, passes: int = 2) -> Patch:
    """Give the patch smoothed by repeated running means of 2 * radius + 1 px; its edges are repeated outwards."""
    if radius < 1:
        return patch
    out = patch
    for _ in range(passes):
        for axis in (0, 1):
            out = _running_mean(out, radius, axis)
    return out


def _running_mean(values: Patch, radius: int, axis: int) -> Patch:
    pad = [(0, 0), (0, 0)]
    pad[axis] = (radius + 1, radius)
    sums = np.cumsum(np.pad(values, pad, mode="edge"), axis=axis, dtype=np.float64)
    size = 2 * radius + 1
    wide = sums[size:] - sums[:-size] if axis == 0 else sums[:, size:] - sums[:, :-size]
    return (wide / size).astype(np.float32)


def _axis(length: int) -> Patch:
    """Give pixel centres between -1 and 1."""
    return (np.arange(length, dtype=np.float32) + np.float32(0.5)) * np.float32(2.0 / length) - np.float32(1.0)


def _squared(height: int, width: int) -> Patch:
    """Give the squared distance from the middle, 1 at the rim of the ellipse that touches all four sides."""
    return (_axis(width) ** 2)[None, :] + (_axis(height) ** 2)[:, None]
