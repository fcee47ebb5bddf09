"""What is true of a scene, read off its canvas: which goods dominate where, and boxes in pixels."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_agent.sim.canvas import Canvas, Region
from edge_agent.sim.goods import AIR, EMPTY, STRUCTURE

Box: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 in px of the scene, half open."""

LOAD_AT = 2.0
"""From this areal density on, g/cm2, a pixel belongs to the goods there."""
_STRUCTURE_AT = 14.0


def goods_map(canvas: Canvas, room: Box, down: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Give the class that dominates every pixel; ``down`` (w,): by how many px the room lies lower in each column."""
    goods = np.full((canvas.height, canvas.width), AIR, dtype=np.uint8)
    x0, y0, x1, y1 = (int(value) for value in room)
    rows = np.arange(canvas.height)[:, None]
    within = (rows >= y0 + down[x0:x1]) & (rows < y1 + down[x0:x1])
    goods[:, x0:x1][within] = EMPTY
    frame = canvas.owned(STRUCTURE)
    goods[(frame > _STRUCTURE_AT) | ((goods == AIR) & (frame > 1.0))] = STRUCTURE
    most = np.full(goods.shape, LOAD_AT, dtype=np.float32)
    for owner in sorted(canvas.owners - {STRUCTURE}):
        matter = canvas.owned(owner)
        goods[matter > most] = owner
        np.maximum(most, matter, out=most)
    return goods


def tight_box(seen: NDArray[np.bool_], x: int, y: int) -> Box:
    """Give the box around the pixels of ``seen`` (h, w), whose top left corner lies at (x, y) of the scene; at least one is set."""
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return (float(x + columns[0]), float(y + rows[0]), float(x + columns[-1] + 1), float(y + rows[-1] + 1))


def pixels(canvas: Canvas, region: Region) -> Box:
    """Give a region in whole px of the canvas, cut to it."""
    x0 = max(0, round((region.x0 - canvas.left_mm) / canvas.pitch_mm))
    x1 = min(canvas.width, round((region.x1 - canvas.left_mm) / canvas.pitch_mm))
    y0, y1 = round(region.y0 / canvas.pitch_mm), min(canvas.height, round(region.y1 / canvas.pitch_mm))
    return (float(x0), float(y0), float(max(x0, x1)), float(max(y0, y1)))
