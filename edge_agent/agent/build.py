"""The composition root: configuration to a running daemon, in the order of its start. The only place where concrete classes meet."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from edge_agent import __version__
from edge_agent.agent.accepting import COPIES_AT_ONCE, Intake
from edge_agent.agent.admissions import GateJournal
from edge_agent.agent.agent import Helper, Loops, live
from edge_agent.agent.allow_list import Gatekeeper
from edge_agent.agent.amendments import Amendments
from edge_agent.agent.arrivals import Arrivals
from edge_agent.agent.config import AgentConfig
from edge_agent.agent.declarations import Declarations, open_source
from edge_agent.agent.decoders import Decoders
from edge_agent.agent.device_history import DeviceHistory
from edge_agent.agent.dispatch import Dispatch
from edge_agent.agent.engine import Engine
from edge_agent.agent.head_signing import HeadSigner
from edge_agent.agent.health import amounting_to
from edge_agent.agent.housekeeping import Duties, Housekeeping
from edge_agent.agent.lanes import Lane, LaneMaker, Lanes, LaneWatch
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.ledger_upkeep import FIRST_LOOK_S, LedgerUpkeep
from edge_agent.agent.lifecycle import ServiceManager, cores_granted, stopping_on_signals, unless_stopped, was_charged
from edge_agent.agent.maps import MapStore
from edge_agent.agent.memory import Memory, memory_for_scans
from edge_agent.agent.models_in_force import Placed, Proven, beside, bundles_fact, commissioning_of, placed_models, weighing_of
from edge_agent.agent.orphans import sweep_orphans
from edge_agent.agent.pipeline import Pipeline
from edge_agent.agent.ports import UNARMED, FaultPoint
from edge_agent.agent.referring import Referring
from edge_agent.agent.results import ResultsPlace, ResultsWriter
from edge_agent.agent.selection_lists import SelectionLists
from edge_agent.agent.selections import Reconciliation
from edge_agent.agent.selftest_timer import SelfTest, keep_testing
from edge_agent.agent.shadow import NICENESS, Bounds, Shadow, parted
from edge_agent.agent.shelf import Shelf
from edge_agent.agent.site_state import SiteMonitor, Surroundings, health_entry
from edge_agent.agent.sockets import Sockets, Stock, open_sockets
from edge_agent.agent.space import Space
from edge_agent.agent.storage import Storage
from edge_agent.agent.sweep import Premises
from edge_agent.agent.weighing import Weighing
from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import ScannerId, SiteId
from edge_agent.errors import CrashedTooOften, DiskLow, DropUnavailable, SelfTestFailed
from edge_agent.formats.sandbox import SandboxReport
from edge_agent.intake.spool import Spool
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Job
from edge_agent.signing.keys import SigningKey
from edge_agent.telemetry import events

_FULL_DISK_S = 2.0
_MOST_CHARGES = 3
_MOST_ATTEMPTS = 10
_MOST_UNPACKED = 10_000


@dataclass(frozen=True, slots=True)
class Station:
    """Everything that was opened before the sockets."""

    config: AgentConfig
    clock: Clock
    engine: Engine
    placed: Placed
    self_test: SelfTest
    weighing: Weighing
    decoders: Decoders
    sandbox: SandboxReport
    storage: Storage
    pipeline: Pipeline
    lanes: Lanes
    journal_key: SigningKey | None
    upkeep: LedgerUpkeep
    space: Space
    upkeep_after_s: float
    shadow_memory: int

    @property
    def site(self) -> SiteId:
        return SiteId(self.config.sections.site.id)

    @property
    def proven(self) -> Proven:
        return self.placed.proven


async def run_agent(
    config: AgentConfig,
    manager: ServiceManager,
    clock: Clock,
    faults: FaultPoint = UNARMED,
    make_lane: LaneMaker = Lane,
    upkeep_after_s: float = FIRST_LOOK_S,
) -> None:
    """Start, live, stop. Returns after a signal. ``faults``, ``make_lane``, ``upkeep_after_s``: for the launcher of a test.

    ``upkeep_after_s``: from the start to the first sweep of retention and to the first check of the ledger.

    A signal before READY ends the process at once: nothing is in hand yet, and a warm-up may take minutes.

    Raises:
        ConfigError, BundleRejected: before READY, when it cannot start. Anything else: unexpected; the process must end.
    """
    stop = asyncio.Event()
    history = DeviceHistory(_prepared(config.sections.state_dir))
    with stopping_on_signals(stop, config.sections.grace_s), history.noting(clock), ExitStack() as stack:
        lanes = Lanes(make_lane)
        stack.callback(lanes.close)
        station = await unless_stopped(_open(config, clock, stack, faults, lanes, upkeep_after_s), stop)
        unpacked = await _resume(station)
        spool_lane = lanes.open("spool")
        shared, intakes = _intakes(station, spool_lane, stack)
        engine = station.engine
        in_force = bundles_fact(station.site, engine.provenance().bundles, engine.commissioning, station.weighing, clock)
        await station.storage.ledger.append(in_force)
        gate = Gatekeeper(config, GateJournal(station.site, station.storage.ledger, clock), clock)
        monitor = SiteMonitor(station.site, _surroundings(station, shared, intakes, gate), station.storage.ledger, clock)
        await monitor.look(lambda: None)
        sockets = stack.enter_context(open_sockets(config.sections, gate, _stock(station, stack), clock, monitor.state, faults))
        dispatch = Dispatch(station.storage.ledger, station.pipeline, clock, config.sections.max_scans_in_flight, sockets.feed.ring)
        takers: list[Arrivals | Amendments] = [*intakes, *_amendments(shared, config)]
        for taker in takers:
            taker.announce_to(dispatch.ring, sockets.feed.ring)
        manager.tell("READY=1")
        bundles = [use.ref for use in station.engine.provenance().bundles]
        events.agent_started(__version__, station.site, station.engine.loaded.placement.provider, bundles, len(station.self_test.cases))
        helping: list[Helper] = [
            partial(manager.watch, LaneWatch(lanes, config.sections.stuck_after_s), clock),
            _testing(station, dispatch, partial(monitor.look, sockets.feed.ring)),
            *_helping(station, monitor, sockets),
            *_reconciling(station, shared, sockets),
        ]
        loops = Loops(takers, dispatch, sockets, station.pipeline, unpacked, helping)
        await live(loops, stop, manager, config.sections.grace_s)
        events.agent_stopped("signal", dispatch.in_flight)


async def _open(config: AgentConfig, clock: Clock, stack: ExitStack, faults: FaultPoint, lanes: Lanes, upkeep_after_s: float) -> Station:
    """Open ledger, models and decoders, in that order: a ledger in use elsewhere is found before minutes of warm-up."""
    sections = config.sections
    state_dir = sections.state_dir
    space = Space(state_dir, sections.space)
    await _room_to_begin(space)
    journal_key = SigningKey.load(sections.journal.key) if sections.journal.key is not None else None
    cpu = lanes.open("cpu", sections.max_scans_in_flight)
    device = lanes.open("device", sections.device.tile_threads or cores_granted())
    ledger = await _open_ledger(config, clock, stack, lanes.open("ledger"))
    placed = await _placed(config, cpu, device, ledger, clock)
    proven, self_test = placed.proven, SelfTest(placed.proven.golden, clock.now())
    commissioning = await cpu.run(commissioning_of, config, proven.loaded.bundles)
    weighing = await cpu.run(weighing_of, config, proven.loaded)
    loaded = proven.loaded.fitted(weighing.fits(clock.now()))
    engine = Engine(loaded, commissioning.applied(config.policy), device, cpu, clock, config.digest, commissioning)
    decoders = Decoders([lanes.open(f"decode-{number}") for number in range(sections.decode_children)])
    stack.callback(decoders.close)
    sandbox = await decoders.start()
    packages = state_dir / "packages" if sections.keep_packages else None
    maps = MapStore(BlobStore(state_dir / "blobs"), space)
    total = sections.max_memory_mb << 20 if sections.max_memory_mb is not None else memory_for_scans()
    live, shadow_memory = parted(total) if proven.shadow is not None else (total, 0)
    originals, codec = sections.package.originals == "keep", sections.package.codec
    storage = Storage(ledger, Spool(state_dir / "spool"), maps, state_dir, packages, codec, originals, faults, space, Memory(live))
    scanners = {ScannerId(scanner.section.id): scanner for scanner in config.scanners}
    pipeline = Pipeline(SiteId(sections.site.id), scanners, engine, decoders, storage)
    upkeep = LedgerUpkeep(state_dir / "ledger.db", ledger, clock, upkeep_after_s)
    return Station(
        config, clock, engine, placed, self_test, weighing, decoders, sandbox, storage, pipeline, lanes, journal_key, upkeep, space,
        upkeep_after_s, shadow_memory,
    )  # fmt: skip


async def _placed(config: AgentConfig, cpu: Lane, device: Lane, ledger: LedgerLane, clock: Clock) -> Placed:
    """Give models that passed their self-test; where they do not, the journal tells why the site stays silent."""
    try:
        return await cpu.run(placed_models, config, device.fan, DeviceHistory(config.sections.state_dir), clock)
    except SelfTestFailed as problem:
        failing = amounting_to([Reason(problem.code, {"why": problem.code})])
        await ledger.append(health_entry(SiteId(config.sections.site.id), failing, clock.now()))
        raise


async def _room_to_begin(space: Space) -> None:
    """Wait while not even the ledger could be opened: ending would only make the service manager give up on us."""
    space.look()
    if not space.can_begin:
        events.housekeeping_postponed(DiskLow.code)
    while not space.can_begin:
        await asyncio.sleep(_FULL_DISK_S)
        space.look()


async def _open_ledger(config: AgentConfig, clock: Clock, stack: ExitStack, lane: Lane) -> LedgerLane:
    site = SiteId(config.sections.site.id)
    started = clock.monotonic()
    ledger = await lane.run(Ledger.open, config.sections.state_dir / "ledger.db", site, clock)
    events.ledger_opened(clock.monotonic() - started, ledger.is_checked)
    access = LedgerLane(ledger, lane)
    stack.callback(lane.finish, ledger.close)
    return access


def _helping(station: Station, monitor: SiteMonitor, sockets: Sockets) -> list[Helper]:
    """Give everything that runs beside the main job."""
    house = _housekeeping(station, sockets.feed.ring)
    helping: list[Helper] = [partial(monitor.run, sockets.feed.ring), house.watch_space, house.run]
    results, shadow = _results(station), _shadow(station)
    if results is not None:
        helping.append(partial(results.run, sockets.feed.news))
    if shadow is not None:
        helping.append(partial(shadow.run, sockets.feed.ring))
    helping.append(station.upkeep.run)
    referring = Referring(station.storage.ledger, station.site, station.clock, sockets.feed.ring)
    helping.append(partial(referring.run, sockets.feed.news))
    signer = _signer(station)
    if signer is not None:
        helping.append(partial(signer.run, sockets.feed.news))
    return helping


def _testing(station: Station, dispatch: Dispatch, tell: Callable[[], Awaitable[None]]) -> Helper:
    """Give the golden self-test on its timer."""
    return partial(keep_testing, station.self_test, station.engine, dispatch, station.config.sections.device.self_test_every_s, tell)


def _signer(station: Station) -> HeadSigner | None:
    """Give the signer of journal heads where there is a key."""
    if station.journal_key is None:
        events.journal_unsigned()
        return None
    return HeadSigner(station.storage.ledger, station.journal_key, station.clock)


def _stock(station: Station, stack: ExitStack) -> Stock:
    """Give what the sockets answer from; pictures are read on a lane that lets all others go first."""
    storage = station.storage
    shelf = Shelf(storage.maps.blobs, storage.state_dir, station.lanes.open("pictures", niceness=NICENESS))
    stack.callback(shelf.close)
    return Stock(storage.ledger, shelf, station.upkeep.noticed)


def _housekeeping(station: Station, ring: Callable[[], None]) -> Housekeeping:
    """Give what keeps house, on a thread of its own that lets all others go first."""
    sections, storage = station.config.sections, station.storage
    durable = [consumer.name for consumer in sections.consumer if consumer.durable]
    lane = station.lanes.open("housekeeping", niceness=NICENESS)
    premises = Premises(station.site, storage.state_dir, storage.ledger, lane, sections.retention, durable, station.clock)
    budget = None if sections.space.budget_gb is None else int(sections.space.budget_gb * 1e9)
    pack = station.pipeline.pack_again if storage.packages is not None else None
    return Housekeeping(premises, station.space, Duties(budget, pack, station.upkeep_after_s), ring)


def _results(station: Station) -> ResultsWriter | None:
    """Give the writer of results where the configuration names a folder; it has a lane of its own, for the folder may be a slow share."""
    section = station.config.sections.results
    if section is None:
        return None
    place = ResultsPlace(section.dir, section.formats)
    return ResultsWriter(station.storage.ledger, place, station.lanes.open("results"), station.clock, station.upkeep.noticed)


def _shadow(station: Station) -> Shadow | None:
    """Give the onlooker where a bundle runs in shadow, on two threads of its own that let all others go first.

    The watchdog does not watch them: a look that hangs ends the shadow, which sees to that itself, and not the daemon.
    """
    shadow, engine = station.proven.shadow, station.engine
    if shadow is None:
        return None
    cpu, device = (station.lanes.open(name, niceness=NICENESS, is_watched=False) for name in ("shadow", "shadow-device"))
    labels = frozenset(label for subject in SubjectKind for label in shadow.models.alert_levels(subject))
    policy = engine.commissioning.applied(station.config.policy, without=labels)
    tried = Engine(beside(engine.loaded, shadow), policy, device, cpu, station.clock, engine.config_digest)
    sections = station.config.sections
    bounds = Bounds(sections.scan_deadline_s, sections.stuck_after_s, station.shadow_memory)
    onlooker = Shadow(tried, station.storage.ledger, bounds)
    station.pipeline.onlooker = onlooker
    return onlooker


async def _resume(station: Station) -> list[Job]:
    """Take up what the last process left: suspects, moves into quarantine; give the jobs without a package."""
    ledger, spool, state_dir = station.storage.ledger, station.storage.spool, station.storage.state_dir
    charged = was_charged(state_dir / "last-exit")
    suspects = await ledger.call(Ledger.recover, charge=charged)
    if suspects:
        events.work_recovered(suspects)
    for job in await ledger.call(Ledger.suspects_over, _MOST_CHARGES, _MOST_ATTEMPTS):
        problem = CrashedTooOften("the process died while this scan was in hand", {"charges": job.charges, "attempts": job.attempts})
        await station.pipeline.set_aside(job, problem)
    for lost in await ledger.call(Ledger.quarantined):
        try:
            spool.set_aside(lost.scan_id, lost.revision, state_dir / "quarantine")
        except DropUnavailable:  # an older ledger was restored: its files went since
            events.quarantined_files_missing(lost.scan_id, lost.revision)
    return await ledger.call(Ledger.unpacked, _MOST_UNPACKED) if station.storage.packages is not None else []


def _intakes(station: Station, spool_lane: Lane, stack: ExitStack) -> tuple[Intake, list[Arrivals]]:
    """Give what the scanners' arrivals share, and one for each scanner.

    Each folder is read on threads of its own, which the watchdog does not watch: a share that hangs is a matter of health, and no
    restart would mend it.
    """
    section = station.config.sections.declarations
    declarations = Declarations(open_source(section.file, section.dir)) if section is not None else None
    if declarations is not None:
        declarations.refresh()
    chosen = station.config.sections.selections
    has_lists = chosen.file is not None or chosen.dir is not None
    lists = SelectionLists(chosen.file, chosen.dir, timedelta(hours=chosen.due_after_h)) if has_lists else None
    intake = Intake(station.site, station.storage, station.decoders, spool_lane, declarations, station.clock, asyncio.Lock(), lists)
    lanes = [Lane(f"folder-{scanner.section.id}", COPIES_AT_ONCE) for scanner in station.config.scanners]
    for lane in lanes:
        stack.callback(lane.close)
    paired = zip(station.config.scanners, lanes, strict=True)
    return intake, [Arrivals(scanner, intake, station.config.sections, lane) for scanner, lane in paired]


def _reconciling(station: Station, shared: Intake, sockets: Sockets) -> list[Helper]:
    """Give what compares the accepted scans with the lists of selections, the scanners' numbers and the spool."""
    profiles = {ScannerId(scanner.section.id): scanner.profile for scanner in station.config.scanners}
    helping: list[Helper] = [partial(sweep_orphans, shared)]
    if shared.selections is not None or any(profile.number for profile in profiles.values()):
        gap_after = timedelta(hours=station.config.sections.selections.gap_after_h)
        helping.append(partial(Reconciliation(shared, profiles, gap_after).run, sockets.feed.ring))
    return helping


