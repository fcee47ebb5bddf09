"""Long work that reads the whole ledger: the writer's log can be cut again and again meanwhile, and no descriptors pile up."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_agent.agent import ledger_upkeep, sweep
from edge_agent.agent.housekeeping import Duties, Housekeeping
from edge_agent.agent.keeping import RetentionSection, SpaceSection
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.ledger_upkeep import LedgerUpkeep
from edge_agent.agent.space import Space
from edge_agent.agent.sweep import Premises, Sweep
from edge_agent.errors import LedgerBusy
from edge_agent.ledger import verification
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, a_scan_id, an_acceptance, an_arrival, an_audit

pytestmark = pytest.mark.timeout(600)  # hundreds of commits, each on the disk
PAGES = 30
SCANS_A_PAGE = 5


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Premises]:
    """A ledger that takes the sweep and the check some thirty pages each."""
    monkeypatch.setattr(sweep, "_PAGE_SCANS", SCANS_A_PAGE)
    monkeypatch.setattr(verification, "_PAGE_ROWS", 10)
    clock, lanes = ManualClock(), [Lane("ledger"), Lane("housekeeping")]
    ledger = lanes[0].finish(lambda: Ledger.open(tmp_path / "ledger.db", SITE, clock))
    names = [f"scan-{number}" for number in range(PAGES * SCANS_A_PAGE)]
    scans = [replace(an_acceptance(an_arrival(name)), spool=f"spool/{a_scan_id(name)}/r1") for name in names]

    def fill() -> None:
        ledger.accept(scans)
        for number in range(10 * PAGES - ledger.head().seq):
            ledger.append(an_audit(f"row {number}"))

    lanes[0].finish(fill)
    yield Premises(SITE, tmp_path, LedgerLane(ledger, lanes[0]), lanes[1], RetentionSection(), (), clock)
    lanes[0].finish(ledger.close)
    for lane in lanes:
        lane.close()


class Cutter:
    """Writes and cuts the log; raises where a reader still needs it."""

    def __init__(self, bench: Premises) -> None:
        self._bench = bench
        self.cuts = 0

    async def cut(self) -> None:
        await self._bench.ledger.append(an_audit(f"beside {self.cuts}"))
        await self._bench.ledger.call(Ledger.cut_log)
        self.cuts += 1


def test_the_log_can_be_cut_between_the_pages_of_a_sweep(bench: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    cutter = Cutter(bench)

    async def rest(_seconds: float) -> None:
        await cutter.cut()

    monkeypatch.setattr(sweep, "asyncio", SimpleNamespace(sleep=rest))
    asyncio.run(Sweep(bench, lambda: None).used_bytes())
    assert cutter.cuts >= PAGES - 1


def test_the_log_can_be_cut_between_the_pages_of_the_check(bench: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    upkeep = LedgerUpkeep(bench.state_dir / "ledger.db", bench.ledger, bench.clock)
    cutter = Cutter(bench)

    async def checked() -> None:
        loop = asyncio.get_running_loop()

        def cut_and_go_on(_stopped: threading.Event, done: int, _of: int) -> None:
            """On the check's own thread, when a page was read; before the first page a long statement asks as well."""
            if done:
                asyncio.run_coroutine_threadsafe(cutter.cut(), loop).result()

        monkeypatch.setattr(ledger_upkeep, "_go_on", cut_and_go_on)
        await upkeep.check()

    asyncio.run(checked())
    assert cutter.cuts >= PAGES - 1
    assert upkeep.problem is None


def test_sweeps_and_checks_leave_at_most_the_one_descriptor_that_sqlite_keeps_for_the_next_reader(bench: Premises) -> None:
    """It may not close a descriptor of a file that another connection of the process has locked."""
    upkeep = LedgerUpkeep(bench.state_dir / "ledger.db", bench.ledger, bench.clock)

    async def all_of_it() -> list[int]:
        counts = [len(os.listdir("/proc/self/fd"))]  # noqa: PTH208 - names only
        for _ in range(3):
            await Sweep(bench, lambda: None).used_bytes()
            await upkeep.check()
            counts.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208
        return counts

    before, *after = asyncio.run(all_of_it())
    assert max(after) <= before + 1


def test_a_reader_that_keeps_the_log_from_being_folded_in_does_not_make_the_site_sweep_again(bench: Premises) -> None:
    house = Housekeeping(bench, Space(bench.state_dir, SpaceSection(ballast_mb=0)), Duties(first_sweep_s=0.0), lambda: None)
    sweeps = 0
    real = house.sweep

    async def counted() -> None:
        nonlocal sweeps
        sweeps += 1
        await real()

    house.sweep = counted  # type: ignore[method-assign]
    log = bench.state_dir / "ledger.db-wal"

    async def law() -> None:
        with closing(LedgerReader.open(bench.state_dir / "ledger.db")) as reader:
            reader._db.execute("BEGIN; SELECT count(*) FROM journal")
            for seconds in (0.0, 700.0):
                bench.clock.advance(seconds)
                await bench.ledger.append(an_audit(f"behind the reader {seconds}"))
                with pytest.raises(LedgerBusy):
                    await house.look()
        await house.look()
        assert (sweeps, log.stat().st_size) == (1, 0)
        await house.look()
        assert sweeps == 1

    asyncio.run(law())
