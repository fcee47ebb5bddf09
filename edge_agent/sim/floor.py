"""A container's floor as rays see it that fall through it at a small angle: not a line but a band, with all that lies in and under it.

Seen so, the boards are a grey band along the bottom, the sill of the near side lies over part of it, members, fork-lift pockets and the
chassis's beams stand out of it, and lashing rings sit on its upper edge. It looks like a low layer of goods, and must not be taken for one.
"""

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Canvas, Mix, Patch, Region
from edge_agent.sim.chance import log_uniform
from edge_agent.sim.goods import STRUCTURE

_STEEL: Mix = (("iron", 1.0),)


def draw(canvas: Canvas, band: Region, boards: Mix, rng: Generator) -> None:
    """Draw the floor into ``band``: all of the container's length, from the floor's far edge down to its near one."""
    canvas.fill(band, boards, log_uniform(rng, 1.0, 60.0), STRUCTURE)
    _sills(canvas, band, rng)
    _members(canvas, band, rng)
    for part, chance in ((_tunnel, 0.4), (_pockets, 0.6), (_scallops, 0.3), (_rings, 0.5), (_beams, 0.6), (_gear, 0.4)):
        if rng.random() < chance:
            part(canvas, band, rng)


def _sills(canvas: Canvas, band: Region, rng: Generator) -> None:
    """Draw lengthwise steel: the edge line, and what lies over and just above the boards in steps, not always from end to end."""
    edge = float(rng.uniform(8, 30))
    canvas.fill(Region(band.x0, band.y0, band.x1, band.y0 + edge), _STEEL, log_uniform(rng, 0.5, 20.0), STRUCTURE)
    for _ in range(int(rng.integers(1, 4))):
        top = band.y0 + band.height * rng.uniform(-0.4, 0.8)
        bottom = band.y1 if rng.random() < 0.5 else min(band.y1, top + band.height * rng.uniform(0.1, 0.6))
        x0 = band.x0 if rng.random() < 0.7 else band.x0 + band.width * rng.uniform(0.0, 0.6)
        areal = log_uniform(rng, 0.2, 3.0) if top < band.y0 else log_uniform(rng, 0.5, 12.0)
        canvas.fill(Region(x0, top, band.x1, max(bottom, top + edge)), _STEEL, areal, STRUCTURE)


def _members(canvas: Canvas, band: Region, rng: Generator) -> None:
    """Draw cross-members as teeth: now and then one is missing or thick, and all lean with the angle of the rays.

    Most containers have one every 0.3 m; where every second or third one is heavier, only those stand out.
    """
    is_close = rng.random() < 0.6
    spacing = rng.uniform(250, 420) if is_close else rng.uniform(420, 1150)
    width, lean = log_uniform(rng, 12.0, 130.0), rng.uniform(-0.25, 0.25)
    strength, top = log_uniform(rng, 2.0, 60.0), band.y0 + band.height * rng.uniform(0.0, 0.5)
    steps = 4
    height = (band.y1 - top) / steps
    for x in np.arange(band.x0 + spacing * rng.uniform(0.2, 0.8), band.x1 - width, spacing):
        if rng.random() < 0.1:
            continue
        wide = width * (3.0 if rng.random() < 0.08 else 1.0)
        for step in range(steps):
            left = x + lean * height * step
            canvas.fill(Region(left, top + step * height, left + wide, top + (step + 1) * height), _STEEL, strength, STRUCTURE)


