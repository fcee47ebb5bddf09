"""A full and a read-only disk under a running daemon: nothing accepted is lost, the alarm is visible, and it recovers by itself.

Each disk is a small tmpfs in a mount namespace of its own, so the machine's own disks are left alone.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from benchmarks.site import COMMAND, Process, running
from benchmarks.small_site import SmallSite
from edge_agent.domain.ids import Seq
from edge_agent.ledger.reader import LedgerReader
from edge_agent.wire import messages

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def why_not() -> str:
    """Say why no mount can be made here, empty when one can."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "unshare and nsenter are not installed"
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"no private mounts here: {tried.stderr.strip()}"


NO_MOUNTS = why_not()
NO_FAILING_DISK = NO_MOUNTS or (
    "" if shutil.which("mkfs.ext4") and Path("/dev/loop-control").exists() else "no loop devices or no ext4 here"
)
needs_mounts = pytest.mark.skipif(bool(NO_MOUNTS), reason=NO_MOUNTS)


class Disk:
    """A tmpfs on a folder of the state directory (``""`` = all of it), in a namespace that lives as long as a sleeping process."""

    def __init__(self, site: SmallSite, folder: str, size: str) -> None:
        self.at = site.site.state_dir / folder
        self.at.mkdir(parents=True, exist_ok=True)
        self.sleeper = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size={size},mode=0700 tmpfs '{self.at}' && echo ready && exec sleep 900"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.sleeper.stdout is not None
        assert self.sleeper.stdout.readline() == "ready\n"

    def close(self) -> None:
        self.sleeper.kill()
        self.sleeper.wait()
        assert self.sleeper.stdout is not None
        self.sleeper.stdout.close()

    @property
    def inside(self) -> Path:
        """The folder as it looks in the namespace."""
        return Path(f"/proc/{self.sleeper.pid}/root{self.at}")

    def within(self, *command: str) -> tuple[str, ...]:
        return ("nsenter", "-t", str(self.sleeper.pid), "-m", "--", *command)

    def daemon(self, site: SmallSite) -> Process:
        command = self.within(*COMMAND, "run", "--config", str(site.site.agent_toml))
        return Process("daemon", command, site.site.folder / "daemon.log")

    def remount(self, how: str) -> None:
        subprocess.run(self.within("mount", "-o", f"remount,{how}", str(self.at)), check=True)

    def fill(self, leave: int = 0) -> None:
        """Take all free space but ``leave`` bytes."""
        found = os.statvfs(self.inside)
        with (self.inside / "filler").open("wb") as file:
            left = found.f_bavail * found.f_frsize - leave
            while left > 0:
                try:
                    left -= file.write(bytes(min(left, 1 << 16)))
                    file.flush()
                except OSError:
                    if leave == 0 and left < 1 << 16:
                        break
                    left //= 2

    def empty(self) -> None:
        (self.inside / "filler").unlink()


class FailingDisk(Disk):
    """An ext4 image as the whole state directory, whose kernel can be told to find an error: it becomes read-only under its users."""

    def __init__(self, site: SmallSite, image: Path) -> None:
        self.image = image
        with image.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
        super().__init__(site, "", "1m")
        self.mount()

    def mount(self) -> None:
        subprocess.run(self.within("mount", "-o", "loop,errors=remount-ro", str(self.image), str(self.at)), check=True)

    def unmount(self) -> None:
        subprocess.run(self.within("umount", str(self.at)), check=True)

    def fail(self) -> None:
        found = subprocess.run(self.within("findmnt", "-no", "SOURCE", str(self.at)), capture_output=True, text=True, check=True)
        device = found.stdout.split()[-1].rpartition("/")[2]
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1")

    def repair(self) -> None:
        self.unmount()
        assert subprocess.run(["e2fsck", "-fy", str(self.image)], capture_output=True, check=False).returncode <= 1
        self.mount()

    def close(self) -> None:
        self.unmount()
        super().close()


def a_site(tmp_path: Path, extra: str = "") -> SmallSite:
    """A site whose whole state is on the small disk: shares count."""
    return SmallSite(tmp_path, space=f"stop_mb = 1.0\n{extra}")


@contextmanager
def at_work(site: SmallSite, folder: str, size: str) -> Iterator[tuple[Disk, Process]]:
    with closing(Disk(site, folder, size)) as disk:
        daemon = disk.daemon(site)
        with running(daemon):
            site.ready(daemon)
            yield disk, daemon


def logged(process: Process, event: str, **fields: object) -> int:
    return sum(line.get("event") == event and fields.items() <= line.items() for line in process.json_lines())


