"""A whole scene: matter in the beam, what it is, what was declared, and what was hidden in it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_agent.sim import container, parcel
from edge_agent.sim.canvas import Canvas, Region
from edge_agent.sim.goods import AIR, EMPTY, FAMILIES, FOREIGN, LOADS, STRUCTURE
from edge_agent.sim.identifier import container_number
from edge_agent.sim.packing import stow
from edge_agent.sim.threat import CARGO_LABELS, PARCEL_LABELS, Room, build

_LOAD_AT = 2.0
_STRUCTURE_AT = 14.0
_MOST_TRIES = 20

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Item:
    """One declared line: heading, words, mass in kg, number of packages."""

    hs: str
    description: str
    gross_kg: float
    packages: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """Something that should not be there: its label, and its box (x0, y0, x1, y1) in px of the scene, half open."""

    label: str
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What the scanner will see.

    ``areal``: (materials, h, w) float32, g/cm2. ``goods``: (h, w) uint8, class of ``goods.CLASSES`` that dominates. ``mask``: (h, w)
    uint8, 1 + place in ``hidden`` where a threat is, else 0. ``room``: px rectangle in which things can be hidden. ``families``: what
    is loaded; ``declared``: what was said. ``identifier``: container or parcel number.
    """

    pitch_mm: float
    areal: NDArray[np.float32]
    goods: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    room: Box
    families: tuple[str, ...]
    declared: tuple[Item, ...]
    identifier: str
    is_cargo: bool
    hidden: tuple[Hidden, ...] = ()


@dataclass(frozen=True, slots=True)
class CargoPlan:
    """What to build. ``loads``: families from the front to the doors, by place; empty = an empty container.

    ``foreign``: a family that is loaded somewhere among the others without being declared. ``window_mm``: left edge and width of the
    part to draw (None = everything). ``margins_mm``: air at the left and right, above, and what is seen below the container.
    """

    loads: tuple[int, ...]
    foreign: int | None = None
    feet: int = 40
    is_high: bool = True
    is_reefer: bool = False
    chassis: bool = False
    cab: bool = False
    margins_mm: tuple[float, float, float] = (150.0, 120.0, 60.0)
    window_mm: tuple[float, float] | None = None


def draw_plan(rng: Generator) -> CargoPlan:
    """Draw an ordinary container: mostly one kind of goods, sometimes two, sometimes none."""
    chance = rng.random()
    count = 0 if chance < 0.1 else 1 if chance < 0.8 else 2
    loads = tuple(int(place) for place in rng.choice(LOADS, count, replace=False))
    is_frozen = any(FAMILIES[place].packing in ("cartons", "fruit") for place in loads)
    is_reefer = is_frozen if loads else bool(rng.random() < 0.3)
    feet = 40 if is_reefer else int(rng.choice((20, 40), p=(0.3, 0.7)))
    chassis = bool(rng.random() < 0.45)
    cab = chassis and bool(rng.random() < 0.5)
    is_cropped = not chassis and rng.random() < 0.5
    side, above = (
        (float(rng.uniform(0, 60)), float(rng.uniform(0, 60))) if is_cropped else (float(rng.uniform(60, 300)), float(rng.uniform(40, 350)))
    )
    below = float(rng.uniform(900, 1200)) if chassis else float(rng.uniform(0, 250))
    is_high = is_reefer or bool(rng.random() < 0.6)
    return CargoPlan(loads, None, feet, is_high, is_reefer, chassis, cab, (side + (3600.0 if cab else 0.0), above, below))


def cargo_scene(plan: CargoPlan, pitch_mm: float, rng: Generator) -> Scene:
    """Build a container scene after a plan."""
    side, above, below = plan.margins_mm
    box = container.place(side, above, plan.feet, is_high=plan.is_high, is_reefer=plan.is_reefer)
    left, width = plan.window_mm or (0.0, box.body.x1 + min(side, 400.0))
    canvas = Canvas(width, box.body.y1 + below, pitch_mm, left)
    container.draw(canvas, box, rng)
    if plan.chassis or below > 120.0:
        container.draw_chassis(canvas, box, rng, has_cab=plan.cab)
    _stow_all(canvas, box.inside, plan, rng)
    room = _pixels(canvas, box.inside)
    goods = _goods_map(canvas, room)
    hidden = _undeclared(canvas, plan.foreign)
    loaded = tuple(FAMILIES[place].name for place in plan.loads) or (FAMILIES[EMPTY].name,)
    declared = _declared(canvas, plan, rng)
    mask = np.zeros(goods.shape, dtype=np.uint8)
    return Scene(pitch_mm, canvas.areal, goods, mask, room, loaded, declared, container_number(rng), True, hidden)  # noqa: FBT003


