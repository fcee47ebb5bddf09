"""A bundle in shadow looks on: it journals what it would have said, and whatever happens to it, the daemon lives on."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_agent.agent import models_in_force
from edge_agent.agent.engine import Engine
from edge_agent.agent.lanes import Lane, Lanes, LaneWatch
from edge_agent.agent.pipeline import WORKING_SET, Assessed
from edge_agent.agent.shadow import Bounds, Shadow, parted
from edge_agent.analysis.policy import parse_policy
from edge_agent.analysis.ports import DetectorEvidence, Models, one_by_one
from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import BundleCorrupt, DeviceLost, DeviceOutOfMemory, DeviceRequired, DiskLow, LedgerFailed
from edge_agent.inference.load import LoadedModels
from edge_agent.inference.session import Placement
from edge_agent.ledger.records import Entry
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import load_picture
from edge_agent.testing.models import ToldContents, ToldDetector
from edge_agent.testing.site_journal import assessment
from edge_agent.wire.messages import MAX_BODY_BYTES, ShadowBody, decode

POLICY = parse_policy((Path(__file__).parents[3] / "config/policy.example.toml").read_bytes())
WORKING_SET_OF_ONE = WORKING_SET * 80 * 100 * 2
BOUNDS = Bounds(deadline_s=100.0, stuck_s=40.0, memory=WORKING_SET_OF_ONE)


class Journal:
    """Takes entries, or refuses the first ``refusals`` of them with ``failure``, for want of space if not told otherwise."""

    def __init__(self, refusals: int = 0, failure: Exception | None = None) -> None:
        self.entries: list[Entry] = []
        self._refusals = refusals
        self._failure = failure or DiskLow("no space for the ledger")

    async def append(self, entry: Entry) -> None:
        if self._refusals:
            self._refusals -= 1
            raise self._failure
        self.entries.append(entry)


@dataclass
class TiledDetector(ToldDetector):
    """Looks at ``tiles`` tiles, and does ``at_tile`` at each, on the device lane; notes which it was asked for."""

    tiles: int = 3
    at_tile: Callable[[], None] = lambda: None
    seen: list[int] = field(default_factory=list)

    def detect(self, view, subject, show_at, fan) -> DetectorEvidence:
        def look(tile: int) -> None:
            self.seen.append(tile)
            self.at_tile()

        fan(look, range(self.tiles))
        return super().detect(view, subject, show_at, fan)


def assessed(name: str, height: int = 80) -> Assessed:
    capture = Capture(Stamp(datetime(2026, 3, 2, tzinfo=UTC), "", tz_assumed=True), CaptureKind.LIVE, Selection.UNKNOWN)
    view = View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, load_picture(height, 100)),), (5.0, 5.0))
    scan = Scan(ScanId(name), 1, ScannerRef(ScannerId("gate-1"), "p"), capture, Subject(SubjectKind.CARGO), (view,), None, ())
    return Assessed(scan, (), assessment("harbour", name))


@pytest.fixture
def lanes():
    made = Lane("shadow"), Lane("shadow-device")
    yield made
    for lane in made:
        lane.close()


def onlooker(
    lanes: tuple[Lane, Lane], journal: Journal, detector: ToldDetector, bounds: Bounds = BOUNDS, clock: ManualClock | None = None
) -> Shadow:
    loaded = LoadedModels(Models((detector,), ToldContents()), (), Placement("r", "p", "cpu"))
    return Shadow(Engine(loaded, POLICY, lanes[1], lanes[0], clock or ManualClock(), ""), journal, bounds)


@asynccontextmanager
async def running(shadow: Shadow, rung: asyncio.Event):
    task = asyncio.create_task(shadow.run(rung.set))
    try:
        async with asyncio.timeout(40):
            yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def looked_on(lanes: tuple[Lane, Lane], journal: Journal, detector: ToldDetector, names: tuple[str, ...]) -> None:
    shadow, rung = onlooker(lanes, journal, detector), asyncio.Event()
    async with running(shadow, rung) as task:
        for name in names:
            shadow.offer(assessed(name))
            await asyncio.sleep(0)  # lets it take the scan, so that the next one finds the place free
        await rung.wait()
        assert not task.done()


def bodies(journal: Journal) -> list[ShadowBody]:
    found = [decode(entry.body) for entry in journal.entries]
    return [body for body in found if isinstance(body, ShadowBody)]


def test_what_it_would_have_said_is_journalled_beside_the_assessment(lanes) -> None:
    journal = Journal()
    asyncio.run(looked_on(lanes, journal, ToldDetector((0.9,)), ("one",)))
    (body,) = bodies(journal)
    assert ("alert", assessed("one").body.fact_id) == (body.conclusion, body.beside)


def test_a_full_disk_costs_a_comparison_and_not_the_daemon(lanes) -> None:
    journal = Journal(refusals=1)
    asyncio.run(looked_on(lanes, journal, ToldDetector(), ("one", "two")))
    assert [ScanId("two")] == [entry.scan_id for entry in journal.entries]


def test_a_bundle_that_sees_things_everywhere_still_fits_into_a_row(lanes) -> None:
    journal = Journal()
    loud = ToldDetector(tuple(0.5 + i / 10_000 for i in range(2_000)), label="x" * 200)
    asyncio.run(looked_on(lanes, journal, loud, ("one",)))
    (entry,) = journal.entries
    assert len(entry.body) <= MAX_BODY_BYTES
    (body,) = bodies(journal)
    assert 2_000 == len([one for one in body.findings if one.type == "detection"]) + body.findings_left_out


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (IndexError("list index out of range"), "internal"),
        (MemoryError(), "internal"),
        (DeviceOutOfMemory("no memory"), "device-out-of-memory"),
        (DeviceLost("CUDA failure 700"), "device-lost"),
    ],
    ids=repr,
)
def test_a_look_that_fails_ends_the_shadow_with_a_word_in_health_and_in_the_log_and_never_the_daemon(lanes, failure, why) -> None:
    async def story() -> Shadow:
        shadow = onlooker(lanes, Journal(), ToldDetector(failure=failure))
        assert shadow.problems == ()
        async with running(shadow, asyncio.Event()) as task:
            shadow.offer(assessed("one"))
            await asyncio.sleep(0)
            shadow.offer(assessed("two"))  # waits, and must be let go too
            await task  # the task group of the daemon would fall if it raised
        shadow.offer(assessed("three"))
        assert shadow._waiting.empty(), "pixels that nobody will ever look at are not kept"
        return shadow

    with capture_logs() as lines:
        shadow = asyncio.run(story())
    assert (Reason("shadow-unavailable", {"why": why}),) == shadow.problems
    assert [("shadow_failed", why, "one")] == [(line["event"], line["code"], line["scan_id"]) for line in lines]


def test_a_ledger_that_fails_ends_the_daemon_as_it_does_for_live_scans(lanes) -> None:
    async def story() -> None:
        shadow = onlooker(lanes, Journal(1, LedgerFailed("input/output error")), ToldDetector())
        async with running(shadow, asyncio.Event()) as task:
            shadow.offer(assessed("one"))
            with pytest.raises(LedgerFailed):
                await task

    asyncio.run(story())


def test_a_look_that_overruns_is_cut_off_at_the_next_tile_and_journalled_so(lanes) -> None:
    clock, journal, rung = ManualClock(), Journal(), asyncio.Event()
    slow = TiledDetector((0.1,), at_tile=lambda: clock.advance(BOUNDS.deadline_s))

    async def story() -> None:
        shadow = onlooker(lanes, journal, slow, clock=clock)
        async with running(shadow, rung) as task:
            shadow.offer(assessed("one"))
            await rung.wait()
            assert not task.done()
        assert shadow.problems == ()

    asyncio.run(story())
    assert [0] == slow.seen
    (body,) = bodies(journal)
    assert ("unassessable", True) == (body.conclusion, "out-of-time" in {obstacle.code for obstacle in body.obstacles})


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def test_a_look_that_never_ends_ends_the_shadow(lanes, gate) -> None:
    async def story() -> Shadow:
        hung = TiledDetector(at_tile=lambda: gate.wait(50.0))
        shadow = onlooker(lanes, Journal(), hung, replace(BOUNDS, stuck_s=0.05))
        async with running(shadow, asyncio.Event()) as task:
            shadow.offer(assessed("one"))
            await task
        gate.set()
        return shadow

    assert (Reason("shadow-unavailable", {"why": "out-of-time"}),) == asyncio.run(story()).problems


def test_a_lane_that_is_not_watched_is_never_called_stuck_and_is_closed_with_the_others(gate) -> None:
    opened = Lanes()
    watched, unwatched = opened.open("cpu"), opened.open("shadow", is_watched=False)
    watch, begun = LaneWatch(opened, 10.0), threading.Barrier(3)

    def piece() -> None:
        begun.wait(40.0)
        gate.wait(40.0)

    async def story() -> None:
        tasks = [asyncio.create_task(lane.run(piece)) for lane in (watched, unwatched)]
        await asyncio.to_thread(begun.wait, 40.0)
        watch.stuck(0.0)
        assert ["cpu"] == watch.stuck(10.0)
        gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(story())
    opened.close()
    with pytest.raises(RuntimeError):
        asyncio.run(unwatched.run(int))


def test_a_scan_too_large_for_its_own_memory_is_passed_over_and_counted(lanes) -> None:
    journal, detector = Journal(), ToldDetector()

    async def story() -> Shadow:
        shadow, rung = onlooker(lanes, journal, detector), asyncio.Event()
        async with running(shadow, rung):
            for name in ("large", "larger"):
                shadow.offer(assessed(name, height=81))
            shadow.offer(assessed("one"))
            await rung.wait()
        return shadow

    with capture_logs() as lines:
        shadow = asyncio.run(story())
    assert [ScanId("one")] == [entry.scan_id for entry in journal.entries]
    assert 1 == len(detector.asked)
    assert (Reason("shadow-partial", {"scans": 2}),) == shadow.problems
    assert ["large", "larger"] == [line["scan_id"] for line in lines if line["event"] == "shadow_passed_over"]


@pytest.mark.parametrize("memory", [64 << 20, (6 << 30) + 3])
def test_looks_and_live_scans_together_never_have_more_than_the_memory_for_scans_and_live_ones_have_most(memory) -> None:
    live, own = parted(memory)
    assert memory == live + own
    assert 0 < own <= memory / 4


@pytest.mark.parametrize(
    "failure",
    [DeviceOutOfMemory("no memory"), DeviceRequired("the session runs on the CPU"), BundleCorrupt("a hash"), IndexError("out of range")],
    ids=repr,
)
def test_a_shadow_that_fails_at_the_start_is_left_out_and_the_active_models_work(monkeypatch, failure) -> None:
    def prove(root, config, fan):
        if root == "on trial":
            raise failure
        return "active models", ()

    class Store:
        active = staticmethod(lambda: "active")
        shadow = staticmethod(lambda: "on trial")
        note_proven = staticmethod(lambda root: None)

    class Config:
        store = Store

    monkeypatch.setattr(models_in_force, "prove", prove)
    with capture_logs() as lines:
        proven = models_in_force.proven_models(Config, one_by_one)
    assert ("active models", None) == (proven.loaded, proven.shadow)
    why = getattr(failure, "code", "internal")
    assert (Reason("shadow-unavailable", {"why": why}),) == proven.problems
    assert [("shadow_failed", why)] == [(line["event"], line["code"]) for line in lines]
