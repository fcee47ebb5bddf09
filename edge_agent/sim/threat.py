"""Things that must not be there, as areal density: they are drawn into a scene before the beam is computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Mix, Patch

LABELS = ("handgun", "rifle", "knife", "bottle", "bricks", "dense")
"""Labels of the detection bundle, in the order of its classes."""

CARGO_LABELS = ("handgun", "rifle", "bricks", "dense")
PARCEL_LABELS = ("handgun", "knife", "bottle", "bricks", "dense")

_STEEL: Mix = (("iron", 1.0),)
_POLYMER: Mix = (("polyethylene", 1.0),)
_ORGANIC: Mix = (("rdx", 1.0),)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One material of a threat: ``patch`` on the threat's own grid, ``areal`` g/cm2 where it is 1."""

    patch: Patch
    mix: Mix
    areal: float


@dataclass(frozen=True, slots=True)
class Room:
    """What a threat may look like here. ``pitch_mm``: mm a pixel; ``is_cargo``: stowed in bulk, deeper and larger."""

    pitch_mm: float
    is_cargo: bool

    def px(self, length_mm: float) -> int:
        """Give a length in pixels, at least two."""
        return max(2, round(length_mm / self.pitch_mm))


def build(label: str, room: Room, rng: Generator) -> list[Part]:
    """Give the parts of a threat of this label, turned as it happens to lie. All parts have one shape."""
    parts = _BUILDERS[label](room, rng)
    if rng.random() < 0.5:
        parts = [Part(part.patch[:, ::-1], part.mix, part.areal) for part in parts]
    angle = float(rng.uniform(0, 360)) if label in _FREELY_TURNED else float(rng.choice((0.0, 90.0)) + rng.normal(0, 4))
    return [Part(shape.turned(part.patch, angle), part.mix, part.areal) for part in parts]


_FREELY_TURNED = ("handgun", "rifle", "knife", "bottle")


