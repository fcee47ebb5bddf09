"""Which models judge here: the active set of bundles, proven; the last good one when it fails; the one in shadow; certificates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.agent.certificate import Circumstances, Commissioning, find_commissioning
from edge_agent.agent.config import AgentConfig
from edge_agent.agent.weighing import Weighbridge, Weighing, find_weighing
from edge_agent.analysis.ports import Fan, Models
from edge_agent.domain.assessment import BundleState, BundleUse, FactKind, Reason
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import ScannerId, SiteId, fact_id
from edge_agent.errors import BundleRejected, InferenceFailed, Scalar
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.load import LoadedModels, load_models
from edge_agent.inference.selftest import run_selftest
from edge_agent.ledger.records import Entry
from edge_agent.wire import messages
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import AuditBody, CodeParams

COMMISSION = "commission"
"""The folder of the certificates, in the folder of the bundles."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Models whose golden cases all came out. ``problems``: why they are not the ones that were asked for, or none run in shadow."""

    loaded: LoadedModels
    golden_cases: int
    shadow: LoadedModels | None
    problems: tuple[Reason, ...]


def prove(root: Path, config: AgentConfig, fan: Fan) -> tuple[LoadedModels, int]:
    """Load the bundles under ``root`` and run their golden cases, which also warms the sessions up; give how many there were.

    Raises:
        BundleRejected: they do not verify, or a case gave something else. InferenceFailed, DeviceFailed, DeviceRequired.
    """
    admission = config.admission
    loaded = load_models(root, config.sections.device.policy, admission.trust, allow_research=admission.allow_research)
    return loaded, run_selftest(loaded, fan)


def proven_models(config: AgentConfig, fan: Fan) -> Proven:
    """Give the active bundles; where they fail and others were in force before, those.

    Raises:
        BundleRejected, InferenceFailed: neither the active nor the previous bundles work. DeviceFailed, DeviceRequired: at once.
    """
    problems: list[Reason] = []
    try:
        loaded, golden_cases = prove(config.store.active(), config, fan)
    except (BundleRejected, InferenceFailed) as problem:
        previous = config.store.previous()
        if previous is None:
            raise
        loaded, golden_cases = prove(previous, config, fan)
        problems.append(Reason("bundles-fell-back", {"why": problem.code}))
    return Proven(loaded, golden_cases, _shadow(config, fan, problems), tuple(problems))


def _shadow(config: AgentConfig, fan: Fan, problems: list[Reason]) -> LoadedModels | None:
    """Give the bundle in shadow; one that fails is left out, for it must never keep the active ones from working."""
    root = config.store.shadow()
    if root is None:
        return None
    try:
        return prove(root, config, fan)[0]
    except (BundleRejected, InferenceFailed) as problem:
        problems.append(Reason("shadow-unavailable", {"why": problem.code}))
        return None


def beside(active: LoadedModels, shadow: LoadedModels) -> LoadedModels:
    """Give the models that would be in force with the bundles of ``shadow``, these in state shadow.

    A bundle in shadow takes the place of the active one with its name; a detector whose name no active one has, of all detectors.
    """
    names = {bundle.use.name for bundle in shadow.bundles}
    purposes = {bundle.card.purpose for bundle in shadow.bundles}
    known = names & {bundle.use.name for bundle in active.bundles}
    kept = [
        bundle
        for bundle in active.bundles
        if bundle.card.purpose not in purposes or (bundle.card.purpose == "detection" and known and bundle.use.name not in names)
    ]
    detectors = tuple(detector for detector in active.models.detectors if detector.bundle in [bundle.use for bundle in kept])
    tried = tuple(replace(bundle, use=replace(bundle.use, state=BundleState.SHADOW)) for bundle in shadow.bundles)
    contents, weight = shadow.models.contents or active.models.contents, shadow.models.weight or active.models.weight
    models = Models(detectors + shadow.models.detectors, contents, weight)
    return LoadedModels(models, (*kept, *tried), active.placement)


def commissioning_of(config: AgentConfig, bundles: Sequence[Bundle]) -> Commissioning:
    """Give the certificates that count for the bundles in force."""
    subjects = frozenset(scanner.section.subject for scanner in config.scanners)
    looking = {subject: [bundle.use for bundle in bundles if subject in bundle.card.subjects] for subject in subjects}
    present = Circumstances(config.sections.site.id, looking, config.policy.digest, config.admission.trust)
    return find_commissioning(config.store.root / COMMISSION, present)


def weighing_of(config: AgentConfig, loaded: LoadedModels) -> Weighing:
    """Give the corrections of the weight estimate that count for the weight bundle in force."""
    scanners = [ScannerId(scanner.section.id) for scanner in config.scanners]
    present = Weighbridge(config.sections.site.id, scanners, None if loaded.scale is None else loaded.scale.bundle)
    return find_weighing(config.store.root / COMMISSION, present, config.admission.trust)


def bundles_fact(site: SiteId, uses: tuple[BundleUse, ...], weighing: Weighing, clock: Clock) -> Entry:
    """Give the audit fact that says what judges from this start on: digest of the card by name and version of each bundle.

    Digests of the certificates by which weight estimates are corrected stand beside, as ``weight-<scanner>``.
    """
    now = clock.now()
    cause = f"bundles-{now.isoformat()}"
    params: dict[str, Scalar] = {use.ref: use.sha256 for use in uses}
    params |= {f"weight-{scanner}": certificate.digest for scanner, certificate in weighing.valid(now).items()}
    fact = fact_id(site, FactKind.AUDIT.value, 0, cause)
    body = AuditBody(
        schema="audit/1.0",
        fact_id=fact,
        site=site,
        scanner=None,
        scan_id=None,
        revision=0,
        cause=cause,
        produced_at=now,
        event=CodeParams(code="bundles-in-force", params=params),
    )
    return Entry(fact, None, FactKind.AUDIT, topic(site, None, FactKind.AUDIT.value), messages.encode(body))
