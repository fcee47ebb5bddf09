"""``python -m benchmarks.formats``: how fast files become pixels and pixels become packages, beside plain tifffile and OpenCV.

One 16-bit dual-energy scan, 2 x (2000 x 8000). Every contender does its work once in each round, so that a slow moment of the machine
meets all; CPU time counts, and the least of the rounds is compared with the goal. Writes ``benchmarks/results/formats.json``.
"""

import argparse
import io
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import imagecodecs
import numpy as np
import tifffile
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import scene
from edge_agent.domain.profile import MemberRule, Need, PlaneRule, Profile
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, View
from edge_agent.formats.assemble import decode_scan
from edge_agent.formats.encode import png_bytes
from edge_agent.formats.members import OpenMember
from edge_agent.formats.package import read_package, write_package
from edge_agent.formats.package_tiles import TileReader
from edge_agent.imaging.quality import faults
from edge_agent.testing.clock import ManualClock

RESULTS = Path(__file__).resolve().parent / "results" / "formats.json"
GOALS_MS = {
    "decode tiff-none: edge-agent": 300.0,
    "decode tiff-deflate: edge-agent": 300.0,
    "package deflate: write": 1000.0,
    "package zstd: write": 450.0,
    "package deflate: tile of both planes": 15.0,
    "package zstd: tile of both planes": 15.0,
}
"""CPU milliseconds a pair, at most."""

Task = Callable[[], object]

_ENERGIES = ("high", "low")
_TIFFS: dict[str, dict[str, object]] = {
    "tiff-none": {},
    "tiff-lzw": {"compression": "lzw", "predictor": 2, "rowsperstrip": 64},
    "tiff-deflate": {"compression": "adobe_deflate", "predictor": 2, "compressionargs": {"level": 1}, "rowsperstrip": 64},
    "tiff-zstd": {"compression": "zstd", "predictor": 2, "tile": (512, 512)},
}


def main() -> int:
    """Measure, print, write; 0 when every goal is met, 1 when one is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (the least of them counts)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where to write the figures")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    planes = (scene.pixels(1), scene.pixels(2))
    with TemporaryDirectory() as name:
        tasks = {**_decoding(planes), **_packing(planes, Path(name))}
        best = _least_cpu_ms(tasks, args.rounds)
    results = {**{task: round(ms, 1) for task, ms in best.items()}, **_machine(), "rounds": args.rounds}
    args.out.write_text(json.dumps(results, indent=1) + "\n")
    return _show(best)


def _least_cpu_ms(tasks: Mapping[str, Task], rounds: int) -> dict[str, float]:
    best = dict.fromkeys(tasks, float("inf"))
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("formats", total=rounds * len(tasks))
        for _ in range(rounds):
            for name, task in tasks.items():
                started = time.process_time()
                task()
                best[name] = min(best[name], (time.process_time() - started) * 1000.0)
                progress.advance(bar)
    return best


def _decoding(planes: tuple[np.ndarray, np.ndarray]) -> dict[str, Task]:
    files = {name: [_tiff(plane, options) for plane in planes] for name, options in _TIFFS.items()}
    tasks: dict[str, Task] = {}
    for name, pair in files.items():
        tasks[f"decode {name}: edge-agent"] = lambda pair=pair: _ours(pair)
        tasks[f"decode {name}: tifffile"] = lambda pair=pair: [tifffile.imread(io.BytesIO(data)) for data in pair]
        if name != "tiff-zstd":  # OpenCV gives nothing for it
            tasks[f"decode {name}: OpenCV"] = lambda pair=pair: [_opencv(data) for data in pair]
    pngs = [png_bytes(plane) for plane in planes]
    tasks["decode png: edge-agent"] = lambda: _ours(pngs)
    tasks["decode png: OpenCV"] = lambda: [_opencv(data) for data in pngs]
    jxls = [imagecodecs.jpegxl_encode(plane, lossless=True, effort=1, usecontainer=True) for plane in planes]
    tasks["decode jpeg-xl: edge-agent"] = lambda: _ours(jxls)
    tasks["decode jpeg-xl: imagecodecs"] = lambda: [imagecodecs.jpegxl_decode(data) for data in jxls]
    plane = Plane(Quantity.TRANSMISSION, Energy.HIGH, planes[0].copy())
    tasks["quality gate, one plane"] = lambda: faults(plane)
    return tasks


def _packing(planes: tuple[np.ndarray, np.ndarray], folder: Path) -> dict[str, Task]:
    scan = _scan(planes)
    tasks: dict[str, Task] = {}
    for codec in ("deflate", "zstd", "jxl"):
        path = folder / f"{codec}.scan.zip"
        write_package(scan, [], path, codec)
        tasks[f"package {codec}: write"] = lambda path=path, codec=codec: write_package(scan, [], path, codec)
        tasks[f"package {codec}: read and verify"] = lambda path=path: read_package(path)
        tasks[f"package {codec}: tile of both planes"] = lambda path=path: _tiles(path)
    return tasks


def _tiff(plane: np.ndarray, options: Mapping[str, object]) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, plane, photometric="minisblack", metadata=None, **options)
    return out.getvalue()


def _ours(pair: list[bytes]) -> object:
    """What the decode child does with a pair: gate, structure, pixels, canonical frame, polarity."""
    return decode_scan([OpenMember(name, name, io.BytesIO(data), len(data)) for name, data in zip(_ENERGIES, pair, strict=True)], _PROFILE)


def _opencv(data: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels


def _tiles(path: Path) -> object:
    with TileReader(path) as reader:
        return [reader.tile(("side", Quantity.TRANSMISSION, energy), 0, 7, 2) for energy in (Energy.HIGH, Energy.LOW)]


def _scan(planes: tuple[np.ndarray, np.ndarray]) -> Scan:
    scan = scene.scan(planes[0], scene.particulars(ManualClock()))
    high = scan.views[0].planes[0]
    low = Plane(Quantity.TRANSMISSION, Energy.LOW, planes[1])
    return replace(scan, views=(View("side", (high, low), scan.views[0].pitch_mm),))


def _rule(energy: str) -> MemberRule:
    return MemberRule(energy, rf"(?P<key>{energy})", Need.REQUIRED, 1.0, PlaneRule("side", Quantity.TRANSMISSION, Energy(energy)))


_PROFILE = Profile("bench", tuple(_rule(energy) for energy in _ENERGIES), "", "UTC", 1.0, 1.0, ("side",))


def _machine() -> dict[str, str | int | None]:
    return {
        "unit": "CPU ms for 2 planes of 2000 x 8000, 16 bits",
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "tifffile": tifffile.__version__,
        "imagecodecs": imagecodecs.__version__,
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _show(best: Mapping[str, float]) -> int:
    table = Table(title="CPU ms for a dual-energy pair, 2 x (2000 x 8000), least of the rounds")
    for column in ("task", "who", "ms", "goal", "times the plain library"):
        table.add_column(column, justify="left" if column in ("task", "who") else "right")
    missed = 0
    for name, ms in best.items():
        what, _, who = name.partition(": ")
        goal = GOALS_MS.get(name)
        missed += goal is not None and ms > goal
        others = {other: best[f"{what}: {other}"] for other in ("tifffile", "OpenCV", "imagecodecs") if f"{what}: {other}" in best}
        ratios = ", ".join(f"{ms / value:.2f} {other}" for other, value in others.items()) if who == "edge-agent" else ""
        shown = "" if goal is None else f"[{'red' if ms > goal else 'green'}]<= {goal:.0f}[/]"
        table.add_row(what, who, f"{ms:.1f}", shown, ratios)
    Console().print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