def disk_reasons(process: Process) -> list[str]:
    """What the health that was told last says of the disk."""
    told = [line["codes"] for line in process.json_lines() if line.get("event") == "health_changed"]
    return [code for code in told[-1] if "disk" in code]  # type: ignore[attr-defined]


def deliver(site: SmallSite, numbers: range) -> None:
    for number in numbers:
        site.deliver(f"scan-{number}.png", site.scan(number))


def wait_for_assessed(site: SmallSite, daemon: Process, count: int) -> None:
    site.wait_for(lambda: logged(daemon, "scan_assessed") >= count, daemon)


def check(state_dir: Path, copy: Path, scans: int) -> list[messages.AnyBody]:
    """Copy the ledger of a stopped daemon out of the namespace and hold it against the law."""
    copy.mkdir()
    shutil.copy(state_dir / "ledger.db", copy / "ledger.db")
    with closing(LedgerReader.open(copy / "ledger.db")) as reader:
        counts = reader.counts()
        assert (counts.accepted, counts.assessed, counts.set_aside, counts.in_flight) == (scans, scans, 0, 0)
        assert reader.verify() is None
        bodies = [messages.decode(row.body) for row in reader.rows(Seq(0), 10_000, 1 << 30)]
    scan_ids = [body.scan_id for body in bodies if body.kind == "assessment"]
    assert len(set(scan_ids)) == len(scan_ids) == scans
    return bodies


