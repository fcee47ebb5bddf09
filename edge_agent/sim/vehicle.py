"""Road vehicles from the side: car, van, bus, and the cab of a truck. The front is at the left."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Canvas, Mix, Patch, Region

_STEEL: Mix = (("iron", 1.0),)
_CAST: Mix = (("iron", 0.6), ("aluminium", 0.4))
_FOAM: Mix = (("polyethylene", 1.0),)
_GLASS: Mix = (("silica", 1.0),)
_TYRE: Mix = (("polyethylene", 0.8), ("iron", 0.2))
_FUEL: Mix = (("polyethylene", 0.6), ("water", 0.4))

Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Body:
    """One kind of vehicle, as shares of its length and height. ``glass``: the window band; ``axles``: positions along the length.

    ``engine``: left, top, right, bottom; ``seats``: positions along the length; ``wheel``: diameter as a share of the height.
    ``sheet``: g/cm2 of everything flat that a ray crosses: panels of both sides, trim.
    """

    length_mm: tuple[float, float]
    height_mm: tuple[float, float]
    outline: Outline
    glass: tuple[float, float, float, float]
    axles: tuple[float, ...]
    engine: tuple[float, float, float, float]
    seats: tuple[float, ...]
    wheel: float
    sheet: tuple[float, float]


BODIES: Mapping[str, Body] = {
    "car": Body((3600, 4800), (1420, 1600),
                ((0.0, 0.55), (0.02, 0.48), (0.25, 0.42), (0.37, 0.04), (0.5, 0.0), (0.75, 0.03), (0.9, 0.38), (1.0, 0.45), (1.0, 0.8),
                 (0.0, 0.82)),
                (0.34, 0.08, 0.84, 0.4), (0.17, 0.82), (0.05, 0.45, 0.22, 0.85), (0.42, 0.68), 0.42, (1.6, 3.6)),
    "van": Body((4700, 6500), (1900, 2700),
                ((0.0, 0.62), (0.02, 0.5), (0.13, 0.44), (0.26, 0.03), (0.32, 0.0), (1.0, 0.0), (1.0, 0.88), (0.0, 0.88)),
                (0.16, 0.08, 0.36, 0.4), (0.14, 0.8), (0.03, 0.5, 0.18, 0.85), (0.28,), 0.28, (1.8, 4.0)),
    "bus": Body((9500, 12500), (2900, 3300),
                ((0.0, 0.3), (0.015, 0.0), (1.0, 0.0), (1.0, 0.9), (0.0, 0.9)),
                (0.0, 0.12, 1.0, 0.45), (0.2, 0.74), (0.86, 0.55, 0.98, 0.88), tuple(np.arange(0.06, 0.95, 0.075)), 0.3, (3.5, 7.0)),
    "cab": Body((2000, 2500), (2500, 3300),
                ((0.05, 0.55), (0.12, 0.1), (0.3, 0.0), (1.0, 0.0), (1.0, 0.9), (0.0, 0.9)),
                (0.06, 0.14, 0.6, 0.42), (0.55,), (0.25, 0.6, 0.85, 0.95), (0.35,), 0.32, (3.0, 7.0)),
}  # fmt: skip
"""Bodies by name; a cab is drawn as the front of a truck."""


def draw_body(canvas: Canvas, spot: Region, kind: str, owner: int, rng: Generator) -> None:
    """Draw a vehicle that fills ``spot`` and stands on its lower edge."""
    body = BODIES[kind]
    h, w = canvas.px(spot.height), canvas.px(spot.width)
    outline = shape.polygon(h, w, body.outline)
    inner = _eroded(outline, canvas.px(45))
    sheet = float(rng.uniform(*body.sheet))
    canvas.add(outline, (spot.x0, spot.y0), _STEEL, sheet, owner)
    canvas.add(outline - inner, (spot.x0, spot.y0), _STEEL, float(rng.uniform(3.0, 6.0)) * sheet, owner)
    _glass(canvas, spot, body, sheet, owner, rng)
    _inside(canvas, spot, body, owner, rng)
    _engine(canvas, spot, body, owner, rng)
    sill = Region(spot.x0 + 0.06 * spot.width, spot.y1 - 0.2 * spot.height, spot.x1 - 0.04 * spot.width, spot.y1 - 0.13 * spot.height)
    canvas.fill(sill, _STEEL, float(rng.uniform(6, 16)), owner)
    for place in body.axles:
        draw_wheel(canvas, (spot.x0 + place * spot.width, spot.y1 - body.wheel * spot.height / 2), body.wheel * spot.height, owner, rng)


def draw_wheel(canvas: Canvas, centre_mm: tuple[float, float], size: float, owner: int, rng: Generator) -> None:
    """Draw the wheels of one axle: tread seen along the beam, rims, drum or disc, and the hub."""
    x, y = centre_mm
    if not canvas.sees(x - size, x + size):
        return
    is_far_shown = rng.random() < 0.6  # in a rising beam the far wheel stands a little higher
    for lift in (0.0, 0.06 * size) if is_far_shown else (0.0,):
        for share, inner, mix, areal in (
            (1.0, 0.86, _TYRE, 22.0),
            (0.88, 0.6, _TYRE, 9.0),
            (0.62, 0.5, _STEEL, 18.0),
            (0.4, 0.0, _STEEL, 24.0),
        ):
            n = canvas.px(size * share)
            ring = shape.ring(n, n, inner)
            canvas.add(ring, (x - size * share / 2, y - size * share / 2 - lift), mix, areal * float(rng.uniform(0.7, 1.3)), owner)


def draw_box_body(canvas: Canvas, spot: Region, owner: int, rng: Generator) -> Region:
    """Draw a truck's box behind its cab, with frame and rear axles, and give the room for goods in it."""
    floor = spot.y1 - 1050.0
    box = Region(spot.x0 + 120.0, spot.y0 + float(rng.uniform(0, 500)), spot.x1, floor)
    canvas.fill(box, (("aluminium", 0.7), ("polyethylene", 0.3)), float(rng.uniform(1.0, 2.5)), owner)
    canvas.add(
        shape.frame(canvas.px(box.height), canvas.px(box.width), canvas.px(50)), (box.x0, box.y0), _STEEL, float(rng.uniform(3, 9)), owner
    )
    canvas.fill(Region(spot.x0, floor, spot.x1, floor + 120.0), _STEEL, float(rng.uniform(8, 20)), owner)
    for place in (0.62, 0.8) if rng.random() < 0.5 else (0.72,):
        draw_wheel(canvas, (spot.x0 + place * spot.width, spot.y1 - 490.0), 980.0, owner, rng)
    return Region(box.x0 + 60.0, box.y0 + 60.0, box.x1 - 60.0, floor)


