"""Things that must not be there, as areal density: they are drawn into a scene before the beam is computed.

Every label has several shape families. Some are held out: no bundle is trained on them, and test set S1 is made of them.
What tells the last three labels from ordinary contents is physical, and clutter keeps to the other side of it: a ``bottle`` is a vessel
of half a litre or more (clutter has smaller ones only, whatever is in them); ``bricks`` are pressed packets of organic matter above
5 g/cm2, wrapped and laid together (books and boxes of clutter stay below 4.5 g/cm2); ``dense`` is heavy metal that iron of that size
cannot imitate.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from numpy.random import Generator

from edge_agent.sim import contraband, shape, weapon
from edge_agent.sim.part import Part, Room

LABELS = ("handgun", "rifle", "knife", "bottle", "bricks", "dense")
"""Labels of the detection bundle, in the order of its classes."""

CARGO_LABELS = ("handgun", "rifle", "bricks", "dense")
PARCEL_LABELS = ("handgun", "knife", "bottle", "bricks", "dense")
VEHICLE_LABELS = ("handgun", "rifle", "bricks", "dense")

Builder: TypeAlias = Callable[[Room, Generator], list[Part]]

SHAPES: Mapping[str, tuple[tuple[Builder, ...], tuple[Builder, ...]]] = {
    "handgun": ((weapon.pistol, weapon.pistol, weapon.pocket_pistol), (weapon.revolver, weapon.machine_pistol)),
    "rifle": ((weapon.assault_rifle, weapon.hunting_gun), (weapon.bullpup, weapon.folded_gun)),
    "knife": ((weapon.dagger, weapon.kitchen_knife, weapon.folding_knife), (weapon.machete, weapon.cleaver)),
    "bottle": ((contraband.necked_bottle, contraband.flask), (contraband.jerrycan,)),
    "bricks": ((contraband.packets, contraband.leaning_packets), (contraband.loose_bags,)),
    "dense": ((contraband.ingot, contraband.pig), (contraband.tube,)),
}
"""Builders by label: those that are drawn in training, and those held out."""

_FREELY_TURNED = ("handgun", "rifle", "knife", "bottle")


def build(label: str, room: Room, rng: Generator, *, held_out: bool = False) -> list[Part]:
    """Give the parts of a threat of this label, turned as it happens to lie. All parts have one shape.

    Raises:
        KeyError: there is no such label.
    """
    builders = SHAPES[label][held_out]
    parts = builders[int(rng.integers(0, len(builders)))](room, rng)
    if rng.random() < 0.5:
        parts = [Part(part.patch[:, ::-1], part.mix, part.areal) for part in parts]
    angle = float(rng.uniform(0, 360)) if label in _FREELY_TURNED else float(rng.choice((0.0, 90.0)) + rng.normal(0, 4))
    return [Part(shape.turned(part.patch, angle), part.mix, part.areal) for part in parts]
