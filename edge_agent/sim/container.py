"""An ISO container on the ground or on a chassis: the steel around the load."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Canvas, Mix, Region
from edge_agent.sim.goods import STRUCTURE

_STEEL: Mix = (("iron", 1.0),)
_PLYWOOD: Mix = (("cellulose", 1.0),)
_FOAM: Mix = (("polyethylene", 1.0),)
_ALUMINIUM: Mix = (("aluminium", 1.0),)
_TYRE: Mix = (("polyethylene", 0.8), ("iron", 0.2))

LENGTHS_MM = {20: 6058.0, 40: 12192.0, 45: 13716.0}
"""Outer lengths by size in feet (ISO 668)."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container and where it stands. ``body``: its outer rectangle; ``inside``: where goods can be, down to the floor."""

    body: Region
    inside: Region
    is_reefer: bool


def place(x0_mm: float, y0_mm: float, feet: int, *, is_high: bool, is_reefer: bool) -> Container:
    """Give a container whose top left corner is at (x0, y0)."""
    body = Region(x0_mm, y0_mm, x0_mm + LENGTHS_MM[feet], y0_mm + (2896.0 if is_high else 2591.0))
    front = 420.0 if is_reefer else 90.0
    inside = Region(body.x0 + front, body.y0 + (140.0 if is_reefer else 80.0), body.x1 - 110.0, body.y1 - 190.0)
    return Container(body, inside, is_reefer)


def draw(canvas: Canvas, container: Container, rng: Generator) -> None:
    """Draw walls, frame, roof, floor and doors."""
    _walls(canvas, container, rng)
    if rng.random() < 0.7:
        _slanting_view(canvas, container, rng)
    _frame(canvas, container.body, rng)
    _floor(canvas, container, rng)
    _ends(canvas, container, rng)


def _walls(canvas: Canvas, container: Container, rng: Generator) -> None:
    body = container.body
    if container.is_reefer:
        canvas.fill(body, _ALUMINIUM, float(rng.uniform(0.6, 1.1)), STRUCTURE)
        canvas.fill(body, _FOAM, float(rng.uniform(0.7, 1.2)), STRUCTURE)
        return
    height, width = canvas.px(body.height), canvas.px(body.width)
    pitch = canvas.px(rng.choice((210.0, 278.0)))
    phase = (np.arange(width) % pitch) / pitch
    slope = ((phase > 0.25) & (phase < 0.36)) | ((phase > 0.75) & (phase < 0.86))
    profile = np.where(slope, rng.uniform(1.1, 1.4), 1.0).astype(np.float32)
    canvas.add(np.broadcast_to(profile, (height, width)), (body.x0, body.y0), _STEEL, float(rng.uniform(2.4, 4.8)), STRUCTURE)
    if rng.random() < 0.4:  # lashing posts, and a rail along the wall
        for x in np.arange(body.x0 + 400, body.x1, rng.uniform(900, 1500)):
            canvas.fill(Region(x, body.y0 + 120, x + 25, body.y1 - 200), _STEEL, float(rng.uniform(1.0, 4.0)), STRUCTURE)


def _slanting_view(canvas: Canvas, container: Container, rng: Generator) -> None:
    """Draw what a low source sees: rays to the upper part cross the roof, and its far edge shows as a line below the near one.

    The beam itself is parallel here, so the roof and the floor are drawn where a fan of rays would show them.
    """
    body, inside = container.body, container.inside
    far_edge = body.y0 + body.height * rng.uniform(0.12, 0.5)
    mix = _ALUMINIUM if container.is_reefer else _STEEL
    canvas.fill(Region(body.x0, body.y0, body.x1, far_edge), mix, float(rng.uniform(0.6, 3.6)), STRUCTURE)
    canvas.fill(Region(body.x0, far_edge - 25, body.x1, far_edge + 25), mix, float(rng.uniform(0.8, 4.0)), STRUCTURE)
    bows = rng.uniform(0.2, 1.2) if rng.random() < 0.6 else 0.0
    if bows > 0.0:
        for x in np.arange(body.x0 + 300, body.x1, rng.choice((210.0, 560.0, 1120.0))):
            canvas.fill(Region(x, body.y0, x + 30, far_edge), mix, float(bows), STRUCTURE)
    floor_edge = inside.y1 - body.height * rng.uniform(0.0, 0.08)
    canvas.fill(Region(body.x0, floor_edge, body.x1, inside.y1), _PLYWOOD, float(rng.uniform(2.0, 14.0)), STRUCTURE)


