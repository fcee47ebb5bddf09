"""Contents views from the simulator: windows of cargo scenes at 20 mm a pixel, and what lies in every cell of 80 mm.

Many views come as a pair with the same noise: as they are, and with strange matter laid over them (blobs and blocks of any
composition, and the threats of the detector), which is labelled ``foreign``. That teaches the network to say "none of these goods"
(outlier exposure) without ever seeing what it will meet. Strange cells that do not show are not counted at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_agent.domain.geometry import Size
from edge_agent.imaging.resample import resampled
from edge_agent.sim.goods import AIR, EMPTY, FOREIGN, LOADS
from edge_agent.sim.material import BASIS
from edge_agent.sim.scene import CargoPlan, Scene, cargo_scene, draw_plan, draw_threats, seen_from_above, vehicle_scene
from edge_agent.sim.threat import Shapes
from training.camera import Channels, draw_camera
from training.tiles import draw_window

VIEW_MM = 20.0
VIEW_PX = (160, 256)
STRIDE = 4
IGNORED = 255

_DISPLAY_SHARE = 0.5
_STRANGE_SHARE, _THREAT_SHARE, _TRUCK_SHARE = 0.75, 0.5, 0.05
_SEEN_AT = 0.03
"""A cell shows what was laid over it when the network's input changes by this much: 18 % of the transmission, or 6 grey levels."""
_CLEAR_MAJORITY = 0.6
_COARSE = 8

View = tuple[NDArray[np.float16], NDArray[np.uint8]]
"""(2, *VIEW_PX) float16 channels, and (VIEW_PX / STRIDE) uint8 classes of cells, IGNORED where none is clear."""


def views_of(rng: Generator) -> Iterator[View]:
    """Give one view, or a pair: without and with something strange in the load."""
    clean = _scene(rng)
    camera = draw_camera(rng, _DISPLAY_SHARE)
    pitch_mm = VIEW_MM * float(np.exp(rng.normal(0.0, 0.06)))
    before = camera.channels(clean, pitch_mm)
    frame = _Frame(before.shape[1:], int(rng.integers(0, max(1, before.shape[1] - VIEW_PX[0] + 1))), bool(rng.random() < 0.5))
    yield frame.image(before), frame.cells(clean.goods)
    if rng.random() < _STRANGE_SHARE:
        guilty = with_strange(clean, rng)
        after = camera.channels(guilty, pitch_mm)
        cells = frame.cells(guilty.goods)
        cells[(cells == FOREIGN) & ~frame.changed(before, after)] = IGNORED
        yield frame.image(after), cells


def with_strange(scene: Scene, rng: Generator) -> Scene:
    """Lay threats, or one to three blobs or blocks of random matter, over the load."""
    if rng.random() < _THREAT_SHARE:
        return draw_threats(scene, rng, Shapes.KNOWN if rng.random() < 0.5 else Shapes.VARIED)
    areal, goods = scene.areal.copy(), scene.goods.copy()
    for _ in range(int(rng.integers(1, 4))):
        _lay(areal, goods, scene, rng)
    return replace(scene, areal=areal, goods=goods)


