"""What root leaves in the state directory belongs to the daemon's user, and what its user cannot read is told as such."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.agent.certificate import Document, write_document
from edge_agent.errors import BundleCorrupt
from edge_agent.inference.bundle import find_bundles
from edge_agent.inference.owner import keep_owner
from edge_agent.inference.store import Admission, BundleStore
from edge_agent.testing.bundles import TEST_TRUST, write_detection_bundle

DAEMON, NOBODY = 12345, 65534
ADMISSION = Admission(TEST_TRUST)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, DAEMON, DAEMON)
    return folder


def strangers(state_dir: Path) -> list[str]:
    """Give what does not belong to the daemon's user and group."""
    found = [(path, path.lstat()) for path in state_dir.rglob("*")]
    assert found, "else there would be nothing to see"
    return [str(path) for path, state in found if (state.st_uid, state.st_gid) != (DAEMON, DAEMON)]


def prove_nothing(root: Path) -> None:
    """Take every set for a good one."""


@as_root
def test_all_that_activation_makes_belongs_to_the_daemons_user(state_dir: Path, tmp_path: Path) -> None:
    write_detection_bundle(tmp_path / "installed")
    store = BundleStore(state_dir / "bundles", tmp_path / "installed")
    store.activate(write_detection_bundle(tmp_path / "incoming", version="2.0.0"), ADMISSION, prove_nothing)
    assert strangers(state_dir) == []
    store.set_shadow(write_detection_bundle(tmp_path / "incoming", version="3.0.0"), ADMISSION, prove_nothing)
    assert strangers(state_dir) == []


@as_root
def test_an_activation_that_fails_leaves_nothing_that_the_daemons_user_could_not_clear(state_dir: Path, tmp_path: Path) -> None:
    write_detection_bundle(tmp_path / "installed")
    store = BundleStore(state_dir / "bundles", tmp_path / "installed")

    def fails(root: Path) -> None:
        raise BundleCorrupt("no")

    with pytest.raises(BundleCorrupt):
        store.activate(write_detection_bundle(tmp_path / "incoming", version="2.0.0"), ADMISSION, fails)
    assert strangers(state_dir) == []


@as_root
def test_certificates_and_those_they_supersede_belong_to_the_daemons_user(state_dir: Path) -> None:
    for _ in range(2):
        write_document(state_dir / "bundles/commission/cargo.json", Document(), None)
    assert strangers(state_dir) == []


@as_root
def test_no_link_is_followed_out_of_the_folder(state_dir: Path, tmp_path: Path) -> None:
    kept, folder = tmp_path / "kept", state_dir / "bundles"
    (kept / "inside").mkdir(parents=True)
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    keep_owner(folder)
    assert folder.stat().st_uid == DAEMON
    assert (kept.stat().st_uid, (kept / "inside").stat().st_uid) == (0, 0)


def test_a_folder_of_bundles_that_may_not_be_read_is_a_bundle_that_cannot_run(tmp_path: Path) -> None:
    root = tmp_path / "sets"
    write_detection_bundle(root)
    root.chmod(0)
    try:
        assert outcome_as_nobody(lambda: find_bundles(root)) == "BundleCorrupt"
    finally:
        root.chmod(0o700)


def outcome_as_nobody(act: Callable[[], object]) -> str:
    """Do ``act`` in a process without rights; give the name of what it raises."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            act()
            os.write(writing, b"nothing")
        except (BundleCorrupt, OSError) as problem:
            os.write(writing, type(problem).__name__.encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said:
        return said.read()
