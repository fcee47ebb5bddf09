"""Single items of cargo as the beam sees them: one carton, sack, drum or roll, as a share of its layer's depth."""

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Patch


def carton(height: int, width: int, rng: Generator) -> Patch:
    """Give a carton: flat, with a light rim."""
    return with_rim(shape.block(height, width), rng, 0.35)


def frozen(height: int, width: int, rng: Generator) -> Patch:
    """Give a carton of frozen blocks: bulging, dented, of uneven depth."""
    power = float(rng.uniform(3.0, 9.0))
    height = int(height * rng.uniform(1.0, 1.15))  # it sags into the one below
    return 1.2 * shape.pillow(height, width, power) * texture(height, width, 60, float(rng.uniform(0.04, 0.16)), rng)


def sack(height: int, width: int, rng: Generator) -> Patch:
    """Give a filled sack on its side."""
    patch = shape.pillow(height, width, float(rng.uniform(2.5, 5.0)))
    return patch * np.float32(1.12 * rng.normal(1.0, 0.05))


def bale(height: int, width: int, rng: Generator) -> Patch:
    """Give a pressed bale with its wires."""
    patch = shape.pillow(height, width, float(rng.uniform(6, 12))) * texture(height, width, 90, 0.05, rng)
    for place in np.linspace(0.15, 0.85, 5):
        patch[:, int(place * width)] *= np.float32(1.06)
    return patch


