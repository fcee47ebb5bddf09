"""The frozen test sets: how they are made, and digests by which anybody can check that they are the same ones.

S0: new random states of the training distribution. S1: threat shapes and goods held out of training. S2: a family of scanners that the
ordinary draw never gives. ``containers``: whole 20-foot containers, clean or with small metal in the load. These are pools on disk; the
scans that the detector's, the contents network's and the scale's figures come from are drawn when they are needed. Nothing is trained or
calibrated on any of them; calibration has scans of its own (``training.scans``). What was missed in S1 was looked at when more shapes were
composed for training, so S1 is a development set as far as shapes go; S3 has shapes that nobody looks at (``edge_agent.sim.reserve``).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from edge_agent.domain.scan import View
from edge_agent.imaging.weighing import MAPS, NUMBERS
from edge_agent.sim.scene import Scene
from training.camera import Camera
from training.data import open_pool, rows_of
from training.scans import TEST_SEED, contents_scan, detection_scan
from training.weight import SITE_SEED, row_of, site_cameras

_DIGEST_SIDE = 16
_DIGEST_STEPS = 32.0


@dataclass(frozen=True, slots=True)
class TestSet:
    """One frozen set. ``kind``: of pool, or of scans; ``part_sha256``: digest of its first ``PART`` items, which the tests make anew."""

    __test__ = False  # pytest would take the name for a test class

    name: str
    kind: str
    count: int
    seed: int
    part_sha256: str = ""


PART = 6
SETS = (
    TestSet("s0", "tiles", 1200, 9001, "df24e6c68c601fd93ec8ff3a5c4cc459978003fa50fd04a15fca7e89cd622e46"),
    TestSet("s1", "tiles-held-out", 800, 9002, "3e5b03e54ee20fc6f275a14297b3f9570a32a7379ee6e1e52317999e68985f57"),
    TestSet("s2", "tiles-unseen", 800, 9003, "c20847cf58e841a3caf710fe67ab34bc3e1aa5849cb3c4b73a1d32780da86971"),
    TestSet("s3", "tiles-reserved", 800, 9005, "add61100eb00f4c6e6cf3a8ef2db4a2486c31686aeef6069cd704b66a8d9ae9d"),
    TestSet("views", "views", 400, 9006, "595db8440290a0ddbf01128d9635699e112d54b047348aa5edeb2ada614709b3"),
    TestSet("containers", "containers", 1300, 9004, "4fb6a600a7f6f55f2b7261b71e1b0f6f8b9649e77d19bf8539ebee92e3fba7bb"),
    TestSet("detection-scans", "detection-scans", 560, TEST_SEED, "9bf0d7fc70f91f98bf65802f7f18e15f64f81a38a53814a366dc2ee256cf044e"),
    TestSet("contents-scans", "contents-scans", 1280, TEST_SEED, "08bac69bf1e27acc68816c5b709781af1568e2775556889c1867c3b7b7fde9bd"),
    TestSet("weighed", "weighed", 2880, SITE_SEED, "c5ae495a5a1b762154f6aa3bba9f164de62f764e7108b6258d645dc251b3b540"),
)


def named(name: str) -> TestSet:
    """Give the set of a name."""
    return next(one for one in SETS if one.name == name)


def pools() -> tuple[TestSet, ...]:
    """Give the sets that are pools on disk."""
    return tuple(one for one in SETS if one.kind not in _DRAWN)


def item_digest(image: NDArray[np.generic], target: NDArray[np.generic]) -> str:
    """Give the SHA-256 of one item: ``image`` (planes, h, w), ``target`` of any shape.

    Images enter as 16 x 16 means in coarse steps and targets as whole numbers (px, kg), so that the last bit of another processor's
    exponential function does not make another set.
    """
    scale = float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0
    planes = np.moveaxis(image.astype(np.float32), 0, 2)
    coarse = cv2.resize(planes, (_DIGEST_SIDE, _DIGEST_SIDE), interpolation=cv2.INTER_AREA) / scale
    pixels = np.rint(coarse * _DIGEST_STEPS).astype(np.int16).tobytes()
    return hashlib.sha256(pixels + np.rint(target.astype(np.float32)).astype(np.int32).tobytes()).hexdigest()


def scan_digest(scene: Scene, view: View) -> str:
    """Give the digest of one whole scan: its planes, and the boxes of what is hidden in it."""
    planes = [plane.pixels for plane in view.planes]
    image = np.moveaxis(planes[0], 2, 0) if planes[0].ndim == 3 else np.stack(planes)
    return item_digest(image, np.array([found.box for found in scene.hidden]))


def joined(digests: Iterable[str]) -> str:
    """Give the digest of a set from those of its items, in their order."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def digest(items: Iterable[tuple[NDArray[np.generic], NDArray[np.generic]]]) -> str:
    """Give the digest of images and targets."""
    return joined(item_digest(image, target) for image, target in items)


def part_digest(one: TestSet) -> str:
    """Give the digest of the first items of a set, made anew."""
    return joined(_DRAWN[one.kind](one.seed)) if one.kind in _DRAWN else digest(rows_of(one.kind, one.seed, PART))


def weighed_digest(rows: Iterable[NDArray[np.float32]]) -> str:
    """Give the digest of containers to weigh, each as one of ``weight.Rows``: its maps, and its mass in kg."""
    return digest((row[NUMBERS : NUMBERS + int(np.prod(MAPS))].reshape(MAPS), row[-1:]) for row in rows)


def _scans(draw: Callable[[int, int], tuple[str, Scene, Camera]]) -> Callable[[int], Iterator[str]]:
    def digests(seed: int) -> Iterator[str]:
        for number in range(PART):
            _, scene, camera = draw(seed, number)
            yield scan_digest(scene, camera.view(scene))

    return digests


def _weighed(seed: int) -> Iterator[str]:
    camera = site_cameras(1, seed)[0]
    return iter([weighed_digest([row_of(one, camera) for one in SeedSequence(seed + 1).spawn(PART)])])


_DRAWN: Mapping[str, Callable[[int], Iterator[str]]] = {
    "detection-scans": _scans(detection_scan),
    "contents-scans": _scans(contents_scan),
    "weighed": _weighed,
}
"""Sets that are no pools: how the digests of their first items come about, given the seed."""


def check(one: TestSet, folder: Path) -> None:
    """Look whether a pool begins as the frozen set does.

    Raises:
        SystemExit: it does not; figures measured on it could not be compared with those of the frozen set.
    """
    images, targets = open_pool(folder)
    if digest(zip(images[:PART], targets[:PART], strict=True)) != one.part_sha256:
        raise SystemExit(f"{folder} is not the frozen set {one.name}; another version made it: remove it, so that it is made anew")


def pool_digest(folder: Path) -> str:
    """Give the digest of a whole pool on disk."""
    images, targets = open_pool(folder)
    return digest(zip(images, targets, strict=True))