def parcel_scene(pitch_mm: float, rng: Generator) -> Scene:
    """Build a parcel or a suitcase with clutter, in a tunnel picture with air around it."""
    width, height = float(rng.uniform(280, 720)), float(rng.uniform(180, 460))
    margin = rng.uniform(20, 80, 4)
    canvas = Canvas(width + margin[0] + margin[1], height + margin[2] + margin[3], pitch_mm)
    case = Region(float(margin[0]), float(margin[2]), float(margin[0]) + width, float(margin[2]) + height)
    parcel.draw(canvas, case, rng)
    blank = np.zeros((canvas.height, canvas.width), dtype=np.uint8)
    goods = np.full_like(blank, AIR)
    item = Item("9999", "postal consignment", round(float(rng.uniform(0.5, 23.0)), 1), 1)
    number = f"SIM{int(rng.integers(0, 10**9)):09d}"
    return Scene(pitch_mm, canvas.areal, goods, blank, _pixels(canvas, case), (), (item,), number, False)  # noqa: FBT003


def with_threats(scene: Scene, labels: tuple[str, ...], rng: Generator) -> Scene:
    """Give the same scene with threats drawn into it, each wholly within ``room`` and the picture; one that finds no place is left out."""
    areal, goods, mask = scene.areal.copy(), scene.goods.copy(), scene.mask.copy()
    hidden = list(scene.hidden)
    for label in labels:
        stack, shape_px = _threat_stack(scene, label, rng)
        spot = _place(scene, mask, shape_px, rng)
        if spot is None:
            continue
        y, x = spot
        window = (slice(y, y + shape_px[0]), slice(x, x + shape_px[1]))
        total = stack.sum(axis=0)
        areal[(slice(None), *window)] += stack
        is_seen = total > 0.2
        hidden.append(Hidden(label, _tight(is_seen, x, y)))
        mask[window][is_seen] = len(hidden)
        if scene.is_cargo:
            goods[window][total > _LOAD_AT] = FOREIGN
    return replace(scene, areal=areal, goods=goods, mask=mask, hidden=tuple(hidden))


def draw_threats(scene: Scene, rng: Generator) -> Scene:
    """Give the scene with one threat, sometimes two or three of the same label, as they fit this kind of scene."""
    label = str(rng.choice(CARGO_LABELS if scene.is_cargo else PARCEL_LABELS))
    count = int(rng.choice((1, 2, 3), p=(0.8, 0.15, 0.05)))
    return with_threats(scene, (label,) * count, rng)


