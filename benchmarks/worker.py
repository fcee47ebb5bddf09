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
from benchmarks.network import SIDE_PX
from benchmarks.policy import policy
from edge_agent.agent.engine import Engine
from edge_agent.agent.lanes import Lane
from edge_agent.domain.assessment import Fact, MachineAssessment
from edge_agent.domain.geometry import Size
from edge_agent.domain.ids import FactId
from edge_agent.imaging.tiles import plan_tiles
from edge_agent.inference.load import LoadedModels, load_models
from edge_agent.inference.session import DevicePolicy, Session
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire import messages
from edge_agent.wire.convert import ScanContext, assessment_body

Round = Callable[[], Mapping[str, float]]


class _Stopwatch:
    """Adds up the time that threads spend inside onnxruntime; stands in the place of the real session and calls it."""

    def __init__(self, inner: ort.InferenceSession) -> None:
        self._inner = inner
        self.spells: list[float] = []

    def run(self, names: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        started = time.perf_counter()
        outputs: list[NDArray[np.float32]] = self._inner.run(names, feeds)
        self.spells.append(time.perf_counter() - started)
        return outputs


def main(role: str, bundles: Path, threads: int, show_at: float) -> None:
    """Prepare, warm up, then answer until standard input ends."""
    cv2.setNumThreads(1)
    roles = {"bare": bare, "whole": whole, "overhead": overhead}
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
            started = time.perf_counter()
            for _ in pool.map(lambda tile: session.run(["boxes", "scores"], {"image": tile}), tiles):
                pass
            return {"ms": (time.perf_counter() - started) * 1000.0}

        yield one_round


@contextmanager
def whole(bundles: Path, threads: int, show_at: float) -> Iterator[Round]:
    """Take a scan in memory all the way to the bytes of its assessment, as the daemon does."""
    with _engine(bundles, threads, show_at) as engine:
        levels = scene.pixels(1)

        def one_round() -> Mapping[str, float]:
            started = time.perf_counter()
            body, findings = _assess(engine, levels)
            return {"ms": (time.perf_counter() - started) * 1000.0, "findings": findings, "body_bytes": len(body)}

        yield one_round


@contextmanager
def overhead(bundles: Path, threads: int, show_at: float) -> Iterator[Round]:
    """Do the same on one thread and take off the time inside onnxruntime: what is left is ours."""
    with _engine(bundles, threads, show_at) as engine:
        watch = _watched(engine.loaded)
        levels = scene.pixels(1)

        def one_round() -> Mapping[str, float]:
            watch.spells.clear()
            started = time.perf_counter()
            _, findings = _assess(engine, levels)
            total = time.perf_counter() - started
            inside = sum(watch.spells)
            return {"ms": (total - inside) * 1000.0, "inside_ms": inside * 1000.0, "tiles": len(watch.spells), "findings": findings}

        yield one_round


@contextmanager
def _engine(bundles: Path, threads: int, show_at: float) -> Iterator[Engine]:
    loaded = load_models(bundles, DevicePolicy.CPU)
    device, cpu = Lane("device", threads), Lane("cpu")
    try:
        yield Engine(loaded, policy(show_at), device, cpu, SystemClock(), "0" * 64)
    finally:
        device.close()
        cpu.close()


def _watched(loaded: LoadedModels) -> _Stopwatch:
    detector = loaded.models.detector
    session: Session = detector._session  # type: ignore[union-attr]  # noqa: SLF001 - a measuring instrument looks inside
    watch = _Stopwatch(session._session)  # noqa: SLF001
    session._session = watch  # noqa: SLF001
    return watch


def _assess(engine: Engine, levels: NDArray[np.uint16]) -> tuple[bytes, int]:
    about = scene.particulars(engine.clock)
    scan = scene.scan(levels, about)
    judgement = engine.judge(scan, ())
    conclusion = judgement.conclusion
    assessment = MachineAssessment(
        Fact(FactId("00000000-0000-5000-8000-000000000000"), scan.scan_id, 1, "pixels", engine.clock.now()),
        conclusion.word,
        conclusion.reasons,
        conclusion.obstacles,
        judgement.findings,
        engine.provenance(),
        judgement.timings_ms,
    )
    body = messages.encode(assessment_body(ScanContext(scene.SITE, scene.SCANNER, about, scan.members, ()), assessment))
    return body, len(judgement.findings)


def _tiles(levels: NDArray[np.uint16]) -> Sequence[NDArray[np.float32]]:
    windows = plan_tiles(Size(levels.shape[1], levels.shape[0]), SIDE_PX, 128)
    scaled = levels.astype(np.float32) / np.float32(65535.0)
    return [np.ascontiguousarray(scaled[None, None, w.y0 : w.y1, w.x0 : w.x1]) for w in windows]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