def _frame(canvas: Canvas, body: Region, rng: Generator) -> None:
    canvas.fill(Region(body.x0, body.y0, body.x1, body.y0 + 60), _STEEL, float(rng.uniform(3.0, 6.0)), STRUCTURE)
    canvas.fill(Region(body.x0, body.y0, body.x1, body.y0 + 14), _STEEL, float(rng.uniform(8.0, 22.0)), STRUCTURE)
    canvas.fill(Region(body.x0, body.y1 - 150, body.x1, body.y1), _STEEL, float(rng.uniform(4.0, 7.0)), STRUCTURE)
    for x in (body.x0, body.x1 - 130):
        canvas.fill(Region(x, body.y0, x + 130, body.y1), _STEEL, float(rng.uniform(9.0, 18.0)), STRUCTURE)
        for y in (body.y0, body.y1 - 118):
            casting = shape.block(canvas.px(118), canvas.px(178))
            hole = shape.disc(canvas.px(60), canvas.px(80))
            top, left = (casting.shape[0] - hole.shape[0]) // 2, (casting.shape[1] - hole.shape[1]) // 2
            casting[top : top + hole.shape[0], left : left + hole.shape[1]] -= 0.75 * hole
            canvas.add(casting, (x if x == body.x0 else body.x1 - 178, y), _STEEL, 38.0, STRUCTURE)


def _floor(canvas: Canvas, container: Container, rng: Generator) -> None:
    body = container.body
    top = container.inside.y1
    canvas.fill(
        Region(body.x0, top, body.x1, top + 28), _PLYWOOD if not container.is_reefer else _ALUMINIUM, float(rng.uniform(25, 110)), STRUCTURE
    )
    if container.is_reefer:
        return
    spacing = rng.uniform(280, 420)
    strength = float(rng.uniform(15, 90))
    for x in np.arange(body.x0 + spacing, body.x1 - 60, spacing):
        canvas.fill(Region(x, top + 28, x + 10, body.y1 - 8), _STEEL, strength, STRUCTURE)
        canvas.fill(Region(x, top + 28, x + 45, top + 38), _STEEL, strength / 3, STRUCTURE)
    if rng.random() < 0.6:  # fork-lift pockets
        middle = (body.x0 + body.x1) / 2
        for x in (middle - 1200, middle + 840):
            canvas.fill(Region(x, top + 28, x + 360, body.y1 - 20), _STEEL, 6.0, STRUCTURE)


def _ends(canvas: Canvas, container: Container, rng: Generator) -> None:
    body, inside = container.body, container.inside
    canvas.fill(Region(body.x0 + 40, body.y0, body.x0 + 80, inside.y1), _STEEL, float(rng.uniform(8, 30)), STRUCTURE)
    canvas.fill(Region(inside.x1, body.y0, body.x1 - 40, inside.y1), _STEEL, float(rng.uniform(5, 18)), STRUCTURE)
    for y in np.linspace(body.y0 + 350, body.y1 - 450, 4):  # hinges and locking bars of the doors
        canvas.fill(Region(inside.x1 + 10, y, body.x1, y + rng.uniform(60, 140)), _STEEL, float(rng.uniform(15, 50)), STRUCTURE)
    if container.is_reefer:
        unit = Region(body.x0 + 80, body.y0 + 150, inside.x0 - 20, inside.y1 - 100)
        canvas.fill(unit, _STEEL, 5.0, STRUCTURE)
        for _ in range(14):
            n = canvas.px(rng.uniform(60, 320))
            at = (unit.x0 + rng.uniform(-0.1, 0.6) * unit.width, unit.y0 + rng.uniform(0, 0.85) * unit.height)
            part = shape.disc(n, n) if rng.random() < 0.5 else shape.ring(n, n, 0.8)
            canvas.add(part, at, (("iron", 0.6), ("copper", 0.4)), float(rng.uniform(4, 40)), STRUCTURE)


