"""What a container stands on: a semi-trailer, its axles and landing gear, and the tractor in front of it."""

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape, vehicle
from edge_agent.sim.canvas import Canvas, Mix, Region
from edge_agent.sim.container import Container
from edge_agent.sim.goods import STRUCTURE

_STEEL: Mix = (("iron", 1.0),)
_FUEL: Mix = (("polyethylene", 0.6), ("water", 0.4))


def draw(canvas: Canvas, container: Container, rng: Generator, *, has_cab: bool) -> None:
    """Draw a semi-trailer below the container, and the tractor in front of it if asked."""
    body = container.body
    depth = float(rng.uniform(220, 520))
    _beam(canvas, body, depth, rng)
    for x in np.linspace(body.x0 + 700, body.x1 - 300, int(rng.integers(4, 9))):
        for step in (0.0, 150.0) if rng.random() < 0.4 else (0.0,):  # twist-lock bolsters, single or in pairs
            canvas.fill(
                Region(x + step, body.y1 - 160, x + step + 90, body.y1 + depth * 0.7), _STEEL, float(rng.uniform(20, 60)), STRUCTURE
            )
    size = float(rng.uniform(980, 1080))
    level = body.y1 + float(rng.uniform(380, 620))
    axle = body.x1 - rng.uniform(1300, 4200)
    for step in range(int(rng.integers(2, 4))):
        _axle(canvas, axle - 1310 * step, level, size, rng)
    for x in (body.x0 + 700, body.x0 + 2000) if body.width > 9000 else ():
        _axle(canvas, x, level + 60, size, rng)
    canvas.fill(Region(body.x0 - 500, level - 220, body.x0 + 2600, level - 80), _STEEL, float(rng.uniform(25, 80)), STRUCTURE)
    _hung_below(canvas, body, depth, rng)
    if has_cab:
        right = body.x0 - rng.uniform(350, 800)
        front = right - rng.uniform(1900, 2300)
        vehicle.draw_body(canvas, Region(front, body.y0 + rng.uniform(0, 500), right, level + size / 2), "cab", STRUCTURE, rng)


def _beam(canvas: Canvas, body: Region, depth: float, rng: Generator) -> None:
    """Draw the main beams: two thin webs between dark flanges, shallow over the tractor and deep behind it."""
    neck = float(rng.uniform(0.3, 0.6)) * depth
    left, bend, kink = body.x0 - 100, body.x0 + float(rng.uniform(2300, 3400)), float(rng.uniform(300, 1800))
    h, w = canvas.px(depth), canvas.px(body.x1 - left)
    along = left + (np.arange(w) + 0.5) * canvas.pitch_mm
    lower = np.interp(along, [bend, bend + kink, body.x1 - 900, body.x1], [neck, depth, depth, depth * rng.uniform(0.6, 1.0)])
    y = (np.arange(h)[:, None] + 0.5) * canvas.pitch_mm
    flange = float(rng.uniform(14, 24))
    web = (y < lower).astype(np.float32)
    edge = (np.abs(y - lower + flange / 2) < max(flange / 2, canvas.pitch_mm * 0.75)).astype(np.float32)
    canvas.add(web, (left, body.y1 + 5), _STEEL, float(rng.uniform(4.0, 9.0)), STRUCTURE)
    canvas.add(edge, (left, body.y1 + 5), _STEEL, float(rng.uniform(25, 70)), STRUCTURE)
    canvas.fill(Region(left, body.y1 + 5, body.x1, body.y1 + 5 + flange), _STEEL, float(rng.uniform(25, 60)), STRUCTURE)


def _axle(canvas: Canvas, x: float, y: float, size: float, rng: Generator) -> None:
    """Draw wheels with their springs, and sometimes a mudguard over them."""
    vehicle.draw_wheel(canvas, (x, y), size, STRUCTURE, rng)
    if not canvas.sees(x - size, x + size):
        return
    if rng.random() < 0.6:
        n = canvas.px(size * 1.22)
        arch = shape.ring(n, n, 0.95)[: n // 2]
        canvas.add(arch, (x - size * 0.61, y - size * 0.61), _STEEL, float(rng.uniform(2, 9)), STRUCTURE)
    canvas.fill(Region(x - 330, y - 130, x + 330, y - 60), _STEEL, float(rng.uniform(10, 45)), STRUCTURE)
    canvas.fill(Region(x - 60, y - 520, x + 40, y - 60), _STEEL, float(rng.uniform(8, 30)), STRUCTURE)


def _hung_below(canvas: Canvas, body: Region, depth: float, rng: Generator) -> None:
    """Draw landing legs, an air or fuel tank, the spare wheel."""
    top = body.y1 + depth
    leg = body.x0 + float(rng.uniform(2500, 3400))
    canvas.fill(Region(leg, body.y1 + 60, leg + 130, top + 700), _STEEL, float(rng.uniform(14, 40)), STRUCTURE)
    middle = (body.x0 + body.x1) / 2
    if rng.random() < 0.7:
        tank = (canvas.px(rng.uniform(330, 600)), canvas.px(rng.uniform(380, 900)))
        at = (middle + rng.uniform(-1500, 1500), top - rng.uniform(0, 150))
        canvas.add(shape.pillow(*tank, 9.0), at, _FUEL, float(rng.uniform(2, 40)), STRUCTURE)
        canvas.add(shape.frame(*tank, max(1, canvas.px(14))), at, _STEEL, float(rng.uniform(3, 10)), STRUCTURE)
    if rng.random() < 0.5:  # the spare wheel lies flat in its cage: tread at both ends
        h, w = canvas.px(280), canvas.px(1040)
        at = (middle + rng.uniform(-2200, 1600), top + rng.uniform(0, 120))
        canvas.add(shape.shell(h, w, 0.42), at, (("polyethylene", 0.8), ("iron", 0.2)), 60.0, STRUCTURE)
        canvas.add(shape.frame(h, w, max(1, canvas.px(25))), at, _STEEL, 8.0, STRUCTURE)
