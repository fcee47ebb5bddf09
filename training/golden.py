"""Golden cases: small simulated inputs in a bundle, and what the runtime's own path makes of them.

``python -m training.golden exported_models`` writes ``<case>.expected.json`` for every bundle under the folder, renews the hashes
in the cards, and runs the self-test that the daemon runs at its start.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from edge_agent.analysis.ports import one_by_one
from edge_agent.inference.bundle import find_bundles, load_bundle
from edge_agent.inference.load import open_models
from edge_agent.inference.selftest import golden_cases, observe, run_selftest
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.sim.machine import draw_machine, expose
from edge_agent.sim.scene import CargoPlan, Scene, cargo_scene, parcel_scene, with_threats
from training.card import renew_hashes


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One golden input. ``planes``: (h, w) uint16 transmission, high and low."""

    name: str
    subject: str
    pitch_mm: float
    planes: tuple[NDArray[np.uint16], NDArray[np.uint16]]
    declared: tuple[str, ...]
    why: str


def write_inputs(folder: Path, purpose: str) -> None:
    """Write the golden inputs of a bundle for ``detection``, ``contents`` or ``weight``; the same every time."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in _detection_cases() if purpose == "detection" else _contents_cases():
        high, low = case.planes
        np.savez_compressed(folder / f"{case.name}.npz", high=high, low=low)
        content = {"subject": case.subject, "pitch_mm": [case.pitch_mm] * 2, "declared": list(case.declared), "why": case.why}
        (folder / f"{case.name}.json").write_text(json.dumps(content, indent=1) + "\n")


def write_expectations(folders: Sequence[Path]) -> None:
    """Write what every golden input of these bundles gives through the runtime, renew their hashes, and run the self-test.

    A signature that one of them has goes. Other bundles, however near they lie, are left alone.
    """
    loaded = open_models([load_bundle(folder, WORKSHOP) for folder in folders], DevicePolicy.CPU)
    for bundle in loaded.bundles:
        for name, (case, view) in golden_cases(bundle).items():
            seen = observe(loaded, bundle, case, view, one_by_one)
            (bundle.folder / "golden" / f"{name}.expected.json").write_text(seen.model_dump_json(indent=1) + "\n")
            print(f"{bundle.ref} {name}: {seen}")
        renew_hashes(bundle.folder)
    count = run_selftest(open_models([load_bundle(folder, WORKSHOP) for folder in folders], DevicePolicy.CPU), one_by_one)
    print(f"self-test: {count} golden cases passed")


def _detection_cases() -> list[Case]:
    rng = default_rng(20)
    garments = CargoPlan((17,), window_mm=(1500.0, 1250.0), margins_mm=(150.0, 120.0, 60.0))
    clean = _narrowed(cargo_scene(garments, 5.0, rng), 380)
    guilty = with_threats(clean, ("handgun", "dense"), rng)
    parcel = with_threats(parcel_scene(2.0, default_rng(21)), ("handgun",), default_rng(22))
    return [
        _case("cargo-threat", guilty, 1, ("6109",), "garments in cartons, with a handgun and a heavy block among them"),
        _case("cargo-clean", clean, 1, ("6109",), "the same garments with nothing in them"),
        _case("parcel-threat", parcel, 1, (), "a parcel with a handgun"),
    ]


def _contents_cases() -> list[Case]:
    stowed = CargoPlan((10,), feet=20, is_high=False)
    return [
        _case("as-declared", cargo_scene(stowed, 5.0, default_rng(31)), 3, ("2203",), "bottled beverages, declared as beverages"),
        _case(
            "foreign", cargo_scene(replace(stowed, foreign=21), 5.0, default_rng(32)), 3, ("2203",), "beverages with metal scrap among them"
        ),
        _case("empty", cargo_scene(replace(stowed, loads=()), 5.0, default_rng(33)), 3, ("0000",), "an empty container"),
    ]


def _case(name: str, scene: Scene, binning: int, declared: tuple[str, ...], why: str) -> Case:
    """Expose a scene with a 12-bit machine and add up ``binning`` x ``binning`` px, so that the file stays small."""
    machine = replace(draw_machine(default_rng(7)), bits=12, dead_rows=())
    high, low = (_binned(plane, binning) for plane in expose(scene, machine, default_rng(8)))
    return Case(name, "cargo" if scene.is_cargo else "parcel", scene.pitch_mm * binning, (high, low), declared, why)


def _binned(plane: NDArray[np.uint16], binning: int) -> NDArray[np.uint16]:
    height, width = (side // binning for side in plane.shape)
    blocks = plane[: height * binning, : width * binning].reshape(height, binning, width, binning)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint16)


def _narrowed(scene: Scene, rows: int) -> Scene:
    """Keep the lowest ``rows`` rows above the container's floor, where the goods are."""
    y1 = int(scene.room[3])
    y0 = max(0, y1 - rows)
    window = (slice(y0, y1), slice(None))
    room = (scene.room[0], max(0.0, scene.room[1] - y0), scene.room[2], float(y1 - y0))
    return replace(scene, areal=scene.areal[:, *window], goods=scene.goods[window], mask=scene.mask[window], room=room)


def main() -> None:
    """Write the expectations of all bundles in a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, metavar="DIR", help="folder of bundles, <name>/<version>/; their signatures go")
    write_expectations(find_bundles(parser.parse_args().root))


if __name__ == "__main__":
    main()
