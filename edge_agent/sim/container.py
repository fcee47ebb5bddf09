"""An ISO container on the ground or on a chassis: the steel around the load."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from edge_agent.sim import floor, shape
from edge_agent.sim.canvas import Canvas, Mix, Region
from edge_agent.sim.chance import log_uniform
from edge_agent.sim.goods import STRUCTURE

_STEEL: Mix = (("iron", 1.0),)
_PLYWOOD: Mix = (("cellulose", 1.0),)
_FOAM: Mix = (("polyethylene", 1.0),)
_ALUMINIUM: Mix = (("aluminium", 1.0),)

LENGTHS_MM = {20: 6058.0, 40: 12192.0, 45: 13716.0}
"""Outer lengths by size in feet (ISO 668)."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container and where it stands. ``body``: its outer rectangle; ``inside``: where goods can be, down to the floor.

    ``slant``: how much lower its far side looks than its near one, as a share of the height above the floor: the rays rise from a low
    source, so the roof is seen from below and the edge of its far side shows as a line under the near one. 0 = rays are level.
    ``floor_rise``: how much higher the floor's far side looks than its near one, as a share of the body's height, where the rays fall
    from a source above the floor: the boards are seen lengthwise, as a dark band. 0 = they are not.
    """

    body: Region
    inside: Region
    is_reefer: bool
    slant: float = 0.0
    floor_rise: float = 0.0


def place(x0_mm: float, y0_mm: float, feet: int, *, is_high: bool, is_reefer: bool, slant: float = 0.0) -> Container:
    """Give a container whose top left corner is at (x0, y0)."""
    body = Region(x0_mm, y0_mm, x0_mm + LENGTHS_MM[feet], y0_mm + (2896.0 if is_high else 2591.0))
    front = 420.0 if is_reefer else 90.0
    inside = Region(body.x0 + front, body.y0 + (140.0 if is_reefer else 80.0), body.x1 - 110.0, body.y1 - 190.0)
    return Container(body, inside, is_reefer, slant)


def draw(canvas: Canvas, container: Container, rng: Generator) -> None:
    """Draw walls, frame, roof, floor and doors."""
    _walls(canvas, container, rng)
    if container.slant > 0.0:
        _slanting_view(canvas, container, rng)
    _frame(canvas, container.body, rng)
    _floor(canvas, container, rng)
    if container.floor_rise > 0.0:
        low = container.inside.y1
        band = Region(container.body.x0, low - container.body.height * container.floor_rise, container.body.x1, low)
        floor.draw(canvas, band, _ALUMINIUM if container.is_reefer else _PLYWOOD, rng)
        _oblique(canvas, container, rng)
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
    canvas.add(np.broadcast_to(profile, (height, width)), (body.x0, body.y0), _STEEL, float(rng.uniform(2.0, 3.8)), STRUCTURE)
    if rng.random() < 0.5:  # posts between the panels of both walls; they do not stand behind one another
        for _ in range(2):
            post_mm, areal = float(rng.uniform(20, 70)), float(rng.uniform(0.6, 3.5))
            for x in np.arange(body.x0 + rng.uniform(300, 1200), body.x1, rng.uniform(900, 1500)):
                canvas.fill(Region(x, body.y0 + 120, x + post_mm, body.y1 - 200), _STEEL, areal, STRUCTURE)


def _slanting_view(canvas: Canvas, container: Container, rng: Generator) -> None:
    """Draw what a low source sees of the roof, and of the floor where the source stands below it."""
    body, inside = container.body, container.inside
    far_edge = body.y0 + (inside.y1 - body.y0) * container.slant
    mix = _ALUMINIUM if container.is_reefer else _STEEL
    canvas.fill(Region(body.x0, body.y0, body.x1, far_edge), mix, float(rng.uniform(0.6, 2.2)), STRUCTURE)
    rail = float(rng.uniform(18, 40))
    canvas.fill(Region(body.x0, far_edge - rail, body.x1, far_edge), mix, float(rng.uniform(0.8, 4.0)), STRUCTURE)
    canvas.fill(Region(body.x0, far_edge, body.x1, far_edge + 12), mix, float(rng.uniform(1.0, 4.0)), STRUCTURE)
    bows = rng.uniform(0.2, 1.0) if rng.random() < 0.5 else 0.0
    if bows > 0.0:
        for x in np.arange(body.x0 + 300, body.x1, rng.choice((210.0, 560.0, 1120.0))):
            canvas.fill(Region(x, body.y0, x + 30, far_edge), mix, float(bows), STRUCTURE)
    _lashing(canvas, container, far_edge, rng)
    floor_edge = inside.y1 - body.height * rng.uniform(0.0, 0.09)
    canvas.fill(Region(body.x0, floor_edge, body.x1, inside.y1), _PLYWOOD, float(rng.uniform(2.0, 12.0)), STRUCTURE)
    if rng.random() < 0.6:  # the cross-members below the floor, spread by the same slant
        spacing, strength = rng.uniform(280, 420), float(rng.uniform(1.0, 9.0))
        for x in np.arange(body.x0 + spacing, body.x1 - 60, spacing):
            canvas.fill(Region(x, floor_edge, x + 14, inside.y1), _STEEL, strength, STRUCTURE)


def _oblique(canvas: Canvas, container: Container, rng: Generator) -> None:
    """Draw what else is broader where the rays fall at an angle: doors and front wall seen along their depth, the roof's far rail."""
    body, inside = container.body, container.inside
    if rng.random() < 0.4:
        for _ in range(2):
            _posts(canvas, body, rng)
    for is_left in (True, False):
        depth = float(rng.uniform(60, 520)) if rng.random() < 0.7 else 0.0
        left = body.x0 if is_left else body.x1 - depth
        steps = int(rng.integers(2, 7))
        for edge in rng.uniform(0.0, depth, steps):
            strip = Region(left, body.y0 + rng.uniform(0, 200), left + edge, inside.y1) if is_left else None
            strip = strip or Region(body.x1 - edge, body.y0 + rng.uniform(0, 200), body.x1, inside.y1)
            canvas.fill(strip, _STEEL, float(rng.uniform(0.5, 14.0)), STRUCTURE)
        for y in rng.uniform(body.y0, inside.y1, int(rng.integers(0, 8))):  # bars, hinges, stiffeners
            height = float(rng.uniform(30, 220))
            canvas.fill(Region(left, y, left + depth, min(inside.y1, y + height)), _STEEL, float(rng.uniform(2.0, 30.0)), STRUCTURE)
    if container.slant > 0.0 and rng.random() < 0.7:
        far = body.y0 + (inside.y1 - body.y0) * container.slant
        wide = float(rng.uniform(30, 170))
        canvas.fill(Region(body.x0, far - wide * rng.random(), body.x1, far + wide), _STEEL, float(rng.uniform(0.3, 4.0)), STRUCTURE)