def _handgun(room: Room, rng: Generator) -> list[Part]:
    length, height = rng.uniform(155, 235), rng.uniform(110, 155)
    squeeze = rng.uniform(0.62, 1.0)  # seen at an angle it is shorter and thicker
    h, w = room.px(height), room.px(length * squeeze)
    depth = 1.0 / squeeze
    slide = shape.polygon(h, w, ((0.0, 0.06), (1.0, 0.06), (1.0, 0.3), (0.02, 0.3)))
    barrel = shape.polygon(h, w, ((0.05, 0.11), (1.0, 0.11), (1.0, 0.2), (0.05, 0.2)))
    lean = rng.uniform(0.06, 0.2)
    grip = shape.polygon(h, w, ((0.62, 0.3), (0.97, 0.3), (min(1.0, 0.97 + lean), 1.0), (0.66 + lean, 1.0)))
    magazine = shape.polygon(h, w, ((0.68, 0.3), (0.9, 0.3), (0.92 + lean * 0.6, 0.96), (0.72 + lean, 0.96)))
    guard = shape.ring(max(3, h // 3), max(3, w // 4), 0.72)
    loop = np.zeros_like(slide)
    top, left = int(h * 0.28), int(w * 0.4)
    loop[top : top + guard.shape[0], left : left + guard.shape[1]] = guard[: h - top, : w - left]
    steel = float(rng.uniform(9.0, 15.0)) * depth
    is_polymer = rng.random() < 0.4
    grip_mix, grip_areal = (_POLYMER, 2.5) if is_polymer else (_STEEL, 8.0)
    return [
        Part(slide + 0.5 * barrel, _STEEL, steel),
        Part(grip, grip_mix, grip_areal * depth),
        Part(magazine, _STEEL, float(rng.uniform(4, 9)) * depth),
        Part(loop, _STEEL, 4.0 * depth),
    ]


def _rifle(room: Room, rng: Generator) -> list[Part]:
    length, height = rng.uniform(720, 1020), rng.uniform(190, 270)
    h, w = room.px(height), room.px(length * rng.uniform(0.75, 1.0))
    barrel = shape.polygon(h, w, ((0.0, 0.2), (0.5, 0.18), (0.5, 0.3), (0.0, 0.29)))
    receiver = shape.polygon(h, w, ((0.38, 0.1), (0.68, 0.1), (0.68, 0.42), (0.38, 0.42)))
    curve = rng.uniform(-0.1, 0.04)
    magazine = shape.polygon(h, w, ((0.44, 0.42), (0.53, 0.42), (0.53 + curve, 1.0), (0.42 + curve, 0.95)))
    grip = shape.polygon(h, w, ((0.62, 0.4), (0.68, 0.4), (0.73, 0.9), (0.67, 0.92)))
    stock = shape.polygon(h, w, ((0.68, 0.14), (1.0, 0.22), (1.0, 0.72), (0.94, 0.7), (0.68, 0.38)))
    guard = shape.polygon(h, w, ((0.18, 0.12), (0.4, 0.1), (0.4, 0.38), (0.2, 0.34)))
    wood: Mix = (("cellulose", 1.0),) if rng.random() < 0.5 else _POLYMER
    steel = float(rng.uniform(9, 18))
    return [
        Part(barrel, _STEEL, steel),
        Part(receiver, _STEEL, steel * float(rng.uniform(1.2, 1.9))),
        Part(magazine, _STEEL, float(rng.uniform(6, 13))),
        Part(grip + stock + guard, wood, float(rng.uniform(2.5, 5))),
    ]


def _knife(room: Room, rng: Generator) -> list[Part]:
    length, height = rng.uniform(180, 330), rng.uniform(26, 48)
    is_edge_on = rng.random() < 0.2
    h, w = room.px(9.0 if is_edge_on else height), room.px(length)
    blade = shape.polygon(h, w, ((0.0, 0.55), (0.16, 0.1), (0.62, 0.05), (0.62, 0.85), (0.2, 0.95)))
    handle = shape.polygon(h, w, ((0.6, 0.1), (1.0, 0.0), (1.0, 0.95), (0.6, 0.85)))
    tang = shape.polygon(h, w, ((0.6, 0.3), (0.96, 0.3), (0.96, 0.65), (0.6, 0.65)))
    steel = float(rng.uniform(1.4, 3.2)) * (6.0 if is_edge_on else 1.0)
    return [Part(blade, _STEEL, steel), Part(handle, _POLYMER, float(rng.uniform(1.2, 2.4))), Part(tang, _STEEL, steel * 0.8)]


def _bottle(room: Room, rng: Generator) -> list[Part]:
    width, height = rng.uniform(58, 95), rng.uniform(190, 320)
    h, w = room.px(height), room.px(width)
    neck_h, neck_w = int(h * rng.uniform(0.2, 0.34)), max(2, int(w * rng.uniform(0.28, 0.42)))
    outline = np.zeros((h, w), dtype=np.float32)
    liquid = np.zeros_like(outline)
    left = (w - neck_w) // 2
    wall = float(rng.uniform(0.06, 0.12))
    outline[neck_h:] = shape.shell(h - neck_h, w, wall)
    outline[:neck_h, left : left + neck_w] = shape.shell(neck_h, neck_w, min(0.6, wall * 3)) * neck_w / w
    level = neck_h + int((h - neck_h) * rng.uniform(0.0, 0.25))
    liquid[level:] = shape.cylinder(h - level, w)
    glass: Mix = (("silica", 1.0),) if rng.random() < 0.6 else _POLYMER
    contents: Mix = (("water", 1.0),) if rng.random() < 0.7 else (("rdx", 0.4), ("water", 0.6))
    return [Part(outline, glass, width / 10 * 2.4), Part(liquid, contents, width / 10 * float(rng.uniform(0.8, 1.1)))]


def _bricks(room: Room, rng: Generator) -> list[Part]:
    across, down = (int(n) for n in rng.integers(1, 4, 2)) if room.is_cargo else (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    width, height = rng.uniform(170, 270), rng.uniform(45, 150)
    h, w = room.px(height), room.px(width)
    one = shape.pillow(h, w, 14.0)
    one[-1:] *= 0.35
    one[:, -1:] *= 0.35
    patch = np.tile(one, (down, across))
    depth_cm = rng.uniform(20, 75) if room.is_cargo else rng.uniform(4, 11)
    packet: Mix = _ORGANIC if rng.random() < 0.7 else (("cellulose", 0.8), ("rdx", 0.2))
    return [Part(patch, packet, float(depth_cm * rng.uniform(1.0, 1.6)))]


def _dense(room: Room, rng: Generator) -> list[Part]:
    low, high = (90, 320) if room.is_cargo else (35, 120)
    h, w = room.px(rng.uniform(low, high)), room.px(rng.uniform(low, high))
    outer = (shape.block, shape.cylinder, shape.ball)[int(rng.integers(0, 3))](h, w)
    metal: Mix = (("lead", 1.0),) if rng.random() < 0.6 else (("tungsten", 1.0),)
    areal = float(rng.uniform(22, 90)) if room.is_cargo else float(rng.uniform(4, 25))
    return [Part(outer, metal, areal)]


_BUILDERS: Mapping[str, Callable[[Room, Generator], list[Part]]] = {
    "handgun": _handgun,
    "rifle": _rifle,
    "knife": _knife,
    "bottle": _bottle,
    "bricks": _bricks,
    "dense": _dense,
}
