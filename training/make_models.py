"""Every default bundle from nothing: pools, test sets, trainings, calibration, export, figures, golden expectations.

``python -m training.make_models`` (about two and a half hours on two cores, added up from its steps; a CUDA device is used where there
is one). ``--scale 0.001`` is a trial run. What is already in the work folder is kept: an interrupted run goes on where it was, and a folder
that was begun with other amounts or another simulator is refused. Bundles are unsigned: sign them with ``edge-agent bundle sign``.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_agent.inference.bundle import find_bundles
from edge_agent.sim.threat import LABELS
from training import contents, detector
from training.calibrate import container_figures, contents_figures, detector_figures, detector_thresholds, formula_from
from training.data import open_pool
from training.export import VERSION, export_contents, export_detector
from training.golden import write_expectations
from training.loop import begun, write_json
from training.metrics import intervals, summary
from training.observe import containers, detected, examined
from training.scans import CALIBRATION_SEED, TEST_SEED
from training.testsets import SETS, check, pool_digest
from training.weight_bundle import export_weight, weight_settings

NOTE = "simulated scans only"
WEIGHT_SEED = 1
TILE_POOLS = ("tiles-train", "tiles-varied", "tiles-small")
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much of everything. Pools: images; trainings: presentations; scans: for calibration, and as many again for the figures.

    ``level_scans``: for the detector's levels alone; each is the level that less than one clean scan in a hundred reaches.
    ``weighed``: containers that the scale learns from, ``weighed_again``: that its level is set on; ``sites``: see ``weight.Sites``.
    """

    tiles: int = 22_000
    varied: int = 18_000
    small: int = 18_000
    views: int = 19_000
    checks: int = 400
    detector_images: int = 256_000
    contents_images: int = 112_000
    level_scans: int = 1_600
    detection_scans: int = 560
    contents_scans: int = 1_280
    weighed: int = 14_000
    weighed_again: int = 600
    sites: tuple[int, int, int] = (6, 80, 320)

    def scaled(self, scale: float) -> "Amounts":
        """Give less of everything, for a trial; at least what a training needs to run at all."""
        return Amounts(
            max(48, round(self.tiles * scale)),
            max(48, round(self.varied * scale)),
            max(48, round(self.small * scale)),
            max(32, round(self.views * scale)),
            max(24, round(self.checks * scale)),
            max(64, round(self.detector_images * scale)),
            max(64, round(self.contents_images * scale)),
            max(14, round(self.level_scans * scale)),
            max(14, round(self.detection_scans * scale)),
            max(16, round(self.contents_scans * scale)),
            max(48, round(self.weighed * scale)),
            max(24, round(self.weighed_again * scale)),
            (1, 12, 8),
        )


def make(work: Path, root: Path, results: Path, scale: float) -> None:
    """Make the bundles under ``root`` and their figures under ``results``; ``scale`` shrinks everything alike.

    Raises:
        SystemExit: ``work`` was begun with other amounts, or with a simulator that draws other scenes.
    """
    amounts = Amounts() if scale == 1.0 else Amounts().scaled(scale)
    begun(work, {"amounts": asdict(amounts), "test_sets": {one.name: one.part_sha256 for one in SETS}})
    _say("1 of 3, pools and test sets")
    pools(work, amounts, scale)
    _say("2 of 3, trainings: the detector on one core; the contents network, then the scale, on another")
    with ThreadPoolExecutor(2) as cores:  # each training is a process of one thread
        lanes = (lambda: _train(work, "detector", amounts), lambda: _train_contents_and_scale(work, amounts))
        for lane in [cores.submit(lane) for lane in lanes]:
            lane.result()
    _say("3 of 3, calibration, figures, bundles")
    finish(work, root, results, amounts)


def pools(work: Path, amounts: Amounts, scale: float) -> None:
    """Make what is trained on, and the frozen test sets (with ``scale`` below 1 only their beginning)."""
    _pool(work / "pool" / "tiles-train", "tiles", amounts.tiles, 1)
    _pool(work / "pool" / "tiles-varied", "tiles-varied", amounts.varied, 2)
    _pool(work / "pool" / "tiles-small", "tiles-small", amounts.small, 5)
    _pool(work / "pool" / "views-train", "views", amounts.views, 3)
    _pool(work / "pool" / "views-check", "views", amounts.checks, 4)
    for one in SETS:
        _pool(work / "test" / one.name, one.kind, max(26, round(one.count * min(1.0, scale))), one.seed)
        check(one, work / "test" / one.name)


def finish(work: Path, root: Path, results: Path, amounts: Amounts) -> None:
    """Calibrate the trained networks, measure them on the test sets, export them; earlier bundles go when all of that is measured."""
    for kind, settings in SETTINGS.items():
        measured = work / "settings" / f"{kind}.json"
        if not _is_newer(measured, work / kind / "checkpoint.pt"):
            write_json(measured, settings(work, amounts))
        write_json(results / f"{kind}.json", _read(measured) | _faults(kind))
    for kind in SETTINGS:
        shutil.rmtree(root / kind, ignore_errors=True)
    graph = work / "draft-detector" / "detector" / VERSION / "model.onnx"
    export_detector(work / "detector" / "checkpoint.pt", root, _read(results / "detector.json"), graph)
    export_contents(work / "contents" / "checkpoint.pt", root, _read(results / "contents.json"))
    export_weight(work / "weight" / "checkpoint.pt", root, _read(results / "weight.json"))
    write_expectations(find_bundles(root))


