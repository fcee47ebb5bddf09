"""Thresholds, formula constants and whole-scan figures, measured on fresh simulated scans through the runtime's own path.

``python -m training.calibrate --root DRAFT --out DIR --scans 900 --seed 77`` runs the bundles in DRAFT (exported without settings) over
whole containers and parcels and writes ``detector.json`` and ``contents.json`` for ``training.export --settings``. Scans with an even
number set the constants; the odd ones, which set nothing, give the figures in the card.

Thresholds aim at 1 % alarms a label over clean scans; the share of clean scans with any alarm at all is reported beside them. The
contents score is scaled so that 3 % of the clean scans reach 0.8.
"""

import argparse
import functools
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from rich.progress import track

from edge_agent.analysis.ports import one_by_one
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.inference.card import ContentsCard
from edge_agent.inference.heads import INSIDE_AT, GoodsClasses, judge_goods
from edge_agent.inference.load import LoadedModels, load_models
from edge_agent.inference.session import DevicePolicy
from edge_agent.sim.display import draw_rendering, render
from edge_agent.sim.goods import BACKGROUND, CLASSES, EMPTY, FAMILIES, FOREIGN, LOADS
from edge_agent.sim.machine import draw_machine, expose, expose_high
from edge_agent.sim.scene import Scene, cargo_scene, draw_plan, draw_threats, parcel_scene
from edge_agent.sim.threat import LABELS
from training.contents_network import Formula
from training.loop import write_json
from training.metrics import wilson

_SHOW_AT = dict.fromkeys(LABELS, 0.02)
_ALARM_SHARE, _CONTENTS_ALARM_SHARE = 0.01, 0.03
_GOODS_ALARM_SHARE = 0.03
_WORKERS = 2
_ALERT_SCORE = 0.8
_DISPLAY_SHARE = 0.35
_SURE = 2.94  # logit of 0.95
_SHARES = (0.02, 0.05, 0.1, 0.2)
_NAMES = GoodsClasses(tuple(family.name for family in FAMILIES), BACKGROUND)

ROLES = ("cargo-clean", "cargo-clean", "cargo-empty", "cargo-foreign", "cargo-threat", "parcel-clean", "parcel-threat")
"""What the scans are, in turn."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the models made of one scan, beside what is in it.

    ``evidence``: mean of the strongest share of the evidence, for each of the shares that may be chosen. ``heat_hit``: the strongest
    evidence lies in the foreign goods.
    """

    number: int
    role: str
    best: dict[str, float]
    hits: tuple[tuple[str, float], ...]
    families: tuple[str, ...] = ()
    evidence: tuple[float, ...] = (0.0,) * len(_SHARES)
    fill: float = 0.0
    product: str = ""
    heat_hit: bool = False

    @property
    def is_check(self) -> bool:
        """Whether this scan gives figures (odd numbers) rather than constants."""
        return self.number % 2 == 1


