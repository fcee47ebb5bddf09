"""Training data from the simulator, made once and kept on disk as plain arrays.

Detector tiles: windows of cargo scenes at about 5 mm a pixel and whole parcels at about 1.3 mm, exposed twice with the same noise,
once as they are and once with threats drawn in (a benign/threat pair). The planes go through the same ``density`` and ``resampled``
as at the runtime, and tiles of 256 px are cut. A threat counts as a target only if it changes the network's input visibly.

Contents views: windows of cargo scenes at 20 mm a pixel with the dominant class of every 80 mm cell.

``python -m training.data tiles|views --count N --out DIR --seed S --workers W``
"""

import argparse
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

from edge_agent.domain.geometry import Size
from edge_agent.imaging.attenuation import density
from edge_agent.imaging.resample import resampled
from edge_agent.sim.display import draw_rendering, render
from edge_agent.sim.goods import AIR, LOADS
from edge_agent.sim.machine import Machine, draw_machine, expose, expose_high
from edge_agent.sim.scene import CargoPlan, Scene, cargo_scene, draw_plan, draw_threats, parcel_scene
from edge_agent.sim.threat import LABELS

TILE_PX = 256
CARGO_MM, PARCEL_MM, VIEW_MM = 5.0, 2.0, 20.0
VIEW_PX = (208, 256)
STRIDE = 4
IGNORED = 255
MOST_BOXES = 6

_VISIBLE_AT = 0.02
_DISPLAY_SHARE = {"tiles": 0.35, "views": 0.5}
_SINGLE_SHARE = 0.3
_CLEAR_MAJORITY = 0.6

Channels = NDArray[np.float32]
"""(2, h, w) float32: density of the high and the low plane; the low one is zero for a single-energy scan."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One virtual scanner as the network meets it: machine, display habits (None = 16 bit), both energies or one, noise seed."""

    machine: Machine
    is_display: bool
    is_single: bool
    seed: int

    def channels(self, scene: Scene, pitch_mm: float) -> Channels:
        """Give the network's input for a scene at ``pitch_mm``. The same camera gives the same noise and the same curve."""
        rng = default_rng(self.seed)
        size = Size(
            max(1, round(scene.areal.shape[2] * scene.pitch_mm / pitch_mm)), max(1, round(scene.areal.shape[1] * scene.pitch_mm / pitch_mm))
        )
        if self.is_display:
            picture = render(expose_high(scene, self.machine, rng), draw_rendering(default_rng(self.seed + 1)))
            quality = int(default_rng(self.seed + 2).integers(60, 96))
            _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            high = resampled(density(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)), size)
            return np.stack([high, np.zeros_like(high)])
        high_plane, low_plane = expose(scene, self.machine, rng)
        high, low = resampled(density(high_plane), size), resampled(density(low_plane), size)
        return np.stack([high, np.zeros_like(low) if self.is_single else low])


def draw_camera(rng: Generator, display_share: float) -> Camera:
    """Draw a virtual scanner; ``display_share``: how often it exports 8-bit pictures only."""
    is_display = bool(rng.random() < display_share)
    return Camera(draw_machine(rng), is_display, bool(rng.random() < _SINGLE_SHARE), int(rng.integers(0, 2**31)))


def draw_window(plan: CargoPlan, width_mm: float, rng: Generator) -> CargoPlan:
    """Restrict a plan to a window ``width_mm`` wide, anywhere over the container and a little beyond."""
    side = plan.margins_mm[0]
    length = 6058.0 if plan.feet == 20 else 12192.0
    left = float(rng.uniform(max(0.0, side - 500.0), max(1.0, side + length + min(side, 400.0) - width_mm)))
    return replace(plan, window_mm=(left, width_mm))