def draw_chassis(canvas: Canvas, container: Container, rng: Generator, *, has_cab: bool) -> None:
    """Draw a semi-trailer below the container, and the tractor in front of it if asked."""
    body = container.body
    top = body.y1
    rail = float(rng.uniform(140, 320))
    canvas.fill(Region(body.x0 - 100, top + 10, body.x1, top + rail), _STEEL, float(rng.uniform(2.5, 6.0)), STRUCTURE)
    for y in (top + 10, top + rail - 20):
        canvas.fill(Region(body.x0 - 100, y, body.x1, y + 20), _STEEL, float(rng.uniform(25, 60)), STRUCTURE)
    for x in np.linspace(body.x0 + 900, body.x1 - 300, int(rng.integers(4, 8))):
        canvas.fill(Region(x, top - 60, x + 90, top + rail), _STEEL, float(rng.uniform(20, 50)), STRUCTURE)
    axle = body.x1 - rng.uniform(1500, 3200)
    for step in range(int(rng.integers(2, 4))):
        _wheel(canvas, axle - 1310 * step, top + rail + 280, rng)
    for x in (body.x0 + 700, body.x0 + 2000) if body.width > 9000 else ():
        _wheel(canvas, x, top + rail + 300, rng)
    tank = canvas.px(520)
    canvas.add(shape.ring(tank, tank, 0.8), ((body.x0 + body.x1) / 2, top + rail + 20), _STEEL, 8.0, STRUCTURE)
    canvas.fill(Region(body.x0 + 2700, top + rail, body.x0 + 2780, top + rail + 750), _STEEL, 18.0, STRUCTURE)
    if has_cab:
        _cab(canvas, body, top + rail, rng)


def _wheel(canvas: Canvas, x: float, y: float, rng: Generator) -> None:
    size = float(rng.uniform(980, 1080))
    if not canvas.sees(x - size, x + size):
        return
    n, rim = canvas.px(size), canvas.px(size * 0.55)
    canvas.add(shape.ring(n, n, 0.55), (x - size / 2, y - size / 2), _TYRE, float(rng.uniform(30, 55)), STRUCTURE)
    canvas.add(shape.disc(rim, rim), (x - size * 0.275, y - size * 0.275), _STEEL, float(rng.uniform(30, 80)), STRUCTURE)


def _cab(canvas: Canvas, body: Region, floor_y: float, rng: Generator) -> None:
    right = body.x0 - rng.uniform(350, 800)
    cab = Region(right - rng.uniform(1900, 2300), body.y0 + rng.uniform(100, 600), right, floor_y + 250)
    height, width = canvas.px(cab.height), canvas.px(cab.width)
    outline = ((0.12, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.02, 0.45))
    canvas.add(shape.polygon(height, width, outline), (cab.x0, cab.y0), _STEEL, float(rng.uniform(1.5, 3.0)), STRUCTURE)
    canvas.add(shape.frame(height, width, canvas.px(60)), (cab.x0, cab.y0), _STEEL, float(rng.uniform(6, 14)), STRUCTURE)
    for _ in range(10):
        h, w = canvas.px(rng.uniform(100, 700)), canvas.px(rng.uniform(100, 600))
        at = (cab.x0 + rng.uniform(0, 0.7) * cab.width, cab.y0 + rng.uniform(0.2, 0.75) * cab.height)
        canvas.add(shape.pillow(h, w, 5.0), at, _FOAM if rng.random() < 0.5 else _STEEL, float(rng.uniform(3, 18)), STRUCTURE)
    engine = Region(cab.x0 + 0.15 * cab.width, cab.y1 - 750, cab.x0 + 0.75 * cab.width, cab.y1)
    canvas.fill(engine, _STEEL, float(rng.uniform(60, 140)), STRUCTURE)
    _wheel(canvas, cab.x0 + 0.5 * cab.width, floor_y + 320, rng)
