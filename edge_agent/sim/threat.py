"""Things that must not be there, as areal density: they are drawn into a scene before the beam is computed.

Every label has several shape families. Some are held out: no bundle is trained on them, and test set S1 is made of them; others are kept in
reserve for test set S3 (see ``reserve``).
What tells the last three labels from ordinary contents is physical, and clutter keeps to the other side of it: a ``bottle`` is a vessel
of half a litre or more (clutter has smaller ones only, whatever is in them); ``bricks`` are pressed packets of organic matter above
5 g/cm2, wrapped and laid together (books and boxes of clutter stay below 4.5 g/cm2, but for books on their spine, no broader than 4 cm);
``dense`` is heavy metal that iron of that size cannot imitate.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeAlias

from numpy.random import Generator

from edge_agent.sim import contraband, reserve, shape, variety, weapon
from edge_agent.sim.part import Part, Room

LABELS = ("handgun", "rifle", "knife", "bottle", "bricks", "dense")
"""Labels of the detection bundle, in the order of its classes."""

CARGO_LABELS = ("handgun", "rifle", "bricks", "dense")
PARCEL_LABELS = ("handgun", "knife", "bottle", "bricks", "dense")
VEHICLE_LABELS = ("handgun", "rifle", "bricks", "dense")

Builder: TypeAlias = Callable[[Room, Generator], list[Part]]

COMPOSED: Mapping[str, Builder] = {
    "handgun": variety.sidearm,
    "rifle": variety.long_gun,
    "knife": variety.blade,
    "bottle": variety.vessel,
    "bricks": variety.pile,
    "dense": variety.lump,
}


class Shapes(StrEnum):
    """Which shapes are drawn: of the known families, of those no bundle is trained on (two sets), or composed and deformed at random.

    ``ANY_FORM``: packets of organic matter in the forms of heavy metal as often as in their own, and the other way round: what a thing is
    cannot be told from its outline.
    """

    KNOWN = "known"
    HELD_OUT = "held-out"
    RESERVED = "reserved"
    VARIED = "varied"
    ANY_FORM = "any-form"


SHAPES: Mapping[Shapes, Mapping[str, tuple[Builder, ...]]] = {
    Shapes.KNOWN: {
        "handgun": (weapon.pistol, weapon.pistol, weapon.pocket_pistol),
        "rifle": (weapon.assault_rifle, weapon.hunting_gun),
        "knife": (weapon.dagger, weapon.kitchen_knife, weapon.folding_knife),
        "bottle": (contraband.necked_bottle, contraband.flask),
        "bricks": (contraband.packets, contraband.leaning_packets),
        "dense": (contraband.ingot, contraband.pig),
    },
    Shapes.HELD_OUT: {
        "handgun": (weapon.revolver, weapon.machine_pistol),
        "rifle": (weapon.bullpup, weapon.folded_gun),
        "knife": (weapon.machete, weapon.cleaver),
        "bottle": (contraband.jerrycan,),
        "bricks": (contraband.loose_bags,),
        "dense": (contraband.tube,),
    },
    Shapes.RESERVED: {
        "handgun": (reserve.derringer, reserve.flare_pistol),
        "rifle": (reserve.lever_gun, reserve.dismantled_gun),
        "knife": (reserve.hooked_knife, reserve.push_dagger),
        "bottle": (reserve.round_flask, reserve.pouch),
        "bricks": (reserve.sausages, reserve.belt),
        "dense": (reserve.dumb_bell, reserve.castle),
    },
}
"""Builders by label; those of ``Shapes.VARIED`` are composed."""


_FLAT = ("handgun", "rifle", "knife")
_COMPOSED_SHARE = 0.6

_FREELY_TURNED = ("handgun", "rifle", "knife", "bottle")

_OF_MATTER = {"bricks": contraband.packed, "dense": contraband.cast}
TOLD_BY_MATTER = tuple(_OF_MATTER)
"""Labels that two energies tell apart where outlines do not."""


def build(label: str, room: Room, rng: Generator, shapes: Shapes = Shapes.KNOWN) -> list[Part]:
    """Give the parts of a threat of this label, turned as it happens to lie. All parts have one shape.

    Raises:
        KeyError: there is no such label.
    """
    parts = _parts(label, room, rng, shapes)
    if rng.random() < 0.5:
        parts = [Part(part.patch[:, ::-1], part.mix, part.areal) for part in parts]
    angle = float(rng.uniform(0, 360)) if label in _FREELY_TURNED else float(rng.choice((0.0, 90.0)) + rng.normal(0, 4))
    return [Part(shape.turned(part.patch, angle), part.mix, part.areal) for part in parts]


def _parts(label: str, room: Room, rng: Generator, shapes: Shapes) -> list[Part]:
    if shapes is Shapes.ANY_FORM and label in _OF_MATTER:
        form = _varied(str(rng.choice(TOLD_BY_MATTER)), room, rng)[0].patch
        return _OF_MATTER[label](form, room, rng)
    if shapes in (Shapes.VARIED, Shapes.ANY_FORM):
        return _varied(label, room, rng)
    return _drawn(SHAPES[shapes][label], room, rng)


def _drawn(builders: tuple[Builder, ...], room: Room, rng: Generator) -> list[Part]:
    return builders[int(rng.integers(0, len(builders)))](room, rng)


def _varied(label: str, room: Room, rng: Generator) -> list[Part]:
    is_composed = rng.random() < _COMPOSED_SHARE
    parts = COMPOSED[label](room, rng) if is_composed else _drawn(SHAPES[Shapes.KNOWN][label], room, rng)
    return variety.deformed(parts, rng, is_flat=label in _FLAT)
