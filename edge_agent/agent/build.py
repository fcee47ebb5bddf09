"""The composition root: configuration to a running daemon, in the order of its start. The only place where concrete classes meet."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from edge_agent import __version__
from edge_agent.agent.agent import Helper, Loops, live
from edge_agent.agent.amendments import Amendments
from edge_agent.agent.arrivals import Arrivals, Intake
from edge_agent.agent.config import AgentConfig
from edge_agent.agent.declarations import Declarations, open_source
from edge_agent.agent.decoders import Decoders
from edge_agent.agent.dispatch import Dispatch
from edge_agent.agent.engine import Engine
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.lifecycle import ServiceManager, cores_granted, stopping_on_signals, was_charged
from edge_agent.agent.maps import MapStore
from edge_agent.agent.models_in_force import Proven, beside, bundles_fact, commissioning_of, proven_models, weighing_of
from edge_agent.agent.pipeline import Pipeline, Storage
from edge_agent.agent.results import ResultsWriter
from edge_agent.agent.shadow import NICENESS, Shadow
from edge_agent.agent.site_state import SiteMonitor, Surroundings
from edge_agent.agent.sockets import Sockets, open_sockets
from edge_agent.agent.weighing import Weighing
from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import ScannerId, SiteId
from edge_agent.errors import CrashedTooOften
from edge_agent.formats.sandbox import SandboxReport
from edge_agent.inference.session import CPU, DevicePolicy
from edge_agent.intake.spool import Spool
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Job
from edge_agent.telemetry import events

_MOST_CHARGES = 3
_MOST_ATTEMPTS = 10
_MOST_UNPACKED = 10_000


@dataclass(frozen=True, slots=True)
class Station:
    """Everything that was opened before the sockets."""

    config: AgentConfig
    clock: Clock
    engine: Engine
    proven: Proven
    weighing: Weighing
    decoders: Decoders
    sandbox: SandboxReport
    storage: Storage
    pipeline: Pipeline
    lanes: Sequence[Lane]

    @property
    def site(self) -> SiteId:
        return SiteId(self.config.sections.site.id)


async def run_agent(config: AgentConfig, manager: ServiceManager, clock: Clock) -> None:
    """Start, live, stop. Returns after a signal.

    Raises:
        ConfigError, BundleRejected: before READY, when it cannot start. Anything else: unexpected; the process must end.
    """
    stop = asyncio.Event()
    with ExitStack() as stack, stopping_on_signals(stop):
        station = await _open(config, clock, stack)
        unpacked = await _resume(station)
        spool_lane = stack.enter_context(_lane("spool"))
        shared, intakes = _intakes(station, spool_lane)
        await station.storage.ledger.append(bundles_fact(station.site, station.engine.provenance().bundles, station.weighing, clock))
        monitor = SiteMonitor(station.site, _surroundings(station, shared, intakes), station.storage.ledger, clock)
        await monitor.look(lambda: None)
        sockets = stack.enter_context(open_sockets(config.sections, station.storage.ledger, clock, monitor.state))
        dispatch = Dispatch(station.storage.ledger, station.pipeline, clock, config.sections.max_scans_in_flight, sockets.feed.ring)
        takers: list[Arrivals | Amendments] = [*intakes, *_amendments(shared, config)]
        for taker in takers:
            taker.announce_to(dispatch.ring, sockets.feed.ring)
        manager.tell("READY=1")
        bundles = [use.ref for use in station.engine.provenance().bundles]
        events.agent_started(__version__, station.site, station.engine.loaded.placement.provider, bundles, station.proven.golden_cases)
        helping = _helping(station, monitor, sockets, stack)
        loops = Loops(takers, dispatch, sockets, station.pipeline, (*station.lanes, spool_lane), unpacked, helping)
        await live(loops, stop, manager, config.sections.grace_s)
        events.agent_stopped("signal", dispatch.in_flight)


async def _open(config: AgentConfig, clock: Clock, stack: ExitStack) -> Station:
    """Open ledger, models and decoders, in that order: a ledger in use elsewhere is found before minutes of warm-up."""
    sections = config.sections
    state_dir = _prepared(sections.state_dir)
    cpu = stack.enter_context(_lane("cpu", sections.max_scans_in_flight))
    device = stack.enter_context(_lane("device", sections.device.tile_threads or cores_granted()))
    ledger = await _open_ledger(config, clock, stack)
    proven = await cpu.run(proven_models, config, device.fan)
    commissioning = await cpu.run(commissioning_of, config, proven.loaded.bundles)
    weighing = await cpu.run(weighing_of, config, proven.loaded)
    loaded = proven.loaded.fitted(weighing.fits(clock.now()))
    engine = Engine(loaded, commissioning.applied(config.policy), device, cpu, clock, config.digest, commissioning)
    decoders = Decoders(sections.decode_children)
    stack.callback(decoders.close)
    sandbox = await decoders.start()
    packages = state_dir / "packages" if sections.keep_packages else None
    maps = MapStore(BlobStore(state_dir / "blobs"))
    keeps_originals = sections.package.originals == "keep"
    storage = Storage(ledger, Spool(state_dir / "spool"), maps, state_dir, packages, sections.package.codec, keeps_originals)
    scanners = {ScannerId(scanner.section.id): scanner for scanner in config.scanners}
    pipeline = Pipeline(SiteId(sections.site.id), scanners, engine, decoders, storage)
    return Station(
        config, clock, engine, proven, weighing, decoders, sandbox, storage, pipeline, (cpu, device, ledger.lane, *decoders.lanes)
    )


async def _open_ledger(config: AgentConfig, clock: Clock, stack: ExitStack) -> LedgerLane:
    lane = stack.enter_context(_lane("ledger"))
    site = SiteId(config.sections.site.id)
    ledger = await lane.run(Ledger.open, config.sections.state_dir / "ledger.db", site, clock)
    access = LedgerLane(ledger, lane)
    stack.callback(lane.finish, ledger.close)
    return access


def _helping(station: Station, monitor: SiteMonitor, sockets: Sockets, stack: ExitStack) -> list[Helper]:
    """Give everything that runs beside the main job."""
    helping: list[Helper] = [partial(monitor.run, sockets.feed.ring)]
    results, shadow = _results(station, stack), _shadow(station, stack)
    if results is not None:
        helping.append(partial(results.run, sockets.feed.news))
    if shadow is not None:
        helping.append(partial(shadow.run, sockets.feed.ring))
    return helping


def _results(station: Station, stack: ExitStack) -> ResultsWriter | None:
    """Give the writer of results where the configuration names a folder; it has a lane of its own, for the folder may be a slow share."""
    section = station.config.sections.results
    if section is None:
        return None
    return ResultsWriter(station.storage.ledger, section.dir, section.formats, stack.enter_context(_lane("results")), station.clock)


def _shadow(station: Station, stack: ExitStack) -> Shadow | None:
    """Give the onlooker where a bundle runs in shadow, on two threads of its own that let all others go first."""
    shadow, engine = station.proven.shadow, station.engine
    if shadow is None:
        return None
    cpu, device = (stack.enter_context(_lane(name, niceness=NICENESS)) for name in ("shadow", "shadow-device"))
    labels = frozenset(label for subject in SubjectKind for label in shadow.models.alert_levels(subject))
    policy = engine.commissioning.applied(station.config.policy, without=labels)
    tried = Engine(beside(engine.loaded, shadow), policy, device, cpu, station.clock, engine.config_digest)
    onlooker = Shadow(tried, station.storage.ledger)
    station.pipeline.onlooker = onlooker
    return onlooker


async def _resume(station: Station) -> list[Job]:
    """Take up what the last process left: suspects, moves into quarantine, orphans of the spool; give the jobs without a package."""
    ledger, spool, state_dir = station.storage.ledger, station.storage.spool, station.storage.state_dir
    charged = was_charged(state_dir / "last-exit")
    suspects = await ledger.call(Ledger.recover, charge=charged)
    if suspects:
        events.work_recovered(suspects)
    for job in await ledger.call(Ledger.suspects_over, _MOST_CHARGES, _MOST_ATTEMPTS):
        problem = CrashedTooOften("the process died while this scan was in hand", {"charges": job.charges, "attempts": job.attempts})
        await station.pipeline.set_aside(job, problem)
    for lost in await ledger.call(Ledger.quarantined):
        spool.set_aside(lost.scan_id, lost.revision, state_dir / "quarantine")
    return await ledger.call(Ledger.unpacked, _MOST_UNPACKED) if station.storage.packages is not None else []


def _intakes(station: Station, spool_lane: Lane) -> tuple[Intake, list[Arrivals]]:
    section = station.config.sections.declarations
    declarations = Declarations(open_source(section.file, section.dir)) if section is not None else None
    if declarations is not None:
        declarations.refresh()
    intake = Intake(station.site, station.storage, station.decoders, spool_lane, declarations, station.clock, asyncio.Lock())
    return intake, [Arrivals(scanner, intake, station.config.sections) for scanner in station.config.scanners]


def _amendments(shared: Intake, config: AgentConfig) -> list[Amendments]:
    if shared.declarations is None:
        return []
    return [Amendments(shared, shared.declarations, timedelta(days=config.sections.revision_window_days))]


def _surroundings(station: Station, shared: Intake, intakes: Sequence[Arrivals]) -> Surroundings:
    return Surroundings(
        station.storage.state_dir,
        station.config.sections.device.policy is not DevicePolicy.CPU,
        station.engine.loaded.placement.provider == CPU,
        station.engine.provenance().bundles,
        station.sandbox,
        lambda: tuple(arrivals.scanner_id for arrivals in intakes if arrivals.is_lost),
        lambda: station.config.expired_consumers(station.clock.now()),
        lambda: shared.declarations.problem.code if shared.declarations and shared.declarations.problem else "",
        lambda: _model_problems(station),
    )


def _model_problems(station: Station) -> tuple[Reason, ...]:
    """Say why the models in force are not those that were asked for, or not commissioned or corrected any more."""
    now = station.clock.now()
    return (*station.proven.problems, *station.engine.commissioning.reasons(now), *station.weighing.reasons(now))


def _prepared(state_dir: Path) -> Path:
    """Make the state directory, readable by nobody else."""
    for folder in (state_dir, *(state_dir / name for name in ("spool", "packages", "blobs", "quarantine", "bundles"))):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state_dir


@contextmanager
def _lane(name: str, threads: int = 1, niceness: int = 0) -> Iterator[Lane]:
    lane = Lane(name, threads, niceness)
    try:
        yield lane
    finally:
        lane.close()
