"""Detector tiles from the simulator, with their targets.

Windows of cargo scenes at 5 mm a pixel and whole parcels at 2 mm, exposed twice with the same noise: as they are, and with threats
drawn in (a benign/threat pair). The planes go through the same ``density`` and ``resampled`` as at the runtime; tiles of 256 px are
cut, so that pairs lie next to each other in a pool. More threats are drawn than any real scan holds: a tile then teaches more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_agent.sim.scene import CargoPlan, Scene, cargo_scene, draw_plan, draw_threats, parcel_scene, vehicle_scene
from edge_agent.sim.threat import LABELS, Shapes
from training.camera import Channels, draw_camera
from training.detectability import ROSE, rose_index

TILE_PX = 256
CARGO_MM, PARCEL_MM = 5.0, 2.0
MOST_BOXES = 8
NONE, IGNORED = -1.0, -2.0
"""What stands for a class in a target row: no row, and a thing that is neither a target nor background."""

_PARCEL_SHARE, _VEHICLE_SHARE = 0.45, 0.06
_DISPLAY_SHARE, _COLOUR_SHARE = 0.35, 0.2
_WINDOW_MM = (1400.0, 2600.0)
_SCANNED_CARGO_MM, _SCANNED_PARCEL_MM = (4.2, 6.0), (1.0, 1.8)
_UNSEEN_CARGO_MM, _UNSEEN_PARCEL_MM = (6.2, 7.6), (1.9, 2.4)
"""Pixels of the scanners, before the network's grid."""
_MOST_DRAWS = 4
_WHOLE_ENOUGH = 0.35
_SLIVER_PX = 2.0
_LOOSE_PX = 24
"""How far a tile may stand out of the picture, where the runtime fills it with air."""

Tile = tuple[NDArray[np.float16], NDArray[np.float32]]
"""(2, 256, 256) float16 channels, and (MOST_BOXES, 5) float32 rows: class (or NONE, IGNORED), x0, y0, x1, y1 in px of the tile."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where scenes come from.

    ``held_out``: also goods kept out of training; ``unseen``: scanners kept out of training, with pixels, curves and colours of their own.
    ``threats``: of these labels only; empty: whatever fits a scene. ``parcels_only``: no cargo and no vehicles; ``both_energies``: only
    scanners that have two and export their planes.
    """

    shapes: Shapes = Shapes.KNOWN
    held_out: bool = False
    unseen: bool = False
    threats: tuple[str, ...] = ()
    parcels_only: bool = False
    both_energies: bool = False


TRAINING = Source()


def tiles_of(rng: Generator, source: Source = TRAINING) -> Iterator[Tile]:
    """Give some tiles of one random scene: around its threats, the same places without them, and one elsewhere."""
    clean = _scene(rng, source)
    guilty = clean
    for _ in range(int(rng.integers(1, _MOST_DRAWS + 1))):
        guilty = draw_threats(guilty, rng, source.shapes, source.threats)
    camera = draw_camera(rng, _DISPLAY_SHARE if clean.is_cargo else _COLOUR_SHARE, unseen=source.unseen)
    if source.both_energies:
        camera = replace(camera, is_display=False, is_single=False)
    pitch_mm = CARGO_MM if clean.is_cargo else PARCEL_MM
    before, after = camera.channels(clean, pitch_mm), camera.channels(guilty, pitch_mm)
    targets = targets_of(guilty, before, after)
    seen = targets[targets[:, 0] >= 0]
    for row in rng.permutation(len(seen))[: 4 if clean.vehicle else 2]:
        corner = _corner_near(seen[row, 1:], after.shape[1:], rng)
        yield _cut(after, corner), boxes_in(targets, corner)
        if rng.random() < 0.5:
            yield _cut(before, corner), no_boxes()
    if rng.random() < 0.5:
        spot = np.tile(rng.uniform(0.0, 1.0, 2) * after.shape[:0:-1], 2).astype(np.float32)
        yield _cut(before, _corner_near(spot, after.shape[1:], rng)), no_boxes()


