"""Firearms and blades as flat silhouettes of their own depths; the muzzle or the point is at the left."""

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Mix, Patch
from edge_agent.sim.part import POLYMER, STEEL, WOOD, Part, Room


def pistol(room: Room, rng: Generator) -> list[Part]:
    """Give a self-loading pistol: slide, barrel, grip with its magazine, trigger guard."""
    return _self_loading(room, rng, (rng.uniform(155, 235), rng.uniform(110, 155)), 0.62)


def pocket_pistol(room: Room, rng: Generator) -> list[Part]:
    """Give a small pistol with a short barrel."""
    return _self_loading(room, rng, (rng.uniform(125, 160), rng.uniform(90, 118)), 0.5)


def _self_loading(room: Room, rng: Generator, size_mm: tuple[float, float], grip_at: float) -> list[Part]:
    squeeze = rng.uniform(0.62, 1.0)  # seen at an angle it is shorter and thicker
    h, w = room.px(size_mm[1]), room.px(size_mm[0] * squeeze)
    depth = 1.0 / squeeze
    slide = shape.polygon(h, w, ((0.0, 0.06), (1.0, 0.06), (1.0, 0.3), (0.02, 0.3)))
    barrel = shape.polygon(h, w, ((0.05, 0.11), (1.0, 0.11), (1.0, 0.2), (0.05, 0.2)))
    lean = rng.uniform(0.06, 0.2)
    grip = shape.polygon(h, w, ((grip_at, 0.3), (0.97, 0.3), (min(1.0, 0.97 + lean), 1.0), (grip_at + 0.04 + lean, 1.0)))
    magazine = shape.polygon(h, w, ((grip_at + 0.06, 0.3), (0.9, 0.3), (0.92 + lean * 0.6, 0.96), (grip_at + 0.1 + lean, 0.96)))
    steel = float(rng.uniform(9.0, 15.0)) * depth
    grip_mix, grip_areal = (POLYMER, 2.5) if rng.random() < 0.4 else (STEEL, 8.0)
    return [
        Part(slide + 0.5 * barrel, STEEL, steel),
        Part(grip, grip_mix, grip_areal * depth),
        Part(magazine, STEEL, float(rng.uniform(4, 9)) * depth),
        Part(_guard(h, w, grip_at - 0.22), STEEL, 4.0 * depth),
    ]


def revolver(room: Room, rng: Generator) -> list[Part]:
    """Give a revolver: a thin barrel, a drum in the frame, a curved grip, a hammer."""
    h, w = room.px(rng.uniform(115, 150)), room.px(rng.uniform(170, 290) * rng.uniform(0.7, 1.0))
    barrel = shape.polygon(h, w, ((0.0, 0.12), (0.5, 0.1), (0.5, 0.26), (0.0, 0.24)))
    frame = shape.polygon(h, w, ((0.45, 0.06), (0.78, 0.06), (0.84, 0.4), (0.45, 0.46)))
    drum = np.zeros_like(barrel)
    dh, dw = max(2, int(h * 0.34)), max(2, int(w * 0.2))
    drum[int(h * 0.08) : int(h * 0.08) + dh, int(w * 0.5) : int(w * 0.5) + dw] = shape.cylinder(dw, dh).T
    grip = shape.polygon(h, w, ((0.74, 0.3), (0.88, 0.25), (1.0, 0.85), (0.96, 1.0), (0.84, 0.98), (0.78, 0.6)))
    hammer = shape.polygon(h, w, ((0.78, 0.08), (0.88, 0.0), (0.9, 0.1), (0.82, 0.2)))
    steel = float(rng.uniform(9, 14))
    grip_mix = WOOD if rng.random() < 0.6 else POLYMER
    return [
        Part(barrel + 0.7 * frame + 0.6 * hammer, STEEL, steel),
        Part(drum, STEEL, steel * 1.4),
        Part(grip, grip_mix, float(rng.uniform(2, 3.5))),
        Part(0.4 * grip + _guard(h, w, 0.52), STEEL, 4.0),
    ]


def machine_pistol(room: Room, rng: Generator) -> list[Part]:
    """Give a machine pistol: a boxy receiver, the magazine in or before the grip, no stock."""
    h, w = room.px(rng.uniform(190, 280)), room.px(rng.uniform(250, 380) * rng.uniform(0.75, 1.0))
    receiver = shape.polygon(h, w, ((0.18, 0.05), (1.0, 0.05), (1.0, 0.3), (0.18, 0.3)))
    barrel = shape.polygon(h, w, ((0.0, 0.12), (0.2, 0.12), (0.2, 0.22), (0.0, 0.22)))
    at = float(rng.choice((0.35, 0.6)))
    magazine = shape.polygon(h, w, ((at, 0.3), (at + 0.12, 0.3), (at + 0.1, 1.0), (at - 0.02, 1.0)))
    grip = shape.polygon(h, w, ((0.6, 0.3), (0.78, 0.3), (0.84, 0.7), (0.66, 0.7)))
    steel = float(rng.uniform(8, 13))
    return [Part(receiver + 1.2 * barrel, STEEL, steel), Part(magazine, STEEL, float(rng.uniform(6, 12))), Part(grip, POLYMER, 3.0)]


