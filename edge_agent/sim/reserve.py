"""Shapes kept in reserve: no bundle is trained on them, nothing in ``variety`` is drawn after them, and nobody looks at what was missed.

Test set S3 is made of them. S1's held-out shapes were looked at whenever training's shapes were made more varied, so that how well S1 is
found no longer says how well something quite new is. When S3's misses have been looked at, it needs other shapes.
"""

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Mix, Patch
from edge_agent.sim.contraband import cast, draw_liquid, heavy_size, packed
from edge_agent.sim.part import POLYMER, STEEL, WOOD, Part, Room

_GLASS: Mix = (("silica", 1.0),)


def derringer(room: Room, rng: Generator) -> list[Part]:
    """Give a pocket pistol of two short barrels one above the other, with a rounded grip and neither slide nor magazine."""
    h, w = room.px(rng.uniform(75, 105)), room.px(rng.uniform(110, 155) * rng.uniform(0.75, 1.0))
    upper = shape.polygon(h, w, ((0.0, 0.06), (0.62, 0.06), (0.62, 0.22), (0.0, 0.22)))
    lower = shape.polygon(h, w, ((0.0, 0.24), (0.62, 0.24), (0.62, 0.4), (0.0, 0.4)))
    frame = shape.polygon(h, w, ((0.58, 0.04), (0.74, 0.1), (0.8, 0.3), (0.76, 0.48), (0.56, 0.46)))
    grip = shape.polygon(h, w, ((0.66, 0.28), (0.8, 0.24), (0.96, 0.6), (1.0, 0.86), (0.9, 1.0), (0.76, 0.96), (0.68, 0.62)))
    steel = float(rng.uniform(9, 14))
    return [Part(upper + lower, STEEL, steel), Part(frame, STEEL, 0.8 * steel), Part(grip, WOOD, float(rng.uniform(2.0, 3.5)))]


def flare_pistol(room: Room, rng: Generator) -> list[Part]:
    """Give a signal pistol: one wide barrel that is hollow all along, a hinge under it, a plain grip."""
    h, w = room.px(rng.uniform(140, 190)), room.px(rng.uniform(190, 260) * rng.uniform(0.75, 1.0))
    barrel = np.zeros((h, w), dtype=np.float32)
    wide, long = max(3, int(0.26 * h)), max(3, int(0.68 * w))
    barrel[:wide, :long] = shape.shell(long, wide, float(rng.uniform(0.15, 0.3))).T
    breech = shape.polygon(h, w, ((0.64, 0.0), (0.86, 0.04), (0.9, 0.34), (0.6, 0.36)))
    hinge = shape.polygon(h, w, ((0.42, 0.26), (0.56, 0.26), (0.54, 0.4), (0.46, 0.4)))
    grip = shape.polygon(h, w, ((0.7, 0.34), (0.88, 0.32), (1.0, 0.96), (0.84, 1.0)))
    steel = float(rng.uniform(9, 14))
    return [Part(barrel, STEEL, 1.6 * steel), Part(breech + 0.8 * hinge, STEEL, 0.7 * steel), Part(grip, POLYMER, 3.0)]


def lever_gun(room: Room, rng: Generator) -> list[Part]:
    """Give a repeating rifle: a tube of cartridges under its long barrel, a lever that loops below the receiver, a straight stock."""
    h, w = room.px(rng.uniform(130, 190)), room.px(rng.uniform(880, 1080) * rng.uniform(0.75, 1.0))
    barrel = shape.polygon(h, w, ((0.0, 0.06), (0.58, 0.06), (0.58, 0.2), (0.0, 0.18)))
    tube = shape.polygon(h, w, ((0.03, 0.24), (0.56, 0.24), (0.56, 0.38), (0.03, 0.36)))
    receiver = shape.polygon(h, w, ((0.54, 0.04), (0.72, 0.06), (0.72, 0.5), (0.54, 0.46)))
    lever = np.zeros_like(barrel)
    down, across = max(3, int(0.42 * h)), max(3, int(0.13 * w))
    lever[int(0.46 * h) : int(0.46 * h) + down, int(0.62 * w) : int(0.62 * w) + across] = shape.ring(down, across, 0.78)
    stock = shape.polygon(h, w, ((0.7, 0.1), (1.0, 0.46), (1.0, 0.98), (0.7, 0.5)))
    steel = float(rng.uniform(9, 16))
    works = [Part(barrel + tube, STEEL, steel), Part(receiver, STEEL, 1.4 * steel), Part(lever, STEEL, 6.0)]
    return [*works, Part(stock, WOOD, float(rng.uniform(2.5, 5.0)))]


