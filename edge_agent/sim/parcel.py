"""Parcels and suitcases: a case with clutter as people pack it."""

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Canvas, Mix, Patch, Region
from edge_agent.sim.goods import FOREIGN

CLUTTER = FOREIGN
"""Owner of everything in a parcel: the goods map is not used there."""

_CARD: Mix = (("cellulose", 1.0),)
_PLASTIC: Mix = (("polyethylene", 1.0),)
_CLOTH: Mix = (("cellulose", 0.6), ("polyethylene", 0.4))
_METAL: Mix = (("iron", 0.6), ("copper", 0.2), ("aluminium", 0.2))
_WATER: Mix = (("water", 1.0),)


def draw(canvas: Canvas, case: Region, rng: Generator) -> None:
    """Draw a carton or a suitcase with its contents into ``case``."""
    height, width = canvas.px(case.height), canvas.px(case.width)
    if rng.random() < 0.5:
        canvas.fill(case, _CARD, float(rng.uniform(0.15, 0.5)), CLUTTER)
        canvas.add(shape.frame(height, width, canvas.px(5)), (case.x0, case.y0), _CARD, float(rng.uniform(1, 4)), CLUTTER)
    else:
        _suitcase(canvas, case, rng)
    _cloth(canvas, case, rng)
    kinds = (_box, _tin, _bottle, _coin_or_key, _cable, _electronics, _book, _tool)
    for _ in range(int(rng.integers(6, 26))):
        kinds[int(rng.integers(0, len(kinds)))](canvas, _spot(case, rng), rng)


def _spot(case: Region, rng: Generator) -> tuple[float, float]:
    return float(rng.uniform(case.x0, case.x1 - 50)), float(rng.uniform(case.y0, case.y1 - 50))


def _put(canvas: Canvas, patch: Patch, at: tuple[float, float], matter: tuple[Mix, float], degrees: float) -> None:
    canvas.add(shape.turned(patch, degrees), at, matter[0], matter[1], CLUTTER)


def _suitcase(canvas: Canvas, case: Region, rng: Generator) -> None:
    height, width = canvas.px(case.height), canvas.px(case.width)
    canvas.add(shape.pillow(height, width, 16.0), (case.x0, case.y0), _PLASTIC, float(rng.uniform(0.4, 0.9)), CLUTTER)
    canvas.add(shape.frame(height, width, canvas.px(6)), (case.x0, case.y0), _METAL, float(rng.uniform(0.4, 1.5)), CLUTTER)
    for share in (0.35, 0.62):  # the rods of the handle
        x = case.x0 + share * case.width
        canvas.fill(Region(x, case.y0, x + 12, case.y1), (("aluminium", 1.0),), float(rng.uniform(0.5, 1.4)), CLUTTER)
    for x in (case.x0 + 30, case.x1 - 80):
        canvas.add(shape.ring(canvas.px(50), canvas.px(50), 0.4), (x, case.y1 - 50), _PLASTIC, 4.0, CLUTTER)