def assault_rifle(room: Room, rng: Generator) -> list[Part]:
    """Give a rifle with a curved magazine, a pistol grip and a stock."""
    h, w = room.px(rng.uniform(190, 270)), room.px(rng.uniform(720, 1020) * rng.uniform(0.75, 1.0))
    barrel = shape.polygon(h, w, ((0.0, 0.2), (0.5, 0.18), (0.5, 0.3), (0.0, 0.29)))
    receiver = shape.polygon(h, w, ((0.38, 0.1), (0.68, 0.1), (0.68, 0.42), (0.38, 0.42)))
    curve = rng.uniform(-0.1, 0.04)
    magazine = shape.polygon(h, w, ((0.44, 0.42), (0.53, 0.42), (0.53 + curve, 1.0), (0.42 + curve, 0.95)))
    grip = shape.polygon(h, w, ((0.62, 0.4), (0.68, 0.4), (0.73, 0.9), (0.67, 0.92)))
    stock = shape.polygon(h, w, ((0.68, 0.14), (1.0, 0.22), (1.0, 0.72), (0.94, 0.7), (0.68, 0.38)))
    guard = shape.polygon(h, w, ((0.18, 0.12), (0.4, 0.1), (0.4, 0.38), (0.2, 0.34)))
    steel = float(rng.uniform(9, 18))
    return [
        Part(barrel, STEEL, steel),
        Part(receiver, STEEL, steel * float(rng.uniform(1.2, 1.9))),
        Part(magazine, STEEL, float(rng.uniform(6, 13))),
        Part(grip + stock + guard, _furniture(rng), float(rng.uniform(2.5, 5))),
    ]


def hunting_gun(room: Room, rng: Generator) -> list[Part]:
    """Give a hunting rifle or a shotgun: a long barrel (or two), a short receiver, a wooden stock, sometimes a telescope."""
    h, w = room.px(rng.uniform(120, 180)), room.px(rng.uniform(900, 1200) * rng.uniform(0.75, 1.0))
    barrel = shape.polygon(h, w, ((0.0, 0.22), (0.62, 0.2), (0.62, 0.4), (0.0, 0.38)))
    receiver = shape.polygon(h, w, ((0.56, 0.18), (0.74, 0.2), (0.74, 0.55), (0.56, 0.55)))
    stock = shape.polygon(h, w, ((0.72, 0.25), (0.8, 0.35), (1.0, 0.45), (1.0, 1.0), (0.82, 0.72), (0.72, 0.58)))
    fore = shape.polygon(h, w, ((0.3, 0.36), (0.58, 0.36), (0.58, 0.58), (0.34, 0.52)))
    scope = shape.polygon(h, w, ((0.48, 0.0), (0.72, 0.0), (0.72, 0.14), (0.48, 0.14)))
    steel = float(rng.uniform(9, 17))
    parts = [
        Part(barrel, STEEL, steel),
        Part(receiver + _guard(h, w, 0.66), STEEL, steel),
        Part(stock + fore, WOOD, float(rng.uniform(2.5, 5))),
    ]
    return [*parts, Part(scope, (("aluminium", 0.8), ("silica", 0.2)), 4.0)] if rng.random() < 0.35 else parts


def bullpup(room: Room, rng: Generator) -> list[Part]:
    """Give a rifle whose magazine lies behind the grip."""
    h, w = room.px(rng.uniform(210, 280)), room.px(rng.uniform(640, 820) * rng.uniform(0.8, 1.0))
    barrel = shape.polygon(h, w, ((0.0, 0.24), (0.45, 0.22), (0.45, 0.32), (0.0, 0.32)))
    body = shape.polygon(h, w, ((0.25, 0.14), (1.0, 0.1), (1.0, 0.62), (0.75, 0.55), (0.25, 0.42)))
    works = shape.polygon(h, w, ((0.5, 0.18), (0.92, 0.16), (0.92, 0.4), (0.5, 0.4)))
    magazine = shape.polygon(h, w, ((0.68, 0.5), (0.78, 0.52), (0.74, 1.0), (0.62, 0.98)))
    grip = shape.polygon(h, w, ((0.42, 0.42), (0.5, 0.42), (0.54, 0.88), (0.47, 0.88)))
    steel = float(rng.uniform(9, 17))
    return [Part(barrel + 1.3 * works, STEEL, steel), Part(body + grip, POLYMER, 4.0), Part(magazine, STEEL, float(rng.uniform(6, 12)))]


