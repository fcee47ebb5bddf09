"""A whole scene: matter in the beam, what it is, what was declared, and what was hidden in it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_agent.sim import chassis, container, parcel, truth, vehicle
from edge_agent.sim.canvas import Canvas, Region
from edge_agent.sim.goods import AIR, EMPTY, FAMILIES, FOREIGN, HELD_OUT, LOADS, STRUCTURE, family, map_class
from edge_agent.sim.identifier import container_number
from edge_agent.sim.material import BASIS, index
from edge_agent.sim.packing import stow
from edge_agent.sim.part import Room
from edge_agent.sim.threat import CARGO_LABELS, LABELS, PARCEL_LABELS, VEHICLE_LABELS, Shapes, build
from edge_agent.sim.truth import Box

VEHICLES = ("car", "van", "truck", "bus")
"""Kinds of vehicles that are scanned as subjects of their own."""

SEEN_AT = 0.2
"""From this areal density on, g/cm2, a pixel belongs to a threat."""
_MOST_TRIES = 20
_FLOOR_RISE = (0.03, 0.32)


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
    uint8, 1 + place in ``hidden`` where that is, else 0. ``room``: px rectangle in which things can be hidden. ``families``: what
    is loaded; ``declared``: what was said. ``identifier``: container, parcel or vehicle number. ``load_kg``: mass of the goods and hidden
    things, as a weighbridge finds it: also of what lies below the picture's end, but of a window only what that shows; 0 for a vehicle
    without goods. ``vehicle``: which kind it is, where the subject is a vehicle.
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
    load_kg: float = 0.0
    vehicle: str | None = None

    @property
    def mass_kg(self) -> float:
        """Give the mass of everything in the picture: goods, container, chassis."""
        return float(self.areal.sum(dtype=np.float64)) * (self.pitch_mm / 10.0) ** 2 / 1000.0


@dataclass(frozen=True, slots=True)
class CargoPlan:
    """What to build. ``loads``: families from the front to the doors, by place; empty = an empty container.

    ``foreign``: a family that is loaded somewhere among the others without being declared. ``window_mm``: left edge and width of the
    part to draw (None = everything). ``margins_mm``: air at the left and right, above, and what is seen below the container (less than 0:
    the picture ends above its lower edge). ``slant``: see ``container.Container``. ``tilt``: fall of the picture to the right, as a share
    of the way; ``sway_mm``: how far the picture wavers up and down, as the scanner or the truck does not run evenly. ``floor_rise``: see
    ``container.Container``. ``packed``: how much more than usual of the goods lies behind one another.
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
    slant: float = 0.3
    tilt: float = 0.0
    sway_mm: float = 0.0
    floor_rise: float = 0.0
    packed: float = 1.0


def draw_plan(rng: Generator, held_out: bool = False) -> CargoPlan:  # noqa: FBT001, FBT002 - "which distribution", as elsewhere here
    """Draw an ordinary container: mostly one kind of goods, sometimes two, sometimes none.

    ``held_out``: put undeclared goods of a family between them that no bundle is trained on.
    """
    chance = rng.random()
    count = 0 if chance < 0.12 else 1 if chance < 0.82 else 2
    loads = tuple(int(place) for place in rng.choice(LOADS, count, replace=False))
    is_frozen = any(FAMILIES[place].packings[0] in ("frozen", "crates") for place in loads)
    is_reefer = bool(rng.random() < 0.85) if is_frozen else bool(not loads and rng.random() < 0.3)
    feet = 40 if is_reefer else int(rng.choice((20, 40, 45), p=(0.3, 0.62, 0.08)))
    stands_on_chassis = bool(rng.random() < 0.45)
    cab = stands_on_chassis and bool(rng.random() < 0.5)
    plan = CargoPlan(
        loads,
        int(rng.choice(HELD_OUT)) if held_out else None,
        feet,
        is_reefer or bool(rng.random() < 0.6),
        is_reefer,
        stands_on_chassis,
        cab,
        _draw_margins(rng, is_high_up=stands_on_chassis, has_cab=cab),
    )
    slant = float(rng.uniform(0.1, 0.46)) if rng.random() < 0.85 else 0.0
    if rng.random() < 0.3:
        return replace(plan, slant=slant)
    return replace(plan, slant=slant, tilt=float(rng.normal(0.0, 0.009)), sway_mm=float(rng.uniform(0.0, 14.0)))


