"""A bundle in shadow looks on: it journals what it would have said, and whatever happens to it, the daemon lives on."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.agent.engine import Engine
from edge_agent.agent.lanes import Lane
from edge_agent.agent.pipeline import Assessed
from edge_agent.agent.shadow import Shadow
from edge_agent.analysis.policy import parse_policy
from edge_agent.analysis.ports import Models
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import DiskLow
from edge_agent.inference.load import LoadedModels
from edge_agent.inference.session import Placement
from edge_agent.ledger.records import Entry
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import load_picture
from edge_agent.testing.models import ToldContents, ToldDetector
from edge_agent.testing.site_journal import assessment
from edge_agent.wire.messages import MAX_BODY_BYTES, ShadowBody, decode

POLICY = parse_policy((Path(__file__).parents[3] / "config/policy.example.toml").read_bytes())


class Journal:
    """Takes entries, or refuses the first ``refusals`` of them for want of space."""

    def __init__(self, refusals: int = 0) -> None:
        self.entries: list[Entry] = []
        self._refusals = refusals

    async def append(self, entry: Entry) -> None:
        if self._refusals:
            self._refusals -= 1
            raise DiskLow("no space for the ledger")
        self.entries.append(entry)


def assessed(name: str) -> Assessed:
    capture = Capture(Stamp(datetime(2026, 3, 2, tzinfo=UTC), "", tz_assumed=True), CaptureKind.LIVE, Selection.UNKNOWN)
    view = View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, load_picture(80, 100)),), (5.0, 5.0))
    scan = Scan(ScanId(name), 1, ScannerRef(ScannerId("gate-1"), "p"), capture, Subject(SubjectKind.CARGO), (view,), None, ())
    return Assessed(scan, (), assessment("harbour", name))


@pytest.fixture
def lanes():
    made = Lane("shadow"), Lane("shadow-device")
    yield made
    for lane in made:
        lane.close()


async def looked_on(lanes: tuple[Lane, Lane], journal: Journal, detector: ToldDetector, names: tuple[str, ...]) -> None:
    loaded = LoadedModels(Models((detector,), ToldContents()), (), Placement("r", "p", "cpu"))
    shadow = Shadow(Engine(loaded, POLICY, lanes[1], lanes[0], ManualClock(), ""), journal)
    rung = asyncio.Event()
    running = asyncio.create_task(shadow.run(rung.set))
    try:
        for name in names:
            shadow.offer(assessed(name))
            await asyncio.sleep(0)  # lets it take the scan, so that the next one finds the place free
        async with asyncio.timeout(40):
            await rung.wait()
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_what_it_would_have_said_is_journalled_beside_the_assessment(lanes) -> None:
    journal = Journal()
    asyncio.run(looked_on(lanes, journal, ToldDetector((0.9,)), ("one",)))
    (body,) = (decode(entry.body) for entry in journal.entries)
    assert isinstance(body, ShadowBody)
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
    body = decode(entry.body)
    assert isinstance(body, ShadowBody)
    assert 2_000 == len([one for one in body.findings if one.type == "detection"]) + body.findings_left_out