def folded_gun(room: Room, rng: Generator) -> list[Part]:
    """Give a submachine gun with its wire stock folded along the receiver."""
    h, w = room.px(rng.uniform(210, 290)), room.px(rng.uniform(430, 560))
    tube = shape.polygon(h, w, ((0.0, 0.14), (1.0, 0.1), (1.0, 0.3), (0.0, 0.24)))
    wire = shape.polygon(h, w, ((0.25, 0.34), (0.98, 0.34), (0.98, 0.39), (0.25, 0.39)))
    magazine = shape.polygon(h, w, ((0.4, 0.28), (0.48, 0.28), (0.46, 1.0), (0.38, 1.0)))
    grip = shape.polygon(h, w, ((0.68, 0.3), (0.77, 0.3), (0.82, 0.72), (0.73, 0.74)))
    steel = float(rng.uniform(9, 16))
    return [Part(tube + 0.5 * wire, STEEL, steel), Part(magazine, STEEL, float(rng.uniform(6, 12))), Part(grip, POLYMER, 3.0)]


def dagger(room: Room, rng: Generator) -> list[Part]:
    """Give a knife with a pointed blade and a straight handle."""
    outline = ((0.0, 0.55), (0.16, 0.1), (0.62, 0.05), (0.62, 0.85), (0.2, 0.95))
    return _blade(room, rng, (rng.uniform(180, 330), rng.uniform(26, 48)), outline, 0.6)


def kitchen_knife(room: Room, rng: Generator) -> list[Part]:
    """Give a knife with a straight back and a broad heel."""
    outline = ((0.0, 0.06), (0.6, 0.0), (0.6, 1.0), (0.3, 0.8))
    return _blade(room, rng, (rng.uniform(210, 360), rng.uniform(30, 55)), outline, 0.6)


def folding_knife(room: Room, rng: Generator) -> list[Part]:
    """Give a folding knife, open: a short blade, a handle with steel liners."""
    h, w = room.px(rng.uniform(20, 34)), room.px(rng.uniform(150, 230))
    blade = shape.polygon(h, w, ((0.0, 0.3), (0.12, 0.12), (0.45, 0.1), (0.45, 0.8), (0.15, 0.75)))
    handle = shape.polygon(h, w, ((0.43, 0.05), (0.97, 0.0), (1.0, 0.5), (0.95, 1.0), (0.43, 0.9)))
    steel = float(rng.uniform(1.6, 3.0))
    return [Part(blade, STEEL, steel), Part(handle, POLYMER, float(rng.uniform(1.0, 2.0))), Part(0.8 * handle, STEEL, steel)]


def machete(room: Room, rng: Generator) -> list[Part]:
    """Give a machete: long, broadest near its point."""
    outline = ((0.0, 0.1), (0.06, 0.0), (0.72, 0.35), (0.72, 0.8), (0.2, 1.0), (0.04, 0.8))
    return _blade(room, rng, (rng.uniform(420, 620), rng.uniform(55, 85)), outline, 0.71)


def cleaver(room: Room, rng: Generator) -> list[Part]:
    """Give a cleaver: a rectangular blade, a short handle."""
    outline = ((0.0, 0.05), (0.62, 0.0), (0.62, 0.95), (0.02, 1.0))
    return _blade(room, rng, (rng.uniform(260, 340), rng.uniform(75, 105)), outline, 0.61)


def _blade(
    room: Room, rng: Generator, size_mm: tuple[float, float], outline: tuple[tuple[float, float], ...], handle_at: float
) -> list[Part]:
    is_edge_on = rng.random() < 0.2
    h, w = room.px(9.0 if is_edge_on else size_mm[1]), room.px(size_mm[0])
    blade = shape.polygon(h, w, outline)
    grip = min(1.0, 34.0 / size_mm[1])  # a handle is no broader than a hand
    handle = shape.polygon(h, w, ((handle_at, 0.05), (1.0, 0.0), (1.0, grip), (handle_at, 0.9 * grip)))
    tang = shape.polygon(h, w, ((handle_at, 0.3 * grip), (0.96, 0.3 * grip), (0.96, 0.65 * grip), (handle_at, 0.65 * grip)))
    steel = float(rng.uniform(1.4, 3.2)) * (6.0 if is_edge_on else 1.0)
    handle_mix = WOOD if rng.random() < 0.3 else POLYMER
    return [Part(blade, STEEL, steel), Part(handle, handle_mix, float(rng.uniform(1.2, 2.4))), Part(tang, STEEL, steel * 0.8)]


def _guard(height: int, width: int, left: float) -> Patch:
    """Give a trigger guard on the weapon's grid."""
    ring = shape.ring(max(3, height // 3), max(3, width // 4), 0.72)
    loop = np.zeros((height, width), dtype=np.float32)
    y, x = int(height * 0.28), int(width * left)
    loop[y : y + ring.shape[0], x : x + ring.shape[1]] = ring[: height - y, : width - x]
    return loop


def _furniture(rng: Generator) -> Mix:
    return WOOD if rng.random() < 0.5 else POLYMER
