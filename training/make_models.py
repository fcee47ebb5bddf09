"""Every default bundle from nothing: pools, trainings, calibration, export, golden expectations.

``python -m training.make_models`` (about 71 CPU-minutes of training and 20 of everything else). ``--scale 0.02`` is a trial run.
What is already in the work folder is kept: an interrupted run goes on where it was.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.calibrate import calibrate
from training.export import export_contents, export_detector, read_settings
from training.golden import write_expectations

POOLS = (
    ("tiles", "tiles-train", 9000, 1),
    ("tiles", "tiles-check", 1000, 2),
    ("views", "views-train", 3600, 3),
    ("views", "views-check", 500, 4),
)
MINUTES = {"detector": 54.0, "contents": 17.0}
CALIBRATION_SCANS, CALIBRATION_SEED = 900, 77
_KINDS = {"detector": "tiles", "contents": "views"}


def make(work: Path, root: Path, scale: float) -> None:
    """Make both bundles; ``scale`` shrinks pools, minutes and calibration alike."""
    for kind, name, count, seed in POOLS:
        if not (work / "pool" / name / "targets.npy").exists():
            _run("data", kind, "--count", max(40, int(count * scale)), "--out", work / "pool" / name, "--seed", seed)
    for name, minutes in MINUTES.items():
        pool = work / "pool" / f"{_KINDS[name]}-train"
        check = work / "pool" / f"{_KINDS[name]}-check"
        if not (work / name / "metrics.json").exists():
            _run(name, "--minutes", minutes * scale, "--pool", pool, "--check", check, "--out", work / name, "--seed", 1, "--resume")
    finish(work, root, max(48, int(CALIBRATION_SCANS * scale)))


def finish(work: Path, root: Path, scans: int) -> None:
    """Calibrate the trained networks and export them."""
    checkpoints = {name: work / name / "checkpoint.pt" for name in MINUTES}
    draft, settings = work / "draft", work / "settings"
    export_detector(checkpoints["detector"], draft, {})
    export_contents(checkpoints["contents"], draft, {})
    calibrate(draft, settings, scans, CALIBRATION_SEED, (_report(work / "detector"), _report(work / "contents")))
    images = {name: len(np.load(work / "pool" / f"{kind}-train" / "targets.npy", mmap_mode="r")) for name, kind in _KINDS.items()}
    export_detector(checkpoints["detector"], root, {**read_settings(settings / "detector.json"), "images": images["detector"]})
    export_contents(checkpoints["contents"], root, {**read_settings(settings / "contents.json"), "images": images["contents"]})
    write_expectations(root)


def _report(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return content


def _run(module: str, *arguments: object) -> None:
    """Run a step in a process of its own, so that its memory is given back and one thread is one thread."""
    command: Sequence[str] = [sys.executable, "-m", f"training.{module}", *(str(argument) for argument in arguments)]
    subprocess.run(command, check=True)  # noqa: S603 - our own modules


def main() -> None:
    """Make the bundles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("training/runs"))
    parser.add_argument("--root", type=Path, default=Path("exported_models"))
    parser.add_argument("--scale", type=float, default=1.0)
    args = parser.parse_args()
    make(args.work, args.root, args.scale)


if __name__ == "__main__":
    main()
