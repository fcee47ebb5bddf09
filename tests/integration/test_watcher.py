"""Real files, the system's own events, the real listing of a folder."""

import contextlib
import os
import shutil
import threading
from pathlib import Path

import pytest

from edge_agent.errors import DropUnavailable
from edge_agent.intake.reconcile import read_folder
from edge_agent.intake.watcher import Watcher

WAIT_S = 40.0


class Bell:
    """Rings are counted; a test waits for them instead of sleeping."""

    def __init__(self):
        self.rang = threading.Event()

    def __call__(self):
        self.rang.set()


def dies(watcher):
    """Whether the watcher says within its time that it watches nothing any more; the event of the deletion comes a moment later."""
    pause = threading.Event()
    return any(not watcher.is_alive() or pause.wait(0.05) for _ in range(int(WAIT_S / 0.05)))


@pytest.fixture
def watched(tmp_path):
    folder, bell = tmp_path / "scanner", Bell()
    folder.mkdir()
    watcher = Watcher(folder, bell)
    watcher.start()
    yield folder, bell, watcher
    watcher.stop()


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a.jpg").write_bytes(b"x"),
        lambda folder: (folder.parent / "b.jpg").rename(folder / "b.jpg"),
        lambda folder: (folder / "day").mkdir(),
    ],
    ids=["written", "moved-in", "folder"],
)
def test_a_change_rings(watched, change):
    folder, bell, _ = watched
    (folder.parent / "b.jpg").write_bytes(b"x")
    change(folder)
    assert bell.rang.wait(WAIT_S)


def test_a_change_in_a_folder_that_came_later_rings(watched):
    folder, bell, _ = watched
    (folder / "day").mkdir()
    assert bell.rang.wait(WAIT_S)
    for _ in range(400):  # the watch of the new folder is set up a moment later
        bell.rang.clear()
        (folder / "day" / "a.jpg").write_bytes(b"x")
        if bell.rang.wait(0.1):
            return
    pytest.fail("the new folder is not watched")


def test_looking_at_the_folder_does_not_ring(watched):
    folder, bell, _ = watched
    (folder / "a.jpg").write_bytes(b"x")
    assert bell.rang.wait(WAIT_S)
    while bell.rang.wait(3.0):  # let the events of the write pass; on a busy machine the last of them comes later
        bell.rang.clear()
    for _ in range(20):
        read_folder(folder, lambda name: False)
        (folder / "a.jpg").read_bytes()
    assert not bell.rang.wait(0.5)


def test_a_folder_that_was_replaced_is_noticed(watched):
    folder, _, watcher = watched
    assert watcher.is_alive()
    shutil.rmtree(folder)
    folder.mkdir()  # it may get the very same inode, and then only the emitter's end tells
    assert dies(watcher)


def test_a_vanished_folder_is_noticed(watched):
    folder, _, watcher = watched
    folder.rename(folder.with_name("unmounted"))
    assert not watcher.is_alive()


def test_a_bell_of_a_closed_loop_does_not_end_the_observer(tmp_path):
    rang = threading.Event()

    def closed():
        rang.set()
        raise RuntimeError("Event loop is closed")

    watcher = Watcher(tmp_path, closed)
    watcher.start()
    for number in range(2):
        rang.clear()
        (tmp_path / f"{number}.jpg").write_bytes(b"x")
        assert rang.wait(WAIT_S)
    assert watcher.is_alive()
    watcher.stop()
    assert not watcher.is_alive()


def held():
    """Threads, and descriptors of the kinds that watching takes: what earlier tests left may go meanwhile, so sets and no counts."""
    found = set(threading.enumerate())
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            if "inotify" in (target := str(link.readlink())) or target.startswith("pipe:"):
                found.add((link.name, target))
    return found


@pytest.mark.parametrize("stage", ["schedule", "start"])
def test_a_start_that_fails_leaves_no_thread_and_no_descriptor(tmp_path, monkeypatch, stage):
    """The agent tries again every few seconds while a share is away."""

    def no_watches_left(*_, **__):
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(f"watchdog.observers.api.BaseObserver.{stage}", no_watches_left)
    before = held()
    for _ in range(5):
        with pytest.raises(DropUnavailable):
            Watcher(tmp_path, Bell()).start()
    assert held() - before == set()


def test_an_absent_folder_cannot_be_watched(tmp_path):
    watcher = Watcher(tmp_path / "nowhere", Bell())
    with pytest.raises(DropUnavailable):
        watcher.start()
    assert not watcher.is_alive()
    watcher.stop()


def test_a_listing_holds_every_regular_file_below_the_folder_and_nothing_else(tmp_path):
    (tmp_path / "day" / "lane").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for name in ("a.jpg", "day/lane/b.jpg", ".hidden/c.jpg", "day/d.part"):
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    listing = read_folder(tmp_path, lambda name: name.endswith(".part"))
    assert ["a.jpg", "day/lane/b.jpg"] == [file.name for file in listing]
    assert listing[1].path == tmp_path / "day" / "lane" / "b.jpg"
    assert (listing[0].size, listing[0].mtime_ns) == (5, (tmp_path / "a.jpg").stat().st_mtime_ns)


def test_a_name_that_is_not_utf8_is_shown_escaped_and_still_opens(tmp_path):
    raw = os.fsencode(tmp_path) + b"/\xff7.jpg"
    with open(raw, "wb") as file:  # noqa: PTH123 - a Path cannot hold these bytes
        file.write(b"x")
    (found,) = read_folder(tmp_path, lambda name: False)
    assert found.name == "\\xff7.jpg"
    assert found.path.read_bytes() == b"x"
    found.name.encode("utf-8")


def test_an_absent_folder_is_try_later(tmp_path):
    with pytest.raises(DropUnavailable):
        read_folder(tmp_path / "unmounted", lambda name: False)


def test_a_file_that_vanishes_between_listing_and_stat_is_skipped(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"x")

    def deletes_it(name):
        (tmp_path / name).unlink() if name == "a.jpg" else None
        return False

    assert ["b.jpg"] == [file.name for file in read_folder(tmp_path, deletes_it)]
