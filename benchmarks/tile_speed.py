"""How long the detector takes for one tile on one core: ``python -m benchmarks.tile_speed --out benchmarks/results/tile_speed.json``.

CPU time of the session, one thread, the least of many rounds over a quarter of a minute: what the machine does beside does not count,
nor how fast it lets this core run at one moment.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np

from edge_agent.domain.capture import SubjectKind
from edge_agent.inference.bundle import find_bundles, load_bundle
from edge_agent.inference.card import InputCard
from edge_agent.inference.installed import installed_bundles
from edge_agent.inference.outputs import DetectionOutput
from edge_agent.inference.session import DevicePolicy, Session
from edge_agent.signing.detached import WORKSHOP

SIDE_PX = 256
WARM_UP, ROUNDS = 5, 3_000


def tile_ms(root: Path) -> tuple[str, float]:
    """Give the name of the shipped detector and its CPU milliseconds a tile."""
    bundles = [load_bundle(folder, WORKSHOP) for folder in find_bundles(root)]
    bundle = next(bundle for bundle in bundles if bundle.card.purpose == "detection" and SubjectKind.CARGO in bundle.card.subjects)
    card, output = bundle.card.input, bundle.card.output
    assert isinstance(card, InputCard)
    assert isinstance(output, DetectionOutput)
    session = Session(bundle.model, DevicePolicy.CPU)
    tile = np.random.default_rng(1).random((1, len(card.channels), SIDE_PX, SIDE_PX), dtype=np.float32)
    taken = []
    for _ in range(WARM_UP + ROUNDS):
        started = time.process_time()
        session.run((output.boxes, output.scores), {card.tensor: tile})
        taken.append(time.process_time() - started)
    return bundle.ref, 1000.0 * min(taken[WARM_UP:])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--bundles", type=Path, default=installed_bundles(), metavar="DIR", help="default: the shipped ones")
    args = parser.parse_args()
    ref, ms = tile_ms(args.bundles)
    about = {"bundle": ref, "ms_a_tile": round(ms, 2), "rounds": ROUNDS, "processor": _processor(), "python": platform.python_version()}
    print(json.dumps(about))
    if args.out is not None:
        args.out.write_text(json.dumps(about, indent=1) + "\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
