"""The acceptance copy on a real file system: exactly the scanner's bytes, or nothing."""

import errno
import hashlib
import os
import stat
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

import edge_agent
from edge_agent.domain.ids import ScanId
from edge_agent.errors import DiskLow, DropUnavailable, MemberChanged
from edge_agent.intake import spool as spool_module
from edge_agent.intake.grouping import group
from edge_agent.intake.reconcile import read_folder
from edge_agent.intake.spool import Placement, Spool
from edge_agent.testing.drops import SCANNER, cargo_profile

PROFILE = cargo_profile()
SCAN = ScanId("6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11")
CONTENT = {"7_high.tif": os.urandom(3 << 20), "7_low.tif": b"", "7.json": b"{}"}


@pytest.fixture
def scanner(tmp_path):
    folder = tmp_path / "scanner"
    folder.mkdir()
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "state" / "spool")


def drop_in(folder):
    (drop,) = group(SCANNER, read_folder(folder, PROFILE.ignores), PROFILE)
    return drop


def everything(root: Path):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_the_copy_is_the_scanners_bytes_with_their_digests(scanner, spool):
    spooled = spool.copy(drop_in(scanner), PROFILE)
    (folder,) = spool.place([Placement(spooled, SCAN, 1)])
    assert CONTENT == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()} == {d.name: d.sha256 for d in spooled.digests}
    assert {"high": True, "low": True, "sidecar": False} == {d.role: d.is_pixels for d in spooled.digests}
    assert folder.relative_to(folder.parents[1]) == Path(SCAN) / "r1"


def test_nobody_else_can_read_the_spool(scanner, spool):
    (folder,) = spool.place([Placement(spool.copy(drop_in(scanner), PROFILE), SCAN, 1)])
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {0o700} == {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent, folder.parent.parent)}


def test_the_scanners_folder_is_not_touched(scanner, spool):
    scanner.chmod(0o555)
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in scanner.iterdir()}
    spool.place([Placement(spool.copy(drop_in(scanner), PROFILE), SCAN, 1)])
    assert before == {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in scanner.iterdir()}
    scanner.chmod(0o755)


@pytest.mark.parametrize(
    "meddle",
    [
        lambda folder: (folder / "7_high.tif").write_bytes(b"other"),
        lambda folder: os.utime(folder / "7_high.tif", ns=(1, 1)),
        lambda folder: os.truncate(folder / "7_high.tif", 100),
    ],
    ids=["rewritten", "touched", "truncated"],
)
def test_a_member_that_changed_since_it_settled_is_not_accepted(scanner, spool, tmp_path, meddle):
    drop = drop_in(scanner)
    meddle(scanner)
    with pytest.raises(MemberChanged):
        spool.copy(drop, PROFILE)
    assert [".incoming"] == everything(tmp_path / "state" / "spool")


@pytest.mark.parametrize(
    "meddle",
    [
        lambda path: os.truncate(path, 4 << 20),
        lambda path: os.truncate(path, 5),
        lambda path: path.with_name("new").write_bytes(path.read_bytes()) and path.with_name("new").rename(path),
        lambda path: path.unlink(),
        lambda path: os.utime(path, ns=(5, 5)),
    ],
    ids=["grown", "truncated", "replaced", "deleted", "touched"],
)
def test_a_member_that_changes_while_it_is_copied_is_not_accepted(scanner, spool, tmp_path, monkeypatch, meddle):
    drop, victim, real_read = drop_in(scanner), scanner / "7_high.tif", os.read
    pending = [victim]

    def read_and_meddle(descriptor, count):
        chunk = real_read(descriptor, count)
        if pending and os.fstat(descriptor).st_size == len(CONTENT["7_high.tif"]):
            meddle(pending.pop())
        return chunk

    monkeypatch.setattr(spool_module.os, "read", read_and_meddle)
    with pytest.raises(MemberChanged):
        spool.copy(drop, PROFILE)
    assert [".incoming"] == everything(tmp_path / "state" / "spool")