def _threat_stack(scene: Scene, label: str, rng: Generator) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Give a threat's areal density by material, cut to its own bounds."""
    parts = build(label, Room(scene.pitch_mm, scene.is_cargo), rng)
    canvas = Canvas(parts[0].patch.shape[1], parts[0].patch.shape[0], 1.0)
    for part in parts:
        canvas.add(part.patch, (0.0, 0.0), part.mix, part.areal, FOREIGN)
    seen = canvas.areal.sum(axis=0) > 0.2
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    stack = canvas.areal[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return stack, (stack.shape[1], stack.shape[2])


def _place(scene: Scene, mask: NDArray[np.uint8], size: tuple[int, int], rng: Generator) -> tuple[int, int] | None:
    """Find a free place (y, x), among goods where there are any: nobody hides a thing in the open."""
    x0, y0, x1, y1 = (int(value) for value in scene.room)
    if y1 - y0 <= size[0] or x1 - x0 <= size[1]:
        return None
    for attempt in range(_MOST_TRIES):
        y, x = int(rng.integers(y0, y1 - size[0])), int(rng.integers(x0, x1 - size[1]))
        window = (slice(y, y + size[0]), slice(x, x + size[1]))
        is_open = scene.is_cargo and attempt < _MOST_TRIES // 2 and bool((scene.goods[window] == EMPTY).mean() > 0.5)
        if not mask[window].any() and not is_open:
            return y, x
    return None


def _tight(seen: NDArray[np.bool_], x: int, y: int) -> Box:
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return (float(x + columns[0]), float(y + rows[0]), float(x + columns[-1] + 1), float(y + rows[-1] + 1))


def _stow_all(canvas: Canvas, inside: Region, plan: CargoPlan, rng: Generator) -> None:
    """Stow the loads side by side, and the undeclared one in a gap between them."""
    if not plan.loads:
        if plan.foreign is not None:
            stow(canvas, plan.foreign, _foreign_spot(canvas, inside, rng), rng)
        return
    edges = np.linspace(inside.x0, inside.x1, len(plan.loads) + 1)
    if len(plan.loads) == 2:
        edges[1] += rng.uniform(-0.2, 0.2) * inside.width
    end = inside.x1 - (inside.width * float(rng.uniform(0.0, 0.35)) if rng.random() < 0.35 else 0.0)
    spot = None if plan.foreign is None else _foreign_spot(canvas, replace(inside, x1=end), rng)
    for place, x0, x1 in zip(plan.loads, edges[:-1], edges[1:], strict=True):
        for part in _around(Region(float(x0), inside.y0, min(float(x1), end), inside.y1), spot):
            stow(canvas, place, part, rng)
    if plan.foreign is not None and spot is not None:
        stow(canvas, plan.foreign, spot, rng)


def _foreign_spot(canvas: Canvas, inside: Region, rng: Generator) -> Region:
    """Give a stretch of the load, full height, that the window shows."""
    left = max(inside.x0, canvas.left_mm)
    right = min(inside.x1, canvas.left_mm + canvas.width * canvas.pitch_mm)
    width = min(float(rng.uniform(700, 2600)), max(right - left, 300.0))
    x0 = float(rng.uniform(left, max(left + 1.0, right - width)))
    return Region(x0, inside.y0, x0 + width, inside.y1)


def _around(part: Region, spot: Region | None) -> list[Region]:
    """Give what is left of ``part`` beside ``spot``; pieces too short for goods are dropped."""
    is_apart = spot is None or spot.x0 >= part.x1 or spot.x1 <= part.x0
    pieces = [part] if spot is None or is_apart else [replace(part, x1=spot.x0), replace(part, x0=spot.x1)]
    return [piece for piece in pieces if piece.width > 250.0]


def _undeclared(canvas: Canvas, foreign: int | None) -> tuple[Hidden, ...]:
    """Give where the undeclared goods lie; nothing if there are none, or none in the window."""
    if foreign is None or foreign not in canvas.owned:
        return ()
    seen = canvas.owned[foreign] > _LOAD_AT
    return (Hidden(f"goods.{FAMILIES[foreign].name}", _tight(seen, 0, 0)),) if seen.any() else ()


def _goods_map(canvas: Canvas, room: Box) -> NDArray[np.uint8]:
    goods = np.full((canvas.height, canvas.width), AIR, dtype=np.uint8)
    x0, y0, x1, y1 = (int(value) for value in room)
    goods[y0:y1, x0:x1] = EMPTY
    frame = canvas.owned.get(STRUCTURE)
    if frame is not None:
        goods[(frame > _STRUCTURE_AT) | ((goods == AIR) & (frame > 1.0))] = STRUCTURE
    loads = {owner: matter for owner, matter in canvas.owned.items() if owner != STRUCTURE}
    if loads:
        owners = np.array(sorted(loads), dtype=np.uint8)
        stack = np.stack([loads[int(owner)] for owner in owners])
        is_load = stack.max(axis=0) > _LOAD_AT
        goods[is_load] = owners[stack.argmax(axis=0)][is_load]
    return goods


def _declared(canvas: Canvas, plan: CargoPlan, rng: Generator) -> tuple[Item, ...]:
    if not plan.loads:
        return (Item("0000", "empty", 0.0, 0),)
    pixel_cm2 = (canvas.pitch_mm / 10.0) ** 2
    items = []
    for place in plan.loads:
        family = FAMILIES[place]
        matter = canvas.owned.get(place)
        mass_kg = 0.0 if matter is None else float(matter.sum()) * pixel_cm2 / 1000.0
        kilograms = round(mass_kg * float(rng.normal(1.0, 0.02)))
        items.append(Item(str(rng.choice(family.headings)), family.words, float(kilograms), max(1, kilograms // 25)))
    return tuple(items)


def _pixels(canvas: Canvas, region: Region) -> Box:
    """Give a region in whole px of the canvas, cut to it."""
    x0 = max(0, round((region.x0 - canvas.left_mm) / canvas.pitch_mm))
    x1 = min(canvas.width, round((region.x1 - canvas.left_mm) / canvas.pitch_mm))
    y0, y1 = round(region.y0 / canvas.pitch_mm), min(canvas.height, round(region.y1 / canvas.pitch_mm))
    return (float(x0), float(y0), float(max(x0, x1)), float(max(y0, y1)))