def _glass(canvas: Canvas, spot: Region, body: Body, sheet: float, owner: int, rng: Generator) -> None:
    """Put glass and pillars into the window band, over the sheet that the outline has there too: windows show darker than real ones."""
    x0, y0, x1, y1 = body.glass
    band = Region(spot.x0 + x0 * spot.width, spot.y0 + y0 * spot.height, spot.x0 + x1 * spot.width, spot.y0 + y1 * spot.height)
    canvas.fill(band, _GLASS, float(rng.uniform(0.8, 1.6)), owner)
    for x in np.arange(band.x0, band.x1, max(500.0, band.width / 5)):
        canvas.fill(Region(x, band.y0, x + 60, band.y1), _STEEL, sheet * float(rng.uniform(1.5, 3.0)), owner)


def _inside(canvas: Canvas, spot: Region, body: Body, owner: int, rng: Generator) -> None:
    for place in body.seats:
        x, y = spot.x0 + place * spot.width, spot.y0 + spot.height * rng.uniform(0.3, 0.36)
        back = shape.turned(shape.pillow(canvas.px(620), canvas.px(130), 6.0), float(rng.uniform(-14, -4)))
        canvas.add(back, (x, y), _FOAM, float(rng.uniform(2.0, 4.5)), owner)
        canvas.add(shape.frame(back.shape[0], back.shape[1], 1), (x, y), _STEEL, float(rng.uniform(0.5, 2.0)), owner)
        canvas.add(shape.pillow(canvas.px(130), canvas.px(480), 6.0), (x - 380, y + 560), _FOAM, float(rng.uniform(3.0, 6.0)), owner)
    tank = (canvas.px(rng.uniform(180, 300)), canvas.px(rng.uniform(450, 800)))
    at = (spot.x0 + rng.uniform(0.55, 0.7) * spot.width, spot.y1 - 0.34 * spot.height)
    canvas.add(shape.pillow(*tank, 8.0), at, _FUEL, float(rng.uniform(5, 30)), owner)


def _engine(canvas: Canvas, spot: Region, body: Body, owner: int, rng: Generator) -> None:
    x0, y0, x1, y1 = body.engine
    bay = Region(spot.x0 + x0 * spot.width, spot.y0 + y0 * spot.height, spot.x0 + x1 * spot.width, spot.y0 + y1 * spot.height)
    canvas.add(shape.pillow(canvas.px(bay.height), canvas.px(bay.width), 7.0), (bay.x0, bay.y0), _CAST, float(rng.uniform(30, 90)), owner)
    for _ in range(12):
        n = canvas.px(rng.uniform(50, 260))
        part = (shape.disc(n, n), shape.ring(n, n, 0.7), shape.block(n // 2 + 1, n))[int(rng.integers(0, 3))]
        at = (bay.x0 + rng.uniform(-0.1, 0.9) * bay.width, bay.y0 + rng.uniform(-0.05, 0.8) * bay.height)
        canvas.add(part, at, _CAST, float(rng.uniform(4, 40)), owner)
    shaft_y = spot.y1 - 0.16 * spot.height
    canvas.fill(Region(bay.x1, shaft_y, bay.x1 + 0.35 * spot.width, shaft_y + 70), _STEEL, float(rng.uniform(5, 15)), owner)


def _eroded(patch: Patch, margin: int) -> Patch:
    """Give the patch without its outer ``margin`` px (its edges against the border count as rim)."""
    padded = np.pad(patch, margin)
    h, w = patch.shape
    out = patch
    for dy, dx in ((0, margin), (2 * margin, margin), (margin, 0), (margin, 2 * margin)):
        out = np.minimum(out, padded[dy : dy + h, dx : dx + w])
    return out