def tiles_of(rng: Generator) -> Iterator[tuple[NDArray[np.float16], NDArray[np.float32]]]:
    """Give some tiles of one random scene: with threats, without (the same places and noise), and one elsewhere.

    Yields:
        (2, 256, 256) float16 and (MOST_BOXES, 5) float32: class (-1 = none), x0, y0, x1, y1 in px.
    """
    is_cargo = bool(rng.random() < 0.5)
    pitch_mm = CARGO_MM if is_cargo else PARCEL_MM
    if is_cargo:
        plan = draw_window(draw_plan(rng), 3200.0, rng)
        clean = cargo_scene(plan, float(rng.uniform(4.2, 6.0)), rng)
    else:
        clean = parcel_scene(float(rng.uniform(1.0, 1.8)), rng)
    camera = draw_camera(rng, _DISPLAY_SHARE["tiles"] if is_cargo else 0.0)
    guilty = draw_threats(draw_threats(clean, rng), rng)
    before, after = camera.channels(clean, pitch_mm), camera.channels(guilty, pitch_mm)
    targets = _visible(guilty, before, after)
    for target in targets[:2]:
        corner = _corner_near(target[1:], after.shape[1:], rng)
        yield _cut(after, corner), _boxes_in(targets, corner)
        if rng.random() < 0.6:
            yield _cut(before, corner), _no_boxes()
    corner = (int(rng.integers(-32, max(1, after.shape[1] - 160))), int(rng.integers(-32, max(1, after.shape[2] - 160))))
    yield _cut(before, corner), _no_boxes()


def _visible(scene: Scene, before: Channels, after: Channels) -> NDArray[np.float32]:
    """Give (n, 5) class and box on the network's grid of the threats that show: half of their own pixels change visibly."""
    change = np.abs(after - before).max(axis=0)
    scale_y, scale_x = (change.shape[axis] / scene.mask.shape[axis] for axis in (0, 1))
    rows = []
    for place, found in enumerate(scene.hidden):
        y, x = np.nonzero(scene.mask == place + 1)
        own = change[(y * scale_y).astype(int), (x * scale_x).astype(int)]
        if own.size and np.median(own) > _VISIBLE_AT:
            x0, y0, x1, y1 = found.box
            rows.append((float(LABELS.index(found.label)), x0 * scale_x, y0 * scale_y, x1 * scale_x, y1 * scale_y))
    return np.array(rows, dtype=np.float32).reshape(-1, 5)


def _corner_near(box: NDArray[np.float32], shape: tuple[int, ...], rng: Generator) -> tuple[int, int]:
    """Give a tile's top left (y, x) so that the box's middle lies in the tile, and now and then the box is cut."""
    middle_y, middle_x = (box[1] + box[3]) / 2, (box[0] + box[2]) / 2
    y, x = middle_y - rng.uniform(30, TILE_PX - 30), middle_x - rng.uniform(30, TILE_PX - 30)
    return int(min(y, shape[0] - 100)), int(min(x, shape[1] - 100))


def _cut(channels: Channels, corner: tuple[int, int]) -> NDArray[np.float16]:
    tile = np.zeros((2, TILE_PX, TILE_PX), dtype=np.float16)
    y, x = corner
    y0, x0 = max(y, 0), max(x, 0)
    part = channels[:, y0 : y + TILE_PX, x0 : x + TILE_PX]
    tile[:, y0 - y : y0 - y + part.shape[1], x0 - x : x0 - x + part.shape[2]] = part
    return tile


def _no_boxes() -> NDArray[np.float32]:
    return np.full((MOST_BOXES, 5), -1.0, dtype=np.float32)


def _boxes_in(targets: NDArray[np.float32], corner: tuple[int, int]) -> NDArray[np.float32]:
    """Give the targets that lie in the tile by 35 % of their area at least, cut to it."""
    out, count = _no_boxes(), 0
    shift = np.array([corner[1], corner[0], corner[1], corner[0]], dtype=np.float32)
    for row in targets[:MOST_BOXES]:
        box = row[1:] - shift
        cut = np.clip(box, 0, TILE_PX)
        if np.prod(cut[2:] - cut[:2]) >= 0.35 * np.prod(box[2:] - box[:2]):
            out[count] = (row[0], *cut)
            count += 1
    return out


def draw_contents_plan(rng: Generator) -> CargoPlan:
    """Draw a load for the contents network: more empty containers, and often something that was not declared."""
    plan = draw_plan(rng)
    if rng.random() < 0.35:
        strangers = [place for place in LOADS if place not in plan.loads]
        plan = replace(plan, foreign=int(rng.choice(strangers)))
    return plan


