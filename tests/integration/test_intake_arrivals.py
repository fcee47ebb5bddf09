"""A scanner's folder under every fault: real files, a real ledger and spool, a clock that is moved by hand, a probe that reads sizes."""

import asyncio
import os
import shutil
import threading
from contextlib import closing, contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest

from edge_agent.agent import arrivals as module
from edge_agent.agent.accepting import Intake
from edge_agent.agent.arrivals import Arrivals
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.maps import MapStore
from edge_agent.agent.orphans import sweep_orphans
from edge_agent.agent.scanner import Scanner, ScannerSection
from edge_agent.agent.storage import Storage
from edge_agent.cli.main import main
from edge_agent.domain.drop import Completeness, ProbeResult, SideCar
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import ScanId
from edge_agent.errors import DropUnavailable
from edge_agent.intake.spool import Placement, Spool
from edge_agent.ledger.backup import back_up
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import cargo_profile
from edge_agent.testing.factories import SITE, an_acceptance, an_arrival

QUIET_S, DEADLINE_S = 1.0, 10.0
PROFILE = cargo_profile(quiet_s=QUIET_S, deadline_s=DEADLINE_S)  # high and side-car are required, low is expected for 20 s
YEAR_S = 365 * 86400.0


class Probe:
    """Plays the decode child: a plane of ten bytes is whole, one that begins with an exclamation mark is hopeless.

    The side-car's text is the container's number. ``locked``: names that cannot be read now.
    """

    def __init__(self):
        self.locked = set()
        self.asked = []

    async def probe(self, members, profile):
        names = tuple(member.name for member in members)
        self.asked.append(names)
        if self.locked & set(names):
            raise DropUnavailable("locked")
        content = {member.role: member.path.read_bytes() for member in members}
        number = content.get("sidecar", b"").decode()
        sidecar = SideCar(None, identities=(IdentityValue(IdentityClass.CONTAINER, number),)) if number else None
        planes = [data for role, data in content.items() if role != "sidecar"]
        if any(data.startswith(b"!") for data in planes):
            return ProbeResult(Completeness.HOPELESS, names, None, sidecar, "unreadable-scan")
        is_whole = set(content) == {"high", "low", "sidecar"} and all(len(data) == 10 for data in planes)
        state = Completeness.COMPLETE if is_whole else Completeness.WAITING
        return ProbeResult(state, names, None, sidecar, "" if is_whole else "partial")


class Room:
    """Satisfies ``agent.space.Room``: full when told."""

    keeps_extras = True

    def __init__(self):
        self.is_full = False

    def admits(self, size):
        return not self.is_full

    def ran_out(self):
        self.is_full = True


class Gate:
    """One scanner's arrivals and everything under them."""

    def __init__(self, folder, ledger, lanes):
        self.folder = folder
        self.watch = folder / "scanner"
        self.watch.mkdir(exist_ok=True)
        self.ledger, self.clock, self.probe, self.room = ledger, ManualClock(), Probe(), Room()
        ledger._clock = self.clock
        spool, maps = Spool(folder / "spool"), MapStore(BlobStore(folder / "blobs"))
        self.storage = Storage(LedgerLane(ledger, lanes[0]), spool, maps, folder, None, room=self.room)
        self.intake = Intake(SITE, self.storage, self.probe, lanes[1], None, self.clock, None)
        self.lane = lanes[2]
        self.restart()

    def restart(self, **section):
        settings = {"id": "gate", "profile": "x", "watch": self.watch, "timezone": "UTC", "subject": "cargo", "priority": 3} | section
        scanner = Scanner(ScannerSection(**settings), PROFILE)
        self.arrivals = Arrivals(scanner, self.intake, SimpleNamespace(reconcile_s=30.0, revision_window_days=7.0), self.lane)
        self.arrivals._seen = self.ledger.seen(self.arrivals.scanner_id)

    def put(self, key, pixels=b"0123456789", number="", low=b"9876543210"):
        for role, data in (("_high.tif", pixels), ("_low.tif", low), (".json", number.encode())):
            if data is not None:
                path = self.watch / f"{key}{role}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    def look(self, after_s=0.0):
        """Look once, some seconds later; give the seconds until the next look."""
        self.clock.advance(after_s)

        async def once():
            object.__setattr__(self.arrivals._intake, "registering", asyncio.Lock())
            return await self.arrivals._look(asyncio.Event())

        return asyncio.run(once())

    def settle(self):
        """Look until everything due has been taken."""
        self.look()
        for _ in range(20):
            if self.look(QUIET_S) > 0 and self.arrivals.waiting == 0:
                return

    def jobs(self):
        return self.ledger.newest_since(self.clock.now() - timedelta(days=3650))

    def accepted(self):
        return self.ledger.counts().accepted

    def audits(self):
        rows = self.ledger.rows(0, 500, 1 << 24)
        return [row.body.decode() for row in rows if '"kind":"audit"' in row.body.decode()]


