"""Stowing goods: from a family and a region of a container to matter on the canvas."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Canvas, Mix, Patch, Region
from edge_agent.sim.goods import FAMILIES, Family

_WOOD: Mix = (("cellulose", 0.97), ("iron", 0.03))
_STEEL: Mix = (("iron", 1.0),)
_VARIANTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """One load to stow: where, what, and how much of it (``areal`` g/cm2 over the whole depth). ``region`` ends on the floor."""

    canvas: Canvas
    region: Region
    family: Family
    owner: int
    areal: float
    rng: Generator


def stow(canvas: Canvas, family_index: int, region: Region, rng: Generator) -> None:
    """Draw goods of a family into ``region``, from the floor up to a height of their own."""
    family = FAMILIES[family_index]
    top = region.y1 - region.height * rng.uniform(*family.fill)
    areal = float(rng.uniform(*family.areal))
    load = Load(canvas, replace(region, y0=top), family, family_index, areal, rng)
    PACKINGS[family.packing](load)


def _columns(load: Load, item: Callable[[int, int, Generator], Patch], gap_mm: tuple[float, float], *, ragged: float) -> None:
    """Stow items in upright columns, several layers deep; ``ragged``: chance that a column is an item higher or lower."""
    canvas, region, rng = load.canvas, load.region, load.rng
    width, height = (side * rng.uniform(0.93, 1.07) for side in load.family.item_mm)
    width = min(width, region.width)
    h_px, w_px = canvas.px(height), canvas.px(width)
    height = h_px * canvas.pitch_mm
    variants = [item(h_px, w_px, rng) for _ in range(_VARIANTS)]
    layers = int(rng.integers(load.family.layers[0], load.family.layers[1] + 1))
    fade_px = canvas.px(rng.uniform(20, 400)) if rng.random() < 0.6 else 0
    is_aligned = rng.random() < 0.6  # gaps of one layer behind those of the next let light lines through
    spare = min(width * 0.45, 150.0, region.width - width)
    first = region.x0 + rng.uniform(0, spare)
    gaps = rng.uniform(*gap_mm, int(region.width / width) + 2)
    for _ in range(layers):
        x = first + rng.normal(0.0, 8.0) if is_aligned else region.x0 + rng.uniform(0, spare)
        place = 0
        while x + width <= region.x1 + 25.0:
            rows = max(1, int(region.height / height) + (int(rng.integers(-1, 2)) if rng.random() < ragged else 0))
            if canvas.sees(x, x + width):
                column = np.concatenate([variants[i] for i in rng.integers(0, _VARIANTS, rows)])
                at = (x, region.y1 - rows * height + rng.normal(0.0, 12.0))
                canvas.add(_faded(column, fade_px), at, load.family.mix, load.areal / layers * rng.normal(1.0, 0.05), load.owner)
            x += width + (gaps[place] if is_aligned else rng.uniform(*gap_mm))
            place += 1


def _faded(column: Patch, fade_px: int) -> Patch:
    """Thin the top of a column: slanting rays near its upper edge cross a part of its depth only."""
    count = min(fade_px, column.shape[0])
    if count < 2:
        return column
    out = column.copy()
    out[:count] *= np.linspace(0.15, 1.0, count, dtype=np.float32)[:, None]
    return out


def _with_light_rim(patch: Patch, rng: Generator, depth: float) -> Patch:
    """Thin the rim of an item: cartons do not touch everywhere, so a little more of the beam comes through between them."""
    patch = patch * np.float32(rng.normal(1.0, 0.03))
    loss = np.float32(1.0 - depth * rng.uniform(0.5, 1.0))
    patch[:1] *= loss
    patch[:, :1] *= loss
    patch[:, -1:] *= loss
    return patch


def _carton(height: int, width: int, rng: Generator) -> Patch:
    return _with_light_rim(shape.block(height, width), rng, 0.35)


def _sack(height: int, width: int, rng: Generator) -> Patch:
    patch = shape.pillow(height, width, float(rng.uniform(2.5, 5.0)))
    return patch * np.float32(1.12 * rng.normal(1.0, 0.04))


def _bale(height: int, width: int, rng: Generator) -> Patch:
    patch = shape.pillow(height, width, 9.0) * np.float32(rng.normal(1.0, 0.04))
    for place in np.linspace(0.15, 0.85, 5):
        patch[:, int(place * width)] *= np.float32(1.06)  # the wires that hold a bale together
    return patch


def _fruit(height: int, width: int, rng: Generator) -> Patch:
    size = max(3, round(height / rng.integers(3, 5)))
    one = shape.ball(size, size)
    tiles = np.tile(one, (height // size + 2, width // size + 2))
    shifted = np.roll(tiles, size // 2, axis=1)
    patch = 0.75 * (tiles + np.roll(shifted, size // 2, axis=0))[:height, :width]
    patch[-2:] += 0.12
    return _with_light_rim(patch.astype(np.float32), rng, 0.3)


def _soft(height: int, width: int, rng: Generator) -> Patch:
    lumps = rng.normal(1.0, 0.35, (height // 4 + 2, width // 4 + 2)).astype(np.float32)
    patch = shape.blurred(np.kron(lumps, np.ones((4, 4), dtype=np.float32)), 3)[:height, :width]
    return _with_light_rim(np.maximum(patch, 0.2), rng, -0.35)  # little inside, so the cardboard shows as a darker rim


def _device(height: int, width: int, rng: Generator) -> Patch:
    patch = np.full((height, width), 0.35, dtype=np.float32)
    for _ in range(int(rng.integers(3, 7))):
        h, w = (max(2, int(side * rng.uniform(0.12, 0.5))) for side in (height, width))
        y, x = int(rng.integers(0, max(1, height - h))), int(rng.integers(0, max(1, width - w)))
        patch[y : y + h, x : x + w] += np.float32(rng.uniform(0.4, 2.2))
    return _with_light_rim(patch, rng, -0.6)


def _tyre(height: int, width: int, rng: Generator) -> Patch:
    """Give a tyre lying flat, side on: thick at both ends, where the beam runs along the tread, thin at the rims between."""
    patch = shape.shell(height, width, float(rng.uniform(0.3, 0.42)))
    profile = 1.0 - 0.45 * (2.0 * np.abs((np.arange(height) + 0.5) / height - 0.5)) ** 3
    return (2.1 * patch * profile[:, None]).astype(np.float32)


def _bottle(height: int, width: int, rng: Generator) -> Patch:
    patch = np.zeros((height, width), dtype=np.float32)
    neck = int(height * 0.3)
    patch[neck:] = shape.cylinder(height - neck, width)
    inset = max(1, width // 3)
    patch[2:neck, inset : width - inset] = 0.35
    return patch * np.float32(1.35 * rng.normal(1.0, 0.05))


def _drum(height: int, width: int, rng: Generator) -> Patch:
    patch = shape.cylinder(height, width).copy()
    patch[: int(height * rng.uniform(0.03, 0.12))] *= 0.15  # the free space under the lid
    for place in (0.02, 0.33, 0.66, 0.97):
        patch[int(place * (height - 1))] += 0.12
    return patch * np.float32(1.2)


def _slab(height: int, width: int, rng: Generator) -> Patch:
    patch = shape.block(height, width) * np.float32(rng.normal(1.0, 0.03))
    step = max(2, width // int(rng.integers(8, 20)))
    patch[:, ::step] *= 0.86
    patch[:1] *= 0.75
    return patch


def _plank(height: int, width: int, rng: Generator) -> Patch:
    patch = shape.block(height, width) * np.float32(rng.normal(1.0, 0.04))
    patch[: max(1, height // 6)] *= np.float32(rng.uniform(0.45, 0.7))
    return patch


def _big_bag(height: int, width: int, rng: Generator) -> Patch:
    patch = shape.pillow(height, width, 6.0)
    dome = int(height * rng.uniform(0.15, 0.3))
    across = ((np.arange(width) + 0.5) / width * 2 - 1) ** 2
    top = dome * across
    rows = np.arange(height)[:, None]
    fade = np.clip((rows - top[None, :]) / max(2.0, dome * 0.6) + 0.15, 0.0, 1.0)
    return (1.1 * patch * fade * rng.normal(1.0, 0.04)).astype(np.float32)


def _roll(height: int, width: int, rng: Generator) -> Patch:
    patch = 1.25 * shape.cylinder(height, width) * rng.normal(1.0, 0.02)
    core = max(1, width // 14)
    middle = width // 2
    patch[:, middle - core // 2 : middle + core // 2 + 1] *= 0.93
    patch[:2] *= 0.8
    return patch.astype(np.float32)


def _on_pallets(load: Load, item: Callable[[int, int, Generator], Patch], gap_mm: tuple[float, float], *, ragged: float) -> None:
    """Stow items on pallets: a wooden deck, a block of items, a gap to the next pallet."""
    rng, region = load.rng, load.region
    length = float(rng.choice((800.0, 1000.0, 1200.0)))
    deck = 144.0
    x = region.x0 + rng.uniform(10, 60)
    lowered = region.y1 - region.height * rng.uniform(0.85, 1.0)
    while x + length * 0.6 <= region.x1:
        end = min(x + length, region.x1)
        if load.canvas.sees(x, end):
            _draw_deck(load.canvas, Region(x, region.y1 - deck, end, region.y1), load.owner)
            top = lowered if rng.random() < 0.85 else region.y1 - region.height * rng.uniform(0.5, 1.0)
            _columns(replace(load, region=Region(x, top, end, region.y1 - deck)), item, gap_mm, ragged=ragged)
        x = end + rng.uniform(20, 90)


def _draw_deck(canvas: Canvas, deck: Region, owner: int) -> None:
    canvas.fill(Region(deck.x0, deck.y0, deck.x1, deck.y0 + 22.0), _WOOD, 60.0, owner)
    canvas.fill(Region(deck.x0, deck.y1 - 22.0, deck.x1, deck.y1), _WOOD, 25.0, owner)
    for share in (0.0, 0.45, 0.9):
        x = deck.x0 + share * deck.width
        canvas.fill(Region(x, deck.y0 + 22.0, x + 0.1 * deck.width, deck.y1 - 22.0), _WOOD, 45.0, owner)


def _bulk(load: Load) -> None:
    """Pour goods loosely: a smooth, sloping surface, denser below."""
    canvas, region, rng = load.canvas, load.region, load.rng
    height, width = canvas.px(region.height), canvas.px(region.width)
    knots = rng.uniform(0.0, 0.45, 5)
    knots[-1] = rng.uniform(0.1, 0.8)
    surface = np.interp(np.linspace(0, 4, width), np.arange(5), knots) * height
    surface = shape.blurred(surface[None, :].astype(np.float32), max(1, width // 24))[0]
    rows = np.arange(height)[:, None]
    softness = height * rng.uniform(0.05, 0.3)
    patch = np.clip((rows - surface[None, :]) / softness, 0.0, 1.0) * (0.92 + 0.16 * rows / height)
    canvas.add(patch.astype(np.float32), (region.x0, region.y0), load.family.mix, load.areal, load.owner)


def _machines(load: Load) -> None:
    """Set machines on the floor: a frame, a heavy body, shafts, wheels and pipes, each of its own thickness."""
    canvas, region, rng = load.canvas, load.region, load.rng
    x = region.x0 + rng.uniform(20, 150)
    while x < region.x1 - 300:
        width = min(float(rng.uniform(500, 2200)), region.x1 - x)
        height = region.height * rng.uniform(0.5, 1.0)
        if canvas.sees(x, x + width):
            _machine(load, Region(x, region.y1 - height, x + width, region.y1))
        x += width + rng.uniform(40, 250)


def _machine(load: Load, spot: Region) -> None:
    canvas, rng = load.canvas, load.rng
    height, width = canvas.px(spot.height), canvas.px(spot.width)
    canvas.add(shape.frame(height, width, canvas.px(50)), (spot.x0, spot.y0), load.family.mix, load.areal * 0.35, load.owner)
    for _ in range(int(rng.integers(4, 10))):
        h, w = (max(3, int(side * rng.uniform(0.12, 0.55))) for side in (height, width))
        kind = int(rng.integers(0, 4))
        part = (shape.block(h, w), shape.disc(h, h), shape.cylinder(w, h).T, shape.ring(h, h, 0.7))[kind]
        at = (spot.x0 + rng.uniform(0, 0.8) * spot.width, spot.y0 + rng.uniform(0, 0.8) * spot.height)
        room_h, room_w = (canvas.px(side) for side in (spot.y1 - at[1], spot.x1 - at[0]))
        canvas.add(part[:room_h, :room_w], at, load.family.mix, load.areal * rng.uniform(0.2, 1.1), load.owner)
    base = Region(spot.x0, spot.y1 - 80.0, spot.x1, spot.y1)
    canvas.fill(base, _STEEL, 25.0, load.owner)


def _coils(load: Load) -> None:
    """Lay coils (rings along the beam) or bundles of bars on the floor, with wooden chocks between them."""
    canvas, region, rng = load.canvas, load.region, load.rng
    is_bars = rng.random() < 0.4
    x = region.x0 + rng.uniform(50, 400)
    while x < region.x1 - 400:
        size = float(rng.uniform(700, 1150)) * min(1.0, region.height / 900.0)
        if is_bars:
            size = min(4500.0, region.x1 - x)
            bars = np.tile(np.array([[1.0], [0.7], [0.9]], dtype=np.float32), (canvas.px(region.height * 0.45) // 3 + 1, canvas.px(size)))
            canvas.add(bars, (x, region.y1 - bars.shape[0] * canvas.pitch_mm), load.family.mix, load.areal * 0.6, load.owner)
        elif canvas.sees(x, x + size):
            n = canvas.px(size)
            canvas.add(shape.ring(n, n, float(rng.uniform(0.4, 0.6))), (x, region.y1 - size), load.family.mix, load.areal, load.owner)
            canvas.fill(Region(x - 60, region.y1 - 110, x + size + 60, region.y1), _WOOD, 30.0, load.owner)
        x += size + rng.uniform(80, 900)


PACKINGS: Mapping[str, Callable[[Load], None]] = {
    "none": lambda load: None,  # noqa: ARG005 - an empty container has nothing to stow
    "cartons": lambda load: _columns(load, _carton, (0.0, 28.0), ragged=0.15),
    "fruit": lambda load: _on_pallets(load, _fruit, (0.0, 8.0), ragged=0.0),
    "sacks": lambda load: _columns(load, _sack, (0.0, 40.0), ragged=0.4),
    "big-bags": lambda load: _columns(load, _big_bag, (0.0, 70.0), ragged=0.0),
    "bulk": _bulk,
    "tyres": lambda load: _columns(load, _tyre, (0.0, 30.0), ragged=0.3),
    "bales": lambda load: _columns(load, _bale, (0.0, 50.0), ragged=0.1),
    "bottles": lambda load: _on_pallets(load, _bottle, (0.0, 3.0), ragged=0.0),
    "rolls": lambda load: _columns(load, _roll, (0.0, 90.0), ragged=0.1),
    "slabs": lambda load: _on_pallets(load, _slab, (0.0, 40.0), ragged=0.3),
    "planks": lambda load: _columns(load, _plank, (40.0, 300.0), ragged=0.3),
    "machinery": _machines,
    "coils": _coils,
    "devices": lambda load: _columns(load, _device, (0.0, 20.0), ragged=0.2),
    "soft": lambda load: _columns(load, _soft, (0.0, 25.0), ragged=0.2),
    "drums": lambda load: _on_pallets(load, _drum, (0.0, 12.0), ragged=0.0),
}
"""How each way of packing is drawn."""