def seen_from_above(plan: CargoPlan, rng: Generator) -> CargoPlan:
    """Draw how much of the floor shows; now and then none of it.

    A floor 2.4 m broad, seen from a source up to 1.5 m above it and 3 m away from the container, shows as up to a third of its height.
    """
    return replace(plan, floor_rise=float(rng.uniform(*_FLOOR_RISE))) if rng.random() < 0.8 else plan


def _draw_margins(rng: Generator, *, is_high_up: bool, has_cab: bool) -> tuple[float, float, float]:
    """Draw what is around the container: exports are often cut to it, and then often above its floor."""
    if is_high_up:
        side, above, below = float(rng.uniform(60, 300)), float(rng.uniform(40, 350)), float(rng.uniform(700, 1200))
        return side + (3600.0 if has_cab else 0.0), above, below
    if rng.random() < 0.6:
        below = float(rng.uniform(-500, 0) if rng.random() < 0.5 else rng.uniform(0, 250))
        return float(rng.uniform(0, 60)), float(rng.uniform(0, 60)), below
    return float(rng.uniform(60, 300)), float(rng.uniform(40, 350)), float(rng.uniform(0, 250))


def cargo_scene(plan: CargoPlan, pitch_mm: float, rng: Generator) -> Scene:
    """Build a container scene after a plan."""
    side, above, below = plan.margins_mm
    box = container.place(side, above, plan.feet, is_high=plan.is_high, is_reefer=plan.is_reefer, slant=plan.slant)
    box = replace(box, floor_rise=plan.floor_rise)
    left, width = plan.window_mm or (0.0, box.body.x1 + min(side, 400.0))
    canvas = Canvas(width, box.body.y1 + max(below, 0.0), pitch_mm, left)
    container.draw(canvas, box, rng)
    if plan.chassis or below > 120.0:
        chassis.draw(canvas, box, rng, has_cab=plan.cab)
    _stow_all(canvas, box, plan, rng)
    load_kg = sum(canvas.mass_kg(owner) for owner in canvas.owners if owner != STRUCTURE)
    declared = _declared(canvas, plan, rng)
    down = _waver(canvas, plan, rng)
    canvas.shift_columns(down)
    canvas.cut(box.body.y1 + below)
    room = truth.pixels(canvas, box.inside)
    goods = truth.goods_map(canvas, room, down)
    room = (room[0], room[1] + max(0, int(down.max())), room[2], min(room[3] + min(0, int(down.min())), canvas.height))
    loaded = tuple(family(place).name for place in plan.loads) or (FAMILIES[EMPTY].name,)
    hidden, mask = ((), np.zeros(goods.shape, dtype=np.uint8)) if plan.foreign is None else undeclared(canvas, plan.foreign)
    return Scene(
        pitch_mm,
        canvas.areal,
        goods,
        mask,
        room,
        loaded,
        declared,
        container_number(rng),
        is_cargo=True,
        hidden=hidden,
        load_kg=load_kg,
    )


def _waver(canvas: Canvas, plan: CargoPlan, rng: Generator) -> NDArray[np.int64]:
    """Give (w,) how many px lower than level each column is seen."""
    x = canvas.left_mm + np.arange(canvas.width) * canvas.pitch_mm
    middle = plan.margins_mm[0] + container.LENGTHS_MM[plan.feet] / 2
    wave = plan.sway_mm * np.sin(2 * np.pi * x / rng.uniform(1500, 7000) + rng.uniform(0, 6.3))
    down: NDArray[np.int64] = np.rint((plan.tilt * (x - middle) + wave) / canvas.pitch_mm).astype(np.int64)
    return down


