"""Space on a real folder: the ballast is made, given up and made again; a disk that takes no changes is found out."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.agent import space as module
from edge_agent.agent.keeping import SpaceSection
from edge_agent.agent.space import Disk, Level, Space
from edge_agent.errors import LedgerFailed

TOTAL = 10_000_000_000
MANY = 5_000_000_000


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Say how much is free from now on."""

    def free(size: int) -> None:
        monkeypatch.setattr(module, "disk_of", lambda _folder: Disk(size, TOTAL))

    return free


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return Space(tmp_path, SpaceSection(ballast_mb=1.0))


def ballast(folder: Path) -> int | None:
    path = folder / "ballast"
    return path.stat().st_size if path.exists() else None


def test_the_ballast_is_made_given_up_and_made_again(space: Space, tmp_path: Path, found: Callable[[int], None]) -> None:
    found(MANY)
    space.look()
    assert (space.level, ballast(tmp_path), space.admits(0)) == (Level.AMPLE, 1_000_000, True)
    found(100_000_000)
    space.look()
    assert (space.level, ballast(tmp_path), space.admits(0)) == (Level.STOPPED, None, False)
    found(MANY)
    space.look()
    assert (space.level, ballast(tmp_path)) == (Level.AMPLE, 1_000_000)


def test_giving_up_the_ballast_does_not_end_the_shortage(tmp_path: Path, found: Callable[[int], None]) -> None:
    space = Space(tmp_path, SpaceSection(ballast_mb=100.0))
    found(MANY)
    space.look()
    found(199_000_000)
    space.look()
    assert space.level is Level.STOPPED
    found(299_000_000)  # the ballast's own hundred came free
    space.look()
    assert (space.level, ballast(tmp_path)) == (Level.STOPPED, None)


def test_the_ballast_is_at_most_a_hundredth_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "disk_of", lambda _folder: Disk(80_000_000, 100_000_000))
    Space(tmp_path, SpaceSection(stop_mb=1.0)).look()
    assert ballast(tmp_path) == 1_000_000


def test_no_ballast_is_an_answer_too(tmp_path: Path, found: Callable[[int], None]) -> None:
    found(MANY)
    Space(tmp_path, SpaceSection(ballast_mb=0)).look()
    assert ballast(tmp_path) is None


def test_a_scan_larger_than_the_room_is_not_admitted_while_smaller_ones_are(space: Space, found: Callable[[int], None]) -> None:
    found(300_000_000)
    space.look()
    assert (space.level, space.keeps_extras) == (Level.SPARING, False)
    assert (space.admits(50_000_000), space.admits(150_000_000)) == (True, False)


def test_running_out_in_spite_of_all_stops_acceptance_until_the_next_look(
    space: Space, tmp_path: Path, found: Callable[[int], None]
) -> None:
    found(MANY)
    space.look()
    shortages = space.shortages
    space.ran_out()
    assert (space.level, space.admits(0), ballast(tmp_path)) == (Level.STOPPED, False, None)
    space.look()
    assert (space.level, space.admits(0)) == (Level.AMPLE, True)
    assert space.shortages > shortages


def test_need_is_nothing_until_something_is_given_up(space: Space, found: Callable[[int], None]) -> None:
    found(900_000_000)
    space.look()
    assert (space.level, space.need_bytes) == (Level.LOW, 0)
    found(300_000_000)
    space.look()
    assert space.need_bytes == pytest.approx(800_000_000, abs=2_000_000)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO])
def test_a_disk_that_takes_no_changes_ends_the_process(space: Space, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "utime", refuse)
    with pytest.raises(LedgerFailed):
        space.look()


def test_a_disk_that_is_only_full_is_looked_at(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "utime", refuse)
    space.look()


def test_where_the_ballast_finds_no_room_none_is_left_half_made(space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    monkeypatch.setattr(module, "disk_of", lambda _folder: Disk(MANY, TOTAL))
    space.look()
    assert ballast(tmp_path) is None


def test_files_that_run_out_count_as_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(tmp_path)
    values = list(real)
    values[5], values[7] = 1000, 10  # of a thousand inodes ten are left
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result(values))
    disk = module.disk_of(tmp_path)
    assert disk.free / disk.total <= 0.01