def _lay(areal: NDArray[np.float32], goods: NDArray[np.uint8], scene: Scene, rng: Generator) -> None:
    """Add one strange thing in place: thicker in the middle or even, of one to three basis materials."""
    height, width = (int(np.exp(rng.uniform(np.log(100.0), np.log(1000.0))) / scene.pitch_mm) for _ in range(2))
    x0, y0, x1, y1 = (int(value) for value in scene.room)
    height, width = min(height, max(2, y1 - y0 - 1)), min(width, max(2, x1 - x0 - 1))
    if y1 - y0 <= height or x1 - x0 <= width:
        return
    spots = [(int(rng.integers(y0, y1 - height)), int(rng.integers(x0, x1 - width))) for _ in range(6)]
    y, x = next((spot for spot in spots if goods[spot[0] + height // 2, spot[1] + width // 2] != EMPTY), spots[0])
    shape = _outline(height, width, rng)
    shares = rng.dirichlet(np.ones(3)) if rng.random() < 0.5 else np.array([1.0, 0.0, 0.0])
    total = float(np.exp(rng.uniform(np.log(6.0), np.log(90.0))))
    window = (slice(y, y + height), slice(x, x + width))
    for material, share in zip(rng.choice(len(BASIS), 3, replace=False), shares, strict=True):
        areal[(int(material), *window)] += shape * np.float32(total * share)
    goods[window][shape * total > 2.0] = FOREIGN


def _outline(height: int, width: int, rng: Generator) -> NDArray[np.float32]:
    """Give a block, an ellipsoid, or a blob cut out of smooth noise: (h, w) float32 in [0, 1]."""
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    kind = int(rng.integers(0, 3))
    if kind == 0:
        return np.ones((height, width), dtype=np.float32)
    round_ = np.sqrt(np.maximum(0.0, 1.0 - x * x - y * y)).astype(np.float32)
    if kind == 1:
        return round_
    coarse = rng.random((_COARSE, _COARSE), dtype=np.float32)
    noise = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    blob: NDArray[np.float32] = ((noise * (0.4 + round_)) > 0.45).astype(np.float32)
    return blob


def _scene(rng: Generator) -> Scene:
    """Draw a window over a container, or now and then a truck."""
    pitch_mm = float(rng.uniform(6.0, 8.0))
    if rng.random() < _TRUCK_SHARE:
        return vehicle_scene(pitch_mm, rng, "truck")
    return cargo_scene(draw_window(_plan(rng), float(rng.uniform(3600, 5400)), rng), pitch_mm, rng)


def _plan(rng: Generator) -> CargoPlan:
    """Draw a load for the contents network: more empty containers, and often something that was not declared."""
    plan = seen_from_above(draw_plan(rng), rng)
    if rng.random() < 0.2:
        plan = replace(plan, loads=())
    if rng.random() < 0.3:
        strangers = [place for place in LOADS if place not in plan.loads]
        plan = replace(plan, foreign=int(rng.choice(strangers)))
    return plan


@dataclass(frozen=True, slots=True)
class _Frame:
    """The part of a picture that is kept. ``shape``: (h, w) of the picture; ``top``: first row; ``is_mirrored``: left and right."""

    shape: tuple[int, ...]
    top: int
    is_mirrored: bool

    def image(self, channels: Channels) -> NDArray[np.float16]:
        out = np.zeros((2, *VIEW_PX), dtype=np.float16)
        part = channels[:, self.top : self.top + VIEW_PX[0], : VIEW_PX[1]]
        out[:, : part.shape[1], : part.shape[2]] = part
        return out[:, :, ::-1] if self.is_mirrored else out

    def cells(self, goods: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the class that fills most of each cell, IGNORED where none fills 60 %."""
        best = np.zeros((VIEW_PX[0] // STRIDE, VIEW_PX[1] // STRIDE), dtype=np.float32)
        label = np.full(best.shape, AIR, dtype=np.uint8)
        for place in np.unique(np.append(goods, np.uint8(AIR))):
            share = self._cell_means((goods == place).astype(np.float32), outside=float(place == AIR))
            label[share > best] = place
            best = np.maximum(best, share)
        label[best < _CLEAR_MAJORITY] = IGNORED
        return label

    def changed(self, before: Channels, after: Channels) -> NDArray[np.bool_]:
        """Tell in which cells the input changed visibly."""
        return self._cell_means(np.abs(after - before).max(axis=0), outside=0.0) > _SEEN_AT

    def _cell_means(self, values: NDArray[np.float32], outside: float) -> NDArray[np.float32]:
        full = np.full(VIEW_PX, outside, dtype=np.float32)
        part = resampled(values, Size(self.shape[1], self.shape[0]))[self.top : self.top + VIEW_PX[0], : VIEW_PX[1]]
        full[: part.shape[0], : part.shape[1]] = part
        if self.is_mirrored:
            full = full[:, ::-1]
        means: NDArray[np.float32] = full.reshape(VIEW_PX[0] // STRIDE, STRIDE, VIEW_PX[1] // STRIDE, STRIDE).mean(axis=(1, 3))
        return means
