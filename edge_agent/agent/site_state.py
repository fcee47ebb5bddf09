"""The site's state over time: health judged from facts, journalled when it changes, told in every heartbeat."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.agent.health import Health, HealthFacts, codes, judge
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.domain.assessment import BundleUse, FactKind, Reason
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import SiteId, fact_id
from edge_agent.formats.sandbox import SandboxReport
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.telemetry import events
from edge_agent.wire import messages
from edge_agent.wire.frames import topic
from edge_agent.wire.heartbeat import SiteState
from edge_agent.wire.messages import BundlePart, CodeParams, HealthBody

_JUDGE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the facts of health come from."""

    state_dir: Path
    wants_gpu: bool
    provider_is_cpu: bool
    bundles: tuple[BundleUse, ...]
    sandbox: SandboxReport
    lost_folders: Callable[[], tuple[str, ...]]
    expired_consumers: Callable[[], list[str]]
    declarations_problem: Callable[[], str]
    model_problems: Callable[[], tuple[Reason, ...]]


class SiteMonitor:
    """Keeps the present :class:`Health` and tells it to the journal, the log and the heartbeat."""

    def __init__(self, site: SiteId, surroundings: Surroundings, ledger: LedgerLane, clock: Clock) -> None:
        self._site = site
        self._around = surroundings
        self._ledger = ledger
        self._clock = clock
        self._disk_free = 1.0
        self._in_flight = 0
        self._health: Health | None = None

    def state(self) -> SiteState:
        """Give what a heartbeat says of the site."""
        health = self._health or Health("healthy", ())
        bundles = [BundlePart(name=use.name, version=use.version, sha256=use.sha256, state=use.state.value) for use in self._around.bundles]
        return SiteState(
            state=health.state,
            reasons=[CodeParams(code=reason.code, params=dict(reason.params)) for reason in health.reasons],
            disk_free=round(self._disk_free, 3),
            bundles=bundles,
            sandbox=self._around.sandbox.level,
            in_flight=self._in_flight,
        )

    async def run(self, ring: Callable[[], None]) -> None:
        """Judge every two seconds until cancelled; ``ring`` is called after a change was journalled."""
        while True:
            await self.look(ring)
            await asyncio.sleep(_JUDGE_EVERY_S)

    async def look(self, ring: Callable[[], None]) -> None:
        """Judge once."""
        usage = shutil.disk_usage(self._around.state_dir)
        self._disk_free = usage.free / usage.total
        self._in_flight = (await self._ledger.call(Ledger.counts)).in_flight
        around = self._around
        facts = HealthFacts(
            around.wants_gpu,
            around.provider_is_cpu,
            around.lost_folders(),
            self._disk_free,
            tuple(around.expired_consumers()),
            around.sandbox.level,
            around.declarations_problem(),
            around.sandbox.why,
            around.model_problems(),
        )
        health = judge(facts)
        if self._health is None or (health.state, codes(health.reasons)) != (self._health.state, codes(self._health.reasons)):
            self._health = health
            await self._journal(health)
            events.health_changed(health.state, codes(health.reasons))
            ring()
        self._health = health

    async def _journal(self, health: Health) -> None:
        now = self._clock.now()
        cause = now.isoformat()
        fact = fact_id(self._site, FactKind.HEALTH.value, 0, cause)
        body = HealthBody(
            schema="health/1.0",
            fact_id=fact,
            site=self._site,
            scanner=None,
            scan_id=None,
            revision=0,
            cause=cause,
            produced_at=now,
            state=health.state,
            reasons=[CodeParams(code=reason.code, params=dict(reason.params)) for reason in health.reasons],
        )
        await self._ledger.append(Entry(fact, None, FactKind.HEALTH, topic(self._site, None, FactKind.HEALTH.value), messages.encode(body)))