@contextmanager
def opened(folder):
    lanes = (Lane("ledger"), Lane("spool"), Lane("folder", 4))
    with closing(lanes[1]), closing(lanes[0]), closing(lanes[2]):
        ledger = Ledger.open(folder / "ledger.db", SITE, ManualClock())
        yield Gate(folder, ledger, lanes)
        lanes[0].finish(ledger.close)


@pytest.fixture
def gate(tmp_path):
    with opened(tmp_path) as gate:
        yield gate


def test_many_drops_in_a_tree_of_days_are_taken_each_once(gate):
    for number in range(80):
        gate.put(f"2026/11/{number % 7:02d}/scan-{number}", f"{number:010d}".encode())
    gate.settle()
    assert 80 == gate.accepted() == len({job.scan_id for job in gate.jobs()})
    asked = len(gate.probe.asked)
    gate.restart()  # what was taken before the restart is not even probed again
    gate.put("2026/12/01/new", b"new-pixels")
    gate.settle()
    assert (81, asked + 1) == (gate.accepted(), len(gate.probe.asked))


def test_memory_follows_the_folder_and_what_comes_back_is_not_taken_again(gate):
    for number in range(5):
        gate.put(f"scan-{number}", f"{number:010d}".encode())
    gate.settle()
    away = gate.watch.with_name("away")
    gate.watch.rename(away)
    gate.watch.mkdir()  # the share is unmounted: an empty folder, which is no error
    gate.settle()
    assert {} == gate.arrivals._seen
    asked = len(gate.probe.asked)
    gate.watch.rmdir()
    away.rename(gate.watch)
    gate.settle()
    assert (5, asked) == (gate.accepted(), len(gate.probe.asked))
    assert 5 == len(gate.arrivals._seen)


def test_a_batch_is_registered_in_one_transaction(gate, monkeypatch):
    batches = []
    accept = Ledger.accept
    monkeypatch.setattr(Ledger, "accept", lambda self, batch: (batches.append(len(batch)), accept(self, batch)))
    for number in range(64):
        gate.put(f"scan-{number:02d}", f"{number:010d}".encode())
    gate.settle()
    assert [32, 32] == batches


def test_what_is_still_written_to_is_not_taken(gate):
    gate.put("7", b"01234")
    gate.look()
    for size in range(6, 10):
        gate.put("7", b"0123456789"[:size])
        gate.look(0.9)
        assert 0 == gate.accepted()
    gate.put("7")
    gate.look(0.9)
    assert 0 == gate.accepted()
    gate.look(QUIET_S)
    assert 1 == gate.accepted()


def test_a_growing_file_whose_writer_pauses_waits_for_its_end(gate):
    gate.put("7", b"01234")
    for _ in range(8):
        gate.look(QUIET_S)
    assert 0 == gate.accepted()
    gate.put("7")
    gate.settle()
    (job,) = gate.jobs()
    assert () == job.particulars.notes


def test_a_writer_that_never_ends_costs_one_place_and_is_told_once(gate, monkeypatch):
    told = []
    monkeypatch.setattr(module.events, "drop_overdue", lambda scanner, count: told.append((scanner, count)))
    for step in range(60):
        gate.put("7", b"x" * (11 + step))
        gate.look(10.0)
        assert 0 == gate.accepted()
    assert (1, 1, [("gate", 1)]) == (gate.arrivals.overdue, gate.arrivals.waiting, told)
    gate.put("8")
    for step in range(2):
        gate.put("7", b"y" * (11 + step))
        gate.look(QUIET_S)
    assert ["8"] == [job.drop_key for job in gate.jobs()]


