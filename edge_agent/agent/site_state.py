"""The site's state over time: health judged from facts, journalled when it changes, told in every heartbeat."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from edge_agent import __version__
from edge_agent.agent.certificate import Certificate
from edge_agent.agent.health import Health, HealthFacts, Told, codes, has_news, judge, next_told
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.space import Level, Space
from edge_agent.domain.assessment import BundleUse, FactKind, Reason
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import SiteId, fact_id
from edge_agent.errors import DiskLow
from edge_agent.formats.sandbox import SandboxReport
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.telemetry import events
from edge_agent.wire import messages
from edge_agent.wire.frames import topic
from edge_agent.wire.heartbeat import CertificatePart, SiteState
from edge_agent.wire.messages import BundlePart, CodeParams, HealthBody

_JUDGE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the facts of health come from."""

    space: Space
    cpu_why: str
    bundles: tuple[BundleUse, ...]
    sandbox: SandboxReport
    lost_folders: Callable[[], tuple[str, ...]]
    expired_consumers: Callable[[], list[str]]
    declarations_problem: Callable[[], str]
    model_problems: Callable[[], tuple[Reason, ...]]
    self_test: Callable[[], Reason | None]
    allow_list_problem: Callable[[], str]
    intake_problems: Callable[[], tuple[Reason, ...]] = tuple
    ledger_problem: Callable[[], Reason | None] = lambda: None
    outbound_problem: Callable[[], str] = str
    policy_digest: str = ""
    certificates: tuple[Certificate, ...] = ()
    labels: tuple[str, ...] = ()


class SiteMonitor:
    """Keeps the present :class:`Health`: every heartbeat tells it as it is, journal and log what of it lasts."""

    def __init__(self, site: SiteId, surroundings: Surroundings, ledger: LedgerLane, clock: Clock) -> None:
        self._site = site
        self._around = surroundings
        self._ledger = ledger
        self._clock = clock
        self._in_flight = 0
        self._health = Health("healthy", ())
        self._told: Told | None = None

    def state(self) -> SiteState:
        """Give what a heartbeat says of the site."""
        health = self._health
        bundles = [BundlePart(name=use.name, version=use.version, sha256=use.sha256, state=use.state.value) for use in self._around.bundles]
        return SiteState(
            state=health.state,
            reasons=[CodeParams(code=reason.code, params=dict(reason.params)) for reason in health.reasons],
            durable=self._around.space.level < Level.STOPPED,
            disk_free=round(self._around.space.free_share, 3),
            bundles=bundles,
            sandbox=self._around.sandbox.level,
            in_flight=self._in_flight,
            daemon=f"edge-agent {__version__}",
            policy_digest=self._around.policy_digest or None,
            certificates=[certificate_part(one) for one in self._around.certificates],
            labels=list(self._around.labels),
        )

    async def run(self, ring: Callable[[], None]) -> None:
        """Judge every two seconds until cancelled; ``ring`` is called after a change was journalled."""
        while True:
            await self.look(ring)
            await asyncio.sleep(_JUDGE_EVERY_S)

    async def look(self, ring: Callable[[], None]) -> None:
        """Judge once."""
        self._in_flight = await self._ledger.call(Ledger.backlog)
        around = self._around
        facts = HealthFacts(
            around.lost_folders(),
            around.space.free_share,
            tuple(around.expired_consumers()),
            around.sandbox.level,
            around.declarations_problem(),
            around.sandbox.why,
            around.model_problems(),
            around.cpu_why,
            around.self_test(),
            around.space.level,
            around.allow_list_problem(),
            around.intake_problems(),
            around.ledger_problem(),
            around.outbound_problem(),
        )
        self._health = judge(facts)
        told = next_told(self._told or Told(), self._health, self._clock.monotonic())
        if self._told is None or has_news(self._told.health, told.health):
            try:
                await self._ledger.append(health_entry(self._site, told.health, self._clock.now()))
            except DiskLow:  # heartbeats tell it meanwhile; the next look tries again
                around.space.ran_out()
                return
            events.health_changed(told.health.state, codes(told.health.reasons))
            ring()
        self._told = told


def certificate_part(certificate: Certificate) -> CertificatePart:
    """Give what a heartbeat tells of a certificate: the rate on held-out scans, else the one on those that made the thresholds."""
    rate = certificate.held_out or certificate.whole_scan
    return CertificatePart(
        subject=certificate.subject.value,
        alarms=rate.alarms,
        n=rate.n,
        low=rate.low,
        high=rate.high,
        is_held_out=certificate.held_out is not None,
        made_at=certificate.made_at,
        not_after=certificate.not_after,
    )


def health_entry(site: SiteId, health: Health, now: datetime) -> Entry:
    """Give the health fact for the journal."""
    cause = now.isoformat()
    fact = fact_id(site, FactKind.HEALTH.value, 0, cause)
    body = HealthBody(
        schema="health/1.0",
        fact_id=fact,
        site=site,
        scanner=None,
        scan_id=None,
        revision=0,
        cause=cause,
        produced_at=now,
        state=health.state,
        reasons=[CodeParams(code=reason.code, params=dict(reason.params)) for reason in health.reasons],
    )
    return Entry(fact, None, FactKind.HEALTH, topic(site, None, FactKind.HEALTH.value), messages.encode(body))