@needs_mounts
def test_a_full_disk_stops_acceptance_visibly_and_it_goes_on_by_itself(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    with at_work(site, "", "48m") as (disk, daemon):
        assert (disk.inside / "ballast").stat().st_size > 400_000
        deliver(site, range(3))
        wait_for_assessed(site, daemon, 3)
        disk.fill()
        site.wait_for(lambda: logged(daemon, "health_changed", state="failing") >= 1, daemon)
        assert logged(daemon, "ballast_given_up") == 1
        assert not (disk.inside / "ballast").exists()
        deliver(site, range(3, 8))
        site.wait_for(lambda: logged(daemon, "scan_released", code="disk-low") >= 1, daemon)
        assert logged(daemon, "scan_accepted") == 3
        assert len(list(site.watched.iterdir())) == 8
        disk.empty()
        wait_for_assessed(site, daemon, 8)
        site.wait_for((disk.inside / "ballast").exists, daemon)
        site.wait_for(lambda: disk_reasons(daemon) == [], daemon)
        assert daemon.stop() == 0
        bodies = check(disk.inside, tmp_path / "copy", 8)
    told = [(body.state, [reason.code for reason in body.reasons if "disk" in reason.code]) for body in bodies if body.kind == "health"]
    assert ("failing", ["disk-full"]) in told
    assert told[-1][1] == []


@needs_mounts
def test_a_daemon_that_starts_on_a_full_disk_waits_or_ends_with_its_code_and_resumes(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    with at_work(site, "", "48m") as (disk, daemon):
        deliver(site, range(2))
        wait_for_assessed(site, daemon, 2)
        daemon.kill()
        disk.fill()
        deliver(site, range(2, 4))
        again = disk.daemon(site)
        with running(again):
            site.wait_for(lambda: logged(again, "space_changed", space="stopped") >= 1, again)
            site.ready(again)  # on the room that the ballast had kept
            disk.empty()
            wait_for_assessed(site, again, 4)
            assert again.stop() == 0
        check(disk.inside, tmp_path / "copy", 4)


@needs_mounts
def test_a_start_that_has_no_room_at_all_waits_for_it(tmp_path: Path) -> None:
    site = a_site(tmp_path, "ballast_mb = 0\n")  # as after a shortage that took the ballast
    with closing(Disk(site, "", "48m")) as disk:
        disk.fill()
        deliver(site, range(2))
        daemon = disk.daemon(site)
        with running(daemon):
            site.wait_for(lambda: logged(daemon, "housekeeping_postponed", code="disk-low") >= 1, daemon)
            assert logged(daemon, "agent_started") == 0
            disk.empty()
            wait_for_assessed(site, daemon, 2)
            assert daemon.stop() == 0
        check(disk.inside, tmp_path / "copy", 2)


@needs_mounts
def test_a_full_spool_leaves_scans_with_the_scanner(tmp_path: Path) -> None:
    site = SmallSite(tmp_path)
    with at_work(site, "spool", "1m") as (disk, daemon):
        disk.fill()
        deliver(site, range(2))
        site.wait_for(lambda: logged(daemon, "scan_released", code="disk-low") >= 1, daemon)
        assert logged(daemon, "scan_accepted") == 0
        disk.empty()
        wait_for_assessed(site, daemon, 2)
        assert daemon.stop() == 0
    check(site.site.state_dir, tmp_path / "copy", 2)


@needs_mounts
def test_without_room_for_pictures_scans_are_assessed_without_them(tmp_path: Path) -> None:
    site = SmallSite(tmp_path)
    with at_work(site, "blobs", "1m") as (disk, daemon):
        disk.fill()
        deliver(site, range(2))
        wait_for_assessed(site, daemon, 2)
        disk.empty()
        site.wait_for(
            lambda: [line["space"] for line in daemon.json_lines() if line.get("event") == "space_changed"][-1:] == ["ample"], daemon
        )
        deliver(site, range(2, 3))
        wait_for_assessed(site, daemon, 3)
        assert daemon.stop() == 0
    blobs = [len(body.blobs) for body in check(site.site.state_dir, tmp_path / "copy", 3) if body.kind == "assessment"]
    assert blobs[:2] == [0, 0]
    assert blobs[2] > 0


@needs_mounts
def test_packages_that_found_no_room_are_written_when_there_is_some(tmp_path: Path) -> None:
    site = SmallSite(tmp_path)
    with at_work(site, "packages", "1m") as (disk, daemon):
        disk.fill()
        deliver(site, range(2))
        wait_for_assessed(site, daemon, 2)
        site.wait_for(lambda: logged(daemon, "package_postponed", code="disk-low") >= 2, daemon)
        disk.empty()
        site.wait_for(lambda: len(list(disk.inside.rglob("*.scan.zip"))) == 2, daemon)
        assert daemon.stop() == 0
    check(site.site.state_dir, tmp_path / "copy", 2)


@needs_mounts
def test_a_disk_that_is_read_only_at_the_start_ends_the_process_with_70_and_the_next_start_resumes(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    with at_work(site, "", "48m") as (disk, daemon):
        deliver(site, range(2))
        wait_for_assessed(site, daemon, 2)
        daemon.kill()
        deliver(site, range(2, 4))
        disk.remount("ro")
        refused = disk.daemon(site)
        with running(refused):
            assert refused.wait(120) == 70
        assert logged(refused, "agent_failed", code="ledger-failed") == 1
        disk.remount("rw")
        again = disk.daemon(site)
        with running(again):
            wait_for_assessed(site, again, 4)
            assert again.stop() == 0
        check(disk.inside, tmp_path / "copy", 4)


@pytest.mark.skipif(bool(NO_FAILING_DISK), reason=NO_FAILING_DISK)
def test_a_disk_that_fails_under_the_daemon_ends_it_with_70_even_when_idle_and_the_next_start_resumes(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    with closing(FailingDisk(site, tmp_path / "disk.img")) as disk:
        daemon = disk.daemon(site)
        with running(daemon):
            site.ready(daemon)
            deliver(site, range(2))
            wait_for_assessed(site, daemon, 2)
            disk.fail()
            assert daemon.wait(120) == 70
        assert logged(daemon, "agent_failed", code="ledger-failed") == 1
        deliver(site, range(2, 4))
        disk.repair()
        again = disk.daemon(site)
        with running(again):
            wait_for_assessed(site, again, 4)
            assert again.stop() == 0
        check(disk.inside, tmp_path / "copy", 4)


@needs_mounts
def test_when_space_is_short_what_is_old_enough_makes_room_and_evidence_stays(tmp_path: Path) -> None:
    site = a_site(tmp_path, "\n[retention]\nleast_days = 1e-5\n")
    toml = site.site.agent_toml
    nobody_waits = toml.read_text().replace("durable = true", "durable = false")
    toml.write_text(f"revision_window_days = 1e-5\n{nobody_waits}")
    with at_work(site, "", "48m") as (disk, daemon):
        deliver(site, range(2))
        wait_for_assessed(site, daemon, 2)
        for number in range(2):
            site.deliver(f"junk-{number}.png", bytes([number]) * 1_500_000)
        site.wait_for(lambda: logged(daemon, "scan_set_aside") >= 2, daemon)
        disk.fill(leave=1_500_000)
        site.wait_for(lambda: logged(daemon, "space_changed", space="sparing") >= 1, daemon)
        site.wait_for(lambda: logged(daemon, "things_evicted") >= 1, daemon)
        site.wait_for(lambda: logged(daemon, "space_changed", space="low") >= 1, daemon)
        assert len(list((disk.inside / "quarantine").rglob("*.png"))) <= 1
        assert len(list((disk.inside / "spool").rglob("*.png"))) == 2
        assert daemon.stop() == 0