def test_half_of_a_pair_is_taken_as_partial_and_the_other_half_makes_a_revision(gate):
    gate.put("7", low=None)
    gate.look()
    gate.look(19.9)
    assert 0 == gate.accepted()
    gate.look(0.2)
    (job,) = gate.jobs()
    assert (("low",), 1) == (job.particulars.partial, job.revision)
    gate.put("7")
    gate.settle()
    (job,) = gate.jobs()
    assert ((), 2) == (job.particulars.partial, job.revision)


def test_a_hopeless_file_is_taken_alone_with_its_reason(gate):
    gate.put("7", b"!rubbish")
    gate.look()
    for _ in range(5):
        gate.look(QUIET_S)
    (job,) = gate.jobs()
    assert ["unreadable-scan"] == [note.code for note in job.particulars.notes]


def test_the_same_file_twice_or_touched_is_one_scan(gate):
    gate.put("7")
    gate.settle()
    gate.put("7")
    os.utime(gate.watch / "7_high.tif", (5, 5))
    gate.settle()
    assert (1, 1) == (gate.accepted(), len(gate.jobs()))
    assert [] == gate.audits()


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
def test_the_same_pixels_under_another_name_are_journalled_as_a_duplicate(gate, together):
    gate.put("7", number="CSQU3054383")
    if not together:
        gate.settle()
    gate.put("8", number="CSQU3054383")
    gate.settle()
    assert 1 == gate.accepted()
    (audit,) = gate.audits()
    assert "duplicate-of" in audit
    assert "CSQU" not in audit


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
def test_the_same_pixels_under_another_container_are_a_new_scan_that_says_so(gate, together):
    gate.put("7", number="CSQU3054383")
    if not together:
        gate.settle()
    gate.put("8", number="ZZZU6304941")
    gate.settle()
    assert 2 == gate.accepted()
    notes = [[(note.code, dict(note.params)) for note in job.particulars.notes] for job in gate.jobs()]
    assert [[], [("pixels-seen-before", {"twin": gate.jobs()[0].scan_id})]] == notes


def test_a_renamed_drop_and_a_rewritten_one(gate):
    gate.put("7")
    gate.settle()
    for path in list(gate.watch.iterdir()):
        path.rename(path.with_name(path.name.replace("7", "8")))
    gate.settle()
    assert (1, 1) == (gate.accepted(), len(gate.audits()))
    gate.put("8", b"new-pixels")
    gate.settle()
    assert 2 == gate.accepted()


def test_new_pixels_under_a_known_name_are_a_revision(gate):
    gate.put("7")
    gate.settle()
    gate.put("7", b"new-pixels")
    gate.settle()
    (job,) = gate.jobs()
    assert (2, 2) == (job.revision, gate.accepted())


@pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S], ids=["a year ahead", "a year back"])
def test_a_clock_that_jumps_a_year_loses_nothing_and_doubles_nothing(gate, jump_s):
    gate.put("6")
    gate.settle()
    gate.put("7", b"0000000007")
    gate.look()
    gate.clock.jump(jump_s)
    gate.look(QUIET_S / 2)
    assert 1 == gate.accepted()  # the quiet time is no shorter
    gate.look(QUIET_S / 2)
    assert 2 == gate.accepted()  # and no longer
    gate.settle()
    gate.restart()
    gate.settle()
    assert 2 == gate.accepted() == len({job.scan_id for job in gate.jobs()})
    written = (gate.watch / "7_high.tif").stat().st_mtime
    assert abs(gate.jobs()[-1].particulars.capture.taken_at.at.timestamp() - written) < 60
    gate.clock.jump(-jump_s)
    gate.put("6", b"rewritten6")
    gate.settle()
    assert [2] == [job.revision for job in gate.jobs() if job.drop_key == "6"]


def test_a_clock_that_went_back_a_year_still_sees_revisions(gate):
    gate.put("6")
    gate.settle()
    gate.clock.jump(-YEAR_S)
    gate.put("6", b"rewritten6")
    gate.settle()
    assert [2] == [job.revision for job in gate.jobs()]