def parcel_scene(pitch_mm: float, rng: Generator) -> Scene:
    """Build a parcel or a suitcase with clutter, in a tunnel picture with air around it."""
    width, height = float(rng.uniform(280, 720)), float(rng.uniform(180, 460))
    margin = rng.uniform(20, 80, 4)
    canvas = Canvas(width + margin[0] + margin[1], height + margin[2] + margin[3], pitch_mm)
    case = Region(float(margin[0]), float(margin[2]), float(margin[0]) + width, float(margin[2]) + height)
    parcel.draw(canvas, case, rng)
    blank = np.zeros((canvas.height, canvas.width), dtype=np.uint8)
    goods = np.full_like(blank, AIR)
    item = Item("9999", "postal consignment", round(max(0.1, canvas.mass_kg(parcel.CLUTTER)), 1), 1)
    number = f"SIM{int(rng.integers(0, 10**9)):09d}"
    mass = canvas.mass_kg(parcel.CLUTTER)
    return Scene(pitch_mm, canvas.areal, goods, blank, truth.pixels(canvas, case), (), (item,), number, is_cargo=False, load_kg=mass)


def vehicle_scene(pitch_mm: float, rng: Generator, kind: str | None = None) -> Scene:
    """Build a car, van, truck or bus in a drive-through portal; ``kind``: one of ``VEHICLES`` (drawn if not given)."""
    kind = kind or str(rng.choice(VEHICLES))
    body = vehicle.BODIES["cab" if kind == "truck" else kind]
    length, height = float(rng.uniform(*body.length_mm)), float(rng.uniform(*body.height_mm))
    trailer = float(rng.uniform(4200, 7600)) if kind == "truck" else 0.0
    margin, above, below = float(rng.uniform(100, 500)), float(rng.uniform(100, 700)), float(rng.uniform(20, 150))
    ground = above + max(height, 3500.0 if trailer else 0.0)
    canvas = Canvas(2 * margin + length + trailer, ground + below, pitch_mm)
    spot = Region(margin, ground - height, margin + length, ground)
    vehicle.draw_body(canvas, spot, "cab" if trailer else kind, STRUCTURE, rng)
    loads: tuple[int, ...] = ()
    if trailer:
        hold = vehicle.draw_box_body(canvas, Region(spot.x1, above, spot.x1 + trailer, ground), STRUCTURE, rng)
        loads = (int(rng.choice(LOADS)),) if rng.random() < 0.7 else ()
        for place in loads:
            stow(canvas, place, hold, 0.25, rng)
        spot = Region(spot.x0, hold.y0, hold.x1, ground)
    level = np.zeros(canvas.width, dtype=np.int64)
    goods = truth.goods_map(canvas, (0.0, 0.0, 0.0, 0.0), level)
    room = truth.pixels(canvas, replace(spot, y1=spot.y1 - 0.12 * height))
    number = f"SIM{int(rng.integers(0, 10**6)):06d}"
    names = tuple(family(place).name for place in loads)
    mass = sum(canvas.mass_kg(place) for place in loads)
    declared = tuple(_item(canvas, place, rng) for place in loads)
    blank = np.zeros(goods.shape, dtype=np.uint8)
    return Scene(pitch_mm, canvas.areal, goods, blank, room, names, declared, number, is_cargo=True, load_kg=mass, vehicle=kind)


def with_threats(scene: Scene, labels: tuple[str, ...], rng: Generator, shapes: Shapes = Shapes.KNOWN) -> Scene:
    """Give the same scene with threats drawn into it, each wholly within ``room`` and the picture; one that finds no place is left out."""
    for label in labels:
        stack = threat_stack(scene, label, rng, shapes)
        spot = _place(scene, (stack.shape[1], stack.shape[2]), rng)
        if spot is not None:
            scene = lay(scene, label, stack, spot)
    return scene


