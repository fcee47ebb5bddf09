"""The detector's network on one tile and one core: ``python -m benchmarks.tile_speed --out benchmarks/results/tile_speed.json``.

CPU time of the session, one thread, network only: cutting and resampling the tile before it and merging the boxes after it are not in it.
Median, 95th percentile and least of many rounds over a quarter of a minute. What else the machine does takes no CPU time of ours, but
shares caches and clock with us: the least is what the network needs, the median what it takes, the 95th percentile how far that varies.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.capture import SubjectKind
from edge_agent.inference.bundle import find_bundles, load_bundle
from edge_agent.inference.card import InputCard
from edge_agent.inference.installed import installed_bundles
from edge_agent.inference.outputs import DetectionOutput
from edge_agent.inference.session import DevicePolicy, Session
from edge_agent.signing.detached import WORKSHOP

SIDE_PX = 256
WARM_UP, ROUNDS = 5, 3_000
MEASURES = "CPU time of the network only, one thread, one tile of 256 px a call"


def tile_ms(root: Path, rounds: int = ROUNDS) -> tuple[str, NDArray[np.float64]]:
    """Give the name of the shipped detector and its CPU milliseconds a tile, (rounds,) float64."""
    bundles = [load_bundle(folder, WORKSHOP) for folder in find_bundles(root)]
    bundle = next(bundle for bundle in bundles if bundle.card.purpose == "detection" and SubjectKind.CARGO in bundle.card.subjects)
    card, output = bundle.card.input, bundle.card.output
    assert isinstance(card, InputCard)
    assert isinstance(output, DetectionOutput)
    session = Session(bundle.model, DevicePolicy.CPU)
    tile = np.random.default_rng(1).random((1, len(card.channels), SIDE_PX, SIDE_PX), dtype=np.float32)
    taken = []
    for _ in range(WARM_UP + rounds):
        started = time.process_time()
        session.run((output.boxes, output.scores), {card.tensor: tile})
        taken.append(time.process_time() - started)
    return bundle.ref, 1000.0 * np.array(taken[WARM_UP:])


def summary(taken_ms: NDArray[np.float64]) -> dict[str, float | int]:
    """Give the published figures, ms to two places; ``ms_a_tile`` is the median."""
    return {
        "ms_a_tile": round(float(np.median(taken_ms)), 2),
        "ms_a_tile_p95": round(float(np.percentile(taken_ms, 95)), 2),
        "ms_a_tile_least": round(float(taken_ms.min()), 2),
        "rounds": len(taken_ms),
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--bundles", type=Path, default=installed_bundles(), metavar="DIR", help="default: the shipped ones")
    args = parser.parse_args()
    ref, taken_ms = tile_ms(args.bundles)
    about = {"bundle": ref, "measures": MEASURES, **summary(taken_ms), "processor": _processor(), "python": platform.python_version()}
    print(json.dumps(about))
    if args.out is not None:
        args.out.write_text(json.dumps(about, indent=1) + "\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
