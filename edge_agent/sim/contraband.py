"""Vessels, packets and heavy metal: threats that are told apart by how much of what lies in the beam."""

import numpy as np
from numpy.random import Generator

from edge_agent.sim import shape
from edge_agent.sim.canvas import Mix, Patch
from edge_agent.sim.part import POLYMER, STEEL, Part, Room

_GLASS: Mix = (("silica", 1.0),)
_WATER: Mix = (("water", 1.0),)
_OXIDISER: Mix = (("rdx", 0.4), ("water", 0.6))
_EXPLOSIVE: Mix = (("rdx", 1.0),)
_POWDER: Mix = (("cellulose", 0.8), ("rdx", 0.2))
_LEAD: Mix = (("lead", 1.0),)
_TUNGSTEN: Mix = (("tungsten", 1.0),)


def necked_bottle(room: Room, rng: Generator) -> list[Part]:
    """Give a bottle of half a litre to two litres with a neck, more or less full."""
    width, height = rng.uniform(64, 105), rng.uniform(200, 330)
    h, w = room.px(height), room.px(width)
    neck_h, neck_w = int(h * rng.uniform(0.2, 0.34)), max(2, int(w * rng.uniform(0.28, 0.42)))
    outline = np.zeros((h, w), dtype=np.float32)
    liquid = np.zeros_like(outline)
    left = (w - neck_w) // 2
    wall = float(rng.uniform(0.06, 0.12))
    outline[neck_h:] = shape.shell(h - neck_h, w, wall)
    outline[:neck_h, left : left + neck_w] = shape.shell(neck_h, neck_w, min(0.6, wall * 3)) * neck_w / w
    outline[-max(1, h // 40) :] += 0.4
    level = neck_h + int((h - neck_h) * rng.uniform(0.0, 0.25))
    liquid[level:] = shape.cylinder(h - level, w)
    glass = _GLASS if rng.random() < 0.6 else POLYMER
    return [Part(outline, glass, width / 10 * 2.4), Part(liquid, draw_liquid(rng), width / 10 * float(rng.uniform(0.8, 1.1)))]


def flask(room: Room, rng: Generator) -> list[Part]:
    """Give a square canister or a broad flask with a short cap."""
    width, height = rng.uniform(80, 150), rng.uniform(140, 260)
    h, w = room.px(height), room.px(width)
    cap_h, cap_w = max(2, h // 10), max(2, w // 3)
    wall = np.zeros((h, w), dtype=np.float32)
    wall[cap_h:] = shape.frame(h - cap_h, w, max(1, w // 25)) + 0.15
    wall[:cap_h, (w - cap_w) // 2 : (w - cap_w) // 2 + cap_w] = 1.0
    liquid = np.zeros_like(wall)
    level = cap_h + int((h - cap_h) * rng.uniform(0.05, 0.3))
    liquid[level:] = shape.pillow(h - level, w, 12.0)
    depth_cm = float(rng.uniform(5, 11))
    return [Part(wall, POLYMER, float(rng.uniform(1.5, 4.0))), Part(liquid, draw_liquid(rng), depth_cm * float(rng.uniform(0.8, 1.1)))]


def jerrycan(room: Room, rng: Generator) -> list[Part]:
    """Give a jerrycan of five to twenty litres with a handle above and crossed creases in its side."""
    width, height = rng.uniform(200, 330), rng.uniform(260, 440)
    h, w = room.px(height), room.px(width)
    body = np.zeros((h, w), dtype=np.float32)
    top = int(h * 0.16)
    body[top:] = shape.frame(h - top, w, max(1, w // 30)) + 0.25
    body[int(h * 0.04) : int(h * 0.08), int(w * 0.35) : int(w * 0.8)] = 1.2
    diagonal = np.abs(np.linspace(-1, 1, h - top)[:, None]) - np.abs(np.linspace(-1, 1, w)[None, :])
    body[top:][np.abs(diagonal) < 0.04] += 0.5
    liquid = np.zeros_like(body)
    level = top + int((h - top) * rng.uniform(0.03, 0.4))
    liquid[level:] = shape.pillow(h - level, w, 14.0)
    skin = POLYMER if rng.random() < 0.6 else STEEL
    return [Part(body, skin, float(rng.uniform(1.2, 2.4))), Part(liquid, draw_liquid(rng), float(rng.uniform(9, 17)))]


def packets(room: Room, rng: Generator) -> list[Part]:
    """Give pressed packets laid edge to edge, each in foil with tape across it."""
    across, down = _count(room, rng)
    one = _packet(room, rng)
    return packed(np.tile(one, (down, across)), room, rng)


def leaning_packets(room: Room, rng: Generator) -> list[Part]:
    """Give a stack of packets that do not lie exactly upon one another."""
    across, down = _count(room, rng)
    one = _packet(room, rng)
    h, w = one.shape
    slack = max(1, w // 6)
    patch = np.zeros((down * h, across * w + slack), dtype=np.float32)
    for row in range(down):
        x = int(rng.integers(0, slack + 1))
        patch[row * h : (row + 1) * h, x : x + across * w] = np.tile(one, (1, across)) * np.float32(rng.normal(1.0, 0.05))
    return packed(patch, room, rng)


def loose_bags(room: Room, rng: Generator) -> list[Part]:
    """Give a heap of soft bags of powder."""
    count = int(rng.integers(2, 6))
    h, w = room.px(rng.uniform(80, 160)), room.px(rng.uniform(120, 220))
    patch = np.zeros((2 * h, 2 * w), dtype=np.float32)
    for _ in range(count):
        y, x = int(rng.integers(0, h + 1)), int(rng.integers(0, w + 1))
        patch[y : y + h, x : x + w] = np.maximum(patch[y : y + h, x : x + w], shape.pillow(h, w, 2.4) * np.float32(rng.uniform(0.7, 1.2)))
    return packed(patch, room, rng)


def ingot(room: Room, rng: Generator) -> list[Part]:
    """Give a block, a cylinder or a ball of heavy metal."""
    h, w = heavy_size(room, rng)
    outer = (shape.block, shape.cylinder, shape.ball)[int(rng.integers(0, 3))](h, w)
    return cast(outer, room, rng)


def pig(room: Room, rng: Generator) -> list[Part]:
    """Give a shielding pot: thick walls of heavy metal, a little space inside."""
    h, w = heavy_size(room, rng)
    hollow = shape.cylinder(h, w).copy()
    y, x = h // 4, w // 4
    hollow[y : h - y, x : w - x] *= np.float32(rng.uniform(0.3, 0.7))
    return cast(hollow, room, rng)


def tube(room: Room, rng: Generator) -> list[Part]:
    """Give a long tube of heavy metal, closed at both ends."""
    h, w = heavy_size(room, rng)
    h, w = max(3, min(h, w) // 2), max(h, w)
    bore = shape.shell(w, h, float(rng.uniform(0.3, 0.6))).T.copy()
    ends = max(1, w // 12)
    bore[:, :ends] = bore[:, -ends:] = 0.9
    return cast(bore, room, rng, 1.3)


def _count(room: Room, rng: Generator) -> tuple[int, int]:
    most = 4 if room.is_cargo else 3
    return int(rng.integers(1, most)), int(rng.integers(1, most))


def _packet(room: Room, rng: Generator) -> Patch:
    h, w = room.px(rng.uniform(55, 150)), room.px(rng.uniform(170, 270))
    one = shape.pillow(h, w, 14.0)
    one[-1:] *= 0.35
    one[:, -1:] *= 0.35
    for place in rng.uniform(0.2, 0.8, 2):  # tape
        x = int(place * w)
        one[:, x : x + max(1, room.px(30))] *= np.float32(1.05)
    return one


def packed(form: Patch, room: Room, rng: Generator, times: float = 1.0) -> list[Part]:
    """Give organic matter of any form, ``times`` as deep as packets lie."""
    mix = _packet_mix(rng)
    return [Part(form, mix, _organic_areal(room, rng) * times)]


def cast(form: Patch, room: Room, rng: Generator, times: float = 1.0) -> list[Part]:
    """Give heavy metal of any form, ``times`` as deep as it mostly is."""
    mix = _heavy(rng)
    return [Part(form, mix, _heavy_areal(room, rng) * times)]


def _packet_mix(rng: Generator) -> Mix:
    """Draw what is in a pressed packet."""
    return _EXPLOSIVE if rng.random() < 0.7 else _POWDER


def _organic_areal(room: Room, rng: Generator) -> float:
    """Draw how deep packets lie, g/cm2: in bulk among cargo, above 5 in a parcel."""
    return float(rng.uniform(20, 75) * rng.uniform(1.0, 1.6)) if room.is_cargo else float(rng.uniform(5.0, 17.0))


def draw_liquid(rng: Generator) -> Mix:
    """Draw what is in a vessel."""
    return _WATER if rng.random() < 0.7 else _OXIDISER


def _heavy(rng: Generator) -> Mix:
    """Draw a heavy metal."""
    return _LEAD if rng.random() < 0.6 else _TUNGSTEN


def _heavy_areal(room: Room, rng: Generator) -> float:
    """Draw how deep heavy metal is, g/cm2."""
    return float(rng.uniform(22, 90)) if room.is_cargo else float(rng.uniform(4, 25))


def heavy_size(room: Room, rng: Generator) -> tuple[int, int]:
    """Draw height and width of heavy metal, px."""
    low, high = (90, 320) if room.is_cargo else (35, 120)
    return room.px(rng.uniform(low, high)), room.px(rng.uniform(low, high))
