"""Whole scans: what calibration and the container-level test look at, through the runtime's own path.

Roles say what a scan is. Every scan is made from (seed, number), so that a scan can be made again alone.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from edge_agent.sim.goods import LOADS
from edge_agent.sim.machine import draw_machine, expose
from edge_agent.sim.scene import CargoPlan, Scene, cargo_scene, draw_plan, draw_threats, parcel_scene, seen_from_above, vehicle_scene
from edge_agent.sim.small_metal import SmallMetal, with_small_metal
from edge_agent.sim.threat import LABELS, Shapes
from training.camera import Camera, draw_camera
from training.tiles import IGNORED, MOST_BOXES, no_boxes, targets_of
from training.views import VIEW_MM

CONTAINER_MM = 5.0
CONTAINER = (2, 554, 1272)
"""Planes, rows and columns of every scan of the container-level test: 20-foot containers in one frame, 5 mm a pixel."""
GUILTY_OF_13 = 3
_FRAME_MM = (150.0, 120.0, 60.0)

LOOK_ALIKE_SEED, CALIBRATION_SEED, TEST_SEED = 76, 77, 78
DETECTION_ROLES = (
    "cargo-clean",
    "parcel-clean",
    "cargo-clean",
    "parcel-clean",
    "vehicle-clean",
    "cargo-threat",
    "parcel-threat",
    "vehicle-threat",
)
CONTENTS_ROLES = ("clean", "clean", "foreign", "clean", "overlay", "empty", "clean", "unknown")
"""What the scans are, in turn. ``overlay``: one small hidden thing, ``faint`` where it does not show at the network's pitch
(``detectability``), of a shape held out of training but for calibration, which must not choose by those; ``unknown``: goods held out."""

_DETECTION_MM, _CONTENTS_MM = 6.0, 8.0
_DISPLAY_SHARE = 0.35


def detection_scan(seed: int, number: int) -> tuple[str, Scene, Camera]:
    """Give role, scene and scanner of one scan for the detector. A threat that found no room leaves the scan clean."""
    rng = default_rng((seed, number, 0))
    role = DETECTION_ROLES[number % len(DETECTION_ROLES)]
    subject, _, state = role.partition("-")
    if subject == "parcel":
        scene = parcel_scene(float(rng.uniform(1.0, 1.8)), rng)
    else:
        scene = vehicle_scene(_DETECTION_MM, rng) if subject == "vehicle" else cargo_scene(draw_plan(rng), _DETECTION_MM, rng)
    if state == "threat":
        scene = draw_threats(scene, rng)
        role = role if scene.hidden else f"{subject}-clean"
    return role, scene, draw_camera(rng, 0.0 if subject == "parcel" else _DISPLAY_SHARE)


def contents_scan(seed: int, number: int) -> tuple[str, Scene, Camera]:
    """Give role, scene and scanner of one scan for the contents network.

    What is too large for the room left to it is not loaded (``scene.hidden`` is empty): such a load is clean.
    """
    rng = default_rng((seed, number, 1))
    role = CONTENTS_ROLES[number % len(CONTENTS_ROLES)]
    clean = scene = cargo_scene(_plan(role, rng), _CONTENTS_MM, rng)
    if role == "overlay":
        scene = draw_threats(clean, rng, Shapes.KNOWN if seed == CALIBRATION_SEED else Shapes.HELD_OUT)
    camera = draw_camera(rng, _DISPLAY_SHARE)
    if role in ("foreign", "overlay") and not scene.hidden:
        role = "clean"
    elif role == "overlay" and not _shows(clean, scene, camera):
        role = "faint"
    return role, scene, camera


def _shows(clean: Scene, guilty: Scene, camera: Camera) -> bool:
    """Tell whether anything that was hidden shows in what the contents network is given."""
    targets = targets_of(guilty, camera.channels(clean, VIEW_MM), camera.channels(guilty, VIEW_MM))
    return bool((targets[:, 0] != IGNORED).any())


def _plan(role: str, rng: Generator) -> CargoPlan:
    plan = seen_from_above(draw_plan(rng, held_out=role == "unknown"), rng)
    if role == "empty":
        return replace(plan, loads=())
    if not plan.loads:
        plan = replace(plan, loads=(int(rng.choice(LOADS)),))
    if role == "foreign":
        return replace(plan, foreign=int(rng.choice([place for place in LOADS if place not in plan.loads])))
    return plan


def container(number: int, rng: Generator) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Give one scan of the container-level test: (2, h, w) uint16 high and low plane, and boxes of the small metal in it.

    Of 13 scans 3 are guilty: metal of 15 to 40 cm behind at most 15 cm of steel.
    """
    boxes = no_boxes()
    if number % 13 < GUILTY_OF_13:
        scene = _with_metal(rng)
        for place, found in enumerate(scene.hidden[:MOST_BOXES]):
            boxes[place] = (float(LABELS.index(found.label)), *found.box)
    else:
        scene = _small_container(rng)
    planes = expose(scene, draw_machine(rng), rng)
    return np.stack([cv2.resize(plane, CONTAINER[:0:-1], interpolation=cv2.INTER_NEAREST) for plane in planes]), boxes


def _small_container(rng: Generator) -> Scene:
    plan = replace(draw_plan(rng), feet=20, is_high=False, is_reefer=False, chassis=False, cab=False, margins_mm=_FRAME_MM)
    return cargo_scene(plan, CONTAINER_MM, rng)


def _with_metal(rng: Generator) -> Scene:
    """Give a container with small metal in it; a load too thick for that is left out, as the definition says."""
    found: SmallMetal | None = None
    while found is None:
        found = with_small_metal(_small_container(rng), rng)
    return found.scene
