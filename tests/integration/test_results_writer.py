"""Results follow the journal: none is lost by a crash or a refusing folder, and none lands where scans are watched."""

import asyncio
from contextlib import closing

import pytest

from edge_agent.agent.config import load_config
from edge_agent.agent.feed import Doorbell
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.results import CONSUMER, ResultsPlace, ResultsWriter
from edge_agent.domain.ids import SiteId
from edge_agent.errors import ConfigInvalid, DiskLow, LedgerDamaged
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, a_scan_id, a_verdict, an_assessment

ONE, TWO = a_scan_id("scan-1"), a_scan_id("scan-2")


class Bench:
    """A ledger with a writer beside it, stopped as a crash would stop it."""

    def __init__(self, state_dir, folder):
        self.clock = ManualClock()
        self.ledger = Ledger.open(state_dir / "ledger.db", SiteId(SITE), self.clock)
        self.lane = Lane("ledger")
        self.folder = folder
        self.store = LedgerLane(self.ledger, self.lane)
        self.damages = []

    def close(self):
        self.ledger.close()
        self.lane.close()

    def append(self, *entries):
        for entry in entries:
            self.ledger.append(entry)

    async def follow(self, until):
        """Run a fresh writer until ``until`` holds, then cancel it."""
        lane = Lane("results")
        place = ResultsPlace(self.folder, ("json",))
        writer = asyncio.create_task(ResultsWriter(self.store, place, lane, self.clock, self.damages.append).run(Doorbell()))
        try:
            async with asyncio.timeout(40):
                while not await until():  # noqa: ASYNC110 - what is waited for is in a file or a ledger
                    await asyncio.sleep(0)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            lane.close()

    async def cursor(self):
        found = (await self.store.acknowledged()).get(CONSUMER)
        return 0 if found is None else found.seq

    def names(self):
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []


@pytest.fixture
def bench(tmp_path):
    with closing(Bench(tmp_path, tmp_path / "results")) as made:
        yield made


def has_cursor(bench, seq):
    async def holds():
        return await bench.cursor() == seq

    return holds


def test_every_assessment_is_written_and_nothing_else(bench):
    bench.append(an_assessment(ONE), a_verdict(ONE), an_assessment(TWO, conclusion="alert"))
    asyncio.run(bench.follow(has_cursor(bench, 3)))
    assert sorted((f"{ONE}.r1.json", f"{TWO}.r1.json")) == bench.names()


def test_a_new_writer_goes_on_where_the_last_one_stopped(bench):
    bench.append(an_assessment(ONE))
    asyncio.run(bench.follow(has_cursor(bench, 1)))
    (bench.folder / f"{ONE}.r1.json").unlink()
    bench.append(an_assessment(TWO))
    asyncio.run(bench.follow(has_cursor(bench, 2)))
    assert [f"{TWO}.r1.json"] == bench.names()


def test_what_was_written_before_a_crash_is_written_again_not_left_out(bench):
    bench.append(an_assessment(ONE))

    async def is_written():
        return bool(bench.names())

    asyncio.run(bench.follow(is_written))  # it may die before its cursor moved
    asyncio.run(bench.follow(has_cursor(bench, 1)))
    assert [f"{ONE}.r1.json"] == bench.names()


def test_a_later_word_on_the_same_revision_replaces_the_earlier(bench):
    bench.append(an_assessment(ONE), an_assessment(ONE, conclusion="alert", cause="metadata-1"), an_assessment(ONE, revision=2))
    asyncio.run(bench.follow(has_cursor(bench, 3)))
    assert [f"{ONE}.r1.json", f"{ONE}.r2.json"] == bench.names()
    assert '"conclusion": "alert"' in (bench.folder / f"{ONE}.r1.json").read_text()


def test_a_damaged_row_is_told_and_neither_written_nor_the_end_of_the_writer(bench, monkeypatch):
    bench.append(an_assessment(ONE))
    monkeypatch.setattr("edge_agent.agent.results._RETRY_S", 0.0)
    sound, asked = bench.store.rows, []

    async def rows(after, max_rows, max_bytes):
        asked.append(after)
        if len(asked) < 3:
            raise LedgerDamaged("row 1 is not what was journalled")
        return await sound(after, max_rows, max_bytes)

    monkeypatch.setattr(bench.store, "rows", rows)
    asyncio.run(bench.follow(has_cursor(bench, 1)))
    assert len(bench.damages) == 2
    assert [f"{ONE}.r1.json"] == bench.names()


def test_a_folder_that_refuses_loses_nothing(bench, capsys):
    bench.folder.write_text("a file where the folder should be")
    bench.append(an_assessment(ONE))

    async def has_complained():
        return "results_postponed" in capsys.readouterr().out

    asyncio.run(bench.follow(has_complained))
    assert 0 == asyncio.run(bench.cursor())
    bench.folder.unlink()
    asyncio.run(bench.follow(has_cursor(bench, 1)))
    assert [f"{ONE}.r1.json"] == bench.names()


def test_a_full_disk_under_the_ledger_ends_nothing_and_loses_nothing(bench, capsys, monkeypatch):
    bench.append(an_assessment(ONE))

    async def refuse(*_):
        raise DiskLow("no space for the ledger")

    async def has_complained():
        return "disk-low" in capsys.readouterr().out

    with monkeypatch.context() as patched:
        patched.setattr(bench, "store", LedgerLane(bench.ledger, bench.lane))
        patched.setattr(bench.store, "acknowledge", refuse)
        asyncio.run(bench.follow(has_complained))
    assert 0 == asyncio.run(bench.cursor())
    asyncio.run(bench.follow(has_cursor(bench, 1)))


def test_no_part_is_left_behind(bench):
    bench.append(an_assessment(ONE))
    asyncio.run(bench.follow(has_cursor(bench, 1)))
    assert [] == [name for name in bench.names() if name.startswith(".")]


CONFIG = """
state_dir = "state"
policy = "policy.toml"
profiles = "scanners"
[site]
id = "harbour"
timezone = "UTC"
[[scanner]]
id = "gate-1"
profile = "plain-image"
watch = "watched"
timezone = "UTC"
subject = "cargo"
[wire]
insecure_loopback_only = true
[results]
dir = "{folder}"
"""


@pytest.mark.parametrize("folder", ["watched", "watched/deep/er", "link", "state", "state/packages"])
def test_results_are_refused_where_they_would_be_read_as_scans_or_mixed_with_ours(tmp_path, folder):
    (tmp_path / "watched").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "watched")
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.format(folder=folder))
    with pytest.raises(ConfigInvalid, match=r"results\.dir must not lie in"):
        load_config(path)
