"""Golden cases: small simulated inputs in a bundle, and what the runtime's own path makes of them.

``python -m training.golden exported_models`` writes ``<case>.expected.json`` for every bundle under the folder, renews the hashes
in the cards, and runs the self-test that the daemon runs at its start.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from edge_agent.analysis.ports import one_by_one
from edge_agent.inference.load import load_models
from edge_agent.inference.selftest import golden_cases, observe, run_selftest
from edge_agent.inference.session import DevicePolicy
from edge_agent.sim.machine import draw_machine, expose
from edge_agent.sim.scene import CargoPlan, Scene, cargo_scene, parcel_scene, with_threats
from training.card import renew_hashes

_SIDE_PX = 240


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
    """Write the golden inputs of a bundle for ``detection`` or ``contents``; the same every time."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in _detection_cases() if purpose == "detection" else _contents_cases():
        high, low = case.planes
        np.savez_compressed(folder / f"{case.name}.npz", high=high, low=low)
        content = {"subject": case.subject, "pitch_mm": [case.pitch_mm] * 2, "declared": list(case.declared), "why": case.why}
        (folder / f"{case.name}.json").write_text(json.dumps(content, indent=1) + "\n")


def write_expectations(root: Path) -> None:
    """Write what every golden input gives through the runtime, renew the hashes, and run the self-test."""
    loaded = load_models(root, DevicePolicy.CPU)
    for bundle in loaded.bundles:
        for name, (case, view) in golden_cases(bundle).items():
            seen = observe(loaded, bundle, case, view, one_by_one)
            (bundle.folder / "golden" / f"{name}.expected.json").write_text(seen.model_dump_json(indent=1) + "\n")
            print(f"{bundle.ref} {name}: {seen}")
        renew_hashes(bundle.folder)
    count = run_selftest(load_models(root, DevicePolicy.CPU), one_by_one)
    print(f"self-test: {count} golden cases passed")


def _detection_cases() -> list[Case]:
    rng = default_rng(20)
    plan = CargoPlan((6,), window_mm=(1500.0, 1500.0), margins_mm=(150.0, 120.0, 60.0))
    clean = cargo_scene(plan, 5.0, rng)
    guilty = with_threats(_narrowed(clean, _SIDE_PX + 160), ("handgun", "bricks"), rng)
    parcel = with_threats(parcel_scene(2.0, default_rng(21)), ("knife",), default_rng(22))
    return [
        _case("cargo-threat", guilty, ("1701",), "sugar in sacks, with a handgun and packets among them"),
        _case("cargo-clean", _narrowed(clean, _SIDE_PX + 160), ("1701",), "the same sugar with nothing in it"),
        _case("parcel-threat", parcel, (), "a parcel with a knife"),
    ]


def _contents_cases() -> list[Case]:
    stowed = CargoPlan((4,), feet=20, is_high=False)
    return [
        _case("as-declared", cargo_scene(stowed, 16.0, default_rng(31)), ("0901",), "coffee, declared as coffee"),
        _case("foreign", cargo_scene(replace(stowed, foreign=14), 16.0, default_rng(32)), ("0901",), "coffee with machines behind it"),
        _case("empty", cargo_scene(CargoPlan((), feet=20, is_high=False), 16.0, default_rng(33)), ("0000",), "an empty container"),
    ]


def _case(name: str, scene: Scene, declared: tuple[str, ...], why: str) -> Case:
    """Expose a scene with a 12-bit machine: fewer levels, so that the file stays small."""
    machine = replace(draw_machine(default_rng(7)), bits=12, dead_rows=())
    planes = expose(scene, machine, default_rng(8))
    return Case(name, "cargo" if scene.is_cargo else "parcel", scene.pitch_mm, planes, declared, why)


def _narrowed(scene: Scene, rows: int) -> Scene:
    """Keep the lowest ``rows`` rows above the container's floor, where the goods are."""
    y1 = int(scene.room[3])
    y0 = max(0, y1 - rows)
    window = (slice(y0, y1), slice(None))
    room = (scene.room[0], max(0.0, scene.room[1] - y0), scene.room[2], float(y1 - y0))
    return replace(scene, areal=scene.areal[:, *window], goods=scene.goods[window], mask=scene.mask[window], room=room)


def main() -> None:
    """Write the expectations of all bundles in a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    write_expectations(parser.parse_args().root)


if __name__ == "__main__":
    main()