def _amendments(shared: Intake, config: AgentConfig) -> list[Amendments]:
    if shared.declarations is None:
        return []
    return [Amendments(shared, shared.declarations, timedelta(days=config.sections.revision_window_days))]


def _surroundings(station: Station, shared: Intake, intakes: Sequence[Arrivals], gate: Gatekeeper) -> Surroundings:
    return Surroundings(
        station.space,
        station.placed.cpu_why,
        station.engine.provenance().bundles,
        station.sandbox,
        lambda: tuple(arrivals.scanner_id for arrivals in intakes if arrivals.is_lost),
        gate.expired,
        lambda: shared.declarations.problem.code if shared.declarations and shared.declarations.problem else "",
        lambda: _model_problems(station),
        lambda: station.self_test.failure,
        allow_list_problem=lambda: gate.problem,
        ledger_problem=lambda: station.upkeep.problem,
        intake_problems=lambda: _intake_problems(shared, intakes),
        outbound_problem=lambda: gate.outbound_problem,
        policy_digest=station.config.policy.digest,
        certificates=station.engine.commissioning.certificates,
        labels=tuple(sorted({label for detector in station.engine.loaded.models.detectors for label in detector.alert_levels})),
    )


def _intake_problems(shared: Intake, intakes: Sequence[Arrivals]) -> tuple[Reason, ...]:
    overdue = [Reason("drop-overdue", {"scanner": one.scanner_id, "drops": one.overdue}) for one in intakes if one.overdue]
    problem = shared.selections.problem if shared.selections is not None else None
    return (*overdue, *(() if problem is None else (Reason("selections-unreadable", {"why": problem.code}),)))


def _model_problems(station: Station) -> tuple[Reason, ...]:
    """Say why the models in force are not those that were asked for, or not commissioned or corrected any more."""
    now, onlooker = station.clock.now(), station.pipeline.onlooker
    looking_on = onlooker.problems if onlooker is not None else ()
    return (*station.proven.problems, *looking_on, *station.engine.commissioning.reasons(now), *station.weighing.reasons(now))


def _prepared(state_dir: Path) -> Path:
    """Make the state directory, readable by nobody else."""
    for folder in (state_dir, *(state_dir / name for name in ("spool", "packages", "blobs", "quarantine", "bundles"))):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state_dir
