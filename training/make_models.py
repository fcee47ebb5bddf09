"""Every default bundle from nothing: pools, test sets, trainings, calibration, export, figures, golden expectations.

``python -m training.make_models`` (about two and a half hours on two cores, added up from its steps; a CUDA device is used where there
is one). ``--scale 0.001`` is a trial run: it has folders of its own and leaves the shipped bundles alone. What is already in the work
folder is kept: an interrupted run goes on where it was, and a folder that was begun with other amounts or another simulator is refused.
Bundles are unsigned: sign them with ``edge-agent bundle sign``.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edge_agent.inference.bundle import find_bundles
from training import contents
from training.calibrate import detector_thresholds, formula_from, look_alikes
from training.data import open_pool
from training.export import VERSION, export_contents, export_detector
from training.formula import Formula
from training.golden import write_expectations
from training.loop import begun, read_json, write_json
from training.measure import contents_metrics, detector_metrics, make_sets
from training.observe import detected, examined
from training.scans import CALIBRATION_SEED, LOOK_ALIKE_SEED
from training.testsets import SETS
from training.weight import SITES
from training.weight_bundle import export_weight, weight_settings

WEIGHT_SEED = 1
TILE_POOLS = ("tiles-train", "tiles-varied", "tiles-small", "tiles-matter")
WORKERS = 2
WORK, TRIAL = Path("training/runs"), Path("training/runs/trial")


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much of everything. Pools: images; trainings: presentations on a CPU (``loop.Recipe``); scans: for calibration.

    ``level_scans``: for the detector's levels alone; each is the level that less than one clean scan in a hundred reaches.
    ``weighed``: containers that the scale learns from, ``weighed_again``: that its level is set on; ``sites``: see ``weight.Sites``.
    """

    tiles: int = 22_000
    varied: int = 18_000
    small: int = 18_000
    matter: int = 10_000
    views: int = 19_000
    checks: int = 400
    detector_images: int = 228_000
    contents_images: int = 104_000
    level_scans: int = 1_600
    detection_scans: int = 560
    contents_scans: int = 1_280
    weighed: int = 14_000
    weighed_again: int = 600
    sites: tuple[int, int, int] = SITES

    def scaled(self, scale: float) -> "Amounts":
        """Give less of everything, for a trial; at least what a training needs to run at all."""
        return Amounts(
            max(48, round(self.tiles * scale)),
            max(48, round(self.varied * scale)),
            max(48, round(self.small * scale)),
            max(48, round(self.matter * scale)),
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
    _pool(work / "pool" / "tiles-matter", "tiles-matter", amounts.matter, 6)
    _pool(work / "pool" / "views-train", "views", amounts.views, 3)
    _pool(work / "pool" / "views-check", "views", amounts.checks, 4)
    make_sets(work / "test", scale)


def finish(work: Path, root: Path, results: Path, amounts: Amounts) -> None:
    """Calibrate the trained networks, measure them on the test sets, export them; earlier bundles go when the new ones are whole."""
    for kind, settings in SETTINGS.items():
        measured = work / "settings" / f"{kind}.json"
        if not _is_newer(measured, work / kind / "checkpoint.pt"):
            write_json(measured, settings(work, amounts))
        write_json(results / f"{kind}.json", read_json(measured) | _faults(kind))
    made, graph = _empty(work / "bundles"), work / "draft-detector" / "detector" / VERSION / "model.onnx"
    export_detector(work / "detector" / "checkpoint.pt", made, read_json(results / "detector.json"), graph if graph.exists() else None)
    export_contents(work / "contents" / "checkpoint.pt", made, read_json(results / "contents.json"))
    export_weight(work / "weight" / "checkpoint.pt", made, read_json(results / "weight.json"))
    write_expectations(find_bundles(made))
    for kind in SETTINGS:
        shutil.copytree(made / kind, _empty(root / kind), dirs_exist_ok=True)


def detector_settings(work: Path, amounts: Amounts) -> dict[str, Any]:
    """Give thresholds and figures of the trained detector."""
    checkpoint, draft = work / "detector" / "checkpoint.pt", _empty(work / "draft-detector")
    export_detector(checkpoint, draft, {})
    thresholds = detector_thresholds(detected(draft, CALIBRATION_SEED, amounts.level_scans))
    metrics = detector_metrics(draft, work / "test", thresholds, amounts.detection_scans)
    images = sum(len(open_pool(work / "pool" / name)[1]) for name in TILE_POOLS)
    return {"thresholds": thresholds, "metrics": metrics, "images": images, "seeds": "pools 1, 2, 5 and 6, weights 1, calibration 77"}


def contents_settings(work: Path, amounts: Amounts) -> dict[str, Any]:
    """Give formula, thresholds and figures of the trained contents network."""
    checkpoint, draft = work / "contents" / "checkpoint.pt", _empty(work / "draft-contents")
    network, check = contents.load(checkpoint), work / "pool" / "views-check"
    temperature = contents.temperature(network, check)
    formula = Formula(temperature=temperature)
    export_contents(checkpoint, draft, {"formula": formula.table()})
    formula = replace(formula, look_alikes=look_alikes(examined(draft, LOOK_ALIKE_SEED, amounts.contents_scans)))
    export_contents(checkpoint, draft, {"formula": formula.table()})
    formula, thresholds = formula_from(examined(draft, CALIBRATION_SEED, amounts.contents_scans), formula)
    settings = {"formula": formula.table(), "thresholds": thresholds}
    export_contents(checkpoint, draft, settings)
    metrics = contents_metrics(draft, work / "test", settings, amounts.contents_scans)
    images = len(open_pool(work / "pool" / "views-train")[1])
    return settings | {"metrics": metrics, "images": images, "seeds": "pools 3 and 4, weights 1, look-alikes 76, calibration 77"}


def scale_settings(work: Path, amounts: Amounts) -> dict[str, Any]:
    """Give threshold and figures of the trained scale."""
    return weight_settings(work / "weight", amounts.weighed_again, amounts.sites[1], WORKERS)


SETTINGS: Mapping[str, Callable[[Path, Amounts], dict[str, Any]]] = {
    "detector": detector_settings,
    "contents": contents_settings,
    "weight": scale_settings,
}


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
    known = read_json(Path(__file__).with_name("known_faults.json"))
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


def _run(module: str, *arguments: object) -> None:
    """Run a step in a process of its own, so that its memory is given back and one thread is one thread."""
    command: Sequence[str] = [sys.executable, "-m", f"training.{module}", *(str(argument) for argument in arguments)]
    subprocess.run(command, check=True)  # noqa: S603 - our own modules


def main() -> None:
    """Make the bundles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    work = f"pools, test sets and checkpoints, 25 GB at full scale (default: {WORK}; {TRIAL} where less is made)"
    parser.add_argument("--work", type=Path, metavar="DIR", help=work)
    root = "bundles; all of the same names there go (default: exported_models; within the work folder where less is made)"
    parser.add_argument("--root", type=Path, metavar="DIR", help=root)
    results = "figures (default: training/results; within the work folder where less is made)"
    parser.add_argument("--results", type=Path, metavar="DIR", help=results)
    parser.add_argument("--scale", type=float, default=1.0, metavar="SHARE", help="of all amounts (default: %(default)s)")
    args = parser.parse_args()
    make(*folders(args.work, args.root, args.results, is_trial=args.scale < 1.0), args.scale)


def folders(work: Path | None, root: Path | None, results: Path | None, *, is_trial: bool) -> tuple[Path, Path, Path]:
    """Give the folders to use; a trial stays away from the shipped bundles and figures unless it is told otherwise."""
    work = work or (TRIAL if is_trial else WORK)
    home = work if is_trial else Path()
    return work, root or home / "exported_models", results or (work / "results" if is_trial else Path("training/results"))


if __name__ == "__main__":
    main()
