"""Threats composed at random: what keeps a network from learning the simulator's few silhouettes by heart.

The families of ``weapon`` and ``contraband`` have an outline each. Here outlines are drawn: the widths of a blade or a vessel along its
axis, the parts of a gun and where they sit, the way packets lie. Everything is then bent, sheared and seen at an angle. Nothing is drawn
after a family that is held out (no drum, no magazine outside a pistol's grip or behind a rifle's, no creased can, no heap of soft bags,
no closed tube), so that test set S1 still asks for shapes that were never seen. Their sizes are seen: here are all that such things have;
and so are single traits of theirs, each without the others: packets are soft or lie in a heap, never both, heavy metal is hollow, but as a
box or a ball. Bricks of heavy metal and cakes of organic matter in the forms of heavy metal are drawn too: where both energies are at hand
the matter shall decide, not the outline.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_agent.sim import shape
from edge_agent.sim.canvas import Mix, Patch
from edge_agent.sim.chance import log_uniform
from edge_agent.sim.contraband import cast, draw_liquid, heavy_size, packed
from edge_agent.sim.part import POLYMER, STEEL, WOOD, Part, Room

_ALUMINIUM: Mix = (("aluminium", 1.0),)
_GLASS: Mix = (("silica", 1.0),)
_MOST_TILT = 1.05
"""Flat things are seen up to 60 degrees from face on: shorter by the cosine across the axis they are tilted about, and as much deeper."""
_LARGE_SHARE = 0.35
_ON_EDGE_SHARE = 0.15
_HEAPED_SHARE = 0.3
_SWAPPED_SHARE = 0.4


def blade(room: Room, rng: Generator) -> list[Part]:
    """Give a blade of any outline with a handle: straight, bent, toothed, ground thin towards its edge; face on or seen on its edge."""
    if rng.random() < _LARGE_SHARE:
        length, breadth = rng.uniform(260, 640), rng.uniform(50, 110)
    else:
        length, breadth = log_uniform(rng, 140, 640), log_uniform(rng, 18, 110)
    h, w = room.px(breadth * 1.6), room.px(length)
    heel = int(w * rng.uniform(0.45, 0.72))
    back, edge = _profile(heel, rng, 0.02), _profile(heel, rng, 0.02)
    teeth = rng.uniform(0.0, 0.12) * (rng.random() < 0.25) * (np.arange(heel) // max(2, room.px(6.0)) % 2)
    middle, half = h * 0.5, h * 0.31
    y = np.arange(h, dtype=np.float32)[:, None]
    above, below = middle - half * back, middle + half * (edge - teeth)
    steel = np.zeros((h, w), dtype=np.float32)
    depth = np.clip((below - y) / np.maximum(below - above, 1.0), 0.0, 1.0)
    steel[:, :heel] = ((y >= above) & (y <= below)) * (rng.uniform(0.3, 1.0) + (1.0 - rng.uniform(0.3, 1.0)) * depth)
    grip = np.zeros_like(steel)
    hand = min(half, room.px(rng.uniform(20, 34)) / 2) * (0.75 + 0.25 * _profile(w - heel, rng, 0.5))
    beside = np.abs(y - middle - rng.uniform(-1.0, 1.0) * max(0.0, half - hand.max()) * (rng.random() < 0.5))  # in line with the back, too
    grip[:, heel:] = beside <= np.maximum(hand, 0.75)
    tang = np.where(beside <= np.maximum(hand.mean() * rng.uniform(0.25, 0.9), 0.75), grip, 0.0).astype(np.float32)
    if rng.random() < 0.3:
        steel[:, heel : heel + max(1, room.px(8.0))] = np.abs(y - middle) <= half  # a guard
    parts = [Part(steel, STEEL, float(rng.uniform(1.2, 3.6))), Part(grip, _handle(rng), float(rng.uniform(1.0, 2.6)))]
    if rng.random() < 0.75:
        parts.append(Part(tang, STEEL, float(rng.uniform(0.8, 2.6))))
    if rng.random() >= _ON_EDGE_SHARE:
        return parts
    thick = room.px(rng.uniform(4, 14))
    return [_on_edge(part, thick) for part in parts]


def vessel(room: Room, rng: Generator) -> list[Part]:
    """Give a vessel of half a litre or more, round or square, of any outline from its cap to its bottom, more or less full."""
    width = log_uniform(rng, 75, 330)
    height = max(rng.uniform(140, 440), 9e5 / width**2 * rng.uniform(1.0, 1.6))
    h, w = room.px(height), room.px(width)
    radius = _profile(h, rng, 0.5, 0.7)
    neck = int(h * rng.uniform(0.0, 0.3))
    radius[:neck] *= np.linspace(rng.uniform(0.25, 0.9), 1.0, neck) ** 2 if neck else 1.0
    across = np.abs(np.linspace(-1.0, 1.0, w, dtype=np.float32))[None, :] / np.maximum(radius[:, None], 0.05)
    power = 2.0 if rng.random() < 0.55 else float(rng.uniform(6, 20))
    chord = np.power(np.maximum(1.0 - across**power, 0.0), 1.0 / power).astype(np.float32)
    wall = float(rng.uniform(0.03, 0.14))
    inner = np.power(np.maximum(1.0 - (across / (1.0 - wall)) ** power, 0.0), 1.0 / power) * (1.0 - wall)
    skin = np.maximum(chord - inner, 0.0).astype(np.float32)
    skin[-max(1, h // 40) :] += 0.4 * chord[-max(1, h // 40) :]
    if rng.random() < 0.4:
        cap = max(2, int(h * rng.uniform(0.03, 0.09)))
        skin[:cap] = np.maximum(skin[:cap], chord[:cap] * rng.uniform(0.3, 0.9))
    y = np.arange(h, dtype=np.float32)[:, None] + np.linspace(-1, 1, w, dtype=np.float32)[None, :] * h * rng.normal(0.0, 0.04)
    filled = (inner * (y > h * rng.uniform(0.03, 0.4))).astype(np.float32)
    depth_cm = width / 10 * (1.0 if power == 2.0 else float(rng.uniform(0.5, 1.0)))
    mix = (_GLASS, POLYMER, _ALUMINIUM)[int(rng.integers(0, 3))]
    return [
        Part(skin, mix, depth_cm * float(rng.uniform(1.0, 2.4))),
        Part(filled, draw_liquid(rng), depth_cm * float(rng.uniform(0.8, 1.1))),
    ]


def sidearm(room: Room, rng: Generator) -> list[Part]:
    """Give a pistol of any proportions, bare or with a silencer; its magazine, if it has one, is in the grip, at times a long one."""
    length = log_uniform(rng, 125, 380)
    h, w = room.px(length * rng.uniform(0.5, 0.85)), room.px(length)
    top, deep = rng.uniform(0.02, 0.12), rng.uniform(0.14, 0.42)
    muzzle, back = rng.uniform(0.0, 0.45), rng.uniform(0.9, 1.0)
    slide = shape.polygon(h, w, ((muzzle, top), (back, top), (1.0, top + deep), (muzzle + rng.uniform(0, 0.08), top + deep)))
    thin = rng.uniform(0.04, 0.1)
    barrel = _bar(h, w, (0.0, muzzle + 0.2), (top + deep * 0.3, top + deep * 0.3 + thin + rng.uniform(0.0, 0.12)))
    at, lean, broad = rng.uniform(0.5, 0.72), rng.uniform(-0.04, 0.24), rng.uniform(0.16, 0.32)
    is_long = rng.random() < 0.3
    foot = max(top + deep + 0.25, rng.uniform(0.55, 0.75) if is_long else rng.uniform(0.75, 1.0))
    corners = ((at, top + deep), (at + broad, top + deep), (at + broad + lean, foot), (at + lean + 0.03, foot))
    grip = shape.polygon(h, w, tuple((min(1.0, x), y) for x, y in corners))
    magazine = grip * _bar(h, w, (0.0, 1.0), (top + deep, rng.uniform(0.6 * foot, foot)))
    if is_long:  # it stands out below the grip
        left, right = at + lean + 0.03 + broad * rng.uniform(0.0, 0.3), at + lean + broad * rng.uniform(0.6, 1.0)
        on = lean * rng.uniform(0.0, 0.5)
        magazine += shape.polygon(h, w, ((left, foot), (min(1.0, right), foot), (min(1.0, right + on), 1.0), (min(0.98, left + on), 1.0)))
    guard = _loop(h, w, (top + deep, top + deep + rng.uniform(0.14, 0.26)), (at - rng.uniform(0.12, 0.26), at + 0.03))
    steel = float(rng.uniform(7, 15))
    grip_mix, grip_areal = ((POLYMER, rng.uniform(1.2, 3.5)), (WOOD, rng.uniform(1.2, 3.5)), (STEEL, 7.0))[int(rng.integers(0, 3))]
    return [
        Part(slide * np.float32(rng.uniform(0.4, 1.0)) + barrel, STEEL, steel),
        Part(grip, grip_mix, grip_areal),
        Part(magazine * np.float32(rng.random() < 0.4), STEEL, float(rng.uniform(3, 9))),
        Part(guard, STEEL, 4.0),
    ]


def long_gun(room: Room, rng: Generator) -> list[Part]:
    """Give a long gun of any proportions, its magazine (if any) before its grip: stocked, with a wire stock, or sawn off."""
    h, w = room.px(rng.uniform(110, 290)), room.px(rng.uniform(480, 1180))
    front, rear = rng.uniform(0.3, 0.5), rng.uniform(0.6, 0.75)
    top, deep = rng.uniform(0.08, 0.24), rng.uniform(0.14, 0.34)
    works = shape.polygon(h, w, ((front, top), (rear, top), (rear, top + deep), (front, top + deep * rng.uniform(0.7, 1.0))))
    tall = rng.uniform(0.05, 0.16)
    barrel = _bar(h, w, (0.0, front + 0.05), (top + deep * 0.3, top + deep * 0.3 + tall))
    begins = front * rng.uniform(0.3, 0.8)
    fore = shape.polygon(h, w, ((begins, top + 0.05), (front, top), (front, top + deep), (begins, top + deep * 0.9)))
    grip = _leaning(h, w, (rear - 0.08, rear - 0.01), (top + deep * 0.9, rng.uniform(0.6, 1.0)), rng.uniform(0.0, 0.08))
    end, drop = rng.uniform(0.85, 1.0), rng.uniform(0.0, 0.3)
    butt = min(1.0, top + drop + rng.uniform(0.3, 0.6))
    stock = shape.polygon(h, w, ((rear, top + 0.03), (end, top + drop), (end, butt), (rear, top + deep)))
    if rng.random() < 0.3:
        stock = np.where(shape.blurred(stock, max(1, h // 30)) < 0.97, stock, 0.0).astype(np.float32)  # only its rim: wire
    at = rng.uniform(front, max(front + 0.01, rear - 0.18))
    magazine = _leaning(h, w, (at, at + rng.uniform(0.05, 0.1)), (top + deep * 0.9, rng.uniform(0.55, 1.0)), rng.uniform(-0.1, 0.05))
    steel, furniture = float(rng.uniform(8, 18)), float(rng.uniform(2, 5))
    has_stock, has_magazine = rng.random() < 0.8, rng.random() < 0.7
    return [
        Part(barrel, STEEL, steel),
        Part(works, STEEL, steel * float(rng.uniform(1.0, 1.9))),
        Part(magazine * np.float32(has_magazine), STEEL, float(rng.uniform(5, 13))),
        Part(fore + grip + stock * np.float32(has_stock), _handle(rng), furniture),
    ]


def pile(room: Room, rng: Generator) -> list[Part]:
    """Give pressed packets of one size laid as it happened, in rows or a heap; or one cake in a form that heavy metal has."""
    h, w = room.px(rng.uniform(40, 170)), room.px(rng.uniform(110, 290))
    if rng.random() < _SWAPPED_SHARE:
        patch = _form(h, w, rng)
    else:
        patch = _heap(h, w, rng) if rng.random() < _HEAPED_SHARE else _rows(h, w, room, rng)
    return packed(patch, room, rng)


def _heap(h: int, w: int, rng: Generator) -> Patch:
    """Give stiff packets that lie over and beside one another."""
    reach = int(np.hypot(h, w)) + 1
    patch = np.zeros((reach + 2 * h, reach + 2 * w), dtype=np.float32)
    for _ in range(int(rng.integers(2, 7))):
        one = shape.turned(shape.pillow(h, w, float(rng.uniform(8, 24))) * np.float32(rng.normal(1.0, 0.06)), float(rng.normal(0.0, 30.0)))
        y, x = int(rng.integers(0, patch.shape[0] - one.shape[0] + 1)), int(rng.integers(0, patch.shape[1] - one.shape[1] + 1))
        window = patch[y : y + one.shape[0], x : x + one.shape[1]]
        np.maximum(window, one, out=window)
    return patch


def _rows(h: int, w: int, room: Room, rng: Generator) -> Patch:
    """Give packets in rows, steps or a cross, each a little turned or missing, stiff or soft, with gaps between."""
    down, across = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    gap = int(rng.integers(0, 2 + room.px(6.0)))
    step = int(rng.uniform(-0.5, 0.5) * w) if rng.random() < 0.3 else 0
    side = abs(step) * (down - 1)
    patch = np.zeros((down * (h + gap) + h, across * (w + gap) + side + w), dtype=np.float32)
    power = log_uniform(rng, 2.6, 24)
    for row in range(down):
        for column in range(across):
            if row + column > 0 and rng.random() < 0.12:
                continue
            one = shape.turned(shape.pillow(h, w, power) * np.float32(rng.normal(1.0, 0.06)), float(rng.normal(0.0, 3.0)))
            y = row * (h + gap)
            x = column * (w + gap) + (side if step < 0 else 0) + row * step
            one = one[: patch.shape[0] - y, : patch.shape[1] - x]
            window = patch[y : y + one.shape[0], x : x + one.shape[1]]
            np.maximum(window, one, out=window)
    return patch


def lump(room: Room, rng: Generator) -> list[Part]:
    """Give heavy metal of any form: wedges, rings along the beam, discs, shot in a box, a crooked block, a hollow one; or bricks of it."""
    h, w = heavy_size(room, rng)
    patch = _rows(max(2, h // 2), max(2, w // 2), room, rng) if rng.random() < _SWAPPED_SHARE else _form(h, w, rng)
    return cast(patch, room, rng)


def _form(h: int, w: int, rng: Generator) -> Patch:
    """Give one compact thing of any outline."""
    kind = int(rng.integers(0, 6))
    if kind == 5:  # hollow, with a wall all around: a box or a ball
        patch = _hollow(h, w, float(rng.uniform(0.3, 0.7)), is_round=bool(rng.random() < 0.5))
    elif kind == 0:
        patch = shape.ring(h, w, float(rng.uniform(0.3, 0.7)))
    elif kind == 1:
        patch = shape.disc(h, w)
    elif kind == 2:
        patch = shape.block(h, w) * np.linspace(rng.uniform(0.2, 0.8), 1.0, w, dtype=np.float32)[None, :]
    elif kind == 3:
        one = shape.ball(max(2, h // 4), max(2, w // 4))
        patch = np.tile(one, (4, 4))
    else:
        patch = shape.polygon(h, w, tuple((float(x), float(y)) for x, y in zip(rng.uniform(0, 1, 6), rng.uniform(0, 1, 6), strict=True)))
        patch = np.maximum(patch, shape.ball(h, w) * np.float32(0.8))
    return patch


def _hollow(h: int, w: int, bore: float, *, is_round: bool) -> Patch:
    """Give a closed box or ball whose hollow takes ``bore`` of each of its sides."""
    solid = shape.ball if is_round else shape.block
    patch = solid(h, w).copy()
    rows, columns = max(1, round(h * bore)), max(1, round(w * bore))
    y, x = (h - rows) // 2, (w - columns) // 2
    patch[y : y + rows, x : x + columns] -= np.float32(bore) * solid(rows, columns)
    return np.maximum(patch, 0.0).astype(np.float32)


def deformed(parts: list[Part], rng: Generator, *, is_flat: bool) -> list[Part]:
    """Give the same thing bent and sheared a little and, where it is flat, seen at an angle. All parts keep one grid."""
    height, width = parts[0].patch.shape
    tilt = float(np.cos(rng.uniform(0.0, _MOST_TILT))) if is_flat else 1.0
    new = (max(2, round(height * (tilt if rng.random() < 0.5 else 1.0))), max(2, round(width * float(rng.uniform(0.85, 1.15)))))
    y, x = np.meshgrid(np.linspace(0, 1, new[0]), np.linspace(0, 1, new[1]), indexing="ij")
    shear, bend, wave = rng.normal(0.0, 0.06), rng.normal(0.0, 0.03), rng.normal(0.0, 0.015)
    from_y = y + shear * (x - 0.5) + bend * (4 * (x - 0.5) ** 2 - 0.5) + wave * np.sin(6.3 * (x + rng.random()))
    from_x = x + rng.normal(0.0, 0.04) * np.sin(3.1 * x + 6.3 * rng.random()) + shear * (y - 0.5) * 0.5
    deeper = height / new[0] if is_flat else 1.0
    return [Part(_sampled(part.patch, from_y, from_x), part.mix, part.areal * deeper) for part in parts]


def _on_edge(part: Part, height: int) -> Part:
    """Give a part of the same mass whose height is seen along the beam: ``height`` px are left of it."""
    rows = part.patch.shape[0]
    seen = np.repeat(part.patch.mean(axis=0, keepdims=True), height, axis=0)
    return Part(seen, part.mix, part.areal * rows / height)


def _profile(length: int, rng: Generator, end: float, least: float = 0.45) -> NDArray[np.float32]:
    """Draw a smooth outline in 0 to 1 along an axis; ``end``: the least it starts with; ``least``: elsewhere."""
    knots = int(rng.integers(3, 7))
    values = rng.uniform(least, 1.0, knots)
    values[0] = rng.uniform(end, 1.0) if rng.random() < 0.6 else end
    drawn: NDArray[np.float32] = np.interp(np.linspace(0, knots - 1, length), np.arange(knots), values / values.max()).astype(np.float32)
    return drawn


def _bar(height: int, width: int, x: tuple[float, float], y: tuple[float, float]) -> Patch:
    return shape.polygon(height, width, ((x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])))


def _leaning(height: int, width: int, x: tuple[float, float], y: tuple[float, float], lean: float) -> Patch:
    return shape.polygon(height, width, ((x[0], y[0]), (x[1], y[0]), (x[1] + lean, y[1]), (x[0] + lean, y[1])))


def _loop(height: int, width: int, y: tuple[float, float], x: tuple[float, float]) -> Patch:
    """Give a ring of a few pixels in a window of the grid."""
    rows, columns = max(3, int((y[1] - y[0]) * height)), max(3, int((x[1] - x[0]) * width))
    out = np.zeros((height, width), dtype=np.float32)
    ring = shape.ring(rows, columns, 0.7)
    top, left = int(y[0] * height), max(0, int(x[0] * width))
    window = out[top : top + rows, left : left + columns]
    window[:] = ring[: window.shape[0], : window.shape[1]]
    return out


def _handle(rng: Generator) -> Mix:
    return (POLYMER, WOOD, POLYMER, _ALUMINIUM)[int(rng.integers(0, 4))]


def _sampled(patch: Patch, from_y: NDArray[np.float64], from_x: NDArray[np.float64]) -> Patch:
    """Give the patch read at shares of its sides (linear interpolation); beyond it there is nothing."""
    padded = np.pad(patch, 1)
    y = np.clip(from_y * patch.shape[0] + 0.5, 0.0, patch.shape[0] + 0.999)
    x = np.clip(from_x * patch.shape[1] + 0.5, 0.0, patch.shape[1] + 0.999)
    iy, ix = y.astype(int), x.astype(int)
    fy, fx = (y - iy).astype(np.float32), (x - ix).astype(np.float32)
    upper = padded[iy, ix] * (1 - fx) + padded[iy, ix + 1] * fx
    lower = padded[iy + 1, ix] * (1 - fx) + padded[iy + 1, ix + 1] * fx
    sampled: Patch = (upper * (1 - fy) + lower * fy).astype(np.float32)
    return sampled
