"""One process that does one kind of work each time it is told to, and says how long it took.

``python -m benchmarks.worker ROLE BUNDLES THREADS SHOW_AT``: each line on standard input asks for one round; each round answers
with one JSON line. The parent asks one process at a time, so that no two rounds share the cores.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks import scene
from benchmarks.judging import Judge, Stopwatch, judging
from benchmarks.network import SIDE_PX
from benchmarks.stages import stages
from edge_agent.domain.geometry import Size
from edge_agent.imaging.tiles import plan_tiles

Round = Callable[[], Mapping[str, float]]


def main(role: str, bundles: Path, threads: int, show_at: float) -> None:
    """Prepare, warm up, then answer until standard input ends."""
    cv2.setNumThreads(1)
    roles = {"bare": bare, "whole": whole, "overhead": overhead, "stages": staged}
    with roles[role](bundles, threads, show_at) as one_round:
        one_round()
        print("ready", flush=True)
        for _ in sys.stdin:
            print(json.dumps(dict(one_round())), flush=True)


@contextmanager
def bare(bundles: Path, threads: int, _show_at: float) -> Iterator[Round]:
    """Run nothing but ``session.run`` over the 64 tiles, prepared beforehand: the best that this machine can do."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    (model,) = bundles.glob("*/*/model.onnx")
    session = ort.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
    tiles = _tiles(scene.pixels(1))
    with ThreadPoolExecutor(threads) as pool:

        def one_round() -> Mapping[str, float]:
            started, cpu = time.perf_counter(), time.process_time()
            for _ in pool.map(lambda tile: session.run(["boxes", "scores"], {"image": tile}), tiles):
                pass
            return {"ms": (time.perf_counter() - started) * 1000.0, "cpu_ms": (time.process_time() - cpu) * 1000.0}

        yield one_round


@contextmanager
def whole(bundles: Path, threads: int, show_at: float) -> Iterator[Round]:
    """Take a scan in memory all the way to the bytes of its assessment, as the daemon does."""
    with judging(bundles, threads, show_at) as judge:
        levels = scene.pixels(1)

        def one_round() -> Mapping[str, float]:
            started, cpu = time.perf_counter(), time.process_time()
            body, findings = _assess(judge, levels)
            spent = {"ms": (time.perf_counter() - started) * 1000.0, "cpu_ms": (time.process_time() - cpu) * 1000.0}
            return {**spent, "findings": findings, "body_bytes": len(body)}

        yield one_round


@contextmanager
def overhead(bundles: Path, threads: int, show_at: float) -> Iterator[Round]:
    """Do the same on one thread and take off the time inside onnxruntime: what is left is ours."""
    with judging(bundles, threads, show_at) as judge:
        watch = Stopwatch.on(judge.engine.loaded)
        levels = scene.pixels(1)

        def one_round() -> Mapping[str, float]:
            watch.spells.clear()
            started = time.perf_counter()
            _, findings = _assess(judge, levels)
            total_ms = (time.perf_counter() - started) * 1000.0
            return {"ms": total_ms - watch.busy_ms, "inside_ms": watch.busy_ms, "tiles": len(watch.spells), "findings": findings}

        yield one_round


@contextmanager
def staged(bundles: Path, threads: int, show_at: float) -> Iterator[Round]:
    """Take a scan from its file to its package, stage by stage."""
    with judging(bundles, threads, show_at) as judge, stages(judge) as bench:
        yield bench.one_round


def _assess(judge: Judge, levels: NDArray[np.uint16]) -> tuple[bytes, int]:
    scan = scene.scan(levels, scene.particulars(judge.engine.clock))
    judgement = judge.engine.judge(scan, ())
    return judge.body(scan, judgement), len(judgement.findings)


def _tiles(levels: NDArray[np.uint16]) -> Sequence[NDArray[np.float32]]:
    windows = plan_tiles(Size(levels.shape[1], levels.shape[0]), SIDE_PX, 128)
    scaled = levels.astype(np.float32) / np.float32(65535.0)
    return [np.ascontiguousarray(scaled[None, None, w.y0 : w.y1, w.x0 : w.x1]) for w in windows]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