def fruit(height: int, width: int, rng: Generator) -> Patch:
    """Give a crate of round fruit in a close packing."""
    size = max(3, round(height / rng.integers(3, 5)))
    one = shape.ball(size, size)
    tiles = np.tile(one, (height // size + 2, width // size + 2))
    shifted = np.roll(tiles, size // 2, axis=1)
    patch = 0.75 * (tiles + np.roll(shifted, size // 2, axis=0))[:height, :width]
    patch[-2:] += 0.12
    return with_rim(patch.astype(np.float32), rng, 0.3)


def soft(height: int, width: int, rng: Generator) -> Patch:
    """Give a carton of folded cloth: lumps, and cardboard that shows as a darker rim."""
    return with_rim(np.maximum(texture(height, width, 30, 0.3, rng), 0.2), rng, -0.35)


def hanging(height: int, width: int, rng: Generator) -> Patch:
    """Give a rail of hanging clothes: a metal rail above, uprights of cloth of many depths below."""
    folds = np.repeat(rng.uniform(0.5, 1.4, (1, max(2, width // 3))), 3, axis=1).astype(np.float32)
    patch = np.zeros((height, width), dtype=np.float32)
    top, bottom = int(height * 0.08), int(height * rng.uniform(0.75, 0.97))
    patch[top:bottom, : folds.shape[1]] = folds[:, :width]
    patch[: max(1, top // 2)] = 1.8
    return patch


def device(height: int, width: int, rng: Generator) -> Patch:
    """Give a packed apparatus: parts of many depths in foam."""
    patch = np.full((height, width), 0.35, dtype=np.float32)
    for _ in range(int(rng.integers(3, 8))):
        h, w = (max(2, int(side * rng.uniform(0.08, 0.5))) for side in (height, width))
        y, x = int(rng.integers(0, max(1, height - h))), int(rng.integers(0, max(1, width - w)))
        patch[y : y + h, x : x + w] += np.float32(rng.uniform(0.4, 2.2))
    return with_rim(patch, rng, -0.6)


def tyre(height: int, width: int, rng: Generator) -> Patch:
    """Give a tyre lying flat, side on: thick at both ends, where the beam runs along the tread, thin at the rims between."""
    patch = shape.shell(height, width, float(rng.uniform(0.3, 0.42)))
    profile = 1.0 - 0.45 * (2.0 * np.abs((np.arange(height) + 0.5) / height - 0.5)) ** 3
    return (2.1 * patch * profile[:, None]).astype(np.float32)


def laced_tyre(height: int, width: int, rng: Generator) -> Patch:
    """Give a tilted tyre of a laced stack: the tread shows as an ellipse, the side walls as a thin film."""
    h = max(3, int(height * rng.uniform(1.0, 1.6)))
    ring = shape.ring(h, width, float(rng.uniform(0.62, 0.82)))
    hole = float(rng.uniform(0.4, 0.55))
    patch = ring * np.float32(rng.uniform(1.2, 1.8)) + 0.45 * shape.ring(h, width, hole)
    return shape.turned(patch, float(rng.normal(0, 18)))


def bottle(height: int, width: int, rng: Generator) -> Patch:
    """Give a filled bottle."""
    patch = np.zeros((height, width), dtype=np.float32)
    neck = int(height * 0.3)
    patch[neck:] = shape.cylinder(height - neck, width)
    inset = max(1, width // 3)
    patch[2:neck, inset : width - inset] = 0.35
    return patch * np.float32(1.35 * rng.normal(1.0, 0.05))


def vials(height: int, width: int, rng: Generator) -> Patch:
    """Give a carton of small bottles: a grid of dark bodies with light caps in rows."""
    rows, columns = int(rng.integers(2, 4)), int(rng.integers(4, 9))
    h, w = max(3, height // rows), max(2, width // columns)
    one = np.zeros((h, w), dtype=np.float32)
    cap = max(1, int(h * rng.uniform(0.15, 0.4)))
    one[cap:] = 1.5 * shape.cylinder(h - cap, w)
    one[:cap, w // 4 : max(w // 4 + 1, w - w // 4)] = 0.4
    return _on_a_grid(one, height, width, rng)


def cans(height: int, width: int, rng: Generator) -> Patch:
    """Give a carton of tall thin cans, half filled: liquid below, gas above, steel walls."""
    h, w = height, max(3, width // int(rng.integers(4, 8)))
    one = (0.5 * shape.shell(h, w, 0.25) + 0.1).astype(np.float32)
    level = int(h * rng.uniform(0.3, 0.6))
    one[level:] += 1.1 * shape.cylinder(h - level, w)
    one[: max(1, h // 12)] *= 0.4
    return _on_a_grid(one, height, width, rng)


def cases(height: int, width: int, rng: Generator) -> Patch:
    """Give a master case of cigarettes: very even, with the fine lattice of its cartons."""
    patch = shape.block(height, width) * np.float32(rng.normal(1.0, 0.015))
    patch[:: max(3, height // 5)] *= 0.88
    patch[:, :: max(3, width // 2)] *= 0.9
    return with_rim(patch, rng, 0.2)


def shells(height: int, width: int, rng: Generator) -> Patch:
    """Give a carton of fireworks: bundles of small tubes on end, each charge denser than its paper."""
    size = max(3, height // int(rng.integers(4, 8)))
    one = 0.7 + 0.7 * shape.disc(size, size) - 0.3 * shape.disc(size, size) * shape.ring(size, size, 0.6)
    return _on_a_grid(one.astype(np.float32), height, width, rng)


def pairs(height: int, width: int, rng: Generator) -> Patch:
    """Give a carton of shoe boxes: soles as slanting dark lines."""
    h, w = max(4, height // 3), max(4, width // 2)
    one = np.full((h, w), 0.45, dtype=np.float32)
    for place in (0.3, 0.72):
        row = int(place * h)
        one[row : row + max(1, h // 7), w // 10 : w - w // 10] = 1.9
    return _on_a_grid(one, height, width, rng)


def drum(height: int, width: int, rng: Generator) -> Patch:
    """Give a drum with hoops and some free space under its lid."""
    patch = shape.cylinder(height, width).copy()
    patch[: int(height * rng.uniform(0.03, 0.12))] *= 0.15
    for place in (0.02, 0.33, 0.66, 0.97):
        patch[int(place * (height - 1))] += 0.12
    return patch * np.float32(1.2)


def slab(height: int, width: int, rng: Generator) -> Patch:
    """Give a box of tiles on edge."""
    patch = shape.block(height, width) * np.float32(rng.normal(1.0, 0.03))
    step = max(2, width // int(rng.integers(8, 20)))
    patch[:, ::step] *= 0.86
    patch[:1] *= 0.75
    return patch


def plank(height: int, width: int, rng: Generator) -> Patch:
    """Give a layer of a bundle of timber, with the gap of its sticker."""
    patch = shape.block(height, width) * np.float32(rng.normal(1.0, 0.04))
    patch[: max(1, height // 6)] *= np.float32(rng.uniform(0.45, 0.7))
    return patch


def big_bag(height: int, width: int, rng: Generator) -> Patch:
    """Give a big bag with its dome."""
    patch = shape.pillow(height, width, float(rng.uniform(5, 10)))
    dome = int(height * rng.uniform(0.1, 0.35))
    across = np.abs((np.arange(width) + 0.5) / width * 2 - 1) ** rng.uniform(1.8, 4.0)
    rows = np.arange(height)[:, None]
    fade = np.clip((rows - dome * across[None, :]) / max(2.0, dome * 0.5) + 0.15, 0.0, 1.0)
    return (1.1 * patch * fade * rng.normal(1.0, 0.04)).astype(np.float32)


def slumped_bag(height: int, width: int, rng: Generator) -> Patch:
    """Give a big bag that has settled: an uneven top and creases."""
    knots = rng.uniform(0.0, 0.3, 5)
    top = np.interp(np.linspace(0, 4, width), np.arange(5), knots) * height
    rows = np.arange(height)[:, None]
    fade = np.clip((rows - top[None, :]) / max(2.0, height * 0.06), 0.0, 1.0)
    return (shape.pillow(height, width, 8.0) * fade * texture(height, width, 250, 0.08, rng)).astype(np.float32)


def roll(height: int, width: int, rng: Generator) -> Patch:
    """Give an upright roll with its hollow core."""
    patch = 1.25 * shape.cylinder(height, width) * rng.normal(1.0, 0.02)
    core = max(1, width // 14)
    middle = width // 2
    patch[:, middle - core // 2 : middle + core // 2 + 1] *= 0.93
    patch[:2] *= 0.8
    return patch.astype(np.float32)


def with_rim(patch: Patch, rng: Generator, depth: float) -> Patch:
    """Thin the rim of an item: cartons do not touch everywhere, so a little more of the beam comes through between them."""
    patch = patch * np.float32(rng.normal(1.0, 0.03))
    loss = np.float32(1.0 - depth * rng.uniform(0.5, 1.0))
    patch[:1] *= loss
    patch[:, :1] *= loss
    patch[:, -1:] *= loss
    return patch


def texture(height: int, width: int, grains: int, strength: float, rng: Generator) -> Patch:
    """Give smooth random depth around 1, never below 0.1: about ``grains`` lumps over the patch, of standard deviation ``strength``."""
    cell = max(2, round((height * width / grains) ** 0.5))
    rows, columns = height // cell + 3, width // cell + 3
    knots = 1.0 + strength * rng.standard_normal((rows, columns), dtype=np.float32)
    y, x = np.arange(height) / cell, np.arange(width) / cell
    iy, ix = y.astype(int), x.astype(int)
    fy, fx = (y - iy).astype(np.float32)[:, None], (x - ix).astype(np.float32)
    rows_of = knots[iy] * (1 - fy) + knots[iy + 1] * fy
    smooth: Patch = rows_of[:, ix] * (1 - fx) + rows_of[:, ix + 1] * fx
    return np.maximum(smooth, np.float32(0.1))


def _on_a_grid(one: Patch, height: int, width: int, rng: Generator) -> Patch:
    tiles = np.tile(one, (height // one.shape[0] + 1, width // one.shape[1] + 1))[:height, :width]
    return with_rim(tiles, rng, 0.2)
