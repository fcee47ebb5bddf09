"""The picture in the README: a simulated container scan, assessed by the shipped bundles, small enough for a repository.

``python -m benchmarks.picture [--seed K]`` simulates scans with something to find, assesses them, and keeps the one whose alert names the
most: a picture that shows what a result looks like, no claim of how often the models are right.
"""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from benchmarks.site import ROOT, exit_code_of

PICTURE = ROOT / "docs/images/assessed-simulated.png"
_WIDTH_PX = 1400
_COLOURS = 128
_MAX_BYTES = 400_000
_EXITS = (0, 3)


def main() -> int:
    """Make the picture and give 0."""
    parser = argparse.ArgumentParser(description="Make the README's picture from simulated scans.")
    parser.add_argument("--seed", type=int, default=3, help="number of the simulated scanner")
    parser.add_argument("--scans", type=int, default=12, help="how many to choose from")
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        scans, out = Path(folder) / "scans", Path(folder) / "out"
        order = ("--profile", "sim-cargo", "--scans", str(args.scans), "--seed", str(args.seed), "--interval", "0", "--threat-share", "1")
        if (
            exit_code_of(["sim", "--out", str(scans), *order])
            or exit_code_of(["assess", str(scans), "--out", str(out)], print) not in _EXITS
        ):
            raise SystemExit("the scans were not simulated, or not assessed")
        best = max(out.glob("*.json"), key=_says)
        _shrink(best.with_suffix(".side.png"))
    return 0


def _says(path: Path) -> tuple[bool, bool, int]:
    """Rank an assessment by how much it shows: an alert for a located object first, then by number of reasons."""
    body = json.loads(path.read_text())
    is_located = any(reason["code"] == "detection-alert" for reason in body["reasons"])
    return (body["conclusion"] == "alert", is_located, len(body["reasons"]))


def _shrink(picture: Path) -> None:
    with Image.open(picture) as full:
        height = full.height * _WIDTH_PX // full.width
        small = full.convert("RGB").resize((_WIDTH_PX, height), Image.Resampling.LANCZOS)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    small.quantize(_COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    size = PICTURE.stat().st_size
    if size > _MAX_BYTES:
        raise SystemExit(f"{PICTURE.name} has {size} bytes, more than {_MAX_BYTES}")
    print(f"{PICTURE.relative_to(ROOT)}: {size} bytes")


if __name__ == "__main__":
    sys.exit(main())