def dismantled_gun(room: Room, rng: Generator) -> list[Part]:
    """Give a gun taken to pieces: barrel, receiver and stock beside one another."""
    h, w = room.px(rng.uniform(230, 330)), room.px(rng.uniform(480, 700))
    at = float(rng.uniform(0.0, 0.12))
    barrel = shape.polygon(h, w, ((at, 0.04), (1.0, 0.05), (1.0, 0.15), (at, 0.14)))
    fore = shape.polygon(h, w, ((0.1, 0.26), (0.42, 0.24), (0.42, 0.42), (0.12, 0.4)))
    receiver = shape.polygon(h, w, ((0.5, 0.24), (0.9, 0.24), (0.96, 0.34), (0.9, 0.48), (0.5, 0.44)))
    stock = shape.polygon(h, w, ((0.08, 0.62), (0.4, 0.56), (0.86, 0.6), (0.86, 0.98), (0.5, 0.78), (0.1, 0.74)))
    steel = float(rng.uniform(9, 16))
    return [Part(barrel, STEEL, steel), Part(receiver, STEEL, 1.2 * steel), Part(fore + stock, WOOD, float(rng.uniform(2.5, 4.5)))]


def hooked_knife(room: Room, rng: Generator) -> list[Part]:
    """Give a knife whose blade is a claw, with a ring for the finger at the other end."""
    side = room.px(rng.uniform(130, 220))
    arc = shape.ring(side, side, float(rng.uniform(0.68, 0.8)))
    rows, columns = np.mgrid[0:side, 0:side] / side - 0.5
    angle = np.arctan2(rows, columns)
    is_blade = (angle > -3.0) & (angle < -1.2)
    blade = np.where(is_blade, arc * np.clip((angle + 3.1) / 0.9, 0.35, 1.0), 0.0).astype(np.float32)
    handle = np.where((angle >= -1.2) & (angle < 0.5), arc, 0.0).astype(np.float32)
    finger = np.zeros_like(arc)
    small = max(3, side // 5)
    finger[side // 2 + small // 2 : side // 2 + small // 2 + small, -small:] = shape.ring(small, small, 0.6)
    steel = float(rng.uniform(1.8, 3.4))
    return [Part(blade + finger, STEEL, steel), Part(handle, POLYMER, float(rng.uniform(1.2, 2.2))), Part(0.8 * handle, STEEL, steel)]


def push_dagger(room: Room, rng: Generator) -> list[Part]:
    """Give a dagger held in the fist: a grip across the foot of a short blade."""
    h, w = room.px(rng.uniform(70, 100)), room.px(rng.uniform(120, 200))
    blade = shape.polygon(h, w, ((0.0, 0.5), (0.2, 0.3), (0.68, 0.28), (0.68, 0.72), (0.2, 0.7)))
    neck = shape.polygon(h, w, ((0.66, 0.42), (0.84, 0.42), (0.84, 0.58), (0.66, 0.58)))
    grip = shape.polygon(h, w, ((0.82, 0.0), (1.0, 0.0), (1.0, 1.0), (0.82, 1.0)))
    steel = float(rng.uniform(2.0, 3.4))
    return [Part(blade + neck, STEEL, steel), Part(grip, POLYMER, float(rng.uniform(1.4, 2.4))), Part(0.5 * grip, STEEL, steel)]


def round_flask(room: Room, rng: Generator) -> list[Part]:
    """Give a ball of glass with a narrow neck, as of a laboratory."""
    side = room.px(rng.uniform(105, 210))
    neck_h, neck_w = max(2, side // 3), max(2, side // 5)
    wall, liquid = (np.zeros((side + neck_h, side), dtype=np.float32) for _ in range(2))
    outer = shape.ball(side, side)
    inner = np.zeros_like(outer)
    rim = max(1, side // 18)
    inner[rim : side - rim, rim : side - rim] = shape.ball(side - 2 * rim, side - 2 * rim)
    wall[neck_h:] = np.maximum(outer - inner, 0.0) + 0.04 * outer
    left = (side - neck_w) // 2
    wall[:neck_h, left : left + neck_w] = shape.shell(neck_h, neck_w, 0.3) * np.float32(neck_w / side)
    liquid[neck_h:] = inner * (np.arange(side)[:, None] > rng.uniform(0.05, 0.5) * side)
    depth_cm = side * room.pitch_mm / 10.0
    full = Part(liquid, draw_liquid(rng), depth_cm * float(rng.uniform(0.8, 1.1)))
    return [Part(wall, _GLASS, depth_cm * float(rng.uniform(1.0, 2.0))), full]


def pouch(room: Room, rng: Generator) -> list[Part]:
    """Give a soft bag of half a litre or more, lying on its side, with a stiff spout at a corner."""
    h, w = room.px(rng.uniform(150, 240)), room.px(rng.uniform(190, 320))
    body = shape.pillow(h, w, float(rng.uniform(2.0, 3.0)))
    spout = np.zeros_like(body)
    y, x = max(2, h // 7), max(2, w // 12)
    spout[: 2 * y, -2 * x : -x] = shape.cylinder(2 * y, x)
    skin = (body > 0.02).astype(np.float32) * 0.15 + spout
    return [Part(skin, POLYMER, 1.5), Part(body, draw_liquid(rng), float(rng.uniform(4.0, 8.0)))]


def sausages(room: Room, rng: Generator) -> list[Part]:
    """Give pressed rolls laid side by side, tied off at their ends."""
    count, h, w = int(rng.integers(2, 6)), room.px(rng.uniform(45, 80)), room.px(rng.uniform(220, 340))
    one = shape.cylinder(w, h).T.copy()
    ends = np.minimum(1.0, (0.5 + np.minimum(np.arange(w), np.arange(w)[::-1])) / max(1.0, 0.12 * w)) ** 0.5
    one *= ends[None, :].astype(np.float32)
    return packed(np.tile(one, (count, 1)), room, rng, 1.2)


def belt(room: Room, rng: Generator) -> list[Part]:
    """Give small slabs in a row with gaps between, as they are sewn into a belt."""
    count, h, w = int(rng.integers(4, 8)), room.px(rng.uniform(120, 190)), room.px(rng.uniform(45, 75))
    gap = max(1, room.px(12.0))
    patch = np.zeros((h + max(1, h // 4), count * (w + gap)), dtype=np.float32)
    for place in range(count):
        y = int(rng.integers(0, patch.shape[0] - h + 1))
        patch[y : y + h, place * (w + gap) : place * (w + gap) + w] = shape.pillow(h, w, 16.0)
    return packed(patch, room, rng)


def dumb_bell(room: Room, rng: Generator) -> list[Part]:
    """Give two drums of heavy metal on one thinner bar."""
    h, w = heavy_size(room, rng)
    patch = np.zeros((h, w), dtype=np.float32)
    end = max(1, int(w * rng.uniform(0.22, 0.34)))
    thin = max(1, int(h * rng.uniform(0.2, 0.4)))
    patch[(h - thin) // 2 : (h - thin) // 2 + thin] = shape.cylinder(w, thin).T * np.float32(thin / h)
    patch[:, :end] = patch[:, -end:] = shape.cylinder(end, h).T
    return cast(patch, room, rng)


def castle(room: Room, rng: Generator) -> list[Part]:
    """Give a wall of shielding bricks whose edges are notched into one another."""
    h, w = heavy_size(room, rng)
    patch = np.zeros((h, w), dtype=np.float32)
    rows = int(rng.integers(2, 4))
    for row in range(rows):
        y0, y1 = row * h // rows, max(row * h // rows + 1, (row + 1) * h // rows)
        notch = (w // 8) * (row % 2)
        patch[y0:y1, notch : max(notch + 1, w - w // 8 + notch)] = 1.0
    return cast(_with_a_hole(patch), room, rng)


def _with_a_hole(patch: Patch) -> Patch:
    """Give the wall with a little window in its middle."""
    h, w = patch.shape
    out = patch.copy()
    out[2 * h // 5 : 3 * h // 5, 2 * w // 5 : 3 * w // 5] *= np.float32(0.4)
    return out
