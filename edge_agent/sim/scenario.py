"""Fixed scenes after finds that Indian Customs has published: goods hidden among others that were declared.

Each scene exists twice: with the concealed goods, and the same load with declared goods in their place. Outside that place the two are
the same to the last bit, so whatever a check says differently about them it says because of what is hidden.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import default_rng

from edge_agent.sim import container, truth
from edge_agent.sim.canvas import Canvas, Region
from edge_agent.sim.goods import CLASSES, STRUCTURE, family
from edge_agent.sim.identifier import container_number
from edge_agent.sim.loose import Load
from edge_agent.sim.packing import PACKINGS
from edge_agent.sim.scene import Item, Scene, undeclared

_MARGIN_MM, _ABOVE_MM, _BELOW_MM = 120.0, 100.0, 80.0
_FEET = 40
_SLANT = 0.28


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is declared, what is concealed in it, and where. ``words``: what it is about, for people.

    ``heading``, ``description``: the declared line. ``declared``, ``concealed``: names of families. ``place``: begin and end of the
    stretch of concealed goods, as shares of the inner length. ``fill``: height of the load as a share of the inner height.
    """

    words: str
    heading: str
    description: str
    declared: str
    concealed: str
    place: tuple[float, float]
    fill: float
    seed: int


SCENARIOS: Mapping[str, Scenario] = {
    "firecrackers": Scenario(
        "firecrackers in miscellaneous goods",
        "9505",
        "festive and miscellaneous articles",
        "miscellaneous",
        "fireworks",
        (0.4, 0.62),
        0.85,
        31,
    ),
    "cosmetics": Scenario("cosmetics among garments", "6109", "garments, knitted", "garments", "cosmetics", (0.5, 0.68), 0.88, 32),
    "cigarettes": Scenario("cigarettes in air fresheners", "3307", "air fresheners", "fresheners", "cigarettes", (0.3, 0.58), 0.85, 33),
}
"""Scenarios by name."""


def scenario_scene(name: str, *, is_concealed: bool = True, pitch_mm: float = 5.0) -> Scene:
    """Build a scenario's scene; ``is_concealed`` = False gives the same load without the concealed goods.

    ``Scene.hidden`` holds the expected region where goods are concealed. The same arguments give the same scene.

    Raises:
        KeyError: there is no such scenario.
    """
    scenario = SCENARIOS[name]
    box = container.place(_MARGIN_MM, _ABOVE_MM, _FEET, is_high=True, is_reefer=False, slant=_SLANT)
    canvas = Canvas(box.body.x1 + _MARGIN_MM, box.body.y1 + _BELOW_MM, pitch_mm)
    container.draw(canvas, box, default_rng((scenario.seed, 0)))
    declared, concealed = CLASSES.index(scenario.declared), CLASSES.index(scenario.concealed)
    x0, x1 = (box.inside.x0 + share * box.inside.width for share in scenario.place)
    top = box.inside.y1 - scenario.fill * box.inside.height
    stretches = ((box.inside.x0, x0, declared), (x0, x1, concealed if is_concealed else declared), (x1, box.inside.x1, declared))
    for order, (left, right, place) in enumerate(stretches, start=1):
        _stow(canvas, place, Region(left, top, right, box.inside.y1), (scenario.seed, order))
    room = truth.pixels(canvas, box.inside)
    goods = truth.goods_map(canvas, room, np.zeros(canvas.width, dtype=np.int64))
    kilograms = sum(canvas.mass_kg(owner) for owner in canvas.owners if owner != STRUCTURE)
    hidden, mask = undeclared(canvas, concealed) if is_concealed else ((), np.zeros(goods.shape, dtype=np.uint8))
    return Scene(
        pitch_mm,
        canvas.areal,
        goods,
        mask,
        room,
        (scenario.declared,),
        (Item(scenario.heading, scenario.description, float(round(kilograms)), max(1, round(kilograms / 20.0))),),
        container_number(default_rng((scenario.seed, 9))),
        is_cargo=True,
        hidden=hidden,
        load_kg=kilograms,
    )


def _stow(canvas: Canvas, place: int, region: Region, seed: tuple[int, int]) -> None:
    """Stow goods of a family in the middle of its usual density, in its commonest way."""
    what = family(place)
    PACKINGS[what.packings[0]](Load(canvas, region, what, place, sum(what.areal) / 2.0, _SLANT, default_rng(seed)))
