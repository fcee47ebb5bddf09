"""The frozen test sets: how they are made, and digests by which anybody can check that they are the same ones.

S0: new random states of the training distribution. S1: threat shapes and goods held out of training. S2: a family of scanners that the
ordinary draw never gives. ``containers``: whole 20-foot containers, clean or with small metal in the load. Nothing is trained,
chosen or calibrated on any of them; calibration has scans of its own (``training.scans``).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data import open_pool, rows_of

_DIGEST_SIDE = 16
_DIGEST_STEPS = 32.0


@dataclass(frozen=True, slots=True)
class TestSet:
    """One frozen set. ``kind``: of pool; ``part_sha256``: digest of its first ``PART`` items, which the tests make anew."""

    __test__ = False  # pytest would take the name for a test class

    name: str
    kind: str
    count: int
    seed: int
    part_sha256: str = ""


PART = 6
SETS = (
    TestSet("s0", "tiles", 1200, 9001, "8897afeb87b9a47140e01778078f4576e39249bb27300dbb7dbd2e296788d24b"),
    TestSet("s1", "tiles-held-out", 800, 9002, "bed51fb36123b2a258c321de397e5ea865f3caf56008b520ce7a563cffdee490"),
    TestSet("s2", "tiles-unseen", 800, 9003, "0532dbb764235e19bc64d92c98dc18b172abaab7189099c0b4ebb54f992d5e51"),
    TestSet("containers", "containers", 1300, 9004, "e341b8e9d87a7909f1c4244991c1ec223f854fba84471797032345f8bcbc23e2"),
)


def named(name: str) -> TestSet:
    """Give the set of a name."""
    return next(one for one in SETS if one.name == name)


def digest(items: Iterable[tuple[NDArray[np.generic], NDArray[np.generic]]]) -> str:
    """Give the SHA-256 of images and targets.

    Images enter as 16 x 16 means in coarse steps and targets as whole px, so that the last bit of another processor's exponential
    function does not make another set.
    """
    total = hashlib.sha256()
    for image, target in items:
        planes = np.moveaxis(image.astype(np.float32), 0, 2)
        scale = 65535.0 if image.dtype == np.uint16 else 1.0
        coarse = cv2.resize(planes, (_DIGEST_SIDE, _DIGEST_SIDE), interpolation=cv2.INTER_AREA) / scale
        total.update(np.rint(coarse * _DIGEST_STEPS).astype(np.int16).tobytes())
        total.update(np.rint(target.astype(np.float32)).astype(np.int16).tobytes())
    return total.hexdigest()


def part_digest(one: TestSet) -> str:
    """Give the digest of the first items of a set, made anew."""
    return digest(rows_of(one.kind, one.seed, PART))


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