def test_a_member_that_went_away_is_try_later(scanner, spool):
    drop = drop_in(scanner)
    (scanner / "7.json").unlink()
    with pytest.raises(DropUnavailable):
        spool.copy(drop, PROFILE)


def test_a_symbolic_link_in_a_members_place_is_not_followed(scanner, spool):
    drop = drop_in(scanner)
    (scanner / "7.json").rename(scanner / "elsewhere")
    (scanner / "7.json").symlink_to(scanner / "elsewhere")
    with pytest.raises(DropUnavailable):
        spool.copy(drop, PROFILE)


def test_a_pipe_in_a_members_place_does_not_hang_us(scanner, spool):
    drop = drop_in(scanner)
    (scanner / "7.json").unlink()
    os.mkfifo(scanner / "7.json")
    with pytest.raises(MemberChanged):
        spool.copy(drop, PROFILE)


@pytest.mark.parametrize(("number", "raised"), [(errno.ENOSPC, DiskLow), (errno.EDQUOT, DiskLow), (errno.EROFS, OSError)])
def test_a_full_disk_is_try_later_and_leaves_nothing(scanner, spool, tmp_path, monkeypatch, number, raised):
    def full(descriptor, data):
        raise OSError(number, "no")

    monkeypatch.setattr(spool_module.os, "write", full)
    with pytest.raises(raised):
        spool.copy(drop_in(scanner), PROFILE)
    assert [".incoming"] == everything(tmp_path / "state" / "spool")


def test_an_orphan_under_the_final_name_is_replaced(scanner, spool):
    (first,) = spool.place([Placement(spool.copy(drop_in(scanner), PROFILE), SCAN, 1)])
    (first / "left-over").write_bytes(b"x")
    (second,) = spool.place([Placement(spool.copy(drop_in(scanner), PROFILE), SCAN, 1)])
    assert first == second
    assert sorted(CONTENT) == sorted(path.name for path in second.iterdir())


def test_setting_aside_moves_the_copy_once_however_often_it_is_asked(scanner, spool, tmp_path):
    spool.place([Placement(spool.copy(drop_in(scanner), PROFILE), SCAN, 1)])
    quarantine = tmp_path / "state" / "quarantine"
    target = spool.set_aside(SCAN, 1, quarantine)
    assert target == spool.set_aside(SCAN, 1, quarantine)
    assert sorted(CONTENT) == sorted(path.name for path in target.iterdir())
    assert [".incoming"] == everything(tmp_path / "state" / "spool")
    with pytest.raises(DropUnavailable):
        spool.set_aside(SCAN, 2, quarantine)


def test_setting_aside_again_after_a_retry_keeps_the_newer_copy(scanner, spool, tmp_path):
    quarantine = tmp_path / "state" / "quarantine"
    for _ in range(2):
        spool.place([Placement(spool.copy(drop_in(scanner), PROFILE), SCAN, 1)])
        target = spool.set_aside(SCAN, 1, quarantine)
    assert sorted(CONTENT) == sorted(path.name for path in target.iterdir())


def test_removing_takes_the_revision_and_an_empty_scan_folder_with_it(scanner, spool, tmp_path):
    for revision in (1, 2):
        spool.place([Placement(spool.copy(drop_in(scanner), PROFILE), SCAN, revision)])
    spool.remove(SCAN, 1)
    assert [SCAN] == [path.name for path in (tmp_path / "state" / "spool").iterdir() if path.name != ".incoming"]
    for _ in range(2):
        spool.remove(SCAN, 2)
    assert [".incoming"] == everything(tmp_path / "state" / "spool")


