"""A simulated scanner: from a seed and a number to the files of one scan, in the manner of a profile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from edge_agent.formats.encode import jpeg_bytes, png_bytes, tiff_bytes
from edge_agent.sim.display import draw_palette, draw_rendering, pseudo_colour, render
from edge_agent.sim.goods import LOADS
from edge_agent.sim.machine import Machine, draw_machine, expose, expose_high
from edge_agent.sim.scenario import scenario_scene
from edge_agent.sim.scene import Scene, cargo_scene, draw_plan, draw_threats, parcel_scene, vehicle_scene
from edge_agent.sim.sidecar import Particulars, dataform_sidecar, json_sidecar

_FOREIGN_SHARE = 0.3
_MOST_TRIES = 8
_CARGO_MM, _PARCEL_MM = 5.0, 1.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a simulated scanner is to make. ``seed``: of the scanner; ``threat_share``: share of the scans with something to find.

    ``scenario``: this fixed scene instead of drawn ones; then the concealed goods are there if ``threat_share`` is above 0.
    """

    profile: str
    seed: int
    threat_share: float = 0.3
    scenario: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """One file of a scan."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Shot:
    """One scan as files. ``rewritten``: the side-car as it is written a second time. ``truth``: what is in it, as JSON values."""

    key: str
    pictures: tuple[File, ...]
    sidecar: File
    rewritten: File
    truth: Mapping[str, object]


def shoot(order: Order, number: int, taken_at: datetime) -> Shot:
    """Give scan ``number`` of a scanner. The same order, number and time give the same bytes.

    Raises:
        KeyError: there is no such profile or scenario. ValueError: a scenario is a cargo scene, and the profile is of parcels.
    """
    if order.scenario is not None and order.profile not in CARGO_PROFILES:
        raise ValueError(f"scenarios are cargo scenes; {order.profile} does not scan cargo")
    rng = default_rng((order.seed, number))
    return PROFILES[order.profile](order, number, taken_at, rng)


def _cargo(order: Order, number: int, taken_at: datetime, rng: Generator) -> Shot:
    scene, machine = _cargo_scene(order, rng), _machine(order)
    high, low = expose(scene, machine, rng)
    key = f"SIM{order.seed:04d}-{number:05d}"
    pictures = (File(f"{key}_high.tif", tiff_bytes(high)), File(f"{key}_low.tif", tiff_bytes(low)))
    return _with_json(scene, key, taken_at, pictures, machine.beam_words(scene))


def _parcel(order: Order, number: int, taken_at: datetime, rng: Generator) -> Shot:
    scene, machine = _parcel_scene(order, rng), _machine(order)
    high, low = expose(scene, machine, rng)
    key = f"PAR{order.seed:04d}-{number:05d}"
    pictures = (File(f"{key}_high.png", png_bytes(high)), File(f"{key}_low.png", png_bytes(low)))
    return _with_json(scene, key, taken_at, pictures, machine.beam_words(scene))


def _coloured_parcel(order: Order, number: int, taken_at: datetime, rng: Generator) -> Shot:
    scene, machine = _parcel_scene(order, rng), _machine(order)
    shades = draw_palette(default_rng((order.seed, 2**31 + 1)))
    key = f"COL{order.seed:04d}-{number:05d}"
    picture = File(f"{key}_colour.png", png_bytes(pseudo_colour(*expose(scene, machine, rng), shades)))
    return _with_json(scene, key, taken_at, (picture,), machine.beam_words(scene))


def _vehicle(order: Order, number: int, taken_at: datetime, rng: Generator) -> Shot:
    scene = vehicle_scene(_CARGO_MM, rng)
    if rng.random() < order.threat_share:
        scene = _guilty(scene, rng)
    machine = _machine(order)
    high, low = expose(scene, machine, rng)
    key = f"VEH{order.seed:04d}-{number:05d}"
    pictures = (File(f"{key}_high.tif", tiff_bytes(high)), File(f"{key}_low.tif", tiff_bytes(low)))
    return _with_json(scene, key, taken_at, pictures, machine.beam_words(scene))


def _smiths(order: Order, number: int, taken_at: datetime, rng: Generator) -> Shot:
    scene = _cargo_scene(order, rng)
    shown = render(expose_high(scene, _machine(order), rng), replace(draw_rendering(rng), dark_columns=0.0))
    key = f"{taken_at:%Y%m%d}{order.seed % 10**6:06d}{number % 10**4:04d}"
    picture = File(f"{key}S.jpg", _jpeg(shown))
    about = Particulars(key, taken_at, "", (picture.name,))
    sidecar = File(f"{key}.xml", dataform_sidecar(scene, about))
    rewritten = File(sidecar.name, dataform_sidecar(scene, replace(about, revision=1)))
    return Shot(key, (picture,), sidecar, rewritten, _truth(scene, key))


PROFILES: Mapping[str, Callable[[Order, int, datetime, Generator], Shot]] = {
    "sim-cargo": _cargo,
    "sim-parcel": _parcel,
    "sim-parcel-colour": _coloured_parcel,
    "sim-vehicle": _vehicle,
    "smiths-dataform": _smiths,
}
"""Simulated scanners by the profile that reads what they write."""

CARGO_PROFILES = ("sim-cargo", "smiths-dataform")
"""Those that scan containers."""


def _machine(order: Order) -> Machine:
    """Give the scanner of this seed: it keeps its faults from scan to scan."""
    return draw_machine(default_rng((order.seed, 2**31)))


def _cargo_scene(order: Order, rng: Generator) -> Scene:
    if order.scenario is not None:
        return scenario_scene(order.scenario, is_concealed=order.threat_share > 0.0, pitch_mm=_CARGO_MM)
    plan = draw_plan(rng)
    is_guilty = rng.random() < order.threat_share
    is_foreign = is_guilty and rng.random() < _FOREIGN_SHARE
    if is_foreign:
        plan = replace(plan, foreign=int(rng.choice([place for place in LOADS if place not in plan.loads])))
    scene = cargo_scene(plan, _CARGO_MM, rng)
    return _guilty(scene, rng) if is_guilty and not is_foreign else scene


def _parcel_scene(order: Order, rng: Generator) -> Scene:
    scene = parcel_scene(_PARCEL_MM, rng)
    return _guilty(scene, rng) if rng.random() < order.threat_share else scene


def _guilty(scene: Scene, rng: Generator) -> Scene:
    """Draw threats until one has found a place: a large one may not fit into a small parcel."""
    for _ in range(_MOST_TRIES):
        guilty = draw_threats(scene, rng)
        if guilty.hidden:
            return guilty
    return scene


def _with_json(scene: Scene, key: str, taken_at: datetime, pictures: tuple[File, ...], beam: str) -> Shot:
    about = Particulars(key, taken_at, beam, tuple(file.name for file in pictures))
    sidecar = File(f"{key}.json", json_sidecar(scene, about))
    rewritten = File(sidecar.name, json_sidecar(scene, replace(about, revision=1)))
    return Shot(key, pictures, sidecar, rewritten, _truth(scene, key))


def _truth(scene: Scene, key: str) -> dict[str, object]:
    return {
        "key": key,
        "kind": "synthetic",
        "identifier": scene.identifier,
        "declared": [item.hs for item in scene.declared],
        "families": list(scene.families),
        "vehicle": scene.vehicle,
        "load_kg": round(scene.load_kg, 1),
        "pitch_mm": scene.pitch_mm,
        "size_px": [int(scene.goods.shape[1]), int(scene.goods.shape[0])],
        "hidden": [{"label": found.label, "box": list(found.box)} for found in scene.hidden],
    }


def _jpeg(shown: NDArray[np.uint8]) -> bytes:
    return jpeg_bytes(shown, quality=88)
