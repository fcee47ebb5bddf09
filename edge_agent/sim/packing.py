"""Stowing goods: from a family and a region of a container to matter on the canvas.

The beam fans out upwards from a low source, so things far from the detector look taller: layer by layer, a load's tops and its rows do
not coincide, and the upper edge of each thing fades over the height by which its near and its far side differ. ``slant`` is that
difference as a share of the height above the floor. Along the container rays are parallel, as in a portal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_agent.sim import item, loose, shape
from edge_agent.sim.canvas import Canvas, Mix, Patch, Region
from edge_agent.sim.goods import family, map_class
from edge_agent.sim.loose import Load

_WOOD: Mix = (("cellulose", 0.97), ("iron", 0.03))
_POLES = 3

ItemMaker: TypeAlias = Callable[[int, int, Generator], Patch]


@dataclass(frozen=True, slots=True)
class Stack:
    """How columns of items stand. ``gap_mm``: between columns; ``ragged``: chance that a column is an item higher or lower.

    ``wobble_mm``: how far items of a column stand out of line. ``wide_gap_mm``: the largest extra gap after every few columns.
    ``is_level``: all columns are about as high as one another, as on one pallet.
    """

    gap_mm: tuple[float, float]
    ragged: float
    wobble_mm: float = 0.0
    wide_gap_mm: float = 0.0
    is_level: bool = False


def stow(canvas: Canvas, place: int, region: Region, slant: float, rng: Generator, packed: float = 1.0) -> None:
    """Draw goods of a family into ``region``, from the floor up to a height of their own; ``packed`` times their ordinary areal density."""
    what = family(place)
    share = rng.uniform(*what.fill) if rng.random() < 0.9 else rng.uniform(0.2, what.fill[0])
    areal = packed * float(rng.uniform(*what.areal))
    top = region.y1 - region.height * share
    packing = what.packings[0] if rng.random() < 0.6 else str(rng.choice(what.packings))
    PACKINGS[packing](Load(canvas, replace(region, y0=top), what, map_class(place), areal, slant, rng))


def columns(load: Load, make: ItemMaker, style: Stack) -> None:
    """Stow items in upright columns, several layers deep."""
    canvas, region, rng = load.canvas, load.region, load.rng
    width = min(load.family.item_mm[0] * rng.uniform(0.88, 1.12), region.width)
    if style.is_level:  # a pallet's layer is made to fit it
        width = max(region.width / max(1, round(region.width / width)) - style.gap_mm[1] / 2, canvas.pitch_mm)
    height = load.family.item_mm[1] * rng.uniform(0.88, 1.12)
    layers = int(rng.integers(load.family.layers[0], load.family.layers[1] + 1))
    starts = _starts(region, width, style, rng)
    is_aligned = rng.random() < 0.65  # gaps of one layer behind those of the next let light lines through
    tops = _even if style.is_level else _profile(region, rng)
    extra = _extra(len(starts), style.ragged, rng)
    for layer in range(layers):
        scale = 1.0 - load.slant * (layer + 0.5) / layers
        h_px, w_px = canvas.px(height * scale), canvas.px(width)
        most = max(1, int(region.height / height)) + 1
        poles = [_pole(make, (h_px, w_px, most), canvas.px(style.wobble_mm) if style.wobble_mm else 0, rng) for _ in range(_POLES)]
        if layer and not is_aligned:
            starts = _starts(region, width, style, rng)
            extra = _extra(len(starts), style.ragged, rng)
        own = _extra(len(starts), style.ragged / 3, rng)
        fade = canvas.px(region.height * load.slant / layers * rng.uniform(0.8, 1.3) + 8.0)
        for place, x in enumerate(starts):
            if not canvas.sees(x, x + width):
                continue
            rows = min(max(1, int(region.height * tops(x) / height) + int(extra[place] + own[place])), most)
            pole = poles[int(rng.integers(0, _POLES))]
            column = _faded(pole[pole.shape[0] - rows * h_px :], fade)
            at = (x - style.wobble_mm + rng.normal(0.0, 4.0), region.y1 - column.shape[0] * canvas.pitch_mm)
            canvas.add(column, at, load.family.mix, load.areal / layers * rng.normal(1.0, 0.06), load.owner)


def _extra(count: int, ragged: float, rng: Generator) -> NDArray[np.int64]:
    """Give (count,) how many items more or fewer each column has."""
    return rng.integers(-1, 2, count) * (rng.random(count) < ragged)


def _starts(region: Region, width: float, style: Stack, rng: Generator) -> list[float]:
    """Give where columns begin, in mm; a column does not end beyond the region."""
    every = int(rng.integers(2, 6))
    spare = max(region.width - width, 1.0)
    x = region.x0 + rng.uniform(0, spare % (width + style.gap_mm[1]) if style.is_level else min(width * 0.45, 150.0, spare))
    starts: list[float] = []
    while x + width <= region.x1 + 25.0:
        starts.append(x)
        wide = rng.uniform(0.0, style.wide_gap_mm) if len(starts) % every == 0 else 0.0
        x += width + rng.uniform(*style.gap_mm) + wide
    return starts


def _profile(region: Region, rng: Generator) -> Callable[[float], float]:
    """Give how high a load stands along the container, as a share of its height: even, in steps, or lower towards the doors."""
    edges, levels = [region.x0], [1.0]
    for _ in range(int(rng.choice((0, 1, 2), p=(0.6, 0.3, 0.1)))):
        edges.append(float(rng.uniform(region.x0, region.x1)))
        levels.append(float(rng.uniform(0.55, 0.95)))
    edges, levels = [list(pair) for pair in zip(*sorted(zip(edges, levels, strict=True)), strict=True)]
    foot = region.x1 - rng.uniform(0.1, 0.35) * region.width if rng.random() < 0.25 else region.x1
    lowest = rng.uniform(0.3, 0.8)

    def share(x: float) -> float:
        level = levels[max(0, int(np.searchsorted(edges, x + 1.0)) - 1)]
        drop = max(0.0, (x - foot) / max(region.x1 - foot, 1.0))
        return float(level * (1.0 - drop * (1.0 - lowest)))

    return share


def _even(_x_mm: float) -> float:
    """Give the height of a load that is as high everywhere, as a share of its full height."""
    return 1.0


def _pole(make: ItemMaker, size: tuple[int, int, int], wobble: int, rng: Generator) -> Patch:
    """Give a column of ``size`` = (item height, width, items) px, its items up to ``wobble`` px out of line."""
    height, width, count = size
    kinds = [make(height, width, rng) for _ in range(3)]
    taller = max(kind.shape[0] for kind in kinds) - height
    wider = max(kind.shape[1] for kind in kinds) - width
    pole = np.zeros((count * height + taller, width + 2 * wobble + wider), dtype=np.float32)
    lean = rng.normal(0.0, 0.4) * wobble / count
    for row in range(count):
        kind = kinds[int(rng.integers(0, 3))]
        x = int(np.clip(wobble + lean * (count - row) + rng.uniform(-0.6, 0.6) * wobble, 0, 2 * wobble))
        pole[row * height : row * height + kind.shape[0], x : x + kind.shape[1]] += kind
    return pole


def _faded(column: Patch, fade_px: int) -> Patch:
    """Thin the top of a column: rays that rise across its upper face cross a part of its depth only, least where it is thickest."""
    count = min(fade_px, column.shape[0])
    if count < 2:
        return column
    chord = column.max(axis=0)
    chord /= max(float(chord.max()), 1e-6)
    rise = np.arange(count, dtype=np.float32)[:, None]
    start = 0.5 * count * (1.0 - chord)
    out = column.copy()
    out[:count] *= np.clip((rise - start) / np.maximum(count * chord, 1.0), 0.08, 1.0)
    return out


def _on_pallets(load: Load, make: ItemMaker, style: Stack) -> None:
    """Stow items on pallets: a wooden deck, a block of items, a gap to the next pallet; now and then a place stays free."""
    rng, region = load.rng, load.region
    length = float(rng.choice((800.0, 1000.0, 1200.0)))
    deck = 144.0
    lowered = region.y1 - region.height * rng.uniform(0.85, 1.0)
    is_double = region.height > 1500.0 and rng.random() < 0.4
    gaps = rng.uniform(0.0, 0.15) if rng.random() < 0.3 else 0.0
    level = replace(style, is_level=True, ragged=style.ragged / 3)
    x = region.x0 + rng.uniform(10, 60)
    while x + length * 0.6 <= region.x1:
        end = min(x + length, region.x1)
        if rng.random() >= gaps and load.canvas.sees(x, end):
            top = lowered if rng.random() < 0.85 else region.y1 - region.height * rng.uniform(0.5, 1.0)
            floors = [region.y1, (region.y1 + top) / 2] if is_double else [region.y1]
            for place, floor in enumerate(floors):
                ceiling = floors[place + 1] if place + 1 < len(floors) else top
                _draw_deck(load.canvas, Region(x, floor - deck, end, floor), load.owner)
                columns(replace(load, region=Region(x, ceiling, end, floor - deck)), make, level)
        x = end + rng.uniform(20, 110)


def _draw_deck(canvas: Canvas, deck: Region, owner: int) -> None:
    canvas.fill(Region(deck.x0, deck.y0, deck.x1, deck.y0 + 22.0), _WOOD, 60.0, owner)
    canvas.fill(Region(deck.x0, deck.y1 - 22.0, deck.x1, deck.y1), _WOOD, 25.0, owner)
    for share in (0.0, 0.45, 0.9):
        x = deck.x0 + share * deck.width
        canvas.fill(Region(x, deck.y0 + 22.0, x + 0.1 * deck.width, deck.y1 - 22.0), _WOOD, 45.0, owner)


def _bulk(load: Load) -> None:
    """Pour goods loosely: a smooth, sloping surface, denser below."""
    _poured(load, 1.0 - np.interp(np.linspace(0, 4, 200), np.arange(5), [*load.rng.uniform(0.0, 0.45, 4), load.rng.uniform(0.1, 0.8)]))


def _heap(load: Load) -> None:
    """Pour goods through the doors or the roof: one or more heaps whose sides lie at the angle of repose."""
    rng, region = load.rng, load.region
    x = np.linspace(region.x0, region.x1, 200)
    slope = rng.uniform(0.35, 0.75)
    surface = np.full(200, rng.uniform(-0.2, 0.5) * region.height)
    for peak in rng.uniform(region.x0, region.x1, int(rng.integers(1, 5))):
        surface = np.maximum(surface, region.height * rng.uniform(0.75, 1.0) - slope * np.abs(x - peak))
    _poured(load, np.maximum(surface, 0.0) / region.height)


def _poured(load: Load, level: NDArray[np.float64]) -> None:
    """Draw goods whose surface lies at ``level`` (200,) of the region's height; across the container it falls off to the side walls."""
    canvas, region, rng = load.canvas, load.region, load.rng
    height, width = canvas.px(region.height), canvas.px(region.width)
    along = np.interp(np.linspace(0, 199, width), np.arange(200), level).astype(np.float32)
    filled = shape.blurred(along[None, :], max(1, width // 40))[0] * height
    rows = (height - 1 - np.arange(height, dtype=np.float32))[:, None]
    soft = np.maximum(filled * np.float32(load.slant + rng.uniform(0.02, 0.25)), 2.0)
    patch = np.clip((filled[None, :] - rows) / soft[None, :], 0.0, 1.0) * (1.08 - 0.16 * rows / height)
    canvas.add(patch.astype(np.float32), (region.x0, region.y0), load.family.mix, load.areal, load.owner)


_MIXTURES: tuple[tuple[Mix, tuple[float, float], ItemMaker], ...] = (
    ((("cellulose", 0.6), ("polyethylene", 0.4)), (4, 20), item.carton),
    ((("polyethylene", 0.9), ("iron", 0.1)), (4, 18), item.device),
    ((("polyethylene", 1.0),), (3, 14), item.carton),
    ((("cellulose", 0.7), ("polyethylene", 0.3)), (6, 24), item.soft),
    ((("polyethylene", 0.4), ("iron", 0.5), ("copper", 0.1)), (6, 24), item.device),
    ((("silica", 0.6), ("cellulose", 0.4)), (10, 36), item.slab),
)


def _mixed(load: Load) -> None:
    """Stow a consolidated load: stretches of cartons of many sizes, weights and contents, upon and beside one another."""
    rng, region = load.rng, load.region
    x = region.x0
    while x < region.x1 - 250.0:
        end = min(x + float(rng.uniform(350, 1600)), region.x1)
        floor, tiers = region.y1, int(rng.integers(1, 4))
        for _ in range(tiers):
            mix, areal, make = _MIXTURES[int(rng.integers(0, len(_MIXTURES)))]
            ceiling = floor - region.height / tiers * rng.uniform(0.8, 1.0)
            size = (float(rng.uniform(200, 700)), (floor - ceiling) / float(rng.integers(2, 6)) * 0.87)
            part = replace(load.family, mix=mix, item_mm=size, layers=(2, 4))
            columns(replace(load, region=Region(x, ceiling, end, floor), family=part, areal=float(rng.uniform(*areal))), make, _LOOSE)
            floor = ceiling + 0.08 * (floor - ceiling)
        x = end + rng.uniform(0, 60)


_LOOSE = Stack((0.0, 30.0), 0.1, wobble_mm=12.0, is_level=True)


def _in_columns(make: ItemMaker, style: Stack) -> Callable[[Load], None]:
    return lambda load: columns(load, make, style)


def _palletised(make: ItemMaker, style: Stack) -> Callable[[Load], None]:
    return lambda load: _on_pallets(load, make, style)


def _either(make: ItemMaker, style: Stack) -> Callable[[Load], None]:
    """Stow by hand from wall to wall, or on pallets."""
    return lambda load: (columns if load.rng.random() < 0.6 else _on_pallets)(load, make, style)


PACKINGS: Mapping[str, Callable[[Load], None]] = {
    "none": lambda load: None,  # noqa: ARG005 - an empty container has nothing to stow
    "cartons": _either(item.carton, Stack((0.0, 28.0), 0.2, wide_gap_mm=60.0)),
    "frozen": _in_columns(item.frozen, Stack((0.0, 22.0), 0.45, wobble_mm=20.0, wide_gap_mm=70.0)),
    "fruit": _palletised(item.fruit, Stack((0.0, 8.0), 0.0)),
    "crates": _in_columns(item.fruit, Stack((0.0, 8.0), 0.08, wobble_mm=4.0, wide_gap_mm=45.0)),
    "sacks": _either(item.sack, Stack((0.0, 40.0), 0.4, wobble_mm=25.0)),
    "big-bags": _in_columns(item.big_bag, Stack((0.0, 60.0), 0.05, wobble_mm=20.0)),
    "slumped": lambda load: columns(loose.resized(load, (950.0, 1100.0), (2, 2)), item.slumped_bag, Stack((0.0, 60.0), 0.3, 30.0)),
    "tall-bags": lambda load: columns(
        loose.resized(load, (1050.0, 0.85 * load.region.height), (1, 2)), item.big_bag, Stack((0.0, 50.0), 0.0, wobble_mm=20.0)
    ),
    "bulk": _bulk,
    "heap": _heap,
    "tyres": _in_columns(item.tyre, Stack((0.0, 30.0), 0.3, wobble_mm=15.0)),
    "laced": _in_columns(item.laced_tyre, Stack((-60.0, 20.0), 0.4, wobble_mm=40.0)),
    "bales": _in_columns(item.bale, Stack((0.0, 45.0), 0.08, wobble_mm=12.0)),
    "bottles": _palletised(item.bottle, Stack((0.0, 3.0), 0.0)),
    "rolls": _in_columns(item.roll, Stack((0.0, 60.0), 0.06)),
    "slabs": _palletised(item.slab, Stack((0.0, 40.0), 0.3)),
    "planks": _in_columns(item.plank, Stack((40.0, 300.0), 0.3, wobble_mm=20.0)),
    "devices": _either(item.device, Stack((0.0, 20.0), 0.2)),
    "soft": _in_columns(item.soft, Stack((0.0, 25.0), 0.25, wobble_mm=15.0)),
    "hanging": lambda load: columns(loose.resized(load, (1400.0, 1100.0), (2, 3)), item.hanging, Stack((0.0, 60.0), 0.0)),
    "drums": _palletised(item.drum, Stack((0.0, 12.0), 0.0)),
    "vials": _either(item.vials, Stack((0.0, 15.0), 0.15)),
    "cans": _either(item.cans, Stack((0.0, 15.0), 0.15)),
    "cases": _either(item.cases, Stack((0.0, 8.0), 0.1)),
    "shells": _in_columns(item.shells, Stack((0.0, 15.0), 0.2)),
    "pairs": _in_columns(item.pairs, Stack((0.0, 20.0), 0.2)),
    "mixed": _mixed,
    "machinery": loose.machines,
    "coils": loose.coils,
    "scrap": loose.scrap,
    "vehicles": loose.vehicles,
    "frames": loose.frames,
    "pipes": loose.pipes,
}
"""How each way of packing is drawn."""