def _tunnel(canvas: Canvas, band: Region, rng: Generator) -> None:
    """Draw the tunnel for a gooseneck trailer at one end: its own sheet, and short broad teeth in one row or two, beside the members."""
    reach = band.width * rng.uniform(0.2, 0.6)
    x0 = band.x0 if rng.random() < 0.5 else band.x1 - reach
    top, bottom = sorted(band.y0 + band.height * float(share) for share in rng.uniform(0.1, 1.0, 2))
    canvas.fill(Region(x0, top, x0 + reach, bottom), _STEEL, log_uniform(rng, 0.3, 8.0), STRUCTURE)
    spacing, areal = rng.uniform(250, 420), log_uniform(rng, 1.0, 25.0)
    for _ in range(int(rng.integers(1, 3))):
        wide, upper = rng.uniform(40, 200), band.y0 + band.height * rng.uniform(0.1, 0.7)
        lower = min(band.y1, upper + band.height * rng.uniform(0.15, 0.45))
        for x in np.arange(x0 + spacing * rng.random(), x0 + reach - wide, spacing):
            canvas.fill(Region(x, upper, x + wide, lower), _STEEL, areal, STRUCTURE)
    canvas.fill(Region(x0, bottom, x0 + reach, min(band.y1, bottom + rng.uniform(15, 45))), _STEEL, log_uniform(rng, 2.0, 40.0), STRUCTURE)


def _pockets(canvas: Canvas, band: Region, rng: Generator) -> None:
    """Draw the two fork-lift pockets, plain or as frames, or several narrow pairs of them."""
    half, top = (band.x0 + band.x1) / 2, band.y0 + band.height * rng.uniform(0.0, 0.6)
    wide, areal = float(rng.uniform(220, 650)), log_uniform(rng, 4.0, 50.0)
    apart = 1200.0 if rng.random() < 0.6 else float(rng.uniform(700, 2600))
    frame = shape.frame(canvas.px(band.y1 - top), canvas.px(wide), canvas.px(rng.uniform(15, 60)))
    for x in (half - apart, half + apart - wide):
        if rng.random() < 0.6:
            canvas.fill(Region(x, top, x + wide, band.y1), _STEEL, areal / 2, STRUCTURE)
        canvas.add(frame, (x, top), _STEEL, areal, STRUCTURE)
        bar = top + (band.y1 - top) * rng.uniform(0.3, 0.7)
        canvas.fill(Region(x, bar, x + wide, bar + 30), _STEEL, areal, STRUCTURE)


def _scallops(canvas: Canvas, band: Region, rng: Generator) -> None:
    """Draw the corrugation of the wall where it meets the floor: a row of arches."""
    height, width = canvas.px(rng.uniform(30, 90)), canvas.px(band.width)
    period = canvas.px(rng.uniform(200, 420))
    reach = np.abs(np.sin(np.pi * np.arange(width) / period)) * height
    arches: Patch = (np.arange(height)[:, None] < reach[None, :]).astype(np.float32)
    canvas.add(arches, (band.x0, band.y0 + band.height * rng.uniform(0.0, 0.4)), _STEEL, log_uniform(rng, 0.5, 8.0), STRUCTURE)


def _rings(canvas: Canvas, band: Region, rng: Generator) -> None:
    size, areal = rng.uniform(50, 110), log_uniform(rng, 1.0, 10.0)
    ring = shape.ring(canvas.px(size), canvas.px(size), 0.7)
    for x in np.arange(band.x0 + rng.uniform(200, 1200), band.x1 - 200, rng.uniform(800, 2600)):
        canvas.add(ring, (x, band.y0 - size * 0.7), _STEEL, areal, STRUCTURE)


def _beams(canvas: Canvas, band: Region, rng: Generator) -> None:
    """Draw the chassis's long beams where the picture's bottom shows them through the floor."""
    for _ in range(int(rng.integers(1, 3))):
        y = band.y0 + band.height * rng.uniform(0.45, 0.95)
        canvas.fill(Region(band.x0, y, band.x1, min(band.y1, y + rng.uniform(15, 70))), _STEEL, log_uniform(rng, 5.0, 80.0), STRUCTURE)


def _gear(canvas: Canvas, band: Region, rng: Generator) -> None:
    """Draw boxes, valves and brackets of the chassis."""
    for _ in range(int(rng.integers(1, 7))):
        width, height = rng.uniform(60, 700), band.height * rng.uniform(0.2, 0.6)
        x, y = rng.uniform(band.x0, band.x1 - width), band.y1 - height * rng.uniform(0.5, 1.2)
        canvas.fill(Region(x, y, x + width, min(band.y1, y + height)), _STEEL, log_uniform(rng, 2.0, 50.0), STRUCTURE)