def _posts(canvas: Canvas, body: Region, rng: Generator) -> None:
    """Draw the posts of one wall, dark and sharp: plain, or as rows of dashes where they are perforated or spot-welded."""
    width, areal, lean = log_uniform(rng, 8.0, 60.0), log_uniform(rng, 0.8, 9.0), rng.uniform(-40.0, 40.0)
    top, bottom = body.y0 + rng.uniform(80, 300), body.y1 - rng.uniform(200, 500)
    dash = float(rng.uniform(50, 220))
    kept = rng.uniform(0.4, 0.9) if rng.random() < 0.5 else 1.0
    spacing = rng.uniform(450, 1300)
    for number, x in enumerate(np.arange(body.x0 + spacing * rng.random(), body.x1 - width, spacing)):
        wide = width * (2.0 if number % 2 and rng.random() < 0.5 else 1.0)
        left = float(x) + rng.normal(0.0, 25.0)
        for y in np.arange(top, bottom, dash):
            shifted = left + lean * (y - top) / (bottom - top)
            canvas.fill(Region(shifted, y, shifted + wide, min(bottom, y + dash * kept)), _STEEL, areal, STRUCTURE)


def _lashing(canvas: Canvas, container: Container, far_edge: float, rng: Generator) -> None:
    """Draw what hangs on walls: lashing rings along the roof's edges, vents, stickers."""
    body = container.body
    ring = shape.ring(canvas.px(70), canvas.px(45), 0.6)
    if rng.random() < 0.5:
        for x in np.arange(body.x0 + rng.uniform(300, 900), body.x1 - 200, rng.uniform(900, 2200)):
            canvas.add(ring, (x, far_edge + 10), _STEEL, 6.0, STRUCTURE)
    for _ in range(int(rng.integers(0, 6))):
        w, h = rng.uniform(120, 500), rng.uniform(100, 450)
        x, y = rng.uniform(body.x0 + 200, body.x1 - 700), rng.uniform(body.y0 + 150, body.y1 - 900)
        canvas.fill(Region(x, y, x + w, y + h), _FOAM, float(rng.uniform(0.1, 0.8)), STRUCTURE)


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


def leave_behind(canvas: Canvas, container: Container, rng: Generator) -> None:
    """Draw what stays in an empty container: now and then a pallet, a strip of timber, a heap of packing material."""
    inside = container.inside
    for _ in range(int(rng.choice((0, 1, 3), p=(0.6, 0.25, 0.15)))):
        width, height = rng.uniform(100, 1300), rng.uniform(20, 180)
        x = rng.uniform(inside.x0, inside.x1 - width)
        heap = shape.pillow(canvas.px(height), canvas.px(width), float(rng.uniform(1.5, 9.0)))
        canvas.add(heap, (x, inside.y1 - height), _PLYWOOD, float(rng.uniform(1.0, 12.0)), STRUCTURE)