def look(loaded: LoadedModels, number: int, seed: int) -> Seen:
    """Build one scan, run the bundles, and give what they saw."""
    rng = default_rng((seed, number))
    role = ROLES[(number // 2) % len(ROLES)]
    scene = _scene(role, rng)
    view, subject = _view(scene, rng), SubjectKind.CARGO if scene.is_cargo else SubjectKind.PARCEL
    detector, contents = loaded.models.detector, loaded.models.contents
    if detector is None or contents is None:
        raise SystemExit("both bundles are needed")
    found = detector.detect(view, subject, _SHOW_AT, one_by_one)
    best = {label: max((one.score for one in found if one.label == label), default=0.0) for label in LABELS}
    seen = Seen(number, role, best, _hits(scene, found))
    if not scene.is_cargo:
        return seen
    declared = contents.families([item.hs[:4] for item in scene.declared]).families
    evidence = contents.examine(view, subject, declared)
    return replace(
        seen,
        families=scene.families,
        evidence=_evidences(evidence.goods, declared or _NAMES.majority(evidence.goods)),
        fill=_fill(evidence.goods),
        product=_strongest(evidence.goods),
        heat_hit=_points(evidence.heat, scene),
    )


def detector_settings(scans: Sequence[Seen], tiles: dict[str, Any]) -> dict[str, Any]:
    """Give thresholds from the even scans and figures from the odd ones; ``tiles``: the metrics of the training's check tiles."""
    thresholds = {label: _threshold(scans, label) for label in LABELS}
    check = [seen for seen in scans if seen.is_check]

    def alarmed(seen: Seen) -> bool:
        return any(seen.best[label] >= thresholds[label] for label in LABELS)

    def caught(seen: Seen) -> bool:
        return any(score >= thresholds[label] for label, score in seen.hits)

    metrics: dict[str, Any] = {"note": "simulated scans only", "tiles_s0": tiles}
    for subject in ("cargo", "parcel"):
        metrics[f"{subject}_scans"] = {
            **_share("clean_scans_alerted", [s for s in check if s.role == f"{subject}-clean"], alarmed),
            **_share("threat_scans_found", [s for s in check if s.role == f"{subject}-threat"], caught),
        }
    return {"thresholds": thresholds, "metrics": metrics}


def contents_settings(scans: Sequence[Seen], cells: dict[str, Any]) -> dict[str, Any]:
    """Give the formula from the even cargo scans and figures from the odd ones; ``cells``: metrics of the training's check views."""
    cargo = [seen for seen in scans if seen.role.startswith("cargo")]
    formula = _formula([seen for seen in cargo if not seen.is_check])
    check = [seen for seen in cargo if seen.is_check]
    chosen = _SHARES.index(formula.top_share)
    clean, foreign, small = (_of(check, f"cargo-{role}") for role in ("clean", "foreign", "threat"))
    loaded = [seen for seen in clean if seen.families != ("empty",)]
    empty = _of(check, "cargo-empty")
    single = [seen for seen in loaded if len(seen.families) == 1]

    def alerted(seen: Seen) -> bool:
        return seen.fill > 0 and _sigmoid(formula.a * seen.evidence[chosen] + formula.b) >= _ALERT_SCORE

    def looks_empty(seen: Seen) -> bool:
        return _sigmoid(formula.empty_slope * (formula.empty_fill - seen.fill)) >= 0.5

    metrics: dict[str, Any] = {"note": "simulated scans only", "cells_s0": cells}
    metrics["foreign_goods"] = {
        "auc": _auc([s.evidence[chosen] for s in foreign], [s.evidence[chosen] for s in clean]),
        **_share("found", foreign, alerted),
        **_share("clean_alerted", clean, alerted),
        **_share("pointing_game", foreign, lambda seen: seen.heat_hit),
    }
    metrics["hidden_small_threats"] = {
        "auc": _auc([s.evidence[chosen] for s in small], [s.evidence[chosen] for s in clean]),
        **_share("found", small, alerted),
    }
    metrics["product"] = _share("top1_homogeneous", single, lambda seen: seen.product == seen.families[0])
    metrics["empty"] = {
        **_share("empty_seen_as_empty", empty, looks_empty),
        **_share("loaded_seen_as_empty", loaded, looks_empty),
    }
    return {"formula": formula.table(), "thresholds": {"heterogeneity": _ALERT_SCORE, "empty": 0.9}, "metrics": metrics}


def _scene(role: str, rng: Generator) -> Scene:
    if role.startswith("parcel"):
        scene = parcel_scene(float(rng.uniform(1.0, 1.8)), rng)
    else:
        plan = draw_plan(rng)
        if role == "cargo-empty":
            plan = replace(plan, loads=())
        if role == "cargo-foreign":
            plan = replace(plan, foreign=int(rng.choice([place for place in LOADS if place not in plan.loads])))
        scene = cargo_scene(plan, 5.0, rng)
    return draw_threats(scene, rng) if role.endswith("threat") else scene


def _view(scene: Scene, rng: Generator) -> View:
    pitch = (scene.pitch_mm, scene.pitch_mm)
    if scene.is_cargo and rng.random() < _DISPLAY_SHARE:
        shown = render(expose_high(scene, draw_machine(rng), rng), draw_rendering(rng))
        return View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, shown),), pitch)
    high, low = expose(scene, draw_machine(rng), rng)
    return View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, high), Plane(Quantity.TRANSMISSION, Energy.LOW, low)), pitch)


def _hits(scene: Scene, found: Sequence[Detection]) -> tuple[tuple[str, float], ...]:
    """Give label and score of detections whose middle lies in a hidden object of their label."""
    hits = []
    for one in found:
        x, y = (one.box.x0 + one.box.x1) / 2, (one.box.y0 + one.box.y1) / 2
        if any(h.label == one.label and h.box[0] <= x <= h.box[2] and h.box[1] <= y <= h.box[3] for h in scene.hidden):
            hits.append((one.label, one.score))
    return tuple(hits)


def _evidences(goods: NDArray[np.uint8], declared: Sequence[str]) -> tuple[float, ...]:
    """Give the mean of the strongest evidence for each share that may be chosen, with the runtime's own formula."""
    scores = [judge_goods(goods, _NAMES, declared, ContentsCard(**Formula(top_share=share).table()))[0] for share in _SHARES]
    return tuple(float(np.log(score / (1.0 - score))) if score > 0.0 else 0.0 for score in scores)


def _fill(goods: NDArray[np.uint8]) -> float:
    """Give the share of load cells among cells inside the container: ``fill`` of the formula."""
    shares = goods.astype(np.float32) / 255.0
    load = shares[: len(FAMILIES)].sum(axis=0) - shares[EMPTY] > Formula().load_threshold
    inside = load | (shares[EMPTY] > INSIDE_AT)
    return float(load.sum() / max(1, inside.sum()))


