"""The daemon's engine with a benchmark's bundle and policy, and a stopwatch around onnxruntime."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks import scene
from benchmarks.bench_policy import policy
from edge_agent.agent.engine import Engine, Judgement
from edge_agent.agent.lanes import Lane
from edge_agent.domain.assessment import Fact, FactKind, MachineAssessment
from edge_agent.domain.ids import FactId, ScanId, fact_id
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.scan import Scan, ScannerRef, View
from edge_agent.inference.load import LoadedModels, load_models
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire import messages
from edge_agent.wire.convert import ScanContext, assessment_body


@dataclass(frozen=True)
class Judge:
    """Judges scans as the daemon does, with ``threads`` tile threads."""

    engine: Engine
    threads: int

    def scan(self, identity: ScanId, views: tuple[View, ...], members: Sequence[MemberDigest]) -> Scan:
        """Give the scan as the models see it."""
        about = scene.particulars(self.engine.clock)
        return Scan(identity, 1, ScannerRef(scene.SCANNER, "bench"), about.capture, about.subject, views, None, tuple(members))

    def fact_id(self, scan: Scan) -> FactId:
        """Give the identity of the scan's assessment."""
        return fact_id(scan.scan_id, FactKind.ASSESSMENT.value, 1, "pixels")

    def body(self, scan: Scan, judgement: Judgement) -> bytes:
        """Give the bytes that would be journalled."""
        conclusion = judgement.conclusion
        assessment = MachineAssessment(
            Fact(self.fact_id(scan), scan.scan_id, 1, "pixels", self.engine.clock.now()),
            conclusion.word,
            conclusion.reasons,
            conclusion.obstacles,
            judgement.findings,
            self.engine.provenance(),
            judgement.timings_ms,
        )
        context = ScanContext(scene.SITE, scene.SCANNER, scene.particulars(self.engine.clock), scan.members, ())
        return messages.encode(assessment_body(context, assessment))


@contextmanager
def judging(bundles: Path, threads: int, show_at: float) -> Iterator[Judge]:
    """Give a judge with the one bundle under ``bundles``."""
    loaded = load_models(bundles, DevicePolicy.CPU, WORKSHOP)
    device, cpu = Lane("device", threads), Lane("cpu")
    try:
        yield Judge(Engine(loaded, policy(show_at), device, cpu, SystemClock(), "0" * 64), threads)
    finally:
        device.close()
        cpu.close()


class Stopwatch:
    """Notes how long each inference takes; stands in the place of the onnxruntime session and calls it."""

    def __init__(self, inner: ort.InferenceSession) -> None:
        self._inner = inner
        self.spells: list[float] = []
        self.outputs: list[list[NDArray]] | None = None
        """Raw outputs of each inference since this was set to a list; None keeps nothing."""

    @classmethod
    def on(cls, loaded: LoadedModels) -> "Stopwatch":
        """Put a stopwatch into the detector of ``loaded``. A measuring instrument looks inside."""
        session = loaded.models.detectors[0]._session  # type: ignore[attr-defined]  # noqa: SLF001
        session._session = cls(session._session)  # noqa: SLF001
        watch: Stopwatch = session._session  # noqa: SLF001
        return watch

    @property
    def busy_ms(self) -> float:
        """Milliseconds inside onnxruntime, added up over threads."""
        return sum(self.spells) * 1000.0

    def run(self, names: list[str], feeds: dict[str, NDArray]) -> list[NDArray]:
        """Run the graph as the session does."""
        started = time.perf_counter()
        outputs: list[NDArray] = self._inner.run(names, feeds)
        self.spells.append(time.perf_counter() - started)
        if self.outputs is not None:
            self.outputs.append(outputs)
        return outputs
