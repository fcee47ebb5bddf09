"""Parcels and suitcases: a case with clutter as people pack it."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Canvas, Mix, Patch, Region
from edge_agent.sim.goods import FOREIGN
from edge_agent.sim.item import texture

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
    kinds = (_box, _tin, _bottle, _coin_or_key, _cable, _electronics, _book, _tool, _shoe, _garment)
    for _ in range(int(rng.integers(6, 26))):
        kinds[int(rng.integers(0, len(kinds)))](_Case(canvas, case), _spot(case, rng), rng)


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """A carton or a suitcase to put things into; nothing sticks out of it."""

    canvas: Canvas
    room: Region

    def px(self, length_mm: float) -> int:
        return self.canvas.px(length_mm)

    def put(self, patch: Patch, at: tuple[float, float], matter: tuple[Mix, float], degrees: float) -> None:
        """Put a thing turned by ``degrees`` at ``at``, moved as far as it must be to lie inside; one that is too large is left out."""
        turned = shape.turned(patch, degrees)
        height, width = (side * self.canvas.pitch_mm for side in turned.shape)
        if width > self.room.width or height > self.room.height:
            return
        x, y = min(at[0], self.room.x1 - width), min(at[1], self.room.y1 - height)
        self.canvas.add(turned, (x, y), matter[0], matter[1], CLUTTER)


def _spot(case: Region, rng: Generator) -> tuple[float, float]:
    return float(rng.uniform(case.x0, case.x1 - 50)), float(rng.uniform(case.y0, case.y1 - 50))


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
    folds = 1.5 * texture(height, width, max(4, height * width // 250), 0.5, rng)
    canvas.add(folds, (case.x0, case.y0), _CLOTH, float(rng.uniform(0.1, 1.6)), CLUTTER)


def _box(case: _Case, at: tuple[float, float], rng: Generator) -> None:
    h, w = case.px(rng.uniform(30, 190)), case.px(rng.uniform(30, 230))
    matter = (_CARD if rng.random() < 0.5 else _PLASTIC, float(rng.uniform(0.3, 3.2)))
    case.put(shape.block(h, w) + 0.4 * shape.frame(h, w, 2), at, matter, float(rng.uniform(-40, 40)))


def _tin(case: _Case, at: tuple[float, float], rng: Generator) -> None:
    h, w = case.px(rng.uniform(50, 130)), case.px(rng.uniform(45, 95))
    angle = float(rng.uniform(0, 180))
    case.put(shape.shell(h, w, 0.06), at, ((("iron", 1.0),), float(rng.uniform(2.0, 5.0))), angle)
    case.put(shape.cylinder(h, w), at, (_WATER, float(rng.uniform(3.0, 7.0))), angle)


def _bottle(case: _Case, at: tuple[float, float], rng: Generator) -> None:
    """Put a small cosmetics or shampoo bottle: soft shoulders, no neck to speak of, so that it is no threat bottle."""
    h, w = case.px(rng.uniform(80, 170)), case.px(rng.uniform(30, 60))
    patch = shape.cylinder(h, w) * shape.pillow(h, w, 8.0)
    case.put(patch, at, (_WATER, float(rng.uniform(2.5, 5.0))), float(rng.uniform(0, 180)))


def _coin_or_key(case: _Case, at: tuple[float, float], rng: Generator) -> None:
    n = case.px(rng.uniform(15, 30))
    case.put(shape.disc(n, n), at, (_METAL, float(rng.uniform(1.0, 3.0))), 0.0)
    long = case.px(rng.uniform(40, 70))
    case.put(shape.block(max(2, n // 3), long), at, (_METAL, float(rng.uniform(1.0, 2.5))), float(rng.uniform(0, 180)))


def _cable(case: _Case, at: tuple[float, float], rng: Generator) -> None:
    n = case.px(rng.uniform(60, 160))
    for inner in rng.uniform(0.55, 0.97, 4):
        case.put(shape.ring(n, n, float(max(inner, 1 - 6 / n))), at, ((("copper", 1.0),), float(rng.uniform(0.3, 1.2))), 0.0)


def _electronics(case: _Case, at: tuple[float, float], rng: Generator) -> None:
    h, w = case.px(rng.uniform(60, 230)), case.px(rng.uniform(70, 320))
    patch = np.full((h, w), 0.5, dtype=np.float32)
    for _ in range(int(rng.integers(6, 20))):
        y, x = int(rng.integers(0, h)), int(rng.integers(0, w))
        patch[y : y + int(rng.integers(2, 2 + h // 3)), x : x + int(rng.integers(2, 2 + w // 4))] += np.float32(rng.uniform(0.2, 1.5))
    angle = float(rng.uniform(-25, 25))
    case.put(patch, at, ((("silica", 0.5), ("copper", 0.3), ("polyethylene", 0.2)), float(rng.uniform(0.3, 1.3))), angle)
    if rng.random() < 0.5:
        battery = shape.block(h // 3 + 2, w // 2 + 2)
        case.put(battery, at, ((("aluminium", 0.4), ("copper", 0.3), ("polyethylene", 0.3)), float(rng.uniform(1.5, 4.0))), angle)


def _book(case: _Case, at: tuple[float, float], rng: Generator) -> None:
    """Put a book: seen on its cover it is thin; seen on its spine it is deep but no broader than a finger."""
    is_spine = rng.random() < 0.4
    h, w = case.px(rng.uniform(150, 280)), case.px(rng.uniform(12, 40) if is_spine else rng.uniform(100, 200))
    patch = shape.block(h, w)
    patch[:, : max(1, w // 12)] *= 1.25
    case.put(patch, at, (_CARD, float(rng.uniform(6.0, 12.0) if is_spine else rng.uniform(1.0, 3.6))), float(rng.uniform(-60, 60)))


def _shoe(case: _Case, at: tuple[float, float], rng: Generator) -> None:
    """Put a shoe: a thick sole, a thin upper, now and then a steel shank."""
    h, w = case.px(rng.uniform(80, 110)), case.px(rng.uniform(220, 300))
    upper = shape.polygon(h, w, ((0.0, 0.6), (0.5, 0.35), (0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    sole = shape.polygon(h, w, ((0.0, 0.8), (1.0, 0.75), (1.0, 1.0), (0.0, 1.0)))
    angle = float(rng.uniform(-40, 40))
    case.put(upper + 2.0 * sole, at, (_PLASTIC, float(rng.uniform(0.5, 1.2))), angle)
    if rng.random() < 0.3:
        case.put(shape.polygon(h, w, ((0.4, 0.84), (0.75, 0.84), (0.75, 0.9), (0.4, 0.9))), at, ((("iron", 1.0),), 1.6), angle)


def _garment(case: _Case, at: tuple[float, float], rng: Generator) -> None:
    h, w = case.px(rng.uniform(120, 300)), case.px(rng.uniform(150, 350))
    folds = texture(h, w, 20, 0.35, rng) * shape.pillow(h, w, 5.0)
    case.put(folds, at, (_CLOTH, float(rng.uniform(0.8, 2.6))), float(rng.uniform(-30, 30)))


def _tool(case: _Case, at: tuple[float, float], rng: Generator) -> None:
    """Put a spanner or a screwdriver: metal and long, but no blade."""
    h, w = case.px(rng.uniform(14, 26)), case.px(rng.uniform(110, 230))
    patch = np.zeros((h, w), dtype=np.float32)
    patch[h // 3 : h - h // 3] = 1.0
    patch[:, : w // 7] = 1.0
    patch[:, -w // 7 :] = 1.0
    case.put(patch, at, ((("iron", 1.0),), float(rng.uniform(2.0, 6.0))), float(rng.uniform(0, 180)))
