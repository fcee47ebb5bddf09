"""Goods that stand one by one on the floor, or lie in a heap: machines, coils, vehicles, furniture, scrap, pipes."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from edge_agent.sim import item, shape, vehicle
from edge_agent.sim.canvas import Canvas, Mix, Region
from edge_agent.sim.goods import Family

_WOOD: Mix = (("cellulose", 0.97), ("iron", 0.03))
_STEEL: Mix = (("iron", 1.0),)


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """One load to stow: where, what, and how much of it (``areal`` g/cm2 over the whole depth). ``region`` ends on the floor.

    ``slant``: how much lower the far side looks than the near one, as a share of the height above the floor.
    """

    canvas: Canvas
    region: Region
    family: Family
    owner: int
    areal: float
    slant: float
    rng: Generator


def resized(load: Load, item_mm: tuple[float, float], layers: tuple[int, int]) -> Load:
    """Give the same load in items of another size."""
    return replace(load, family=replace(load.family, item_mm=item_mm, layers=layers))


def machines(load: Load) -> None:
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
    canvas.add(
        shape.frame(height, width, canvas.px(rng.uniform(30, 80))), (spot.x0, spot.y0), load.family.mix, load.areal * 0.35, load.owner
    )
    if rng.random() < 0.5:  # sheet-metal housing
        canvas.fill(spot, load.family.mix, float(rng.uniform(0.8, 3.0)), load.owner)
    for _ in range(int(rng.integers(5, 14))):
        h, w = (max(3, int(side * rng.uniform(0.06, 0.5))) for side in (height, width))
        kind = int(rng.integers(0, 5))
        part = (shape.block(h, w), shape.disc(h, h), shape.cylinder(w, h).T, shape.ring(h, h, 0.7), shape.frame(h, w, max(1, h // 9)))[kind]
        at = (spot.x0 + rng.uniform(0, 0.8) * spot.width, spot.y0 + rng.uniform(0, 0.8) * spot.height)
        room_h, room_w = (canvas.px(side) for side in (spot.y1 - at[1], spot.x1 - at[0]))
        canvas.add(part[:room_h, :room_w], at, load.family.mix, load.areal * rng.uniform(0.1, 1.0), load.owner)
    canvas.fill(Region(spot.x0, spot.y1 - 80.0, spot.x1, spot.y1), _STEEL, 25.0, load.owner)


def coils(load: Load) -> None:
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


def pipes(load: Load) -> None:
    """Lay bundles of pipes along the container: bright lines of the bores between dark lines of the walls."""
    canvas, region, rng = load.canvas, load.region, load.rng
    length = min(float(rng.uniform(2800, 6000)), region.width)
    bore = canvas.px(rng.uniform(40, 160))
    chord = np.sqrt(np.maximum(1.0 - ((np.arange(bore) + 0.5) / bore * 2 - 1) ** 2, 0.0)).astype(np.float32)
    profile = np.tile(1.2 - 0.8 * chord, max(1, canvas.px(region.height) // bore))
    x = region.x0 + rng.uniform(0, 200)
    while x + length * 0.5 <= region.x1:
        end = min(x + length, region.x1)
        bundle = np.broadcast_to(profile[:, None], (profile.size, canvas.px(end - x)))
        canvas.add(bundle, (x, region.y1 - profile.size * canvas.pitch_mm), load.family.mix, load.areal, load.owner)
        x = end + rng.uniform(60, 300)


def scrap(load: Load) -> None:
    """Tip scrap into a heap: pieces of all sizes, the more the deeper."""
    canvas, region, rng = load.canvas, load.region, load.rng
    height, width = canvas.px(region.height), canvas.px(region.width)
    knots = rng.uniform(0.0, 0.5, 7)
    surface = (np.interp(np.linspace(0, 6, width), np.arange(7), knots) * height)[None, :]
    rows = np.arange(height, dtype=np.float32)[:, None]
    base = np.clip((rows - surface) / max(2.0, 0.25 * height), 0.0, 1.0) * item.texture(height, width, 900, 0.45, rng)
    canvas.add(base.astype(np.float32), (region.x0, region.y0), load.family.mix, load.areal * 0.7, load.owner)
    for _ in range(int(region.width / 120)):
        x, angle = float(rng.uniform(region.x0, max(region.x0, region.x1 - 300))), float(rng.uniform(0, 180))
        size = (float(rng.uniform(20, 200)), float(rng.uniform(60, 300)))
        low = float(rng.uniform(0.45, 0.9))
        if canvas.sees(x, x + 400):
            part = shape.turned(shape.block(canvas.px(size[0]), canvas.px(size[1])), angle)[:, : canvas.px(region.x1 - x)]
            at = (x, min(region.y0 + low * region.height, region.y1 - part.shape[0] * canvas.pitch_mm))
            canvas.add(part, at, load.family.mix, load.areal * float(rng.uniform(0.1, 0.6)), load.owner)


def vehicles(load: Load) -> None:
    """Park cars or vans one behind the other."""
    canvas, region, rng = load.canvas, load.region, load.rng
    kind = "car" if rng.random() < 0.8 else "van"
    x = region.x0 + rng.uniform(50, 300)
    while x + 3000.0 < region.x1:
        length = float(rng.uniform(3300, 4700))
        spot = Region(x, region.y1 - min(region.height, 1550.0 if kind == "car" else 2100.0), min(x + length, region.x1), region.y1)
        if canvas.sees(spot.x0, spot.x1):
            vehicle.draw_body(canvas, spot, kind, load.owner, rng)
        x = spot.x1 + rng.uniform(80, 500)


def frames(load: Load) -> None:
    """Stack furniture: legs, panels and cushions with much air between them, in blankets and cartons."""
    canvas, region, rng = load.canvas, load.region, load.rng
    y = region.y1
    while y > region.y0 + 200.0:
        tier = min(float(rng.uniform(450, 1100)), y - region.y0)
        x = region.x0 + rng.uniform(0, 150)
        while x + 300.0 < region.x1:
            width = min(float(rng.uniform(400, 1900)), region.x1 - x)
            if canvas.sees(x, x + width):
                _furniture(load, Region(x, y - tier * rng.uniform(0.7, 1.0), x + width, y))
            x += width + rng.uniform(0, 120)
        y -= tier


def _furniture(load: Load, spot: Region) -> None:
    canvas, rng = load.canvas, load.rng
    h, w = canvas.px(spot.height), canvas.px(spot.width)
    board = canvas.px(rng.uniform(18, 45))
    body = shape.frame(h, w, board)
    for place in rng.uniform(0.1, 0.9, int(rng.integers(0, 4))):
        row = int(place * h)
        body[row : row + board] = 1.0
    canvas.add(body, (spot.x0, spot.y0), load.family.mix, load.areal, load.owner)
    filling = item.texture(h, w, 25, 0.3, rng) if rng.random() < 0.5 else shape.block(h, w)
    canvas.add(filling, (spot.x0, spot.y0), load.family.mix, load.areal * float(rng.uniform(0.15, 0.6)), load.owner)
