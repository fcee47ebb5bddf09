"""What the bundles make of whole scans, through the runtime's own path: the raw material of calibration and of the scan-level figures."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from edge_agent.analysis.ports import ContentsModel, ObjectDetector, one_by_one
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.imaging.regions import peak_of
from edge_agent.inference.bundle import find_bundles
from edge_agent.inference.card import ContentsCard, read_card
from edge_agent.inference.heads import INSIDE_AT, GoodsClasses, judge_goods
from edge_agent.inference.load import load_models
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.sim.goods import BACKGROUND, CLASSES, EMPTY, FAMILIES, FOREIGN
from edge_agent.sim.scene import Scene
from edge_agent.sim.threat import LABELS
from training.data import open_pool
from training.formula import FLOOR_ROW_AT, FLOOR_SHARE, Formula
from training.scans import CONTAINER_MM, contents_scan, detection_scan
from training.testsets import scan_digest
from training.workers import each

SHARES = (0.005, 0.01, 0.02, 0.05)
"""Shares of the inside of a container that the strongest evidence may be averaged over; calibration chooses one.

Smaller ones tell foreign goods as well on calibration scans, but then one place of half a metre decides for a whole container, and real
pictures have faults of that size that simulated ones lack.
"""

_SHOW_AT = dict.fromkeys(LABELS, 0.02)
_WORKERS = 2
_SOLID = np.ones((3, 3), dtype=np.uint8)
_NAMES = GoodsClasses(tuple(family.name for family in FAMILIES), BACKGROUND)

Order = TypeVar("Order")
Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Detected:
    """What the detector saw in one scan. ``best``: highest score a label; ``hits``: label and score of detections on a hidden thing.

    ``digest``: of the scan (``testsets.scan_digest``).
    """

    role: str
    best: dict[str, float]
    hits: tuple[tuple[str, float], ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """What the contents network saw in one scan.

    ``evidence``: mean of the strongest evidence, in nats, for each of ``SHARES``; ``score``: the bundle's own; ``fill``: share of the
    inside that is load; ``product``: the family with most of the load, and its share; ``points``: the strongest evidence lies in what was
    hidden; ``true_fill``: the fill of a faultless goods map; ``digest``: of the scan (``testsets.scan_digest``); ``shares``: of the load,
    by family.
    """

    role: str
    families: tuple[str, ...]
    evidence: tuple[float, ...]
    fill: float
    product: tuple[str, float]
    points: bool
    true_fill: float
    score: float
    digest: str
    shares: tuple[float, ...] = ()


def detected(root: Path, seed: int, count: int) -> list[Detected]:
    """Run the detection bundle under ``root`` over scans of its own."""
    return _map(_detect, [(root, seed, number) for number in range(count)], "detector: scans")


def examined(root: Path, seed: int, count: int) -> list[Examined]:
    """Run the contents bundle under ``root`` over scans of its own."""
    return _map(_examine, [(root, seed, number) for number in range(count)], "contents: scans")


def containers(root: Path, pool: Path) -> list[Detected]:
    """Run the detection bundle over the container-level test; roles are ``clean`` and ``guilty``."""
    return _map(_contain, [(root, pool, number) for number in range(len(open_pool(pool)[1]))], "detector: containers")


def _map(work: Callable[[Order], Seen], orders: Sequence[Order], what: str) -> list[Seen]:
    return list(track(each(work, orders, _WORKERS, together=4), description=what, total=len(orders)))


def _detect(order: tuple[Path, int, int]) -> Detected:
    root, seed, number = order
    role, scene, camera = detection_scan(seed, number)
    view = camera.view(scene)
    found = _detector(root).detect(view, _subject(scene), _SHOW_AT, one_by_one).detections
    boxes = [(hidden.label, hidden.box) for hidden in scene.hidden]
    hits = tuple((one.label, one.score) for one in found if any(one.label == label and _inside(one, box) for label, box in boxes))
    return Detected(role, _best(found), hits, scan_digest(scene, view))


def _contain(order: tuple[Path, Path, int]) -> Detected:
    root, folder, number = order
    images, boxes = open_pool(folder)
    energies = (Energy.HIGH, Energy.LOW)
    planes = tuple(Plane(Quantity.TRANSMISSION, e, np.array(plane)) for e, plane in zip(energies, images[number], strict=True))
    view = View("side", planes, (CONTAINER_MM, CONTAINER_MM))
    found = _detector(root).detect(view, SubjectKind.CARGO, _SHOW_AT, one_by_one).detections
    metal = boxes[number][boxes[number, :, 0] >= 0, 1:]
    hits = tuple((one.label, one.score) for one in found if any(_inside(one, box) for box in metal))
    return Detected("guilty" if len(metal) else "clean", _best(found), hits)


def _examine(order: tuple[Path, int, int]) -> Examined:
    root, seed, number = order
    role, scene, camera = contents_scan(seed, number)
    model = _contents(root)
    declared = model.families([item.hs[:4] for item in scene.declared]).families
    view = camera.view(scene)
    evidence = model.examine(view, SubjectKind.CARGO, declared)
    against = declared or _NAMES.majority(evidence.goods)
    shares = _shares(evidence.goods)
    return Examined(
        role,
        scene.families,
        _evidences(evidence.goods, against, _formula(root)),
        _fill(evidence.goods),
        _product(shares),
        _points(evidence.heat, scene),
        _fill(_true_goods(scene, evidence.heat.shape)),
        evidence.heterogeneity.score,
        scan_digest(scene, view),
        tuple(shares.tolist()),
    )


def _subject(scene: Scene) -> SubjectKind:
    if scene.vehicle is not None:
        return SubjectKind.VEHICLE
    return SubjectKind.CARGO if scene.is_cargo else SubjectKind.PARCEL


def _best(found: Sequence[Detection]) -> dict[str, float]:
    return {label: max((one.score for one in found if one.label == label), default=0.0) for label in LABELS}


def _inside(one: Detection, box: Sequence[float]) -> bool:
    """Tell whether the middle of a detection lies in a box."""
    x, y = (one.box.x0 + one.box.x1) / 2, (one.box.y0 + one.box.y1) / 2
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def _evidences(goods: NDArray[np.uint8], declared: Sequence[str], formula: ContentsCard) -> tuple[float, ...]:
    """Give the mean of the strongest evidence for each of ``SHARES``, otherwise with the formula of the bundle."""
    formulas = (formula.model_copy(update={"top_share": share, "a": 1.0, "b": 0.0}) for share in SHARES)
    scores = [judge_goods(goods, _NAMES, declared, one)[0] for one in formulas]
    return tuple(float(np.log(score / (1.0 - score))) if score > 0.0 else 0.0 for score in scores)


def _fill(goods: NDArray[np.uint8]) -> float:
    """Give the share of solid load among cells inside the container above its floor: ``fill`` of the formula."""
    shares = goods.astype(np.float32) / 255.0
    load = shares[: len(FAMILIES)].sum(axis=0) - shares[EMPTY] > Formula().load_threshold
    inside = load | (shares[EMPTY] > INSIDE_AT)
    shown = inside.mean(axis=1)
    rows = shown > FLOOR_ROW_AT * shown.max()
    above = rows & (np.cumsum(rows[::-1])[::-1] > FLOOR_SHARE * rows.sum())
    solid = cv2.morphologyEx(load.astype(np.uint8), cv2.MORPH_OPEN, _SOLID, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return float(solid[above].sum() / max(1, inside[above].sum()))


def _true_goods(scene: Scene, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Give the goods map (classes, *size) that a network without a fault would give: what lies in the middle of every cell."""
    middles = ((np.arange(count) + 0.5) / count * extent for count, extent in zip(size, scene.goods.shape, strict=True))
    cells = scene.goods[np.ix_(*(middle.astype(int) for middle in middles))]
    return (np.arange(len(CLASSES))[:, None, None] == cells).astype(np.uint8) * np.uint8(255)


