"""A second bundle looks at live scans after their assessment was published: journalled, compared, never an alert.

It never delays anything and never ends the daemon: its threads let all others go first and nobody watches them, its memory is a part of
its own, at most one scan waits for it, and what comes meanwhile is passed over. When a look fails, no further one is tried.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.agent.engine import Engine
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.pipeline import WORKING_SET, Assessed
from edge_agent.analysis.deadline import Deadline
from edge_agent.domain.assessment import BundleState, Fact, FactKind, MachineAssessment, Reason
from edge_agent.domain.ids import ScanId, SiteId, fact_id
from edge_agent.domain.scan import Scan
from edge_agent.errors import EdgeAgentError, OutOfTime, TryLater
from edge_agent.ledger.records import Entry
from edge_agent.telemetry import events
from edge_agent.wire import messages
from edge_agent.wire.convert import shadow_body
from edge_agent.wire.frames import topic

NICENESS = 10
_PART = 4
"""One part in so many of the memory for scans is the shadow's, whether it looks or not: so no live scan ever waits for a look to end."""
_UNEXPECTED = "internal"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a look may take.

    ``deadline_s``: seconds of work, after which it is cut off and says so; ``stuck_s``: seconds after which it is taken for hung;
    ``memory``: bytes of its working set.
    """

    deadline_s: float
    stuck_s: float
    memory: int


class Shadow:
    """Satisfies ``agent.pipeline.Onlooker`` with an engine of its own."""

    def __init__(self, engine: Engine, ledger: LedgerLane, bounds: Bounds) -> None:
        """``engine``: what would be in force, on lanes that nothing else uses."""
        self._engine = engine
        self._ledger = ledger
        self._bounds = bounds
        self._waiting: asyncio.Queue[Assessed] = asyncio.Queue(maxsize=1)
        self._too_large = 0
        self._failure: Reason | None = None
        tried = [bundle.use for bundle in engine.loaded.bundles if bundle.use.state is BundleState.SHADOW]
        self._cause = "shadow-" + "-".join(use.sha256[:16] for use in tried)

    @property
    def problems(self) -> tuple[Reason, ...]:
        """Say why it does not look at every scan for which it has the time; health tells it."""
        partial = (Reason("shadow-partial", {"scans": self._too_large}),) if self._too_large else ()
        return partial if self._failure is None else (*partial, self._failure)

    def offer(self, assessed: Assessed) -> None:
        """Take the scan when none waits; a scan that is passed over is missing in the comparison, and nowhere else."""
        if self._failure is not None:
            return
        if _working_set(assessed.scan) > self._bounds.memory:
            self._too_large += 1
            _pass_over(assessed)
            return
        try:
            self._waiting.put_nowait(assessed)
        except asyncio.QueueFull:
            _pass_over(assessed)

    async def run(self, ring: Callable[[], None]) -> None:
        """Judge what was offered until cancelled or until a look fails; ``ring`` is called after each commit.

        Whatever becomes of a look, the daemon lives on. Where the device is lost, the active models meet that by themselves.
        """
        while True:
            assessed = await self._waiting.get()
            try:
                entry = await self._look(assessed)
            except Exception as problem:  # noqa: BLE001 - the guard around a bundle on trial: it must not end what counts
                self._failure = unavailable(problem, assessed.scan.scan_id)
                self._waiting = asyncio.Queue(maxsize=1)  # its pixels must not stay
                return
            try:
                await self._ledger.append(entry)
            except TryLater:  # a full disk, say: a comparison is not worth the daemon's life
                _pass_over(assessed)
                continue
            ring()

    async def _look(self, assessed: Assessed) -> Entry:
        engine, scan = self._engine, assessed.scan
        deadline = Deadline(engine.clock, engine.clock.monotonic() + self._bounds.deadline_s)
        try:
            async with asyncio.timeout(self._bounds.stuck_s):
                judgement = await engine.cpu.run(engine.judge, scan, assessed.notes, deadline)
        except TimeoutError as problem:
            raise OutOfTime("a look of the bundle in shadow does not end") from problem
        conclusion = judgement.conclusion
        identity = fact_id(scan.scan_id, FactKind.SHADOW.value, scan.revision, self._cause)
        assessment = MachineAssessment(
            Fact(identity, scan.scan_id, scan.revision, self._cause, engine.clock.now()),
            conclusion.word,
            conclusion.reasons,
            conclusion.obstacles,
            judgement.findings,
            engine.provenance(),
            judgement.timings_ms,
        )
        return _entry(assessed, assessment)


def parted(memory: int) -> tuple[int, int]:
    """Part ``memory``, in bytes, into what live scans share and what looks have for themselves."""
    own = memory // _PART
    return memory - own, own


def unavailable(problem: Exception, scan_id: ScanId | None = None) -> Reason:
    """Log that the bundle in shadow failed, at the start or on a scan; give the reason for health."""
    code = problem.code if isinstance(problem, EdgeAgentError) else _UNEXPECTED
    events.shadow_failed(code, scan_id, problem)
    return Reason("shadow-unavailable", {"why": code})


def _working_set(scan: Scan) -> int:
    return WORKING_SET * sum(plane.pixels.nbytes for view in scan.views for plane in view.planes)


def _pass_over(assessed: Assessed) -> None:
    events.shadow_passed_over(assessed.scan.scanner.scanner_id, assessed.scan.scan_id)


def _entry(assessed: Assessed, assessment: MachineAssessment) -> Entry:
    active, fact = assessed.body, assessment.fact
    where = topic(SiteId(active.site), assessed.scan.scanner.scanner_id, FactKind.SHADOW.value)
    return Entry(fact.fact_id, fact.scan_id, FactKind.SHADOW, where, messages.encode(shadow_body(active, assessment)))