def test_revisions_of_before_a_moment_are_listed(scanner, spool, tmp_path):
    for revision in (1, 2, 10):
        spool.place([Placement(spool.copy(drop_in(scanner), PROFILE), SCAN, revision)])
    os.utime(tmp_path / "state" / "spool" / SCAN / "r2", (1000.0, 1000.0))
    assert [(SCAN, 2)] == spool.revisions(datetime.fromtimestamp(1001.0, UTC))
    assert [] == spool.revisions(datetime.fromtimestamp(1000.0, UTC))
    assert [(SCAN, 1), (SCAN, 2), (SCAN, 10)] == spool.revisions(datetime.fromtimestamp(1e11, UTC))


def test_copies_of_one_batch_get_their_places_together(scanner, spool):
    copies = [spool.copy(drop_in(scanner), PROFILE) for _ in range(3)]
    folders = spool.place([Placement(copy, SCAN, revision) for revision, copy in enumerate(copies, start=1)])
    assert ["r1", "r2", "r3"] == [folder.name for folder in folders]
    assert all(sorted(CONTENT) == sorted(path.name for path in folder.iterdir()) for folder in folders)


def test_a_full_disk_while_places_are_given_is_try_later(scanner, spool, monkeypatch):
    copy = spool.copy(drop_in(scanner), PROFILE)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "no")

    monkeypatch.setattr(spool_module.os, "fsync", full)
    with pytest.raises(DiskLow):
        spool.place([Placement(copy, SCAN, 1)])
    monkeypatch.undo()
    (folder,) = spool.place([Placement(spool.copy(drop_in(scanner), PROFILE), SCAN, 1)])
    assert sorted(CONTENT) == sorted(path.name for path in folder.iterdir())


def test_a_discarded_copy_is_gone(scanner, spool, tmp_path):
    spool.discard(spool.copy(drop_in(scanner), PROFILE))
    assert [".incoming"] == everything(tmp_path / "state" / "spool")


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", ".incoming"])
def test_an_identity_that_is_a_path_is_refused(spool, name):
    with pytest.raises(ValueError, match="identity"):
        spool.remove(ScanId(name), 1)


def test_whatever_moment_a_crash_picks_a_final_name_holds_a_whole_copy_or_nothing(scanner, tmp_path):
    """Kill the process at its k-th system call that changes the disk, for every k, and look at what a restart finds."""
    script = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from edge_agent.domain.ids import ScanId
        from edge_agent.intake import spool as module
        from edge_agent.intake.grouping import group
        from edge_agent.intake.reconcile import read_folder
        from edge_agent.testing.drops import SCANNER, cargo_profile
        scanner, state = Path(sys.argv[1]), Path(sys.argv[2])
        profile = cargo_profile()
        (drop,) = group(SCANNER, read_folder(scanner, profile.ignores), profile)
        def work():
            spool = module.Spool(state / "spool")
            spool.place([module.Placement(spool.copy(drop, profile), ScanId("scan-1"), 1)])
            spool.set_aside(ScanId("scan-1"), 1, state / "quarantine")
        for victim in range(1000):
            child = os.fork()
            if child == 0:
                calls = iter(range(1000))
                def counting(real):
                    def call(*args, **more):
                        if next(calls) == victim:
                            os._exit(9)
                        return real(*args, **more)
                    return call
                for name in ("write", "fsync", "rename", "mkdir", "rmdir"):
                    setattr(os, name, counting(getattr(os, name)))
                work()
                os._exit(0)
            done = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            for place in ("spool", "quarantine"):
                folder = state / place / "scan-1" / "r1"
                if folder.exists():
                    assert sorted(p.stat().st_size for p in folder.iterdir()) == [0, 2, 3 << 20], (victim, list(folder.iterdir()))
            if done == 0:
                break
        print(victim)
        """
    )
    finished = subprocess.run(
        [sys.executable, "-c", script, str(scanner), str(tmp_path / "state")],
        cwd=Path(edge_agent.__file__).parents[1],
        check=True,
        capture_output=True,
        timeout=170,
    )
    assert int(finished.stdout) > 10, "the crash points were not reached"