def _strongest(goods: NDArray[np.uint8]) -> str:
    sums = goods.sum(axis=(1, 2), dtype=np.int64)[: len(FAMILIES)]
    sums[EMPTY] = sums[FOREIGN] = 0
    return CLASSES[int(sums.argmax())]


def _points(heat: NDArray[np.float32], scene: Scene) -> bool:
    if not scene.hidden:
        return False
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    y, x = ((place + 0.5) * scene.areal.shape[axis] / heat.shape[axis - 1] for place, axis in ((row, 1), (column, 2)))
    x0, y0, x1, y1 = scene.hidden[0].box
    return bool(x0 <= x <= x1 and y0 <= y <= y1)


def _threshold(scans: Sequence[Seen], label: str) -> float:
    """Give the level that 1 % of the clean scans of the worse subject reach, kept within [0.1, 0.95]."""
    levels = [
        np.quantile([s.best[label] for s in _of(scans, role) if not s.is_check], 1 - _ALARM_SHARE)
        for role in ("cargo-clean", "parcel-clean")
    ]
    return round(float(np.clip(max(levels) + 0.005, 0.1, 0.95)), 3)


def _formula(scans: Sequence[Seen]) -> Formula:
    clean, foreign = [*_of(scans, "cargo-clean"), *_of(scans, "cargo-empty")], _of(scans, "cargo-foreign")
    ours, theirs = np.array([seen.evidence for seen in clean]), np.array([seen.evidence for seen in foreign])
    # The share of foreign loads found at the allowed share of false alarms decides, not the area under the curve: evidence saturates.
    levels = np.quantile(ours, 1 - _GOODS_ALARM_SHARE, axis=0)
    chosen = int(np.argmax((theirs > levels).mean(axis=0)))
    level = float(levels[chosen])
    slope = _slope(level)
    empty = float(np.quantile([seen.fill for seen in _of(scans, "cargo-empty")], 0.99))
    loaded = float(np.quantile([seen.fill for seen in clean if seen.families != ("empty",)], 0.01))
    middle = float(np.sqrt(max(empty, 1e-3) * max(loaded, 2e-3)))
    return Formula(
        top_share=_SHARES[chosen],
        a=round(slope, 3),
        b=round(float(np.log(_ALERT_SCORE / (1 - _ALERT_SCORE))) - slope * level, 3),
        empty_fill=round(middle, 4),
        empty_slope=round(min(400.0, _SURE / max(middle - empty, 1e-3)), 1),
    )


def _slope(level: float) -> float:
    """Give the slope that lifts full evidence to a score of 0.95 when ``level`` scores 0.8, between 2 and 100."""
    return float(np.clip((_SURE - np.log(_ALERT_SCORE / (1 - _ALERT_SCORE))) / max(1.0 - level, 1e-6), 2.0, 100.0))


def _sigmoid(value: NDArray[np.float64] | float) -> NDArray[np.float64] | float:
    return 1.0 / (1.0 + np.exp(-value))


def _of(scans: Sequence[Seen], role: str) -> list[Seen]:
    return [seen for seen in scans if seen.role == role]


def _auc(guilty: Sequence[float], clean: Sequence[float]) -> float:
    differences = np.subtract.outer(np.array(guilty), np.array(clean))
    return round(float((differences > 0).mean() + 0.5 * (differences == 0).mean()), 3)


def _share(name: str, scans: Sequence[Seen], holds: Callable[[Seen], bool]) -> dict[str, Any]:
    hits = sum(holds(seen) for seen in scans)
    return {name: round(hits / max(1, len(scans)), 3), f"{name}_n": len(scans), f"{name}_interval_95": list(wilson(hits, len(scans)))}


@functools.cache
def _models(root: Path) -> LoadedModels:
    """Load the bundles once in each worker process."""
    return load_models(root, DevicePolicy.CPU)


def _look(order: tuple[Path, int, int]) -> Seen:
    root, number, seed = order
    return look(_models(root), number, seed)


def calibrate(root: Path, out: Path, count: int, seed: int, reports: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Write the settings of both bundles; ``reports``: metrics of the detector's tiles and of the contents network's views."""
    orders = [(root, number, seed) for number in range(count)]
    with multiprocessing.get_context("spawn").Pool(_WORKERS) as pool:
        scans = list(track(pool.imap(_look, orders), description="calibrating", total=count))
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "observations.json", [asdict(seen) for seen in scans])
    write_json(out / "detector.json", detector_settings(scans, reports[0]))
    write_json(out / "contents.json", contents_settings(scans, reports[1]))


def main() -> None:
    """Calibrate a draft."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scans", type=int, default=900)
    parser.add_argument("--seed", type=int, default=77)
    args = parser.parse_args()
    calibrate(args.root, args.out, args.scans, args.seed, ({}, {}))


if __name__ == "__main__":
    main()