def _cloth(canvas: Canvas, case: Region, rng: Generator) -> None:
    height, width = canvas.px(case.height), canvas.px(case.width)
    grain = 12
    lumps = rng.gamma(1.5, 1.0, (height // grain + 2, width // grain + 2)).astype(np.float32)
    folds = shape.blurred(np.kron(lumps, np.ones((grain, grain), dtype=np.float32)), 6)[:height, :width]
    canvas.add(folds, (case.x0, case.y0), _CLOTH, float(rng.uniform(0.1, 1.6)), CLUTTER)


def _box(canvas: Canvas, at: tuple[float, float], rng: Generator) -> None:
    h, w = canvas.px(rng.uniform(30, 190)), canvas.px(rng.uniform(30, 230))
    matter = (_CARD if rng.random() < 0.5 else _PLASTIC, float(rng.uniform(0.5, 5.0)))
    _put(canvas, shape.block(h, w) + 0.4 * shape.frame(h, w, 2), at, matter, float(rng.uniform(-40, 40)))


def _tin(canvas: Canvas, at: tuple[float, float], rng: Generator) -> None:
    h, w = canvas.px(rng.uniform(50, 130)), canvas.px(rng.uniform(45, 95))
    angle = float(rng.uniform(0, 180))
    _put(canvas, shape.shell(h, w, 0.06), at, ((("iron", 1.0),), float(rng.uniform(2.0, 5.0))), angle)
    _put(canvas, shape.cylinder(h, w), at, (_WATER, float(rng.uniform(3.0, 7.0))), angle)


def _bottle(canvas: Canvas, at: tuple[float, float], rng: Generator) -> None:
    """Put a small cosmetics or shampoo bottle: soft shoulders, no neck to speak of, so that it is no threat bottle."""
    h, w = canvas.px(rng.uniform(80, 170)), canvas.px(rng.uniform(30, 60))
    patch = shape.cylinder(h, w) * shape.pillow(h, w, 8.0)
    _put(canvas, patch, at, (_WATER, float(rng.uniform(2.5, 5.0))), float(rng.uniform(0, 180)))


def _coin_or_key(canvas: Canvas, at: tuple[float, float], rng: Generator) -> None:
    n = canvas.px(rng.uniform(15, 30))
    _put(canvas, shape.disc(n, n), at, (_METAL, float(rng.uniform(1.0, 3.0))), 0.0)
    long = canvas.px(rng.uniform(40, 70))
    _put(canvas, shape.block(max(2, n // 3), long), at, (_METAL, float(rng.uniform(1.0, 2.5))), float(rng.uniform(0, 180)))


def _cable(canvas: Canvas, at: tuple[float, float], rng: Generator) -> None:
    n = canvas.px(rng.uniform(60, 160))
    for inner in rng.uniform(0.55, 0.97, 4):
        _put(canvas, shape.ring(n, n, float(max(inner, 1 - 6 / n))), at, ((("copper", 1.0),), float(rng.uniform(0.3, 1.2))), 0.0)


def _electronics(canvas: Canvas, at: tuple[float, float], rng: Generator) -> None:
    h, w = canvas.px(rng.uniform(60, 230)), canvas.px(rng.uniform(70, 320))
    patch = np.full((h, w), 0.5, dtype=np.float32)
    for _ in range(int(rng.integers(6, 20))):
        y, x = int(rng.integers(0, h)), int(rng.integers(0, w))
        patch[y : y + int(rng.integers(2, 2 + h // 3)), x : x + int(rng.integers(2, 2 + w // 4))] += np.float32(rng.uniform(0.2, 1.5))
    angle = float(rng.uniform(-25, 25))
    _put(canvas, patch, at, ((("silica", 0.5), ("copper", 0.3), ("polyethylene", 0.2)), float(rng.uniform(0.3, 1.3))), angle)
    if rng.random() < 0.5:
        battery = shape.block(h // 3 + 2, w // 2 + 2)
        _put(canvas, battery, at, ((("aluminium", 0.4), ("copper", 0.3), ("polyethylene", 0.3)), float(rng.uniform(1.5, 4.0))), angle)


def _book(canvas: Canvas, at: tuple[float, float], rng: Generator) -> None:
    h, w = canvas.px(rng.uniform(150, 280)), canvas.px(rng.uniform(20, 200))
    _put(canvas, shape.block(h, w), at, (_CARD, float(rng.uniform(1.5, 9.0))), float(rng.uniform(-60, 60)))


def _tool(canvas: Canvas, at: tuple[float, float], rng: Generator) -> None:
    """Put a spanner or a screwdriver: metal and long, but no blade."""
    h, w = canvas.px(rng.uniform(14, 26)), canvas.px(rng.uniform(110, 230))
    patch = np.zeros((h, w), dtype=np.float32)
    patch[h // 3 : h - h // 3] = 1.0
    patch[:, : w // 7] = 1.0
    patch[:, -w // 7 :] = 1.0
    _put(canvas, patch, at, ((("iron", 1.0),), float(rng.uniform(2.0, 6.0))), float(rng.uniform(0, 180)))