def test_a_locked_file_is_tried_later_and_holds_nobody_up(gate):
    gate.put("7")
    gate.put("8", b"0000000008")
    gate.probe.locked.add("7_high.tif")
    gate.look()
    gate.look(QUIET_S)
    assert 1 == gate.accepted()
    asked = len(gate.probe.asked)
    for _ in range(120):
        gate.look(1.0)
    assert len(gate.probe.asked) - asked < 10  # not every second
    gate.probe.locked.clear()
    gate.look(60.0)
    assert 2 == gate.accepted()


def test_a_file_that_vanishes_between_look_and_copy_is_no_loss_and_no_error(gate, monkeypatch):
    gate.put("7")
    gate.look()
    copy = Spool.copy
    monkeypatch.setattr(Spool, "copy", lambda self, drop, profile: ((gate.watch / "7_low.tif").unlink(), copy(self, drop, profile))[1])
    gate.look(QUIET_S)
    monkeypatch.undo()
    assert 0 == gate.accepted()
    gate.put("7")
    gate.settle()
    assert 1 == gate.accepted()
    assert [] == list((gate.folder / "spool" / ".incoming").iterdir())


def test_an_unmounted_share_is_lost_once_and_its_return_takes_nothing_twice(gate, monkeypatch):
    told = []
    for name in ("folder_lost", "folder_found"):
        monkeypatch.setattr(module.events, name, lambda *words, name=name: told.append(name))
    gate.put("7")
    gate.settle()
    gate.watch.rename(gate.folder / "away")
    for _ in range(3):
        assert gate.look(2.0) <= 2.0
        assert gate.arrivals.is_lost
    gate.watch.mkdir()  # the empty mount point
    gate.look(2.0)
    shutil.rmtree(gate.watch)
    (gate.folder / "away").rename(gate.watch)
    gate.put("8", b"0000000008")
    gate.settle()
    assert (2, False) == (gate.accepted(), gate.arrivals.is_lost)
    assert ["folder_lost", "folder_found"] == told


def test_a_full_disk_pauses_acceptance_and_its_end_takes_everything(gate):
    for number in range(40):
        gate.put(f"scan-{number:02d}", f"{number:010d}".encode())
    gate.look()
    gate.room.is_full = True
    assert 1.0 < gate.look(QUIET_S) <= 30.0
    assert (0, 40) == (gate.accepted(), len(gate.arrivals._watched))
    gate.room.is_full = False
    gate.look(5.0)
    assert 40 == gate.accepted()


def test_what_lay_there_at_the_start_is_served_a_step_after_what_comes_now(gate):
    gate.put("7")
    gate.settle()
    gate.put("8", b"0000000008")
    gate.settle()
    assert {"7": 2, "8": 3} == {job.drop_key: job.priority for job in gate.jobs()}


def test_a_look_that_hangs_counts_as_lost_and_is_waited_for(gate, monkeypatch):
    release = threading.Event()
    look = module.look
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(module, "look", lambda *args: (release.wait(50), look(*args))[1])
    gate.put("7")

    async def hang():
        looking = asyncio.create_task(gate.arrivals._look(asyncio.Event()))
        await until(lambda: gate.arrivals.is_lost)
        release.set()
        await looking

    asyncio.run(hang())
    assert (False, 1) == (gate.arrivals.is_lost, gate.arrivals.waiting)


def test_a_stop_does_not_wait_for_a_look_that_hangs(gate, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(module, "look", lambda *args: release.wait(50))

    async def stopped():
        stop = asyncio.Event()
        looking = asyncio.create_task(gate.arrivals._look(stop))
        await asyncio.sleep(0.05)
        stop.set()
        return await asyncio.wait_for(looking, 40)

    try:
        assert asyncio.run(stopped()) <= 2.0
    finally:
        release.set()


async def until(condition):
    async with asyncio.timeout(40):
        while not condition():  # noqa: ASYNC110 - what is waited for rings no bell
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("watch_by", "by_polling"), [("polling", True), ("events", False)])
def test_a_folder_is_followed_by_polling_or_by_events(gate, monkeypatch, watch_by, by_polling):
    monkeypatch.setattr(module, "_POLL_S", 0.05)
    gate.restart(watch_by=watch_by)
    told = []
    monkeypatch.setattr(module.events, "folder_watched", lambda *words: told.append(words[1]))

    async def followed():
        stop = asyncio.Event()
        object.__setattr__(gate.arrivals._intake, "registering", asyncio.Lock())
        running = asyncio.create_task(gate.arrivals.run(stop))
        await until(lambda: gate.arrivals.watching is not None)
        gate.put("7")
        await until(lambda: gate.arrivals.waiting == 1)
        gate.clock.advance(QUIET_S)
        gate.arrivals.ring()
        await until(lambda: len(gate.arrivals._seen) == 1)
        stop.set()
        gate.arrivals.ring()
        await running

    asyncio.run(followed())
    assert (by_polling, [watch_by]) == (gate.arrivals.watching.by_polling, told)
    assert 1 == gate.accepted()


