"""``make bench``: how fast the whole path is, as ratios taken in one run on one machine.

Writes ``benchmarks/results/latest.json`` (flat keys) and ``latest.png``, and prints a table with the floors beside the figures.
Processes are interleaved: in each round every one of them works alone, once, so that a slow moment of the machine meets all.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import network, scene
from benchmarks.latency import Delivered, quiet_ms, site_running
from benchmarks.level import level_for
from benchmarks.plot import draw
from edge_agent import __version__
from edge_agent.agent.lifecycle import cores_granted

RESULTS = Path(__file__).resolve().parent / "results"
_NULL_LEVEL = 0.3
_WANTED = 300
_ROLES = {"bare": "bench-640", "whole": "bench-640", "overhead": "null-640", "stages": "bench-640"}
_SERIAL = ("overhead",)

Rounds = Mapping[str, Sequence[Mapping[str, float]]]


class Worker:
    """A process of ``benchmarks.worker``, asked for one round at a time."""

    def __init__(self, role: str, bundles: Path, threads: int, show_at: float) -> None:
        command = (sys.executable, "-m", "benchmarks.worker", role, str(bundles), str(threads), repr(show_at))
        # One thread for linear algebra: the daemon's unit file says the same.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def prepared(self) -> "Worker":
        """Wait until it has warmed up."""
        if self._line() != "ready\n":
            raise SystemExit(f"a worker ended with exit code {self._process.wait()}")
        return self

    def one_round(self) -> dict[str, float]:
        """Ask for one round and give its figures."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        figures: dict[str, float] = json.loads(self._line())
        return figures

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def main() -> int:
    """Measure, print, write; 0 when every floor is met, 1 when one is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (the median counts; at least 7 for a result)")
    parser.add_argument("--scans", type=int, default=20, help="scans through the real daemon")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for latest.json and latest.png")
    args = parser.parse_args()
    threads = cores_granted()
    with TemporaryDirectory() as name:
        bundles = Path(name)
        for bundle, model in (("bench-640", network.bench_model()), ("null-640", network.null_model())):
            network.write_bundle(bundles / bundle, bundle, model)
        show_at = level_for(next((bundles / "bench-640").glob("*/*/model.onnx")), scene.pixels(1), _WANTED)
        with Progress(console=Console(stderr=True)) as progress:
            rounds = _interleaved(bundles, threads, show_at, args.rounds, progress)
            delivered, peak = _through_the_daemon(bundles, threads, show_at, args.scans, progress)
    results = {**_ratios(rounds), **_latencies(delivered), "peak_rss_mb": round(peak, 1), **_machine(threads), "rounds": args.rounds}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "latest.json").write_text(json.dumps(results, indent=1) + "\n")
    draw(results, rounds, args.out / "latest.png")
    return _show(results)


def _interleaved(bundles: Path, threads: int, show_at: float, count: int, progress: Progress) -> Rounds:
    with ExitStack() as stack:
        workers = {}
        for role, bundle in _ROLES.items():
            level = _NULL_LEVEL if bundle == "null-640" else show_at
            worker = Worker(role, bundles / bundle, 1 if role in _SERIAL else threads, level)
            workers[role] = stack.enter_context(worker).prepared()
        rounds: dict[str, list[dict[str, float]]] = {role: [] for role in workers}
        task = progress.add_task("in memory and by stage", total=count * len(workers))
        for number in range(count):
            # Each round begins with another process, so that none always comes after the same one.
            order = list(workers)[number % len(workers) :] + list(workers)[: number % len(workers)]
            for role in order:
                rounds[role].append(workers[role].one_round())
                progress.advance(task)
    return rounds


def _through_the_daemon(bundles: Path, threads: int, show_at: float, count: int, progress: Progress) -> tuple[list[Delivered], float]:
    task = progress.add_task("through the daemon", total=count)
    delivered = []
    with site_running(bundles / "bench-640", threads, show_at) as bench:
        for _ in range(count):
            delivered.append(bench.one_round())
            progress.advance(task)
        return delivered, bench.peak_rss_mb()


def _ratios(rounds: Rounds) -> dict[str, float]:
    bare, whole, ours = ([figures["ms"] for figures in rounds[role]] for role in ("bare", "whole", "overhead"))
    ratios = [one / other for one, other in zip(bare, whole, strict=True)]
    results = {
        "whole_path_over_bare_ort": round(statistics.median(ratios), 4),
        "whole_path_over_bare_ort_of_minima": round(min(bare) / min(whole), 4),
        "whole_path_over_bare_ort_cpu_time": round(_cpu(rounds, "bare") / _cpu(rounds, "whole"), 4),
        "bare_ort_ms": round(statistics.median(bare), 1),
        "whole_path_ms": round(statistics.median(whole), 1),
        "overhead_ms_64_tiles": round(statistics.median(ours), 2),
        "overhead_ms_64_tiles_min": round(min(ours), 2),
        "overhead_findings": rounds["overhead"][0]["findings"],
        "whole_path_findings": rounds["whole"][0]["findings"],
    }
    for stage in rounds["stages"][0]:
        results[f"stage_{stage}_ms"] = round(statistics.median(figures[stage] for figures in rounds["stages"]), 2)
    return results


def _cpu(rounds: Rounds, role: str) -> float:
    """Give the median CPU time of a role: a busy machine stretches it much less than the wall time."""
    return statistics.median(figures["cpu_ms"] for figures in rounds[role])


def _latencies(delivered: Sequence[Delivered]) -> dict[str, float]:
    ms = [one.closed_to_published_ms for one in delivered]
    return {
        "closed_to_published_p50_ms": round(float(np.percentile(ms, 50)), 1),
        "closed_to_published_p95_ms": round(float(np.percentile(ms, 95)), 1),
        "closed_to_published_scans": len(ms),
        "closed_to_published_quiet_ms": quiet_ms(),
    }


def _machine(threads: int) -> dict[str, str | int]:
    return {
        "cores": threads,
        "processor": _processor(),
        "python": platform.python_version(),
        "onnxruntime": ort.__version__,
        "numpy": np.__version__,
        "edge_agent": __version__,
        "bench_640_parameters": network.parameters(network.bench_model()),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


_FLOORS = (
    ("whole_path_over_bare_ort", "scan in memory to assessment, over bare onnxruntime", ">=", 0.95, 0.97),
    ("overhead_ms_64_tiles", "our own ms for 64 tiles and about 300 detections", "<=", 30.0, 25.0),
)


def _show(results: Mapping[str, float | str]) -> int:
    console = Console()
    table = Table("figure", "value", "floor", "goal", title="edge-agent benchmarks: random weights, synthetic scan")
    missed = 0
    for key, words, sign, floor, goal in _FLOORS:
        value = float(results[key])
        is_met = value >= floor if sign == ">=" else value <= floor
        missed += not is_met
        table.add_row(words, f"[{'green' if is_met else 'red'}]{value}[/]", f"{sign} {floor}", f"{sign} {goal}")
    for key, value in results.items():
        if key not in {key for key, *_ in _FLOORS}:
            table.add_row(key, str(value), "", "")
    console.print(table)
    if missed:
        console.print(f"[red]{missed} floor(s) missed[/]")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
