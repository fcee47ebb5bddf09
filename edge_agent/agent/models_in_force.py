"""Which models judge here: the active set of bundles, proven; the last good one when it fails; the one in shadow; certificates."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.agent.certificate import Circumstances, Commissioning, find_commissioning
from edge_agent.agent.config import AgentConfig
from edge_agent.agent.device_history import DeviceHistory
from edge_agent.agent.shadow import unavailable
from edge_agent.agent.weighing import Weighbridge, Weighing, find_weighing
from edge_agent.analysis.ports import Fan, Models
from edge_agent.domain.assessment import BundleState, BundleUse, Reason
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import ScannerId, SiteId
from edge_agent.errors import BundleRejected, InferenceFailed, Scalar, SelfTestFailed
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.load import LoadedModels, load_models
from edge_agent.inference.selftest import Golden, golden_set, run_golden
from edge_agent.inference.session import CPU, DevicePolicy
from edge_agent.ledger.audit import audit_entry
from edge_agent.ledger.records import Entry
from edge_agent.wire.messages import CodeParams

COMMISSION = "commission"
"""The folder of the certificates, in the folder of the bundles."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Models whose golden cases all came out. ``problems``: why they are not the ones that were asked for, or none run in shadow."""

    loaded: LoadedModels
    golden: tuple[Golden, ...]
    shadow: LoadedModels | None
    problems: tuple[Reason, ...]


def prove(root: Path, config: AgentConfig, fan: Fan) -> tuple[LoadedModels, tuple[Golden, ...]]:
    """Load the bundles under ``root`` and run their golden cases, which also warms the sessions up; give both.

    Raises:
        BundleRejected: they do not verify, or a case gave something else. InferenceFailed, DeviceFailed, DeviceRequired.
    """
    admission = config.admission
    loaded = load_models(root, config.sections.device.policy, admission.trust, allow_research=admission.allow_research)
    golden = golden_set(loaded)
    run_golden(loaded, golden, fan)
    return loaded, golden


def proven_models(config: AgentConfig, fan: Fan) -> Proven:
    """Give the active bundles; where they fail, the first of ``BundleStore.fallbacks`` that work. It is noted which were proven.

    Raises:
        BundleRejected, InferenceFailed: no set works; what the active one lacks, but ``SelfTestFailed`` where any set failed so, for
            that may be the device's fault. DeviceFailed, DeviceRequired: at once.
    """
    try:
        return _proven(config.store.active(), config, fan, [])
    except (BundleRejected, InferenceFailed) as problem:
        failures = [problem]
    for root in config.store.fallbacks():
        try:
            return _proven(root, config, fan, [Reason("bundles-fell-back", {"why": failures[0].code})])
        except (BundleRejected, InferenceFailed) as problem:
            failures.append(problem)
    raise next((problem for problem in failures if isinstance(problem, SelfTestFailed)), failures[0])


def _proven(root: Path, config: AgentConfig, fan: Fan, problems: list[Reason]) -> Proven:
    """Prove the bundles under ``root`` and note that they work, so that they are kept to fall back to."""
    loaded, golden = prove(root, config, fan)
    with suppress(OSError):  # the models work all the same; the note of before names others that did
        config.store.note_proven(root)
    return Proven(loaded, golden, _shadow(config, fan, problems), tuple(problems))


@dataclass(frozen=True, slots=True)
class Placed:
    """Proven models where they really run. ``cpu_why``: why that is the CPU although a GPU is wanted, else empty."""

    proven: Proven
    cpu_why: str


def placed_models(config: AgentConfig, fan: Fan, history: DeviceHistory, clock: Clock) -> Placed:
    """Prove the models on the device that policy and history allow.

    Under ``prefer-gpu`` models that fail their self-test on the GPU and pass it on the CPU run there: it is the device that is wrong.

    Raises:
        DeviceRequired: ``require-gpu``, and the GPU is absent or was given up. BundleRejected, InferenceFailed, DeviceFailed.
    """
    asked = config.sections.device.policy
    policy = history.policy(asked, clock.now())
    try:
        proven = proven_models(config.on(policy), fan)
    except SelfTestFailed as problem:
        if policy is not DevicePolicy.PREFER_GPU:
            raise
        proven = proven_models(config.on(DevicePolicy.CPU), fan)
        history.note(problem.code, clock.now())
        return Placed(proven, problem.code)
    if asked is DevicePolicy.CPU or proven.loaded.placement.provider != CPU:
        return Placed(proven, "")
    return Placed(proven, "no-device" if policy is asked else "device-errors")


def _shadow(config: AgentConfig, fan: Fan, problems: list[Reason]) -> LoadedModels | None:
    """Give the bundle in shadow; one that fails is left out, for it must never keep the active ones from working."""
    root = config.store.shadow()
    if root is None:
        return None
    try:
        return prove(root, config, fan)[0]
    except Exception as problem:  # noqa: BLE001 - the guard around a bundle on trial; a lost device the active ones meet by themselves
        problems.append(unavailable(problem))
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
    must_be_signed = config.sections.bundles.require_signed_certificates
    present = Circumstances(config.sections.site.id, looking, config.policy.digest, config.admission.trust, must_be_signed)
    return find_commissioning(config.store.root / COMMISSION, present)


def weighing_of(config: AgentConfig, loaded: LoadedModels) -> Weighing:
    """Give the corrections of the weight estimate that count for the weight bundle in force."""
    scanners = [ScannerId(scanner.section.id) for scanner in config.scanners]
    present = Weighbridge(config.sections.site.id, scanners, None if loaded.scale is None else loaded.scale.bundle)
    must_be_signed = config.sections.bundles.require_signed_certificates
    return find_weighing(config.store.root / COMMISSION, present, config.admission.trust, must_be_signed=must_be_signed)


def bundles_fact(site: SiteId, uses: tuple[BundleUse, ...], commissioning: Commissioning, weighing: Weighing, clock: Clock) -> Entry:
    """Give the audit fact that says what judges from this start on: digest of the card by name and version of each bundle.

    Digests of the certificates stand beside: ``certificate-<subject>`` where its alert levels count, which they do after it has expired
    too, and ``weight-<scanner>`` where weight estimates are corrected.
    """
    now = clock.now()
    cause = f"bundles-{now.isoformat()}"
    params: dict[str, Scalar] = {use.ref: use.sha256 for use in uses}
    params |= {f"certificate-{one.subject.value}": one.digest for one in commissioning.certificates}
    params |= {f"weight-{scanner}": certificate.digest for scanner, certificate in weighing.valid(now).items()}
    return audit_entry(site, CodeParams(code="bundles-in-force", params=params), cause, now)