def draw_window(plan: CargoPlan, width_mm: float, rng: Generator) -> CargoPlan:
    """Restrict a plan to a window ``width_mm`` wide, anywhere over the container and a little beyond."""
    side = plan.margins_mm[0]
    length = 6058.0 if plan.feet == 20 else 12192.0
    left = float(rng.uniform(max(0.0, side - 500.0), max(1.0, side + length + min(side, 400.0) - width_mm)))
    return replace(plan, window_mm=(left, width_mm))


def targets_of(scene: Scene, before: Channels, after: Channels) -> NDArray[np.float32]:
    """Give (n, 5) rows on the network's grid for the threats in a scene; those that do not show are IGNORED.

    Undeclared goods are no threat: what the detector says of them is a false alarm.
    """
    height, width = after.shape[1:]
    mask = cv2.resize(scene.mask, (width, height), interpolation=cv2.INTER_NEAREST)
    scale_y, scale_x = height / scene.mask.shape[0], width / scene.mask.shape[1]
    threats = [(place, found) for place, found in enumerate(scene.hidden, start=1) if found.label in LABELS]
    rows = np.empty((len(threats), 5), dtype=np.float32)
    for row, (place, found) in enumerate(threats):
        shows = rose_index(before, after, mask == place) >= ROSE
        x0, y0, x1, y1 = found.box
        rows[row] = (float(LABELS.index(found.label)) if shows else IGNORED, x0 * scale_x, y0 * scale_y, x1 * scale_x, y1 * scale_y)
    return rows


def boxes_in(targets: NDArray[np.float32], corner: tuple[int, int]) -> NDArray[np.float32]:
    """Give the rows that touch the tile, cut to it; a target of which less than 35 % is inside is IGNORED."""
    out, count = no_boxes(), 0
    shift = np.array([corner[1], corner[0], corner[1], corner[0]], dtype=np.float32)
    for row in targets:
        box = row[1:] - shift
        cut = np.clip(box, 0, TILE_PX)
        size = cut[2:] - cut[:2]
        if count == MOST_BOXES or size.min() < _SLIVER_PX:
            continue
        is_whole = float(np.prod(size)) >= _WHOLE_ENOUGH * float(np.prod(box[2:] - box[:2]))
        out[count] = (row[0] if is_whole else IGNORED, *cut)
        count += 1
    return out


def no_boxes() -> NDArray[np.float32]:
    """Give the rows of a tile with nothing in it."""
    return np.full((MOST_BOXES, 5), NONE, dtype=np.float32)


def _scene(rng: Generator, source: Source) -> Scene:
    """Draw a parcel, a vehicle, or a window over a container."""
    chance = rng.random()
    if chance < _PARCEL_SHARE or source.parcels_only:
        return parcel_scene(float(rng.uniform(*(_UNSEEN_PARCEL_MM if source.unseen else _SCANNED_PARCEL_MM))), rng)
    scanned_mm = _UNSEEN_CARGO_MM if source.unseen else _SCANNED_CARGO_MM
    if chance < _PARCEL_SHARE + _VEHICLE_SHARE:
        return vehicle_scene(float(rng.uniform(*scanned_mm)), rng)
    plan = draw_plan(rng, source.held_out)
    return cargo_scene(draw_window(plan, float(rng.uniform(*_WINDOW_MM)), rng), float(rng.uniform(*scanned_mm)), rng)


def _corner_near(box: NDArray[np.float32], shape: tuple[int, ...], rng: Generator) -> tuple[int, int]:
    """Give a tile's top left (y, x) so that the box's middle lies in the tile, which lies in the picture as far as it can."""
    middles = ((box[1] + box[3]) / 2, (box[0] + box[2]) / 2)
    y, x = (
        int(np.clip(middle - rng.uniform(30, TILE_PX - 30), -_LOOSE_PX, max(0, side - TILE_PX) + _LOOSE_PX))
        for middle, side in zip(middles, shape, strict=True)
    )
    return y, x


def _cut(channels: Channels, corner: tuple[int, int]) -> NDArray[np.float16]:
    tile = np.zeros((2, TILE_PX, TILE_PX), dtype=np.float16)
    y, x = corner
    y0, x0 = max(y, 0), max(x, 0)
    part = channels[:, y0 : y + TILE_PX, x0 : x + TILE_PX]
    tile[:, y0 - y : y0 - y + part.shape[1], x0 - x : x0 - x + part.shape[2]] = part
    return tile