def detector_settings(work: Path, amounts: Amounts) -> dict[str, Any]:
    """Give thresholds and figures of the trained detector."""
    checkpoint, draft = work / "detector" / "checkpoint.pt", _empty(work / "draft-detector")
    export_detector(checkpoint, draft, {})
    thresholds = detector_thresholds(detected(draft, CALIBRATION_SEED, amounts.level_scans))
    figures: dict[str, Any] = {"note": NOTE}
    for name in ("s0", "s1", "s2"):
        figures[f"tiles_{name}"] = tile_figures(work / "test" / name, checkpoint)
    figures |= detector_figures(detected(draft, TEST_SEED, amounts.detection_scans), thresholds)
    pool = work / "test" / "containers"
    figures["small_metal_containers"] = container_figures(containers(draft, pool), thresholds) | {"sha256": pool_digest(pool)}
    images = sum(len(open_pool(work / "pool" / name)[1]) for name in TILE_POOLS)
    return {"thresholds": thresholds, "metrics": figures, "images": images}


def contents_settings(work: Path, amounts: Amounts) -> dict[str, Any]:
    """Give formula, thresholds and figures of the trained contents network."""
    checkpoint, draft = work / "contents" / "checkpoint.pt", _empty(work / "draft-contents")
    network, check = contents.load(checkpoint), work / "pool" / "views-check"
    temperature = contents.temperature(network, check)
    export_contents(checkpoint, draft, {"formula": {"temperature": temperature}})
    formula, thresholds = formula_from(examined(draft, CALIBRATION_SEED, amounts.contents_scans), temperature)
    figures = {"note": NOTE, "cells_s0": contents.evaluate(network, check)}
    figures |= contents_figures(examined(draft, TEST_SEED, amounts.contents_scans), formula, thresholds)
    images = len(open_pool(work / "pool" / "views-train")[1])
    return {"formula": formula.table(), "thresholds": thresholds, "metrics": figures, "images": images}


def scale_settings(work: Path, amounts: Amounts) -> dict[str, Any]:
    """Give threshold and figures of the trained scale."""
    return weight_settings(work / "weight", amounts.weighed_again, WORKERS)


SETTINGS: Mapping[str, Callable[[Path, Amounts], dict[str, Any]]] = {
    "detector": detector_settings,
    "contents": contents_settings,
    "weight": scale_settings,
}


def tile_figures(pool: Path, checkpoint: Path) -> dict[str, Any]:
    """Give average precisions on a pool of test tiles, with intervals and the pool's digest."""
    images, truth = open_pool(pool)
    found = detector.look(detector.load(checkpoint), images, truth)
    bounds = {f"{name}_interval_95": both for name, both in intervals(found, LABELS).items()}
    return summary(found, LABELS) | bounds | {"sha256": pool_digest(pool)}


def _pool(folder: Path, kind: str, count: int, seed: int) -> None:
    if not (folder / "targets.npy").exists():
        _run("data", kind, "--count", count, "--out", folder, "--seed", seed)


def _train(work: Path, name: str, amounts: Amounts) -> None:
    """Train in a process of its own, unless that is done."""
    images, pools, check = {
        "detector": (amounts.detector_images, TILE_POOLS, work / "test" / "s0"),
        "contents": (amounts.contents_images, ("views-train",), work / "pool" / "views-check"),
    }[name]
    if not (work / name / "metrics.json").exists():
        shown = ("--images", images, "--pool", *(work / "pool" / pool for pool in pools))
        _run(name, *shown, "--check", check, "--out", work / name, "--seed", WEIGHT_SEED, "--resume")


def _train_contents_and_scale(work: Path, amounts: Amounts) -> None:
    """Train the contents network, then make the containers to weigh and train the scale on them, unless that is done."""
    _train(work, "contents", amounts)
    if not (work / "weight" / "metrics.json").exists():
        rows = ("--count", amounts.weighed, "--sites", *amounts.sites, "--workers", 1)
        _run("weight", *rows, "--out", work / "weight", "--seed", WEIGHT_SEED)


def _faults(kind: str) -> dict[str, str]:
    """Give what people found wrong with a bundle of these amounts, for its card; see ``known_faults.json``."""
    known = _read(Path(__file__).with_name("known_faults.json"))
    return {"known_faults": known[kind]} if kind in known else {}


def _empty(folder: Path) -> Path:
    """Give the folder with nothing in it: a draft of another version would be a second bundle."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _is_newer(made: Path, source: Path) -> bool:
    """Tell whether a file was made after the one it was made from."""
    return made.exists() and made.stat().st_mtime_ns > source.stat().st_mtime_ns


def _say(step: str) -> None:
    print(f"make models: {step}", flush=True)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _run(module: str, *arguments: object) -> None:
    """Run a step in a process of its own, so that its memory is given back and one thread is one thread."""
    command: Sequence[str] = [sys.executable, "-m", f"training.{module}", *(str(argument) for argument in arguments)]
    subprocess.run(command, check=True)  # noqa: S603 - our own modules


def main() -> None:
    """Make the bundles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    work = "pools, test sets and checkpoints, 25 GB at full scale (default: %(default)s)"
    parser.add_argument("--work", type=Path, default=Path("training/runs"), metavar="DIR", help=work)
    root = "bundles; those of this version there are written over (default: %(default)s)"
    parser.add_argument("--root", type=Path, default=Path("exported_models"), metavar="DIR", help=root)
    parser.add_argument("--results", type=Path, default=Path("training/results"), metavar="DIR", help="figures (default: %(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, metavar="SHARE", help="of all amounts (default: %(default)s)")
    args = parser.parse_args()
    make(args.work, args.root, args.results, args.scale)


if __name__ == "__main__":
    main()