def test_a_network_file_system_is_polled_by_itself(gate, monkeypatch):
    monkeypatch.setattr(module, "file_system_of", lambda folder: "cifs")
    assert gate.arrivals._followed(None, lambda: None) is None
    assert (True, "cifs") == (gate.arrivals.watching.by_polling, gate.arrivals.watching.file_system)


def test_without_watches_left_the_folder_is_polled(gate, monkeypatch):
    def none_left(self):
        raise DropUnavailable("no watches left")

    monkeypatch.setattr(module.Watcher, "start", none_left)
    assert gate.arrivals._followed(None, lambda: None) is None
    assert gate.arrivals.watching.by_polling


def test_after_a_restore_what_the_backup_did_not_know_and_the_scanner_still_has_is_taken_again_as_the_same_scan(tmp_path, capsys):
    with opened(tmp_path) as before:
        before.put("1")
        before.settle()
        back_up(tmp_path / "ledger.db", tmp_path / "saved.db")
        before.put("2", b"other-10-b")
        before.settle()
        epoch, (_, second) = before.ledger.epoch, before.jobs()
    assert main(["ledger", "restore", str(tmp_path / "saved.db"), "--state-dir", str(tmp_path)]) == 0
    assert second.scan_id in capsys.readouterr().out
    assert not (tmp_path / second.spool).exists()
    with opened(tmp_path) as after:
        assert (1, True) == (after.accepted(), after.ledger.epoch != epoch)
        after.settle()
        assert 2 == after.accepted()
        assert (second.scan_id, second.revision, second.members) == (after.jobs()[-1].scan_id, 1, after.jobs()[-1].members)
        assert (tmp_path / second.spool / second.members[0].name).is_file()


def test_orphans_go_after_a_week_and_nothing_else_does(gate):
    gate.put("7")
    gate.settle()
    (known,) = gate.jobs()
    spool = gate.storage.spool
    for name in ("old-orphan", "young-orphan"):
        spooled = spool.copy(drop_of_folder(gate), PROFILE)
        spool.place([Placement(spooled, ScanId(name), 1)])
    root = gate.folder / "spool"
    now = gate.clock.now().timestamp()
    for name, age_days in (("old-orphan", 8), ("young-orphan", 6), (known.scan_id, 30)):
        os.utime(root / name / "r1", (now - age_days * 86400, now - age_days * 86400))
    asyncio.run(sweep_orphans(gate.arrivals._intake))
    assert sorted([".incoming", "young-orphan", known.scan_id]) == sorted(path.name for path in root.iterdir())


def test_an_orphan_that_is_registered_just_now_stays(gate):
    gate.put("7")
    acceptance = an_acceptance(an_arrival("7"))
    scan = acceptance.decision.scan_id
    spool, ledger = gate.storage.spool, gate.storage.ledger
    spool.place([Placement(spool.copy(drop_of_folder(gate), PROFILE), scan, 1)])
    folder = gate.folder / "spool" / scan / "r1"
    long_ago = gate.clock.now().timestamp() - 30 * 86400
    os.utime(folder, (long_ago, long_ago))

    async def registered_meanwhile():
        intake = gate.arrivals._intake
        object.__setattr__(intake, "registering", asyncio.Lock())
        async with intake.registering:
            sweeping = asyncio.create_task(sweep_orphans(intake))
            for _ in range(5):
                await intake.spool_lane.run(int)
            await ledger.call(Ledger.accept, [acceptance])
        await sweeping

    asyncio.run(registered_meanwhile())
    assert folder.is_dir()


def drop_of_folder(gate):
    from edge_agent.intake.grouping import group
    from edge_agent.intake.reconcile import read_folder

    return group(gate.arrivals.scanner_id, read_folder(gate.watch, PROFILE.ignores), PROFILE)[0]