def _shares(goods: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give the share of the load that looks like each family, nothing for ``empty`` and ``foreign``."""
    sums = goods.sum(axis=(1, 2), dtype=np.int64)[: len(FAMILIES)].astype(np.float64)
    sums[EMPTY] = sums[FOREIGN] = 0.0
    return np.asarray(sums / max(1.0, sums.sum()))


def _product(shares: NDArray[np.float64]) -> tuple[str, float]:
    best = int(shares.argmax())
    return FAMILIES[best].name, float(shares[best])


def _points(heat: NDArray[np.float32], scene: Scene) -> bool:
    if not scene.hidden or not heat.any():
        return False
    across, down = peak_of(heat)
    x, y = across * scene.mask.shape[1], down * scene.mask.shape[0]
    return any(box[0] <= x <= box[2] and box[1] <= y <= box[3] for box in (hidden.box for hidden in scene.hidden))


@functools.cache
def _detector(root: Path) -> ObjectDetector:
    """Load the bundle once in each worker process."""
    return load_models(root, DevicePolicy.CPU, WORKSHOP).models.detectors[0]


@functools.cache
def _formula(root: Path) -> ContentsCard:
    """Read the bundle's constants once in each worker process."""
    (found,) = (card.contents for card, _ in map(read_card, find_bundles(root)) if card.contents is not None)
    return found


@functools.cache
def _contents(root: Path) -> ContentsModel:
    model = load_models(root, DevicePolicy.CPU, WORKSHOP).models.contents
    if model is None:
        raise SystemExit(f"no contents bundle in {root}")
    return model
