"""A second bundle looks at live scans after their assessment was published: journalled, compared, never an alert.

It never delays anything: its threads let all others go first, at most one scan waits for it, and what comes meanwhile is passed over.
"""

import asyncio
from collections.abc import Callable

from edge_agent.agent.engine import Engine
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.pipeline import Assessed
from edge_agent.domain.assessment import BundleState, Fact, FactKind, MachineAssessment
from edge_agent.domain.ids import SiteId, fact_id
from edge_agent.errors import TryLater
from edge_agent.ledger.records import Entry
from edge_agent.telemetry import events
from edge_agent.wire import messages
from edge_agent.wire.convert import shadow_body
from edge_agent.wire.frames import topic

NICENESS = 10


class Shadow:
    """Satisfies ``agent.pipeline.Onlooker`` with an engine of its own."""

    def __init__(self, engine: Engine, ledger: LedgerLane) -> None:
        """``engine``: what would be in force, on lanes that nothing else uses."""
        self._engine = engine
        self._ledger = ledger
        self._waiting: asyncio.Queue[Assessed] = asyncio.Queue(maxsize=1)
        tried = [bundle.use for bundle in engine.loaded.bundles if bundle.use.state is BundleState.SHADOW]
        self._cause = "shadow-" + "-".join(use.sha256[:16] for use in tried)

    def offer(self, assessed: Assessed) -> None:
        """Take the scan when none waits; a scan that is passed over is missing in the comparison, and nowhere else."""
        try:
            self._waiting.put_nowait(assessed)
        except asyncio.QueueFull:
            events.shadow_passed_over(assessed.scan.scanner.scanner_id, assessed.scan.scan_id)

    async def run(self, ring: Callable[[], None]) -> None:
        """Judge what was offered until cancelled; ``ring`` is called after each commit.

        Raises:
            DeviceFailed: the device is lost, for the active models too.
        """
        while True:
            assessed = await self._waiting.get()
            judgement = await self._engine.cpu.run(self._engine.judge, assessed.scan, assessed.notes)
            scan, conclusion = assessed.scan, judgement.conclusion
            identity = fact_id(scan.scan_id, FactKind.SHADOW.value, scan.revision, self._cause)
            assessment = MachineAssessment(
                Fact(identity, scan.scan_id, scan.revision, self._cause, self._engine.clock.now()),
                conclusion.word,
                conclusion.reasons,
                conclusion.obstacles,
                judgement.findings,
                self._engine.provenance(),
                judgement.timings_ms,
            )
            try:
                await self._ledger.append(_entry(assessed, assessment))
            except TryLater:  # a full disk, say: a comparison is not worth the daemon's life
                events.shadow_passed_over(scan.scanner.scanner_id, scan.scan_id)
                continue
            ring()


def _entry(assessed: Assessed, assessment: MachineAssessment) -> Entry:
    active, fact = assessed.body, assessment.fact
    where = topic(SiteId(active.site), assessed.scan.scanner.scanner_id, FactKind.SHADOW.value)
    return Entry(fact.fact_id, fact.scan_id, FactKind.SHADOW, where, messages.encode(shadow_body(active, assessment)))