def view_of(rng: Generator) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
    """Give one contents view: (2, *VIEW_PX) float16, and (VIEW_PX / STRIDE) uint8 classes of cells, IGNORED where none is clear."""
    plan = draw_window(draw_contents_plan(rng), float(rng.uniform(3600, 5400)), rng)
    scene = cargo_scene(plan, float(rng.uniform(5.0, 7.0)), rng)
    if rng.random() < 0.3:
        scene = draw_threats(scene, rng)
    pitch_mm = VIEW_MM * float(np.exp(rng.normal(0.0, 0.06)))
    channels = draw_camera(rng, _DISPLAY_SHARE["views"]).channels(scene, pitch_mm)
    size = Size(channels.shape[2], channels.shape[1])
    image = np.zeros((2, *VIEW_PX), dtype=np.float16)
    rows, columns = min(size.height, VIEW_PX[0]), min(size.width, VIEW_PX[1])
    top = int(rng.integers(0, size.height - rows + 1))
    image[:, :rows, :columns] = channels[:, top : top + rows, :columns]
    return image, _cells(scene.goods, size, top)


def _cells(goods: NDArray[np.uint8], size: Size, top: int) -> NDArray[np.uint8]:
    cells = Size(VIEW_PX[1] // STRIDE, VIEW_PX[0] // STRIDE)
    best = np.zeros((cells.height, cells.width), dtype=np.float32)
    label = np.full((cells.height, cells.width), AIR, dtype=np.uint8)
    for place in np.unique(np.append(goods, np.uint8(AIR))):
        share = np.full(VIEW_PX, float(place == AIR), dtype=np.float32)
        part = resampled((goods == place).astype(np.float32), size)[top : top + VIEW_PX[0], : VIEW_PX[1]]
        share[: part.shape[0], : part.shape[1]] = part
        means = share.reshape(cells.height, STRIDE, cells.width, STRIDE).mean(axis=(1, 3))
        label[means > best] = place
        best = np.maximum(best, means)
    label[best < _CLEAR_MAJORITY] = IGNORED
    return label


Rows = list[tuple[NDArray[np.float16], NDArray[np.float32] | NDArray[np.uint8]]]


def _some_tiles(seed: SeedSequence) -> Rows:
    return list(tiles_of(default_rng(seed)))


def _some_views(seed: SeedSequence) -> Rows:
    return [view_of(default_rng(seed))]


_KINDS: dict[str, tuple[Callable[[SeedSequence], Rows], tuple[int, ...], tuple[int, ...], type]] = {
    "tiles": (_some_tiles, (2, TILE_PX, TILE_PX), (MOST_BOXES, 5), np.float32),
    "views": (_some_views, (2, *VIEW_PX), (VIEW_PX[0] // STRIDE, VIEW_PX[1] // STRIDE), np.uint8),
}


def make_pool(kind: str, folder: Path, count: int, seed: int, workers: int) -> None:
    """Write ``images.npy`` (count, ...) float16 and ``targets.npy`` into ``folder``; the same seed gives the same pool."""
    source, image_shape, target_shape, target_type = _KINDS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    images = np.lib.format.open_memmap(folder / "images.part", mode="w+", dtype=np.float16, shape=(count, *image_shape))
    targets = np.lib.format.open_memmap(folder / "targets.part", mode="w+", dtype=target_type, shape=(count, *target_shape))
    done = 0
    columns = (SpinnerColumn(), *Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress, multiprocessing.get_context("spawn").Pool(workers) as pool:
        bar = progress.add_task(kind, total=count)
        for rows in pool.imap(source, _seeds(seed), chunksize=4):
            for image, target in rows[: count - done]:
                images[done], targets[done] = image, target
                done += 1
            progress.update(bar, completed=done)
            if done == count:
                pool.terminate()
                break
    images.flush()
    targets.flush()
    (folder / "images.part").rename(folder / "images.npy")
    (folder / "targets.part").rename(folder / "targets.npy")


def _seeds(seed: int) -> Iterator[SeedSequence]:
    """Give one seed after another for as many scenes as the pool may need: a cap, because the pool reads ahead."""
    yield from SeedSequence(seed).spawn(60_000)


def open_pool(folder: Path) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Map a pool into memory, read-only."""
    return np.load(folder / "images.npy", mmap_mode="r"), np.load(folder / "targets.npy")


def main() -> None:
    """Make one pool."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(_KINDS))
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    make_pool(args.kind, args.out, args.count, args.seed, args.workers)


if __name__ == "__main__":
    main()