def lay(scene: Scene, label: str, stack: NDArray[np.float32], at: tuple[int, int]) -> Scene:
    """Give the scene with ``stack`` (materials, h, w) g/cm2 added to its matter at ``at`` (row, column), which must lie in the picture."""
    y, x = at
    window = (slice(y, y + stack.shape[1]), slice(x, x + stack.shape[2]))
    areal, goods, mask = scene.areal.copy(), scene.goods.copy(), scene.mask.copy()
    areal[(slice(None), *window)] += stack
    total = stack.sum(axis=0)
    is_seen = total > SEEN_AT
    hidden = (*scene.hidden, Hidden(label, truth.tight_box(is_seen, x, y)))
    mask[window][is_seen] = len(hidden)
    if scene.is_cargo:
        goods[window][total > truth.LOAD_AT] = FOREIGN
    load_kg = scene.load_kg + float(total.sum(dtype=np.float64)) * (scene.pitch_mm / 10.0) ** 2 / 1000.0
    return replace(scene, areal=areal, goods=goods, mask=mask, hidden=hidden, load_kg=load_kg)


def draw_threats(scene: Scene, rng: Generator, shapes: Shapes = Shapes.KNOWN, labels: tuple[str, ...] = ()) -> Scene:
    """Give the scene with one threat, sometimes two or three of the same label: of ``labels``, or as they fit this kind of scene."""
    label = str(rng.choice(labels or _labels(scene)))
    count = int(rng.choice((1, 2, 3), p=(0.8, 0.15, 0.05)))
    return with_threats(scene, (label,) * count, rng, shapes)


def _labels(scene: Scene) -> tuple[str, ...]:
    if scene.vehicle is not None:
        return VEHICLE_LABELS
    return CARGO_LABELS if scene.is_cargo else PARCEL_LABELS


def threat_stack(scene: Scene, label: str, rng: Generator, shapes: Shapes = Shapes.KNOWN) -> NDArray[np.float32]:
    """Give a threat's (materials, h, w) areal density, cut to its own bounds."""
    parts = build(label, Room(scene.pitch_mm, scene.is_cargo and scene.vehicle is None), rng, shapes)
    stack = np.zeros((len(BASIS), *parts[0].patch.shape), dtype=np.float32)
    for part in parts:
        for material, share in part.mix:
            stack[index(material)] += part.patch * np.float32(part.areal * share)
    seen = stack.sum(axis=0) > SEEN_AT
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return stack[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _place(scene: Scene, size: tuple[int, int], rng: Generator) -> tuple[int, int] | None:
    """Find a free place (y, x), among goods or in the body where there is any: nobody hides a thing in the open."""
    x0, y0, x1, y1 = (int(value) for value in scene.room)
    if y1 - y0 <= size[0] or x1 - x0 <= size[1]:
        return None
    is_threat = is_threat_at(scene)
    for attempt in range(_MOST_TRIES):
        y, x = int(rng.integers(y0, y1 - size[0])), int(rng.integers(x0, x1 - size[1]))
        window = (slice(y, y + size[0]), slice(x, x + size[1]))
        is_open = scene.is_cargo and attempt < _MOST_TRIES // 2 and bool(np.isin(scene.goods[window], (EMPTY, AIR)).mean() > 0.5)
        if not is_threat[window].any() and not is_open:
            return y, x
    return None


def is_threat_at(scene: Scene) -> NDArray[np.bool_]:
    """Tell (h, w) where a threat is; undeclared goods are none, and threats may lie in them."""
    places = [place for place, found in enumerate(scene.hidden, start=1) if found.label in LABELS]
    return np.isin(scene.mask, places)


def _stow_all(canvas: Canvas, box: container.Container, plan: CargoPlan, rng: Generator) -> None:
    """Stow the loads side by side, and the undeclared one in a gap between them."""
    inside = _loaded_part(box.inside, rng) if plan.loads else box.inside
    spots = [] if plan.foreign is None else [_foreign_spot(canvas, inside, rng)]
    if not plan.loads and not spots:
        container.leave_behind(canvas, box, rng)
    if len(plan.loads) == 1 and rng.random() < 0.12:  # a gap between two blocks of the same load
        spots.append(Region((x := float(rng.uniform(inside.x0, inside.x1))), inside.y0, x + float(rng.uniform(300, 1800)), inside.y1))
    edges = np.linspace(inside.x0, inside.x1, len(plan.loads) + 1)
    if len(plan.loads) == 2:
        edges[1] += rng.uniform(-0.2, 0.2) * inside.width
    for place, x0, x1 in zip(plan.loads, edges[:-1], edges[1:], strict=True):
        parts = [Region(float(x0), inside.y0, float(x1), inside.y1)]
        for spot in spots:
            parts = [piece for part in parts for piece in _around(part, spot)]
        for part in parts:
            stow(canvas, place, part, box.slant, rng, plan.packed)
    if plan.foreign is not None:
        stow(canvas, plan.foreign, spots[0], box.slant, rng, plan.packed)


def _loaded_part(inside: Region, rng: Generator) -> Region:
    """Give the stretch that is loaded: often some of the room stays free, mostly at the doors."""
    x0, x1 = inside.x0, inside.x1
    if rng.random() < 0.3:
        x1 -= inside.width * float(rng.uniform(0.0, 0.4))
    if rng.random() < 0.12:
        x0 += inside.width * float(rng.uniform(0.0, 0.3))
    return replace(inside, x0=x0, x1=x1)


def _foreign_spot(canvas: Canvas, inside: Region, rng: Generator) -> Region:
    """Give a stretch of the load, full height, that the window shows."""
    left = max(inside.x0, canvas.left_mm)
    right = min(inside.x1, canvas.left_mm + canvas.width * canvas.pitch_mm)
    width = min(float(rng.uniform(700, 2600)), max(right - left, 300.0))
    x0 = float(rng.uniform(left, max(left + 1.0, right - width)))
    return Region(x0, inside.y0, x0 + width, inside.y1)


def _around(part: Region, spot: Region) -> list[Region]:
    """Give what is left of ``part`` beside ``spot``; pieces too short for goods are dropped."""
    is_apart = spot.x0 >= part.x1 or spot.x1 <= part.x0
    pieces = [part] if is_apart else [replace(part, x1=spot.x0), replace(part, x0=spot.x1)]
    return [piece for piece in pieces if piece.width > 250.0]


def undeclared(canvas: Canvas, foreign: int) -> tuple[tuple[Hidden, ...], NDArray[np.uint8]]:
    """Give where the undeclared goods of a family lie, and the scene's mask of them; nothing if the window shows none."""
    seen = canvas.owned(map_class(foreign)) > truth.LOAD_AT
    hidden = (Hidden(f"goods.{family(foreign).name}", truth.tight_box(seen, 0, 0)),) if seen.any() else ()
    return hidden, seen.astype(np.uint8)


def _declared(canvas: Canvas, plan: CargoPlan, rng: Generator) -> tuple[Item, ...]:
    if not plan.loads:
        return (Item("0000", "empty", 0.0, 0),)
    return tuple(_item(canvas, place, rng) for place in plan.loads)


def _item(canvas: Canvas, place: int, rng: Generator) -> Item:
    """Give a declared line that is true within some per cent."""
    kilograms = round(canvas.mass_kg(map_class(place)) * float(rng.normal(1.0, 0.02)))
    return Item(str(rng.choice(family(place).headings)), family(place).words, float(kilograms), max(1, kilograms // 25))
